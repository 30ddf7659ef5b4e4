"""Memory files on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax._base.files import check_regular
from attrax.cli._examples import read_selected
from attrax.cli._maps import named_map
from attrax.cli._progress import waiting


def readable(file: Path) -> Path:
    """The path, if it is that of a file. Otherwise it is refused before anything is imported that takes long."""
    try:
        check_regular(file)
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror or error}") from None
    return file


File = Annotated[Path, typer.Argument(metavar="FILE", callback=readable, help="A memory written by attrax store.")]


def load_complete(file: Path, map: str | None = None) -> Any:
    """A memory from its file, with a map in any case: that of the file, or `map`."""
    from attrax import files

    memory = files.load(file, map=named_map(map))
    if isinstance(memory.map, files.MissingMap):
        raise ValueError(f"{file} does not hold its map, {memory.map.text}; name it with --map MODULE:NAME")
    return memory


@waiting("reading the memory")
def load_memory(file: Path, patterns: list[str] | None, map: str | None = None) -> Any:
    """A memory from its file, completed by `patterns` and by the `map` where it was saved without them."""
    from attrax import files

    memory = load_complete(file, map)
    if memory.patterns is None:
        if not patterns:
            raise ValueError(
                f"{file} was saved without its patterns, and only they tell what its attractors are; "
                "name the source it was written from with --patterns SOURCE"
            )
        # Which of its examples were taken, and how, is on record.
        selection = memory.written.get("selection") or {}
        return files.with_patterns(memory, read_selected(patterns, selection).patterns)
    if patterns:
        raise ValueError(f"{file} holds its patterns; leave --patterns out")
    return memory
