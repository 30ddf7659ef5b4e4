"""Vectors written as text: points on the command line, and tables of numbers in `.csv` files."""

import csv
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular, read_regular
from attrax.sources._records import Source, SourceError, numbered, reason

_MOST = 64 * 2**20
"""Bytes of the largest table that is read; larger ones belong in an array file."""
_OBJECTS = 80
"""Bytes of Python objects for each byte of a table of single digits."""
_MOST_TYPED = 2**20
"""Characters of the longest list of points; longer ones belong in a file."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]{1,9}")
_MISSING = {"nan", "na", "n/a", "null", "none", "inf", "infinity", "-nan", "-inf", "+inf", "-infinity", "+infinity"}
_COUNTERS = {"", "index", "idx", "id", "#", "no", "no.", "row", "unnamed: 0"}
"""Names that programs give to a column that counts the rows."""


def points(spec: str) -> Source:
    """The vectors in a text such as `points:0.1,0.2;0.8,0.4`: entries between commas, vectors between semicolons."""
    if len(spec) > _MOST_TYPED:
        raise SourceError(
            f"{spec[:40]}…: points that are written out may take at most {_MOST_TYPED:,} characters; these take "
            f"{len(spec):,}. Save them as a .csv or .npy file"
        )
    rows = [row.split(",") for row in spec.removeprefix("points:").split(";") if row.strip()]
    if not rows:
        raise SourceError(f"{_short(spec)}: there must be at least one point, as in points:0.1,0.2;0.8,0.4")
    return _vectors("points", "", rows, _short(spec), None)


def table(path: Path) -> Source:
    """The rows of a `.csv` file: numbers between commas, one vector a row.

    A first row of which any entry is no plain number is a header, and so is one that counts the columns, or the years,
    above rows that are not of this kind. A first column of texts holds the names of the examples; one that counts the
    rows and has no name of its own is left out. What may be either is refused, with what to change.
    """
    try:
        size = check_regular(path)
        if size > _MOST:
            raise SourceError(f"{path}: a table may take at most {_MOST:,} bytes; save it with numpy.save as .npy")
        refuse_beyond_memory(str(path), _OBJECTS * size, "save it with numpy.save as .npy", error=SourceError)
        text = read_regular(path).decode("utf-8-sig")
        rows = [row for row in csv.reader(text.splitlines()) if any(entry.strip() for entry in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: the file cannot be read as a table ({reason(error)})") from error
    rows = [[entry.strip() for entry in row] for row in rows]
    header = rows.pop(0) if rows and _is_header(rows, str(path)) else None
    if not rows:
        raise SourceError(f"{path}: there must be at least one row of numbers with commas between")
    rows, names, notes = _without_index(rows, header, path)
    place = "" if path.parent == Path() else f"{path.parent}/"
    return _vectors(path.name, place, rows, str(path), names, notes)


def _is_header(rows: list[list[str]], label: str) -> bool:
    """Whether the first row holds names. **Raises** `SourceError` where it may as well hold numbers."""
    # Names of the rows say nothing of the columns.
    named = len(rows) > 1 and all(row[0] and _is_text(row[0]) for row in rows[1:])
    first, *others = [row[1:] for row in rows] if named else rows
    texts = [entry for entry in first if not _NUMBER.fullmatch(entry)]
    if texts:
        # A row of data with a gap is no header: as one it would vanish without a word.
        return not (all(entry.casefold() in _MISSING for entry in texts) and len(texts) < len(first))
    for is_kind, certain in ((_are_years, True), (_count_columns, len(first) > 2)):
        if len(first) < 2 or not others or not is_kind(first) or any(is_kind(row) for row in others):
            continue
        if certain and all(any(not _WHOLE.fullmatch(entry) for entry in row) for row in others):
            return True
        raise SourceError(
            f"{label}: the first row, {','.join(first[:4])}{',…' if len(first) > 4 else ''}, may be the names of the "
            f"columns or an example. Delete it if it is names; write {first[0]}.0 for {first[0]} if it is an example"
        )
    return False


def _is_text(entry: str) -> bool:
    return not _NUMBER.fullmatch(entry) and entry.casefold() not in _MISSING


def _are_years(entries: list[str]) -> bool:
    if not all(_WHOLE.fullmatch(entry) for entry in entries):
        return False
    numbers = [int(entry) for entry in entries]
    return numbers[0] >= 1000 and numbers[-1] < 3000 and all(one < other for one, other in pairwise(numbers))


def _count_columns(entries: list[str]) -> bool:
    """Whether these are 0, 1, 2, … or 1, 2, 3, …"""
    if not all(_WHOLE.fullmatch(entry) for entry in entries):
        return False
    numbers = [int(entry) for entry in entries]
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _without_index(
    rows: list[list[str]], header: list[str] | None, path: Path
) -> tuple[list[list[str]], tuple[str, ...] | None, tuple[str, ...]]:
    """The rows without a column that only counts or names them; the names; and a note."""
    if any(len(row) < 2 for row in rows):
        return rows, None, ()
    column = [row[0] for row in rows]
    # A header that is one shorter has no name for the index, as R writes it.
    name = None if header is None else header[0].casefold() if len(header) == len(rows[0]) else ""
    rest = [row[1:] for row in rows]
    if all(entry and _is_text(entry) for entry in column):
        return rest, tuple(column), ()
    counts = _count_columns(column)
    if name in _COUNTERS:
        if counts:
            return rest, None, (f"{path}: left out the first column, which counts the rows",)
        called = "has no name" if name == "" else f"is called {name}"
        raise SourceError(
            f"{path}: the first column {called} in the header, as an index would be, but does not count the rows. "
            "Delete it if it is an index; give it another name if it is part of each example"
        )
    fractions = any("." in entry or "e" in entry.casefold() for row in rest for entry in row)
    if name is None and counts and len(rows) > 2 and fractions:
        raise SourceError(
            f"{path}: the first column counts the rows, so it may be an index or part of each example. Delete it if it "
            f"is an index; write {column[0]}.0 for {column[0]} if it is not"
        )
    return rows, None, ()


def _vectors(
    name: str,
    place: str,
    rows: list[list[str]],
    label: str,
    names: tuple[str, ...] | None,
    notes: tuple[str, ...] = (),
) -> Source:
    values = []
    for number, row in enumerate(rows):
        numbers = [_number(entry) for entry in row]
        wrong = [entry for entry, found in zip(row, numbers, strict=True) if found is None]
        if wrong:
            raise SourceError(
                f"{label}: row {number} must hold finite numbers with commas between; it holds {_short(wrong[0])}"
            )
        if len(numbers) != len(rows[0]):
            raise SourceError(
                f"{label}: all rows must be of one length; row 0 has {len(rows[0])} numbers and row {number} has "
                f"{len(numbers)}"
            )
        values.append(numbers)
    array = np.array(values, np.float64)
    return Source("vectors", names or numbered(name, len(array)), place, lambda index: array[index], notes=notes)


def _number(entry: str) -> float | None:
    value = float(entry) if _NUMBER.fullmatch(entry.strip()) else math.nan
    return value if math.isfinite(value) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
