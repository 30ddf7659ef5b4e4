"""Results of cells in one SQLite file."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from attrax.extending import alone
from attrax.paper.sweeps._cells import Cell, CellRecord, CellStatus

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
  fingerprint TEXT PRIMARY KEY,
  experiment TEXT NOT NULL,
  name TEXT NOT NULL,
  function TEXT NOT NULL,
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  code TEXT NOT NULL,
  time_limit REAL NOT NULL,
  status TEXT NOT NULL,
  numbers TEXT NOT NULL CHECK (json_valid(numbers)),
  arrays BLOB NOT NULL,
  seconds REAL NOT NULL,
  message TEXT NOT NULL,
  made_by TEXT NOT NULL CHECK (json_valid(made_by))
)
"""

_ADD = f"""
INSERT OR REPLACE INTO results SELECT {", ".join(f":{place}" for place in range(13))}
WHERE NOT (:7 = 'failed' AND EXISTS (SELECT 1 FROM results WHERE fingerprint = :0 AND status != 'failed'))
"""


class ResultStore:
    """A file of results, one row per cell. Each row is one transaction, so that an interruption loses nothing that was
    added.

    Settings and numbers are JSON, arrays are safetensors. It can be used in a `with` statement, which closes it.

    **Arguments:** `path`, created if it is missing. **Raises** `ValueError` if it can't be opened or is not such a
    file; every method raises it if the file can't be read or written any more.

        >>> import tempfile
        >>> from attrax.paper.sweeps import Cell, CellRecord, CellStatus, ResultStore
        >>> cell = Cell("sums", "1+1", "operator:add", {"seed": 3})
        >>> with tempfile.TemporaryDirectory() as folder, ResultStore(f"{folder}/results.sqlite") as store:
        ...     store.add(CellRecord(cell, CellStatus.DONE, {"sum": 2}, {}, 0.1))
        ...     store.get(cell).numbers["sum"]
        2
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=30)
            # Readers may read while a sweep writes; with FULL, an added row also survives a power failure.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            with self._connection:
                self._connection.execute(_SCHEMA)
                self._connection.execute("SELECT fingerprint, numbers, arrays, message, made_by FROM results LIMIT 1")
        except (sqlite3.Error, OSError) as error:
            raise ValueError(f"{self.path}: the results can't be opened ({error}); name another file") from None

    def __enter__(self) -> "ResultStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A context in which this is the only run that adds results; reading is always possible.

        The system releases the lock when the process ends, however it ends. Does nothing on systems without locks.

        **Raises** `ValueError` if another run holds it.
        """
        with alone(self.path):
            yield

    def add(self, record: CellRecord) -> None:
        """Adds a record in one transaction, replacing one with the same fingerprint.

        A failure does not replace a result. **Raises** `ValueError` for arrays that safetensors can't hold.
        """
        cell = record.cell
        try:
            arrays = safetensors.numpy.save({name: np.asarray(a, order="C") for name, a in record.arrays.items()})
            numbers = json.dumps(dict(record.numbers), allow_nan=False)
        except (TypeError, ValueError, KeyError, safetensors.SafetensorError) as error:
            raise ValueError(f"the result of {cell.name} can't be kept: {error}") from None
        row = (
            cell.fingerprint,
            cell.experiment,
            cell.name,
            cell.function,
            json.dumps(dict(cell.settings)),
            cell.code,
            cell.time_limit,
            str(record.status),
            numbers,
            arrays,
            record.seconds,
            record.message,
            json.dumps(dict(record.made_by)),
        )
        with self._told(), self._connection:
            self._connection.execute(_ADD, {str(place): value for place, value in enumerate(row)})

    def get(self, cell: Cell) -> CellRecord | None:
        """The record of a cell, with the name of this `cell`; `None` if there is none."""
        with self._told():
            row = self._connection.execute(
                "SELECT status, numbers, arrays, seconds, message, made_by FROM results WHERE fingerprint = ?",
                (cell.fingerprint,),
            ).fetchone()
            return None if row is None else _record(cell, row)

    def finished(self, cells: Iterable[Cell]) -> set[str]:
        """Fingerprints of those of `cells` that need not run again: all that are stored, except failed ones."""
        with self._told():
            known = dict(self._connection.execute("SELECT fingerprint, status FROM results"))
        return {cell.fingerprint for cell in cells if known.get(cell.fingerprint) not in (None, str(CellStatus.FAILED))}

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turns every error with the file into a `ValueError` that names it."""
        try:
            yield
        except (sqlite3.Error, safetensors.SafetensorError, ValueError) as error:
            raise ValueError(
                f"{self.path}: the results can't be read or written ({error}); see whether the disk is full or the "
                "file damaged, or name another folder"
            ) from None


def _record(cell: Cell, row: tuple[Any, ...]) -> CellRecord:
    status, numbers, arrays, seconds, message, made_by = row
    return CellRecord(
        cell,
        CellStatus(status),
        json.loads(numbers),
        safetensors.numpy.load(arrays),
        float(seconds),
        message,
        json.loads(made_by),
    )
