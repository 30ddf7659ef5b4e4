"""Delay embedding of sequences, and pairs of states that are hard to tell apart."""

from dataclasses import dataclass

import numpy as np

from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates

NEAR = 0.2
"""Two states are near each other below this fraction of the median step of the sequences."""
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Ambiguity(Record):
    """Two states that are nearly equal but have different successors.

    **Fields:** `states`, their two indices; `distance`, between them; `successor_distance`, between their successors.
    """

    states: tuple[int, int]
    distance: float
    successor_distance: float


def stack(frames: HostStates) -> HostStates:
    """Makes one state from K frames, oldest first. Gray pictures become the channels of one picture; all other frames
    are joined along their last axis.

    **Arguments:** `frames`, n×K×frame shape. **Returns:** n×state shape.
    """
    if frames.ndim == 4:
        return np.ascontiguousarray(np.moveaxis(frames, 1, -1))
    return np.concatenate(list(np.moveaxis(frames, 1, 0)), axis=-1)


def last_frame(states: HostStates, frame: tuple[int, ...]) -> HostStates:
    """The latest frame of each of n states made by `stack`. **Returns:** n×frame shape."""
    if states.shape[1:] == frame:
        return states
    return states[..., -1] if len(frame) == 2 else states[..., -frame[-1] :]


def delayed(sequence: HostStates, context: int, *, hold: bool) -> HostStates:
    """The last `context` frames at each position of a sequence, stacked: n×state shape.

    In a loop, the frames before the first one are those at its end. In an open sequence, the first frame is repeated
    before it, and the last frame is repeated until a state contains nothing else.
    """
    length = len(sequence)
    places = np.arange(length + (context - 1 if hold else 0))
    back = places[:, None] - np.arange(context)[::-1]
    index = np.clip(back, 0, length - 1) if hold else back % length
    return sequence if context == 1 else stack(sequence[index])


def equal_rows(points: HostStates) -> HostIndices:
    """For each row, the index of the first row equal to it."""
    first: dict[bytes, int] = {}
    # Adding zero turns −0.0 into 0.0, which compares equal but differs in its bytes.
    return np.array([first.setdefault((point + 0.0).tobytes(), index) for index, point in enumerate(points)])


def near_pairs(points: HostStates, successor: HostIndices) -> tuple[Ambiguity, ...]:
    """Pairs of different states within `NEAR` times the median step whose successors lie farther apart than they do.

    A step is the distance from a state to its successor, over all states that move; if none does, there are no pairs. A
    map that stores such a pair has to stretch the distance between them.

    **Returns:** the pairs, the closest first.
    """
    vectors = np.asarray(points, np.float64).reshape(len(points), -1)
    steps = np.linalg.norm(vectors - vectors[successor], axis=1)
    if not (steps > 0).any():
        return ()
    limit = NEAR * float(np.median(steps[steps > 0]))
    squares = (vectors**2).sum(axis=1)
    pairs = []
    for start in range(0, len(vectors), _BLOCK):
        rows = slice(start, start + _BLOCK)
        gram = squares[rows, None] + squares - 2 * vectors[rows] @ vectors.T
        # The expanded square loses digits, so the distances of close pairs are computed again directly.
        room = 1e-12 * (squares[rows, None] + squares)
        for one, other in zip(*np.nonzero(gram <= limit**2 + room), strict=True):
            i, j = start + int(one), int(other)
            if i >= j:
                continue
            distance = float(np.linalg.norm(vectors[i] - vectors[j]))
            apart = float(np.linalg.norm(vectors[successor[i]] - vectors[successor[j]]))
            if distance < limit and apart > distance:
                pairs.append(Ambiguity((i, j), distance, apart))
    return tuple(sorted(pairs, key=lambda pair: (pair.distance, pair.states)))
