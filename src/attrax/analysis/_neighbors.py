"""The nearest-neighbor rules that a memory has to be measured against."""

import numpy as np

from attrax._base import checks
from attrax._base.types import HostIndices, HostStates

RULES = ("euclidean", "cosine", "correlation")
"""Euclidean distance (the paper's 1-NN, Fig. 14), cosine similarity, and Pearson correlation."""


def nearest_neighbor(cues: HostStates, references: HostStates, *, rule: str = "euclidean") -> HostIndices:
    """The index of the reference nearest to each cue.

    **Arguments:** `cues`, m×state shape; `references`, n×state shape; `rule`, one of `RULES`. A cue without
    direction (all zero, or constant for the correlation) has no nearest reference: −1.

    **Returns:** m indices. **Raises** `ValueError` for an unknown rule or shapes that do not match.

        >>> nearest_neighbor(np.array([[0.9, 0.1]]), np.eye(2)).tolist()
        [0]
    """
    checks.one_of("rule", rule, RULES)
    cues, references = np.asarray(cues, np.float64), np.asarray(references, np.float64)
    if cues.ndim < 2 or cues.shape[1:] != references.shape[1:] or not len(references):
        raise ValueError(f"cues and references must hold states of one shape; got {cues.shape} and {references.shape}")
    flat, known = cues.reshape(len(cues), -1), references.reshape(len(references), -1)
    if rule == "euclidean":
        return np.argmin((known**2).sum(axis=1) - 2 * flat @ known.T, axis=1)
    if rule == "correlation":
        flat, known = flat - flat.mean(axis=1, keepdims=True), known - known.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(known, axis=1)
    # A constant minus its mean leaves only rounding, not a direction.
    flat_norms = np.linalg.norm(flat, axis=1)
    scale = np.abs(cues.reshape(len(cues), -1)).max(axis=1)
    likeness = np.where(norms > 0, flat @ known.T / np.where(norms > 0, norms, 1.0), -np.inf)
    found = np.argmax(likeness, axis=1)
    return np.where(flat_norms > 1e-12 * np.maximum(scale, 1e-300) * np.sqrt(flat.shape[1]), found, -1)
