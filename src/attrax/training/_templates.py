"""The nearest-neighbor rules that trained scores start from."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from attrax._base.types import HostStates
from attrax.training._coordinates import Coordinates

_TEMPLATE_SCALE = 2.0
"""Factor on all scores at the start: the larger it is, the surer the classifier is before training."""
_MOST_ALIKE = 0.999
"""Examples whose largest correlation with another one is below this are told apart by correlation."""
_PIECE, _LEAST, _ENTRIES = 512, 64, 2**23
"""Examples whose scores are computed at once: so many or, if those are more scores than the last number, fewer, but not
fewer than the second."""
_TAME = 1e15
"""Products of numbers below this, and of their inverses, are numbers of 32 bits."""
_DARK = 0.3
"""Added to the values before the logarithm of the templates. A smaller value discriminates cues of few pixels even
better, but is worse under noise."""


def nearest_neighbor_scores(
    points: HostStates, coordinates: Coordinates | None = None
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """The weights and biases of linear scores of which the largest is that of the nearest of n examples, by the rule
    that `encoder` starts from.

    **Arguments:** `points`, n×state shape; `coordinates`, if the scores take coordinates instead of states.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> weights, biases = training.nearest_neighbor_scores(np.eye(3))
    >>> (np.eye(3) @ weights.T + biases).argmax(axis=1).tolist()
    [0, 1, 2]

    ```
    """
    templates, offsets = _templates(np.asarray(points, np.float64).reshape(len(points), -1))
    # The part common to all scores does not matter, and for similar examples it would be most of every score.
    templates, offsets = templates - templates.mean(axis=0), offsets - offsets.mean()
    if coordinates is not None:
        offsets = offsets + templates @ coordinates.center
        templates = (templates @ coordinates.basis) * coordinates.scale
    return templates, offsets


def _templates(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and offsets of the linear scores at the start, of the order of the size of the examples."""
    rows = _normalized_rows(vectors)
    if len(vectors) > 1 and rows is not None and _most_alike(rows) < _MOST_ALIKE:
        size = math.sqrt(float(np.mean((vectors**2).sum(axis=1))))
        least, span = float(vectors.min()), float(np.ptp(vectors))
        darker = _normalized_rows(np.log((vectors - least) / span + _DARK)) if least >= 0 else None
        if darker is not None:
            own, others, _ = standing(vectors, darker)
            rows = darker if (own > others).all() else rows
        return _TEMPLATE_SCALE * size * rows, np.zeros(len(vectors))
    moved = vectors - vectors.mean(axis=0)
    # Nearest by Euclidean distance, relative to the mean; scaled so that a typical pair differs by a few units.
    spread = float(np.mean((moved**2).sum(axis=1))) or 1.0
    scale = _TEMPLATE_SCALE * 4 / spread
    offsets = -0.5 * (moved**2).sum(axis=1) - moved @ vectors.mean(axis=0)
    return scale * moved, scale * offsets


def _normalized_rows(rows: np.ndarray) -> np.ndarray | None:
    """Rows minus their means, scaled to unit norm; `None` if one of them is constant."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1)
    return centered / norms[:, None] if norms.min() > 1e-6 * max(norms.max(), 1e-300) else None


def _most_alike(rows: np.ndarray) -> float:
    """The largest product of two different rows of unit norm, in single precision."""
    single, most = rows.astype(np.float32), -1.0
    for start in range(0, len(single) - 1, _PIECE):
        table = single[start : start + _PIECE] @ single[start:].T  # those before have been compared with these
        np.fill_diagonal(table, -1.0)
        most = max(most, float(table.max()))
    return most


def leading_directions(
    inputs: Float[np.ndarray, "n d"], most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Euclidean distance in at most so many principal directions: V, a, U and b of the scores U·(V·x + a) + b."""
    found = Coordinates.of(inputs, rank=max(most, 1))
    rows, directions = found.encode(inputs)[:, :most], found.basis.T[:most]
    lengths = (rows**2).sum(axis=1)
    scale = _TEMPLATE_SCALE * 4 / (float(np.mean(lengths)) or 1.0)
    return directions, -directions @ found.center, scale * rows, -0.5 * scale * lengths


def score_pieces(
    features: Float[np.ndarray, "n k"], weight: Float[np.ndarray, "m k"], bias: Any = 0.0
) -> Iterator[tuple[slice, Float[np.ndarray, "p m"]]]:
    """All scores weight·x + bias of n rows of features, in single precision unless numbers are too large or small for
    it: a few rows at a time, in a table that the next rows overwrite.

    What all rows have in common is added in double precision, because it may be most of every score.
    """
    middle = features.mean(axis=0)
    level = weight @ middle + bias
    sizes = [float(max(one.max(initial=0.0), -one.min(initial=0.0))) for one in (features, weight, level)]
    tame = all(size == 0 or 1 / _TAME < size < _TAME for size in sizes)
    dtype = np.float32 if tame else np.float64
    weight, level = weight.astype(dtype, copy=False), level.astype(dtype)
    piece = max(_LEAST, min(_PIECE, _ENTRIES // max(len(weight), 1)))
    tables = np.empty((min(piece, len(features)), len(weight)), dtype)
    for start in range(0, len(features), piece):
        moved = (features[start : start + piece] - middle).astype(dtype)
        table = np.matmul(moved, weight.T, out=tables[: len(moved)])
        table += level
        yield slice(start, start + len(table)), table


def standing(
    features: Float[np.ndarray, "n k"], weight: Float[np.ndarray, "n k"], bias: Any = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each example its own score, the largest of the other scores, and whose that is; never all scores at once.

    Which of the others is the largest is found in single precision.
    """
    num = len(features)
    own, others, rival = np.empty(num), np.empty(num), np.empty(num, int)
    biases = np.broadcast_to(bias, num)
    for piece, table in score_pieces(features, weight, bias):
        numbers = np.arange(piece.start, piece.stop)
        table[np.arange(len(table)), numbers] = -np.inf
        rival[piece] = table.argmax(axis=1)
        for scores, whose in ((own, numbers), (others, rival[piece])):
            scores[piece] = np.einsum("ij,ij->i", features[piece], weight[whose]) + biases[whose]
    return own, others, rival
