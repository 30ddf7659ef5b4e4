"""The writer of networks that need no training."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import Map, Progress
from attrax.maps import MLP, Recipe, each_row
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import CONSTRUCTIONS, changed_margin, margin, pseudoinverse
from attrax.writing._protocol import Written


@dataclass(frozen=True, slots=True)
class Constructed(Record):
    """Computes the network without training: one hidden layer with two ReLU units per example.

    It is the baseline of every comparison. To train such a network further, give `attrax.training.constructed_start` to
    `Gradient`.

    **Fields:**

    - `kind`: `"margin"` or `"pseudoinverse"`; see `attrax.training.margin` and `attrax.training.pseudoinverse`.
    - `fallback`: the index of the state that unknown cues go to, by way of an extra rest state. `None` stands for the
      first state of the longest sequence, so that a film follows. If there is no sequence, unknown cues converge to the
      mean of the targets.
    """

    kind: str = "margin"
    fallback: int | None = None

    def __post_init__(self) -> None:
        checks.one_of("kind", self.kind, CONSTRUCTIONS)
        if self.fallback is not None:
            checks.integer("fallback", self.fallback, least=0)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Constructed":
        """The writer of a memory with this record. Its `fallback` is set by `grow`, which knows the current index of
        that state."""
        return cls(record["writer"])

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
        """Computes the network that sends each point of `patterns` to its successor. See `Writer`."""
        if network is not None:
            raise ValueError(
                f"the writer {self.kind} makes its own network; omit network, or train it further with Gradient"
            )
        return self._written(patterns, margin if self.kind == "margin" else pseudoinverse, progress)

    def grow(
        self,
        memory: Memory,
        patterns: Patterns,
        kept: Sequence[int],
        *,
        key: PRNGKeyArray,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Constructs the network again, with the same fallback as before; of a margin network, only what changes. See
        `Writer`."""
        # Records of earlier versions call it `lead`.
        before: Any = memory.written.get("fallback", memory.written.get("lead"))
        # If the example that unknown cues went to is forgotten, another one is chosen.
        fallback = list(kept).index(before) if before in kept else None
        writer = replace(self, fallback=fallback)
        if self.kind == memory.written.get("writer") == "margin" and memory.originals is not None:
            yield writer._written(patterns, partial(changed_margin, memory.map, memory.originals, kept), progress)
        else:
            yield writer.write(patterns, key=key, progress=progress)

    def _written(self, patterns: Patterns, build: Callable[..., MLP], progress: Progress | None) -> Written:
        fallback = self._fallback(patterns)
        started = time.perf_counter()
        report = partial(progress, "constructing") if progress is not None else lambda *_: None
        report(0, len(patterns), {})
        made = build(
            patterns.points, patterns.targets, fallback=None if fallback is None else patterns.points[fallback]
        )
        report(len(patterns), len(patterns), {})
        images = each_row(made, patterns.points)
        loss = float(np.mean((images - patterns.targets) ** 2))
        details = {"writer": self.kind, "fallback": fallback}
        # No training could have missed its loss; the certificates say what the network stores.
        return Written(made, loss, 0, time.perf_counter() - started, TrainingStatus.REACHED, details, images=images)

    def _fallback(self, patterns: Patterns) -> int | None:
        """The index of the state that unknown cues go to; `None` for none."""
        if self.fallback is not None:
            return checks.integer("fallback", self.fallback, least=0, most=len(patterns) - 1)
        longest = max((*patterns.cycles, *patterns.open_sequences), key=len)
        return longest[0] if len(longest) > 1 else None
