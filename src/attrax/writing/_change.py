"""Guarded changes: examples added or forgotten, and nothing accepted until all that is left is certified."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.types import HostStates, Progress
from attrax.maps import MLP
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import CONSTRUCTIONS, Encoder, encoder
from attrax.writing._constructed import Constructed
from attrax.writing._contest import Contest
from attrax.writing._gradient import Gradient
from attrax.writing._settle import failed_examples, settle
from attrax.writing._start import Written

_SHARES = (0.25, 0.5, 1.0)
"""Epochs of the attempts, as fractions of those of writing from scratch."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What became of a change.

    **Fields:**

    - `memory`: the changed memory where the change was `accepted`, else the one that was given.
    - `accepted`: whether every example of the changed memory, old and new, is a certified attractor.
    - `attempts`: for each, `epochs`, `seconds`, and how many `attractors` of `cycles` were certified.
    - `failed`: indices, in the changed memory, of examples that the last attempt left uncertified; `failed_names`,
      their names, or the indices as texts.
    - `seconds`: of all attempts.
    - `scratch_seconds`: what writing from scratch took when the memory was last written so; `None` if not on record.
    """

    memory: Memory
    accepted: bool
    attempts: tuple[dict[str, Any], ...]
    failed: tuple[int, ...]
    seconds: float
    scratch_seconds: float | None
    failed_names: tuple[str, ...] = ()


def add(
    memory: Memory,
    examples: HostStates,
    *,
    names: Sequence[str] | None = None,
    time_limit: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Change:
    """Adds examples to a memory, training on from its present weights until all are certified, or leaves it.

    A contest gets a score for each new example, and units for it; a network written by gradients keeps its size; a
    constructed one is constructed anew. Examples that are stored already are passed over.

    **Arguments:** `examples`, m×state shape; `names`, one for each; `time_limit`, seconds after which no further
    attempt starts; `key`.

    **Returns:** `Change`. **Raises** `ValueError` for states of another shape, where there is nothing new, and for a
    memory whose writer is not on record.

        >>> import jax.random as jr
        >>> import attrax as ax
        >>> points = np.random.default_rng(0).random((4, 8)).astype("float32")
        >>> memory = ax.store(points[:3], writer=ax.Contest(epochs=100), key=jr.key(0))
        >>> change = ax.add(memory, points[3:], key=jr.key(1))
        >>> change.accepted, len(change.memory.patterns)
        (True, 4)
    """
    patterns, originals = _stored(memory)
    if patterns.context > 1 and np.shape(examples)[1:] == patterns.frame:
        examples = patterns.as_states(examples)
    new = Patterns.from_examples(examples, names=names)
    if new.shape != patterns.shape:
        raise ValueError(f"examples must have the shape {patterns.shape} of those stored; got {new.shape}")
    known = {(point + 0.0).tobytes() for point in np.asarray(originals, np.float64)}
    fresh = np.array([(point + 0.0).tobytes() not in known for point in np.asarray(new.points, np.float64)])
    if not fresh.any():
        raise ValueError("there is nothing to add: every one of these examples is stored already")
    added = new.points[fresh]
    count = len(patterns)
    points = np.concatenate([np.asarray(originals), added.astype(np.asarray(originals).dtype)])
    successor = np.concatenate([patterns.successor, np.arange(count, count + len(added))])
    every = _joined_names(patterns, new, np.flatnonzero(fresh))
    changed = Patterns(points, successor, (), patterns.frame, every)
    return _change(memory, changed, list(range(count)), time_limit, progress, key)


def forget(
    memory: Memory,
    indices: Sequence[int | str],
    *,
    time_limit: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Change:
    """Removes examples from a memory, training on from its present weights until all others are certified again.

    A contest loses the scores, the units and the pictures of the examples. What other units have learned from them may
    leave traces; nothing is claimed about those.

    **Arguments:** `indices` or names of the examples; of a cycle, all or none; the others as in `add`.

    **Returns:** `Change`. **Raises** `ValueError` for indices out of range, a part of a cycle, or all that is stored.
    """
    patterns, originals = _stored(memory)
    total = len(patterns)
    found = [patterns.find(index) if isinstance(index, str) else index for index in indices]
    gone = sorted({checks.integer("each index", index, least=0, most=total - 1) for index in found})
    if not gone:
        raise ValueError("indices must name at least one example; got none")
    if len(gone) == total:
        raise ValueError("a memory can't forget all that it stores; delete the file instead")
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
    changed = Patterns(np.asarray(originals)[kept], successor, (), patterns.frame, names)
    return _change(memory, changed, kept, time_limit, progress, key)


def _joined_names(old: Patterns, new: Patterns, fresh: np.ndarray) -> tuple[str, ...] | None:
    """The names of old and new examples; where only the ones have names, the others are called by their indices."""
    if old.names is None and new.names is None:
        return None
    before = old.names or tuple(str(index) for index in range(len(old)))
    after = [str(len(old) + place) if new.names is None else new.names[index] for place, index in enumerate(fresh)]
    return (*before, *after)


def _stored(memory: Memory) -> tuple[Patterns, HostStates]:
    patterns = memory.examples()
    if memory.written.get("writer") not in ("contest", "gradient", "kfac", *CONSTRUCTIONS):
        raise ValueError(
            "a change goes on with the writer of the memory, which is not on record here; write it with attrax.store"
        )
    assert memory.originals is not None  # a memory with patterns has them
    return patterns, memory.originals


def _change(
    memory: Memory,
    patterns: Patterns,
    kept: list[int],
    time_limit: float | None,
    progress: Progress | None,
    key: PRNGKeyArray,
) -> Change:
    """`kept` are the indices of the old examples that stand first in `patterns`, in order."""
    if time_limit is not None:
        checks.real("time_limit", time_limit, above=0)
    begun = time.perf_counter()
    before = memory.written
    scratch = before.get("scratch_seconds", before.get("seconds"))
    attempts: list[dict[str, Any]] = []
    failed: tuple[int, ...] = ()
    for written in _attempts(memory, patterns, kept, progress, key):
        changed = settle(Memory(written.map, patterns), progress=progress)
        certificate = changed.certificate
        assert certificate is not None  # `settle` sets it
        seconds = time.perf_counter() - begun
        attempts.append(
            {
                "epochs": written.epochs,
                "seconds": seconds,
                "attractors": certificate.num_attractors,
                "cycles": len(certificate.cycles),
            }
        )
        if certificate.all_attractors:
            kept_facts = {name: before[name] for name in ("seed", "sources", "selection") if name in before}
            record = {
                **kept_facts,
                **written.details,
                "status": "stored",
                "loss": written.loss,
                "epochs": written.epochs,
                "seconds": seconds,
                "scratch_seconds": scratch,
                "changes": int(before.get("changes", 0)) + 1,
            }
            return Change(replace(changed, written=record), True, tuple(attempts), (), seconds, scratch)
        failed = failed_examples(changed)
        if time_limit is not None and seconds > time_limit:
            break
    names = tuple(patterns.name(index) for index in failed)
    return Change(memory, False, tuple(attempts), failed, time.perf_counter() - begun, scratch, names)


def _attempts(
    memory: Memory, patterns: Patterns, kept: list[int], progress: Progress | None, key: PRNGKeyArray
) -> Iterator[Written]:
    """Longer and longer training from the present weights, each attempt from where the last one ended."""
    name, network = memory.written["writer"], memory.map
    if name in CONSTRUCTIONS:
        # Where the example that unknown cues were led into is forgotten, the writer chooses another.
        before = memory.written.get("lead")
        lead = kept.index(before) if before in kept else None
        yield Constructed(name, tol=memory.written["tol"], lead=lead)(None, patterns, key=key, progress=progress)
        return
    kind = Contest if name == "contest" else Gradient
    # What made the network to begin with is done.
    names = {field.name for field in fields(kind)} - {"epochs", "time_limit", "start", "spare"}
    settings = {field: memory.written[field] for field in names if memory.written.get(field) is not None}
    settings["corruptions"] = tuple(memory.written.get("corruptions", ()))
    if name == "kfac":
        settings.pop("learning_rate", None)
    planned = memory.written.get("scratch_epochs", memory.written["epochs_limit"])
    if isinstance(network, MLP) and kind is Contest:
        yield from _contests(Contest(**settings), network, memory.written, patterns, kept, planned, progress, key)
        return
    for number, share in enumerate(_SHARES):
        writer = Gradient(**settings, epochs=max(1, round(share * planned)))
        written = writer(_single(network), patterns, key=jr.fold_in(key, number), progress=progress)
        network = written.map
        yield replace(written, details={**written.details, "scratch_epochs": planned})


def _single(network: Any) -> MLP:
    """The network in the precision of training."""
    weights = tuple(np.asarray(weight, np.float32) for weight in network.weights)
    biases = tuple(None if bias is None else np.asarray(bias, np.float32) for bias in network.biases)
    return MLP(weights, biases, network.shape, network.activation)


def _contests(
    writer: Contest,
    network: MLP,
    record: dict[str, Any],
    patterns: Patterns,
    kept: list[int],
    planned: int,
    progress: Progress | None,
    key: PRNGKeyArray,
) -> Iterator[Written]:
    begun = time.perf_counter()
    coordinates = writer.in_coordinates(patterns)
    layers = len(record["encoder_widths"])
    weights = [np.asarray(weight, np.float64) for weight in network.weights[: layers + 1]]
    biases = [np.asarray(bias, np.float64) for bias in network.biases[: layers + 1]]
    if coordinates is not None:
        biases[0] = biases[0] + weights[0] @ coordinates.center
        weights[0] = (weights[0] @ coordinates.basis) * coordinates.scale
    pairs: list[list[int]] = record["carriers"]
    lost = sorted({unit for index, pair in enumerate(pairs) if index not in set(kept) for unit in pair})
    weights[-1], biases[-1] = weights[-1][kept], biases[-1][kept]
    for layer in range(layers):
        weights[layer], biases[layer] = np.delete(weights[layer], lost, axis=0), np.delete(biases[layer], lost)
        weights[layer + 1] = np.delete(weights[layer + 1], lost, axis=1)
    left = np.setdiff1d(np.arange(record["encoder_widths"][0]), lost)
    carriers = [np.searchsorted(left, pairs[index]).tolist() for index in kept]
    fresh = len(patterns) - len(kept)
    if fresh:
        width = 2 * len(patterns)
        model = encoder(patterns.points, coordinates, widths=[width], key=key)
        rows = np.concatenate(
            [np.arange(len(kept), len(patterns)), len(patterns) + np.arange(len(kept), len(patterns))]
        )
        carriers += (weights[0].shape[0] + np.arange(2 * fresh).reshape(2, fresh).T).tolist()
        weights[0] = np.concatenate([weights[0], np.asarray(model.weights[0], np.float64)[rows]])
        biases[0] = np.concatenate([biases[0], np.asarray(model.biases[0], np.float64)[rows]])
        for layer in range(1, layers + 1):
            old = weights[layer]
            outputs = fresh if layer == layers else 2 * fresh
            corner = np.eye(outputs) if layer < layers else np.concatenate([np.eye(fresh), -np.eye(fresh)], axis=1)
            grown = np.zeros((old.shape[0] + outputs, old.shape[1] + 2 * fresh))
            grown[: old.shape[0], : old.shape[1]] = old
            grown[old.shape[0] :, old.shape[1] :] = corner
            weights[layer] = grown
            # A new score begins at the level of the old ones, whose common level the contest does not see.
            biases[layer] = np.concatenate([biases[layer], np.zeros(outputs)])
    start = Encoder(tuple(w.astype(np.float32) for w in weights), tuple(b.astype(np.float32) for b in biases))
    for number, share in enumerate(_SHARES):
        epochs = max(1, round(share * planned))
        start, done, loss = replace(writer, epochs=epochs).train(
            start, patterns, coordinates, key=jr.fold_in(key, number), progress=progress
        )
        # The corruptions on record are those that training saw, which may be defaults: they don't tell the onset.
        written = writer.finish(start, patterns, coordinates, done, loss, begun, record.get("onset"))
        yield replace(written, details={**written.details, "carriers": carriers, "scratch_epochs": planned})
