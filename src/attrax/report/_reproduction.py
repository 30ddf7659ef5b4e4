"""One page about many experiments: what the paper says, what came out, figures, tables, and how to make each again."""

import base64
import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrax import _checks
from attrax._files import write_atomically
from attrax.report._style import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE_FORMATS = ("html", "md")
"""What `write_reproduction` can write."""

_MARKS = {
    "reproduced": ("✓", "good"),
    "partly": ("◐", "soft"),
    "not": ("✗", "bad"),
    "not trained": ("–", "soft"),
    "lost": ("?", "soft"),
    "unfinished": ("…", "soft"),
}
_FEW_COLUMNS = 8
"""A table with more is set smaller."""
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
    """One cell on the page: `name`, `status`, `facts` by name, a `message` where there is one, and the `command`."""

    name: str
    status: str
    facts: Mapping[str, Any]
    message: str
    command: str


@dataclass(frozen=True, slots=True, eq=False)
class PagePart:
    """An experiment in one mode.

    **Fields:** `mode`; `here`, `low` and `high`, our number and its spread; `outcome`, a word; `text`, what was found;
    `figures`, with the sentences below them; `tables`; `cells`.
    """

    mode: str
    here: float | None
    low: float | None
    high: float | None
    outcome: str
    text: str = ""
    figures: "Sequence[tuple[Figure, str]]" = ()
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
    """Writes `index.html` or `index.md` to a folder, and beside it a CSV file of the cells of each experiment.

    The HTML page needs no other file, no script and no network; its links hold the tables. The Markdown page has its
    figures as PNG files in `figures/`. Equal sections give equal files.

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
    files = [write_atomically(folder / "csv" / f"{section.id}.csv", _csv(section).encode()) for section in sections]
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
        for name, (mark, look) in _MARKS.items()
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
    return f"""<h2>At a glance</h2>
