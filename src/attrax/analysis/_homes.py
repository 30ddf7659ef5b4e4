"""Which stored example or cycle the ends of very many starts belong to, by the paper's threshold."""

from dataclasses import dataclass

import numpy as np

from attrax._base.status import IterationStatus
from attrax._base.types import HostIndices
from attrax.analysis._limits import Ends, Runner
from attrax.patterns import Patterns

DIVERGED, NOT_CONVERGED, ELSEWHERE = -1, -2, -3
"""Labels of starts that did not come home."""
_MEAN_SQUARE = 1e-7
_MEAN_SQUARE_STEP = 1e-17


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """The stored points as ends are compared with them.

    **Fields:**

    - `points`: flat, float64; `successor`, of each.
    - `places`: coordinates of the images f(x_i), which stand for `points[successor[i]]` to within `gaps[i]`.
    - `owner`: the number of the cycle that each point lies on, `lengths` its length; −1 and 0 on the way of an open
      sequence.
    - `num`: how many cycles there are.
    - `atol`: a distance below this is none, the paper's 1e-7 in mean square; `change`, of a step that ends an
      iteration, 1e-17 in mean square.
    """

    points: np.ndarray
    successor: np.ndarray
    places: np.ndarray
    gaps: np.ndarray
    owner: np.ndarray
    lengths: np.ndarray
    num: int
    atol: float
    change: float

    def first_points(self) -> HostIndices:
        """The least point of each cycle."""
        return np.array([int(np.argmax(self.owner == number)) for number in range(self.num)], int)


def homes_of(run: Runner, patterns: Patterns) -> Homes:
    """What is stored, prepared for `label_ends`."""
    points = np.asarray(patterns.points, np.float64)
    flat = points.reshape(len(points), -1)
    places = run.places(points)
    images = run.images(points).reshape(len(points), -1)
    gaps = np.linalg.norm(images - flat[patterns.successor], axis=1)
    owner, lengths = np.full(len(points), -1), np.zeros(len(points), int)
    for number, cycle in enumerate(patterns.cycles):
        owner[list(cycle)], lengths[list(cycle)] = number, len(cycle)
    size = flat.shape[1]
    return Homes(
        flat,
        patterns.successor,
        places,
        np.where(np.isfinite(gaps), gaps, np.inf),
        owner,
        lengths,
        len(patterns.cycles),
        float(np.sqrt(_MEAN_SQUARE * size)),
        float(np.sqrt(_MEAN_SQUARE_STEP * size)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Ends with their labels.

    **Fields:** `label`, for each start the number of a stored cycle, or `DIVERGED`, `NOT_CONVERGED`, `ELSEWHERE`; and
    of those elsewhere `rows`, the flat `values` (one state of a cycle) and the `period`.
    """

    label: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    period: np.ndarray


def label_ends(run: Runner, homes: Homes, ends: Ends) -> Labelled:
    """Compares ends with what is stored. A cycle is one of the same period."""
    size = homes.points.shape[1]
    label = np.full(len(ends.status), NOT_CONVERGED)
    label[ends.status == IterationStatus.DIVERGED] = DIVERGED
    fixed = np.flatnonzero(ends.status == IterationStatus.CONVERGED)
    near, distance = nearest(run.flat(ends.z[fixed]), homes.places)
    # The triangle inequality settles most rows without forming the states.
    single = homes.lengths[homes.successor[near]] == 1
    sure = single & (distance + homes.gaps[near] < homes.atol)
    label[fixed[sure]] = homes.owner[homes.successor[near[sure]]]
    open_rows = fixed[~sure]
    values = run.states(ends.z[open_rows]).reshape(len(open_rows), size) if len(open_rows) else homes.points[:0]
    odd = np.flatnonzero(ends.status != IterationStatus.CONVERGED)
    turning = ends.status[odd] == IterationStatus.CYCLE
    rows = np.concatenate([open_rows, odd[turning]])
    values = np.concatenate([values, ends.value[turning].reshape(int(turning.sum()), size)])
    period = ends.period[rows]
    near, distance = nearest(values, homes.points)
    at_home = (distance < homes.atol) & (homes.lengths[near] == period)
    label[rows[at_home]] = homes.owner[near[at_home]]
    label[rows[~at_home]] = ELSEWHERE
    return Labelled(label, rows[~at_home], values[~at_home], period[~at_home])


def nearest(values: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest reference of each row and the distance to it, taken without cancellation."""
    if not len(values):
        return np.zeros(0, int), np.zeros(0)
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.argmin((references**2).sum(axis=1) - 2 * values @ references.T, axis=1)
        return near, np.linalg.norm(values - references[near], axis=1)
