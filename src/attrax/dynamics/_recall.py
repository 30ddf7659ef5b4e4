"""Recall: iterate the map of a memory from cues, and say what was reached."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.cluster import in_order, packed, unpacked
from attrax._base.shown import Rows, Words, counts, joined, strip
from attrax._base.status import RecallStatus
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.dynamics._held import completed, hold, only_part
from attrax.dynamics._iterate import Iterates, check_starts, last_states
from attrax.dynamics._judged import Judged
from attrax.dynamics._kept import reduced_map_of
from attrax.dynamics._loop import run
from attrax.dynamics._path import Path, entry_before, path_to_cycle, traces, whole_path
from attrax.dynamics._stored import StoredCycles, thresholds_of
from attrax.maps import ReducedMap
from attrax.memory import READINGS, Memory, Thresholds, check_memory

_TRACE_BYTES = 2**28
"""The coordinates of all steps are kept up to about this many bytes at a time."""
_PIECE = 1000
"""Cues that one call on a cluster recalls, and the fewest that are recalled at a time if there are more."""
_LONG = 64
"""Steps of a path that is expected to have many."""


@dataclass(frozen=True, slots=True, eq=False)
class Recall(Rows):
    """The result of recall, with one entry for each cue. An example is a cycle of length one.

    **Fields:**

    - `value`: n×frame shape, float64: the limit (for a cycle, one of its states; otherwise the last state). If a state
      holds several frames, the latest frame.
    - `index`: the stored state that `value` is, −1 unless the status is `recovered`.
    - `nearest`: the stored state nearest to the limit, whatever the status.
    - `distance`: Euclidean distance from the limit to it.
    - `num_steps`: applications of the map until the convergence test held.
    - `residual`: ‖f^t(x) − f^{t−1}(x)‖₂ at the last step; infinite where the iteration diverged.
    - `period`: 1 for a fixed point, p for a cycle, 0 where there is neither.
    - `cycle`: the stored cycle that was reached, a position in `Patterns.cycles`; −1 unless `recovered`.
    - `transient`: applications of the map before the path reaches a stored cycle and follows it. If no stored cycle is
      reached, those before the states repeat to within the tolerance, or all of them.
    - `entry`: the stored state that is reached then; −1 unless `recovered`.
    - `phase`: the position of `entry` in its cycle (as in `Patterns.cycles`) or open sequence (as in
      `Patterns.open_sequences`), counted from 0; −1 unless `recovered`.
    - `status`: one `RecallStatus` for each cue. Without `expected`, `recovered` means that *a* stored cycle was
      reached, not that it was the right one.
    - `reading`: which of the paper's two readings of its thresholds was used, `literal` or `mean_square`.
    - `expected`: the stored state that each cue was made from, as given by the caller, or `None`.
    - `held`: with `known`, where the iteration with the known entries held ended, as `Iterates`. The cue was released
      there, and everything else in this record is about what came after: the cue that `transient`, `num_steps` and
      `path` count from is the released state. `None` without `known`, and where nothing could be held (see `recall`).
    - `path`: with `path=True`, all frames for each cue in order, float64: the cue, the transient, and the cycle as
      often as requested.
    - `psnr`: with `path=True`, the peak signal-to-noise ratio in decibels of each frame from `transient` on: through
      the rest of an open sequence, and once around the cycle. If the cycle is a stored one, each frame is compared with
      the stored frame at its phase, otherwise with the nearest one. The peak is 1 for values in [0, 1], otherwise their
      range; rounding limits the ratio to 313. Empty if there is no period.
    """

    rows_of: ClassVar[str] = "status"
    shown_first: ClassVar = ("status", "index", "distance", "num_steps", "residual", "period", "reading")

    value: HostStates
    index: HostIndices
    nearest: HostIndices
    distance: Float[np.ndarray, " n"]
    num_steps: Int[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    cycle: HostIndices
    transient: Int[np.ndarray, " n"]
    entry: HostIndices
    phase: Int[np.ndarray, " n"]
    status: tuple[RecallStatus, ...]
    reading: str
    expected: HostIndices | None = None
    path: tuple[HostStates, ...] | None = None
    psnr: tuple[Float[np.ndarray, " p"], ...] | None = None
    held: Iterates | None = None

    def _pictures(self) -> list[tuple[str, np.ndarray]]:
        shown, captions = self.value, [f"{row}: {self._cell(status)}" for row, status in enumerate(self.status)]
        if self.path is not None:  # each cue beside what came of it
            shown = np.stack(
                [one for frames, end in zip(self.path, self.value, strict=True) for one in (frames[0], end)]
            )
            captions = [one for row, caption in enumerate(captions) for one in (f"cue {row}", caption)]
        return strip(shown, captions, self.value)

    def _facts(self) -> dict[str, Any]:
        # Not super(): a dataclass with slots is a class made anew, which super() without arguments does not know.
        facts = {name: value for name, value in Rows._facts(self).items() if value is not None}
        return facts | {"status": Words(counts(self._cell(status) for status in self.status))}

    def _cell(self, value: Any) -> str:
        if value is RecallStatus.RECOVERED and self.expected is None:
            return "reached a stored one"  # which one was right is unknown
        return Rows._cell(self, value)

    @property
    def recovered(self) -> np.ndarray:
        """n booleans: whether the status is `recovered`."""
        return np.array([status is RecallStatus.RECOVERED for status in self.status], bool)

    @property
    def recovery_rate(self) -> float:
        """Fraction of the cues that were recovered. Without `expected`: fraction that reached *a* stored cycle."""
        return float(self.recovered.mean())

    @property
    def psnr_min(self) -> Float[np.ndarray, " n"]:
        """The worst frame of each cue; NaN where there is no period. **Raises** `ValueError` without a path."""
        return np.array([row.min() if len(row) else np.nan for row in self._measured()])

    @property
    def psnr_median(self) -> Float[np.ndarray, " n"]:
        """The median frame of each cue; NaN where there is no period. **Raises** `ValueError` without a path."""
        return np.array([np.median(row) if len(row) else np.nan for row in self._measured()])

    def _measured(self) -> tuple[np.ndarray, ...]:
        if self.psnr is None:
            raise ValueError("frames were not kept; call recall with path=True")
        return self.psnr


def recall(
    memory: Memory,
    cues: HostStates,
    *,
    known: Bool[np.ndarray, "*state"] | str | None = None,
    expected: HostIndices | None = None,
    path: bool = False,
    cycles: int = 1,
    reading: str = "auto",
    atol: float | None = None,
    recovery_atol: float | None = None,
    max_steps: int = 10_000,
    dask: str | None = None,
    progress: Progress | None = None,
) -> Recall:
    """Iterates the map of `memory` from each cue in float64 until it converges or repeats, and says what it reached.

    *Literal* reading of the paper's thresholds: converged when ‖f^{k+1}(x) − f^k(x)‖₂ < 1e-8, recovered when the limit
    is within 1e-7 of a stored point. A network that stops at the paper's loss of 1e-8 has its fixed points farther from
    the examples than that. For such networks there is the *mean-square* reading: converged when the mean squared change
    is at most 1e-17, recovered when the mean squared distance to the example as given is below 1e-7 and no other
    example is nearer. All these numbers are in units of the patterns (`Patterns.unit`, about 1 for pictures with
    entries from 0 to 1). `auto` takes the literal reading if the stored points are the given examples, and fixed points
    or cycles of the map, to within 1e-7. A cycle is recovered when the states of one period match those of a stored
    cycle of that length in order.

    If needed to decide whether a limit is a stored one, Newton's method refines it. The refined limit counts if the
    path approaches it; if not, the cue has not converged.

    *From a part.* With `known`, only a part of each cue is used. All other entries begin at the mean of the stored
    states, and the known ones are put back after every step until the iteration converges (`Recall.held`). Then they
    are released, and recall goes on from there as without `known`, so the result is a limit of the map itself.

    A map with a mask channel (`attrax.maps.completion`), such as a winner-take-all network, is told in each step which
    entries are known. With other maps, in a cycle, the entries are put back after every round, when the state is that
    of the cue again; if the cycles have different lengths, after their least common multiple. If that exceeds
    `max_steps`, or there are open sequences, the cue is completed by the mean but not held. An example that agrees with
    the cue where it is known is a fixed point of the held iteration. It attracts there if the norm of its Jacobian is
    below 1; a spectral radius below 1 is not enough, for a submatrix can have a larger one.

    **Arguments:**

    - `cues`: n×state shape, real and finite. If a state holds several frames, single frames are accepted too and are
      repeated; of pairs, the cues or the targets alone. All of such a part is held, but as it may be damaged, no mask
      channel is used.
    - `known`: booleans, true where an entry of the cue is known and right: one mask of the shape of a state, or one for
      each cue; or `SIDE:F`, as `attrax.corruptions.known_mask` takes it. Elsewhere the cues may hold anything, NaN
      included.
    - `expected`: for each cue the index of the stored state it was made from; reaching another cycle than that of this
      state is then `other_attractor`. Without it every stored cycle counts as recovered.
    - `path`: keep all frames, and measure them; see `Recall`.
    - `cycles`: how many times the path goes around the cycle at its end.
    - `reading`: `auto`, `literal` or `mean_square`.
    - `atol`, `recovery_atol`: Euclidean tolerances that replace those of the reading.
    - `max_steps`: applications of the map at most.
    - `dask`: address of a Dask scheduler, such as `tcp://127.0.0.1:8786`, whose workers recall a thousand cues at a
      time; those of a lost worker go to another one. Needs `dask[distributed]`.

    **Returns:** `Recall`; a row is what it would be alone. **Raises** `ValueError` for cues of a wrong shape or other
    wrong arguments, and where the memory holds no patterns; if Dask is needed but not installed, does not respond, or
    is lost.

    Source: the thresholds, and the criterion for sequences, follow Radhakrishnan, Belkin and Uhler (2020).

        >>> import attrax as ax
        >>> film = np.eye(3)
        >>> network = ax.training.pseudoinverse(film, np.roll(film, -1, axis=0))
        >>> memory = ax.Memory(network, ax.Patterns.from_cycles([film]))
        >>> found = recall(memory, film[1:2] + 0.05)
        >>> int(found.period[0]), int(found.phase[0]), int(found.transient[0])
        (3, 2, 1)
        >>> blurred = np.array([[np.nan, 0.9, np.nan]])
        >>> recall(memory, blurred, known=~np.isnan(blurred)).cycle.tolist()
        [0]
    """
    check_memory(memory)
    patterns = memory.examples()
    checks.one_of("reading", reading, READINGS)
    reduced = reduced_map_of(memory)
    thresholds = thresholds_of(memory, reading, reduced)
    if atol is not None:
        thresholds = replace(thresholds, convergence=checks.real("atol", atol, above=0))
    if recovery_atol is not None:
        thresholds = replace(thresholds, recovery=checks.real("recovery_atol", recovery_atol, above=0))
    cycles = checks.integer("cycles", cycles, least=1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    part = only_part(patterns, cues) if known is None else known
    if part is None:
        starts, mask = check_starts(patterns.as_states(cues), "cues"), None
    else:
        starts, mask = completed(patterns, cues, part)
    if expected is not None:
        expected = np.asarray(expected)
        wrong = expected.shape != (len(starts),) or expected.dtype.kind not in "iu"
        if wrong or expected.min() < 0 or expected.max() >= len(patterns):
            raise ValueError(
                f"expected must give each of the {len(starts)} cues an index of the {len(patterns)} stored states"
            )
    given = (starts, mask, expected)
    asked = _Asked(memory, reduced, thresholds, known is None, path, cycles, max_steps)
    # Fewer at a time where their paths would be too large to keep, and so would be computed twice.
    most = _PIECE if dask is not None else max(_PIECE, _TRACE_BYTES // (8 * max(reduced.size, 1) * _LONG))
    if dask is None and len(starts) <= most:
        return _recalled(given, asked, progress)
    pieces = [
        (starts[rows], None if mask is None else mask[rows], None if expected is None else expected[rows])
        for rows in (slice(first, first + most) for first in range(0, len(starts), most))
    ]
    if dask is None:
        return joined(
            [
                _recalled(piece, asked, progress and partial(_told, progress, number * most, len(starts)))
                for number, piece in enumerate(pieces)
            ]
        )
    found = list[Recall]()
    for piece in in_order(_recalled_elsewhere, pieces, dask, asked.through(packed)):
        found.append(piece)
        if progress is not None:
            progress("iterating", sum(len(one.status) for one in found), len(starts), {})
    return joined(found)


def _told(progress: Progress, before: int, total: int, task: str, done: int, _: int, numbers: dict[str, float]) -> None:
    """What `progress` is told of a piece, before which so many cues of the total were recalled."""
    progress(task, before + done, total, numbers)


_Given: TypeAlias = tuple[HostStates, np.ndarray | None, np.ndarray | None]
"""States to begin from, and for each a mask and the index of a stored state, or `None`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What is the same for all cues. `damaged`: the known entries may be wrong; see `hold`."""

    memory: Memory
    reduced: ReducedMap
    thresholds: Thresholds
    damaged: bool
    path: bool
    cycles: int
    max_steps: int

    def through(self, change: Callable[[Any], Any]) -> "_Asked":
        """The same with its maps changed."""
        memory = replace(self.memory, map=change(self.memory.map))
        return replace(self, memory=memory, reduced=change(self.reduced))


def _recalled_elsewhere(given: _Given, asked: _Asked) -> Recall:
    """`_recalled`, with maps that were packed and sent."""
    return _recalled(given, asked.through(unpacked))


def _recalled(given: _Given, asked: _Asked, progress: Progress | None = None) -> Recall:
    starts, mask, expected = given
    memory, reduced, thresholds = asked.memory, asked.reduced, asked.thresholds
    path, cycles, max_steps = asked.path, asked.cycles, asked.max_steps
    patterns = memory.examples()
    held = None
    if mask is not None:
        held = hold(
            memory.map,
            patterns,
            starts,
            mask,
            thresholds,
            damaged=asked.damaged,
            max_steps=max_steps,
            progress=progress,
        )
        starts = starts if held is None else held.value
    stored = StoredCycles.of(memory, thresholds)
    stopping = {"max_steps": max_steps, "atol": thresholds.convergence, "unit": thresholds.unit}
    iteration = run(reduced, starts, **stopping, keep=_TRACE_BYTES, progress=progress)
    value = last_states(reduced, iteration, starts)
    # Paths that are the same from the first step on are judged once; `of` is the one of each cue.
    some, of = np.unique(iteration.first, return_inverse=True)
    paths = Judged.of(value[some], iteration.status[some], iteration.period[some], iteration.num_steps[some])
    transient, entry, kept = paths.transient[of], paths.entry[of], dict[int, Path]()
    # The cue itself matters where an open sequence may come before the cycle, and where paths are to be kept.
    each = path or stored.has_open_sequences
    cues_of = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1]) if each else []
    needed = np.arange(len(some)) if path else np.flatnonzero(paths.period > 0)
    for group, found in traces(reduced, starts, iteration, some[needed], stopping, _TRACE_BYTES):
        here = dict(zip(needed[group].tolist(), found, strict=True))
        others = paths.judge(memory.map, reduced, stored, thresholds, here)
        for one, row in [(path_, row_) for path_ in here for row_ in cues_of[path_].tolist()] if each else ():
            begun = int(paths.transient[one]), int(paths.entry[one])
            if paths.follows[one]:
                begun = entry_before(reduced, stored, starts[row], here[one], *begun)
            transient[row], entry[row] = begun
            if path and not paths.period[one]:
                kept[row] = whole_path(reduced, starts[row], here[one])
            elif path:
                wanted = others.get(one) or stored.from_here(begun[1])
                total = begun[0] + len(wanted) + (cycles - 1) * int(paths.period[one])
                refuse_beyond_memory(
                    f"{mention('cycles')}: a path of {total:,} states",
                    3 * 8 * total * starts[0].size,
                    "go around the cycle fewer times",
                )
                kept[row] = path_to_cycle(
                    reduced, stored, memory.originals, starts[row], here[one], begun[0], wanted, total
                )
    if not each:
        transient, entry = paths.transient[of], paths.entry[of]
        before = stored.before_each(np.where(paths.follows[of] & (transient == 1), entry, -1), starts)
        transient[before >= 0], entry[before >= 0] = 0, before[before >= 0]
    alone = np.flatnonzero(paths.nearest < 0)
    paths.nearest[alone], paths.distance[alone] = stored.nearest(paths.limit[alone])
    changed = np.flatnonzero(paths.refined[of])
    value[changed] = paths.limit[of[changed]]
    index, cycle, status = paths.index[of], paths.cycle[of], paths.status[of]
    if expected is not None:
        wrong = (cycle >= 0) & (stored.cycle[expected] != cycle)
        index[wrong], cycle[wrong], entry[wrong], status[wrong] = -1, -1, -1, RecallStatus.OTHER_ATTRACTOR
    return Recall(
        patterns.as_frames(value),
        index,
        paths.nearest[of],
        paths.distance[of],
        iteration.num_steps,
        iteration.residual,
        paths.period[of],
        cycle,
        transient,
        entry,
        np.where(entry >= 0, stored.phase[entry], -1),
        tuple(status.tolist()),
        thresholds.reading,
        expected,
        tuple(patterns.as_frames(kept[row].states) for row in range(len(starts))) if path else None,
        tuple(kept[row].psnr for row in range(len(starts))) if path else None,
        held,
    )
