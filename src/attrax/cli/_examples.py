"""Examples on the command line: from sources to patterns, and what people are told about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from attrax._base.arguments import printable
from attrax.cli._options import parse_range, parse_size

_DIGITS = 19  # of a number that no machine counts to


def parse_indices(text: str | None) -> list[int] | None:
    """Numbers from `I,J,...`. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < _DIGITS for part in parts):
        raise ValueError(f"--indices must be numbers from 0 with commas between, such as 3,0,5; got {text[:80]!r}")
    return [int(part) for part in parts]


def parse_context(given: int | str) -> int | str:
    """A number of frames, or `auto`. **Raises** `ValueError` for anything else."""
    if isinstance(given, int) or given == "auto":
        return given
    if not (given.isascii() and given.isdigit() and len(given) < _DIGITS and int(given) > 0):
        raise ValueError(f"--context must be a number of frames, at least 1, or auto; got {given[:80]!r}")
    return int(given)


def read_selected(sources: list[str], selection: dict[str, Any]) -> Any:
    """`attrax.sources.read` with the options as the command line has them and as they stand on record.

    Records from before there were `fit`, `range` and `recursive` have none of these.
    """
    from attrax.sources import read

    indices = selection.get("indices")
    return read(
        *sources,
        kind=selection.get("kind", "images"),
        size=parse_size(selection.get("size")),
        fit=selection.get("fit", "squash"),
        gray=selection.get("gray", False),
        value_range=parse_range(selection.get("range")),
        n=selection.get("n"),
        shuffle=selection.get("shuffle", False),
        seed=selection.get("seed", 0),
        indices=parse_indices(indices) if isinstance(indices, str) else indices,
        recursive=selection.get("recursive", False),
        skip_unreadable=selection.get("skip_unreadable", False),
        cycle_length=selection.get("cycle_length"),
        single=selection.get("single") or (),
        end=selection.get("end", "loop"),
        context=parse_context(selection.get("context", 1)),
        **(selection.get("media") or {}),
    )


def tell_notes(examples: Any) -> None:
    """Says on stderr what was left out of the sources, and what is odd in them."""
    for text in [*(f"left out {one}" for one in examples.skipped), *examples.notes]:
        typer.echo(f"attrax: {printable(text)}", err=True)


def merged_names(patterns: Any, names: Sequence[str]) -> list[list[str]]:
    """The names of the duplicates, each with that of the example that it became; `names` are those of all."""
    # Of states that several frames make, positions are not those of the names.
    whole = len(names) == len(patterns) + len(patterns.merged)
    return [[str(names[one]) if whole else f"state {one}" for one in pair] for pair in patterns.merged]


def tell_merged(pairs: Sequence[Sequence[str]]) -> None:
    """Says on stderr which examples were merged."""
    if not pairs:
        return
    shown = "; ".join(f"{printable(one)} equals {printable(other)}" for one, other in pairs[:3])
    more = f"; and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    typer.echo(
        f"attrax: {len(pairs)} duplicate{'s were' if len(pairs) > 1 else ' was'} merged: {shown}{more}", err=True
    )


def near_record(patterns: Any) -> list[dict[str, Any]]:
    """States that are nearly equal and go different ways, for the record."""
    return [
        {"states": list(pair.states), "distance": pair.distance, "successor_distance": pair.successor_distance}
        for pair in patterns.ambiguities()
    ]


def warn_of_near(near: list[dict[str, Any]], patterns: Any) -> None:
    """Says on stderr which frames are nearly equal and go different ways."""
    if not near:
        return
    shown = "; ".join(" and ".join(printable(patterns.name(index)) for index in pair["states"]) for pair in near[:3])
    more = f"; and {len(near) - 3} more pairs" if len(near) > 3 else ""
    typer.echo(
        f"attrax: nearly equal frames with different successors: {shown}{more} (--context may tell them apart)",
        err=True,
    )
