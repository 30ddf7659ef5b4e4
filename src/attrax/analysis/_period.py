"""The period of a recording, measured: after how many states it repeats, from which state on, and on what evidence."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft as scipy_fft
from jaxtyping import Float

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.status import PeriodStatus
from attrax._base.types import HostStates
from attrax.dynamics import trajectory
from attrax.maps import reduced_map
from attrax.memory import Memory, check_memory

# SciPy's type stubs do not describe its transforms correctly.
fourier: Any = scipy_fft
_CANDIDATES = 64
_CONTRAST = 0.1
"""A lag stands out if its mean squared difference is below this fraction of that at both neighboring lags."""
_SAME = 2.0
"""Among the lags that stand out, those within this factor of the smallest difference count as equally good."""
_ENOUGH = 0.4
"""The smallest difference is searched for among lags with at least this fraction of the largest number of pairs."""
_ROUNDING = 1e-13
"""Differences below this fraction of the mean square of the states are rounding."""
_STILL = 1e-2
"""A recording is constant if its states vary in time by less than this fraction of their mean square."""
_EXPLAINED, _SHIFT = 0.5, 1e-3
"""If a shift in time by at least this many states explains more than this fraction of the difference, the period is no
whole number of states."""
_ENTRIES = 2**22  # numbers held at once in a transform


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPeriod(Record):
    """After how many states a recording repeats.

    **Fields:**

    - `period`: in states; 0 if none was found.
    - `start`: the first state from which on it repeats, to the end of the recording; 0 if there is no period.
    - `value`: mean squared difference of states that are a period apart, over those from `start` on; NaN without one.
    - `before`, `after`: the same at the lags one below and one above, over the same states. NaN if there is no such lag
      or no period.
    - `pairs`: number of pairs of states behind this evidence; fewer than `period` if the recording contains less than
      two periods.
    - `typical`: mean squared difference of two states of the whole recording.
    - `differences`: mean squared difference at the lags 0, 1, …, `max_lag`, over the whole recording.
    - `max_lag`: the largest lag examined.
    - `num_states`; `step`, seconds from one state to the next, `None` if unknown.
    - `status`: the `PeriodStatus`.
    - `near_return`: the lag after which states nearly return, but shifted in time, if the period is no whole number of
      states; else 0.
    """

    period: int
    start: int
    value: float
    before: float
    after: float
    pairs: int
    typical: float
    differences: Float[np.ndarray, " lags"]
    max_lag: int
    num_states: int
    step: float | None
    status: PeriodStatus
    near_return: int = 0

    @property
    def seconds(self) -> float | None:
        """The period in seconds; `None` if the step or the period is unknown."""
        return None if self.step is None or not self.period else self.period * self.step


def lag_differences(states: HostStates, max_lag: int) -> Float[np.ndarray, " lags"]:
    """The mean squared difference of the states that are L apart, for L = 0 … `max_lag`, by one FFT over time.

    D(L) = mean over t and entries of (x_{t+L} − x_t)² = [Σ|x_{t+L}|² + Σ|x_t|² − 2Σx_{t+L}·x_t]/((T − L)·d).

    **Arguments:** `states`, T×state shape; `max_lag`, below T. **Returns** `max_lag` + 1 numbers, the first one 0.
    **Raises** `ValueError` for a wrong `max_lag`.

        >>> lag_differences(np.array([[0.0], [1.0], [0.0], [1.0]]), 2).round(12).tolist()
        [0.0, 1.0, 0.0]
    """
    vectors = np.asarray(states).reshape(len(states), -1)
    total, size = vectors.shape
    max_lag = checks.integer("max_lag", max_lag, most=total - 1)
    length = fourier.next_fast_len(total + max_lag, real=True)
    products, squares = np.zeros(max_lag + 1), np.zeros(total)
    width = max(1, _ENTRIES // length)
    for begin in range(0, size, width):
        # Subtracting the mean over time, which cancels in every difference, reduces rounding errors.
        part = vectors[:, begin : begin + width].astype(np.float64)
        part -= part.mean(axis=0)
        power = np.abs(fourier.rfft(part, length, axis=0)) ** 2
        products += fourier.irfft(power.sum(axis=1), length)[: max_lag + 1]
        squares += (part**2).sum(axis=1)
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    lags = np.arange(max_lag + 1)
    both = (sums[total] - sums[lags]) + sums[total - lags]
    found = np.maximum(both - 2 * products, 0.0) / ((total - lags) * size)
    found[0] = 0.0
    return found


def measured_period(states: HostStates, *, step: float | None = None, max_lag: int | None = None) -> MeasuredPeriod:
    """The least number of states after which a recording repeats, to within its own noise, from some state on.

    1. The mean squared difference at each lag (`lag_differences`), of the whole recording, its last three quarters and
       its last half, so that a beginning that does not repeat hides nothing. The dips are the candidates.
    2. At each candidate the differences are examined over time: over the last half of the pairs they must be below a
       tenth of those at both neighboring lags. The recording repeats from the state after the last pair whose
       difference exceeds the geometric mean of the two levels; at least a quarter of a period and three pairs must be
       left.
    3. Of the lags that remain, multiples of the period are as good as the period itself. The result is the least one
       within twice the smallest difference, so that two nearly equal halves do not count as two periods if they differ
       by more than noise.
    4. If the states that are this lag apart differ by a shift in time, as in a rotation by 1/16.18 of a turn, the
       period is no whole number of states. Then there is no period, and the lag is only a near return.

    A recording whose states stay within a hundredth of their mean square, at all lags alike, is constant.

    **Arguments:** `states`, T×state shape, real and finite; `step`, seconds from a state to the next; `max_lag`, by
    default four fifths of T. **Returns** `MeasuredPeriod`. **Raises** `ValueError` for wrong arguments.

        >>> walk = np.random.default_rng(0).random((5, 8))
        >>> found = measured_period(np.concatenate([walk[:2] + 1, walk, walk, walk]))
        >>> found.period, found.start, str(found.status)
        (5, 2, 'periodic')
    """
    vectors = _vectors(states)
    step = None if step is None else checks.real("step", step, above=0)
    total = len(vectors)
    most = (4 * total) // 5
    if max_lag is not None:
        most = checks.integer("max_lag", max_lag, least=1, most=max(total - 1, 1))
    if total < 4:
        return _none(np.zeros(1), 0.0, most, total, step, PeriodStatus.TOO_SHORT)
    differences = lag_differences(vectors, min(most + 1, total - 1))
    typical = 2 * float(vectors.var(axis=0, dtype=np.float64).mean())
    square = float(np.mean(vectors**2, dtype=np.float64))
    scale = float(vectors.var(dtype=np.float64)) or square
    floor = _ROUNDING * square
    shown = differences[: most + 1]
    still = _still(vectors, scale, floor, typical, shown, step)
    if still is not None:
        return still
    looked = {lag: _looked_at(vectors, lag, floor) for lag in _dips(vectors, differences, most)}
    found = [one for one in looked.values() if one is not None]
    if found:
        # The multiples of a period stand out too, perhaps so many that the period itself is not among the candidates.
        best = min(found, key=lambda one: one.value).lag
        more = [lag for lag in range(2, best) if best % lag == 0 and lag not in looked]
        found += [one for one in (_looked_at(vectors, lag, floor) for lag in more) if one is not None]
    if not found:
        return _none(shown, typical, most, total, step, PeriodStatus.NO_PERIOD)
    # A mean over few pairs may be small by chance.
    many = _ENOUGH * max(one.pairs for one in found)
    least = min(one.value for one in found if one.pairs >= many)
    one = min((one for one in found if one.value <= _SAME * least + floor), key=lambda one: one.lag)
    if one.value > floor and _moves_on(vectors, one):
        found = _none(shown, typical, most, total, step, PeriodStatus.NO_PERIOD)
        return replace(found, near_return=one.lag)
    return MeasuredPeriod(
        one.lag,
        one.start,
        one.value,
        one.before,
        one.after,
        one.pairs,
        typical,
        shown,
        most,
        total,
        step,
        PeriodStatus.PERIODIC,
    )


@dataclass(frozen=True, slots=True)
class _Repeat:
    """A lag after which the recording repeats, with its evidence as in `MeasuredPeriod`."""

    lag: int
    start: int
    value: float
    before: float
    after: float
    pairs: int


def _moves_on(vectors: np.ndarray, one: _Repeat) -> bool:
    """Whether the states a lag later are those before at another time: x_{t+L} − x_t is a multiple of the velocity."""
    times = np.arange(one.start, one.start + one.pairs)
    later = times + one.lag
    gap = vectors[later].astype(np.float64) - vectors[times]
    velocity = 0.5 * (vectors[later + 1].astype(np.float64) - vectors[later - 1])
    moved, length = float(np.sum(gap * velocity)), float(np.sum(velocity**2))
    if length == 0:
        return False
    return abs(moved / length) >= _SHIFT and moved**2 / length > _EXPLAINED * float(np.sum(gap**2))


def _vectors(states: HostStates) -> np.ndarray:
    states = np.asarray(states)
    if states.ndim < 1 or states.dtype.kind not in "fiub" or not states.size or not np.isfinite(states).all():
        raise ValueError(
            f"states must be finite real numbers, one state per row; got {states.dtype} of shape {states.shape}"
        )
    vectors = states.reshape(len(states), -1)
    return vectors if vectors.dtype in (np.float32, np.float64) else vectors.astype(np.float64)


def _none(
    differences: np.ndarray, typical: float, most: int, total: int, step: float | None, status: PeriodStatus
) -> MeasuredPeriod:
    nan = float("nan")
    return MeasuredPeriod(0, 0, nan, nan, nan, 0, typical, differences, most, total, step, status)


def _dips(vectors: np.ndarray, differences: np.ndarray, most: int) -> list[int]:
    """Lags of at least 2 at which the difference is below that of both neighbors, those that stand out most first."""
    ranked: dict[int, float] = {}
    for part in (0, len(vectors) // 4, len(vectors) // 2):
        count = len(vectors) - part
        found = differences if part == 0 else lag_differences(vectors[part:], min(len(differences), count) - 1)
        if len(found) < 4:
            continue
        lags = np.arange(2, min(most, len(found) - 2) + 1)
        neighbors = np.minimum(found[lags - 1], found[lags + 1])
        for lag, here, beside in zip(lags, found[lags], neighbors, strict=True):
            if here < beside:
                ranked[int(lag)] = min(ranked.get(int(lag), np.inf), float(here / beside))
    return sorted(ranked, key=lambda lag: (ranked[lag], lag))[:_CANDIDATES]


def _differences(vectors: np.ndarray, lag: int) -> np.ndarray:
    """At each state the mean squared difference from the one `lag` later."""
    return np.asarray(np.mean((vectors[lag:] - vectors[: len(vectors) - lag]) ** 2, axis=1, dtype=np.float64))


def _looked_at(vectors: np.ndarray, lag: int, floor: float) -> _Repeat | None:
    """The evidence that the recording repeats after `lag`; `None` if it does not."""
    pairs = len(vectors) - lag - 1  # the next lag has one pair less
    least = max(3, math.ceil(lag / 4))
    if pairs < least:
        return None
    here, before, after = (_differences(vectors, one)[:pairs] for one in (lag, lag - 1, lag + 1))
    last = slice(pairs // 2, None)
    noise, level = float(here[last].mean()), float(min(before[last].mean(), after[last].mean()))
    if not noise <= _CONTRAST * level or level <= floor:
        return None
    over = np.flatnonzero(here > math.sqrt(max(noise, floor) * level))
    start = int(over[-1]) + 1 if len(over) else 0
    if pairs - start < least:
        return None
    kept = slice(start, None)
    values = [float(part[kept].mean()) for part in (here, before, after)]
    if not values[0] <= _CONTRAST * min(values[1:]):
        return None
    return _Repeat(lag, start, values[0], values[1], values[2], pairs - start)


def _still(
    vectors: np.ndarray, scale: float, floor: float, typical: float, differences: np.ndarray, step: float | None
) -> MeasuredPeriod | None:
    """The record for a recording that is constant from some state on to its end; `None` if it is not."""
    half = vectors[len(vectors) // 2 :]
    across = lag_differences(half, len(half) - 1)[1:]
    # The longest lags have too few pairs for a mean.
    across = across[: max(1, len(across) // 2)]
    if len(across) < 3 and across.max() > floor:
        return None  # a slow film looks still over few states
    if across.max() > max(3 * across.min(), floor) or across.max() > max(2 * _STILL * scale, floor):
        return None
    mean = half.mean(axis=0)
    away = np.mean((vectors - mean) ** 2, axis=1)
    over = np.flatnonzero(away > max(4 * float(away[len(vectors) // 2 :].max()), floor))
    start = int(over[-1]) + 1 if len(over) else 0
    tail = vectors[start:]
    value, after = (float(_differences(tail, lag).mean()) for lag in (1, 2))
    return MeasuredPeriod(
        1,
        start,
        value,
        float("nan"),
        after,
        len(tail) - 1,
        typical,
        differences,
        len(differences) - 1,
        len(vectors),
        step,
        PeriodStatus.CONSTANT,
    )


def iterated(memory: Memory, start: HostStates, steps: int) -> HostStates:
    """The states that a memory visits: the start, then `steps` applications of its map, in float64, as frames.

    **Arguments:** `memory` with its patterns; `start`, 1×state shape, or a single frame if a state holds several;
    `steps`, at least 1. **Returns** (`steps` + 1)×frame shape, fewer if the map diverges. **Raises** `ValueError` for
    wrong arguments.

        >>> from attrax import Memory, Patterns
        >>> memory = Memory(lambda x: -x, Patterns.from_cycles([np.array([[1.0], [-1.0]])]))
        >>> iterated(memory, np.array([[1.0]]), 3).ravel().tolist()
        [1.0, -1.0, 1.0, -1.0]
    """
    check_memory(memory)
    steps = checks.integer("steps", steps, least=1)
    patterns = memory.examples()
    start = np.asarray(patterns.as_states(start), np.float64)
    if len(start) != 1:
        raise ValueError(f"start must be one state; got {len(start)}")
    refuse_beyond_memory(f"{mention('steps')}: {steps:,} states", 3 * 8 * steps * start.size, "take fewer")
    with float64():
        reduced = reduced_map(memory.map, patterns.shape)
    return patterns.as_frames(np.concatenate([start, trajectory(reduced, start, steps)[0]]))
