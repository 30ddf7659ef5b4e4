"""Cells: what a sweep is made of, and what becomes of each."""

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from attrax import _checks
from attrax._types import Progress


class CellStatus(StrEnum):
    """What became of a cell."""

    DONE = "done"
    """It ran to its end, and training reached what the cell asks for."""
    NOT_TRAINED = "not trained"
    """Training missed what the cell asks for within its epochs, or the cell its time limit."""
    FAILED = "failed"
    """It raised an error, which the record tells; the next run tries again."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One independent piece of work: everything that decides its result, and nothing else.

    **Fields:**

    - `experiment`: what the cell belongs to.
    - `name`: of the cell, for people; two cells of one experiment have two names.
    - `function`: `module:name` of a function of the settings and a `Work` that returns a `CellFound`. A text, so that
      a cell goes to another process or machine as it stands in the file.
    - `settings`: names with what JSON can hold, the seed among them.
    - `code`: version of the code behind the function; another one makes it another cell.
    - `time_limit`: seconds after which the cell is given up as not trained.
    """

    experiment: str
    name: str
    function: str
    settings: Mapping[str, Any]
    code: str = ""
    time_limit: float = 3600.0

    def __post_init__(self) -> None:
        _checks.real("time_limit", self.time_limit, above=0)
        module, colon, name = self.function.partition(":")
        if not (module and colon and name):
            raise ValueError(f"function must be written MODULE:NAME; got {self.function!r}")
        try:
            text = json.dumps(dict(self.settings), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"settings must be what JSON can hold, without NaN and infinities: {error}") from None
        # As they come back from a file: tuples are lists then, and nobody else holds them.
        object.__setattr__(self, "settings", json.loads(text))

    @property
    def fingerprint(self) -> str:
        """Equal for two cells exactly where their results are: of function, settings, code and time limit.

        Names play no part, so that experiments which ask for the same work share it.
        """
        content = [self.function, self.settings, self.code, self.time_limit]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, eq=False)
class CellFound:
    """What the function of a cell returns.

    **Fields:** `numbers`, names with what JSON can hold (numbers that are not finite become null); `arrays`, for
    figures; `trained`, whether training reached what the cell asks for.
    """

    numbers: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    trained: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class CellRecord:
    """A cell with its result.

    **Fields:** `cell`; `status`; `numbers` and `arrays`, as in `CellFound`, empty where it failed or ran out of time;
    `seconds`; `message`, of the error or of what ran out.
    """

    cell: Cell
    status: CellStatus
    numbers: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    seconds: float
    message: str = ""

    @property
    def seed(self) -> int | None:
        """The cell's seed, where its settings name one."""
        found = self.cell.settings.get("seed")
        return found if isinstance(found, int) else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds of a cell whose settings name several (`seeds`); otherwise its one, if any."""
        several = self.cell.settings.get("seeds")
        if several is not None:
            return tuple(several)
        return () if self.seed is None else (self.seed,)


class OutOfTime(Exception):
    """Raised through a callback of progress where a cell's time is over."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a cell's function is given beside its settings.

    **Fields:** `progress`, to be handed to every long call of the library, for through it the time limit is kept;
    `checkpoint`, a file of the cell's own for training to go on from after a kill, or `None`.
    """

    progress: Progress
    checkpoint: Path | None = None


def run_cell(cell: Cell, scratch: Path | None = None) -> CellRecord:
    """Runs a cell in this process. Whatever it raises becomes part of the record."""
    begun = time.perf_counter()

    def watch(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if time.perf_counter() - begun > cell.time_limit:
            raise OutOfTime

    checkpoint = None if scratch is None else scratch / f"{cell.fingerprint}.checkpoint"
    numbers: Mapping[str, Any] = {}
    arrays: Mapping[str, np.ndarray] = {}
    message = ""
    try:
        module, _, name = cell.function.partition(":")
        function: Callable[..., CellFound] = getattr(importlib.import_module(module), name)
        found = function(dict(cell.settings), Work(watch, checkpoint))
        numbers, arrays = _plain(dict(found.numbers)), {name: np.asarray(a) for name, a in found.arrays.items()}
        status = CellStatus.DONE if found.trained else CellStatus.NOT_TRAINED
        if not found.trained:
            message = "training did not reach what the cell asks for"
    except OutOfTime:
        status, message = CellStatus.NOT_TRAINED, f"the time limit of {cell.time_limit:g} s was over"
    except Exception as error:  # one cell's error must not end the others
        status = CellStatus.FAILED
        message = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    if checkpoint is not None and status is not CellStatus.FAILED:
        checkpoint.unlink(missing_ok=True)
    return CellRecord(cell, status, numbers, arrays, time.perf_counter() - begun, message)


def _plain(value: Any) -> Any:
    """The same as JSON has it. **Raises** `TypeError` for what it can't hold."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return str(value) if isinstance(value, StrEnum) else value
    raise TypeError(f"{value!r} is nothing that JSON can hold")
