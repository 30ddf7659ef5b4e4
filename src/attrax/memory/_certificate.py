"""The record of what is known of the stability of each stored cycle."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from attrax._base.shown import Rows, counts, span
from attrax._base.status import Verdict
from attrax.memory._thresholds import Thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Certificate(Rows):
    """What is known of the stability of each stored cycle, one entry a cycle (an example is a cycle of length one).

    **Fields:**

    - `cycles`: the indices of the points of each cycle, in order.
    - `spectral_radius`: largest modulus of an eigenvalue of the Jacobian product round the cycle, as estimated.
    - `error`: bound on the error of that estimate, from residual, rounding and the eigenvalue's condition.
    - `upper_bound`: bound on the modulus of every eigenvalue; infinite where none is known.
    - `log_spectral_radius`: natural logarithm of the radius, exact where the radius itself under- or overflows;
      −inf for a product that is zero.
    - `largest_singular_value`: of the Jacobian product (σ₁ > 1 with a radius below 1 means transient growth).
    - `residual`: largest ‖f(x_i) − x_{i+1}‖₂ at the points that were certified.
    - `moved`: largest distance from a stored point to the one certified; 0 where the stored points are exact.
    - `verdict`: a `Verdict` each.
    - `method`: `"dense"` (whole spectrum), `"arnoldi"`, or `"matrix-free"` (no bound, hence inconclusive).
    - `period`: the least number of steps after which the certified points repeat; 0 where they are no cycle, or nobody
      looked.
    - `open_sequence_error`: for each open sequence, in the order of `Patterns.open_sequences`, the largest mean squared
      distance to the state that should be there, when the map is run from its first state to its end and on; at most
      1e-7 where it is kept.
    """

    rows_of: ClassVar[str] = "verdict"

    cycles: tuple[tuple[int, ...], ...]
    spectral_radius: Float[np.ndarray, " c"]
    error: Float[np.ndarray, " c"]
    upper_bound: Float[np.ndarray, " c"]
    log_spectral_radius: Float[np.ndarray, " c"]
    largest_singular_value: Float[np.ndarray, " c"]
    residual: Float[np.ndarray, " c"]
    moved: Float[np.ndarray, " c"]
    verdict: tuple[Verdict, ...]
    method: tuple[str, ...]
    period: Int[np.ndarray, " c"] = field(default_factory=lambda: np.zeros(0, int))
    open_sequence_error: Float[np.ndarray, " w"] = field(default_factory=lambda: np.zeros(0))

    leading: ClassVar = ("verdict", "spectral_radius", "upper_bound", "residual", "moved")

    def _brief(self) -> str:
        return f"{counts(self.verdict)}; upper bounds {span(self.upper_bound)}"

    def __post_init__(self) -> None:
        if not len(self.period):
            object.__setattr__(self, "period", np.zeros(len(self.cycles), int))

    @property
    def num_attractors(self) -> int:
        """How many cycles are certified attractors."""
        return sum(verdict is Verdict.ATTRACTOR for verdict in self.verdict)

    @property
    def num_not_attractors(self) -> int:
        """How many cycles are certainly no attractors."""
        return sum(verdict is Verdict.NOT_ATTRACTOR for verdict in self.verdict)

    @property
    def num_inconclusive(self) -> int:
        """How many cycles are neither."""
        return len(self.verdict) - self.num_attractors - self.num_not_attractors

    @property
    def open_sequences_kept(self) -> np.ndarray:
        """For each open sequence, whether it runs as it was given (within the paper's recovery threshold)."""
        return np.sqrt(self.open_sequence_error) <= Thresholds.mean_square(1).recovery

    @property
    def all_attractors(self) -> bool:
        """Whether every stored cycle is a certified attractor, and every open sequence leads to its own."""
        return self.num_attractors == len(self.verdict) and bool(self.open_sequences_kept.all())
