"""Vectors written as text: points on the command line, and tables of numbers in `.csv` files."""

import csv
import math
from pathlib import Path

import numpy as np

from attrax.sources._records import Source, SourceError, numbered, reason

_MOST = 64 * 2**20
"""Bytes of the largest table that is read; larger ones belong in an array file."""


def points(spec: str) -> Source:
    """The vectors in a text such as `points:0.1,0.2;0.8,0.4`: entries between commas, vectors between semicolons."""
    rows = [row.split(",") for row in spec.removeprefix("points:").split(";") if row.strip()]
    if not rows:
        raise SourceError(f"{spec!r}: there must be at least one point, as in points:0.1,0.2;0.8,0.4")
    return _vectors("points", "", rows, repr(spec))


def table(path: Path) -> Source:
    """The rows of a `.csv` file: numbers between commas, one vector a row, under one row of names at most."""
    try:
        if path.stat().st_size > _MOST:
            raise SourceError(f"{path}: a table may take at most {_MOST:,} bytes; save it with numpy.save as .npy")
        text = path.read_text(encoding="utf-8-sig")
        rows = [row for row in csv.reader(text.splitlines()) if any(entry.strip() for entry in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: the file cannot be read as a table ({reason(error)})") from error
    if rows and not any(_is_number(entry) for entry in rows[0]):
        rows = rows[1:]  # a row of names
    if not rows:
        raise SourceError(f"{path}: there must be at least one row of numbers with commas between")
    place = "" if path.parent == Path() else f"{path.parent}/"
    return _vectors(path.name, place, rows, str(path))


def _vectors(name: str, place: str, rows: list[list[str]], label: str) -> Source:
    values = []
    for number, row in enumerate(rows):
        numbers = [_number(entry) for entry in row]
        wrong = [entry for entry, found in zip(row, numbers, strict=True) if found is None]
        if wrong:
            raise SourceError(
                f"{label}: row {number} must hold finite numbers with commas between; it holds {wrong[0]!r}"
            )
        if len(numbers) != len(rows[0]):
            raise SourceError(
                f"{label}: all rows must be of one length; row 0 has {len(rows[0])} numbers and row {number} has "
                f"{len(numbers)}"
            )
        values.append(numbers)
    array = np.array(values, np.float64)
    return Source("vectors", numbered(name, len(array)), place, lambda index: array[index])


def _number(entry: str) -> float | None:
    value = float(entry) if _is_number(entry) else math.nan
    return value if math.isfinite(value) else None


def _is_number(entry: str) -> bool:
    try:
        float(entry)
    except ValueError:
        return False
    return True
