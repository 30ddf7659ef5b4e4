"""The record of what is known about the stability of each stored cycle."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.shown import Rows, counts, span
from attrax._base.status import Evidence, Reason, StoreStatus, TrainingStatus, Verdict
from attrax.linalg import FAILURE
from attrax.memory._thresholds import Thresholds


@dataclass(frozen=True, slots=True, eq=False)
class Certificate(Rows):
    """What is known about the stability of each of c stored cycles, one entry per cycle (an example is a cycle of
    length one).

    **Fields:**

    - `cycles`: the indices of the points of each cycle, in order.
    - `spectral_radius`: largest modulus of an eigenvalue of the Jacobian product around the cycle, as estimated.
    - `error`: bound, to first order, on the error of that estimate, from residual, rounding and the eigenvalue's
      condition; at most `upper_bound`, or the estimate if that is larger. With `method` arnoldi only the leading
      eigenvalue was computed: that no other is larger is not proved. `upper_bound` does not depend on it.
    - `upper_bound`: bound on the modulus of every eigenvalue; infinite if none is known.
    - `log_spectral_radius`: natural logarithm of the radius, exact where the radius itself under- or overflows;
      −inf for a product that is zero.
    - `largest_singular_value`: of the Jacobian product (σ₁ > 1 with a radius below 1 means transient growth).
    - `residual`: largest ‖f(x_i) − x_{i+1}‖₂ at the points that were certified.
    - `moved`: largest distance from a stored point to the one certified; about 0 after `store`, which refines
      the points itself. `distance` is that from the originals.
    - `verdict`: one `Verdict` per cycle.
    - `method`: how the radius was computed: `"dense"` (all eigenvalues), `"arnoldi"` or `"matrix-free"` (the leading
      one), `"none"` where the map is not finite. The `dense` of `evidence` is something else: it says that rounding is
      estimated rather than bounded, by whatever method the radius was computed.
    - `period`: the least number of steps after which the certified points repeat; 0 if they do not form a cycle, or the
      period was not computed.
    - `open_sequence_error`: for each open sequence, in the order of `Patterns.open_sequences`, the largest mean squared
      distance from the iterated state to the stored one, in units of the patterns (`Patterns.unit`), when the map is
      run from the first state to the end and beyond; at most 1e-7 if the sequence is kept.
    - `reason`, `evidence`: one `Reason` and one `Evidence` per cycle, what the verdict rests on. Like the next two
      fields, they are empty in a certificate read from a file of an older version.
    - `distance`: the largest distance from an original to its point of the exact cycle; `distance_error`: a bound on
      its error, rounding included, as `verdict` used it; infinite if no exact cycle was shown to exist.
    - `recovery_atol`: the distance up to which an exact cycle counts as the stored one.
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
    reason: tuple[Reason, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    distance: Float[np.ndarray, " c"] = field(default_factory=lambda: np.zeros(0))
    distance_error: Float[np.ndarray, " c"] = field(default_factory=lambda: np.zeros(0))
    recovery_atol: float = float("nan")

    derived: ClassVar = ("failure_probability",)
    shown_first: ClassVar = (
        "verdict",
        "reason",
        "spectral_radius",
        "upper_bound",
        "distance",
        "recovery_atol",
        "evidence",
    )

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
        """How many cycles are shown not to be attractors."""
        return sum(verdict is Verdict.NOT_ATTRACTOR for verdict in self.verdict)

    @property
    def num_displaced(self) -> int:
        """How many cycles are attractors farther from their example than the recovery threshold."""
        return sum(verdict is Verdict.DISPLACED for verdict in self.verdict)

    @property
    def num_inconclusive(self) -> int:
        """How many cycles have no conclusive verdict."""
        return sum(verdict is Verdict.INCONCLUSIVE for verdict in self.verdict)

    @property
    def failure_probability(self) -> Float[np.ndarray, " c"]:
        """The probability with which the bound on each spectrum may fail: 1e-10 where the evidence is `probable`, else
        0."""
        return np.array([FAILURE if one is Evidence.PROBABLE else 0.0 for one in self.evidence])

    @property
    def open_sequences_kept(self) -> np.ndarray:
        """For each open sequence, whether it runs as it was given (within the paper's recovery threshold)."""
        return np.sqrt(self.open_sequence_error) <= Thresholds.mean_square(1).recovery

    @property
    def all_attractors(self) -> bool:
        """Whether every stored cycle is a certified attractor, and every open sequence leads to its own."""
        return self.num_attractors == len(self.verdict) and bool(self.open_sequences_kept.all())

    def status_after(self, training: TrainingStatus) -> StoreStatus:
        """The status of a memory with this certificate whose training ended with the status `training`. **Raises**
        `ValueError` for any other status."""
        checks.one_of("training", training, tuple(TrainingStatus))
        if training == TrainingStatus.REACHED:
            return StoreStatus.STORED if self.all_attractors else StoreStatus.NOT_ALL_CERTIFIED
        return StoreStatus.DIVERGED if training == TrainingStatus.DIVERGED else StoreStatus.LOSS_NOT_REACHED
