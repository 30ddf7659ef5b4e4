"""Recall of sequences: the whole way from a cue to the cycle it falls into, and what was measured on it."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.numerics import float64, squared_distances
from attrax._base.status import RecallStatus
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.maps import ReducedMap, reduced_map
from attrax.memory import STRAYED, Memory
from attrax.patterns import Patterns

_BLOCK = 64
_BOUND = 1e12
_ROUNDING = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True, eq=False)
class SequenceRecall:
    """What came back, one entry a cue.

    **Fields:**

    - `cycle`: the stored cycle that the cue fell into, a position in `Patterns.cycles`; −1 unless `recovered`.
    - `index`: the stored state it met at step `transient`, and followed from there on; −1 unless `recovered`.
    - `phase`: the place of that state in its sequence, counted from the first: on a cycle in the order of
      `Patterns.cycles`, on the way of an open sequence in that of `Patterns.ways`; −1 unless `recovered`.
    - `transient`: applications of the map before the stored sequence begins. Where nothing stored was met, those before
      the states settle to within the tolerance, or all of them.
    - `period`: as measured: 1 for a fixed point, p for a cycle, 0 where there is neither.
    - `psnr`: for each cue the peak signal-to-noise ratio, in decibels, of each frame from `transient` on, once through
      what is left of an open sequence and once round the cycle: against the frame it should be where the cycle is a
      stored one, else against the nearest. The peak is 1 for values in [0, 1], otherwise their range; rounding limits
      the ratio to 313. Empty where there is no period.
    - `frames`: for each cue all frames in order, the cue first, float64: the transient, then what `psnr` speaks of, the
      cycle as often as was asked for.
    - `status`: a `RecallStatus` each.
    """

    cycle: HostIndices
    index: HostIndices
    phase: Int[np.ndarray, " n"]
    transient: Int[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    psnr: tuple[Float[np.ndarray, " p"], ...]
    frames: tuple[HostStates, ...]
    status: tuple[RecallStatus, ...]

    @property
    def recovered(self) -> np.ndarray:
        """n booleans: whether the status is `recovered`."""
        return np.array([status is RecallStatus.RECOVERED for status in self.status], bool)

    @property
    def psnr_min(self) -> Float[np.ndarray, " n"]:
        """The worst frame of each cue; NaN where there is no period."""
        return np.array([row.min() if len(row) else np.nan for row in self.psnr])

    @property
    def psnr_median(self) -> Float[np.ndarray, " n"]:
        """The median frame of each cue; NaN where there is no period."""
        return np.array([np.median(row) if len(row) else np.nan for row in self.psnr])


def recall_sequence(
    memory: Memory,
    cues: HostStates,
    *,
    cycles: int = 1,
    expected: HostIndices | None = None,
    atol: float | None = None,
    recovery_atol: float | None = None,
    max_steps: int = 4096,
    progress: Progress | None = None,
) -> SequenceRecall:
    """Iterates the map of `memory` from each cue until the states repeat, in float64, and compares with what is stored.

    The period is found by Brent's algorithm. A cue is *recovered* when the states of one period match those of a stored
    cycle of that length in order, each nearer than `recovery_atol` to the state as it was given. From there the way is
    followed back while each state matches one that goes to the next: what lies before is the transient.

    **Arguments:**

    - `cues`: n×state shape; where a state holds several frames, single frames too, which are repeated.
    - `cycles`: how often the frames go round the cycle.
    - `expected`: for each cue an index of a stored state; ending in another cycle than it does is `other_attractor`.
    - `atol`: two states are the same below this distance; √d·10^−8.5 by default (the paper's mean squares).
    - `recovery_atol`: Euclidean distance; √(d·1e-7) by default.
    - `max_steps`: applications of the map at most. All coordinates of the way are kept while it is looked at.

    **Returns:** `SequenceRecall`; a row is what it would be alone. **Raises** `ValueError` for a wrong argument, and
    where the memory holds no patterns.

    Source: the criterion for sequences follows Radhakrishnan, Belkin and Uhler (2020); R. P. Brent, "An improved Monte
    Carlo factorization algorithm", BIT 20 (1980).

        >>> import attrax as ax
        >>> film = np.eye(3)
        >>> network = ax.training.pseudoinverse(film, np.roll(film, -1, axis=0))
        >>> memory = ax.Memory(network, ax.Patterns.from_cycles([film]))
        >>> found = recall_sequence(memory, film[1:2] + 0.05)
        >>> int(found.period[0]), int(found.phase[0]), int(found.transient[0])
        (3, 2, 1)
    """
    patterns = memory.examples()
    cues = np.asarray(patterns.as_states(cues))
    if cues.dtype.kind not in "fiub" or not np.isfinite(cues).all():
        raise ValueError("cues must be finite real numbers; got NaN, an infinity or another type")
    cycles = checks.integer("cycles", cycles, least=1)
    max_steps = checks.integer("max_steps", max_steps, least=2)
    size = int(np.prod(patterns.shape))
    atol = float(np.sqrt(size * 1e-17)) if atol is None else checks.real("atol", atol, above=0)
    near = (
        float(np.sqrt(size * STRAYED))
        if recovery_atol is None
        else checks.real("recovery_atol", recovery_atol, above=0)
    )
    if expected is not None:
        expected = np.asarray(expected)
        if (
            expected.shape != (len(cues),)
            or expected.dtype.kind not in "iu"
            or not ((expected >= 0) & (expected < len(patterns))).all()
        ):
            raise ValueError(f"expected must give each of the {len(cues)} cues an index of the {len(patterns)} states")
    originals = np.asarray(memory.originals, np.float64).reshape(len(patterns), -1)
    stored = _Stored(patterns, originals, near)
    with float64():
        way = reduced_map(memory.map, patterns.shape)
    rows = []
    for number, cue in enumerate(cues.astype(np.float64)):
        rows.append(_recall_one(way, stored, cue, cycles, atol, max_steps))
        if expected is not None and rows[-1].status is RecallStatus.RECOVERED:
            rows[-1] = _held_to(rows[-1], patterns, int(expected[number]))
        if progress is not None:
            progress("recalling", number + 1, len(cues), {"steps": len(rows[-1].frames)})
    return SequenceRecall(
        cycle=np.array([row.cycle for row in rows]),
        index=np.array([row.index for row in rows]),
        phase=np.array([row.phase for row in rows]),
        transient=np.array([row.transient for row in rows]),
        period=np.array([row.period for row in rows]),
        psnr=tuple(row.psnr for row in rows),
        frames=tuple(patterns.as_frames(row.frames) for row in rows),
        status=tuple(row.status for row in rows),
    )


def phase_errors(memory: Memory, found: SequenceRecall, row: int = 0) -> Float[np.ndarray, " t"]:
    """How far each frame of a way is from being on time, as a fraction of the cycle.

    A frame's place is that of the stored frame nearest to it; on time is the place that leads, one a step, to the phase
    at which the way meets the stored cycle. Their distance round the cycle lies between 0 and ½.

    **Arguments:** `found`, as `recall_sequence` gives it for `memory`; `row`, which of its cues.

    **Returns:** as many numbers as there are frames; NaN throughout where no stored cycle was met.

        >>> import attrax as ax
        >>> film = np.eye(4)
        >>> network = ax.training.pseudoinverse(film, np.roll(film, -1, axis=0))
        >>> memory = ax.Memory(network, ax.Patterns.from_cycles([film]))
        >>> phase_errors(memory, recall_sequence(memory, film[2:3])).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    frames = np.asarray(found.frames[row], np.float64)
    if found.cycle[row] < 0:
        return np.full(len(frames), np.nan)
    patterns = memory.examples()
    cycle = list(patterns.cycles[int(found.cycle[row])])
    shown = patterns.as_frames(np.asarray(memory.originals, np.float64)[cycle]).reshape(len(cycle), -1)
    middle = shown.mean(axis=0)
    nearest = squared_distances(frames.reshape(len(frames), -1) - middle, shown - middle).argmin(axis=1)
    steps = np.arange(len(frames)) - int(found.transient[row])
    index = int(found.index[row])
    begin = int(found.phase[row])
    if index not in cycle:  # on the way of an open sequence: it enters its cycle later
        while index not in cycle:
            index, steps = int(patterns.successor[index]), steps - 1
        begin = cycle.index(index)
    apart = np.abs(nearest - (begin + steps)) % len(cycle)
    return np.minimum(apart, len(cycle) - apart) / len(cycle)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    cycle: int
    index: int
    phase: int
    transient: int
    period: int
    psnr: np.ndarray
    frames: np.ndarray
    status: RecallStatus


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """What states are compared with: flat originals, and the distance below which one matches."""

    patterns: Patterns
    originals: Float[np.ndarray, "n d"]
    near: float

    def distances(self, states: Float[np.ndarray, "t d"]) -> Float[np.ndarray, "t n"]:
        """Euclidean distances by products, which lose what is below 1e-8 of a state, to find out which one is meant."""
        middle = self.originals.mean(axis=0)
        return np.sqrt(squared_distances(states - middle, self.originals - middle))

    def aligned(self, states: Float[np.ndarray, "p d"]) -> tuple[int, list[int], float]:
        """The stored cycle of this length and its rotation that these states match best; the largest distance."""
        best: tuple[int, list[int], float] = (-1, [], np.inf)
        apart: np.ndarray | None = None
        for number, cycle in enumerate(self.patterns.cycles):
            if len(cycle) != len(states):
                continue
            apart = self.distances(states) if apart is None else apart
            for turn in range(len(cycle)):
                order = list(cycle[turn:] + cycle[:turn])
                largest = float(apart[np.arange(len(order)), order].max())
                if largest < best[2]:
                    best = (number, order, largest)
        number, order, _ = best
        if order:
            best = (number, order, float(np.linalg.norm(states - self.originals[order], axis=1).max()))
        return best

    def psnr(self, states: Float[np.ndarray, "t d"], indices: list[int]) -> Float[np.ndarray, " t"]:
        """Of each state's latest frame against that of the state it should be, in decibels."""
        patterns = self.patterns

        def latest(flat: np.ndarray) -> np.ndarray:
            return patterns.as_frames(flat.reshape(-1, *patterns.shape)).reshape(len(flat), -1)

        low, high = float(self.originals.min()), float(self.originals.max())
        peak = 1.0 if low >= 0 and high <= 1 else high - low
        error = np.mean((latest(states) - latest(self.originals[indices])) ** 2, axis=1)
        return 10 * np.log10(peak**2 / np.maximum(error, (peak * _ROUNDING) ** 2))


class _Run:
    """The way from one cue in the coordinates of an `ReducedMap`, as far as it was needed."""

    def __init__(self, way: ReducedMap, cue: np.ndarray, count: int) -> None:
        self.way, self.cue = way, cue
        with float64():
            self.coordinates = [np.asarray(_first(way, cue))]
        self.factor = None if way.norm_factor is None else np.asarray(way.norm_factor)
        self.extend(count)

    def extend(self, count: int) -> None:
        """Goes on until there are at least `count` states after the cue."""
        while len(self.coordinates) < count:
            with float64():
                self.coordinates += list(np.asarray(_advance(self.way, self.coordinates[-1])))

    def apart(self, step: int, other: int) -> float:
        """The Euclidean distance of the states at two steps after the cue, by their coordinates."""
        difference = self.coordinates[step - 1] - self.coordinates[other - 1]
        return float(np.linalg.norm(difference if self.factor is None else self.factor @ difference))

    def states(self, start: int, stop: int) -> Float[np.ndarray, "t d"]:
        """The flat states at the steps from `start` to before `stop`; the cue is step 0."""
        begin = [self.cue.reshape(1, -1)] if start == 0 else []
        rows = self.coordinates[max(start, 1) - 1 : stop - 1]
        for block in range(0, len(rows), _BLOCK):
            piece = np.stack(rows[block : block + _BLOCK])
            # Of one size always, so that it is compiled once.
            padded = np.concatenate([piece, np.repeat(piece[-1:], _BLOCK - len(piece), axis=0)])
            with float64():
                begin.append(np.asarray(_leave(self.way, padded))[: len(piece)].reshape(len(piece), -1))
        return np.concatenate(begin)

    def settled(self, atol: float, max_steps: int) -> tuple[int, int, RecallStatus]:
        """Steps until a state repeats, its period (Brent), and how it ended."""
        factor, anchor = self.factor, 1
        scaled: list[np.ndarray] = []
        for step in range(1, max_steps + 1):
            self.extend(step)
            while len(scaled) < len(self.coordinates):
                block = np.stack(self.coordinates[len(scaled) :])
                with np.errstate(over="ignore", invalid="ignore"):
                    scaled += list(block if factor is None else block @ factor.T)
            here = scaled[step - 1]
            if not np.isfinite(here).all() or np.abs(self.coordinates[step - 1]).max() >= _BOUND:
                return step, 0, RecallStatus.DIVERGED
            if step == 1:
                continue
            if np.linalg.norm(here - scaled[step - 2]) < atol:
                return step, 1, RecallStatus.SPURIOUS
            if np.linalg.norm(here - scaled[anchor - 1]) < atol:
                return step, step - anchor, RecallStatus.CYCLE
            if step >= 2 * anchor:
                anchor = step
        return max_steps, 0, RecallStatus.NOT_CONVERGED


def _recall_one(way: ReducedMap, stored: _Stored, cue: np.ndarray, cycles: int, atol: float, max_steps: int) -> _Row:
    run = _Run(way, cue, 1)
    steps, period, status = run.settled(atol, max_steps)
    shape = cue.shape

    def frames(stop: int) -> np.ndarray:
        return run.states(0, stop).reshape(-1, *shape)

    if not period:
        # What diverged has no finite state to show at its last step.
        stop = steps if status is RecallStatus.DIVERGED else steps + 1
        return _Row(-1, -1, -1, steps, 0, np.zeros(0), frames(stop), status)
    run.extend(steps + cycles * period)
    round_trip = run.states(steps, steps + period)
    number, order, apart = stored.aligned(round_trip)
    if not apart < stored.near:
        wanted = order or [int(index) for index in stored.distances(round_trip).argmin(axis=1)]
        psnr = stored.psnr(round_trip, wanted)
        return _Row(-1, -1, -1, steps, period, psnr, frames(steps + cycles * period), status)
    apart = np.linalg.norm(stored.originals[order] - round_trip, axis=1)
    transient, path = _followed_back(run, stored, steps, order, apart)
    cycle = stored.patterns.cycles[number]
    # What is left of an open sequence before its cycle, then once round.
    left = next(place for place, index in enumerate(path) if index in cycle)
    around = [path[left]]
    while len(around) < period:
        around.append(int(stored.patterns.successor[around[-1]]))
    met = path[:left] + around
    run.extend(transient + left + cycles * period)
    shown = run.states(0, transient + left + cycles * period)
    psnr = stored.psnr(shown[transient : transient + len(met)], met)
    return _Row(
        number,
        path[0],
        _place(stored.patterns, path[0], cycle),
        transient,
        period,
        psnr,
        shown.reshape(-1, *shape),
        RecallStatus.RECOVERED,
    )


def _followed_back(
    run: _Run, stored: _Stored, steps: int, order: list[int], apart: Float[np.ndarray, " p"]
) -> tuple[int, list[int]]:
    """The first step from which on the states match stored ones that go to each other, and those from there on.

    **Arguments:** `order` and `apart`, the stored states that those from `steps` on match, and their distances.
    """
    period, begin = len(order), steps
    # A cycle later lie states that are known already, and how far two states are apart is told by their coordinates.
    bounds = dict(enumerate(apart, steps))
    while begin > 1:
        moved = run.apart(begin - 1, begin - 1 + period)
        if not moved + bounds[begin - 1 + period] < stored.near:
            break
        begin -= 1
        bounds[begin] = moved + bounds[begin + period]
    successor = stored.patterns.successor
    path = [order[(step - steps) % period] for step in range(steps, begin - 1, -1)]
    for stop in range(begin, 0, -_BLOCK):
        start = max(stop - _BLOCK, 0)
        before = run.states(start, stop)
        for step in range(stop - 1, start - 1, -1):
            candidates = np.flatnonzero(successor == path[-1])
            if not len(candidates):
                return step + 1, path[::-1]
            distances = np.linalg.norm(stored.originals[candidates] - before[step - start], axis=1)
            if not distances.min() < stored.near:
                return step + 1, path[::-1]
            path.append(int(candidates[int(distances.argmin())]))
    return 0, path[::-1]


def _place(patterns: Patterns, index: int, cycle: tuple[int, ...]) -> int:
    """Where a state stands in its sequence."""
    if index in cycle:
        return cycle.index(index)
    return next(way.index(index) for way in patterns.ways if index in way)


def _held_to(row: _Row, patterns: Patterns, index: int) -> _Row:
    """The row, which is another attractor's unless following successors leads from `index` to its cycle."""
    cycle = patterns.cycles[row.cycle]
    for _ in range(len(patterns)):
        if index in cycle:
            return row
        index = int(patterns.successor[index])
    return _Row(-1, -1, -1, row.transient, row.period, row.psnr, row.frames, RecallStatus.OTHER_ATTRACTOR)


@eqx.filter_jit
def _first(way: ReducedMap, cue: Any) -> Any:
    return way.enter(cue)


@eqx.filter_jit
def _advance(way: ReducedMap, z: Any) -> Any:
    """The next `_BLOCK` coordinates."""

    def step(z: Any, _: Any) -> tuple[Any, Any]:
        moved = way.step(z)
        return moved, moved

    return jax.lax.scan(step, z, None, length=_BLOCK)[1]


@eqx.filter_jit
def _leave(way: ReducedMap, z: Any) -> Any:
    return way.each(way.leave, z)
