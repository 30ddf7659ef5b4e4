"""Scores of many examples at all of them: which is the largest, without all of them at once, or at all."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Int

_PIECE, _LEAST, _ENTRIES = 512, 64, 2**23
"""Examples whose scores are computed at once: so many or, if those are more scores than the last number, fewer, but not
fewer than the second."""
_TAME = 1e15
"""Products of numbers below this, and of their inverses, are numbers of 32 bits."""
_MANY, _DIRECTIONS, _FEWER = 2_000, 128, 4
"""From so many scores of states with so many times as many entries as directions, bounds by so many directions save
time."""
_OPEN, _SINGLY = 8, 64
"""Bounds are of use if they leave no more than one in so many scores open; and so many are looked at one by one."""
_ROUNDING = 2e-5
"""More than the relative rounding of a sum of so many products in single precision."""


def score_pieces(
    features: Float[np.ndarray, "n k"], weight: Float[np.ndarray, "m k"], bias: Any = 0.0
) -> Iterator[tuple[slice, Float[np.ndarray, "p m"]]]:
    """All scores weight·x + bias of n rows of features, in single precision unless numbers are too large or small for
    it: a few rows at a time, in a table that the next rows overwrite.

    What all rows have in common is added in double precision, because it may be most of every score.
    """
    middle = features.mean(axis=0)
    level = weight @ middle + bias
    dtype = np.float32 if _tame(features, weight, level) else np.float64
    weight, level = weight.astype(dtype, copy=False), level.astype(dtype)
    piece = _at_once(len(weight))
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

    Which of the others is the largest is found in single precision. Of many examples, most scores are not computed: in
    a few directions and by the Cauchy-Schwarz inequality in the rest, they are known to be smaller than another one.
    """
    num, biases = len(features), np.broadcast_to(bias, len(features))
    numbers, rival = np.arange(num), _rivals_by_bounds(features, weight, biases)
    done = len(rival)
    if done < num:
        rival = np.concatenate([rival, np.empty(num - done, int)])
        for piece, table in score_pieces(features[done:], weight, biases):
            rows = numbers[done:][piece]
            table[np.arange(len(table)), rows] = -np.inf
            rival[rows] = table.argmax(axis=1)
    own, others = np.empty(num), np.empty(num)
    for start in range(0, num, _PIECE):
        piece = slice(start, start + _PIECE)
        for scores, whose in ((own, numbers[piece]), (others, rival[piece])):
            scores[piece] = np.einsum("ij,ij->i", features[piece], weight[whose]) + biases[whose]
    return own, others, rival


def _rivals_by_bounds(
    features: Float[np.ndarray, "n k"], weight: Float[np.ndarray, "n k"], biases: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " m"]:
    """Whose score, of all but its own, is the largest at each of the first m examples: n or, where bounds leave too
    many open, fewer.

    With directions P, the score is at most Px·Pw + |(I-P)x| |(I-P)w| + b. The example with the largest bound is likely
    to be the rival. Only those whose bounds exceed its score can be it too.
    """
    num, size = weight.shape
    middle = features.mean(axis=0)
    level = weight @ middle + biases
    level -= level.mean()  # what all scores have in common decides nothing
    if num < _MANY or size < _FEWER * _DIRECTIONS or not _tame(features, weight, level):
        return np.empty(0, int)
    directions = _leading(features[:: max(1, num // _MANY)] - middle)
    single, levels = weight.astype(np.float32), level.astype(np.float32)
    bounds = np.column_stack([*_projected(weight, directions), level + _ROUNDING * np.abs(level)]).astype(np.float32)
    rival, piece = np.empty(num, int), _at_once(num)
    for start in range(0, num, piece):
        moved = features[start : start + piece] - middle
        sides = np.column_stack([*_projected(moved, directions), np.ones(len(moved))])
        sides[:, -2] *= _ROUNDING  # with the lengths of the weights: the rounding of all that is added here
        table = sides.astype(np.float32) @ bounds.T
        mine = np.arange(len(moved))
        table[mine, start + mine] = -np.inf
        states, guess = moved.astype(np.float32), table.argmax(axis=1)
        least = np.einsum("ij,ij->i", states, single[guess]) + levels[guess]
        near = table >= (least - 1e-6 * np.abs(least))[:, None]
        near[mine, guess] = True  # whatever rounding to zero makes of its score
        found = np.flatnonzero(near)
        if len(found) > table.size // _OPEN:
            return rival[:start]
        rows, columns = np.divmod(found, num)
        for row, those in enumerate(np.split(columns, np.searchsorted(rows, mine[1:]))):
            rival[start + row] = those[np.argmax(single[those] @ states[row] + levels[those])]
    return rival


def alike(rows: Float[np.ndarray, "n k"], least: float) -> bool:
    """Whether two of n rows of unit norm have a product of at least `least`."""
    num, size = rows.shape
    single = rows.astype(np.float32)
    tables, piece = [single], _at_once(num)
    if num >= _MANY and size >= _FEWER * _DIRECTIONS:
        along, rest, _ = _projected(rows, _leading(rows[:: max(1, num // _MANY)]))
        tables.insert(0, np.column_stack([along, rest]).astype(np.float32))
    for start in range(0, num, piece):
        for columns in tables:
            table = columns[start : start + piece] @ columns[start:].T  # those before have been compared with these
            np.fill_diagonal(table, -1.0)
            found = np.flatnonzero(table >= least - _ROUNDING)
            if len(found) <= table.size // _SINGLY:
                break
        for part in np.split(found, range(_PIECE, len(found), _PIECE)):
            one, other = np.divmod(part, table.shape[1])
            if (np.einsum("ij,ij->i", rows[start + one], rows[start + other]) >= least).any():
                return True
    return False


def _at_once(count: int) -> int:
    """Of how many examples so many scores each are computed at once."""
    return max(_LEAST, min(_PIECE, _ENTRIES // max(count, 1)))


def _leading(rows: Float[np.ndarray, "m k"]) -> Float[np.ndarray, "k r"]:
    """Orthonormal columns close to the directions in which the rows are largest."""
    columns = np.random.default_rng(0).standard_normal((rows.shape[1], _DIRECTIONS))
    for _ in range(3):
        columns, _ = np.linalg.qr(rows.T @ (rows @ columns))
    return columns


def _projected(rows: Float[np.ndarray, "m k"], directions: Float[np.ndarray, "k r"]) -> tuple[np.ndarray, ...]:
    """Rows along directions, the length of what is left of each, and its length."""
    along, squares = rows @ directions, np.einsum("ij,ij->i", rows, rows)
    return along, np.sqrt(np.maximum(squares - np.einsum("ij,ij->i", along, along), 0.0)), np.sqrt(squares)


def _tame(*arrays: np.ndarray) -> bool:
    sizes = [float(max(one.max(initial=0.0), -one.min(initial=0.0))) for one in arrays]
    return all(size == 0 or 1 / _TAME < size < _TAME for size in sizes)
