"""Cells: the units of a sweep, and their outcomes."""

import hashlib
import importlib
import json
import os
import platform
import sys
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
"""The maximum size of the arrays of a cell; a row of the results holds at most twice as much."""


class CellStatus(StrEnum):
    """The outcome of a cell."""

    DONE = "done"
    """It finished, and training reached its target."""
    NOT_TRAINED = "not trained"
    """Training missed its target within its epochs, or the cell ran out of time."""
    FAILED = "failed"
    """It raised an error, which is in the record; the next run tries again."""


@dataclass(frozen=True, slots=True)
class Cell(Record):
    """One independent piece of work: everything that decides its result, and nothing else.

    **Fields:**

    - `experiment`: the experiment it belongs to.
    - `name`: its name for people, unique within the experiment.
    - `function`: `module:name` of a function of the settings and a `Work` that returns a `CellFound`. It is a text, so
      that a cell can be sent to another process or machine.
    - `settings`: values that JSON can hold, by name, including the seed.
    - `code`: version of the code behind the function; a different version makes a different cell.
    - `time_limit`: seconds after which the cell is stopped and counts as not trained.
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
        # As they would be read from a file: tuples become lists, and no one else can change them.
        object.__setattr__(self, "settings", json.loads(text))

    @property
    def fingerprint(self) -> str:
        """Equal for two cells exactly if their results are: a digest of function, settings, code and time limit.

        Names are not included, so that experiments that need the same work share it.
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

    **Fields:** `numbers`, values that JSON can hold, by name (numbers that are not finite become null); `arrays`, for
    figures; `trained`, whether training reached its target.
    """

    numbers: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    trained: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class CellRecord(Record):
    """A cell with its result.

    **Fields:** `cell`; `status`; `numbers` and `arrays`, as in `CellFound`, empty if it failed or ran out of time;
    `seconds`; `message`, about the error or the limit that was reached; `made_by`, what ran it: versions of `attrax`,
    `jax` and `python`, `platform`, `cores`, the kind of `device` ("cpu" if JAX was not needed), and whether a
    `data_folder` was set.
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
        """The seed of the cell, if its settings have one."""
        found = self.cell.settings.get("seed")
        return found if isinstance(found, int) else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds of the cell."""
        return self.cell.seeds


class OutOfTime(Exception):
    """Raised through a progress callback when the time of a cell is over."""


@dataclass(frozen=True, slots=True)
class Work(Record):
    """What the function of a cell gets in addition to its settings.

    **Fields:** `progress`, to be passed to every long call of the library, which enforces the time limit; `checkpoint`,
    the cell's own file from which training continues after an interruption, or `None`; `memory`, the file beside it for
    what was written and certified.
    """

    progress: Progress
    checkpoint: Path | None = None

    @property
    def memory(self) -> Path | None:
        """The file of the memory with its certificate, beside the checkpoint."""
        return None if self.checkpoint is None else self.checkpoint.with_suffix(".attrax")

    @property
    def files(self) -> tuple[Path, ...]:
        """What an interrupted cell leaves."""
        return tuple(file for file in (self.checkpoint, self.memory) if file is not None)


def run_cell(cell: Cell, scratch: Path | None = None) -> CellRecord:
    """Runs a cell in this process. Any error it raises becomes part of the record.

    **Arguments:** `cell`; `scratch`, a folder for its checkpoint; without one, or if it is not writable from here, an
    interrupted cell starts again.
    """
    begun = time.perf_counter()

    def watch(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if time.perf_counter() - begun > cell.time_limit:
            raise OutOfTime

    checkpoint = None if not _writable(scratch) else scratch / f"{cell.fingerprint}.checkpoint"
    numbers: Mapping[str, Any] = {}
    arrays: Mapping[str, np.ndarray] = {}
    message = ""
    work = Work(watch, checkpoint)
    try:
        found, message = _found(cell, work)
        numbers, arrays = _plain(dict(found.numbers)), _storable(found.arrays)
        status = CellStatus.DONE if found.trained else CellStatus.NOT_TRAINED
        if not found.trained:
            message = "; ".join(filter(None, ["training did not reach what the cell asks for", message]))
    except OutOfTime:
        status, message = CellStatus.NOT_TRAINED, f"the time limit of {cell.time_limit:g} s was over"
    except Exception as error:  # an error in one cell must not stop the others
        status = CellStatus.FAILED
        message = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    if status is not CellStatus.FAILED:
        for file in work.files:
            file.unlink(missing_ok=True)
    return CellRecord(cell, status, numbers, arrays, time.perf_counter() - begun, message, _made_by())


def _writable(folder: Path | None) -> TypeGuard[Path]:
    """Whether a folder exists or can be created; on a machine of a cluster, the folder of another machine may not."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return folder is not None and os.access(folder, os.W_OK)


def _found(cell: Cell, work: Work) -> tuple[CellFound, str]:
    """The result of the cell's function, and a message about its checkpoint.

    A damaged checkpoint would make the cell fail in every run. Nothing else uses the file, so it is deleted.
    """
    module, _, name = cell.function.partition(":")
    function: Callable[..., CellFound] = getattr(importlib.import_module(module), name)
    try:
        return function(dict(cell.settings), work), ""
    except ValueError as error:
        # Messages about an unreadable file begin like this; those about a file with other data begin differently.
        damaged = next((file for file in work.files if str(error).startswith(f"{file} is ")), None)
        if damaged is None:
            raise
        damaged.unlink(missing_ok=True)
    return function(dict(cell.settings), work), "its checkpoint was damaged, so it was made again"


def _made_by() -> dict[str, Any]:
    jax = sys.modules.get("jax")  # a cell that computes nothing should not wait for it
    try:
        device = jax.devices()[0].device_kind if jax else "cpu"
    except RuntimeError:
        device = "none"
    try:
        own = version("attrax")
    except PackageNotFoundError:
        own = "not installed as a package"
    return {
        "attrax": own,
        "jax": version("jax"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "device": device,
        "data_folder": bool(os.environ.get("ATTRAX_DATA")),
    }


def _storable(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays as NumPy arrays. **Raises** `TypeError` or `ValueError` for arrays that the results file can't
    hold."""
    found = {str(name): np.asarray(value) for name, value in arrays.items()}
    for name, value in found.items():
        if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
            raise TypeError(f"the array {name} is of {value.dtype}; results hold real numbers and truth values")
    total = sum(value.nbytes for value in found.values())
    if total > _MOST_BYTES:
        raise ValueError(f"the arrays of a cell may have {_MOST_BYTES:,} bytes; these have {total:,}")
    return found


def _plain(value: Any) -> Any:
    """The value in the form of JSON. **Raises** `TypeError` if JSON can't hold it."""
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
    raise TypeError(f"{value!r} is not a value that JSON can hold")
