"""Pairs on the command line: what --with gives each example to go with, and what comes back of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attrax._base.arguments import printable
from attrax._base.files import write_atomically
from attrax.cli._examples import read_selected, tell_notes

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np


def paired(examples: Any, given: str, selection: dict[str, Any]) -> tuple[Any, list[str] | None]:
    """The patterns in which each example is the cue of its target; for words the letters of which they are made.

    **Raises** `ValueError` where there is not one line or example for each.
    """
    from attrax.patterns import Patterns
    from attrax.sources import TEXT_SUFFIXES, encode_words, read_lines

    if selection["kind"] == "sequence":
        raise ValueError("--with goes with single examples, not with sequences; leave it out, or add --as images")
    count, letters = len(examples.values), None
    if given.lower().endswith(TEXT_SUFFIXES):
        words = read_lines(given)
        _refuse_unlike(count, len(words), f"{given} has {len(words)} lines")
        targets, letters = encode_words(words)
    else:
        others = read_selected([given], {**selection, "n": None, "shuffle": False, "indices": None, "single": None})
        tell_notes(others)
        _refuse_unlike(count, len(others.values), f"{given} holds {len(others.values)} examples")
        targets = others.values
    patterns = Patterns.from_pairs(examples.values, targets, names=examples.names)
    return patterns, None if letters is None else list(letters)


def _refuse_unlike(wanted: int, found: int, what: str) -> None:
    if wanted != found:
        raise ValueError(f"--with must give one line or one example for each of the {wanted} examples; {what}")


def answers(memory: Any, values: np.ndarray) -> tuple[np.ndarray, list[str] | None]:
    """What came back for people: of pairs the targets and, where these are words, the words; else the states."""
    from attrax.sources import decode_words

    if memory.patterns.parts is None:
        return values, None
    targets, letters = memory.patterns.split(values)[1], memory.written.get("letters")
    if letters is None or targets.shape[2:] != (len(letters),):
        return targets, None
    return targets, list(decode_words(targets, letters))


def write_words(folder: Path, words: list[str]) -> list[Path]:
    """The words that came back, one a line, in one file of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_atomically(folder / "recalled.txt", "".join(f"{printable(word)}\n" for word in words).encode())
    return [path] * len(words)


With = typer.Option(
    "--with",
    metavar="SOURCE",
    help="Store pairs: each example with a line of a .txt file, or with an example of another source. Recall takes the "
    "example and answers with what goes with it.",
    show_default=False,
)
