"""The path from a cue to its limit: its steps, where it reaches stored states, and its frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from attrax._base.types import HostStates
from attrax.dynamics._coordinates import isometric_coordinates, states_of
from attrax.dynamics._iterate import trajectory
from attrax.dynamics._loop import Run, run
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
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """The coordinates after each step of these rows, group by group: places in `rows`, and a trace for each.

    If all were too large to keep, rows are run again, about `most_bytes` of coordinates at a time. `stopping` holds the
    arguments that told `run` when to stop.
    """
    if not len(rows):
        return
    if iteration.trace is not None:
        yield np.arange(len(rows)), [iteration.trace[row] for row in rows]
        return
    sizes = iteration.num_steps[rows] * iteration.z.itemsize * iteration.z.shape[1]
    group = np.cumsum(sizes) // most_bytes
    for number in np.unique(group):
        mine = np.flatnonzero(group == number)
        again = run(reduced, starts[rows[mine]], **stopping, keep=2**62)
        assert again.trace is not None  # nothing is larger than that
        yield mine, list(again.trace)


def entries(
    reduced: ReducedMap,
    stored: StoredCycles,
    traces: list[np.ndarray],
    laps: list[HostStates],
    matches: list[Match],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each path, the first step from which on it follows the cycle of its match, the stored state matched then, and
    whether it comes that close at all: if not, its limit is stored, but the iteration stopped short of it.

    Each trace ends with the coordinates of its lap, which lies near that cycle.
    """
    if not matches:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool)
    last, period = (np.array([len(one) for one in many]) for many in (traces, laps))
    after = np.cumsum(period)
    order = np.concatenate([match.order for match in matches])
    states = np.concatenate(laps).reshape(len(order), -1)
    apart = np.linalg.norm(states - stored.references[order], axis=1)
    lap = isometric_coordinates(
        reduced, np.concatenate([trace[-count:] for trace, count in zip(traces, period, strict=True)])
    )
    follows = np.logical_and.reduceat(apart < stored.recovery, after - period)
    begin = np.where(follows, last - period + 1, last)
    going, back = np.flatnonzero(follows & (begin > 1)), 2
    while len(going):
        low, back = np.maximum(begin[going] - back, 1), 2 * back
        count = begin[going] - low
        row, first = np.repeat(going, count), np.cumsum(count) - count
        steps = np.arange(len(row)) + np.repeat(low - first, count)
        z = np.concatenate([traces[one][start - 1 : begin[one] - 1] for one, start in zip(going, low, strict=True)])
        place = (after - period)[row] + (steps - last[row] - 1) % period[row]
        gap = np.linalg.norm(isometric_coordinates(reduced, z) - lap[place], axis=1)
        off = gap - apart[place] >= stored.recovery
        # The state itself is needed only if the triangle inequality does not decide.
        unsure = np.flatnonzero(~off & (gap + apart[place] >= stored.recovery))
        if len(unsure):
            states = states_of(reduced, z[unsure]).reshape(len(unsure), -1)
            off[unsure] = np.linalg.norm(states - stored.references[order[place[unsure]]], axis=1) >= stored.recovery
        latest = np.maximum.reduceat(np.where(off, steps, 0), first)
        begin[going] = np.where(latest > 0, latest + 1, low)
        going = going[(latest == 0) & (low > 1)]
    return begin, order[after - period + (begin - last - 1) % period], follows


def entry_before(
    reduced: ReducedMap, stored: StoredCycles, cue: HostStates, trace: np.ndarray, begin: int, index: int
) -> tuple[int, int]:
    """As `entries`, where the open sequence that leads to the cycle belongs to it: going back from the step `begin`, at
    which the path reaches the stored state `index`, to the cue."""
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
    originals: Any,
    cue: HostStates,
    trace: np.ndarray,
    transient: int,
    wanted: list[int],
    total: int,
) -> Path:
    """The path to a cycle: `total` states. Those from `transient` on are compared with the stored states `wanted`."""
    states = _path_states(reduced, cue, trace, total)
    originals = np.asarray(originals, np.float64)
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
