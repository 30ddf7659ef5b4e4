"""Basins of attraction on a plane: which start ends where, how soon, and beside it the nearest neighbor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from attrax import _checks
from attrax._memory import Memory
from attrax._numerics import apply_rows, cast, float64
from attrax._patterns import Patterns
from attrax._recall import recall
from attrax._status import RecallStatus, Verdict
from attrax._types import HostStates, Map, Progress
from attrax.analysis._plane import Plane, check_extent, extent_of, plane_of
from attrax.certificates import certify
from attrax.dynamics import refine

OUTCOMES = (
    RecallStatus.RECOVERED,
    RecallStatus.SPURIOUS,
    RecallStatus.CYCLE,
    RecallStatus.DIVERGED,
    RecallStatus.NOT_CONVERGED,
)
"""What a start can come to, in the order of the numbers in `Basins.outcome`."""

_BYTES = 128 * 2**20
"""States of about this size are iterated at a time."""
_ARRIVED = 1e-6
"""Distance from its attractor below which a start has arrived."""
_SAME = 1e-4
"""Distance, for each root of an entry, below which two limits that were never stored are one."""
_LIMITS = 32
"""So many attractors that were never stored are told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """A limit that was never stored: a spurious fixed point or cycle.

    **Fields:**

    - `points`: p×state shape, in order, refined to the exact cycle where Newton's method finds it.
    - `coordinates`: p×2, their projections on the plane.
    - `verdict`, `spectral_radius`: as in `Certificate`.
    """

    points: HostStates
    coordinates: Float[np.ndarray, "p 2"]
    verdict: Verdict
    spectral_radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Basins:
    """Basins of attraction on a grid over a plane. Row 0 is the lowest; a grid point is the center of a pixel.

    **Fields:**

    - `plane`; `extent`: left, right, bottom, top in its coordinates.
    - `label`: the stored cycle that the start ends in, numbered as in `Patterns.cycles` (an example is a cycle of
      length one); −1 where it ends elsewhere.
    - `phase`: the point of that cycle, by its place in it, that the start keeps step with: after t steps it is near
      the point t places on. 0 for fixed points, −1 where there is no label.
    - `other`: the index in `others` of the limit that was never stored; −1 where there is none.
    - `outcome`: an index in `OUTCOMES`.
    - `num_steps`: steps until the start is within 1e-6 of its cycle for the first time, where it has a label; else
      how often the map was applied. Where a point was not evaluated it is interpolated.
    - `evaluated`: whether the map was iterated from the point; the others were filled in between equal corners.
    - `nearest`: the stored cycle with the nearest point, as they were given: the Voronoi cells.
    - `cycles`: the indices of the points of each cycle; `points`: n×2, all stored points projected; `distances`: how
      far each lies from the plane.
    - `certified`: for each cycle whether the memory's certificate calls it an attractor; `None` without a certificate.
    - `others`: at most 32, the limits that were never stored and were met; `others_complete`: whether that was all.
    - `arrows_at`, `arrows`: a×2, places on the plane and f(x) − x there, projected; empty where none were asked for.
    - `num_evaluations`: how often the map was iterated from a start.
    """

    plane: Plane
    extent: tuple[float, float, float, float]
    label: Int[np.ndarray, "rows columns"]
    phase: Int[np.ndarray, "rows columns"]
    other: Int[np.ndarray, "rows columns"]
    outcome: Int[np.ndarray, "rows columns"]
    num_steps: Float[np.ndarray, "rows columns"]
    evaluated: Bool[np.ndarray, "rows columns"]
    nearest: Int[np.ndarray, "rows columns"]
    cycles: tuple[tuple[int, ...], ...]
    points: Float[np.ndarray, "n 2"]
    distances: Float[np.ndarray, " n"]
    certified: Bool[np.ndarray, " c"] | None
    others: tuple[Other, ...]
    others_complete: bool
    arrows_at: Float[np.ndarray, "a 2"]
    arrows: Float[np.ndarray, "a 2"]
    num_evaluations: int

    @property
    def evaluated_fraction(self) -> float:
        """Starts that were iterated from, as a fraction of the grid: what refining at the boundaries saves."""
        return self.num_evaluations / self.label.size

    @property
    def labelled_fraction(self) -> float:
        """Fraction of the area that ends in a stored cycle."""
        return float((self.label >= 0).mean())

    @property
    def voronoi_agreement(self) -> float:
        """Fraction of the area that ends in the cycle of its nearest stored point."""
        return float((self.label == self.nearest).mean())

    def fractions(self) -> dict[str, float]:
        """Fraction of the area by outcome."""
        return {str(name): float((self.outcome == code).mean()) for code, name in enumerate(OUTCOMES)}


