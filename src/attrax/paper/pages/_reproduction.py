"""One page about many experiments: the paper's statements, the results, figures, tables, and how to reproduce each."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrax.extending import checks, write_atomically
from attrax.paper.pages._page_html import html_page
from attrax.paper.pages._page_markdown import markdown_page
from attrax.paper.pages._page_records import PageSection
from attrax.paper.pages._page_sheets import csv_files

PAGE_FORMATS = ("html", "md")
"""The formats that `write_reproduction` can write."""


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
    """Writes `index.html` or `index.md` to a folder, and the cells of each experiment and each table to `csv/`.

    The HTML page needs no other file, no script and no network; its links hold the tables. The Markdown page has its
    figures as PNG files in `figures/`. Equal sections give equal files. Other files in the folder are left alone.

    **Arguments:** `folder`, created if it is missing; `sections`; `title`; `facts`, names and values below it; `note`,
    about all verdicts; `command`, which creates the page again; `format`, one of `PAGE_FORMATS`.

    **Returns:** the files, the page first. **Raises** `ValueError` for another format, or if the files can't be
    written.

        >>> import tempfile
        >>> section = PageSection("fig0", "Fig. 0", "Nothing is.", 0, "things", "")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write_reproduction(folder, [section])]
        ['index.html', 'fig0.csv']
    """
    checks.one_of("format", format, PAGE_FORMATS)
    folder = Path(folder)
    try:
        (folder / "csv").mkdir(parents=True, exist_ok=True)
        if format == "md":
            (folder / "figures").mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} can't be created: {error.strerror or error}") from None
    data = {name: text for section in sections for name, text in csv_files(section).items()}
    files = [write_atomically(folder / "csv" / name, text.encode()) for name, text in data.items()]
    if format == "html":
        text = html_page(sections, title, facts or {}, note, command)
        page = write_atomically(folder / "index.html", text.encode())
    else:
        text, pictures = markdown_page(sections, title, facts or {}, note, command)
        files += [write_atomically(folder / "figures" / name, content) for name, content in pictures.items()]
        page = write_atomically(folder / "index.md", text.encode())
    return page, *files
