"""A memory scaffold with heteroassociation (MESH), written down from its paper, and what it is compared with."""

from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from attrax.paper._rival_memories import RivalMemory

_ACTIVE = 3
"""Active units in each state of the label layer."""


def mesh(signs: np.ndarray, *, labels: int, hidden: int, seed: int) -> RivalMemory:
    """Stores ±1 patterns, n×d, and answers ±1 cues with ±1 patterns.

    The scaffold does not depend on the patterns: states of the label layer with 3 of `labels` units active, each with a
    hidden state h = sgn(W l) by a random W; Hebbian weights lead back from h to l. Pattern i is tied to the i-th hidden
    state by pseudo-inverse weights in both directions. Recall goes from the cue to the hidden layer, once through the
    scaffold, which is a winner-take-all among the label units, and back to the pattern.

    **Raises** `ValueError` for more patterns than the label layer has states.

    **Source:** Sharma, Chandra and Fiete, ICML 2022.

        >>> signs = np.sign(np.random.default_rng(0).normal(size=(4, 16)))
        >>> bool((mesh(signs, labels=6, hidden=32, seed=0).answer(signs, None) == signs).all())
        True
    """
    num, size = signs.shape
    if num > comb(labels, _ACTIVE):
        raise ValueError(f"labels must give a state to each of {num} patterns; {labels} have {comb(labels, _ACTIVE)}")
    draw = np.random.default_rng(seed)
    # In random order: neighbors in the order of `combinations` share two of their three units.
    chosen = draw.permutation(list(combinations(range(labels), _ACTIVE)))
    states = np.zeros((len(chosen), labels))
    np.put_along_axis(states, chosen, 1.0, axis=1)
    out = draw.standard_normal((labels, hidden))
    codes = _signs(states @ out)
    back = codes.T @ states
    inward = np.linalg.pinv(signs) @ codes[:num]
    outward = np.linalg.pinv(codes[:num]) @ signs

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        found = _signs(cues @ inward) @ back
        best = np.argsort(-found, axis=1, kind="stable")[:, :_ACTIVE]
        label = np.zeros_like(found)
        np.put_along_axis(label, best, 1.0, axis=1)
        return _signs(_signs(label @ out) @ outward)

    parameters = mesh_size(size, labels, hidden)
    return RivalMemory("MESH (own)", f"{labels} labels, {hidden} hidden", parameters, 4 * parameters, answer)


def mesh_size(size: int, labels: int, hidden: int) -> int:
    """The number of weights of the scaffold for patterns of `size` entries.

    >>> mesh_size(100, 12, 80)
    17920
    """
    return 2 * hidden * (size + labels)


def hidden_for(size: int, labels: int, weights: int) -> int:
    """The largest hidden layer with at most this many weights.

    >>> hidden_for(100, 12, 17_920)
    80
    """
    return max(weights // (2 * (size + labels)), 1)


def pseudo_inverse(signs: np.ndarray, *, steps: int = 50) -> RivalMemory:
    """The projection rule, x ← sgn(Ξᵀ (Ξᵀ)⁺ x), with d² weights.

    >>> pseudo_inverse(np.array([[1.0, -1.0, 1.0, 1.0]])).answer(np.array([[1.0, -1.0, 1.0, -1.0]]), None).tolist()
    [[1.0, -1.0, 1.0, 1.0]]
    """
    return _recurrent("pseudo-inverse", np.linalg.pinv(signs) @ signs, steps)


def hebbian(signs: np.ndarray, *, steps: int = 50) -> RivalMemory:
    """Hopfield's network, W = Σ ξ ξᵀ/d without its diagonal, all units at once, with d² weights.

    >>> hebbian(np.array([[1.0, -1.0, 1.0, 1.0]])).answer(np.array([[1.0, -1.0, 1.0, -1.0]]), None).tolist()
    [[1.0, -1.0, 1.0, 1.0]]
    """
    weights = signs.T @ signs / signs.shape[1]
    np.fill_diagonal(weights, 0.0)
    return _recurrent("Hopfield", weights, steps)


def _recurrent(name: str, weights: Any, steps: int) -> RivalMemory:
    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        state = cues
        for _ in range(steps):
            moved = _signs(state @ weights.T)
            if np.array_equal(moved, state):
                break
            state = moved
        return state

    return RivalMemory(name, f"{len(weights)} units", weights.size, 4 * weights.size, answer)


def _signs(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, -1.0)
