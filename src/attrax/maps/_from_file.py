"""What a map made of the arrays and settings of a file checks of them, beside what every map of its kind checks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attrax._base import checks


def with_axes(array: np.ndarray, axes: int) -> np.ndarray:
    """The array, if it has so many axes: inside transformations maps hold batches of weights, in files they do not.

    **Raises** `ValueError` otherwise.
    """
    if array.ndim != axes:
        raise ValueError(f"weights must have {axes} axes; one has the shape {array.shape}")
    return array


def shape_from(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of a state. **Raises** `ValueError` where it is none."""
    return tuple(checks.integer("each entry of shape", side, least=1) for side in settings["shape"])
