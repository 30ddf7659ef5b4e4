"""How far training at the edge has come: what its checkpoint holds beside arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from attrax._base.shown import Record
from attrax.training._stable_rate import RateTried


@dataclass(frozen=True, slots=True)
class Snapshot(Record):
    """Loss and radii after a number of epochs.

    **Fields:** `epoch`; `rate`; `loss`, the mean since the last snapshot; `highest`, the largest since then; `median`
    and `largest`, of the estimated spectral radii of a sample of the cycles, as logarithms (base 10).
    """

    epoch: int
    rate: float
    loss: float
    highest: float
    median: float
    largest: float


@dataclass(slots=True)
class Log:
    """How far training has come: what a checkpoint holds beside arrays."""

    found: float = 0.0
    rate: float = 0.0
    constant: bool = False
    """Whether the search has to be made again, because the network was constant."""
    seconds_to_find: float = 0.0
    epoch: int = 0
    since: int = 0
    """The epoch from which on the rate has been used."""
    progressed: int = 0
    """The epoch in which the loss or the score last improved."""
    lost: int = 0
    lowest: float = math.inf
    score: tuple[int, float] = (2**31, math.inf)
    """Of the best weights: how many of the cycles are not stable, and the mean logarithm of all radii."""
    best_loss: float = math.inf
    best_path: int = 0
    path: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """Rates and epochs that led to the present weights; the best ones are behind the first `best_path`."""
    annealed: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """Rates and epochs of the anneal so far."""
    cool: float = 0.0
    """The rate of its next part."""
    late: bool = False
    """Whether the time limit ended training at the edge."""
    tried: list[RateTried] = field(default_factory=list[RateTried])
    history: list[Snapshot] = field(default_factory=list[Snapshot])

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Log:
        """From a checkpoint."""
        tried, history = [RateTried(**row) for row in facts["tried"]], [Snapshot(**row) for row in facts["history"]]
        path, annealed = ([(rate, epochs) for rate, epochs in facts.get(name, [])] for name in ("path", "annealed"))
        lists = {"tried": tried, "history": history, "path": path, "annealed": annealed}
        changed: dict[str, Any] = facts | lists | {"score": tuple(facts["score"])}
        return cls(**changed)
