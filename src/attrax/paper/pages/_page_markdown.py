"""A page about experiments in Markdown, with its figures in separate files."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrax.paper.pages._page_records import PagePart, PageSection
from attrax.paper.pages._page_sheets import table_name
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


def markdown_page(
    sections: Sequence[PageSection], title: str, facts: Mapping[str, Any], note: str, command: str
) -> tuple[str, dict[str, bytes]]:
    """The page, and its figures by name."""
    pictures: dict[str, bytes] = {}
    lines = [f"# {_plain(title)}", ""]
    lines += [f"- {_plain(name)}: {_plain(str(value))}" for name, value in facts.items()]
    lines += ["", f"{READING} {_plain(note)}".rstrip(), ""]
    lines += [f"- {_marked(name)}: {_plain(meaning)}" for name, meaning in verdict_meanings(sections)]
    lines += ["", "| experiment | mode | verdict | paper | here | unit |", "|---|---|---|---|---|---|"]
    for section in sections:
        for part in section.parts:
            told = (part.mode, _marked(part.outcome), in_digits(section.paper), with_spread(part), section.unit)
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
        f"### With {MODES.get(part.mode, part.mode)}: {_marked(part.outcome)}",
        "",
        f"Paper: {in_digits(section.paper)}. Here: **{with_spread(part)}**{unit}. {_plain(part.text)}".rstrip(),
    ]
    for number, (picture, caption) in enumerate(part.figures):
        name = f"{section.id}-{part.mode}-{number}.png"
        pictures[name] = picture
        lines += ["", f"![{_plain(section.title)}, {part.mode}](figures/{name})", "", _plain(caption)]
    for number, table in enumerate(part.tables):
        lines += ["", _row(map(_plain, table.head)), _row(["---"] * len(table.head))]
        lines += [_row(map(_plain, row)) for row in table.rows]
        link = f"[This table as CSV](csv/{table_name(section, part, number)})"
        lines += ["", f"{_plain(table.caption)} {link}"]
    if part.cells:
        lines += ["", f"<details><summary>{cells_counted(part)}</summary>"]
        for cell in part.cells:
            message = f" ({cell.message})" if cell.message else ""
            told = _plain(f"{cell.name}: {cell.status}{message}. {facts_said(cell.facts)}")
            lines += ["", f"- {told}", f"  `{cell.command}`"]
        lines += ["", "</details>"]
    return lines, pictures


def _marked(outcome: str) -> str:
    return f"{MARKS.get(outcome, ('',))[0]} {outcome}".strip()


_SPECIAL = re.compile(r"[\\`*\[\]|<]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|^[#>]|^[+-](?=\s)")
"""Characters that Markdown does not show literally."""


def _plain(text: str) -> str:
    """A text, on one line, escaped so that Markdown shows it literally."""
    # Not every Markdown knows a backslash before this sign.
    return _SPECIAL.sub(lambda sign: "&lt;" if sign[0] == "<" else f"\\{sign[0]}", " ".join(text.split()))


def _row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"
