"""Processes the starts of a census block by block: which known limit each ends in, and which limits are new."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import numpy as np

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.cluster import in_order, packed, unpacked
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.analysis._labels import StoredEnds, label_ends, nearest
from attrax.analysis._limits import SIZES, Runner, run_to_ends
from attrax.dynamics import Run
from attrax.memory import Memory

BLOCK = 2000
"""Starts that are drawn at once; of a census, their number and the seed decide what is drawn."""
_COPIES, _DISTANCES, _ACTIVITIES = 24, 3, 4
"""Numbers of 64 bits that are held of each start that is run: for each entry of a state, for each stored state, and for
each unit of the widest layer."""
_DRAWN = 6
"""Numbers of 32 bits that are held of each entry of the starts of a block."""


@dataclass(frozen=True, slots=True, eq=False)
class CensusSoFar(Record):
    """The results so far. Labels number the stored cycles first, then the rows of `states`."""

    states: np.ndarray
    labels: list[np.ndarray]
    steps: list[np.ndarray]
    blocks: int
    periods: tuple[int, ...] = ()


def starts_within(limit: int | None, memory: Memory) -> int:
    """How many starts may be run at once within `limit` bytes. **Raises** `ValueError` if too few may."""
    if limit is None:
        return BLOCK
    limit = checks.integer("memory_limit", limit, least=1)
    examples = memory.examples()
    size, arrays = math.prod(examples.shape), filter(eqx.is_array, jax.tree.leaves(memory.map))
    widest = max((max(array.shape, default=1) for array in arrays), default=1)
    drawn = 4 * _DRAWN * BLOCK * size
    each = 8 * (_COPIES * size + _DISTANCES * len(examples) + _ACTIVITIES * widest)
    rows = (limit - drawn) // each
    if rows < SIZES[-1]:
        raise ArgumentError(
            f"{mention('memory_limit')} must be at least {math.ceil((drawn + SIZES[-1] * each) / 1e6)} MB, which "
            f"{SIZES[-1]} starts of {size:,} entries take; got {limit:,} bytes"
        )
    # A number of rows that is not one of the sizes is padded to the next one.
    return min(BLOCK, rows // SIZES[0] * SIZES[0] or next(count for count in SIZES if count <= rows))


def ends_of_blocks(
    blocks: Iterable[HostStates], run: Runner, max_steps: int, atol: float, at_once: int, dask: str | None
) -> Iterator[list[Run]]:
    """Where the starts of each block end, of which so many are run `at_once`; by the workers of a cluster if `dask` is
    the address of its scheduler."""
    rest = (max_steps, atol, at_once)
    if dask is not None:
        return in_order(_ends_elsewhere, blocks, dask, packed(run), *rest)
    return (_ends(starts, run, *rest) for starts in blocks)


def _ends(starts: HostStates, run: Runner, max_steps: int, atol: float, at_once: int) -> list[Run]:
    pieces = (starts[first : first + at_once] for first in range(0, len(starts), at_once))
    return [run_to_ends(run, piece, max_steps=max_steps, atol=atol) for piece in pieces]


def _ends_elsewhere(starts: HostStates, run: Runner, *rest: Any) -> list[Run]:
    return _ends(starts, unpacked(run), *rest)


def with_block(found: CensusSoFar, run: Runner, stored: StoredEnds, ends: Sequence[Run]) -> CensusSoFar:
    """The results with one more block."""
    for piece in ends:
        found = _with_ends(found, run, stored, piece)
    return replace(found, blocks=found.blocks + 1)


def _with_ends(found: CensusSoFar, run: Runner, stored: StoredEnds, ends: Run) -> CensusSoFar:
    named = label_ends(run, stored, ends)
    label, states, periods = named.label.copy(), found.states, list(found.periods)
    if len(named.rows):
        values = np.stack([_first_of_cycle(lap) for lap in named.laps]).astype(np.float32)
        period = np.array([len(lap) for lap in named.laps])
        numbers, fresh = _numbered(values, period, states, np.array(periods, int), stored.thresholds.recovery)
        label[named.rows] = stored.num + numbers
        states, periods = np.concatenate([states, values[fresh]]), [*periods, *period[fresh].tolist()]
    return CensusSoFar(states, [*found.labels, label], [*found.steps, ends.num_steps], found.blocks, tuple(periods))


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
