"""What a writer is, and what it returns."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jaxtyping import PRNGKeyArray

from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.maps import Images, Recipe
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import Fit

GROWTH = (0.25, 0.5, 1.0)
"""Epochs of the attempts at a change, as fractions of the epochs for writing from scratch."""


@dataclass(frozen=True, slots=True, eq=False)
class Written(Record):
    """What a writer returns to `store`.

    **Fields:** `map`; `loss`, mean squared error on the clean patterns in float64; `epochs`; `seconds`; `status`,
    how training ended, `TrainingStatus.REACHED` if there was none; `details`, names, numbers and texts for the record,
    including `writer`, its name; `memory`, if the writer has already refined it and made its certificate; `images`, the
    map's values at the points, n×state shape, in float64, or `attrax.maps.Images` of them, if the writer has them.
    """

    map: Map
    loss: float
    epochs: int
    seconds: float
    status: TrainingStatus
    details: dict[str, Any]
    memory: Memory | None = None
    images: HostStates | Images | None = None


def status_above_tol(fitted: Fit[Any]) -> TrainingStatus:
    """How training ended whose network has a loss above the requested one: the time or the epochs were over."""
    return TrainingStatus.TIME_OVER if fitted.time_limited else TrainingStatus.EPOCHS_OVER


class Writer(Protocol):
    """What turns patterns into a map, and changes one later. Any object with these two methods is a writer."""

    def write(
        self,
        patterns: Patterns,
        network: Map | Recipe | None = None,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        recovery_atol: float | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """A map that sends each point of `patterns` to its successor.

        **Arguments:** `network`, the map to start from or a recipe for a new one; `None` leaves it to the writer. A
        writer that makes its own network refuses it with a `ValueError`. `recovery_atol` matters only to a writer that
        returns a `memory` with a certificate. The others are those of `store`.
        """
        ...

    def grow(
        self,
        memory: Memory,
        patterns: Patterns,
        kept: Sequence[int],
        *,
        key: PRNGKeyArray,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Attempts to write the changed `patterns`, starting from the memory as it is; the first certified one is used.

        **Arguments:** `patterns`, everything that the changed memory stores; `kept`, the indices in `memory` of the
        patterns that remain, which come first and in this order. `memory.written` holds the details from when it was
        written.
        """
        ...


def checked_writer(writer: Any, verb: str) -> Any:
    """`writer`, if it has the method `verb`. **Raises** `ValueError` otherwise."""
    if isinstance(writer, type) or not callable(getattr(writer, verb, None)):
        raise ValueError(
            f"writer must be an object with the method {verb}, such as Gradient(), see attrax.writing.Writer; "
            f"got {writer!r}"
        )
    return writer
