"""Cells: what a sweep is made of, and what becomes of each."""

import hashlib
import importlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from attrax.extending import Progress, Record, checks

_MOST_BYTES = 500_000_000
"""Of the arrays of a cell; a row of the results holds no more than twice as much."""


class CellStatus(StrEnum):
    """What became of a cell."""

    DONE = "done"
    """It ran to its end, and training reached what the cell asks for."""
    NOT_TRAINED = "not trained"
    """Training missed what the cell asks for within its epochs, or the cell its time limit."""
    FAILED = "failed"
    """It raised an error, which the record tells; the next run tries again."""


@dataclass(frozen=True, slots=True)
class Cell(Record):
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
        checks.real("time_limit", self.time_limit, above=0)
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

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds of a cell whose settings name several (`seeds`); otherwise its one, if any."""
        several, one = self.settings.get("seeds"), self.settings.get("seed")
        if several is not None:
            return tuple(several)
        return (one,) if isinstance(one, int) else ()


@dataclass(frozen=True, slots=True, eq=False)
class CellFound(Record):
    """What the function of a cell returns.

    **Fields:** `numbers`, names with what JSON can hold (numbers that are not finite become null); `arrays`, for
    figures; `trained`, whether training reached what the cell asks for.
    """

    numbers: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    trained: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class CellRecord(Record):
    """A cell with its result.

    **Fields:** `cell`; `status`; `numbers` and `arrays`, as in `CellFound`, empty where it failed or ran out of time;
    `seconds`; `message`, of the error or of what ran out; `made_by`, what ran it: versions of `attrax`, `jax` and
    `python`, `platform`, `cores`, the kind of `device`, and whether a `data_folder` was set.
    """

    cell: Cell
    status: CellStatus
    numbers: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    seconds: float
    message: str = ""
    made_by: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int | None:
        """The cell's seed, where its settings name one."""
        found = self.cell.settings.get("seed")
        return found if isinstance(found, int) else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds of the cell."""
        return self.cell.seeds


class OutOfTime(Exception):
    """Raised through a callback of progress where a cell's time is over."""


@dataclass(frozen=True, slots=True)
class Work(Record):
    """What a cell's function is given beside its settings.

    **Fields:** `progress`, to be handed to every long call of the library, for through it the time limit is kept;
    `checkpoint`, a file of the cell's own for training to go on from after a kill, or `None`.
    """

    progress: Progress
    checkpoint: Path | None = None


def run_cell(cell: Cell, scratch: Path | None = None, *, parent: int | None = None) -> CellRecord:
    """Runs a cell in this process. Whatever it raises becomes part of the record.

    **Arguments:** `cell`; `scratch`, a folder for its checkpoint; without one, or where it can't be written to from
    here, nothing is kept of a cell that is interrupted. `parent`, the process that wants the record: when it is gone,
    this one ends, lest it write to the checkpoint that a second run goes on from.
    """
    begun = time.perf_counter()

    def watch(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if parent is not None and os.getppid() != parent:
            os._exit(1)
        if time.perf_counter() - begun > cell.time_limit:
            raise OutOfTime

    checkpoint = None if not _writable(scratch) else scratch / f"{cell.fingerprint}.checkpoint"
    numbers: Mapping[str, Any] = {}
    arrays: Mapping[str, np.ndarray] = {}
    message = ""
    try:
        found, message = _found(cell, Work(watch, checkpoint))
        numbers, arrays = _plain(dict(found.numbers)), _storable(found.arrays)
        status = CellStatus.DONE if found.trained else CellStatus.NOT_TRAINED
        if not found.trained:
            message = "; ".join(filter(None, ["training did not reach what the cell asks for", message]))
    except OutOfTime:
        status, message = CellStatus.NOT_TRAINED, f"the time limit of {cell.time_limit:g} s was over"
    except Exception as error:  # one cell's error must not end the others
        status = CellStatus.FAILED
        message = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    if checkpoint is not None and status is not CellStatus.FAILED:
        checkpoint.unlink(missing_ok=True)
    return CellRecord(cell, status, numbers, arrays, time.perf_counter() - begun, message, _made_by())


def _writable(folder: Path | None) -> TypeGuard[Path]:
    """Whether a folder is there or can be made; on a machine of a cluster, that of the machine that asks may not."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return folder is not None and os.access(folder, os.W_OK)


def _found(cell: Cell, work: Work) -> tuple[CellFound, str]:
    """What the cell's function returns, and what there is to say of its checkpoint.

    A damaged checkpoint would make the cell fail in every run. Nobody else uses the file, so it is given up.
    """
    module, _, name = cell.function.partition(":")
    function: Callable[..., CellFound] = getattr(importlib.import_module(module), name)
    try:
        return function(dict(cell.settings), work), ""
    except ValueError as error:
        # So begin the messages of a file that can't be read; that of one with other data begins otherwise.
        if work.checkpoint is None or not str(error).startswith(f"{work.checkpoint} is "):
            raise
        work.checkpoint.unlink(missing_ok=True)
    return function(dict(cell.settings), work), "its checkpoint was damaged, so training began anew"


def _made_by() -> dict[str, Any]:
    import jax

    try:
        device = jax.devices()[0].device_kind
    except RuntimeError:
        device = "none"
    try:
        own = version("attrax")
    except PackageNotFoundError:
        own = "not installed as a package"
    return {
        "attrax": own,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "device": device,
        "data_folder": bool(os.environ.get("ATTRAX_DATA")),
    }


def _storable(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays as NumPy has them. **Raises** `TypeError` or `ValueError` for what the file of results can't hold."""
    found = {str(name): np.asarray(value) for name, value in arrays.items()}
    for name, value in found.items():
        if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
            raise TypeError(f"the array {name} is of {value.dtype}; results hold real numbers and truth values")
    total = sum(value.nbytes for value in found.values())
    if total > _MOST_BYTES:
        raise ValueError(f"the arrays of a cell may have {_MOST_BYTES:,} bytes; these have {total:,}")
    return found


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
