"""How far the basin around each stored point extends: what is proved, and what random starts show."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax.random as jr
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.devices import on_next_device
from attrax._base.lengths import row_lengths
from attrax._base.numerics import float64
from attrax._base.processes import one_blas_thread
from attrax._base.shown import Rows
from attrax._base.status import IterationStatus, RadiusStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.certificates._contraction import Contraction, contraction
from attrax.dynamics import NEVER, isometric_coordinates, refine, run, run_on
from attrax.maps import (
    BoundSteps,
    Linearizer,
    ReducedMap,
    linearizer,
    quadratic_bounds,
    reduced_map,
    step_bounds,
)
from attrax.memory import Memory, Thresholds, check_memory

_CHUNK = 64
_PIECES = (_CHUNK,)
"""Starts are followed this many at a time, more than when the limit of each start is wanted."""
_BLOCK = 8
"""The number of steps between two checks of a start. It counts as back when it is near its own point, which is long
before it has converged, so the loop takes no more steps at a time."""
_BACK_SHARE = 0.01
"""A start counts as back within the proved ball, or when its distance from the cycle has shrunk to this fraction."""
_SCREEN = 16
"""Directions that are tried while a radius is searched for, before those that count; a quarter of them at first."""
_TRIES = 24


@dataclass(frozen=True, slots=True, eq=False)
class BasinRadius(Rows):
    """How far the basin around each stored point extends, in Euclidean distance. One entry per point of a cycle.

    **Fields:**

    - `points`: index of the stored point.
    - `proved_radius`: every start within it converges to the stored cycle, in phase; 0 if nothing is proved.
    - `linear_radius`: the part of it in which no unit of a piecewise-linear network changes its slope.
    - `sampled_radius`: a radius from which the starts in all random directions came back; 0 if there is none. Never
      below `proved_radius`. It says nothing about directions that were not drawn.
    - `share`: with the confidence `confidence`, at least this share of all directions comes back from
      `sampled_radius` (Clopper and Pearson, corrected for radii that were tried before); 1 where it is proved.
    - `contraction`: κ < 1, the factor by which deviations shrink at least at each step, in the norm of the proof; NaN
      without a proof.
    - `distance`: to the nearest other stored point, for comparison with the radii; infinite if there is none.
    - `status`: a `RadiusStatus` each.
    - `confidence`: that of `share`, for each point separately.
    - `num_directions`: the number of directions drawn at `sampled_radius`, for each point.
    """

    rows_of: ClassVar[str] = "status"

    points: Int[np.ndarray, " n"]
    proved_radius: Float[np.ndarray, " n"]
    linear_radius: Float[np.ndarray, " n"]
    sampled_radius: Float[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]
    contraction: Float[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    status: tuple[RadiusStatus, ...]
    confidence: float
    num_directions: int


def basin_radius(
    memory: Memory,
    *,
    second_derivative: float | Callable[[float], float] | None = None,
    num_directions: int = 64,
    confidence: float = 0.95,
    max_steps: int = 500,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> BasinRadius:
    """A radius within which every start provably converges to each stored point, and a sampled one for comparison.

    For maps that bound their own slopes (`maps.step_bounds`), as fully connected networks do, the proof needs nothing
    else; for others it needs a bound on the second derivative, and there is no proof without one. The sampled radius is
    found by quadrupling and bisection with few directions, and then confirmed, or lowered, with fresh ones.

    **Arguments:**

    - `memory`, whose map is any callable written with JAX.
    - `second_derivative`: for maps that don't bound their own slopes: sup ‖D²f‖₂ as one number for all states, or as a
      function of a radius r, for all states within r of any stored point. It is not checked.
    - `num_directions`: random directions at the sampled radius; 0 omits sampling.
    - `confidence`: the confidence of `share`.
    - `max_steps`: a random start that is not back after so many applications of the map counts as lost.
    - `progress`: called as `progress(task, done, total, numbers)`.
    - `key`: random key for the directions.

    **Returns:** `BasinRadius`. **Raises** `ValueError` for a wrong argument, and where the memory holds no patterns.

        >>> import jax.random as jr, numpy as np
        >>> from attrax import Memory, Patterns
        >>> from attrax.certificates import basin_radius
        >>> memory = Memory(lambda x: x**2, Patterns.from_examples(np.zeros((1, 1))))
        >>> found = basin_radius(memory, second_derivative=2.0, key=jr.key(0))
        >>> found.proved_radius.round(1).tolist(), bool(found.sampled_radius[0] < 1)
        ([1.0], True)
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    checks.integer("num_directions", num_directions)
    what = f"{mention('num_directions')}: {num_directions:,} states around a point"
    refuse_beyond_memory(what, 3 * 8 * num_directions * math.prod(memory.examples().shape), "take fewer")
    confidence = checks.real("confidence", confidence, above=0, most=1 - 1e-9)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    second = _second_derivative(second_derivative)
    with np.errstate(over="ignore", invalid="ignore"):
        bound, linearize = step_bounds(memory.map), linearizer(memory.map)
    if bound is not None and second is not None:
        raise ValueError("second_derivative is for maps that don't bound their own slopes; this one does, leave it out")
    cycles = [np.asarray(patterns.points[list(cycle)], np.float64) for cycle in patterns.cycles]
    with float64():
        reduced = reduced_map(memory.map, patterns.shape)
    proofs: list[tuple[Contraction, HostStates]] = []
    prove = on_next_device(partial(_prove_cycle, memory.map, bound, second, linearize, reduced, patterns.unit))
    # One cycle a thread, as in `certify`.
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(prove, cycles):
            proofs.append(result)
            if progress is not None:
                least = min(float(proof.radius.min()) for proof, _ in proofs)
                progress("proving", len(proofs), len(cycles), {"least_radius": least})
    numbers = np.concatenate([np.array(cycle) for cycle in patterns.cycles])
    proved = np.concatenate([proof.radius for proof, _ in proofs])
    refined = np.concatenate([points for _, points in proofs])
    following = np.concatenate([len(cycle) * [0] for cycle in cycles]).astype(int)
    start = 0
    for cycle in cycles:
        following[start : start + len(cycle)] = start + (np.arange(len(cycle)) + 1) % len(cycle)
        start += len(cycle)
    sampled, share = proved.copy(), np.where(proved > 0, 1.0, 0.0)
    if num_directions:
        stored = np.concatenate(cycles)
        returns = _Returns(reduced, stored, refined, following, proved, max_steps, patterns.unit)
        seeds = [int(part) for part in np.asarray(jr.key_data(key)).ravel()]
        sampled, share = _sample(returns, proved, num_directions, confidence, seeds, progress)
    status = [
        RadiusStatus.PROVED if one > 0 else RadiusStatus.SAMPLED if other > 0 else RadiusStatus.NONE
        for one, other in zip(proved, sampled, strict=True)
    ]
    return BasinRadius(
        points=numbers,
        proved_radius=proved,
        linear_radius=np.concatenate([proof.linear_radius for proof, _ in proofs]),
        sampled_radius=sampled,
        share=share,
        contraction=np.concatenate([np.full(len(proof.radius), proof.factor) for proof, _ in proofs]),
        distance=_nearest(np.asarray(patterns.points, np.float64))[numbers],
        status=tuple(status),
        confidence=confidence,
        num_directions=num_directions,
    )


