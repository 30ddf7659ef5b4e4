"""The ends that paths come to, as records."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from attrax._base.shown import Record, Rows
from attrax._base.status import Evidence, Reason, Verdict
from attrax._base.types import HostStates
from attrax._base.wording import counted, time_constant_text
from attrax.analysis import upper_confidence_bound

DIVERGED, NOT_CONVERGED = -1, -2
"""Labels of starts that came to no end."""


class EndKind(StrEnum):
    """What kind of end it is. Whether it attracts is said by its verdict."""

    FIXED_POINT = "fixed_point"
    """A single fixed point, found by Newton's method."""
    CYCLE = "cycle"
    """A cycle of at least two states; `period` is its length."""
    LINE = "line"
    """Fixed points that are not isolated: `marginal` eigenvalues equal 1 to within 1e-6, and paths from both sides of
    the point come to rest there. One is a line, two a plane. All points with the same number are counted as one end.
    This is computed, not proved: states that still move, but by less than 1e-10 units a step, look the same."""
    SLOW_POINT = "slow_point"
    """The states hardly change any more, but Newton's method finds no fixed point there."""


@dataclass(frozen=True, slots=True, eq=False)
class End(Record):
    """One end that starts came to.

    **Fields:**

    - `kind`: an `EndKind`.
    - `count`: how many starts came to it; `share`, which part of all.
    - `period`: 1 for a fixed point.
    - `verdict`, `reason`, `evidence`, `spectral_radius`, `error`, `upper_bound`: as in `Certificate`, for the refined
      states.
    - `time_constant`: −1/ln ρ, the number of steps in which deviations shrink to 1/e; for a cycle, the period times
      that. Infinite if ρ ≥ 1.
    - `residual`: ‖f(x) − x‖₂ at the refined state.
    - `marginal`: number of eigenvalues within 1e-6 of 1, if these belong to a line or plane.
    - `points`: how many different points were found; above 1 only for a line or plane.
    - `states`: period×state shape, float64.
    - `eigenvalues`: the leading ones, by decreasing modulus; empty where they were not asked for.
    """

    kind: EndKind
    count: int
    share: float
    period: int
    verdict: Verdict
    reason: Reason
    evidence: Evidence
    spectral_radius: float
    error: float
    upper_bound: float
    time_constant: float
    residual: float
    marginal: int
    points: int
    states: HostStates
    eigenvalues: np.ndarray = field(default_factory=lambda: np.zeros(0, complex))

    @property
    def attracts(self) -> bool:
        """Whether it is a certified attractor."""
        return self.verdict is Verdict.ATTRACTOR

    @property
    def estimated(self) -> bool:
        """Whether it is an attractor by the estimate of its largest eigenvalue only, because the bound is too coarse.
        Never where the map contradicts its Jacobian."""
        close = self.kind in (EndKind.FIXED_POINT, EndKind.CYCLE) and self.verdict is Verdict.INCONCLUSIVE
        return close and self.reason is not Reason.KINK and self.spectral_radius + self.error < 1


