"""What starting costs: `python -m benchmarks.bench_start`, or `make bench-start`.

CPU seconds of processes of their own, the least of several runs, each as a ratio to `import jax`. Bars stand beside the
numbers they belong to. Then whole commands and what they compile, each twice with a cache of compiled functions that is
empty before.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Table, machine

QUICK_BAR, IMPORT_BAR = 0.35, 1.3
ATTRAX = [sys.executable, "-m", "attrax"]
PROCESSES: dict[str, tuple[list[str], float | None]] = {
    "import jax": ([sys.executable, "-c", "import jax"], None),
    "import attrax": ([sys.executable, "-c", "import attrax"], IMPORT_BAR),
    "attrax.store, recall, certify, load": (
        [sys.executable, "-c", "import attrax; attrax.store, attrax.recall, attrax.certify, attrax.load"],
        None,
    ),
    "attrax --version": ([*ATTRAX, "--version"], QUICK_BAR),
    "attrax --help": ([*ATTRAX, "--help"], QUICK_BAR),
    "attrax store --help": ([*ATTRAX, "store", "--help"], QUICK_BAR),
    "attrax stroe": ([*ATTRAX, "stroe"], QUICK_BAR),
    "attrax store --bogus": ([*ATTRAX, "store", "--bogus"], QUICK_BAR),
    "attrax store": ([*ATTRAX, "store"], QUICK_BAR),
    "attrax store … --writer magic": ([*ATTRAX, "store", "digits", "-o", "x", "--writer", "magic"], QUICK_BAR),
}

COMMANDS: dict[str, tuple[float, float] | None] = {
    "store digits --n 5 -o digits.attrax": (8.0, 4.0),
    "store faces --n 20 -o faces.attrax": (14.0, 7.0),
    "recall faces.attrax --corrupt gaussian:0.5": None,
    "certify faces.attrax": None,
}
"""Whole commands, and the bars for their CPU seconds the first and the second time."""


def cpu_seconds(command: list[str], environment: Mapping[str, str] = os.environ) -> float:
    """CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(name: str, seconds: float, ratio: float, bar: float | None) -> None:
    """One line of the table."""
    told = "" if bar is None else f"{bar:g} {'pass' if ratio <= bar else '**falls**'}"
    print(f"| {name} | {seconds:.2f} | {ratio:.2f} | {told} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Prints one table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each process that starts and ends at once")
    options = parser.parse_args(arguments)
    print(f"{machine()}\n\n| process | CPU s | ratio | bar |\n|---|---|---|---|")
    jax = None
    for name, (command, bar) in PROCESSES.items():
        seconds = min(cpu_seconds(command) for _ in range(options.rounds))
        jax = jax or seconds
        row(name, seconds, seconds / jax, bar)
    print()
    table = Table("command", "time", "CPU s", "bar", "compiled", "from the cache", "tracing, s", "compiling, s")
    with tempfile.TemporaryDirectory() as folder:
        for name, bars in COMMANDS.items():
            for again in (False, True):
                whole(table, name, bars, again, Path(folder))


def whole(table: Table, name: str, bars: tuple[float, float] | None, again: bool, folder: Path) -> None:
    """One row: a command in a folder, with a cache of its own that is empty the first time."""
    own = {variable: value for variable, value in os.environ.items() if not variable.startswith("JAX_")}
    own["ATTRAX_CACHE"] = str(folder / "cache" / name.replace(" ", "-"))
    words = [str(folder / word) if word.endswith(".attrax") else word for word in name.split()]
    told = folder / "compiled.json"
    seconds = cpu_seconds([sys.executable, "-m", "benchmarks.compiled", str(told), *words], own)
    found = json.loads(told.read_text(encoding="utf-8"))
    bar = "" if bars is None else f"{bars[again]:g} {'pass' if seconds <= bars[again] else '**falls**'}"
    times = (f"{found[kind]:.1f}" for kind in ("tracing", "compiling"))
    counts = (found["compiled"], found["from the cache"])
    table.row(f"`attrax {name}`", "second" if again else "first", f"{seconds:.1f}", bar, *counts, *times)


if __name__ == "__main__":
    main()
