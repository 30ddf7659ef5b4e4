"""The nearest-neighbor rules that trained scores start from."""

import math

import numpy as np
from jaxtyping import Float

from attrax._base.types import HostStates
from attrax.training._coordinates import Coordinates
from attrax.training._standing import alike, standing

_TEMPLATE_SCALE = 2.0
"""Factor on all scores at the start: the larger it is, the surer the classifier is before training."""
_MOST_ALIKE = 0.999
"""Examples whose largest correlation with another one is below this are told apart by correlation."""
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
    if len(vectors) > 1 and rows is not None and not alike(rows, _MOST_ALIKE):
        size = math.sqrt(float(np.mean((vectors**2).sum(axis=1))))
        darker = None if vectors.min() < 0 else _normalized_rows(logarithms(vectors))
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


def logarithms(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """log(t + 0.3), with t the values moved and scaled to [0, 1]."""
    return np.log((vectors - vectors.min()) / (float(np.ptp(vectors)) or 1.0) + _DARK)


def _normalized_rows(rows: np.ndarray) -> np.ndarray | None:
    """Rows minus their means, scaled to unit norm; `None` if one of them is constant."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1)
    return centered / norms[:, None] if norms.min() > 1e-6 * max(norms.max(), 1e-300) else None


def leading_directions(
    inputs: Float[np.ndarray, "n d"], most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Euclidean distance in at most so many principal directions: V, a, U and b of the scores U·(V·x + a) + b."""
    found = Coordinates.of(inputs, rank=max(most, 1))
    rows, directions = found.encode(inputs)[:, :most], found.basis.T[:most]
    lengths = (rows**2).sum(axis=1)
    scale = _TEMPLATE_SCALE * 4 / (float(np.mean(lengths)) or 1.0)
    return directions, -directions @ found.center, scale * rows, -0.5 * scale * lengths
