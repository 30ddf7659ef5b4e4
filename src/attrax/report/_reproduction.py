"""One page about many experiments: what the paper says, what came out, figures, tables, and how to make each again."""

import base64
import csv
import io
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from attrax import _checks
from attrax._files import write_atomically
from attrax.report._style import STYLE

PAGE_FORMATS = ("html", "md")
"""What `write_reproduction` can write."""

_MARKS = {
    "reproduced": ("✓", "good", "what the paper states was found, for every seed"),
    "partly": ("◐", "soft", "it was found in part, or for some of the seeds"),
    "not": ("✗", "bad", "it was not found"),
    "inconclusive": ("?", "soft", "too few networks were trained, or too few numbers can be compared, to say either"),
    "not trained": ("–", "soft", "no network reached its loss, so nothing is said for or against the statement"),
    "lost": ("∅", "soft", "there is nothing left to compare with"),
    "unfinished": ("…", "soft", "cells have not run, or failed, or what they tell could not be drawn"),
}
"""Sign, look and meaning of each verdict."""
_FEW_COLUMNS = 8
"""A table with more is set smaller."""
_WIDE = 720
"""A picture of more pixels across is scrolled on a phone, instead of shrunk until nobody can read it."""
_COLUMNS = ("mode", "cell", "status", "message", "command")
"""Of the CSV file of cells, beside their numbers."""
_MODES = {"paper": "the paper’s recipe", "attrax": "attrax’s writers"}

_MORE_STYLE = """
nav{font-size:.92rem;line-height:1.9}nav a{margin-right:.9rem;white-space:nowrap}
a{color:var(--link)}
figure.wide{max-width:60rem}
figure img{max-width:100%;height:auto;display:block;background:#fff;border-radius:.3rem}
.badge{white-space:nowrap;font-weight:650}
table.plain th,table.plain td{text-align:left}
td.name{overflow-wrap:break-word}
table.dense{font-size:.78rem}table.dense th,table.dense td{padding:.3rem .35rem}
details pre{white-space:pre-wrap;overflow-wrap:anywhere}
.quote{border-left:3px solid var(--line);padding-left:.8rem}
@media(max-width:34rem){figure img.large{max-width:none;width:40rem}
table.stack td>span{min-width:0;overflow-wrap:anywhere}table.plain{font-size:.8rem}
table.plain th,table.plain td{padding:.3rem .4rem}}
"""


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table on the page: `caption`, `head` and `rows` of texts."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PageCell:
    """One cell on the page.

    **Fields:** `name`; `status`; `facts` by name; a `message` where there is one; the `command`; `more`, by name what
    is too long for the page and stands in the CSV file only.
    """

    name: str
    status: str
    facts: Mapping[str, Any]
    message: str
    command: str
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class PagePart:
    """An experiment in one mode.

    **Fields:** `mode`; `here`, `low` and `high`, our number and its spread; `outcome`, a word; `text`, what was found;
    `figures`, PNG files with the sentences below them; `tables`; `cells`.
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
class PageSection:
    """An experiment: `id`, `title`, the paper's `statement` and number (`None` where it is lost), its `unit`, `notes`,
    and a part a mode."""

    id: str
    title: str
    statement: str
    paper: float | None
    unit: str
    notes: str
    parts: Sequence[PagePart] = field(default=())


def write_reproduction(
    folder: str | os.PathLike[str],
    sections: Sequence[PageSection],
    *,
    title: str = "The paper, made again",
    facts: Mapping[str, Any] | None = None,
    note: str = "",
    command: str = "",
    format: str = "html",
) -> tuple[Path, ...]:
    """Writes `index.html` or `index.md` to a folder, and in `csv/` the cells of each experiment and each table.

    The HTML page needs no other file, no script and no network; its links hold the tables. The Markdown page has its
    figures as PNG files in `figures/`. Equal sections give equal files. What an earlier page left in the folder
    stays there.

    **Arguments:** `folder`, created where it is missing; `sections`; `title`; `facts`, names and values below it;
    `note`, on the verdicts as a whole; `command`, which makes the page again; `format`, one of `PAGE_FORMATS`.

    **Returns:** the files, the page first. **Raises** `ValueError` for another format, or where they can't be written.

        >>> import tempfile
        >>> section = PageSection("fig0", "Fig. 0", "Nothing is.", 0, "things", "")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write_reproduction(folder, [section])]
        ['index.html', 'fig0.csv']
    """
    _checks.one_of("format", format, PAGE_FORMATS)
    folder = Path(folder)
    try:
        (folder / "csv").mkdir(parents=True, exist_ok=True)
        if format == "md":
            (folder / "figures").mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} can't be created: {error.strerror or error}") from None
    data = {name: text for section in sections for name, text in _csv_files(section).items()}
    files = [write_atomically(folder / "csv" / name, text.encode()) for name, text in data.items()]
    if format == "html":
        text = _html(sections, title, facts or {}, note, command)
        page = write_atomically(folder / "index.html", text.encode())
    else:
        text, pictures = _markdown(sections, title, facts or {}, note, command)
        files += [write_atomically(folder / "figures" / name, content) for name, content in pictures.items()]
        page = write_atomically(folder / "index.md", text.encode())
    return page, *files


def _html(sections: Sequence[PageSection], title: str, facts: Mapping[str, Any], note: str, command: str) -> str:
    parts = [
        f"<h1>{escape(title)}</h1>\n",
        _facts(facts),
        _cards(sections),
        '<nav aria-label="Experiments">',
        " ".join(f'<a href="#{escape(section.id)}">{escape(section.id)}</a>' for section in sections),
        "</nav>\n",
        _overview(sections, note),
        *(_section(section) for section in sections),
    ]
    if command:
        parts.append(f'<h2 id="again">Make this page again</h2>\n<pre>{escape(command)}</pre>\n')
    # The empty icon keeps browsers from asking a server for one.
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}{_MORE_STYLE}</style>
</head>
<body>
<main>
{"".join(parts)}
</main>
</body>
</html>
"""


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    return f'<dl class="settings">{listed}</dl>\n'


