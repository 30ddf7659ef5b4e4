"""Progress bars on stderr, on a terminal only, for work that takes over two seconds."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from attrax._base.types import Progress as Report

_PATIENCE = 2.0


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A callback to hand to the library; one line a task, with its numbers and the time left."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    begun = time.monotonic()
    tasks: dict[str, TaskID] = {}

    def report(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if bar.disable or time.monotonic() - begun < _PATIENCE:
            return
        if not tasks:
            bar.start()
        shown = " ".join(
            f"{name.replace('_', ' ')} {value:.3g}" for name, value in numbers.items() if name != "seconds"
        )
        if task not in tasks:
            tasks[task] = bar.add_task(task, total=total, numbers=shown)
        bar.update(tasks[task], completed=done, total=total, numbers=shown)

    try:
        yield report
    finally:
        if tasks:
            bar.stop()


@contextmanager
def waiting(task: str) -> Iterator[None]:
    """A bar without an end and the seconds gone by, around one computation that can't tell how far it is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    bar.add_task(task, total=None)
    timer = threading.Timer(_PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that it does not start after it was stopped
        bar.stop()
