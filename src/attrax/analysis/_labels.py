"""Which stored cycle each of very many starts ends in, by the paper's threshold in mean squares."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record
from attrax._base.status import IterationStatus
from attrax.analysis._limits import Runner, cycle_of
from attrax.dynamics import Run, StoredCycles
from attrax.memory import Memory, Thresholds

DIVERGED, NOT_CONVERGED, ELSEWHERE = -1, -2, -3
"""Labels of starts that did not end at a stored cycle."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredEnds(Record):
    """The stored cycles, prepared for comparing ends with them.

    **Fields:** `cycles`; `thresholds`; `places`, coordinates of the images f(x_i), which represent the stored state
    after x_i to within `gaps[i]`.
    """

    cycles: StoredCycles
    thresholds: Thresholds
    places: Float[np.ndarray, "n k"]
    gaps: Float[np.ndarray, " n"]

    @property
    def num(self) -> int:
        """Number of stored cycles."""
        return len(self.cycles.patterns.cycles)


def stored_ends(run: Runner, memory: Memory, at_once: int = 2048) -> StoredEnds:
    """The stored cycles, prepared for `label_ends`; so many of their states are run `at_once`."""
    patterns = memory.examples()
    thresholds = Thresholds.mean_square(int(np.prod(patterns.shape)), patterns.unit)
    cycles = StoredCycles.of(memory, thresholds)
    places, gaps = [], []
    for first in range(0, len(patterns), at_once):
        piece = slice(first, first + at_once)
        z = run.images(np.asarray(patterns.points[piece], np.float64))
        images = run.states(z).reshape(len(z), -1)
        gaps.append(np.linalg.norm(images - cycles.references[patterns.successor[piece]], axis=1))
        places.append(run.isometric(z))
    gap = np.concatenate(gaps)
    return StoredEnds(cycles, thresholds, np.concatenate(places), np.where(np.isfinite(gap), gap, np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class Labeled(Record):
    """Ends with their labels.

    **Fields:** `label`, for each start the index of a stored cycle, or `DIVERGED`, `NOT_CONVERGED`, `ELSEWHERE`; for
    those elsewhere, `rows` and `laps`, the states of one period, p×state shape.
    """

    label: np.ndarray
    rows: np.ndarray
    laps: tuple[np.ndarray, ...]


def label_ends(run: Runner, stored: StoredEnds, ends: Run) -> Labeled:
    """Compares ends with the stored cycles. A cycle matches one of the same period, state by state."""
    cycles = stored.cycles
    label = np.full(len(ends.status), NOT_CONVERGED)
    label[ends.status == IterationStatus.DIVERGED] = DIVERGED
    fixed = np.flatnonzero(ends.status == IterationStatus.CONVERGED)
    near, distance = nearest(run.isometric(ends.z[fixed]), stored.places)
    # The triangle inequality decides most rows without forming the states.
    index = cycles.patterns.successor[near]
    sure = (cycles.length[index] == 1) & (distance + stored.gaps[near] < cycles.recovery)
    label[fixed[sure]] = cycles.cycle[index[sure]]
    rows = np.concatenate([fixed[~sure], np.flatnonzero(ends.status == IterationStatus.CYCLE)])
    kept, laps = [], []
    for row, state in zip(rows.tolist(), run.states(ends.z[rows]) if len(rows) else (), strict=True):
        lap = cycle_of(run, state, int(ends.period[row]))
        match = cycles.match(lap)
        label[row] = match.cycle if match.recovered else ELSEWHERE
        if not match.recovered:
            kept.append(row)
            laps.append(lap)
    return Labeled(label, np.array(kept, int), tuple(laps))


def nearest(values: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest reference of each row and the distance to it, computed without cancellation."""
    if not len(values):
        return np.zeros(0, int), np.zeros(0)
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.argmin((references**2).sum(axis=1) - 2 * values @ references.T, axis=1)
        return near, np.linalg.norm(values - references[near], axis=1)
