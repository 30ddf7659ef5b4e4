"""The strongest rival of a memory that was trained on shifts and rotations: its examples at every place and angle."""

from collections.abc import Iterator, Sequence

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import RULES

SHIFTS = tuple(range(-4, 5))
ANGLES = tuple(range(-15, 16, 5))


def transformed(
    pictures: np.ndarray, shifts: Sequence[int] = SHIFTS, angles: Sequence[float] = ANGLES
) -> Iterator[np.ndarray]:
    """The pictures turned by each angle and moved by each pair of shifts, one array of all for each combination.

    They are turned first, bilinearly, and then moved by whole pixels; vacated pixels are black.
    """
    pictures = np.asarray(pictures, np.float32)
    for angle in angles:
        # The angle is given, so that nothing is drawn and any key will do.
        turned = ax.corrupt(f"rotate:{angle}", pictures, key=jr.key(0)) if angle else pictures
        for down in shifts:
            for right in shifts:
                yield _moved(_moved(turned, down, axis=1), right, axis=2)


def _moved(pictures: np.ndarray, amount: int, axis: int) -> np.ndarray:
    size = pictures.shape[axis]
    moved = np.zeros_like(pictures)
    if abs(amount) < size:
        there: list[slice] = [slice(None)] * pictures.ndim
        here = list(there)
        there[axis] = slice(max(amount, 0), size + min(amount, 0))
        here[axis] = slice(max(-amount, 0), size - max(amount, 0))
        moved[tuple(there)] = pictures[tuple(here)]
    return moved


def template_rates(
    cues: np.ndarray,
    pictures: np.ndarray,
    expected: np.ndarray,
    *,
    shifts: Sequence[int] = SHIFTS,
    angles: Sequence[float] = ANGLES,
) -> dict[str, float]:
    """For each rule the fraction of cues whose nearest transformed picture was made from the expected one.

    All transformed pictures are compared, one combination at a time; the first of equally near ones counts. A cue or
    a template without direction is nobody's neighbor by cosine and correlation.
    """
    seen = {rule: _prepared(cues, rule) for rule in RULES}
    best = {rule: np.full(len(cues), -np.inf) for rule in RULES}
    index = {rule: np.full(len(cues), -1) for rule in RULES}
    for templates in transformed(pictures, shifts, angles):
        for rule in RULES:
            known = _prepared(templates, rule)
            likeness = seen[rule] @ known.T
            if rule == "euclidean":
                likeness = likeness - 0.5 * (known**2).sum(axis=1)
            else:
                likeness[:, ~known.any(axis=1)] = -np.inf
            nearest = likeness.argmax(axis=1)
            value = likeness[np.arange(len(cues)), nearest]
            closer = value > best[rule]
            best[rule][closer], index[rule][closer] = value[closer], nearest[closer]
    for rule in RULES:
        if rule != "euclidean":
            index[rule][~seen[rule].any(axis=1)] = -1
    return {rule: float((index[rule] == expected).mean()) for rule in RULES}


def _prepared(states: np.ndarray, rule: str) -> np.ndarray:
    """Flat rows whose products are the rule's likeness, up to what the Euclidean distance needs besides."""
    flat = np.asarray(states, np.float64).reshape(len(states), -1)
    if rule == "euclidean":
        return flat
    if rule == "correlation":
        flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    # What is left of a constant after its mean is taken away is rounding, not a direction.
    return np.where(norms > 1e-6, flat / np.where(norms > 1e-6, norms, 1.0), 0.0)
