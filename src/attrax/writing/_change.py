"""Guarded changes: examples are added or forgotten, and a change is accepted only if all remaining examples are
certified."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Progress
from attrax.memory import Memory, check_memory
from attrax.patterns import Patterns
from attrax.writing._certified import failed_examples, refine_and_certify
from attrax.writing._protocol import Writer, checked_writer
from attrax.writing._writers import writer_of

_OF_THE_EXAMPLES = ("seed", "sources", "selection", "media", "letters")
"""Entries of a record about where the examples came from, which a change leaves as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Change(Record):
    """The outcome of a change.

    **Fields:**

    - `memory`: the changed memory if the change was `accepted`, else the given one.
    - `accepted`: whether every example of the changed memory, old and new, is a certified attractor.
    - `attempts`: for each, `epochs`, `seconds`, and how many `attractors` of `cycles` were certified.
    - `failed`: indices, in the changed memory, of examples that the last attempt left uncertified; `failed_names`:
      their names, or the indices as texts.
    - `seconds`: the duration of all attempts.
    - `scratch_seconds`: how long writing from scratch took when that was last done; `None` if not on record.
    - `merged`: of `add`, the names of examples that were not added because they equal another one, each with the name
      of that one; indices as texts where there are no names.
    """

    memory: Memory
    accepted: bool
    attempts: tuple[dict[str, Any], ...]
    failed: tuple[int, ...]
    seconds: float
    scratch_seconds: float | None
    failed_names: tuple[str, ...] = ()
    merged: tuple[tuple[str, str], ...] = ()


