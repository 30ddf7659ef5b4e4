"""Corollary 1: networks that interpolate an example without being attracted to it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attrax._base import checks
from attrax._base.shown import Record
from attrax.activations import ActivationLike
from attrax.theory._scalar import scalar
from attrax.theory._status import TheoryStatus


@dataclass(frozen=True, slots=True, eq=False)
class InterpolatingNetwork(Record):
    """The network A = x(u, …, u), B = (v, …, v)ᵀxᵀ, for which f(x) = x.

    **Fields:** `activation`, `k`, `v`, `norm` as given; `u` = 1/(kφ(h)); `h` = ‖x‖²v; `top_eigenvalue` = hφ'(h)/φ(h);
    `status`, a `TheoryStatus`: solved if |λ₁| > 1 (no attractor, as Corollary 1 says), inadmissible if |λ₁| ≤ 1,
    impossible if φ(h) = 0 (no network interpolates), nonfinite if φ or φ' is not finite there.
    """

    activation: ActivationLike
    k: int
    u: float
    v: float
    h: float
    norm: float
    top_eigenvalue: float
    status: TheoryStatus

    derived: ClassVar = ("attractor",)

    @property
    def target_norm(self) -> float:
        """‖x‖: these networks map x to itself."""
        return self.norm

    @property
    def attractor(self) -> bool | None:
        """Whether |λ₁| < 1; `None` if there is no answer."""
        return abs(self.top_eigenvalue) < 1 if self.status.interpolates else None


def corollary1(activation: ActivationLike, k: int, v: float, norm: float = 1.0) -> InterpolatingNetwork:
    """The interpolating network with first-layer scale `v`: u = 1/(kφ(h)), h = ‖x‖²v, λ₁ = hφ'(h)/φ(h).

    If |zφ'(z)/φ(z)| > 1 on an open interval, each h in it gives a network with f(x) = x that is not an attractor;
    `admissible_intervals` finds these intervals.

    **Arguments:** `activation` by name or as a callable; `k`, the width; `v`, the scale of B; `norm`, ‖x‖.

    **Returns** an `InterpolatingNetwork`.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> network = theory.corollary1("cosid", 2, 1.0)
    >>> round(network.u, 9), round(network.top_eigenvalue, 9), str(network.status)
    (-1.087671325, 4.005830371, 'solved')

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Corollary 1.
    """
    phi = scalar(activation)
    k = checks.integer("k", k, least=1)
    v = checks.real("v", v)
    norm = checks.real("norm", norm, above=0)
    h = v * norm**2
    with np.errstate(all="ignore"):
        value, slope = float(phi.value(np.float64(h))), float(phi.slope(np.float64(h)))
        top = float(phi.factor(h)) if value != 0 else np.nan
        u = float(1 / (np.float64(k) * value)) if value != 0 else np.nan
    if value == 0:
        status = TheoryStatus.IMPOSSIBLE
    elif not (np.isfinite(value) and np.isfinite(slope) and np.isfinite(u) and np.isfinite(top)):
        status, u, top = TheoryStatus.NONFINITE, np.nan, np.nan
    else:
        status = TheoryStatus.SOLVED if abs(top) > 1 else TheoryStatus.INADMISSIBLE
    return InterpolatingNetwork(activation, k, u, v, h, norm, top, status)