def _cards(sections: Sequence[PageSection]) -> str:
    counts = Counter(part.outcome for section in sections for part in section.parts)
    listed = "".join(
        f'<div><dd><span class="{look}">{mark}</span> {counts[name]}</dd><dt>{escape(name)}</dt></div>'
        for name, (mark, look, _) in _MARKS.items()
        if counts[name]
    )
    return f'<dl class="figures">{listed}</dl>\n'


def _overview(sections: Sequence[PageSection], note: str) -> str:
    head = ("experiment", "mode", "verdict", "paper", "here", "unit")
    rows = []
    for section in sections:
        for part in section.parts:
            cells = (
                f'<a href="#{escape(section.id)}-{escape(part.mode)}">{escape(section.title)}</a>',
                escape(part.mode),
                _badge(part.outcome),
                escape(_number(section.paper)),
                escape(_spread(part)),
                escape(section.unit),
            )
            rows.append(
                "<tr>"
                + "".join(f'<td data-name="{name}"><span>{text}</span></td>' for name, text in zip(head, cells,
                                                                                                  strict=True))
                + "</tr>"
            )  # fmt: skip
    headings = "".join(f'<th scope="col">{name}</th>' for name in head)
    meanings = "".join(f"<dt>{_badge(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in _legend(sections))
    return f"""<h2>At a glance</h2>
<p class="soft">{escape(_READING)} {escape(note)}</p>
<dl class="settings">{meanings}</dl>
<div class="scroll"><table class="stack plain"><thead><tr>{headings}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>
"""


_READING = (
    "“paper” is the number printed in the paper’s text, a dash where it is lost or there was none. “here” is the "
    "number of this run, as a rule the median over the networks trained. Brackets behind it hold the range it comes "
    "with, as a rule the least and the largest, for a rank correlation its 95 % interval; a number without has none."
)


def _legend(sections: Sequence[PageSection]) -> list[tuple[str, str]]:
    """The verdicts on the page, each with its meaning."""
    there = {part.outcome for section in sections for part in section.parts}
    return [(name, meaning) for name, (_, _, meaning) in _MARKS.items() if name in there]


def _badge(outcome: str) -> str:
    mark, look, _ = _MARKS.get(outcome, ("", "soft", ""))
    return f'<span class="badge {look}">{mark} {escape(outcome)}</span>'


def _section(section: PageSection) -> str:
    parts = [
        f'<section><h2 id="{escape(section.id)}">{escape(section.title)}</h2>\n',
        f'<p class="quote">{escape(section.statement)}</p>\n',
    ]
    if section.notes:
        parts.append(f'<p class="soft">{escape(section.notes)}</p>\n')
    parts += [_part(section, part) for part in section.parts]
    name = f"{section.id}.csv"
    parts.append(f"<p>{_download(name, _csv_files(section)[name], 'All cells as CSV')}</p></section>\n")
    return "".join(parts)


def _download(name: str, text: str, words: str) -> str:
    """A link that holds the file itself, so that the page can be sent alone."""
    content = base64.b64encode(text.encode()).decode("ascii")
    return f'<a href="data:text/csv;charset=utf-8;base64,{content}" download="{escape(name)}">{escape(words)}</a>'


def _part(section: PageSection, part: PagePart) -> str:
    mode = _MODES.get(part.mode, part.mode)
    parts = [
        f'<h3 id="{escape(section.id)}-{escape(part.mode)}">With {escape(mode)}: {_badge(part.outcome)}</h3>\n',
        f"<p>Paper: {escape(_number(section.paper))}. Here: <b>{escape(_spread(part))}</b>{escape(_unit(section))}. "
        f"{escape(part.text)}</p>\n",
    ]
    for picture, caption in part.figures:
        alt = f"{section.title}, {mode}"
        large = ' class="large"' if _width(picture) > _WIDE else ""
        parts.append(
            f'<figure class="wide"><div class="scroll"><img{large} alt="{escape(alt)}" src="data:image/png;base64,'
            f'{base64.b64encode(picture).decode("ascii")}"></div><figcaption>{escape(caption)}</figcaption></figure>\n'
        )
    for number, table in enumerate(part.tables):
        look = "plain dense" if len(table.head) > _FEW_COLUMNS else "plain"
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
        rows = "".join(
            "<tr>" + "".join(f'<td class="name">{escape(text)}</td>' for text in row) + "</tr>" for row in table.rows
        )
        parts.append(
            f'<div class="scroll"><table class="{look}"><thead><tr>{head}</tr></thead>'
            f'<tbody>{rows}</tbody></table></div>\n<p class="soft">{escape(table.caption)} '
            f"{_download(_table_name(section, part, number), _csv_table(table), 'This table as CSV')}</p>\n"
        )
    if part.cells:
        rows = "".join(
            f"<p><b>{escape(cell.name)}</b>: {escape(cell.status)}"
            + (f" ({escape(cell.message)})" if cell.message else "")
            + f'. <span class="soft">{escape(_said(cell.facts))}</span></p>\n<pre>{escape(cell.command)}</pre>\n'
            for cell in part.cells
        )
        parts.append(f"<details><summary>{_counted(part)}</summary>\n{rows}</details>\n")
    return "".join(parts)


def _unit(section: PageSection) -> str:
    return f" ({section.unit})" if section.unit else ""


def _counted(part: PagePart) -> str:
    return f"{len(part.cells)} cell{'s' * (len(part.cells) != 1)}, each with its command, for a folder of its own"


def _width(picture: bytes) -> int:
    """Pixels across, which a PNG file has in its first lines."""
    return int.from_bytes(picture[16:20], "big")


def _markdown(
    sections: Sequence[PageSection], title: str, facts: Mapping[str, Any], note: str, command: str
) -> tuple[str, dict[str, bytes]]:
    """The page, and its figures by name."""
    pictures: dict[str, bytes] = {}
    lines = [f"# {_plain(title)}", ""]
    lines += [f"- {_plain(name)}: {_plain(str(value))}" for name, value in facts.items()]
    lines += ["", f"{_READING} {_plain(note)}".rstrip(), ""]
    lines += [f"- {_marked(name)}: {_plain(meaning)}" for name, meaning in _legend(sections)]
    lines += ["", "| experiment | mode | verdict | paper | here | unit |", "|---|---|---|---|---|---|"]
    for section in sections:
        for part in section.parts:
            told = (part.mode, _marked(part.outcome), _number(section.paper), _spread(part), section.unit)
            lines.append(_row([f"[{_plain(section.title)}](#{section.id})", *map(_plain, told)]))
    for section in sections:
        lines += ["", f'<a id="{section.id}"></a>', "", f"## {_plain(section.title)}"]
        lines += ["", f"> {_plain(section.statement)}"]
        if section.notes:
            lines += ["", _plain(section.notes)]
        for part in section.parts:
            told, found = _markdown_part(section, part)
            lines += told
            pictures |= found
        lines += ["", f"[All cells as CSV](csv/{section.id}.csv)"]
    if command:
        lines += ["", "## Make this page again", "", "```sh", command, "```"]
    return "\n".join(lines) + "\n", pictures


def _markdown_part(section: PageSection, part: PagePart) -> tuple[list[str], dict[str, bytes]]:
    pictures: dict[str, bytes] = {}
    unit = f" ({_plain(section.unit)})" if section.unit else ""
    lines = [
        "",
        f"### With {_MODES.get(part.mode, part.mode)}: {_marked(part.outcome)}",
        "",
        f"Paper: {_number(section.paper)}. Here: **{_spread(part)}**{unit}. {_plain(part.text)}".rstrip(),
    ]
    for number, (picture, caption) in enumerate(part.figures):
        name = f"{section.id}-{part.mode}-{number}.png"
        pictures[name] = picture
        lines += ["", f"![{_plain(section.title)}, {part.mode}](figures/{name})", "", _plain(caption)]
    for number, table in enumerate(part.tables):
        lines += ["", _row(map(_plain, table.head)), _row(["---"] * len(table.head))]
        lines += [_row(map(_plain, row)) for row in table.rows]
        link = f"[This table as CSV](csv/{_table_name(section, part, number)})"
        lines += ["", f"{_plain(table.caption)} {link}"]
    if part.cells:
        lines += ["", f"<details><summary>{_counted(part)}</summary>"]
        for cell in part.cells:
            message = f" ({cell.message})" if cell.message else ""
            told = _plain(f"{cell.name}: {cell.status}{message}. {_said(cell.facts)}")
            lines += ["", f"- {told}", f"  `{cell.command}`"]
        lines += ["", "</details>"]
    return lines, pictures


def _marked(outcome: str) -> str:
    return f"{_MARKS.get(outcome, ('',))[0]} {outcome}".strip()


_SPECIAL = re.compile(r"[\\`*\[\]|<]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|^[#>]|^[+-](?=\s)")
"""What Markdown does not show as it is."""


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def _row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def _csv_files(section: PageSection) -> dict[str, str]:
    """The CSV files of a section by name: its cells, and each of its tables."""
    found = {f"{section.id}.csv": _csv(section)}
    for part in section.parts:
        for number, table in enumerate(part.tables):
            found[_table_name(section, part, number)] = _csv_table(table)
    return found


def _table_name(section: PageSection, part: PagePart, number: int) -> str:
    return f"{section.id}-{part.mode}-{number}.csv"


def _csv_table(table: PageTable) -> str:
    return _csv_text([table.head, *table.rows])


def _csv(section: PageSection) -> str:
    """One row a cell; the columns are those that any cell has."""
    cells = [(part.mode, cell, {**cell.facts, **cell.more}) for part in section.parts for cell in part.cells]
    names = list(dict.fromkeys(name for _, _, numbers in cells for name in numbers))
    # A number may have the name of a column, as the status of training has, and no two columns may have the same.
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


def _said(facts: Mapping[str, Any]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def _spread(part: PagePart) -> str:
    if part.here is None:
        return "–"
    if part.low == part.high or part.low is None or part.high is None:
        return _number(part.here)
    return f"{_number(part.here)} ({_number(part.low)} to {_number(part.high)})"
