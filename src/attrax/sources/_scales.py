"""Which numbers are black and white: on reading whole numbers, and on writing pictures back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax.sources._records import SourceError

Range = tuple[float, float]
"""The numbers that become 0 and 1."""

_KNOWN: tuple[tuple[int, int], ...] = ((0, 1), (-1, 1), (0, 255), (0, 4095), (0, 65535))
_SMALL_PART = 0.01
_LARGE_PART = 0.2


def checked_range(value_range: Any) -> Range | None:
    """A pair of numbers as it may be used. **Raises** `ValueError` for anything else."""
    if value_range is None:
        return None
    wrong = f"{mention('value_range')} must be two numbers, the lower one first"
    if isinstance(value_range, str) or not isinstance(value_range, Sequence) or len(value_range) != 2:
        raise ArgumentError(f"{wrong}; got {value_range!r}")
    low, high = (checks.real("value_range", side) for side in value_range)
    if not low < high or not np.isfinite(high - low):
        raise ArgumentError(f"{wrong}; got {low:g} and {high:g}")
    return low, high


def type_range(dtype: np.dtype[Any]) -> Range | None:
    """What integers of 8 and 16 bits are divided by, as a range; `None` for all else."""
    if dtype.kind not in "ui" or dtype.itemsize > 2:
        return None
    largest = float(np.iinfo(dtype).max)
    return (-largest if dtype.kind == "i" else 0.0), largest


def known_range(low: int, high: int, dtype: np.dtype[Any], label: str) -> Range:
    """The usual range in which whole numbers of more than 16 bits lie. **Raises** `SourceError` where there is none."""
    for least, most in _KNOWN:
        if least <= low and high <= most:
            return float(least), float(most)
    raise SourceError(
        f"{label}: whole numbers of type {dtype} from {low:,} to {high:,} fit none of the usual ranges (0 to 1, "
        f"-1 to 1, 0 to 255, 0 to 4095, 0 to 65535). Say which numbers are black and white with "
        f"{mention('value_range', '(low, high)', 'LOW:HIGH')}"
    )


def narrow_note(low: float, high: float, allowed: Range, label: str) -> tuple[str, ...]:
    """A note where values use less than a hundredth of the range that they were scaled by."""
    width = allowed[1] - allowed[0]
    if not 0 < high - low < _SMALL_PART * width:
        return ()
    return (
        f"{label}: the values go from {low:g} to {high:g}, less than a hundredth of the range {allowed[0]:g} to "
        f"{allowed[1]:g} by which they are scaled; a range of your own would stretch them",
    )


def divided(values: np.ndarray[Any, Any], allowed: Range) -> np.ndarray[Any, Any]:
    """Whole numbers in `allowed` as float32: its end becomes 1, and 0 stays 0."""
    return (values / allowed[1]).astype(np.float32)


def picture_range(states: np.ndarray[Any, Any]) -> Range:
    """The numbers that are black and white in pictures like these, of any shape: 0 and 1 where these hold all of them.

    Where the pictures go beyond, it is the usual range that they fill by a fifth or more, else their own ends.

    ```python
    >>> import numpy as np
    >>> from attrax import sources
    >>> sources.picture_range(np.array([0.0, 0.4])), sources.picture_range(np.array([0.0, 200.0]))
    ((0.0, 1.0), (0.0, 255.0))

    ```
    """
    low, high = float(np.min(states)), float(np.max(states))
    for least, most in _KNOWN:
        if least <= low and high <= most and (most == 1 or high - low >= _LARGE_PART * most):
            return float(least), float(most)
    return min(low, 0.0), max(high, 1.0)


def to_unit(states: np.ndarray[Any, Any], black_white: Range) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Pictures with black at 0 and white at 1, and a note where another range was scaled and where values are clipped.

    The shape is any, and stays. What lies outside by less than half a step of 8 bits is clipped without a word.

    ```python
    >>> import numpy as np
    >>> from attrax import sources
    >>> pictures, notes = sources.to_unit(np.array([[0.0, 127.5, 300.0]]), (0.0, 255.0))
    >>> pictures.tolist()
    [[0.0, 0.5, 1.0]]
    >>> notes
    ('0 is written as black and 255 as white', '1 of 3 values were clipped to [0, 255]')

    ```
    """
    low, high = black_white
    scaled = (np.asarray(states, np.float64) - low) / (high - low)
    outside = int(np.count_nonzero((scaled < -0.5 / 255) | (scaled > 1 + 0.5 / 255)))
    notes = ()
    if black_white != (0.0, 1.0):
        notes = (f"{low:g} is written as black and {high:g} as white",)
    if outside:
        notes += (f"{outside:,} of {scaled.size:,} values were clipped to [{low:g}, {high:g}]",)
    return np.clip(scaled, 0.0, 1.0), notes
