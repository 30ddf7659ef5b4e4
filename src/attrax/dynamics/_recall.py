"""Recall: iterate the map of a memory from cues, and say what came back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.status import IterationStatus, RecallStatus
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.dynamics._iterate import iterate
from attrax.dynamics._refine import refine
from attrax.memory import Memory
from attrax.patterns import Patterns

READINGS = ("auto", "literal", "mean_square")
_MEAN_SQUARE_STEP = 1e-17
_MEAN_SQUARE_DISTANCE = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """What came back, one entry a cue.

    **Fields:**

    - `value`: n×frame shape, float64: the limit (one of its states, for a cycle; the last state otherwise); of states
      that hold several frames, the latest.
    - `index`: the example that was recovered, −1 unless the status is `recovered`.
    - `nearest`: the example nearest to the limit, whatever the status.
    - `distance`: Euclidean distance from the limit to it.
    - `num_steps`: applications of the map until the convergence test held.
    - `residual`: ‖f^t(x) − f^{t−1}(x)‖₂ at the last step; infinite where the iteration diverged.
    - `period`: 1 for a fixed point, p for a cycle, 0 where there is neither.
    - `status`: a `RecallStatus` each.
    - `reading`: which of the paper's two readings of its thresholds was used, `literal` or `mean_square`.
    """

    value: HostStates
    index: HostIndices
    nearest: HostIndices
    distance: Float[np.ndarray, " n"]
    num_steps: Int[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    status: tuple[RecallStatus, ...]
    reading: str

    @property
    def recovered(self) -> np.ndarray:
        """n booleans: whether the status is `recovered`."""
        return np.array([status is RecallStatus.RECOVERED for status in self.status], bool)

    @property
    def recovery_rate(self) -> float:
        """Fraction of the cues that were recovered."""
        return float(self.recovered.mean())


def recall(
    memory: Memory,
    cues: HostStates,
    *,
    expected: HostIndices | None = None,
    reading: str = "auto",
    atol: float | None = None,
    recovery_atol: float | None = None,
    max_steps: int = 10_000,
    progress: Progress | None = None,
) -> Recall:
    """Iterates the map of `memory` from each cue until it converges, in float64, and names the example it reached.

    *Literal* reading of the paper's thresholds: converged when ‖f^{k+1}(x) − f^k(x)‖₂ < 1e-8, recovered when the
    limit is within 1e-7 of a stored point. A network left at the paper's stopping loss of 1e-8 has its fixed points
    farther from the examples than that, so there the *mean-square* reading applies: converged when the mean squared
    change is at most 1e-17, recovered when the mean squared distance to the example as it was given is below 1e-7
    and no other example is nearer. `auto` takes the literal one where the stored points are the given ones to
    within 1e-7. A limit is refined by Newton's method where only that can tell whether it is an example.

    **Arguments:**

    - `cues`: n×state shape, real and finite; where a state holds several frames, single frames too, which are repeated.
    - `expected`: the example each cue was made from; reaching another one is then `other_attractor`.
    - `reading`: `auto`, `literal` or `mean_square`.
    - `atol`, `recovery_atol`: Euclidean tolerances that replace those of the reading.
    - `max_steps`: applications of the map at most.

    **Returns:** `Recall`; a row is what it would be alone. **Raises** `ValueError` for cues of a wrong shape or other
    wrong arguments, and where the memory holds no patterns.
    """
    patterns = memory.examples()
    checks.one_of("reading", reading, READINGS)
    cues = patterns.as_states(cues)
    if expected is not None:
        expected = np.asarray(expected)
        wrong = expected.shape != (len(cues),) or expected.dtype.kind not in "iu"
        if wrong or expected.min() < 0 or expected.max() >= len(patterns):
            raise ValueError(
                f"expected must give each of the {len(cues)} cues an index of the {len(patterns)} examples"
            )
    originals = np.asarray(memory.originals, np.float64).reshape(len(patterns), -1)
    points = np.asarray(patterns.points, np.float64).reshape(len(patterns), -1)
    if reading == "auto":
        moved = float(np.linalg.norm(points - originals, axis=1).max())
        reading = "literal" if moved <= 1e-7 else "mean_square"
    size = points.shape[1]
    literal = reading == "literal"
    references = points if literal else originals
    if atol is None:
        atol = 1e-8 if literal else float(np.sqrt(size * _MEAN_SQUARE_STEP))
    if recovery_atol is None:
        recovery_atol = 1e-7 if literal else float(np.sqrt(size * _MEAN_SQUARE_DISTANCE))
    recovery_atol = checks.real("recovery_atol", recovery_atol, above=0)
    ends = iterate(memory.map, cues, max_steps=max_steps, atol=atol, progress=progress)
    value, residual = ends.value.copy(), ends.residual
    nearest, distance = _nearest(value, references)
    for row in np.flatnonzero(ends.status == IterationStatus.CONVERGED):
        # A slow approach stops short of its limit by residual/(1 − λ); a close call is settled by the limit itself.
        if recovery_atol <= distance[row] <= 0.02 * np.sqrt(size):
            exact = refine(memory.map, value[row : row + 1])
            if exact.converged:
                value[row] = exact.points[0]
                nearest[row : row + 1], distance[row : row + 1] = _nearest(value[row : row + 1], references)
    lengths = _cycle_lengths(patterns)
    status, index = [], np.full(len(cues), -1)
    for row, ended in enumerate(ends.status):
        found = int(nearest[row])
        reached = distance[row] < recovery_atol and ends.period[row] == lengths[found]
        if reached and (expected is None or _same_cycle(patterns, found, int(expected[row]))):
            status.append(RecallStatus.RECOVERED)
            index[row] = found
        elif reached:
            status.append(RecallStatus.OTHER_ATTRACTOR)
        elif ended == IterationStatus.CONVERGED:
            status.append(RecallStatus.SPURIOUS)
        else:
            status.append(RecallStatus(str(ended)))
    return Recall(
        patterns.as_frames(value),
        index,
        nearest,
        distance,
        ends.num_steps,
        residual,
        ends.period,
        tuple(status),
        reading,
    )


def _nearest(values: HostStates, references: Float[np.ndarray, "m d"]) -> tuple[HostIndices, Float[np.ndarray, " n"]]:
    """The nearest reference of each value and the exact distance to it."""
    flat = values.reshape(len(values), -1)
    squares = (references**2).sum(axis=1)
    nearest = np.empty(len(flat), int)
    for row, value in enumerate(flat):
        # The expanded square is enough to order by, one row at a time so that the batch makes no difference; the
        # distance itself is taken without cancellation.
        with np.errstate(over="ignore", invalid="ignore"):
            nearest[row] = int(np.argmin(squares - 2 * (references @ value)))
    with np.errstate(over="ignore"):
        return nearest, np.linalg.norm(flat - references[nearest], axis=1)


def _cycle_lengths(patterns: Patterns) -> np.ndarray:
    lengths = np.zeros(len(patterns), int)
    for cycle in patterns.cycles:
        lengths[list(cycle)] = len(cycle)
    return lengths


def _same_cycle(patterns: Patterns, found: int, expected: int) -> bool:
    """Whether following successors leads from the expected point to the one found."""
    index = expected
    for _ in range(len(patterns)):
        if index == found:
            return True
        index = int(patterns.successor[index])
    return False
