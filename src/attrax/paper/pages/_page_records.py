"""The parts of a page about many experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attrax.extending import Record


@dataclass(frozen=True, slots=True)
class PageTable(Record):
    """A table on the page: `caption`, `head` and `rows` of texts."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PageCell(Record):
    """One cell on the page.

    **Fields:** `name`; `status`; `facts` by name; a `message`, if any; the `command`; `more`, by name the values that
    are too long for the page and are only in the CSV file.
    """

    name: str
    status: str
    facts: Mapping[str, Any]
    message: str
    command: str
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class PagePart(Record):
    """An experiment in one mode.

    **Fields:** `mode`; `here`, `low` and `high`, our number and its range; `outcome`, a word; `text`, the result in
    words; `figures`, PNG files with the sentences below them; `tables`; `cells`.
    """

    mode: str
    here: float | None
    low: float | None
    high: float | None
    outcome: str
    text: str = ""
    figures: Sequence[tuple[bytes, str]] = ()
    tables: Sequence[PageTable] = ()
    cells: Sequence[PageCell] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PageSection(Record):
    """An experiment: `id`, `title`, the paper's `statement` and number (`None` where it is lost), its `unit`, `notes`,
    and one part per mode."""

    id: str
    title: str
    statement: str
    paper: float | None
    unit: str
    notes: str
    parts: Sequence[PagePart] = field(default=())
