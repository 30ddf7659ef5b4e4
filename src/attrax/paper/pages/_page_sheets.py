"""The CSV files of a page about experiments."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from attrax.paper.pages._page_records import PagePart, PageSection, PageTable

_COLUMNS = ("mode", "cell", "status", "message", "command")
"""Columns of the CSV file of cells, before their numbers."""


def csv_files(section: PageSection) -> dict[str, str]:
    """The CSV files of a section by name: its cells, and each of its tables."""
    found = {f"{section.id}.csv": _csv(section)}
    for part in section.parts:
        for number, table in enumerate(part.tables):
            found[table_name(section, part, number)] = csv_table(table)
    return found


def table_name(section: PageSection, part: PagePart, number: int) -> str:
    return f"{section.id}-{part.mode}-{number}.csv"


def csv_table(table: PageTable) -> str:
    return _csv_text([table.head, *table.rows])


def _csv(section: PageSection) -> str:
    """One row per cell; the columns are those of all cells together."""
    cells = [(part.mode, cell, {**cell.facts, **cell.more}) for part in section.parts for cell in part.cells]
    names = list(dict.fromkeys(name for _, _, numbers in cells for name in numbers))
    # A number may have the name of a column, such as the status of training, but column names must be unique.
    heads = [f"numbers_{name}" if name in _COLUMNS else name for name in names]
    rows: list[Sequence[Any]] = [["mode", "cell", "status", *heads, "message", "command"]]
    for mode, cell, numbers in cells:
        told = ["" if numbers.get(name) is None else numbers[name] for name in names]
        rows.append([mode, cell.name, cell.status, *told, cell.message, cell.command])
    return _csv_text(rows)


def _csv_text(rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