class Motion(StrEnum):
    """How a start that came to no end moves on."""

    DRIFT = "drift"
    """In one direction, again and again."""
    CHAOS = "chaos"
    """Deviations grow: the largest Lyapunov exponent is positive, with its whole interval."""
    WANDERING = "wandering"
    """Neither could be shown: the steps were too few, or the motion is quasi-periodic."""
    DIVERGENCE = "divergence"
    """The states grow without bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Moving(Record):
    """What starts that came to no end do, seen at one of them.

    **Fields:**

    - `motion`: a `Motion`.
    - `count`: how many starts are not converged, or diverge.
    - `start`: the one that was looked at.
    - `rate`: by how much the state moves per step, in Euclidean distance; for a divergence, the factor per step.
    - `slowing`: the rate in the second half of the window divided by that in the first half; NaN for a divergence.
    - `time_constant`: of a drift that slows down, the number of steps in which its rate falls to 1/e; infinite for one
      that does not, NaN for other motions.
    - `growing`: the entries that change most, with their change per step: of a drift, or of the last step before a
      divergence.
    - `growing_share`: the part of the squared rate that these entries make up.
    - `lyapunov`: the largest Lyapunov exponent per step and the ends of its 95 % interval; NaN where not computed.
    """

    motion: Motion
    count: int
    start: int
    rate: float
    slowing: float
    time_constant: float
    growing: tuple[tuple[tuple[int, ...], float], ...]
    growing_share: float
    lyapunov: tuple[float, float, float]

    def sentence(self, step_seconds: float | None = None) -> str:
        """What these starts do, in words; times in seconds as well where it is said how many a step lasts."""
        cells = ", ".join(f"{list(index)} {change:+.3g}" for index, change in self.growing[:4])
        if self.motion is Motion.DIVERGENCE:
            return (
                f"{counted(self.count, 'start diverges', 'starts diverge')}; start {self.start}, followed further: "
                f"grows by a factor of {self.rate:.4g} per step at the end; most in the entries {cells}"
            )
        seen = f"{counted(self.count, 'start')} not converged; start {self.start}, followed further"
        if self.motion is Motion.DRIFT:
            pace = "it does not slow down"
            if self.time_constant < math.inf:
                pace = f"it slows down, with a time constant of {time_constant_text(self.time_constant, step_seconds)}"
            return (
                f"{seen}: drift of {self.rate:.4g} per step in one direction; {pace}; "
                f"{100 * self.growing_share:.1f} % of it in these entries (change per step): {cells}"
            )
        mean, low, high = self.lyapunov
        text = f"largest Lyapunov exponent {mean:.4g} per step, 95 % interval {low:.4g} to {high:.4g}"
        if self.motion is Motion.CHAOS:
            return f"{seen}: chaos, {text}"
        return f"{seen}: neither drift nor chaos shown, {text}; more steps may tell"


@dataclass(frozen=True, slots=True, eq=False)
class Ends(Rows):
    """Where starts end.

    **Fields:**

    - `ends`: certified attractors first, then by how often they were reached.
    - `label`: for each of n starts the index of its end; −1 if it diverged, −2 if it did not converge.
    - `num_steps`: for each start, how often the map was applied before its end was known.
    - `last`: n×state shape, for each start the state of its end, or the last state where it came to none.
    - `moving`: how starts without an end move on.
    - `unit`: the unit of distances and tolerances.
    - `confidence`: that of `elsewhere_bound`.
    """

    rows_of: ClassVar[str] = "ends"
    derived: ClassVar[tuple[str, ...]] = ("num_attractors", "elsewhere", "elsewhere_bound")
    shown_first: ClassVar[tuple[str, ...]] = ("num_attractors", "elsewhere", "elsewhere_bound")

    ends: tuple[End, ...]
    label: Int[np.ndarray, " n"]
    num_steps: Int[np.ndarray, " n"]
    last: Float[np.ndarray, "n *state"]
    moving: tuple[Moving, ...]
    unit: float
    confidence: float

    @property
    def num_attractors(self) -> int:
        """How many ends are certified attractors. Each was refined, so this does not depend on when the iteration
        stopped."""
        return sum(end.attracts for end in self.ends)

    @property
    def elsewhere(self) -> int:
        """How many starts did not end at a certified attractor."""
        return len(self.label) - sum(end.count for end in self.ends if end.attracts)

    @property
    def elsewhere_bound(self) -> float:
        """Clopper and Pearson's upper bound on the probability that a start drawn like these ends elsewhere."""
        return upper_confidence_bound(self.elsewhere, len(self.label), confidence=self.confidence)

    @property
    def diverged(self) -> int:
        """How many diverged."""
        return int((self.label == DIVERGED).sum())

    @property
    def not_converged(self) -> int:
        """How many had come to no end at the step limit."""
        return int((self.label == NOT_CONVERGED).sum())

    def _values(self) -> dict[str, Any]:
        found = super(Ends, self)._values()
        return found | {"diverged": self.diverged, "not_converged": self.not_converged}
