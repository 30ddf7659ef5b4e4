"""What a source gives, and the error it raises."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from attrax._base.arguments import ArgumentError
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.patterns import Patterns

Kind = Literal["images", "vectors"]


class SourceError(ArgumentError):
    """A source that cannot be read or written, with what was found and what to do about it."""


@dataclass(frozen=True, eq=False)
class Examples(Record):
    """Examples as they were read: one per row, ready to be stored or recalled from.

    **Fields:**

    - `values`: n×state shape, float32 or float64. A gray image is H×W, a color image H×W×3, a vector d numbers.
      What was stored as integers lies in [0, 1]; signed integers come to within a rounding of [−1, 1].
    - `kind`: `"images"` or `"vectors"`; of films, sound and text `"video"`, `"audio"` or `"text"`.
    - `names`: n names for people: the name of the file, or the source with a position, as in `mnist[17]`.
    - `skipped`: one text for each file that was left out as unreadable, with the reason.
    - `labels`: n classes, such as the folders of the files, empty for an example without; `()` where none has one.
    - `notes`: one sentence for each thing that was left out or is odd.
    - `sequences`: of sequences, for each its length and what becomes of it at its end; `None` of single examples.
    - `context`: how many frames make a state, or `auto`; see `Patterns.from_sequences`.
    - `facts`: what is needed to write the states back as a film, a sound or a text; `None` of plain arrays.

    ```python
    >>> from attrax.sources import load
    >>> examples = load("digits", n=2)
    >>> examples.names, examples.labels, examples.values.shape
    (('digits[0]', 'digits[1]'), ('0', '1'), (2, 8, 8))

    ```
    """

    values: HostStates
    kind: str
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sequences: tuple[tuple[int, str], ...] | None = None
    context: int | str = 1
    facts: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def patterns(self) -> Patterns:
        """What is to be stored, with the names. **Raises** `ValueError` where a state would need two successors."""
        if self.sequences is None:
            return Patterns.from_examples(self.values, names=self.names)
        ends = np.cumsum([length for length, _ in self.sequences])
        parts = np.split(self.values, ends[:-1])
        return Patterns.from_sequences(
            parts, end=[end for _, end in self.sequences], context=self.context, names=self.names
        )


@dataclass(frozen=True, slots=True, eq=False)
class Source(Record):
    """One opened source, nothing but headers read so far.

    **Fields:**

    - `kind`: as in `Examples`.
    - `names`: as in `Examples`.
    - `place`: what stands before a name in messages, so that a file can be found again: its folder, or nothing.
    - `item`: from a position to the raw array of that example, with the numbers and the dtype of the file.
    - `separate`: each example is a file of its own, which alone may be unreadable.
    - `labels`: as in `Examples`, or from a position to the label, where they are read with the examples.
    - `notes`: as in `Examples`.
    - `extremes`: the least and the largest number of the whole source, where it can say.
    """

    kind: Kind
    names: tuple[str, ...]
    place: str
    item: Callable[[int], np.ndarray[Any, Any]]
    separate: bool = False
    labels: tuple[str, ...] | Callable[[int], str] = ()
    notes: tuple[str, ...] = ()
    extremes: Callable[[], tuple[Any, Any]] | None = None

    def label(self, index: int) -> str:
        """The example's name in messages."""
        return f"{self.place}{self.names[index]}"

    def class_of(self, index: int) -> str:
        """The class of an example, empty where it has none."""
        if callable(self.labels):
            return self.labels(index)
        return self.labels[index] if self.labels else ""


def numbered(name: str, count: int) -> tuple[str, ...]:
    """`name[0]`, `name[1]`, …"""
    return tuple(f"{name}[{index}]" for index in range(count))


def reason(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.splitlines() or [""])[0].strip() or type(error).__name__