def _second_derivative(given: float | Callable[[float], float] | None) -> Callable[[float], float] | None:
    if given is None or callable(given):
        return given
    constant = checks.real("second_derivative", given, least=0)
    return lambda radius: constant


@np.errstate(over="ignore", invalid="ignore")
def _prove_cycle(
    map: Map,
    bound: BoundSteps | None,
    second: Callable[[float], float] | None,
    linearize: Linearizer,
    reduced: ReducedMap,
    unit: float,
    cycle: HostStates,
) -> tuple[Contraction, HostStates]:
    refined = refine(map, cycle, reduced=reduced, unit=unit)
    points, moved = refined.points, refined.moved
    if bound is None and second is not None:
        bound = quadratic_bounds(map, lambda radius: second(radius + moved))
    if bound is None:
        proof = Contraction(np.zeros(len(cycle)), np.zeros(len(cycle)), float("nan"))
    else:
        proof = contraction(bound, linearize, points, refined.residual, unit)
    # The ball is centered at the refined point. A ball around the stored point fits in if it is smaller by `moved`.
    radius = np.maximum(proof.radius - moved, 0.0)
    linear = np.where(radius > 0, np.maximum(proof.linear_radius - moved, 0.0), 0.0)
    if not (radius > 0).all():
        return Contraction(np.zeros(len(cycle)), np.zeros(len(cycle)), float("nan")), points
    return Contraction(radius, np.minimum(linear, radius), proof.factor), points


