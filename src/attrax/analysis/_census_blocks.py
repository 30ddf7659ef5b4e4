"""Processes the starts of a census block by block: which known limit each ends in, and which limits are new."""

from dataclasses import dataclass

import numpy as np

from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.analysis._labels import StoredEnds, label_ends, nearest
from attrax.analysis._limits import Runner, run_to_ends


@dataclass(frozen=True, slots=True, eq=False)
class CensusSoFar(Record):
    """The results so far. Labels number the stored cycles first, then the rows of `states`."""

    states: np.ndarray
    labels: list[np.ndarray]
    steps: list[np.ndarray]
    blocks: int
    periods: tuple[int, ...] = ()


def with_block(found: CensusSoFar, run: Runner, stored: StoredEnds, starts: HostStates, max_steps: int) -> CensusSoFar:
    """The results with one more block."""
    ends = run_to_ends(run, starts, max_steps=max_steps, atol=stored.thresholds.convergence)
    named = label_ends(run, stored, ends)
    label, states, periods = named.label.copy(), found.states, list(found.periods)
    if len(named.rows):
        values = np.stack([_first_of_cycle(lap) for lap in named.laps]).astype(np.float32)
        period = np.array([len(lap) for lap in named.laps])
        numbers, fresh = _numbered(values, period, states, np.array(periods, int), stored.thresholds.recovery)
        label[named.rows] = stored.num + numbers
        states, periods = np.concatenate([states, values[fresh]]), [*periods, *period[fresh].tolist()]
    return CensusSoFar(states, [*found.labels, label], [*found.steps, ends.num_steps], found.blocks + 1, tuple(periods))


def _numbered(
    values: np.ndarray, period: np.ndarray, states: np.ndarray, periods: np.ndarray, atol: float
) -> tuple[np.ndarray, np.ndarray]:
    """The number of the known limit that each row matches, and which rows are new limits."""
    numbers = np.full(len(values), -1)
    for length in np.unique(period):
        rows, alike = np.flatnonzero(period == length), np.flatnonzero(periods == length)
        if len(alike):
            best, gap = nearest(values[rows].astype(np.float64), states[alike].astype(np.float64))
            numbers[rows[gap < atol]] = alike[best[gap < atol]]
    fresh: list[int] = []
    values64 = values.astype(np.float64)
    for row in np.flatnonzero(numbers < 0):
        # New limits of this block are compared one after another; the first of several equal ones gives the number.
        mine = np.array([place for place, other in enumerate(fresh) if period[other] == period[row]], int)
        if len(mine):
            best, gap = nearest(values64[row][None], values64[[fresh[place] for place in mine]])
            if gap[0] < atol:
                numbers[row] = len(states) + mine[best[0]]
                continue
        numbers[row] = len(states) + len(fresh)
        fresh.append(int(row))
    return numbers, np.array(fresh, int)


def _first_of_cycle(cycle: HostStates) -> np.ndarray:
    """One state of a cycle, the same wherever the cycle was entered: the first along a fixed random line."""
    vectors = cycle.reshape(len(cycle), -1)
    return vectors[np.argmin(vectors @ np.random.default_rng(0).standard_normal(vectors.shape[1]))]
