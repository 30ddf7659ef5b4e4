"""What the default writers train with where nothing else is said."""

import math

import numpy as np

from attrax._base.numerics import squared_distances
from attrax.patterns import Patterns
from attrax.training import training_divisor

_SAMPLE, _PIECE = 2000, 512
"""Examples whose nearest neighbors stand for all, and how many are compared with the others at once."""


def default_corruptions(patterns: Patterns) -> tuple[str, ...]:
    """The default training corruptions: noise; for pictures also occlusion, drops, salt and pepper, small shifts.

    The noise is as strong as it can be while examples can still be told apart: a fifth of the typical distance to the
    nearest other example, and no more than 1.2 times the range of the values (1.2 for pixels). Of pairs, the cue alone
    is corrupted, and occlusion, the hardest, comes twice as often: the cue is all there is to recall from.
    """
    vectors = np.asarray(patterns.cues_of(patterns.points), np.float64).reshape(len(patterns), -1)
    span = float(vectors.max() - vectors.min()) or 1.0
    level = 1.2 * span
    if len(vectors) > 1:
        some = np.arange(0, len(vectors), max(1, len(vectors) // _SAMPLE))
        level = min(level, 0.2 * math.sqrt(float(np.median(nearest_others(vectors, some)[0]))) or level)
    noise = f"gaussian:{level:.3g}"
    if len(patterns.cue_shape) < 2:
        return (noise,)
    # Three entries drop pixels. Two of them drop twice, and so more often leave only the last few percent, the hardest
    # case. Pixels set to black or white teach the scores not to rely on any single one, which helps against corruptions
    # that are not trained on. One of the two entries also shifts by a pixel, which helps against warps.
    dropped = ("drop:0.97", "drop:0.9+drop:0.9", "drop:0.9+drop:0.9")
    occluded = ("occlude:0.7",) * (1 if patterns.parts is None else 2)
    if training_divisor(patterns) != 1:
        return (noise, noise, *occluded, *dropped)  # in another scale, black and white are not 0 and 1
    return (noise, noise, *occluded, *dropped, "saltpepper:0.7", "saltpepper:0.7+shift:1")


def nearest_others(vectors: np.ndarray, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """For all rows, or those of the given numbers, the squared distance to the nearest other row, and its number."""
    rows = np.arange(len(vectors)) if rows is None else rows
    nearest, neighbors = np.empty(len(rows)), np.empty(len(rows), int)
    for start in range(0, len(rows), _PIECE):
        here = rows[start : start + _PIECE]
        distances = squared_distances(vectors[here], vectors)
        distances[np.arange(len(here)), here] = np.inf
        neighbors[start : start + _PIECE] = distances.argmin(axis=1)
        nearest[start : start + _PIECE] = distances.min(axis=1)
    return nearest, neighbors


def default_epochs(num: int) -> int:
    """Epochs by the number of examples: 600,000 rows, but not too few passes for many nor too many for few."""
    return int(np.clip(600_000 / num, 10, 3_000))
