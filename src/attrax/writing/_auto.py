"""The writer that chooses: it tries several writers in turn until every example is certified."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.files import certificate_file
from attrax._base.shown import Record
from attrax._base.types import Map, Progress
from attrax.corruptions import parse_corruption
from attrax.maps import Recipe, describe
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import Augmentation, Layered, Training, given, takes_coordinates, with_settings
from attrax.writing._certified import failed_examples, refine_and_certify
from attrax.writing._constructed import Constructed
from attrax.writing._default_training import default_corruptions, nearest_others
from attrax.writing._gradient import Gradient
from attrax.writing._kind import END_TO_END
from attrax.writing._network import drawn_once
from attrax.writing._protocol import Writer, Written, checked_writer
from attrax.writing._winner_take_all import WinnerTakeAll
from attrax.writing._writers import writer_of

_DEVIATION = 0.3
"""Size of adversarial deviations, as a fraction of the root mean square of the network's input."""


@runtime_checkable
class _Trained(Protocol):
    """A writer with the shared settings."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    training: Training
    augmentation: Augmentation


@dataclass(frozen=True, slots=True, init=False)
class Auto(Record):
    """Tries writers in turn until every example is certified, and keeps the best memory.

    **Fields:**

    - `writers`: what to try, in this order. `None` leaves the choice to `Auto`:

        - Without a network: `WinnerTakeAll`, then a wider one for twice as many epochs, and last `Constructed`. The
          last is left out if you give any setting except `tol` and `time_limit`, because it has none. For 5,000
          examples and more, `WinnerTakeAll` alone, unless you give `epochs`, noise or corruptions.
        - With a network, with `optimizer="kfac"`, or with a setting that only applies to end-to-end training: three
          attempts of `Gradient`. The first trains on corruptions, the second for twice as many epochs and on
          adversarial deviations as well, the third by K-FAC. If you give an optimizer, a rate, momentum or weight
          decay, there is no third. If the map is not fully connected, the third trains on the clean examples instead,
          unless you ask for noise, corruptions or another augmentation.
        - With `learning_rate="edge"`: one attempt of `Gradient`.

    - `training`, `augmentation`: the two records of settings. Settings given here, in a record or directly as in
      `Auto(epochs=500)`, apply to every attempt whose writer has such records. Of the writers that `Auto` chooses, the
      second trains for twice the `epochs` given. The time limit is for all attempts together: no attempt starts after
      it, and training stops when it is over.
    """

    writers: tuple[Writer, ...] | None
    training: Training
    augmentation: Augmentation

    def __init__(
        self,
        writers: Sequence[Writer] | None = None,
        training: Training | None = None,
        augmentation: Augmentation | None = None,
        **settings: Any,
    ) -> None:
        training, augmentation = with_settings("Auto", training, augmentation, settings)
        if writers is not None:
            if not isinstance(writers, Sequence) or not writers:
                raise ValueError(f"writers must be a sequence of at least one writer, or None; got {writers!r}")
            writers = tuple(checked_writer(writer, "write") for writer in writers)
        for name, value in (("writers", writers), ("training", training), ("augmentation", augmentation)):
            object.__setattr__(self, name, value)

    def attempts(self, network: Map | Recipe | None, patterns: Patterns) -> tuple[Writer, ...]:
        """The writers to try, in order, with their settings filled in."""
        training, augmentation = given(self.training), given(self.augmentation)
        training.pop("time_limit", None)
        if self.writers is None:
            return self._chosen(network, patterns, training | augmentation)
        return tuple(_filled(writer, {"training": training, "augmentation": augmentation}) for writer in self.writers)

    def _chosen(self, network: Map | Recipe | None, patterns: Patterns, settings: dict[str, Any]) -> tuple[Writer, ...]:
        if self.training.at_edge:
            return (Gradient(**settings),)
        kfac = self.training.optimizer_name == "kfac"
        if network is None and not kfac and not END_TO_END & settings.keys():
            first = WinnerTakeAll(**settings)
            if first.untrained(len(patterns)):
                return (first,)  # for so many examples the others take too long
            wider = first.harder(patterns)
            return (first, wider) if settings.keys() - {"tol"} else (first, wider, Constructed())
        like = drawn_once(network, patterns.shape, key=jr.key(0))
        defaults: dict[str, Any] = {}
        if not self.augmentation.changes_inputs:
            # The last share of dropped pixels is too hard for a network that has to produce the picture itself.
            kinds = [name for name in default_corruptions(patterns) if not parse_corruption(name).scattered]
            defaults["corruptions"] = (*kinds, "drop:0.8") if len(patterns.cue_shape) > 1 else tuple(kinds)
        if "coordinates" not in settings and takes_coordinates(like):
            defaults["coordinates"] = 0.0
        first = Gradient(**(defaults | settings))
        deviation = settings.get("adversarial_deviation", _DEVIATION * float(np.std(patterns.points)))
        harder = replace(first, epochs=2 * first.epochs_limit(like), adversarial_deviation=deviation)
        if not isinstance(like, Layered):
            # Augmentation costs such a map many epochs. If it was not requested, training on the clean examples may
            # still succeed.
            return (first, harder) if self.augmentation.changes_inputs else (first, harder, Gradient(**settings))
        steps = {"optimizer", "learning_rate", "momentum", "weight_decay"} & settings.keys()
        return (first, harder) if steps else (first, harder, replace(first, optimizer="kfac"))

    def write(
        self,
        patterns: Patterns,
        network: Map | Recipe | None = None,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        recovery_atol: float | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Writes `patterns` with the first attempt that gets every example certified. See `Writer`.

        The checkpoint belongs to the first attempt; later attempts start from the beginning.
        """
        started, limit = time.perf_counter(), self.training.time_limit
        best: tuple[Written, Memory] | None = None
        record: list[dict[str, Any]] = []
        for number, writer in enumerate(self.attempts(network, patterns)):
            left = None if limit is None else limit - (time.perf_counter() - started)
            if best is not None and left is not None and left <= 0:
                break
            first = number == 0 and isinstance(writer, _Trained)
            limits = {} if left is None else {"training": {"time_limit": max(left, 1e-3)}}
            written = _filled(writer, limits).write(
                patterns,
                network,
                key=jr.fold_in(key, number),
                checkpoint=checkpoint if first else None,
                resume=resume and first,
                recovery_atol=recovery_atol,
                progress=progress,
            )
            memory = written.memory
            if memory is None:
                memory = refine_and_certify(
                    Memory(written.map, patterns),
                    images=written.images,
                    recovery_atol=recovery_atol,
                    checkpoint=certificate_file(checkpoint) if number == 0 and checkpoint is not None else None,
                    resume=resume,
                    progress=progress,
                )
            assert memory.certificate is not None  # `refine_and_certify` sets it
            record.append(_summary(written, memory))
            if best is None or _num_kept(memory) > _num_kept(best[1]):
                best = (written, memory)
            if memory.certificate.all_attractors:
                break
        assert best is not None  # there is always a first attempt
        written, memory = best
        details = {**written.details, "chosen_by": "auto", "attempts": record, "time_limit": limit}
        assert memory.certificate is not None  # `refine_and_certify` sets it
        if not memory.certificate.all_attractors:
            details |= _failures(memory)
        return replace(written, details=details, seconds=time.perf_counter() - started, memory=memory)

    def grow(
        self,
        memory: Memory,
        patterns: Patterns,
        kept: Sequence[int],
        *,
        key: PRNGKeyArray,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Attempts by the writer that made the memory. See `Writer`."""
        yield from writer_of(memory.written).grow(memory, patterns, kept, key=key, progress=progress)


def _filled(writer: Any, settings: dict[str, dict[str, Any]]) -> Any:
    """The writer with these settings in its records, where it has them."""
    if not isinstance(writer, _Trained):
        return writer
    records = {name: replace(getattr(writer, name), **values) for name, values in settings.items()}
    return replace(writer, **records)


def _num_kept(memory: Memory) -> int:
    """How many cycles are certified and how many open sequences lead to theirs."""
    certificate = memory.certificate
    return 0 if certificate is None else certificate.num_attractors + int(certificate.open_sequences_kept.sum())


def _summary(written: Written, memory: Memory) -> dict[str, Any]:
    certificate = memory.certificate
    assert certificate is not None  # `refine_and_certify` sets it
    description = describe(written.map)
    return {
        "writer": written.details.get("writer"),
        "optimizer": written.details.get("optimizer"),
        "network": description.text,
        "parameters": description.parameters,
        "epochs": written.epochs,
        "loss": written.loss,
        "seconds": written.seconds,
        "attractors": certificate.num_attractors,
        "cycles": len(certificate.cycles),
        "status": str(certificate.status_after(written.status)),
    }


def _failures(memory: Memory) -> dict[str, Any]:
    """Which examples are not certified, and which two examples are closest together."""
    originals = memory.originals
    assert originals is not None  # a memory with patterns has them
    found: dict[str, Any] = {"failed": list(failed_examples(memory))}
    vectors = np.asarray(originals, np.float64).reshape(len(originals), -1)
    if len(vectors) > 1:
        distances, neighbors = nearest_others(vectors)
        one = int(np.argmin(distances))
        other = int(neighbors[one])
        distance = float(np.linalg.norm(vectors[one] - vectors[other]))
        found["closest_pair"] = {"examples": sorted((one, other)), "distance": distance}
    return found