def _nearest(points: np.ndarray) -> np.ndarray:
    """Distance from each point to the nearest other one."""
    vectors = points.reshape(len(points), -1)
    if len(vectors) == 1:
        return np.full(1, np.inf)
    # From their middle, in units of the largest entry, so that squares neither overflow nor cancel.
    size = float(np.abs(vectors).max(initial=0.0)) or 1.0
    vectors = vectors / size
    vectors = vectors - vectors.mean(axis=0)
    spread = float(np.abs(vectors).max(initial=0.0)) or 1.0
    vectors = vectors / spread
    square = np.sum(vectors**2, axis=1)
    distance = np.maximum(square[:, None] + square - 2 * vectors @ vectors.T, 0.0)
    np.fill_diagonal(distance, np.inf)
    return np.sqrt(distance.min(axis=1)) * spread * size


class _Returns:
    """Checks whether starts come back, in phase, to the cycle of the point they were made from."""

    def __init__(
        self,
        reduced: ReducedMap,
        stored: HostStates,
        refined: HostStates,
        following: np.ndarray,
        proved: np.ndarray,
        max_steps: int,
        unit: float,
    ) -> None:
        self.reduced, self.stored, self.following, self.max_steps = reduced, stored, following, max_steps
        self.proved, self.unit = proved, unit
        # A start farther away than the paper's threshold is not back, however far it came from.
        self.nearest = Thresholds.literal(unit).recovery
        before = np.empty_like(refined)
        before[following] = refined
        # Coordinates of each point: those of the point before it, mapped.
        self.targets = isometric_coordinates(reduced, self._mapped(before))
        self.later = np.arange(len(following))
        for _ in range(_BLOCK):
            self.later = following[self.later]

    def _mapped(self, states: np.ndarray) -> np.ndarray:
        """Coordinates of the next states; NaN, which is near nothing, where a state diverges."""
        iteration = run(self.reduced, states, max_steps=1, atol=NEVER, unit=self.unit, sizes=_PIECES)
        return np.where((iteration.status == IterationStatus.DIVERGED)[:, None], np.nan, iteration.z)

    def all_back(self, starts: np.ndarray, points: np.ndarray, groups: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """For each group of `starts`, whether all of them come back.

        Each start was made from one of the `points`, at one of the `radii`.
        """
        failed = np.zeros(int(groups.max()) + 1, bool)
        z, place, within = self._mapped(starts), self.following[points], np.minimum(_BACK_SHARE * radii, self.nearest)
        apart, back = self._looked_at(z, place, within)
        for _ in range(math.ceil(self.max_steps / _BLOCK)):
            # One lost start decides for its group, so the others need not be followed any further.
            going = ~back & ~failed[groups]
            z, place, within, groups, back = (part[going] for part in (z, place, within, groups, back))
            if not len(z):
                break
            iteration = run_on(self.reduced, z, max_steps=_BLOCK, atol=NEVER, unit=self.unit, sizes=_PIECES)
            z, place = iteration.z, self.later[place]
            apart, back = self._looked_at(z, place, within)
            diverged = iteration.status == IterationStatus.DIVERGED
            back &= ~diverged  # of a start that is no number, what comes out is 0, which may be a target
            # A state that hardly moves any more and is not at its target has settled elsewhere. If it is merely slow,
            # the sampled radius is understated.
            still = iteration.residual <= 1e-9 * apart
            lost = still | ~(apart <= 1e12 * self.unit) | diverged
            failed[groups[lost & ~back]] = True
        failed[groups[~back]] = True  # the steps ran out
        return ~failed

    def _looked_at(self, z: np.ndarray, place: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distances of coordinates from where they should be, and whether these count as back."""
        apart = row_lengths(isometric_coordinates(self.reduced, z) - self.targets[place])
        return apart, apart <= np.maximum(within, self.proved[place])


def _sample(
    returns: _Returns,
    proved: np.ndarray,
    num_directions: int,
    confidence: float,
    seeds: list[int],
    progress: Progress | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The sampled radius of each point, and the share of directions that is confirmed there."""
    num = len(proved)
    size = returns.stored[0].size
    # Each point draws its own numbers, so the other points do not matter.
    draws = [np.random.default_rng([*seeds, point]) for point in range(num)]

    def pass_all(radii: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
        passed = np.zeros(len(chosen), bool)
        group = max(1, 16 * _CHUNK // count)
        for first in range(0, len(chosen), group):
            part = chosen[first : first + group]
            steps = np.stack([draws[point].standard_normal((count, size)) for point in part])
            steps /= np.linalg.norm(steps, axis=2, keepdims=True)
            steps = radii[part][:, None, None] * steps
            starts = steps.reshape(-1, *returns.stored.shape[1:]) + np.repeat(returns.stored[part], count, axis=0)
            passed[first : first + group] = returns.all_back(
                starts,
                np.repeat(part, count),
                np.repeat(np.arange(len(part)), count),
                np.repeat(radii[part], count),
            )
        return passed

    typical = math.sqrt(size) * returns.unit
    most = 100 * typical
    low = proved.copy()
    radius = np.where(proved > 0, np.minimum(4 * proved, most), 0.01 * typical)
    high = np.full(num, np.inf)
    # Where nothing is proved, ever smaller radii are tried until one passes.
    seeking = np.flatnonzero(proved == 0)
    for _ in range(3):
        if not len(seeking):
            break
        passed = pass_all(radius, seeking, 2)
        low[seeking[passed]] = radius[seeking[passed]]
        high[seeking[~passed]] = radius[seeking[~passed]]
        radius[seeking] = np.where(passed, 4 * radius[seeking], radius[seeking] / 100)
        seeking = seeking[~passed]
    climbing = np.flatnonzero((low > 0) & ~np.isfinite(high) & (low < most))
    while len(climbing):
        passed = pass_all(radius, climbing, _SCREEN // 4)
        low[climbing[passed]] = radius[climbing[passed]]
        high[climbing[~passed]] = radius[climbing[~passed]]
        radius[climbing] = np.minimum(4 * radius[climbing], most)
        climbing = climbing[passed & (low[climbing] < most)]
        if progress is not None:
            progress("sampling", num - len(climbing), num, {"median_radius": float(np.median(low))})
    for _ in range(5):
        between = np.flatnonzero((low > 0) & np.isfinite(high) & (high > 1.15 * low))
        if not len(between):
            break
        radius[between] = np.sqrt(low[between] * high[between])
        passed = pass_all(radius, between, _SCREEN)
        low[between[passed]] = radius[between[passed]]
        high[between[~passed]] = radius[between[~passed]]
    share = np.where(proved > 0, 1.0, 0.0)
    pending = np.flatnonzero(low > proved)
    for attempt in range(1, _TRIES + 1):
        if not len(pending):
            break
        passed = pass_all(low, pending, num_directions)
        # With N of N back, the share is at least α^{1/N}. The k-th radius may spend α/2^k, so all together spend α.
        share[pending[passed]] = ((1 - confidence) / 2**attempt) ** (1 / num_directions)
        pending = pending[~passed]
        low[pending] /= 2**0.25
        lowered = low[pending] <= proved[pending]
        low[pending[lowered]] = proved[pending[lowered]]
        pending = pending[~lowered]
        if progress is not None:
            progress("confirming", num - len(pending), num, {"median_radius": float(np.median(low))})
    low[pending] = proved[pending]
    return low, share
