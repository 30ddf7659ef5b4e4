"""What a command is doing, on stderr and on a terminal only: a line from the first second on, bars where it counts."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE = 0.4
"""Seconds before a line appears; what is done by then needs none."""

_shown = threading.Lock()
"""Held by the display: one at a time, and what begins within another adds nothing."""


class _Display:
    """Lines at the bottom of the terminal, from a moment after the start until the end."""

    def __init__(self, task: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        class Count(ProgressColumn):
            def render(self, task: Any) -> str:
                return "" if task.total is None else f"{int(task.completed)}/{int(task.total)}"

        class Time(ProgressColumn):
            """The time left where an end is known, else the time gone by."""

            elapsed, remaining = TimeElapsedColumn(), TimeRemainingColumn()

            def render(self, task: Any) -> Any:
                return (self.elapsed if task.total is None else self.remaining).render(task)

        columns = (TextColumn("{task.description}"), BarColumn(), Count(), TextColumn("{task.fields[numbers]}"), Time())
        # What a command prints goes where it belongs, not above the bars.
        self.bars = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self.waiting = self.bars.add_task(task, total=None, numbers="")
        self.rows: dict[str, Any] = {}
        self.timer = threading.Timer(_PATIENCE, self.bars.start)
        self.timer.daemon = True
        self.timer.start()

    def report(self, task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        """One line a task; between the end of one and the first report of the next, what is waited for."""
        known = {name: value for name, value in numbers.items() if name != "seconds"}
        shown = " ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in known.items())
        if task not in self.rows:
            self.rows[task] = self.bars.add_task(task, total=total, numbers=shown)
        self.bars.update(self.rows[task], completed=done, total=total, numbers=shown)
        over = done >= total
        if over or self.bars.tasks[0].visible:
            self.bars.update(self.waiting, description="working", visible=over)

    def stop(self) -> None:
        self.timer.cancel()
        self.timer.join()  # so that it does not start after it was stopped
        self.bars.stop()


@contextmanager
def _display(task: str) -> Iterator[Callable[..., None]]:
    if not _terminal() or not _shown.acquire(blocking=False):
        yield lambda *_: None
        return
    try:
        display = _Display(task)
        try:
            yield display.report
        finally:
            display.stop()
    finally:
        _shown.release()


def _terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int, dict[str, float]], None]]:
    """A callback to hand to the library; one line a task, with its numbers and the time left.

    Until the library reports for the first time, JAX is compiling.
    """
    with _display("compiling") as report:
        yield report


@contextmanager
def waiting(task: str) -> Iterator[None]:
    """A bar without an end and the seconds gone by, around something that can't tell how far it is."""
    with _display(task):
        yield


def wait_for_jax() -> None:
    """Imports JAX, which takes a second, under a line that says so; without a terminal each command imports it itself."""
    if _terminal() and "jax" not in sys.modules:
        with waiting("starting"):
            import jax  # noqa: F401 - whoever needs it finds it there
