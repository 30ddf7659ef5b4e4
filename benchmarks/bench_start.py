"""What starting costs: `python -m benchmarks.bench_start`, or `make bench-start`.

CPU seconds of processes of their own, the least of several runs, each as a ratio to `import jax`. Bars stand beside the
ratios they belong to. `store` runs twice with a cache of compiled functions that is empty before.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import machine

QUICK_BAR, IMPORT_BAR, AGAIN_BAR = 0.35, 1.3, 0.6
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
    with tempfile.TemporaryDirectory() as folder:
        own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
        command = [*ATTRAX, "store", "digits", "--n", "5", "-o", str(Path(folder) / "x.attrax")]
        first, again = (cpu_seconds(command, own | {"ATTRAX_CACHE": f"{folder}/cache"}) for _ in range(2))
    row("attrax store digits --n 5, first", first, 1.0, None)
    row("the same again", again, again / first, AGAIN_BAR)


if __name__ == "__main__":
    main()
