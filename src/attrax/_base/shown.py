"""How records are displayed: a short `repr`, a table in notebooks, plain values for JSON, a data frame for pandas."""

from __future__ import annotations

import dataclasses
import html
import importlib
import inspect
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from attrax._base.lazy import lazy

if TYPE_CHECKING:
    import numpy as np

    from attrax._base import pictures as drawing
else:
    # The command line's help reads records, and must not wait for NumPy.
    np, drawing = lazy("numpy"), lazy("attrax._base.pictures")

_WIDTH = 110
_FACTS = 10
"""Number of fields with a line of their own in a `repr`; the last line names the rest."""
_FULL = 6
"""Values of a tuple or an array that are shown in full."""
_PICTURES = 8
_TABLE_ROWS = 10
_LARGE = 1_000_000
"""Above this number of entries, the range of an array is not computed."""


class Record:
    """A dataclass that is shown in a few lines, however large its arrays are.

    Where all fields have defaults, a record is a set of settings, shown as the call that makes it.
    """

    __slots__ = ()

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    derived: ClassVar[tuple[str, ...]] = ()
    """Properties that are shown after the fields and included in `as_dict`."""
    shown_first: ClassVar[tuple[str, ...]] = ()
    """Fields and properties that are shown first, the most important ones. By default the fields in their order."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # `dataclass` generates `__repr__` unless the class itself defines one.
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Record.__repr__

    def as_dict(self) -> dict[str, Any]:
        """Fields and derived properties as plain Python values that strict JSON can hold.

        Numbers that are not finite become `None`, complex numbers become pairs. Objects that are not data, such as a
        map, are described in words.
        """
        return {name: plain(value) for name, value in self._values().items()}

    def _values(self) -> dict[str, Any]:
        names = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in [*names, *self.derived] if hasattr(self, name)}

    def _facts(self) -> dict[str, Any]:
        """The values to show, the most important first."""
        values = self._values()
        first = {name: values[name] if name in values else getattr(self, name) for name in self.shown_first}
        return first | values

    def _brief(self) -> str:
        """One line, used when the record is a field of another record."""
        settings = _changed(self)
        facts = self._facts() if settings is None else settings
        return _short(_call(self, facts, ": " if settings is None else "="), 90)

    def _pictures(self) -> list[tuple[str, np.ndarray]]:
        """Pixels with captions for notebooks."""
        return []

    def __repr__(self) -> str:
        settings = _changed(self)
        if settings is not None:
            facts, between = settings, "="
        else:
            facts, between = self._facts(), ": "
        whole = _call(self, facts, between)
        if len(whole) <= _WIDTH:
            return whole
        lines = [f"{name}{between}{text(value)}" for name, value in facts.items()]
        rest = [] if len(lines) <= _FACTS else ["also " + ", ".join([*facts][_FACTS:])]
        return "\n".join([type(self).__name__, *("  " + _short(line, _WIDTH) for line in [*lines[:_FACTS], *rest])])

    def _repr_html_(self) -> str:
        settings = _changed(self)
        facts = self._facts() if settings is None else settings
        pictures = "".join(
            f'<figure style="display:inline-block;margin:2px;text-align:center"><img alt="" '
            f'src="{drawing.data_uri(picture)}" style="height:64px;image-rendering:pixelated">'
            f'<figcaption style="font-size:smaller">{html.escape(_short(caption, 24))}</figcaption></figure>'
            for caption, picture in self._pictures()
        )
        rows = [[name, text(value)] for name, value in facts.items()]
        return f"<div><b>{type(self).__name__}</b>{_table([], rows)}{pictures}{self._rows_html()}</div>"

    def _rows_html(self) -> str:
        return ""


class Rows(Record):
    """A record in which several fields have one entry per row."""

    __slots__ = ()

    rows_of: ClassVar[str]
    """A field with one entry per row. If its entries are records, each of them is a row."""

    def _cell(self, value: Any) -> str:
        """One value as shown in a table."""
        return text(value)

    def _columns(self) -> dict[str, Any]:
        """The fields that have one scalar entry per row.

        If shapes are annotated, the axis name decides, because lengths could be equal by chance.
        """
        column = getattr(self, self.rows_of)
        records = [one for one in column if isinstance(one, Record)]
        if records:
            values = [one._values() for one in records]
            columns = {name: [row[name] for row in values if name in row] for name in values[0]}
            return {name: column for name, column in columns.items() if not _holds_arrays(column)}
        axes = {field.name: getattr(field.type, "dim_str", "") for field in dataclasses.fields(self)}
        axis = axes[self.rows_of] or next((one for one in axes.values() if one and " " not in one.strip()), "")
        found = {}
        for name, value in self._values().items():
            array = isinstance(value, np.ndarray)
            if not (array and value.ndim == 1) and not (isinstance(value, tuple) and not array):
                continue
            if len(value) != len(column) or (axes.get(name) and axes[name].strip() != axis.strip()):
                continue
            if not _holds_arrays(value):
                found[name] = value
        return found

    def as_rows(self) -> list[dict[str, Any]]:
        """One dictionary of plain values per row, as in `as_dict`."""
        columns = self._columns()
        values = [plain(column) for column in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]

    def to_frame(self) -> Any:
        """The rows as a `pandas.DataFrame`. **Raises** `ImportError` where pandas is not installed."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise ImportError(
                "to_frame needs pandas, which is not installed: run pip install pandas, or use as_rows()"
            ) from None
        return pandas.DataFrame(
            {
                name: [str(one) if isinstance(one, Enum) else one for one in column]
                for name, column in self._columns().items()
            }
        )

    def _rows_html(self) -> str:
        columns = self._columns()
        total = len(getattr(self, self.rows_of))
        rows = [
            [str(row), *(_short(self._cell(column[row]), 60) for column in columns.values())]
            for row in range(min(total, _TABLE_ROWS))
        ]
        more = f"<p>{total - _TABLE_ROWS} more rows: as_rows() or to_frame()</p>" if total > _TABLE_ROWS else ""
        return _table(["", *columns], rows) + more if rows else ""


