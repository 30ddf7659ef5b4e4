"""Results of cells in one SQLite file."""

import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from attrax.sweeps._cells import Cell, CellRecord, CellStatus

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
  message TEXT NOT NULL
)
"""


class ResultStore:
    """A file of results, one row a cell; each is one transaction, so that a kill loses nothing that was added.

    Settings and numbers are JSON, arrays are safetensors. May be used with `with`, which closes it.

    **Arguments:** `path`, created where it is missing. **Raises** `ValueError` where it can't be opened or is no such
    file.

        >>> import tempfile
        >>> from attrax.sweeps import Cell, CellRecord, CellStatus, ResultStore
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
            # Readers may look while a sweep writes; FULL makes a row that was added outlive a power cut, too.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            with self._connection:
                self._connection.execute(_SCHEMA)
                self._connection.execute("SELECT fingerprint, numbers, arrays, message FROM results LIMIT 1")
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

    def add(self, record: CellRecord) -> None:
        """Adds a record in one transaction, in place of one of the same fingerprint."""
        cell = record.cell
        arrays = {name: np.ascontiguousarray(value) for name, value in record.arrays.items()}
        row = (
            cell.fingerprint, cell.experiment, cell.name, cell.function, json.dumps(dict(cell.settings)), cell.code,
            cell.time_limit, str(record.status), json.dumps(dict(record.numbers), allow_nan=False),
            safetensors.numpy.save(arrays), record.seconds, record.message,
        )  # fmt: skip
        with self._connection:
            self._connection.execute(f"INSERT OR REPLACE INTO results VALUES ({', '.join('?' * len(row))})", row)

    def get(self, cell: Cell) -> CellRecord | None:
        """The record of a cell, under the name that it has here; `None` where there is none."""
        row = self._connection.execute(
            "SELECT status, numbers, arrays, seconds, message FROM results WHERE fingerprint = ?", (cell.fingerprint,)
        ).fetchone()
        return None if row is None else _record(cell, row)

    def finished(self, cells: Iterable[Cell]) -> set[str]:
        """Fingerprints of those of `cells` that need not run again: all that are here, save for the failed ones."""
        known = dict(self._connection.execute("SELECT fingerprint, status FROM results"))
        return {cell.fingerprint for cell in cells if known.get(cell.fingerprint) not in (None, str(CellStatus.FAILED))}


def _record(cell: Cell, row: tuple[Any, ...]) -> CellRecord:
    status, numbers, arrays, seconds, message = row
    return CellRecord(
        cell, CellStatus(status), json.loads(numbers), safetensors.numpy.load(arrays), float(seconds), message
    )
