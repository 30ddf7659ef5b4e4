"""What attrax recall tells of many cues, and the pieces in which they are read."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._cycles import name_of
from attrax.cli._examples import tell_notes
from attrax.cli._known import held_record
from attrax.cli._options import load_pieces, load_sources
from attrax.cli._output import spread

_COPIES = 20
"""Numbers of 64 bits that recall holds at most for each entry of a cue."""
_KEPT = 2**29
"""Bytes that recall takes whatever the number of cues is: the paths that it keeps, with a copy."""


Limit = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Read and recall the cues in pieces that take at most about this much memory, such as 4GB; with --output, what comes "
        "back from each piece is in a folder of its own. [default: all at once]",
        show_default=False,
    ),
]


def given_pieces(
    memory: Any, cues: list[str], output: Path | None, selection: dict[str, Any], limit: int | None
) -> Iterator[tuple[Any, Path | None]]:
    """The cues, all of them or in pieces that take at most `limit` bytes, each with the folder for what comes back."""
    if limit is None:
        given = load_sources(cues, like=memory, **selection)
        _check_shape(memory, given)
        yield given, output
        return
    size = math.prod(memory.patterns.shape)
    rows = min(int((limit - _KEPT) / (8 * _COPIES * size)), sys.maxsize)
    if rows < 1:
        least = math.ceil((_KEPT + 8 * _COPIES * size) / 10**6)
        raise ValueError(f"--memory must be at least {least}MB for cues of {size:,} numbers")
    first = 0
    for given in load_pieces(cues, rows=rows, like=memory, **selection):
        _check_shape(memory, given)
        yield given, None if output is None else output / f"from-{first}"
        first += len(given)


def _check_shape(memory: Any, given: Any) -> None:
    tell_notes(given)
    shape = given.values.shape[1:]
    if shape in (memory.patterns.shape, memory.patterns.cue_shape):
        return
    pictures = len(memory.patterns.cue_shape) > 1 and given.values.ndim > 2
    raise ValueError(
        f"the cues have the shape {_shape(shape)} and the memory stores {_shape(memory.patterns.cue_shape)}; "
        + ("bring them to it with --size and --gray" if pictures else "give cues of that shape")
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) + (" (color)" if len(shape) == 3 else "")


class Told:
    """What came back from cues, added piece by piece, as one record; states are not kept."""

    def __init__(self, memory: Any) -> None:
        self.patterns = memory.patterns
        self.results: list[dict[str, Any]] = []
        self.steps: list[int] = []
        self.statuses: Counter[str] = Counter()
        self.held: list[Any] = []
        self.reading = ""

    def add(self, names: list[str], answer: Any, words: list[str] | None, written: list[Path]) -> None:
        """What came back from the cues of these names; `words`, if it is words; `written`, the files of it."""
        for row, name in enumerate(names):
            result = {
                "name": name,
                "status": str(answer.status[row]),
                "index": answer.index[row],
                "example": name_of(self.patterns, int(answer.index[row])),
                **({} if words is None else {"answer": words[row]}),
                "nearest": answer.nearest[row],
                "nearest_name": name_of(self.patterns, int(answer.nearest[row])),
                "distance": answer.distance[row],
                "steps": answer.num_steps[row],
                "residual": answer.residual[row],
                "period": answer.period[row],
            }
            self.results.append(result | ({"file": str(written[row])} if written else {}))
        self.steps += answer.num_steps.tolist()
        self.statuses.update(map(str, answer.status))
        self.reading = answer.reading
        if answer.held is not None:
            self.held.append(replace(answer.held, value=answer.held.value[:0]))

    def record(self, corruption: str | None, measured: Any) -> dict[str, Any]:
        """All of it; `measured`, with the rates of the nearest-neighbor rules, of cues that were made here."""
        count, recovered = len(self.results), self.statuses["recovered"]
        return {
            "cues": count,
            "recovered": recovered,
            "recovery_rate": recovered / count,
            "one_nn_rate": None if measured is None else measured.one_nn_rate,
            "best_nn_rate": None if measured is None else measured.best_nn_rate,
            "status_counts": dict(self.statuses),
            "steps": spread(self.steps),
            "reading": self.reading,
            "held": held_record(self.held),
            "corruption": corruption,
            "trained_on": None if measured is None else measured.trained,
            "results": self.results,
        }
