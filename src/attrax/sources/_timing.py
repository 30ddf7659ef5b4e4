"""Which frames of a film to take: a stretch of it, at its own rate or another."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from attrax._base.arguments import mention
from attrax._base.shown import Record
from attrax.sources._records import SourceError

Frame = tuple[float, float, Any]
"""When a frame begins and how long it stays, in seconds from the start of the film, and the frame."""


_SLIVER = 1e-6  # Times are sums of rounded numbers; what differs by less is equal.


@dataclass(frozen=True, slots=True)
class Taken(Record):
    """The frames that were taken.

    **Fields:** `values`: as converted; `times`: when each begins in the film; `span`: seconds from the first frame
    taken to the end of the last; `end`: where the film ends, or `None` where it was not read to its end.
    """

    values: list[Any]
    times: list[float]
    span: float
    end: float | None


def take(
    frames: Iterable[Frame],
    convert: Callable[[Any, int], Any],
    label: str,
    *,
    start: float = 0.0,
    duration: float | None = None,
    fps: float | None = None,
) -> Taken:
    """The frames nearest to the times wanted; of two that are equally near, the earlier.

    Without `fps` these are all frames from the one nearest to `start` up to, not including, the one nearest to
    `start + duration`. With it they are the frames nearest to `start + k/fps` for k = 0, 1, …, as many as come closest
    to the duration: a frame is taken several times where the film is slower, and left out where it is faster.

    **Arguments:** `frames` in order of time, read only as far as needed; `convert` is called on each frame that is
    taken, once, with how many have been taken before; `label` names the film in messages.

    **Raises** `SourceError` where there are no frames, and for a stretch that is not within the film or holds none.
    """
    stop = math.inf if duration is None else start + duration
    count = None if duration is None or fps is None else _whole(duration * fps)
    values: list[Any] = []
    times: list[float] = []
    first = last = math.nan

    def emit(frame: Frame, middle: float) -> None:
        """All that is taken of one frame, which is the nearest one to all times up to `middle` that are left."""
        nonlocal first, last
        if fps is None:
            copies = int(start - _SLIVER <= middle < stop - _SLIVER)
        else:
            copies = _whole_below((middle - start) * fps) - len(values)
            copies = int(max(copies if count is None else min(copies, count - len(values)), 0))
        if copies:
            first = frame[0] if math.isnan(first) else first
            last = frame[0] + frame[1]
            values.extend([convert(frame[2], len(values))] * copies)
            times.extend([frame[0]] * copies)

    previous: Frame | None = None
    for frame in frames:
        if previous is not None:
            # It stays until the next one comes, whatever it says itself.
            previous = (previous[0], frame[0] - previous[0], previous[2])
            middle = previous[0] + previous[1] / 2
            emit(previous, middle)
            if middle >= stop - _SLIVER:
                break
        previous = frame
    else:
        if previous is None:
            raise SourceError(f"{label}: there are no frames in it; it may be damaged. Replace it")
        end = previous[0] + previous[1]
        _refuse_outside(label, end, previous[1] / 2, start, duration)
        # To the last frame nothing is nearer up to the end, and half its stay decides whether it is before the stop.
        if fps is None:
            emit(previous, max(start, previous[0] + previous[1] / 2))
        else:
            count = _whole((min(stop, end) - start) * fps) if count is None else count
            emit(previous, math.inf)
            del values[count:], times[count:]
        return _found(values, times, last - first, end, label, start, duration, fps)
    return _found(values, times, last - first, None, label, start, duration, fps)


def _found(
    values: list[Any],
    times: list[float],
    span: float,
    end: float | None,
    label: str,
    start: float,
    duration: float | None,
    fps: float | None,
) -> Taken:
    if not values:
        stretch = f"{'the rest' if duration is None else f'{duration:g} s'} from {start:g} s"
        rate = "" if fps is None else f" at {fps:g} frames per second"
        raise SourceError(
            f"{label}: {stretch} holds no frame{rate}; ask for a longer {mention('duration')} or more {mention('fps')}"
        )
    return Taken(values, times, span, end)


def _refuse_outside(label: str, end: float, slack: float, start: float, duration: float | None) -> None:
    if start >= end:
        raise SourceError(f"{label}: {mention('start')} must lie within its {end:.6g} s; got {start:g}")
    if duration is not None and start + duration > end + slack:
        raise SourceError(
            f"{label}: {mention('start')} + {mention('duration')} must be at most its "
            f"{end:.6g} s; got {start:g} + {duration:g}. "
            f"Leave {mention('duration')} out to read to the end"
        )


def _whole(count: float) -> int:
    """The nearest whole number; halves go up."""
    return math.floor(count + 0.5 + _SLIVER)


def _whole_below(position: float) -> int | float:
    """How many of 0, 1, 2, … are at most `position`."""
    return position if math.isinf(position) else max(math.floor(position + _SLIVER) + 1, 0)
