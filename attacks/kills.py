"""SIGKILL at random moments of commands that write: the file is the old or the new one, and nothing is left over."""

import contextlib
import functools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import attrax as ax
from attacks.harness import Outcome

_GRADIENT = "--writer gradient --width 16 --depth 1 --epochs 300 --checkpoint run.ckpt --resume"
OPERATIONS = {
    "store": "store old.npy -o m.attrax --writer pseudoinverse --seed 1",
    "add": "add m.attrax more.npy",
    "forget": "forget m.attrax 0",
    "checkpoint": f"store old.npy -o m.attrax {_GRADIENT}",
    "reproduce": "reproduce control --scale smoke --cell paper-0 --jobs 1 -o paper",
}
"""Command lines, in a folder that holds `old.npy`, `more.npy` and, but for `reproduce`, an older `m.attrax`."""
_EACH = 20
_EXAMPLES = {"store": (4, 4), "add": (4, 5), "forget": (4, 3), "checkpoint": (4, 4)}
"""Examples in the file before and after each."""
_FOUND = {"old.npy", "more.npy", "m.attrax", "paper", "run.ckpt"}
_WORKERS_GONE = 15.0
"""Seconds after which no process of a killed command may be there."""


@dataclass(frozen=True, slots=True)
class Kills:
    """A case is one kill, and for one in three the same command run to its end in the same folder."""

    operations: tuple[str, ...] = tuple(OPERATIONS)
    name: str = "kills"
    limit_s: float = 300.0

    def batches(self, scale: float) -> Sequence[Sequence[int]]:
        """Operations in turn, in two batches."""
        count = max(1, round(_EACH * len(self.operations) * scale))
        return [range(first, count, 2) for first in range(min(count, 2))]

    def case(self, number: int, seed: int) -> Outcome:
        """One kill."""
        operation = self.operations[number % len(self.operations)]
        rng = np.random.default_rng([seed, 11, number])
        counts = {"kills": 1, f"kills of {operation}": 1}
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            fresh(operation, folder)
            before = _read(folder / "m.attrax")
            watched = rng.random() < 0.5
            moment = _killed(operation, folder, watched=watched, rng=rng)
            counts[f"killed {moment}"] = 1
            told = left_whole(operation, folder, before, counts)
            left = leftovers(folder)
            if told is None and (left or number // len(self.operations) % 3 == 0):
                counts["run again"] = 1
                if left:
                    counts["left something over"] = 1
                told = _run_again(operation, folder)
        return Outcome(counts, told)


def fresh(operation: str, folder: Path) -> None:
    """A folder as it is before the command."""
    rng = np.random.default_rng(3)
    np.save(folder / "old.npy", rng.random((4, 12)).astype(np.float32))
    np.save(folder / "more.npy", rng.random((1, 12)).astype(np.float32))
    if operation != "reproduce":
        (folder / "m.attrax").write_bytes(_old_memory())


@functools.cache
def _old_memory() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        fresh("reproduce", Path(place))
        command = OPERATIONS["store"].replace("--seed 1", "--seed 0")
        if _wait(_spawn(command, Path(place))) != 0:
            raise RuntimeError("no memory could be stored to begin with")
        return (Path(place) / "m.attrax").read_bytes()


@functools.cache
def _seconds(operation: str) -> float:
    """How long the command takes when nobody kills it."""
    with tempfile.TemporaryDirectory() as place:
        fresh(operation, Path(place))
        begun = time.monotonic()
        _wait(_spawn(OPERATIONS[operation], Path(place)))
        return time.monotonic() - begun


def _spawn(command: str, folder: Path) -> int:
    """The command in a process group of its own, silent."""
    program = "import os, sys; os.chdir(sys.argv.pop(1)); from attrax.cli import main; sys.exit(main())"
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in (0, 1, 2)]
    arguments = [sys.executable, "-c", program, str(folder), *command.split()]
    path = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    process = os.posix_spawn(sys.executable, arguments, {**os.environ, **path}, file_actions=actions, setpgroup=0)
    os.close(null)
    return process


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _killed(operation: str, folder: Path, *, watched: bool, rng: np.random.Generator) -> str:
    """Kills the command: at a random moment, or `watched`, just after it began to change the folder."""
    known = _state(folder)
    moment = time.monotonic() + (120.0 if watched else rng.uniform(0, 1.05) * _seconds(operation))
    process = _spawn(OPERATIONS[operation], folder)
    ended = False
    while time.monotonic() < moment:
        if os.waitpid(process, os.WNOHANG)[0]:
            ended = True
            break
        if watched and _state(folder) != known:
            time.sleep(float(rng.choice([0.0, rng.uniform(0, 3e-3), rng.uniform(0, 0.1)])))
            break
        time.sleep(2e-4 if watched else 2e-3)
    if ended:
        return "too late"
    os.kill(process, signal.SIGKILL)
    _wait(process)
    return "while it wrote" if watched else "at a random moment"


def _state(folder: Path) -> set[tuple[str, int, int]]:
    found = set()
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                told = os.stat(os.path.join(root, name))
                found.add((os.path.join(root, name), told.st_ino, told.st_size))
    return found


def left_whole(operation: str, folder: Path, before: bytes | None, counts: dict[str, int]) -> str | None:
    """What is wrong with the files after a kill, if anything is."""
    if _processes(folder):
        time.sleep(_WORKERS_GONE)
        if alive := _processes(folder):
            for process in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            return f"{operation}: {len(alive)} processes outlived the killed one by {_WORKERS_GONE:g} s"
    if operation == "reproduce":
        return None
    now = _read(folder / "m.attrax")
    if now == before:
        counts["the old file"] = 1
        return None
    if now is None:
        return f"{operation}: the file is gone"
    try:
        memory = ax.load(folder / "m.attrax")
    except ValueError as error:
        return f"{operation}: the file does not load: {error}"
    counts["the new file"] = 1
    if len(memory.examples()) != _EXAMPLES[operation][1]:
        return f"{operation}: {len(memory.examples())} examples in the file, not {_EXAMPLES[operation][1]}"
    return None


def _run_again(operation: str, folder: Path) -> str | None:
    """The same command after a kill."""
    changed = operation in ("add", "forget") and len(ax.load(folder / "m.attrax").examples()) != 4
    if changed:
        shutil.copy(folder / "old.npy", folder / "more.npy")  # there is nothing left to add, but to look
    status = _wait(_spawn(OPERATIONS[operation], folder))
    # Of 300 epochs of plain gradients nothing is certified, which is status 1; a second `add` finds nothing to add.
    allowed = {"checkpoint": (0, 1), "add": (0, 2) if changed else (0,)}.get(operation, (0,))
    if status not in allowed:
        return f"{operation}: run again after a kill it ends with {status}"
    if left := leftovers(folder):
        return f"{operation}: after the next run there is {', '.join(left)}"
    return None


def leftovers(folder: Path) -> list[str]:
    """Names of files that no command ends with."""
    found = [path.name for path in folder.rglob("*") if path.name.endswith((".tmp", "-wal", "-shm", "-journal"))]
    return sorted([*found, *(path.name for path in folder.iterdir() if path.name not in (_FOUND | set(found)))])


def _processes(folder: Path) -> list[int]:
    """Processes that work in the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.path.realpath(os.readlink(entry / "cwd")) == os.path.realpath(folder):
                found.append(int(entry.name))
    return found


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
