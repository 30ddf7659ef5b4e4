"""A page about experiments as one HTML file."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from attrax.paper.pages._page_records import PagePart, PageSection
from attrax.paper.pages._page_sheets import csv_files, csv_table, table_name
from attrax.paper.pages._page_text import (
    MARKS,
    MODES,
    READING,
    cells_counted,
    facts_said,
    in_digits,
    verdict_meanings,
    with_spread,
)
from attrax.report import document

_FEW_COLUMNS = 8
"""A table with more columns gets smaller text."""

_WIDE = 720
"""A wider picture (in pixels) is scrolled on a phone instead of shrunk until it is unreadable."""

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


def html_page(sections: Sequence[PageSection], title: str, facts: Mapping[str, Any], note: str, command: str) -> str:
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
    return document(title, "".join(parts), _MORE_STYLE)


def _facts(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    return f'<dl class="settings">{listed}</dl>\n'


def _cards(sections: Sequence[PageSection]) -> str:
    counts = Counter(part.outcome for section in sections for part in section.parts)
    listed = "".join(
        f'<div><dd><span class="{look}">{mark}</span> {counts[name]}</dd><dt>{escape(name)}</dt></div>'
        for name, (mark, look, _) in MARKS.items()
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
                escape(in_digits(section.paper)),
                escape(with_spread(part)),
                escape(section.unit),
            )
            rows.append(
                "<tr>"
                + "".join(
                    f'<td data-name="{name}"><span>{text}</span></td>' for name, text in zip(head, cells, strict=True)
                )
                + "</tr>"
            )
    headings = "".join(f'<th scope="col">{name}</th>' for name in head)
    meanings = "".join(
        f"<dt>{_badge(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in verdict_meanings(sections)
    )
    return f"""<h2>At a glance</h2>
<p class="soft">{escape(READING)} {escape(note)}</p>
<dl class="settings">{meanings}</dl>
<div class="scroll"><table class="stack plain"><thead><tr>{headings}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>
"""


def _badge(outcome: str) -> str:
    mark, look, _ = MARKS.get(outcome, ("", "soft", ""))
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
    parts.append(f"<p>{_download(name, csv_files(section)[name], 'All cells as CSV')}</p></section>\n")
    return "".join(parts)


def _download(name: str, text: str, words: str) -> str:
    """A link that contains the file itself, so that the page can be sent alone."""
    content = base64.b64encode(text.encode()).decode("ascii")
    return f'<a href="data:text/csv;charset=utf-8;base64,{content}" download="{escape(name)}">{escape(words)}</a>'


def _part(section: PageSection, part: PagePart) -> str:
    mode = MODES.get(part.mode, part.mode)
    parts = [
        f'<h3 id="{escape(section.id)}-{escape(part.mode)}">With {escape(mode)}: {_badge(part.outcome)}</h3>\n',
        f"<p>Paper: {escape(in_digits(section.paper))}. "
        f"Here: <b>{escape(with_spread(part))}</b>{escape(_unit(section))}. {escape(part.text)}</p>\n",
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
            f"{_download(table_name(section, part, number), csv_table(table), 'This table as CSV')}</p>\n"
        )
    if part.cells:
        rows = "".join(
            f"<p><b>{escape(cell.name)}</b>: {escape(cell.status)}"
            + (f" ({escape(cell.message)})" if cell.message else "")
            + f'. <span class="soft">{escape(facts_said(cell.facts))}</span></p>\n<pre>{escape(cell.command)}</pre>\n'
            for cell in part.cells
        )
        parts.append(f"<details><summary>{cells_counted(part)}</summary>\n{rows}</details>\n")
    return "".join(parts)


def _unit(section: PageSection) -> str:
    return f" ({section.unit})" if section.unit else ""


def _width(picture: bytes) -> int:
    """The width in pixels, from the header of a PNG file."""
    return int.from_bytes(picture[16:20], "big")