def basins(
    memory: Memory,
    *,
    plane: Plane | Sequence[int] | None = None,
    extent: Sequence[float] | None = None,
    resolution: int = 128,
    coarse: int = 8,
    arrows: int = 20,
    max_steps: int = 1_000,
    reading: str = "auto",
    progress: Progress | None = None,
) -> Basins:
    """Where the map of `memory` leads from each point of a grid over a plane, in float64.

    Only every `coarse`-th point is iterated from at first, and the pixels of the stored points and of the limits that
    are met. A cell whose corners agree is filled; one whose corners disagree, or in which or on whose edge a point with
    another answer is known, is divided in four, until no such cell is left. A feature that lies within one cell of the
    coarse grid and holds no attractor can be missed; `coarse=1` iterates from every point.

    **Arguments:**

    - `memory`: with patterns; its map is any callable written with JAX.
    - `plane`: a `Plane`, or the indices of three stored points; by default the plane itself for states of two numbers,
      elsewhere the one through the first three points.
    - `extent`: left, right, bottom and top in coordinates of the plane; by default round its points.
    - `resolution`: grid points along the longer side. Pixels are squares.
    - `coarse`: distance of the first points, in pixels.
    - `arrows`: arrows of f(x) − x along the longer side; 0 for none.
    - `max_steps`, `reading`: as in `recall`.
    - `progress`: called with the number of starts that are done.

    **Returns** `Basins`. **Raises** `ValueError` for wrong arguments, before any work.

        >>> import jax.numpy as jnp
        >>> from attrax import Memory, Patterns
        >>> memory = Memory(jnp.sign, Patterns.from_examples(np.array([[-1.0, 1.0], [1.0, 1.0]])))
        >>> found = basins(memory, extent=(-2, 2, 0, 2), resolution=16)
        >>> found.label[0, 0].item(), found.label[0, -1].item(), found.voronoi_agreement
        (0, 1, 1.0)

    Source: Radhakrishnan, Belkin, Uhler (2020), Figs. 3, 4c and 9.
    """
    patterns = memory.examples()
    resolution = _checks.integer("resolution", resolution, least=2, most=4096)
    coarse = _checks.integer("coarse", coarse, least=1)
    arrows = _checks.integer("arrows", arrows, most=200)
    max_steps = _checks.integer("max_steps", max_steps, least=1)
    plane = plane if isinstance(plane, Plane) else plane_of(memory, plane)
    if plane.origin.shape != patterns.shape or plane.axes.shape != (2, *patterns.shape):
        raise ValueError(f"plane must lie among states of shape {patterns.shape}; got {plane.origin.shape}")
    if not np.allclose((flat := plane.axes.reshape(2, -1)) @ flat.T, np.eye(2), atol=1e-6):
        raise ValueError("plane must have orthonormal axes; orthonormalize them, for example by np.linalg.qr")
    stored = np.asarray(patterns.points, np.float64)
    frame = extent_of(plane, stored) if extent is None else check_extent(extent)
    pixel = max(frame[1] - frame[0], frame[3] - frame[2]) / resolution
    shape = tuple(max(2, round((high - low) / pixel)) for low, high in ((frame[2], frame[3]), (frame[0], frame[1])))
    x, y = _centers(frame, shape)

    points, distances = plane.project(stored)
    grid = _Grid(memory, plane, x, y, max_steps, reading, progress)
    grid.evaluate([(row, column) for row in _every(shape[0], coarse) for column in _every(shape[1], coarse)])
    # A basin smaller than a cell is known by the attractor in it.
    inside = distances <= pixel
    grid.evaluate(grid.pixels_of(points[inside]))
    _refine_cells(grid, coarse)
    met: list[int] = []
    while fresh := [index for index in range(len(grid.limits)) if index not in met]:
        met += fresh
        for index in fresh:
            at, away = plane.project(grid.limits[index])
            grid.evaluate(grid.pixels_of(at[away <= pixel]))
        _refine_cells(grid, coarse)

    originals = patterns.points if memory.originals is None else memory.originals
    owner = np.zeros(len(stored), int)
    for number, cycle in enumerate(patterns.cycles):
        owner[list(cycle)] = number
    at = np.zeros((0, 2))
    if arrows:
        step = max(frame[1] - frame[0], frame[3] - frame[2]) / arrows
        counts = tuple(max(1, round((high - low) / step)) for low, high in ((frame[2], frame[3]), (frame[0], frame[1])))
        across, up = _centers(frame, counts)
        at = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    others, number_of = _others(memory.map, plane, grid.limits, grid.periods)
    return Basins(
        plane=plane,
        extent=frame,
        label=grid.label,
        phase=grid.phase,
        other=number_of[grid.other],
        outcome=grid.outcome,
        num_steps=grid.num_steps,
        evaluated=grid.evaluated,
        nearest=_voronoi(plane, originals, owner, x, y),
        cycles=patterns.cycles,
        points=points,
        distances=distances,
        certified=_certified(memory),
        others=others,
        others_complete=not grid.overflowed,
        arrows_at=at,
        arrows=_displacements(memory.map, plane, at),
        num_evaluations=int(grid.evaluated.sum()),
    )


