"""Other associative memories that can be written down: universal and classical Hopfield networks, nearest neighbors.

All of them work on flat float64 rows. A memory answers cues, of which some entries may be known to be right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.spatial.distance

from attrax.extending import Record, checks, squared_distances

Answer = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""A function of flat cues, m×d, and of which entries are known (or `None`) that returns flat states, m×d."""

SIMILARITIES = ("dot", "cosine", "euclidean", "manhattan")
SEPARATIONS = ("softmax", "max", "polynomial")
BETAS = (1.0, 10.0, 100.0, 1e3, 1e4)
"""Sharpness of the softmax, for similarities on the scale of their spread over the stored rows."""
POWERS = (2.0, 10.0, 100.0)
"""Powers of the polynomial separation."""
_LEAST = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class RivalMemory(Record):
    """A memory of another kind, ready to answer.

    **Fields:** `name`; `setting`, what was chosen, as text; `parameters`, the numbers it keeps; `num_bytes`, the bytes
    these take (one for each entry of an eight-bit picture); `answer`; `references`, the state that stands for each
    example, n×d, where that is not the example itself.
    """

    name: str
    setting: str
    parameters: int
    num_bytes: int
    answer: Answer
    references: np.ndarray | None = None


def similarities(rows: np.ndarray, cues: np.ndarray, similarity: str, known: np.ndarray | None = None) -> np.ndarray:
    """How similar each cue is to each row, m×n, by one of `SIMILARITIES`; distances are negative.

    With `known`, only the known entries of each cue count.

    **Raises** `ValueError` for an unknown similarity.

        >>> similarities(np.eye(2), np.array([[1.0, 1.0]]), "euclidean").tolist()
        [[-1.0, -1.0]]
    """
    checks.one_of("similarity", similarity, SIMILARITIES)
    if known is not None:
        mask = known.astype(np.float64)
        masked = mask * cues
        if similarity == "manhattan":
            return -np.stack([np.abs(rows - cue) @ one for cue, one in zip(cues, mask, strict=True)])
        products = masked @ rows.T
        squares = mask @ (rows**2).T
        if similarity == "euclidean":
            return 2 * products - squares - (masked**2).sum(axis=1)[:, None]
        lengths = np.sqrt(squares * (masked**2).sum(axis=1)[:, None]) if similarity == "cosine" else 1.0
        return products / np.maximum(lengths, _LEAST)
    if similarity == "manhattan":
        return -scipy.spatial.distance.cdist(cues, rows, "cityblock")
    if similarity == "euclidean":
        return -squared_distances(cues, rows)
    products = cues @ rows.T
    if similarity == "dot":
        return products
    lengths = np.linalg.norm(cues, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    return products / np.maximum(lengths, _LEAST)


def separated(scores: np.ndarray, separation: str, sharpness: float) -> np.ndarray:
    """Weights of the stored rows for each cue, m×n, by one of `SEPARATIONS`; they sum to 1.

    The polynomial is that of the scores relative to the best one, or of 1/distance where all are negative distances.

    **Raises** `ValueError` for an unknown separation.

        >>> separated(np.array([[-1.0, -2.0]]), "polynomial", 2.0).round(6).tolist()
        [[0.8, 0.2]]
    """
    checks.one_of("separation", separation, SEPARATIONS)
    best = scores.max(axis=1, keepdims=True)
    if separation == "max":
        weights = np.zeros_like(scores)
        weights[np.arange(len(scores)), scores.argmax(axis=1)] = 1
        return weights
    if separation == "softmax":
        weights = np.exp(sharpness * (scores - best))
    else:
        products = np.maximum(scores, 0) / np.maximum(best, _LEAST)
        inverses = (1e-12 - np.minimum(best, 0)) / (1e-12 - np.minimum(scores, 0))
        weights = np.where(best > 0, products, inverses) ** sharpness
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), _LEAST)


