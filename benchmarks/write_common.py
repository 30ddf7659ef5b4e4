"""What the tables about writing share: data, bars, timing, and Markdown."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import RULES


@dataclass(frozen=True)
class Setting:
    """How the tables are run: `quick` for small samples and short limits, `full` for a reference without a limit."""

    quick: bool = False
    full: bool = False

    def pick(self, whole: Any, small: Any) -> Any:
        """`small` for a quick run, otherwise `whole`."""
        return small if self.quick else whole


@dataclass(frozen=True)
class Stored:
    """A memory and the seconds that storing took, from the arrays to the certificate, compilation included."""

    memory: ax.Memory
    seconds: float

    @property
    def attractors(self) -> int:
        """Examples that are certified attractors."""
        assert self.memory.certificate is not None
        return self.memory.certificate.num_attractors

    @property
    def count(self) -> int:
        """Examples that were to be stored."""
        return len(self.memory.examples())

    @property
    def certified(self) -> str:
        """Both, as in `100/100`."""
        return f"{self.attractors}/{self.count}"


def examples(name: str, count: int, **options: Any) -> np.ndarray:
    """The first examples of a published data set under `ATTRAX_DATA`."""
    return ax.sources.load(name, n=count, **options).values


def store(values: np.ndarray, *, seed: int = 0, network: Any = None, writer: Any = None) -> Stored:
    """Stores and times it."""
    begun = time.perf_counter()
    memory = ax.store(values, network, writer=writer, key=jr.key(seed))
    return Stored(memory, time.perf_counter() - begun)


def trained_on(memory: ax.Memory, corruption: str) -> bool:
    """Whether training saw every kind in a corruption, at whatever level."""
    seen = {part.split(":")[0] for name in memory.written.get("corruptions", ()) for part in name.split("+")}
    if memory.written.get("noise") or memory.written.get("coordinate_noise"):
        seen.add("gaussian")
    return all(part.split(":")[0] in seen for part in corruption.split("+"))


@dataclass(frozen=True)
class Rates:
    """Rates of one corruption over several memories: of the memories one by one, and of each rule the mean."""

    corruption: str
    each: tuple[float, ...]
    rules: dict[str, float]
    trained: bool

    @property
    def mean(self) -> float:
        """Of the memories."""
        return float(np.mean(self.each))

    @property
    def gap(self) -> float:
        """How far the mean lies above the best of the rules (negative: below)."""
        return self.mean - max(self.rules.values())

    def cells(self) -> list[str]:
        """Corruption, mean, worst, the rules, and the gap, for a table."""
        mark = " (trained)" if self.trained else ""
        shown = [percent(self.mean), percent(min(self.each)), *(percent(self.rules[rule]) for rule in RULES)]
        return [f"{self.corruption}{mark}", *shown, f"{100 * self.gap:+.1f}"]


RATES_HEAD = ("corruption", "mean", "worst", *(f"{rule} 1-NN" for rule in RULES), "above the best 1-NN, points")
"""Heads of `Rates.cells`."""


def rates(memories: Sequence[ax.Memory], corruption: str, *, seed: int = 1000) -> Rates:
    """Recovery of the examples of each memory, each with a draw of its own."""
    found = [
        ax.recovery(memory, corruption, key=jr.fold_in(jr.key(seed), number)) for number, memory in enumerate(memories)
    ]
    rules = {rule: float(np.mean([one.neighbor_rates[rule] for one in found])) for rule in RULES}
    trained = all(trained_on(memory, corruption) for memory in memories)
    return Rates(corruption, tuple(one.recovery_rate for one in found), rules, trained)


def parameters(network: ax.maps.MLP) -> int:
    """How many numbers a network has."""
    return sum(np.size(one) for one in (*network.weights, *network.biases) if one is not None)


def shape_of(network: ax.maps.MLP) -> str:
    """Widths of the hidden layers, runs of equal ones together: `5×512`."""
    runs: list[list[int]] = []
    for width in network.widths:
        if runs and runs[-1][1] == width:
            runs[-1][0] += 1
        else:
            runs.append([1, width])
    return "-".join(f"{times}×{width}" for times, width in runs)


def verdict(holds: bool) -> str:
    """`met` or `missed`."""
    return "met" if holds else "missed"


def at_least(value: float, bar: float) -> str:
    """A bar on a rate, with the verdict."""
    return f"≥ {percent(bar)}: {verdict(value >= bar - 1e-9)}"


def within(seconds: float, bar: float) -> str:
    """A bar on a time, with the verdict."""
    return f"≤ {bar:g} s: {verdict(seconds <= bar)}"


def percent(value: float) -> str:
    """A rate in percent with one decimal, as in `99.4 %`."""
    return f"{100 * value:.1f} %"


def heading(title: str, *paragraphs: str) -> None:
    """A title, and what has to be known to read the table."""
    print(f"## {title}\n")
    for paragraph in paragraphs:
        print(f"{paragraph}\n")
    sys.stdout.flush()


def head(*names: str) -> None:
    """Begins a table."""
    row(*names)
    print("|" + "---|" * len(names), flush=True)


def row(*cells: object) -> None:
    """A row, shown at once."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def end(*sentences: str) -> None:
    """Ends a table, with what follows from it."""
    print()
    for sentence in sentences:
        print(f"{sentence}\n")
    sys.stdout.flush()


def machine() -> str:
    """One line about the machine and the versions."""
    parts = [
        platform.processor() or platform.machine(),
        f"{os.cpu_count()} cores",
        platform.system(),
        f"Python {platform.python_version()}",
        f"JAX {jax.__version__}",
    ]
    try:
        import torch
    except ImportError:
        parts.append("without PyTorch")
    else:
        parts.append(f"PyTorch {torch.__version__}")
    return ", ".join(parts)


def peak_memory() -> float:
    """The most memory this process has held so far, in MB.

    Linux hands a process the peak of the one that started it down in `ru_maxrss`; the peak of its own address space
    stands elsewhere.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def child(job: str, **options: Any) -> dict[str, Any]:
    """What a job of `benchmarks.write_child` reports from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.write_child", job, json.dumps(options)]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the job {job} in a process of its own failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