class Words(str):
    """A text about a value, which is shown without quotation marks."""


def text(value: Any) -> str:
    """A value in at most one line."""
    return _short(_text(value), _WIDTH)


def plain(value: Any) -> Any:
    """The value as strict JSON can hold it; objects that are not data are described in words."""
    if isinstance(value, Record):
        return value.as_dict()
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | range | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # arrays, and numbers of NumPy
        return plain(value.tolist())
    return _text(value)


def strip(states: np.ndarray, captions: list[str], references: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The first few states as pictures with captions; none where states are not pictures."""
    if not len(states) or not drawing.is_picture(states.shape[1:]):
        return []
    shown = drawing.pixels(states[:_PICTURES], references)
    return list(zip(captions[:_PICTURES], shown, strict=True))


def counts(values: Any) -> str:
    """How often each value occurs, the most frequent first."""
    found = Counter(str(value.value if isinstance(value, Enum) else value) for value in values)
    listed = [f"{number} {name}" for name, number in found.most_common(_FULL)]
    return ", ".join(listed) + (", …" if len(found) > _FULL else "")


def span(values: np.ndarray) -> str:
    """The least and the largest finite value, and how many are not finite."""
    finite = values[np.isfinite(values)]
    lost = values.size - finite.size
    parts = []
    if finite.size:
        low, high = _number(finite.min()), _number(finite.max())
        parts = [f"{low} to {high}" if low != high else f"all {low}" if finite.size > 1 else low]
    return ", ".join([*parts, *([f"{lost} not finite"] if lost else [])])


def _holds_arrays(column: Any) -> bool:
    return any(isinstance(one, np.ndarray) for one in column)


def _changed(record: Record) -> dict[str, Any] | None:
    """The settings that differ from their defaults; `None` if some argument has no default."""
    arguments = list(inspect.signature(type(record).__init__).parameters.values())[1:]
    named = [one for one in arguments if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if any(one.default is one.empty for one in named):
        return None
    # Where the constructor takes single settings, those of nested records are shown in that form.
    flat = any(one.kind is one.VAR_KEYWORD for one in arguments)
    defaults = {one.name: one.default for one in named}
    found = {}
    for field in dataclasses.fields(record):
        if field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
        value, default = getattr(record, field.name, None), defaults.get(field.name)
        inner = _changed(value) if flat and isinstance(value, Record) else None
        if inner is not None:
            found |= inner
        elif value is not default and _text(value) != _text(default):
            found[field.name] = value
    return found


def _call(record: Record, facts: Mapping[str, Any], between: str) -> str:
    return f"{type(record).__name__}({', '.join(f'{name}{between}{text(value)}' for name, value in facts.items())})"


def _text(value: Any) -> str:
    if isinstance(value, Record):
        return value._brief()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Words):
        return str(value)
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, bool | np.bool_) or value is None:
        return str(value)
    if isinstance(value, float | np.floating):
        return _number(value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, Mapping):
        listed = [f"{name}: {_text(item)}" for name, item in list(value.items())[: 2 * _FULL]]
        return "{" + ", ".join(listed) + (", …}" if len(value) > len(listed) else "}")
    if isinstance(value, tuple | list):
        return _sequence(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}(…)"
    if callable(value):
        return getattr(value, "__name__", None) or type(value).__name__
    return repr(value).partition("\n")[0]


def _array(value: Any) -> str:
    if not value.ndim and isinstance(value, np.ndarray | np.generic):
        return _text(value.item())
    name = f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    # Arrays on a device are not fetched, and tracers have no values to show.
    if not isinstance(value, np.ndarray) or value.ndim != 1 or not value.size or value.size > _LARGE:
        return name
    if value.dtype.kind == "b":
        return f"{name}, {int(value.sum())} true"
    if value.dtype.kind not in "iuf":
        return counts(value) if value.dtype.kind in "OUS" else name
    if value.size <= _FULL:
        return f"[{', '.join(_number(one) for one in value)}]"
    return f"{name}, {span(value)}"


def _sequence(value: tuple[Any, ...] | list[Any]) -> str:
    if len(value) > _FULL and all(isinstance(one, Enum) for one in value):
        return counts(value)
    if len(value) > _FULL and all(isinstance(one, str) for one in value) and len(set(value)) <= _FULL:
        return counts(value)
    listed = ", ".join(_short(_text(one), 60) for one in value[:_FULL])
    if len(value) > _FULL:
        return f"{len(value)}: {listed}, …"
    return f"[{listed}]" if isinstance(value, list) else f"({listed}{',' if len(value) == 1 else ''})"


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int | np.integer) else f"{float(value):.6g}"


def _short(line: str, width: int) -> str:
    line = " ".join(line.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _table(head: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + (line(head, "th") if head else "") + "".join(line(row, "td") for row in rows) + "</table>"


_Joined = TypeVar("_Joined", bound=Record)


def joined(parts: Sequence[_Joined]) -> _Joined:
    """One record with the rows of several, in order; what has no rows is that of the first."""
    found: dict[str, Any] = {}
    for name in (field.name for field in dataclasses.fields(parts[0])):
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], np.ndarray):
            found[name] = np.concatenate(values)
        elif isinstance(values[0], tuple):
            found[name] = tuple(one for value in values for one in value)
        else:
            found[name] = joined(values) if isinstance(values[0], Record) else values[0]
    return type(parts[0])(**found)
