"""Basins of attraction on a plane: where each start ends, after how many steps, and its nearest stored point."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from attrax._base import checks
from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record
from attrax._base.status import Verdict
from attrax._base.types import HostStates, Map, Progress
from attrax.analysis._basin_grid import OUTCOMES, BasinGrid, refine_cells, spaced
from attrax.analysis._plane import Plane, check_extent, extent_of, plane_of
from attrax.certificates import certify
from attrax.memory import Certificate, Memory, check_memory
from attrax.patterns import Patterns


@dataclass(frozen=True, slots=True, eq=False)
class Other(Record):
    """A spurious fixed point or cycle: one that matches no stored example or cycle.

    **Fields:**

    - `points`: p×state shape, in order, refined if Newton's method finds the cycle.
    - `coordinates`: p×2, their projections on the plane.
    - `verdict`, `spectral_radius`: as in `Certificate`.
    """

    points: HostStates
    coordinates: Float[np.ndarray, "p 2"]
    verdict: Verdict
    spectral_radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Basins(Record):
    """Basins of attraction on a grid over a plane. Row 0 is the lowest; a grid point is the center of a pixel.

    **Fields:**

    - `plane`; `extent`: left, right, bottom, top in its coordinates.
    - `label`: the stored cycle that the start ends in, numbered as in `Patterns.cycles` (an example is a cycle of
      length one); −1 where it ends elsewhere.
    - `phase`: the position in that cycle that the start is in phase with: after t steps, the state is near the point t
      positions further. 0 for fixed points, −1 if there is no label.
    - `other`: the index in `others` of the spurious limit; −1 where there is none.
    - `outcome`: an index in `OUTCOMES`.
    - `num_steps`: if the start has a label, the number of steps until it reaches its cycle and follows it, by the
      threshold of `recall`; otherwise the number of applications of the map. It is interpolated for points that were
      not evaluated.
    - `evaluated`: whether the map was iterated from the point; the others were filled in between equal corners.
    - `nearest`: the stored cycle with the nearest point (points as given), which defines the Voronoi cells.
    - `cycles`: the indices of the points of each cycle; `points`: n×2, all stored points projected; `distances`: the
      distance of each from the plane.
    - `certified`: for each cycle, whether it is a certified attractor; `None` without a certificate.
    - `others`: up to 32 spurious limits that were reached; `others_complete`: whether these are all.
    - `arrows_at`, `arrows`: a×2, points on the plane and the projection of f(x) − x there; empty if none were
      requested.
    - `num_evaluations`: number of starts that were iterated from.
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
        """The fraction of the grid points that were iterated from; the rest is what refining at the boundaries
        saves."""
        return self.num_evaluations / self.label.size

    @property
    def labeled_fraction(self) -> float:
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

    At first, only every `coarse`-th point is iterated from, and the pixels of the stored points and of the limits
    found. A grid cell whose corners agree is filled. One whose corners disagree, or that contains a known point with
    another answer, is divided into four, until no such cell is left. A feature that lies within one cell of the coarse
    grid and contains no attractor can be missed; `coarse=1` iterates from every point.

    **Arguments:**

    - `memory`: with patterns; its map is any callable written with JAX.
    - `plane`: a `Plane`, or the indices of three stored points; by default, the plane itself for states with two
      entries, otherwise the plane through the first three points.
    - `extent`: left, right, bottom and top in coordinates of the plane; by default a box around its points.
    - `resolution`: grid points along the longer side. Pixels are squares.
    - `coarse`: spacing of the first points, in pixels.
    - `arrows`: number of arrows of f(x) − x along the longer side; 0 for none.
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
    check_memory(memory)
    patterns = memory.examples()
    resolution = checks.integer("resolution", resolution, least=2, most=4096)
    coarse = checks.integer("coarse", coarse, least=1)
    arrows = checks.integer("arrows", arrows, most=200)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    plane = plane if isinstance(plane, Plane) else plane_of(memory, plane)
    if plane.origin.shape != patterns.shape or plane.axes.shape != (2, *patterns.shape):
        raise ValueError(f"plane must lie among states of shape {patterns.shape}; got {plane.origin.shape}")
    if not np.allclose((rows := plane.axes.reshape(2, -1)) @ rows.T, np.eye(2), atol=1e-6):
        raise ValueError("plane must have orthonormal axes; orthonormalize them, for example by np.linalg.qr")
    stored = np.asarray(patterns.points, np.float64)
    frame = extent_of(plane, stored) if extent is None else check_extent(extent)
    pixel = max(frame[1] - frame[0], frame[3] - frame[2]) / resolution
    shape = tuple(max(2, round((high - low) / pixel)) for low, high in ((frame[2], frame[3]), (frame[0], frame[1])))
    x, y = _centers(frame, shape)

    points, distances = plane.project(stored)
    grid = BasinGrid(memory, plane, x, y, max_steps, reading, progress)
    grid.evaluate([(row, column) for row in spaced(shape[0], coarse) for column in spaced(shape[1], coarse)])
    # A basin smaller than a grid cell is detected by the attractor in it.
    inside = distances <= pixel
    grid.evaluate(grid.pixels_of(points[inside]))
    refine_cells(grid, coarse)
    met: list[int] = []
    while fresh := [index for index in range(len(grid.limits)) if index not in met]:
        met += fresh
        for index in fresh:
            at, away = plane.project(grid.limits[index])
            grid.evaluate(grid.pixels_of(at[away <= pixel]))
        refine_cells(grid, coarse)

    originals = np.asarray(memory.originals)
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


