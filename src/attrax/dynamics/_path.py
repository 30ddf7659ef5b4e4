"""The path from a cue to its limit: its steps, where it reaches stored states, and its frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from attrax._base.types import HostStates
from attrax.dynamics._iterate import trajectory
from attrax.dynamics._loop import Run, isometric_coordinates, run, states_of
from attrax.dynamics._stored import Match, StoredCycles
from attrax.maps import ReducedMap

_BACK = 16
"""The number of steps examined at a time, going back from the end of a path."""
_ROUNDING = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """All states from a cue on, and the PSNR of those at the end."""

    states: HostStates
    psnr: Float[np.ndarray, " p"]


def traces(
    reduced: ReducedMap, starts: HostStates, iteration: Run, rows: np.ndarray, stopping: dict[str, Any], most_bytes: int
) -> Iterator[tuple[int, np.ndarray]]:
    """The coordinates after each step of these rows. If they were too large to keep, the rows are run again.

    `stopping` holds the arguments that told `run` when to stop. About `most_bytes` of coordinates are kept at a time.
    """
    if iteration.trace is not None:
        yield from ((int(row), iteration.trace[row]) for row in rows)
        return
    sizes = iteration.num_steps[rows] * iteration.z.itemsize * iteration.z.shape[1]
    group = np.cumsum(sizes) // most_bytes
    for number in np.unique(group):
        mine = rows[group == number]
        again = run(reduced, starts[mine], **stopping, keep=2**62)
        assert again.trace is not None  # nothing is larger than that
        yield from zip(mine.tolist(), again.trace, strict=True)


def entry_of(
    reduced: ReducedMap, stored: StoredCycles, cue: HostStates, trace: np.ndarray, lap: HostStates, match: Match
) -> tuple[int, int]:
    """The first step from which on the states match successive stored ones, and the stored state matched at that step.

    The trace ends with the coordinates of `lap`, which lies near the cycle of `match`.
    """
    period, last = len(match.order), len(trace)
    apart = np.linalg.norm(lap.reshape(period, -1) - stored.references[match.order], axis=1)
    if not (apart < stored.recovery).all():  # the limit is stored, but the iteration stopped short of it
        return last, int(match.order[-1])
    isometric_lap, begin = isometric_coordinates(reduced, trace[-period:]), last - period + 1
    while begin > 1:
        steps = np.arange(max(begin - _BACK, 1), begin)
        place = (steps - last - 1) % period
        gap = np.linalg.norm(isometric_coordinates(reduced, trace[steps - 1]) - isometric_lap[place], axis=1)
        off = gap - apart[place] >= stored.recovery
        # The state itself is needed only if the triangle inequality does not decide.
        open_steps = np.flatnonzero(~off & (gap + apart[place] >= stored.recovery))
        if len(open_steps):
            states = states_of(reduced, trace[steps[open_steps] - 1]).reshape(len(open_steps), -1)
            distance = np.linalg.norm(states - stored.references[match.order[place[open_steps]]], axis=1)
            off[open_steps] = distance >= stored.recovery
        if off.any():
            begin = int(steps[off][-1]) + 1
            break
        begin = int(steps[0])
    index = int(match.order[(begin - last - 1) % period])
    # An open sequence may come before. The cue itself has not been examined yet.
    for stop in range(begin, 0, -_BACK):
        if stop > 1 and not stored.has_open_sequences:
            break
        start = max(stop - _BACK, 0)
        rows = trace[max(start, 1) - 1 : stop - 1]
        states = states_of(reduced, rows).reshape(len(rows), -1) if len(rows) else np.zeros((0, cue.size))
        if start == 0:
            states = np.concatenate([cue.reshape(1, -1), states])
        for step in range(stop - 1, start - 1, -1):
            before = stored.before(index, states[step - start])
            if before < 0:
                return step + 1, index
            index = before
    else:
        return 0, index
    return begin, index


def whole_path(reduced: ReducedMap, cue: HostStates, trace: np.ndarray) -> Path:
    """All states of a path that reached no cycle."""
    return Path(_path_states(reduced, cue, trace, len(trace) + 1), np.zeros(0))


def path_to_cycle(
    reduced: ReducedMap,
    stored: StoredCycles,
    originals: HostStates,
    cue: HostStates,
    trace: np.ndarray,
    transient: int,
    wanted: list[int],
    total: int,
) -> Path:
    """The path to a cycle: `total` states. Those from `transient` on are compared with the stored states `wanted`."""
    states = _path_states(reduced, cue, trace, total)
    return Path(states, _psnr(stored, originals, states[transient : transient + len(wanted)], wanted))


def _path_states(reduced: ReducedMap, cue: HostStates, trace: np.ndarray, total: int) -> HostStates:
    """The cue and the states after it, `total` states in all."""
    parts = [cue[None]]
    if len(trace) and total > 1:
        parts.append(states_of(reduced, trace[: total - 1]))
        if total - 1 > len(trace):
            parts.append(trajectory(reduced, parts[-1][-1:], total - 1 - len(trace))[0])
    return np.concatenate(parts)


def _psnr(
    stored: StoredCycles, originals: HostStates, states: HostStates, wanted: list[int]
) -> Float[np.ndarray, " t"]:
    """The PSNR, in decibels, of the latest frame of each state compared with that of the state it should be."""
    frames = stored.patterns.as_frames
    low, high = float(originals.min()), float(originals.max())
    # 1 for pictures with entries from 0 to 1, whatever the largest stored entry is; otherwise the range.
    peak = 1.0 if low >= 0 and 0.5 < high <= 1 else high - low or abs(high) or 1.0
    difference = (frames(states) - frames(originals[wanted])).reshape(len(states), -1)
    error = np.mean(difference**2, axis=1)
    return 10 * np.log10(peak**2 / np.maximum(error, (peak * _ROUNDING) ** 2))
