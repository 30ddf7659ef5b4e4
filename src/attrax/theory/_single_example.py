"""Theorems 1, 2 and 3, the deep theorem and Corollary 2: the network that training on one example ends in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from attrax._base import checks
from attrax._base.shown import Record
from attrax.activations import ActivationLike
from attrax.theory._arguments import numbers, units
from attrax.theory._flow import checked_zero_error, depth_velocity, layers, to_zero_error, unit_velocity
from attrax.theory._scalar import Scalar, scalar
from attrax.theory._status import TheoryStatus
from attrax.theory._trap import nearby_zero, trapped_solution

_POLISH_STEPS = 20


@dataclass(frozen=True, slots=True, eq=False)
class SingleExample(Record):
    """The network A = xuᵀ, W_i = w_i·𝟙𝟙ᵀ, B = vxᵀ at the end of training on one example x, and its top eigenvalue.

    **Fields:**

    - `activation`, `k`, `u0`, `w0`, `v0`, `depth`, `norm`, `target_norm`: as given (`u0` and `v0` are arrays of
      shape (k,) for unequal units; `target_norm` is `norm` for an autoencoder).
    - `u`, `v`: floats for equal units, arrays of shape (k,) otherwise; NaN where there is no answer.
    - `h`: ‖x‖²v, the pre-activation of the first layer.
    - `w`: w_2 … w_L.
    - `factors`: hφ'(h)/φ(h) of each layer for equal units; otherwise λ₁ alone.
    - `top_eigenvalue`: λ₁, the only non-zero eigenvalue of the Jacobian at x; NaN where there is no answer.
    - `residual`: |1 − output/target| at the numbers returned.
    - `status`: a `TheoryStatus`: solved, trapped, impossible, nonfinite, ill_conditioned or
      max_steps_reached.
    """

    activation: ActivationLike
    k: int
    u0: Any
    w0: tuple[float, ...]
    v0: Any
    depth: int
    norm: float
    target_norm: float
    u: Any
    v: Any
    h: Any
    w: tuple[float, ...]
    factors: tuple[float, ...]
    top_eigenvalue: float
    residual: float
    status: TheoryStatus

    derived: ClassVar = ("attractor",)

    @property
    def attractor(self) -> bool | None:
        """Whether |λ₁| < 1; `None` if there is no answer. For sequences this is the factor, not the cycle."""
        return abs(self.top_eigenvalue) < 1 if self.status.interpolates else None


def single_example(
    activation: ActivationLike,
    k: int,
    u0: float | Sequence[float] | Float[np.ndarray, " k"],
    v0: float | Sequence[float] | Float[np.ndarray, " k"],
    depth: int = 1,
    w0: float | Sequence[float] | Float[np.ndarray, " l"] = (),
    norm: float = 1.0,
    *,
    target_norm: float | None = None,
) -> SingleExample:
    """Where gradient flow on ½‖x − f(x)‖² ends, started from A = xu⁰ᵀ, W_i = w_i⁰·𝟙𝟙ᵀ, B = v⁰xᵀ.

    With one hidden layer and equal units (Theorems 1 and 2, h = ‖x‖²v): ‖x‖⁴(u² − u₀²)/2 = ∫_{h₀}^{h} φ/φ' dz and
    kuφ(h) = 1, and the top eigenvalue is hφ'(h)/φ(h). With depth it is the product of that over the layers
    (Corollary 2). Unequal units (`u0` or `v0` of length k, depth 1) each keep the first relation, and
    λ₁ = Σ u_iφ'(h_i)h_i. The flow is followed to zero error, so that the branch is the one training takes; for
    depth 1 and equal units the end point is then polished on the two equations.

    **Arguments:**

    - `activation`: a name (see `theory.names()`), or an elementwise callable written with `jax.numpy`.
    - `k`: the width, at least 1.
    - `u0`, `v0`: initial scales of A and B, numbers or sequences of length k.
    - `depth`: the number of hidden layers, L.
    - `w0`: w_2 … w_L, depth − 1 numbers.
    - `norm`: ‖x‖.
    - `target_norm`: ‖y‖ when x is trained to map to y (Theorem 3, from A = yu⁰ᵀ); the same as `norm` by default.

    **Returns** a `SingleExample`, in float64 whatever JAX's default precision is.

    **Raises** `ValueError` for wrong arguments, including unequal units with a depth above 1 (Invariant 4 needs equal
    ones). If there is no solution, `status` says why.

    ```python
    >>> from attrax import theory
    >>> answer = theory.single_example("sigmoid", 2, 1.0, 1.0)
    >>> round(answer.u, 7), round(answer.v, 7), round(answer.top_eigenvalue, 7), str(answer.status)
    (0.6974451, 0.9291474, 0.2630395, 'solved')

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Theorems 1–3 (5–7 of the appendix), Corollary 2.
    """
    phi = scalar(activation)
    k = checks.integer("k", k, least=1)
    u, v = units(k, u0, v0)
    depth = checks.integer("depth", depth, least=1)
    w = np.atleast_1d(numbers("w0", np.asarray(w0, np.float64) if np.size(w0) == 0 else w0, ndim=(0, 1)))
    if len(w) != depth - 1:
        raise ValueError(f"w0 must hold depth − 1 = {depth - 1} numbers, w_2 to w_L; got {len(w)}")
    if u.ndim and depth > 1:
        raise ValueError(f"u0 and v0 must be numbers when depth is above 1; got sequences of length {k}")
    norm = checks.real("norm", norm, above=0)
    target = norm if target_norm is None else checks.real("target_norm", target_norm, above=0)
    scale = (norm * target) ** 2
    start = (u.copy(), tuple(w.tolist()), v.copy()) if u.ndim else (float(u), tuple(w.tolist()), float(v))

    if u.ndim:
        u, h, w, factors, status = _unequal(phi, scale, u, v * norm**2)
    elif depth == 1:
        u, h, factors, status = _equal(phi, k, scale, float(u), float(v) * norm**2)
    else:
        u, h, w, factors, status = _deep(phi, k, scale, target**2, float(u), w, float(v) * norm**2)

    top, residual = np.nan, np.nan
    if status.interpolates:
        with np.errstate(all="ignore"):
            top = float(np.prod(factors))
            output = np.sum(u * phi.value(h)) if np.ndim(u) else k * u * layers(phi, k, w, float(h))[1][-1]
            residual = float(abs(1 - output))
        if not np.isfinite(top):
            status = TheoryStatus.NONFINITE
    if not status.interpolates:
        top, factors = np.nan, (np.nan,) * len(factors)
        u, h, w = np.full_like(u, np.nan)[()], np.full_like(h, np.nan)[()], np.full_like(w, np.nan)
    if np.ndim(u) == 0:
        u, h = float(u), float(h)
    return SingleExample(
        activation=activation,
        k=k,
        u0=start[0],
        w0=start[1],
        v0=start[2],
        depth=depth,
        norm=norm,
        target_norm=target,
        u=u,
        v=h / norm**2,
        h=h,
        w=tuple(float(x) for x in w),
        factors=tuple(float(x) for x in factors),
        top_eigenvalue=top,
        residual=residual,
        status=status,
    )


def _unequal(phi: Scalar, scale: float, u: Any, h: Any) -> tuple[Any, Any, Any, tuple[float, ...], TheoryStatus]:
    state, status = checked_zero_error(unit_velocity(phi, scale), np.concatenate([u, h]))
    u, h = np.split(state, 2)
    with np.errstate(all="ignore"):
        factors = (float(np.sum(u * phi.slope(h) * h)),)
        return u, h, np.empty(0), factors, _pinned(phi, h, status)


def _deep(
    phi: Scalar, k: int, scale: float, target_square: float, u: float, w: Any, h: float
) -> tuple[Any, Any, Any, tuple[float, ...], TheoryStatus]:
    start = np.concatenate([[u], w, [h]])
    state, status = checked_zero_error(depth_velocity(phi, k, scale, target_square), start)
    w = state[1:-1]
    with np.errstate(all="ignore"):
        factors = tuple(phi.factor(layers(phi, k, w, state[-1])[0]))
        return state[0], state[-1], w, factors, _pinned(phi, state[-1:], status)


def _pinned(phi: Scalar, h: Any, status: TheoryStatus) -> TheoryStatus:
    """Turns solved into trapped if an entry of h is next to a zero of φ'."""
    near = status is TheoryStatus.SOLVED and any(nearby_zero(phi, float(x)) is not None for x in h)
    return TheoryStatus.TRAPPED if near else status


def _equal(
    phi: Scalar, k: int, scale: float, u0: float, h0: float
) -> tuple[float, float, tuple[float, ...], TheoryStatus]:
    """Theorem 1: the flow gives the branch, Newton's method on the two equations the digits."""
    start = np.array([u0, h0])
    state, status = to_zero_error(depth_velocity(phi, k, scale, 1.0), start, 1e-10, 1e-14)
    u, h = state
    if status is not TheoryStatus.SOLVED:
        return u, h, (np.nan,), status
    with np.errstate(all="ignore"):
        zero = nearby_zero(phi, float(h))
        if zero is not None:
            trapped = trapped_solution(phi, k, scale, u0, h0, zero)
            if trapped is not None:
                u, h, top = trapped
                return u, h, (top,), TheoryStatus.TRAPPED
        polished = _polish(phi, k, scale, u0, h0, u, h)
    if polished is None:
        return u, h, (np.nan,), TheoryStatus.MAX_STEPS_REACHED
    u, h = polished
    return u, h, (float(phi.factor(h)),), TheoryStatus.SOLVED


def _polish(phi: Scalar, k: int, scale: float, u0: float, h0: float, u: float, h: float) -> tuple[float, float] | None:
    """Newton on scale·(u² − u₀²)/2 = ∫φ/φ' and kuφ(h) = 1 from (u, h); None if it leaves that neighborhood.

    The Jacobian [[scale·u, −φ/φ'], [kφ, kuφ']] has determinant k(scale·u²φ'² + φ²)/φ', never 0 here.
    """
    first = u, h
    best = np.inf
    for _ in range(_POLISH_STEPS):
        value, slope = float(phi.value(np.float64(h))), float(phi.slope(np.float64(h)))
        conserved = scale * (u - u0) * (u + u0) / 2 - phi.ratio_integral(h0, h)
        output = k * u * value - 1
        determinant = k * (scale * u * u * slope + value * value / slope)
        step_u = (k * u * slope * conserved + value / slope * output) / determinant
        step_h = (scale * u * output - k * value * conserved) / determinant
        size = abs(step_u) / (abs(u) + 1e-300) + abs(step_h) / (abs(h) + 1e-300)
        if not np.isfinite(size):
            return None
        if size >= best / 2 and best < 1e-9:  # only rounding is left
            break
        u, h, best = u - step_u, h - step_h, size
        if size < 1e-15:
            break
    near = abs(u - first[0]) <= 1e-5 * (1 + abs(u)) and abs(h - first[1]) <= 1e-5 * (1 + abs(h))
    return (u, h) if near and best < 1e-9 else None
