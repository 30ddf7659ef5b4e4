"""Euclidean lengths at any scale."""

import numpy as np


def row_lengths(rows: np.ndarray) -> np.ndarray:
    """The 2-norm of each of n rows, even where squares would overflow or underflow.

    >>> np.log10(row_lengths(np.array([[3e200, 4e200], [0.6, 0.8]]))).round(3).tolist()
    [200.699, 0.0]
    """
    size = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0))
    scale = np.where((size > 0) & np.isfinite(size), size, 1.0)
    with np.errstate(over="ignore"):
        scaled = rows / scale[:, None]
        return np.sqrt(np.square(scaled, out=scaled).sum(axis=1)) * scale


def largest_distance(states: np.ndarray, others: np.ndarray) -> float:
    """The largest Euclidean distance between a state and its counterpart; infinite if one is not finite.

    >>> largest_distance(np.array([[[3.0, 4.0]], [[0.0, 0.0]]]), np.zeros((2, 1, 2)))
    5.0
    """
    distance = float(row_lengths((states - others).reshape(len(states), -1)).max())
    return distance if np.isfinite(distance) else float("inf")