def _certified(memory: Memory) -> np.ndarray | None:
    if memory.certificate is None:
        return None
    return np.array([verdict is Verdict.ATTRACTOR for verdict in memory.certificate.verdict], bool)


def _others(
    map: Map, plane: Plane, limits: list[HostStates], periods: list[int]
) -> tuple[tuple[Other, ...], Int[np.ndarray, " k"]]:
    """The limits in a canonical order, with verdicts, and the mapping from old to new numbers (−1 stays −1)."""
    # Sorted by period and position, not by the order of discovery; a cycle begins at its least point.
    turned = [
        np.roll(points, -min(range(len(points)), key=lambda i: points[i].ravel().tolist()), axis=0) for points in limits
    ]
    order = sorted(range(len(limits)), key=lambda i: (periods[i], turned[i][0].ravel().tolist()))
    number_of = np.full(len(limits) + 1, -1)
    number_of[order] = np.arange(len(limits))
    found = []
    for index in order:
        points, certificate = _certified_lap(map, turned[index])
        coordinates, _ = plane.project(points)
        found.append(Other(points, coordinates, certificate.verdict[0], float(certificate.spectral_radius[0])))
    return tuple(found), number_of


def _certified_lap(map: Map, points: HostStates) -> tuple[HostStates, Certificate]:
    """A limit cycle and its certificate, once round: up to rounding a lap may be a shorter cycle several times over."""
    # Not `from_cycles`, which refuses a state that comes twice.
    certificate = certify(Memory(map, Patterns(points, (np.arange(len(points)) + 1) % len(points))))
    period = int(certificate.period[0])
    return _certified_lap(map, points[:period]) if 0 < period < len(points) else (points, certificate)


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


def _displacements(map: Map, plane: Plane, at: np.ndarray) -> np.ndarray:
    moves = []
    for place in range(0, len(at), 64):  # a picture's states are large, its arrows are not
        states = plane.states(at[place : place + 64])
        with float64():
            moved = apply_rows(cast(map, np.float64), states) - states
        moves.append(moved.reshape(len(moved), -1) @ plane.axes.reshape(2, -1).T)
    return np.concatenate(moves) if moves else np.zeros((0, 2))
