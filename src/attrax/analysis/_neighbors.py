"""The nearest-neighbor rules that a memory has to be measured against."""

import numpy as np
from jaxtyping import Bool

from attrax._base import checks
from attrax._base.types import HostIndices, HostStates

RULES = ("euclidean", "cosine", "correlation")
"""Euclidean distance (the paper's 1-NN, Fig. 14), cosine similarity, and Pearson correlation."""


def nearest_neighbor(
    cues: HostStates,
    references: HostStates,
    *,
    rule: str = "euclidean",
    known: Bool[np.ndarray, " m *state"] | None = None,
) -> HostIndices:
    """The index of the reference nearest to each cue.

    **Arguments:** `cues`, m×state shape; `references`, n×state shape; `rule`, one of `RULES`; `known`, m×state shape,
    the entries of each cue that are compared, by default all. A cue without direction (all zero, or constant for the
    correlation) has no nearest reference: −1.

    **Returns:** m indices. **Raises** `ValueError` for an unknown rule or shapes that do not match.

        >>> nearest_neighbor(np.array([[0.9, 0.1]]), np.eye(2)).tolist()
        [0]
        >>> nearest_neighbor(np.array([[np.nan, 0.9]]), np.eye(2), known=np.array([[False, True]])).tolist()
        [1]
    """
    checks.one_of("rule", rule, RULES)
    cues, references = np.asarray(cues, np.float64), np.asarray(references, np.float64)
    if cues.ndim < 2 or cues.shape[1:] != references.shape[1:] or not len(references):
        raise ValueError(f"cues and references must hold states of one shape; got {cues.shape} and {references.shape}")
    vectors, stored = cues.reshape(len(cues), -1), references.reshape(len(references), -1)
    if known is not None:
        return _in_known_part(vectors, stored, rule, np.asarray(known).reshape(vectors.shape))
    if rule == "euclidean":
        return np.argmin((stored**2).sum(axis=1) - 2 * vectors @ stored.T, axis=1)
    if rule == "correlation":
        vectors, stored = vectors - vectors.mean(axis=1, keepdims=True), stored - stored.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(stored, axis=1)
    # A constant minus its mean leaves only rounding, not a direction.
    lengths = np.linalg.norm(vectors, axis=1)
    scale = np.abs(cues.reshape(len(cues), -1)).max(axis=1)
    likeness = np.where(norms > 0, vectors @ stored.T / np.where(norms > 0, norms, 1.0), -np.inf)
    found = np.argmax(likeness, axis=1)
    return np.where(lengths > 1e-12 * np.maximum(scale, 1e-300) * np.sqrt(vectors.shape[1]), found, -1)


def _in_known_part(vectors: np.ndarray, stored: np.ndarray, rule: str, known: np.ndarray) -> HostIndices:
    """The same where each cue is compared in entries of its own. Without any, no reference is nearest."""
    found = np.full(len(vectors), -1)
    for row, mask in enumerate(known):
        if mask.any():
            found[row] = nearest_neighbor(vectors[row : row + 1, mask], stored[:, mask], rule=rule)[0]
    return found
