"""The states of sequences, each made of the last few frames, and their successors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attrax._base.arguments import ArgumentError, mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.types import HostIndices, HostStates
from attrax.patterns._delays import delayed, equal_rows


class Embedded(NamedTuple):
    """States made from sequences: the fields of `Patterns`, which are explained there."""

    points: HostStates
    successor: HostIndices
    merged: tuple[tuple[int, int], ...]
    frame: tuple[int, ...] | None
    names: tuple[str, ...] | None


def embedded(sequences: list[HostStates], holds: list[bool], context: int, names: Sequence[str] | None) -> Embedded:
    """The states with this context. **Raises** `ValueError` for a state with two successors."""
    longest = max(sequences, key=len)
    if context > 1:
        refuse_beyond_memory(
            f"{mention('context')}: states of {context} frames",
            2 * context * (sum(map(len, sequences)) + context) * longest[0].nbytes,
            f"take a shorter one. The longest sequence has {len(longest)} frames, and no context has to be longer than "
            "twice that",
        )
    parts = [delayed(sequence, context, hold=hold) for sequence, hold in zip(sequences, holds, strict=True)]
    points = np.concatenate(parts)
    successor, owner, frame, begin, first_frame = [], [], [], 0, 0
    for number, (part, hold, sequence) in enumerate(zip(parts, holds, sequences, strict=True)):
        steps = np.arange(1, len(part) + 1)
        successor += (begin + (np.minimum(steps, len(part) - 1) if hold else steps % len(part))).tolist()
        owner += [number] * len(part)
        frame += (first_frame + np.minimum(steps - 1, len(sequence) - 1)).tolist()
        begin, first_frame = begin + len(part), first_frame + len(sequence)
    after = np.array(successor)
    first = equal_rows(points)
    twice = np.flatnonzero(first != np.arange(len(points)))
    for index in twice:
        other = int(first[index])
        if first[after[index]] != first[after[other]] or not (holds[owner[index]] and holds[owner[other]]):
            raise ArgumentError(_same(frame[other], frame[index], context, names))
    shape = sequences[0].shape[1:] if context > 1 else None
    called = names_at(names, frame)
    if not len(twice):
        return Embedded(points, after, (), shape, called)
    kept = np.flatnonzero(first == np.arange(len(points)))
    merged = tuple((int(index), int(first[index])) for index in twice)
    return Embedded(points[kept], np.searchsorted(kept, first[after[kept]]), merged, shape, names_at(called, kept))


def _same(one: int, other: int, context: int, names: Sequence[str] | None) -> str:
    named = "" if names is None else f", {names[one]} and {names[other]},"
    if context == 1:
        return (
            f"states {one} and {other} (counted over all cycles){named} are equal, so a map of one state cannot tell "
            "which place in the sequence it is at; leave one out, or let a state be the last K frames with "
            f"{mention('context', 'K', 'K')} or {mention('context', repr('auto'), 'auto')}"
        )
    return (
        f"states {one} and {other} (counted over all cycles){named} are equal, and so are the {context} frames up to "
        f"each, so a context of this length cannot tell them apart; take a longer one or "
        f"{mention('context', repr('auto'), 'auto')}, or leave one out"
    )


def refuse_repeats(sequences: list[HostStates], holds: list[bool], names: Sequence[str] | None) -> None:
    """**Raises** `ValueError` for cycles that no context could tell apart: one that repeats itself or is given twice.

    Open sequences are not checked: for any that differ, some context tells them apart.
    """
    start, known = 0, []
    for number, (sequence, hold) in enumerate(zip(sequences, holds, strict=True)):
        word = [(frame + 0.0).tobytes() for frame in sequence]
        if not hold or len(word) == 1:
            for period in range(1, len(word)):
                if len(word) % period == 0 and word == word[period:] + word[:period]:
                    raise ValueError(
                        f"cycle {number} repeats itself after {period} of its {len(word)} states (states {start} and "
                        f"{start + period}, counted over all cycles, are equal and so are all after them); give one "
                        "period of it"
                    )
            for other, begun, before in known:
                if len(before) == len(word) and any(before == word[turn:] + word[:turn] for turn in range(len(word))):
                    turn = next(turn for turn in range(len(word)) if before == word[turn:] + word[:turn])
                    raise ValueError(
                        f"cycles {other} and {number} are the same: states {begun} and {start + turn} (counted over "
                        "all cycles) are equal and so are all after them; leave one out"
                    )
            known.append((number, start, word))
        start += len(word)


def names_at(names: Sequence[str] | None, indices: Sequence[int] | HostIndices) -> tuple[str, ...] | None:
    """The names at these indices; `None` if there are no names."""
    return None if names is None else tuple(names[int(index)] for index in indices)


def least_context(sequences: list[HostStates], holds: list[bool]) -> int:
    """The least context that leaves no state with two successors. **Raises** `ValueError` if there is none."""
    # It only matters which frames are equal, so the search uses a number in place of each frame.
    numbers = equal_rows(np.concatenate(sequences)).astype(float)[:, None]
    words = np.split(numbers, np.cumsum([len(sequence) for sequence in sequences])[:-1])
    # Two different sequences differ within the sum of their lengths (Fine and Wilf).
    most = 2 * max(len(sequence) for sequence in sequences)
    for number in range(1, most):
        try:
            embedded(words, holds, number, None)
        except ValueError:
            continue
        return number
    raise ValueError(
        f"no context tells all states apart, not even of {most} frames: an open sequence goes on differently after its "
        "first frame and after its last, which are equal; leave one of these out"
    )
