"""Cycles that repeat before their end, or have a point in common."""

from collections.abc import Callable

import numpy as np

from attrax._base.lengths import largest_distance
from attrax._base.types import HostStates


def period_of(points: HostStates, same: float) -> int:
    """The least number of steps after which the points of a cycle repeat; it divides their number."""
    length = len(points)
    for period in range(1, length):
        if length % period == 0 and largest_distance(points, np.roll(points, -period, axis=0)) <= same:
            return period
    return length


def shared_points(points_of: Callable[[int], HostStates], count: int, same: float) -> set[int]:
    """Numbers of the cycles, of `count`, that share a point with another cycle."""
    # Equal points have equal projections, so only neighbors on one random line need to be compared.
    direction = np.random.default_rng(0).standard_normal(points_of(0)[0].size)
    direction /= np.linalg.norm(direction)
    lines = [points_of(number).reshape(-1, len(direction)) @ direction for number in range(count)]
    line = np.concatenate(lines)
    owner = np.repeat(np.arange(count), [len(one) for one in lines])
    within = np.concatenate([np.arange(len(one)) for one in lines])
    order = np.argsort(line)
    shared: set[int] = set()
    for place, point in enumerate(order):
        for other in order[place + 1 :]:
            if not line[other] - line[point] <= 2 * same:
                break
            if owner[point] == owner[other]:
                continue
            mine, theirs = (points_of(int(owner[one]))[within[one]][None] for one in (point, other))
            if largest_distance(mine, theirs) <= same:
                shared |= {int(owner[point]), int(owner[other])}
    return shared
