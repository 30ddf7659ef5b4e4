"""What every benchmark of writing needs: tables that appear row by row, bars, peak memory, fitted exponents.

Imports neither JAX nor PyTorch, so that a process which measures its own memory pays for nothing else.
"""

import multiprocessing
import os
import platform
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np


def end_with_parent() -> None:
    """Has this process end with the one that started it, however that ends: nobody asks for its result any more."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def machine() -> str:
    """One line on the machine and the versions that the numbers below it belong to."""
    packages = ("jax", "torch")
    versions = [f"{name} {_version(name)}" for name in packages]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.processor() or platform.machine()}, {cores} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def peak_memory() -> float:
    """Largest resident memory of this process so far, in MB.

    Linux hands `getrusage`'s maximum on from the parent to a child it starts, so there the program's own high-water
    mark is read; elsewhere it is `getrusage`.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import resource

    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def exponent(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """a and c of the power law c·sizeᵃ that fits the values best in the logarithm (least squares).

    >>> round(exponent([1, 2, 4], [3, 12, 48])[0], 6)
    2.0
    """
    slope, offset = np.polyfit(np.log(np.asarray(sizes, float)), np.log(np.asarray(values, float)), 1)
    return float(slope), float(np.exp(offset))


class Table:
    """A Markdown table that prints its head at once and each row as soon as it is known."""

    def __init__(self, *columns: str) -> None:
        self._columns = len(columns)
        print("| " + " | ".join(columns) + " |")
        print("|" + "---|" * len(columns), flush=True)

    def row(self, *cells: object) -> None:
        """Prints one row; cells that are left out stay empty."""
        texts = [str(cell) for cell in cells] + [""] * (self._columns - len(cells))
        print("| " + " | ".join(texts) + " |", flush=True)


@dataclass
class Bars:
    """The bars that were asked for, each with whether it was reached."""

    results: list[tuple[str, bool]] = field(default_factory=list)

    def check(self, name: str, wanted: str, reached: bool) -> str:
        """Notes a bar, and gives the text that stands in the table beside the value."""
        self.results.append((f"{name} {wanted}", bool(reached)))
        return f"{wanted}: {'pass' if reached else '**falls**'}"

    def summary(self) -> str:
        """How many bars were reached, and which were not."""
        fallen = [name for name, reached in self.results if not reached]
        found = f"Bars: {len(self.results) - len(fallen)} of {len(self.results)} reached."
        return found + (" Not reached: " + "; ".join(fallen) + "." if fallen else "")


def percent(rate: float) -> str:
    """A rate in per cent with one decimal."""
    return f"{100 * rate:.1f}"


def title(text: str, *notes: str) -> None:
    """A heading and what is to be known before the table."""
    print(f"\n## {text}\n")
    for note in notes:
        print(note + "\n", flush=True)