def universal_hopfield(
    rows: np.ndarray,
    similarity: str,
    separation: str,
    sharpness: float = 1.0,
    *,
    targets: np.ndarray | None = None,
    steps: int = 1,
    masked: bool = False,
    name: str | None = None,
) -> RivalMemory:
    """A universal Hopfield network: targetsᵀ separation(similarity(rows, cue)), applied `steps` times.

    One step with `max` is the nearest neighbor; softmax of dot products is the modern Hopfield network, polynomials are
    dense associative memories. With `masked`, only the known entries of a cue are compared.

    **Source:** Millidge et al., ICML 2022.

        >>> universal_hopfield(np.eye(2), "dot", "max").answer(np.array([[0.9, 0.2]]), None).tolist()
        [[1.0, 0.0]]
    """
    ends = rows if targets is None else targets
    spread = 1.0 if separation != "softmax" else spread_of(rows, similarity)

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        state = cues
        for step in range(steps):
            told = known if masked and step == 0 else None
            scores = similarities(rows, state, similarity, told) / spread
            state = separated(scores, separation, sharpness) @ ends
        return state

    said = f"{similarity}, {separation}" + ("" if separation == "max" else f" {sharpness:g}")
    said += f", {steps} steps" if steps > 1 else ""
    numbers = rows.size + (0 if targets is None else targets.size)
    return RivalMemory(name or "universal Hopfield", said, numbers, numbers, answer)


def spread_of(rows: np.ndarray, similarity: str) -> float:
    """The scale of the similarities among stored rows, which makes β a pure number."""
    some = rows[:100]
    return float(np.std(similarities(some, some, similarity))) or 1.0


def nearest_neighbor_memory(rows: np.ndarray, *, masked: bool = False) -> RivalMemory:
    """The Euclidean nearest neighbor, over the known entries only with `masked`.

    >>> nearest_neighbor_memory(np.eye(2)).answer(np.array([[0.9, 0.2]]), None).tolist()
    [[1.0, 0.0]]
    """
    name = "1-NN, known pixels only" if masked else "1-NN"
    return universal_hopfield(rows, "euclidean", "max", masked=masked, name=name)


def classical_hopfield(rows: np.ndarray, *, steps: int = 50) -> RivalMemory:
    """Hopfield's network on thresholded rows, with the mean pattern taken off, all units at once.

    Its answers are ±1 patterns, written as 0 and 1, so `references` are the thresholded rows: it is judged on these,
    which is generous. It keeps the couplings, or the patterns as bits where that takes less.

        >>> one = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
        >>> classical_hopfield(one).answer(np.array([[0.9, 0.8, 0.1, 0.4]]), None).tolist()
        [[1.0, 1.0, 0.0, 0.0]]
    """
    num, size = rows.shape
    threshold = np.median(rows, axis=0) if num > 2 else np.full(size, 0.5)
    signs = np.where(rows > threshold, 1.0, -1.0)
    mean = signs.mean(axis=0)
    keys = signs - mean
    scale = max(float((keys**2).sum(axis=1).mean()), 1e-12)

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        state = np.where(cues > threshold, 1.0, -1.0)
        for _ in range(steps):
            moved = np.where(mean + ((state - mean) @ keys.T) @ keys / scale >= 0, 1.0, -1.0)
            if np.array_equal(moved, state):
                break
            state = moved
        return (state + 1) / 2

    bits = min(size * (size - 1) // 2 * int(np.ceil(np.log2(2 * num + 1))), num * size) + 32 * size
    return RivalMemory(
        "Hopfield, on thresholded pictures",
        "median threshold",
        size * (size - 1) // 2,
        -(-bits // 8),
        answer,
        (signs + 1) / 2,
    )


def best_of(
    made: Sequence[RivalMemory], cues: np.ndarray, truth: np.ndarray, threshold: float, known: np.ndarray | None = None
) -> RivalMemory:
    """The memory that brings most of these cues within a mean square of `threshold` of the truth.

    Tuning needs cues of its own, so that no rival is judged on the cues it was chosen by.
    """

    if len(made) == 1:
        return made[0]

    def score(one: RivalMemory) -> tuple[float, float]:
        errors = ((one.answer(cues, known) - truth) ** 2).mean(axis=1)
        return float((errors < threshold).mean()), -float(np.median(errors))

    return max(made, key=score)


def modern_hopfield(rows: np.ndarray) -> list[RivalMemory]:
    """The modern Hopfield network (softmax of dot products, 5 steps) at every β of `BETAS`."""
    return [universal_hopfield(rows, "dot", "softmax", beta, steps=5, name="modern Hopfield") for beta in BETAS]