def _centers(frame: tuple[float, ...], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    left, right, bottom, top = frame
    rows, columns = shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    return x, bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows


def _every(length: int, step: int) -> list[int]:
    return sorted({*range(0, length, step), length - 1})


class _Grid:
    """What is known of each grid point so far."""

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
        self.place = {
            index: (number, step)
            for number, cycle in enumerate(patterns.cycles)
            for step, index in enumerate(cycle)
        }  # fmt: skip
        self.stored = np.asarray(patterns.points, np.float64)

    def pixels_of(self, coordinates: np.ndarray) -> list[tuple[int, int]]:
        """The grid points whose pixels hold these places; places outside are left out."""
        half_x, half_y = (self.x[1] - self.x[0]) / 2, (self.y[1] - self.y[0]) / 2
        found = []
        for across, up in coordinates:
            column, row = int(np.abs(self.x - across).argmin()), int(np.abs(self.y - up).argmin())
            if abs(self.x[column] - across) <= half_x and abs(self.y[row] - up) <= half_y:
                found.append((row, column))
        return found

    def answer(self, rows: Any, columns: Any) -> np.ndarray:
        """One number a grid point, equal where the answers are."""
        steps = max(map(len, self.memory.examples().cycles), default=1) + 1
        code = (self.label[rows, columns] + 1) * steps + self.phase[rows, columns] + 1
        return (code * (_LIMITS + 2) + self.other[rows, columns] + 1) * len(OUTCOMES) + self.outcome[rows, columns]

    def evaluate(self, places: Sequence[tuple[int, int]]) -> None:
        """Iterates from those of these grid points from which nothing was iterated yet."""
        new = [place for place in dict.fromkeys(places) if not self.evaluated[place]]
        size = int(np.prod(self.stored.shape[1:]))
        # Full pieces of the loop below, so that none is padded without need.
        at_once = max(16, _BYTES // (8 * size) // 16 * 16)
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
        arrived = found.num_steps.copy()
        cycles = self.memory.examples().cycles
        lengths = np.array([len(cycles[self.place[index][0]]) if index >= 0 else 0 for index in found.index.tolist()])
        for length in sorted({*lengths.tolist()} - {0}):
            mine = np.flatnonzero(lengths == length)
            theirs = [list(cycles[self.place[int(index)][0]]) for index in found.index[mine]]
            arrived[mine] = _arrivals(self.memory.map, starts[mine], self.stored, np.array(theirs), arrived[mine])
        for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
            status = found.status[k]
            self.outcome[row, column] = OUTCOMES.index(status)
            self.num_steps[row, column] = found.num_steps[k]
            if status is RecallStatus.RECOVERED:
                number, step = self.place[int(found.index[k])]
                self.label[row, column] = number
                self.phase[row, column] = (step - int(found.num_steps[k])) % lengths[k]
                self.num_steps[row, column] = arrived[k]
            elif status in (RecallStatus.SPURIOUS, RecallStatus.CYCLE):
                self.other[row, column] = self._limit(found.value[k], int(found.period[k]))

    def _limit(self, value: HostStates, period: int) -> int:
        """The number of the limit that was never stored and has this point; a new one where none is near."""
        near = _SAME * np.sqrt(value.size)

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
        with float64():
            points = np.asarray(_trajectory(cast(self.memory.map, np.float64), value, period))
        exact = refine(self.memory.map, points)
        points = exact.points if exact.converged else points
        # A slow approach can stop short of a limit that is known already.
        if exact.converged and (number := known(points[0])) >= 0:
            return number
        self.limits.append(points)
        self.periods.append(period)
        return len(self.limits) - 1


def _refine_cells(grid: _Grid, coarse: int) -> None:
    """Divides cells until the corners of each, and whatever else is known in it, agree; then fills them."""
    rows, columns = _every(grid.label.shape[0], coarse), _every(grid.label.shape[1], coarse)
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


def _disagrees(grid: _Grid, cell: tuple[int, int, int, int]) -> bool:
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


def _fill(grid: _Grid, cell: tuple[int, int, int, int]) -> None:
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


def _certified(memory: Memory) -> np.ndarray | None:
    if memory.certificate is None:
        return None
    return np.array([verdict is Verdict.ATTRACTOR for verdict in memory.certificate.verdict], bool)


def _others(
    map: Map, plane: Plane, limits: list[HostStates], periods: list[int]
) -> tuple[tuple[Other, ...], Int[np.ndarray, " k"]]:
    """The limits in an order of their own, with verdicts, and from the number of each the new one (−1 stays −1)."""
    # By period and place, not by the order in which the grid met them; a cycle begins at its least point.
    turned = [np.roll(points, -min(range(len(points)), key=lambda i: points[i].ravel().tolist()), axis=0)
              for points in limits]  # fmt: skip
    order = sorted(range(len(limits)), key=lambda i: (periods[i], turned[i][0].ravel().tolist()))
    number_of = np.full(len(limits) + 1, -1)
    number_of[order] = np.arange(len(limits))
    found = []
    for index in order:
        certificate = certify(Memory(map, Patterns.from_cycles([turned[index]])))
        coordinates, _ = plane.project(turned[index])
        found.append(
            Other(turned[index], coordinates, certificate.verdict[0], float(certificate.spectral_radius[0]))
        )  # fmt: skip
    return tuple(found), number_of


def _voronoi(plane: Plane, points: HostStates, owner: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cycle of the nearest point at every grid point, from projections and distances from the plane alone."""
    at, away = plane.project(points)
    best = np.full((len(y), len(x)), np.inf)
    nearest = np.zeros((len(y), len(x)), int)
    for (across, up), height, number in zip(at, away, owner, strict=True):
        squares = (x - across) ** 2 + ((y - up) ** 2)[:, None] + height**2
        nearer = squares < best
        best[nearer], nearest[nearer] = squares[nearer], number
    return nearest


def _distances(points: HostStates, state: HostStates) -> np.ndarray:
    return np.linalg.norm((points - state).reshape(len(points), -1), axis=1)


def _displacements(map: Map, plane: Plane, at: np.ndarray) -> np.ndarray:
    flat = []
    for place in range(0, len(at), 64):  # a picture's states are large, its arrows are not
        states = plane.states(at[place : place + 64])
        with float64():
            moved = apply_rows(cast(map, np.float64), states) - states
        flat.append(moved.reshape(len(moved), -1) @ plane.axes.reshape(2, -1).T)
    return np.concatenate(flat) if flat else np.zeros((0, 2))


@eqx.filter_jit
def _trajectory(map: Callable[[Any], Any], state: Any, period: int) -> Any:
    return jax.lax.scan(lambda x, _: (map(x), x), jnp.asarray(state), None, length=period)[1]


def _arrivals(
    map: Map, starts: HostStates, stored: HostStates, cycles: Int[np.ndarray, "n p"], limits: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """The least t ≤ the limit with f^t(x) within 1e-6 of its cycle, one a start; the limit where there is none."""
    at_once = int(np.clip(_BYTES // (8 * stored[0].size * cycles.shape[1]), 1, 64))
    steps = []
    with float64():
        exact = cast(map, np.float64)
        for first in range(0, len(starts), at_once):
            index = np.minimum(np.arange(first, first + at_once), len(starts) - 1)
            found = _first_arrival(exact, starts[index], stored[cycles[index]], limits[index].astype(np.int64))
            steps.append(np.asarray(found)[: len(starts) - first])
    return np.concatenate(steps)


@eqx.filter_jit
def _first_arrival(map: Callable[[Any], Any], starts: Any, cycles: Any, limits: Any) -> Any:
    cycles = jnp.asarray(cycles).reshape(*cycles.shape[:2], -1)

    def far(states: Any) -> Any:
        gaps = states.reshape(len(states), 1, -1) - cycles
        return jnp.min(jnp.sum(gaps**2, axis=-1), axis=1) > _ARRIVED**2

    def running(carry: tuple[Any, Any, Any]) -> Any:
        return jnp.any(carry[2])

    def step(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        states, steps, going = carry
        states = jax.vmap(map)(states)
        steps = steps + going
        return states, steps, going & far(states) & (steps < limits)

    states = jnp.asarray(starts)
    steps = jnp.zeros(len(starts), jnp.int64)
    return jax.lax.while_loop(running, step, (states, steps, far(states)))[1]
