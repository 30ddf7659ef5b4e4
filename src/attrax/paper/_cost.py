"""What a run will take: the training of its cells, counted before any of them runs."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from attrax.extending import Record, one_blas_thread
from attrax.paper.sweeps import Cell, ResultStore

_ENTRIES = {
    "mnist": 28 * 28,
    "cifar10": 3 * 32 * 32,
    "imagenet64": 3 * 64 * 64,
    "digits": 8 * 8,
    "natural": 3 * 32 * 32,
}
_GRAY = ("mnist", "digits")
_PASSES = 3
"""A step of training is one product of matrices forward and two of the same size backward, for each layer."""
_SHARE = 0.5
"""The share of the machine's rate of matrix products that training reaches, about: activations and the optimizer take
the rest."""
_MEASURED = 0.02
"""Seconds of this thread for which the rate of one size is measured."""


@dataclass(frozen=True, slots=True)
class Expected(Record):
    """What the cells of a plan will take.

    **Fields:** `cells`, how many there are; `known`, how many of them are finished; `counted`, how many of the others
    train a network whose size and epochs are in their settings; `core_seconds` that the training of these takes on this
    machine, if none stops early: an estimate, within a factor of about two; `longest`, the time limit of the longest of
    all that are to run, in seconds.
    """

    cells: int
    known: int
    counted: int
    core_seconds: float
    longest: float

    @property
    def text(self) -> str:
        """One sentence or two."""
        rest = self.cells - self.known
        found = f"{rest} of {self.cells} cells are to run, none for more than {_told(self.longest)}."
        if self.counted:
            which = "their training" if self.counted == rest else f"the training of {self.counted} of them"
            found += f" If it uses all of its epochs, {which} takes about {_told(self.core_seconds)} of one core."
        return found


def expected(plan: Sequence[tuple[Any, str, Iterable[Cell]]], results: Path) -> Expected:
    """What those cells of a plan will take that are not finished yet.

    **Arguments:** `plan`, as of `planned`; `results`, the `results.sqlite` of an earlier run, which may be missing.

    **Returns:** `Expected`. Rates are measured for some hundredths of a second for each size of network.

    ```python
    >>> from pathlib import Path
    >>> from attrax.paper import expected, planned
    >>> found = expected(planned(["fig3"], scale="smoke"), Path("results.sqlite"))
    >>> found.cells, found.counted
    (2, 1)

    ```
    """
    distinct = {cell.fingerprint: cell for _, _, cells in plan for cell in cells}
    known = set[str]()
    if results.exists():
        with ResultStore(results) as store:
            known = store.finished(distinct.values())
    open_ones = [cell for name, cell in distinct.items() if name not in known]
    seconds = [found for cell in open_ones if (found := core_seconds(cell)) is not None]
    longest = max((cell.time_limit for cell in open_ones), default=0.0)
    return Expected(len(distinct), len(known), len(seconds), float(sum(seconds)), longest)


def core_seconds(cell: Cell) -> float | None:
    """Seconds of one core for training a cell, if it uses all of its epochs; `None` if the settings don't tell."""
    settings = cell.settings
    products = training_products(settings)
    if products is None:
        return None
    rate = _SHARE * _rate(_examples(settings), int(settings["width"]), str(settings.get("dtype", "float32")))
    return min(products / rate, settings.get("seconds") or cell.time_limit, cell.time_limit)


def training_products(settings: Mapping[str, Any]) -> float | None:
    """Multiplications that training with these settings takes at most; `None` if they do not tell.

    >>> training_products({"n": 2, "width": 3, "depth": 2, "epochs": 5, "source": "digits"})
    11790.0
    """
    width, depth, epochs = (settings.get(name) for name in ("width", "depth", "epochs"))
    epochs = max(epochs) if isinstance(epochs, (list, tuple)) else epochs
    if width is None or depth is None or epochs is None:
        return None
    entries, networks = _entries(settings), len(settings.get("seeds", ())) or 1
    if settings.get("coordinates") is not None:
        entries = min(entries, _examples(settings))
    weights = 2 * entries * width + (depth - 1) * width**2
    return float(_PASSES * networks * _examples(settings) * weights * epochs)


def _examples(settings: Mapping[str, Any]) -> int:
    """The number of examples, or the frames of a film; a few where the experiment has its own."""
    return int(settings.get("n") or settings.get("frames") or 20)


def _entries(settings: Mapping[str, Any]) -> int:
    source, side = settings.get("source"), settings.get("side")
    if side is not None:
        colors = 3 if source is not None and source not in _GRAY and not settings.get("gray") else 1
        return side * side * colors
    entries = _ENTRIES.get(source, 2) if source is not None else 2
    return entries // 3 if settings.get("gray") and source not in _GRAY else entries


@cache
def _rate(rows: int, width: int, dtype: str) -> float:
    """Multiplications a second of one core in a product of rows×width by width×width."""
    draw = np.random.default_rng(0)
    left, right = (draw.random((size, width)).astype(dtype) for size in (rows, width))
    with one_blas_thread():
        np.matmul(left, right)  # the first product also starts the library
        count, begun = 0, time.thread_time()
        while time.thread_time() - begun < _MEASURED:
            np.matmul(left, right)
            count += 1
    return count * rows * width * width / (time.thread_time() - begun)


def _told(seconds: float) -> str:
    """A duration in words.

    >>> _told(50), _told(3000), _told(30_000), _told(5_000_000)
    ('50 seconds', '50 minutes', '8 hours', '58 days')
    """
    for unit, length, most in (("second", 1, 120), ("minute", 60, 7200), ("hour", 3600, 172_800)):
        if seconds < most:
            return _counted(seconds / length, unit)
    return _counted(seconds / 86_400, "day")


def _counted(number: float, unit: str) -> str:
    return f"{round(number):,} {unit}{'s' * (round(number) != 1)}"
