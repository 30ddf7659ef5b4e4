"""What is read from a file before anybody believes it: JSON within limits, and arrays of the kind that is expected."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

_DEPTH = 32
"""Nesting of the text in a file; attrax's own is a quarter of it."""
_LARGEST = 2**63 - 1
_SIDES = 16
"""Axes of a state."""


def read_json(text: str) -> dict[str, Any]:
    """A JSON object of texts, finite numbers, truth values, lists and objects, integers within 64 bits.

    **Raises** `ValueError` for anything else, and for what nests too deeply for whoever goes through it.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("its text nests too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("its text is no JSON object")
    level: list[Any] = [found]
    for _ in range(_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return found
    raise ValueError("its text nests too deeply")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number in its text is out of range")
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise ValueError("a number in its text needs more than 64 bits")
    return []


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} in its text is no number of JSON")


def is_whole(value: Any, least: int = 0, most: int = _LARGEST) -> bool:
    """Whether this is an integer, and no truth value, within these limits."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: Any, least: float = -math.inf) -> bool:
    """Whether this is a finite number of at least `least`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def is_list(value: Any, of: type) -> bool:
    """Whether this is a list of texts, objects and the like."""
    return isinstance(value, list) and all(isinstance(entry, of) for entry in value)


def shape_of(text: Mapping[str, Any], name: str = "shape") -> tuple[int, ...]:
    """A shape: the length of each axis. **Raises** `ValueError` for anything else."""
    found = text[name]
    if not isinstance(found, list) or not 1 <= len(found) <= _SIDES or not all(is_whole(side, 1) for side in found):
        raise ValueError(f"{name} must be a list of positive integers; it is {str(found)[:80]}")
    return tuple(found)


def real_array(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], *, finite: bool) -> np.ndarray:
    """An array of real numbers of this shape. **Raises** `ValueError` for anything else."""
    array = arrays[name]
    if array.dtype.kind != "f" or array.shape != shape:
        raise ValueError(f"{name} must be real numbers of shape {shape}; it is {array.dtype} of shape {array.shape}")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return array