def add(
    memory: Memory,
    examples: HostStates,
    *,
    names: Sequence[str] | None = None,
    writer: Writer | None = None,
    time_limit: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Change:
    """Adds examples to a memory by training on from its present weights until all are certified; otherwise returns it
    unchanged.

    A winner-take-all network gets a score for each new example, and units for it; a network written by gradients keeps
    its size; a constructed one is constructed again. Examples that are already stored are left out (`merged`). The
    recovery threshold stays that of the memory's certificate.

    **Arguments:**

    - `examples`: m×state shape (to pairs, add the points of `Patterns.from_pairs`); `names`, one for each.
    - `writer`: what makes the change, see `Writer.grow`. `None` for the memory's own writer, from its record; a writer
      of your own, or one with an object that records cannot hold, has to be given.
    - `time_limit`: seconds after which no further attempt starts.
    - `key`: random key for everything that is drawn.

    **Returns:** `Change`. **Raises** `ValueError` for states of another shape, if all examples are already stored, and
    for a memory whose record does not name its writer.

        >>> import jax.random as jr
        >>> import attrax as ax
        >>> points = np.random.default_rng(0).random((4, 8)).astype("float32")
        >>> memory = ax.store(points[:3], writer=ax.Constructed("margin"), key=jr.key(0))
        >>> change = ax.add(memory, points[3:], key=jr.key(1))
        >>> change.accepted, len(change.memory.patterns)
        (True, 4)
    """
    checks.random_key(key)
    check_memory(memory)
    patterns, originals = _stored(memory)
    changer: Writer = checked_writer(writer_of(memory.written) if writer is None else writer, "grow")
    examples = patterns.as_states(examples, "examples") if patterns.parts is None else np.asarray(examples)
    new = Patterns.from_examples(state_batch("examples", examples, patterns.shape), names=names)
    known = {(point + 0.0).tobytes(): index for index, point in enumerate(np.asarray(originals, np.float64))}
    same = np.array([known.get((point + 0.0).tobytes(), -1) for point in np.asarray(new.points, np.float64)])
    fresh = same < 0
    if not fresh.any():
        raise ValueError("there is nothing to add: all of these examples are already stored")
    added = new.points[fresh]
    count = len(patterns)
    place = np.where(fresh, count + np.cumsum(fresh) - 1, same)  # of each new point, in the changed memory
    points = np.concatenate([np.asarray(originals), added.astype(np.asarray(originals).dtype)])
    successor = np.concatenate([patterns.successor, np.arange(count, count + len(added))])
    every = _joined_names(patterns, new, np.flatnonzero(fresh))
    changed = Patterns(points, successor, (), patterns.frame, every, patterns.parts)
    change = _change(memory, changed, list(range(count)), changer, time_limit, progress, key)
    positions = np.setdiff1d(np.arange(len(examples)), [one for one, _ in new.merged])  # the position of each new point
    equal = dict(new.merged) | {int(positions[index]): int(positions[index]) for index in np.flatnonzero(~fresh)}
    pairs = [(one, int(place[np.searchsorted(positions, first)])) for one, first in sorted(equal.items())]
    return replace(
        change,
        merged=tuple((str(one) if names is None else names[one], changed.name(index)) for one, index in pairs),
    )


def forget(
    memory: Memory,
    indices: Sequence[int | str],
    *,
    writer: Writer | None = None,
    time_limit: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Change:
    """Removes examples from a memory by training on from its present weights until all others are certified again.

    A winner-take-all network loses the scores, the units and the pictures of the examples. Traces may remain in what
    other units have learned from them; no claim is made about those.

    **Arguments:** `indices`, the indices or names of the examples (of a cycle, all or none); the others as in `add`.

    **Returns:** `Change`. **Raises** `ValueError` for indices out of range, for part of a cycle, and for everything
    that is stored.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> change = ax.forget(memory, [1], key=jr.key(1))
    >>> len(change.memory.patterns)
    2

    ```
    """
    checks.random_key(key)
    check_memory(memory)
    patterns, originals = _stored(memory)
    changer: Writer = checked_writer(writer_of(memory.written) if writer is None else writer, "grow")
    total = len(patterns)
    if isinstance(indices, str) or not isinstance(indices, Iterable):
        raise ValueError(f"indices must be a list of indices or names; for a single one write [{indices!r}]")
    chosen = [patterns.find(index) if isinstance(index, str) else index for index in indices]
    gone = sorted({checks.integer("each index", index, least=0, most=total - 1) for index in chosen})
    if not gone:
        raise ValueError("indices must name at least one example; got none")
    if len(gone) == total:
        raise ValueError("a memory can't forget everything that it stores; delete the file instead")
    kept = [index for index in range(total) if index not in set(gone)]
    place = {index: number for number, index in enumerate(kept)}
    for index in kept:
        after = int(patterns.successor[index])
        if after not in place:
            raise ValueError(
                f"example {patterns.name(after)} is what example {patterns.name(index)} goes to; forget all of a cycle "
                "or none"
            )
    successor = np.array([place[int(patterns.successor[index])] for index in kept])
    names = None if patterns.names is None else tuple(patterns.names[index] for index in kept)
    changed = Patterns(np.asarray(originals)[kept], successor, (), patterns.frame, names, patterns.parts)
    return _change(memory, changed, kept, changer, time_limit, progress, key)


def _joined_names(old: Patterns, new: Patterns, fresh: np.ndarray) -> tuple[str, ...] | None:
    """The names of old and new examples. If only some have names, the others are named by their indices."""
    if old.names is None and new.names is None:
        return None
    before = old.names or tuple(str(index) for index in range(len(old)))
    after = [str(len(old) + place) if new.names is None else new.names[index] for place, index in enumerate(fresh)]
    return (*before, *after)


def _stored(memory: Memory) -> tuple[Patterns, HostStates]:
    patterns = memory.examples()
    assert memory.originals is not None  # a memory with patterns has them
    return patterns, memory.originals


def _change(
    memory: Memory,
    patterns: Patterns,
    kept: list[int],
    writer: Writer,
    time_limit: float | None,
    progress: Progress | None,
    key: PRNGKeyArray,
) -> Change:
    """`kept` holds the indices of the old examples, which come first in `patterns`, in this order."""
    if time_limit is not None:
        checks.real("time_limit", time_limit, above=0)
    started = time.perf_counter()
    before = memory.written
    scratch = before.get("scratch_seconds", before.get("seconds"))
    attempts: list[dict[str, Any]] = []
    failed: tuple[int, ...] = ()
    for written in writer.grow(memory, patterns, kept, key=key, progress=progress):
        changed = refine_and_certify(
            Memory(written.map, patterns),
            images=written.images,
            recovery_atol=memory.recovery_atol,
            progress=progress,
        )
        certificate = changed.certificate
        assert certificate is not None  # `refine_and_certify` sets it
        seconds = time.perf_counter() - started
        attempts.append(
            {
                "epochs": written.epochs,
                "seconds": seconds,
                "attractors": certificate.num_attractors,
                "cycles": len(certificate.cycles),
            }
        )
        if certificate.all_attractors:
            record = {
                **{name: before[name] for name in _OF_THE_EXAMPLES if name in before},
                **written.details,
                "status": "stored",
                "loss": written.loss,
                "epochs": written.epochs,
                "seconds": seconds,
                "scratch_seconds": scratch,
                "changes": int(before.get("changes") or 0) + 1,
            }
            return Change(replace(changed, written=record), True, tuple(attempts), (), seconds, scratch)
        failed = failed_examples(changed)
        if time_limit is not None and seconds > time_limit:
            break
    names = tuple(patterns.name(index) for index in failed)
    return Change(memory, False, tuple(attempts), failed, time.perf_counter() - started, scratch, names)
