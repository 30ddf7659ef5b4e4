"""The grid of a basin map: which points are iterated from, and how the others are filled in."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from attrax._base.numerics import float64
from attrax._base.status import RecallStatus
from attrax._base.types import HostStates, Progress
from attrax.analysis._plane import Plane
from attrax.dynamics import recall, refine, trajectory
from attrax.maps import reduced_map
from attrax.memory import Memory

OUTCOMES = (
    RecallStatus.RECOVERED,
    RecallStatus.SPURIOUS,
    RecallStatus.CYCLE,
    RecallStatus.DIVERGED,
    RecallStatus.NOT_CONVERGED,
)
"""The possible outcomes of a start, in the order of the numbers in `Basins.outcome`."""

_BYTES = 128 * 2**20
"""Bytes of states that are iterated at a time, approximately."""
_SAME = 1e-4
"""Distance in units of the patterns, per square root of the number of entries, below which two spurious limits count
as one."""
_LIMITS = 32
"""The maximum number of spurious limits that are distinguished."""


def spaced(length: int, step: int) -> list[int]:
    """Every `step`-th of `length` indices, and the last one."""
    return sorted({*range(0, length, step), length - 1})


class BasinGrid:
    """What is known about each grid point so far."""

    def __init__(
        self,
        memory: Memory,
        plane: Plane,
        x: np.ndarray,
        y: np.ndarray,
        max_steps: int,
        reading: str,
        progress: Progress | None,
    ) -> None:
        self.memory, self.plane, self.x, self.y = memory, plane, x, y
        self.max_steps, self.reading, self.progress = max_steps, reading, progress
        shape = (len(y), len(x))
        self.label, self.phase, self.other = (np.full(shape, -1) for _ in range(3))
        self.outcome = np.zeros(shape, int)
        self.num_steps = np.zeros(shape)
        self.evaluated = np.zeros(shape, bool)
        self.limits: list[HostStates] = []
        self.periods: list[int] = []
        self.overflowed = False
        patterns = memory.examples()
        self.cycles = patterns.cycles
        self.size = int(np.prod(patterns.shape))
        with float64():
            self.reduced = reduced_map(memory.map, patterns.shape)

    def pixels_of(self, coordinates: np.ndarray) -> list[tuple[int, int]]:
        """The grid points whose pixels contain these coordinates; coordinates outside are dropped."""
        half_x, half_y = (self.x[1] - self.x[0]) / 2, (self.y[1] - self.y[0]) / 2
        found = []
        for across, up in coordinates:
            column, row = int(np.abs(self.x - across).argmin()), int(np.abs(self.y - up).argmin())
            if abs(self.x[column] - across) <= half_x and abs(self.y[row] - up) <= half_y:
                found.append((row, column))
        return found

    def answer(self, rows: Any, columns: Any) -> np.ndarray:
        """One number per grid point, equal where the answers are equal."""
        steps = max(map(len, self.memory.examples().cycles), default=1) + 1
        code = (self.label[rows, columns] + 1) * steps + self.phase[rows, columns] + 1
        return (code * (_LIMITS + 2) + self.other[rows, columns] + 1) * len(OUTCOMES) + self.outcome[rows, columns]

    def evaluate(self, places: Sequence[tuple[int, int]]) -> None:
        """Iterates from those of these grid points that were not evaluated yet."""
        new = [place for place in dict.fromkeys(places) if not self.evaluated[place]]
        # Full chunks for the loop below, so that none is padded unnecessarily.
        at_once = max(16, _BYTES // (8 * self.size) // 16 * 16)
        for start in range(0, len(new), at_once):
            part = np.array(new[start : start + at_once])
            rows, columns = part[:, 0], part[:, 1]
            starts = self.plane.states(np.column_stack([self.x[columns], self.y[rows]]))
            self._record(rows, columns, starts)
            self.evaluated[rows, columns] = True
            if self.progress is not None:
                done = int(self.evaluated.sum())
                self.progress("basins", done, self.evaluated.size, {"labels": len(np.unique(self.label))})

    def _record(self, rows: np.ndarray, columns: np.ndarray, starts: HostStates) -> None:
        found = recall(self.memory, starts, max_steps=self.max_steps, reading=self.reading)
        for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
            status = found.status[k]
            self.outcome[row, column] = OUTCOMES.index(status)
            self.num_steps[row, column] = found.num_steps[k]
            if status is RecallStatus.RECOVERED:
                number = int(found.cycle[k])
                cycle = self.cycles[number]
                self.label[row, column] = number
                self.phase[row, column] = (cycle.index(int(found.index[k])) - int(found.num_steps[k])) % len(cycle)
                self.num_steps[row, column] = found.transient[k]
            elif status in (RecallStatus.SPURIOUS, RecallStatus.CYCLE):
                self.other[row, column] = self._limit(found.value[k], int(found.period[k]))

    def _limit(self, value: HostStates, period: int) -> int:
        """The number of the spurious limit at this point; a new number if none is near."""
        near = _SAME * self.memory.examples().unit * np.sqrt(value.size)

        def known(state: HostStates) -> int:
            for number, points in enumerate(self.limits):
                if self.periods[number] == period and _distances(points, state).min() <= near:
                    return number
            return -1

        if (number := known(value)) >= 0:
            return number
        if len(self.limits) == _LIMITS:
            self.overflowed = True
            return -1
        points = value[None]
        if period > 1:
            points = np.concatenate([points, trajectory(self.reduced, points, period - 1)[0]])
        refined = refine(self.memory.map, points, unit=self.memory.examples().unit)
        points = refined.points if refined.converged else points
        # A slow approach can stop short of a limit that is already known.
        if refined.converged and (number := known(points[0])) >= 0:
            return number
        self.limits.append(points)
        self.periods.append(period)
        return len(self.limits) - 1


def refine_cells(grid: BasinGrid, coarse: int) -> None:
    """Divides grid cells until the corners of each, and all other known points in it, agree; then fills them."""
    rows, columns = spaced(grid.label.shape[0], coarse), spaced(grid.label.shape[1], coarse)
    cells = [(top, below, left, right) for top, below in pairwise(rows) for left, right in pairwise(columns)]
    while True:
        split = [cell for cell in cells if max(cell[1] - cell[0], cell[3] - cell[2]) > 1 and _disagrees(grid, cell)]
        if not split:
            break
        divided = set(split)
        fresh = [child for cell in split for child in _children(cell)]
        grid.evaluate([(row, column) for r0, r1, c0, c1 in fresh for row in (r0, r1) for column in (c0, c1)])
        cells = [cell for cell in cells if cell not in divided] + fresh
    for cell in cells:
        _fill(grid, cell)


def _disagrees(grid: BasinGrid, cell: tuple[int, int, int, int]) -> bool:
    top, below, left, right = cell
    block = np.s_[top : below + 1, left : right + 1]
    found = grid.answer(*block)[grid.evaluated[block]]
    return bool((found != found[0]).any())


def _children(cell: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    top, below, left, right = cell
    halves = []
    for low, high in ((top, below), (left, right)):
        middle = (low + high) // 2
        halves.append([(low, high)] if high - low == 1 else [(low, middle), (middle, high)])
    return [(*vertical, *horizontal) for vertical in halves[0] for horizontal in halves[1]]


def _fill(grid: BasinGrid, cell: tuple[int, int, int, int]) -> None:
    top, below, left, right = cell
    block = np.s_[top : below + 1, left : right + 1]
    open_points = ~grid.evaluated[block]
    if not open_points.any():
        return
    for values in (grid.label, grid.phase, grid.other, grid.outcome):
        values[block][open_points] = values[top, left]
    down = np.linspace(0, 1, below - top + 1)[:, None]
    across = np.linspace(0, 1, right - left + 1)
    steps = grid.num_steps
    upper = steps[top, left] * (1 - across) + steps[top, right] * across
    lower = steps[below, left] * (1 - across) + steps[below, right] * across
    steps[block][open_points] = (upper * (1 - down) + lower * down)[open_points]


def _distances(points: HostStates, state: HostStates) -> np.ndarray:
    return np.linalg.norm((points - state).reshape(len(points), -1), axis=1)
