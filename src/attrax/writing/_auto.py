"""The writer that chooses: the quickest way to a memory in which every example is certified, and on from there."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.status import StoreStatus
from attrax._base.types import Progress
from attrax.maps import MLP, Recipe
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.writing._constructed import Constructed
from attrax.writing._contest import Contest, default_corruptions
from attrax.writing._gradient import Gradient
from attrax.writing._settle import failed_examples, settle
from attrax.writing._start import Writer, Written

_NOT_OF_CONTEST = ("deviation", "penalty", "polish", "start", "spare")
_DEVIATION = 0.3
"""Of self-made deviations, as a fraction of the root mean square of what the network takes."""


@dataclass(frozen=True, slots=True)
class Auto:
    """Tries writers in turn until every example is certified; of the memories it made it keeps the best.

    Where the network is left to it, it begins with `Contest`, goes on to a wider and longer one, and ends with the
    constructed margin network. Where a network is given, or something that only end-to-end training can heed, it
    trains that network with `Gradient`: on corruptions; then longer, with self-made deviations; then by K-FAC.

    **Fields:** whatever is not `None` binds every attempt; the names are those of `Gradient` and `Contest`.
    `time_limit`, in seconds, bounds all of it together: no attempt starts after it, and training is cut to fit.
    """

    optimizer: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    batch: int | None = None
    copies: int | None = None
    noise: float | None = None
    coordinate_noise: float | None = None
    corruptions: Sequence[str | Callable[..., Any]] | None = None
    deviation: float | None = None
    penalty: float | None = None
    coordinates: float | None = None
    polish: bool | None = None
    start: str | None = None
    spare: int | None = None
    tol: float | None = None
    epochs: int | None = None
    time_limit: float | None = None

    def __post_init__(self) -> None:
        if self.time_limit is not None:
            checks.real("time_limit", self.time_limit, above=0)
        Gradient(**self._given())

    def _given(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None and name != "time_limit"}

    def attempts(self, network: MLP | Recipe | None, patterns: Patterns) -> Iterator[tuple[Writer, bool]]:
        """The writers to try in order, each with whether it takes the given network."""
        given = self._given()
        end_to_end = given.get("optimizer") == "kfac" or any(name in given for name in _NOT_OF_CONTEST)
        if network is None and not end_to_end:
            first = Contest(**given)
            yield first, False
            width, layers = first.size(len(patterns))
            longer = {} if "epochs" in given else {"epochs": 2 * first.planned_epochs(patterns)}
            yield replace(first, width=2 * width, layers=layers + 1, **longer), False
            if not given.keys() - {"tol"}:
                yield Constructed("margin", **given), False
            return
        defaults: dict[str, Any] = {}
        if not any(given.get(name) for name in ("noise", "coordinate_noise", "corruptions", "deviation", "penalty")):
            # The last share of dropped pixels is beyond a network that has to draw the picture itself.
            kinds = [kind for kind in default_corruptions(patterns) if not kind.startswith(("drop", "saltpepper"))]
            defaults["corruptions"] = (*kinds, "drop:0.8") if len(patterns.shape) > 1 else tuple(kinds)
        if "coordinates" not in given and _has_biases(network):
            defaults["coordinates"] = 0.0
        first = Gradient(**(defaults | given))
        yield first, True
        harder: dict[str, Any] = {} if "epochs" in given else {"epochs": 2 * first.epochs_limit}
        if "deviation" not in given:
            harder["deviation"] = _DEVIATION * float(np.std(patterns.points))
        yield replace(first, **harder), True
        if not any(name in given for name in ("optimizer", "learning_rate", "momentum", "weight_decay")):
            yield replace(first, optimizer="kfac", epochs=given.get("epochs")), True

    def __call__(
        self,
        network: MLP | Recipe | None,
        patterns: Patterns,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> Written:
        """Writes `patterns` by the first attempt that is certified throughout. See `Writer`.

        The checkpoint is that of the first attempt; a later one starts from its beginning.
        """
        begun = time.perf_counter()
        best: tuple[Written, Memory] | None = None
        record: list[dict[str, Any]] = []
        for number, (writer, takes_network) in enumerate(self.attempts(network, patterns)):
            left = None if self.time_limit is None else self.time_limit - (time.perf_counter() - begun)
            if best is not None and left is not None and left <= 0:
                break
            written, memory = self._attempt(
                writer if left is None else _within(writer, max(left, 1e-3)),
                network if takes_network else None,
                patterns,
                key=jr.fold_in(key, number),
                checkpoint=checkpoint if number == 0 and not isinstance(writer, Constructed) else None,
                resume=resume and number == 0,
                progress=progress,
            )
            assert memory.certificate is not None  # `settle` sets it
            record.append(_summary(written, memory))
            if best is None or _kept(memory) > _kept(best[1]):
                best = (written, memory)
            if memory.certificate.all_attractors:
                break
        assert best is not None  # there is always a first attempt
        written, memory = best
        details = {**written.details, "chosen_by": "auto", "attempts": record, "time_limit": self.time_limit}
        assert memory.certificate is not None  # `settle` sets it
        if not memory.certificate.all_attractors:
            details |= _failures(memory)
        return replace(written, details=details, seconds=time.perf_counter() - begun, memory=memory)

    def _attempt(
        self,
        writer: Writer,
        network: MLP | Recipe | None,
        patterns: Patterns,
        *,
        progress: Progress | None,
        **options: Any,
    ) -> tuple[Written, Memory]:
        written = writer(network, patterns, progress=progress, **options)
        return written, settle(Memory(written.map, patterns), progress=progress)


def _has_biases(network: MLP | Recipe | None) -> bool:
    """Whether the network can take the center of coordinates up; a recipe says so by its own keyword."""
    if isinstance(network, MLP):
        return network.biases[0] is not None and network.biases[-1] is not None
    return network is None or bool(getattr(network, "keywords", {}).get("bias", True))


def _within(writer: Writer, seconds: float) -> Writer:
    return replace(writer, time_limit=seconds) if isinstance(writer, Gradient | Contest) else writer


def _kept(memory: Memory) -> int:
    """How many cycles are certified and how many open sequences lead to theirs."""
    certificate = memory.certificate
    return 0 if certificate is None else certificate.num_attractors + int(certificate.ways_kept.sum())


def _summary(written: Written, memory: Memory) -> dict[str, Any]:
    certificate = memory.certificate
    assert certificate is not None  # `settle` sets it
    return {
        "writer": written.details["writer"],
        "depth": written.map.depth,
        "widest": max(written.map.widths),
        "epochs": written.epochs,
        "loss": written.loss,
        "seconds": written.seconds,
        "attractors": certificate.num_attractors,
        "cycles": len(certificate.cycles),
        "status": str(StoreStatus.STORED if certificate.all_attractors else StoreStatus.NOT_ALL_CERTIFIED),
    }


def _failures(memory: Memory) -> dict[str, Any]:
    """Which examples are not certified, and which two of all lie closest together."""
    originals = memory.originals
    assert originals is not None  # a memory with patterns has them
    found: dict[str, Any] = {"failed": list(failed_examples(memory))}
    flat = np.asarray(originals, np.float64).reshape(len(originals), -1)
    if len(flat) > 1:
        squares = (flat**2).sum(axis=1)
        distances = squares[:, None] + squares - 2 * flat @ flat.T
        np.fill_diagonal(distances, np.inf)
        one, other = (int(index) for index in np.unravel_index(np.argmin(distances), distances.shape))
        distance = float(np.linalg.norm(flat[one] - flat[other]))
        found["closest_pair"] = {"examples": sorted((one, other)), "distance": distance}
    return found
