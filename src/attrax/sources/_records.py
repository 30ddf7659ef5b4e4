"""What a source gives, and the error it raises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attrax._base.types import HostStates

Kind = Literal["images", "vectors"]


class SourceError(ValueError):
    """A source that cannot be read or written, with what was found and what to do about it."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Examples as they were read: one a row, ready to be stored or recalled from.

    **Fields:**

    - `values`: n×state shape, float32 or float64. A gray image is H×W, a color image H×W×3, a vector d numbers.
      What was stored as integers lies in [0, 1]; signed integers come to within a rounding of [−1, 1].
    - `kind`: `"images"` or `"vectors"`.
    - `names`: n names for people: the name of the file, or the source with a position, as in `mnist[17]`.
    - `skipped`: one text for each file that was left out as unreadable, with the reason.

        >>> from attrax.sources import load
        >>> examples = load("digits", n=2)
        >>> examples.names, examples.values.shape
        (('digits[0]', 'digits[1]'), (2, 8, 8))
    """

    values: HostStates
    kind: Kind
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One opened source, nothing but headers read so far.

    **Fields:**

    - `kind`: as in `Examples`.
    - `names`: as in `Examples`.
    - `place`: what stands before a name in messages, so that a file can be found again: its folder, or nothing.
    - `item`: from a position to the raw array of that example, with the numbers and the dtype of the file.
    - `separate`: each example is a file of its own, which alone may be unreadable.
    """

    kind: Kind
    names: tuple[str, ...]
    place: str
    item: Callable[[int], np.ndarray[Any, Any]]
    separate: bool = False

    def label(self, index: int) -> str:
        """The example's name in messages."""
        return f"{self.place}{self.names[index]}"


def numbered(name: str, count: int) -> tuple[str, ...]:
    """`name[0]`, `name[1]`, …"""
    return tuple(f"{name}[{index}]" for index in range(count))


def reason(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.splitlines() or [""])[0].strip() or type(error).__name__
