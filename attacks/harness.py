"""Cases run in workers of their own, so that a crash, a hang or too much memory is an outcome like any other."""

import dataclasses
import json
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

LIMIT = 8 * 2**30
"""Bytes of address space that a worker may use."""
_START = 120.0
"""Seconds that a worker may take to start; its first case may take as much longer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case.

    **Fields:** `counts`, by what happened; `failure`, a sentence where a promise was broken; `files`, contents by name,
    that show it; `note`, a sentence on what is no failure but worth a look.
    """

    counts: dict[str, int]
    failure: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    note: str | None = None


class Attack(Protocol):
    """What the harness runs. It is sent to workers, so it holds numbers and texts only."""

    @property
    def name(self) -> str:
        """A word for tables and `--only`."""
        ...

    @property
    def limit_s(self) -> float:
        """Seconds without an answer after which a case counts as hanging."""
        ...

    def batches(self, scale: float) -> Sequence[Sequence[int]]:
        """Numbers of cases, those together that one worker shall run one after the other."""
        ...

    def case(self, number: int, seed: int) -> Outcome:
        """One case. It depends on its number and the seed only."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes of one attack.

    **Fields:** `cases`, how many were run; `counts`; `failures` and `notes`, sentences by the number of the case;
    `seconds`; `memory`, the most that any worker had resident, in bytes.
    """

    name: str
    cases: int
    counts: dict[str, int]
    failures: dict[int, str]
    notes: dict[int, str]
    seconds: float
    memory: int

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


def run(
    attack: Attack, *, scale: float = 1.0, seed: int = 0, jobs: int = 2, folder: Path | None = None, told: Any = None
) -> Report:
    """Runs an attack on `jobs` workers at once. Failures are written to `folder`; `told` gets lines on progress."""
    batches = [list(batch) for batch in attack.batches(scale)]
    total = sum(len(batch) for batch in batches)
    begun, counts, memory, done = time.monotonic(), Counter[str](), 0, 0
    failures: dict[int, str] = {}
    notes: dict[int, str] = {}
    running: dict[Connection, _Worker] = {}
    said = begun
    while batches or running:
        while batches and len(running) < jobs:
            worker = _Worker(attack, seed, batches.pop(0))
            running[worker.connection] = worker
        for connection in wait(list(running), timeout=0.2):
            assert isinstance(connection, Connection)
            worker = running[connection]
            try:
                number, outcome, resident = connection.recv()
            except (EOFError, OSError):
                # The worker is gone: it was through with its cases, or died in one.
                worker.end()
                del running[connection]
                if worker.left:
                    outcome = worker.died()
                    number = worker.left[0]
                    batches.insert(0, worker.left[1:])
                else:
                    continue
            else:
                worker.heard()
                memory = max(memory, resident)
            done += 1
            counts.update(outcome.counts)
            if outcome.note is not None:
                notes[number] = outcome.note
            if outcome.failure is not None:
                failures[number] = outcome.failure
                counts["failures"] += 1
                if folder is not None:
                    _keep(folder / f"{attack.name}-{seed}-{number}", attack, seed, number, outcome)
        for connection, worker in list(running.items()):
            if worker.hangs():
                number = worker.left[0]
                worker.end()
                del running[connection]
                batches.insert(0, worker.left[1:])
                failures[number] = f"no answer within {worker.limit:.0f} s"
                counts.update({"hangs": 1, "failures": 1})
                done += 1
        batches = [batch for batch in batches if batch]
        if told is not None and time.monotonic() - said > 10:
            said = time.monotonic()
            told(f"{attack.name}: {done} of {total}, {len(failures)} failures, {said - begun:.0f} s")
    return Report(attack.name, total, dict(sorted(counts.items())), failures, notes, time.monotonic() - begun, memory)


class _Worker:
    """A process that runs cases and sends what came of each."""

    def __init__(self, attack: Attack, seed: int, numbers: list[int]) -> None:
        self.left, self.limit = list(numbers), attack.limit_s
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(attack, seed, numbers, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.since, self.patience = time.monotonic(), _START + self.limit

    def heard(self) -> None:
        """An answer came."""
        self.left.pop(0)
        self.since, self.patience = time.monotonic(), self.limit

    def hangs(self) -> bool:
        """Whether an answer is overdue."""
        return bool(self.left) and time.monotonic() - self.since > self.patience

    def died(self) -> Outcome:
        """Of the case that the process ended in."""
        return Outcome({"crashes": 1}, f"the process ended with exit code {self.process.exitcode}")

    def end(self) -> None:
        """Ends the process."""
        self.process.join(1.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()


def _work(attack: Attack, seed: int, numbers: Sequence[int], connection: Connection) -> None:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")
    for number in numbers:
        connection.send(
            (number, guarded(attack, number, seed), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        )
    connection.close()


def guarded(attack: Attack, number: int, seed: int) -> Outcome:
    """One case; what it raises is a failure."""
    try:
        return attack.case(number, seed)
    except BaseException as error:  # an attack looks for what was not foreseen, exits included
        text = "".join(traceback.format_exception(error))
        return Outcome({"tracebacks": 1}, f"{type(error).__name__}: {error}", {"traceback.txt": text.encode()})


def _keep(folder: Path, attack: Attack, seed: int, number: int, outcome: Outcome) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    again = f"python -m attacks --only {attack.name} --seed {seed} --case {number}"
    told = {"failure": outcome.failure, "counts": outcome.counts, "again": again}
    (folder / "failure.json").write_text(json.dumps(told, indent=1) + "\n")
    for name, content in outcome.files.items():
        (folder / name).write_bytes(content)
