"""Memory files on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrax.cli._examples import read_selected
from attrax.cli._maps import named_map
from attrax.cli._progress import waiting


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