<p class="soft">“paper” is the number printed in the paper’s text, a dash where it is lost or there was none. “here” is
the median over the networks trained, with the least and the largest behind it, or a rank correlation with its 95 %
interval. {escape(note)}</p>
<div class="scroll"><table class="stack plain"><thead><tr>{headings}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>
"""


def _badge(outcome: str) -> str:
    mark, look = _MARKS.get(outcome, ("", "soft"))
    return f'<span class="badge {look}">{mark} {escape(outcome)}</span>'


def _section(section: PageSection) -> str:
    parts = [
        f'<section><h2 id="{escape(section.id)}">{escape(section.title)}</h2>\n',
        f'<p class="quote">{escape(section.statement)}</p>\n',
    ]
    if section.notes:
        parts.append(f'<p class="soft">{escape(section.notes)}</p>\n')
    parts += [_part(section, part) for part in section.parts]
    # The table itself is in the link, so that the page can be sent alone.
    table = base64.b64encode(_csv(section).encode()).decode("ascii")
    name = escape(f"{section.id}.csv")
    parts.append(f'<p><a href="data:text/csv;charset=utf-8;base64,{table}" download="{name}">All cells as CSV</a></p>'
                 "</section>\n")  # fmt: skip
    return "".join(parts)


def _part(section: PageSection, part: PagePart) -> str:
    mode = _MODES.get(part.mode, part.mode)
    parts = [
        f'<h3 id="{escape(section.id)}-{escape(part.mode)}">With {escape(mode)}: {_badge(part.outcome)}</h3>\n',
        f"<p>Paper: {escape(_number(section.paper))}. Here: <b>{escape(_spread(part))}</b> ({escape(section.unit)}). "
        f"{escape(part.text)}</p>\n",
    ]
    for figure, caption in part.figures:
        alt = f"{section.title}, {mode}"
        parts.append(
            f'<figure class="wide"><div class="scroll"><img{_large(figure)} alt="{escape(alt)}" '
            f'src="data:image/png;base64,{_encoded(figure)}"></div><figcaption>{escape(caption)}</figcaption></figure>\n'
        )
    for table in part.tables:
        look = "plain dense" if len(table.head) > _FEW_COLUMNS else "plain"
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
        rows = "".join(
            "<tr>" + "".join(f'<td class="name">{escape(text)}</td>' for text in row) + "</tr>" for row in table.rows
        )
        parts.append(
            f'<div class="scroll"><table class="{look}"><thead><tr>{head}</tr></thead>'
            f'<tbody>{rows}</tbody></table></div>\n<p class="soft">{escape(table.caption)}</p>\n'
        )
    if part.cells:
        rows = "".join(
            f"<p><b>{escape(cell.name)}</b>: {escape(cell.status)}"
            + (f" ({escape(cell.message)})" if cell.message else "")
            + f'. <span class="soft">{escape(_told(cell.facts))}</span></p>\n<pre>{escape(cell.command)}</pre>\n'
            for cell in part.cells
        )
        parts.append(f"<details><summary>{len(part.cells)} cell{'s' * (len(part.cells) != 1)}, each with its command"
                     f"</summary>\n{rows}</details>\n")  # fmt: skip
    return "".join(parts)


def _large(figure: "Figure") -> str:
    """On a phone a wide figure is scrolled instead of shrunk until nobody can read it."""
    return ' class="large"' if figure.get_figwidth() > 6 else ""


def _markdown(
    sections: Sequence[PageSection], title: str, facts: Mapping[str, Any], note: str, command: str
) -> tuple[str, dict[str, bytes]]:
    """The page, and its figures by name."""
    pictures: dict[str, bytes] = {}
    lines = [f"# {title}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", note] if note else []
    lines += ["", "| experiment | mode | verdict | paper | here | unit |", "|---|---|---|---|---|---|"]
    for section in sections:
        for part in section.parts:
            mark = _MARKS.get(part.outcome, ("", ""))[0]
            lines.append(_row([f"[{section.title}](#{section.id})", part.mode, f"{mark} {part.outcome}",
                               _number(section.paper), _spread(part), section.unit]))  # fmt: skip
    for section in sections:
        lines += ["", f'<a id="{section.id}"></a>', "", f"## {section.title}", "", f"> {section.statement}"]
        if section.notes:
            lines += ["", section.notes]
        for part in section.parts:
            mark = _MARKS.get(part.outcome, ("", ""))[0]
            lines += ["", f"### With {_MODES.get(part.mode, part.mode)}: {mark} {part.outcome}", "",
                      f"Paper: {_number(section.paper)}. Here: **{_spread(part)}** ({section.unit}). {part.text}"
                      .rstrip()]  # fmt: skip
            for number, (figure, caption) in enumerate(part.figures):
                name = f"{section.id}-{part.mode}-{number}.png"
                pictures[name] = _png(figure)
                lines += ["", f"![{section.title}, {part.mode}](figures/{name})", "", caption]
            for table in part.tables:
                lines += ["", _row(table.head), _row(["---"] * len(table.head)), *map(_row, table.rows), "",
                          table.caption]  # fmt: skip
            if part.cells:
                count = f"{len(part.cells)} cell{'s' * (len(part.cells) != 1)}, each with its command"
                lines += ["", f"<details><summary>{count}</summary>"]
                for cell in part.cells:
                    message = f" ({cell.message})" if cell.message else ""
                    lines += ["", f"- {cell.name}: {cell.status}{message}. {_told(cell.facts)}", f"  `{cell.command}`"]
                lines += ["", "</details>"]
        lines += ["", f"[All cells as CSV](csv/{section.id}.csv)"]
    if command:
        lines += ["", "## Make this page again", "", "```sh", command, "```"]
    return "\n".join(lines) + "\n", pictures


def _row(texts: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def _csv(section: PageSection) -> str:
    """One row a cell; the columns are those that any cell has."""
    names = list(dict.fromkeys(name for part in section.parts for cell in part.cells for name in cell.facts))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["mode", "cell", "status", *names, "message", "command"])
    for part in section.parts:
        for cell in part.cells:
            facts = ["" if cell.facts.get(name) is None else cell.facts[name] for name in names]
            writer.writerow([part.mode, cell.name, cell.status, *facts, cell.message, cell.command])
    return stream.getvalue()


def _told(facts: Mapping[str, Any]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def _spread(part: PagePart) -> str:
    if part.here is None:
        return "–"
    if part.low == part.high or part.low is None or part.high is None:
        return _number(part.here)
    return f"{_number(part.here)} ({_number(part.low)} to {_number(part.high)})"


def _png(figure: "Figure") -> bytes:
    stream = io.BytesIO()
    # Without the name of the software the same figure gives the same bytes for longer.
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()


def _encoded(figure: "Figure") -> str:
    return base64.b64encode(_png(figure)).decode("ascii")
