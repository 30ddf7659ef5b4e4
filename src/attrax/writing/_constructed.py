"""The writer of networks that need no training."""

import os
import time
from dataclasses import dataclass
from functools import partial

from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.status import StoreStatus
from attrax._base.types import Progress
from attrax.maps import MLP, Recipe
from attrax.patterns import Patterns
from attrax.training import CONSTRUCTIONS, margin, mean_squared_error, pseudoinverse
from attrax.writing._start import Written


@dataclass(frozen=True, slots=True)
class Constructed:
    """Writes the network down: one hidden layer of two ReLU units an example, no training.

    The baseline of every comparison, and a start for training. A recipe for a network is not used, as the construction
    decides width and depth.

    **Fields:**

    - `kind`: `"margin"` or `"pseudoinverse"`; see `attrax.training.margin` and `attrax.training.pseudoinverse`.
    - `tol`: the loss that counts as reached.
    - `lead`: the index of the state into which everything unknown is led, by way of a resting state of its own. `None`
      for the first state of the longest sequence, so that a film follows; where there is none, what is unknown goes to
      the mean of the targets and stays.
    """

    kind: str = "margin"
    tol: float = 1e-8
    lead: int | None = None

    def __post_init__(self) -> None:
        checks.one_of("kind", self.kind, CONSTRUCTIONS)
        checks.real("tol", self.tol, least=0)
        if self.lead is not None:
            checks.integer("lead", self.lead, least=0)

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
        """Writes down the network that sends each point of `patterns` to its successor. See `Writer`."""
        if isinstance(network, MLP):
            raise ValueError(
                f"the writer {self.kind} makes its own network; leave network out, or train it further with Gradient"
            )
        if checkpoint is not None:
            raise ValueError(f"the writer {self.kind} takes no checkpoint, as there is no training to interrupt")
        lead = self._lead(patterns)
        begun = time.perf_counter()
        report = partial(progress, "constructing") if progress is not None else lambda *_: None
        report(0, len(patterns), {})
        build = margin if self.kind == "margin" else pseudoinverse
        made = build(patterns.points, patterns.targets, lead=None if lead is None else patterns.points[lead])
        report(len(patterns), len(patterns), {})
        loss = mean_squared_error(made, patterns.points, patterns.targets)
        status = StoreStatus.STORED if loss <= self.tol else StoreStatus.LOSS_NOT_REACHED
        details = {"writer": self.kind, "tol": self.tol, "lead": lead}
        return Written(made, loss, 0, time.perf_counter() - begun, status, details)

    def _lead(self, patterns: Patterns) -> int | None:
        """The index of the state that unknown cues are led into; `None` for none."""
        if self.lead is not None:
            return checks.integer("lead", self.lead, least=0, most=len(patterns) - 1)
        longest = max((*patterns.cycles, *patterns.ways), key=len)
        return longest[0] if len(longest) > 1 else None
