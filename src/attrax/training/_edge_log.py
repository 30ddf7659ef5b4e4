"""What is on record of training at the edge: its result, and how far it has come."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar

from attrax._base.shown import Record
from attrax._base.types import Map
from attrax.training._fit import Fit
from attrax.training._stable_rate import RateTried

M = TypeVar("M", bound=Map)

_FALL, _CONTRACTION = 0.9, 0.02
"""Progress: the lowest loss has fallen by this factor, or the mean logarithm of the radii by this much, since the last
time that there was some."""
_FALLS = 0.7
"""The rate of the anneal is halved after each part in which the mean loss does not fall by this factor, and doubled
again where it falls less at half the rate."""


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


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFit(Record, Generic[M]):
    """A map trained at the largest stable rate and annealed.

    **Fields:**

    - `fit`: the trained map. Its epochs don't count the search; its seconds do.
    - `rate`: the largest stable rate that was found.
    - `tried`: the rates tried, in order.
    - `seconds_to_find`: how long the search took.
    - `schedule`: the name of the optimizer, the rate, and the epochs at it, one after another, that led to this map.
      Training at the edge after the best weights is left out. The last entries are the anneal.
    - `history`: loss and radii on the way.
    """

    fit: Fit[M]
    rate: float
    tried: tuple[RateTried, ...]
    seconds_to_find: float
    schedule: tuple[tuple[str, float, int], ...]
    history: tuple[Snapshot, ...]

    def record(self) -> dict[str, Any]:
        """Everything but the map, for the record of a memory."""
        return {name: value for name, value in self.as_dict().items() if name != "fit"}


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
    """The epoch of the last progress in the loss or the score."""
    lowest_then: float = math.inf
    score_then: tuple[int, float] = (2**31, math.inf)
    """The lowest loss and the best score when each last made progress."""
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

    def lower(self, loss: float) -> None:
        """Takes note of a mean loss."""
        self.lowest = min(self.lowest, loss)
        if self.lowest < _FALL * self.lowest_then:
            self.progressed, self.lowest_then = self.epoch, self.lowest

    def better(self, score: tuple[int, float]) -> None:
        """Takes note of the score of the weights that are now the best."""
        progress = (score[0], score[1] + _CONTRACTION) < self.score_then
        if progress:
            self.progressed = self.epoch
        if progress or score > self.score:
            self.score_then = score
        self.score = score

    def cooler(self) -> float:
        """The rate of the anneal's next part."""
        rates = [rate for rate, _ in self.annealed]
        falls = [after.loss / max(before.loss, 1e-300) for before, after in pairwise(self.history[-len(rates) :])]
        if not falls or falls[-1] <= _FALLS:
            return self.cool
        # Where motion keeps the loss up, half the rate helps; where the way is long, half the rate is half as fast.
        slower = len(falls) > 1 and rates[-1] < rates[-2] and falls[-1] > falls[-2]
        return self.cool * 2 if slower else self.cool / 2

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Log:
        """From a checkpoint."""
        tried, history = [RateTried(**row) for row in facts["tried"]], [Snapshot(**row) for row in facts["history"]]
        path, annealed = ([(rate, epochs) for rate, epochs in facts.get(name, [])] for name in ("path", "annealed"))
        lists = {"tried": tried, "history": history, "path": path, "annealed": annealed}
        changed: dict[str, Any] = facts | lists | {name: tuple(facts[name]) for name in ("score", "score_then")}
        return cls(**changed)
