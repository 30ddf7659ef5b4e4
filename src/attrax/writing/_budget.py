"""How much training a time limit allows."""

import os
import time
from collections.abc import Callable

from attrax._base.types import Progress
from attrax.training import planned_epochs

_TRIAL_EPOCHS = 6


def affordable(
    train: Callable[[int, Progress], object],
    epochs: int,
    seconds: float,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
) -> int:
    """How many of `epochs` fit into `seconds`, by timing a few; at least one.

    A rate that falls to zero at the end must know the end before the start, so the limit is turned into a number of
    epochs. That number is on record: with it, the run can be repeated without a clock.

    **Arguments:** `train`, which trains for so many epochs and reports its progress; `checkpoint`, of a run that is to
    go on: it keeps the number that it began with.
    """
    planned = None if checkpoint is None else planned_epochs(checkpoint)
    if planned is not None:
        return planned
    begun = time.perf_counter()
    times: list[tuple[int, float]] = []

    def note(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        times.append((done, time.perf_counter()))

    train(_TRIAL_EPOCHS, note)
    compiling = times[0][1] - begun
    each = (times[-1][1] - times[0][1]) / max(times[-1][0] - times[0][0], 1)
    # The real run compiles once more.
    left = seconds - (time.perf_counter() - begun) - compiling
    return int(min(max(left / max(each, 1e-9), 1), epochs))
