"""Propositions 3 and 4, Theorem 2, and the integral of Theorem 1, each as one function."""

from typing import Any

import numpy as np

from attrax._base import checks
from attrax.activations import ActivationLike
from attrax.theory._arguments import numbers
from attrax.theory._scalar import Scalar, scalar


def _units(activation: ActivationLike, u: Any, v: Any, norm: float) -> tuple[Scalar, np.ndarray, np.ndarray]:
    phi = scalar(activation)
    u = numbers("u", u, ndim=(0, 1))
    v = numbers("v", v, ndim=(0, 1))
    if u.shape != v.shape:
        raise ValueError(f"u and v must have the same length; got shapes {u.shape} and {v.shape}")
    norm = checks.real("norm", norm, above=0)
    return phi, np.atleast_1d(u), np.atleast_1d(v) * norm**2


def top_eigenvalue(activation: ActivationLike, u: Any, v: Any, norm: float = 1.0) -> float:
    """The only non-zero eigenvalue of the Jacobian at x (Proposition 4).

    For f(z) = x uᵀφ(v xᵀz) the Jacobian at x is λ₁·xxᵀ/‖x‖² with λ₁ = uᵀ(φ'(h)∘h), h = ‖x‖²v.

    **Arguments:** `activation` by name or as a callable; `u` and `v` of shape (k,); `norm` is ‖x‖.

    **Returns** λ₁ as a float.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> round(theory.top_eigenvalue("sigmoid", [0.5, 0.2, 0.86158959], [0.3, -0.7, 1.1]), 8)
    0.18320848

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Proposition 4.
    """
    phi, u, h = _units(activation, u, v, norm)
    with np.errstate(all="ignore"):
        return float(np.sum(u * phi.slope(h) * h))


def is_interpolating(activation: ActivationLike, u: Any, v: Any, norm: float = 1.0, *, atol: float = 1e-9) -> bool:
    """Whether A = xuᵀ, B = vxᵀ has zero error: uᵀφ(v‖x‖²) = 1 (Proposition 3), to within `atol`.

    **Arguments:** as for `top_eigenvalue`; `atol`, the largest |1 − uᵀφ(h)| that counts as zero.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> theory.is_interpolating("identity", [0.5, 0.25], [1.0, 2.0])
    True

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Proposition 3.
    """
    phi, u, h = _units(activation, u, v, norm)
    atol = checks.real("atol", atol, least=0)
    with np.errstate(all="ignore"):
        return bool(abs(1 - np.sum(u * phi.value(h))) <= atol)


def layer_factor(activation: ActivationLike, z: Any) -> Any:
    """zφ'(z)/φ(z), elementwise: the top eigenvalue of Theorem 2, and one factor of Corollary 2.

    It is exactly 1 for ReLU, Leaky ReLU and the identity, and p for z^p. NaN where φ or φ' is not finite.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> theory.layer_factor("z^0.5", 3.0)
    0.5

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Theorem 2 (Theorem 6 of the appendix) and Corollary 2.
    """
    factor = scalar(activation).factor(numbers("z", z, ndim=(0, 1, 2)))
    return float(factor) if np.ndim(factor) == 0 else factor


def ratio_integral(activation: ActivationLike, start: float, stop: float) -> float:
    """∫ φ(z)/φ'(z) dz from `start` to `stop`, as in Theorem 1: closed form where known, else quadrature.

    Closed primitives: sigmoid z + eᶻ, tanh ½sinh²z, exp z, z^p z²/(2p), ReLU z²/2, SELU z + e^{−z} below 0. It is
    defined only if φ' has no zero between the two ends.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> theory.ratio_integral("relu", 1.0, 2.0)
    1.5

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Theorem 1 (Theorem 5 of the appendix).
    """
    return scalar(activation).ratio_integral(checks.real("start", start), checks.real("stop", stop))


def velocity(activation: ActivationLike, k: int, u: Any, v: Any, norm: float = 1.0) -> tuple[Any, Any, Any]:
    """(u̇, v̇, r): the gradient flow of k equal units at (u, v), for example for a phase portrait (Invariant 2).

    r = 1 − kuφ(h), u̇ = rφ(h), v̇ = ‖x‖²rφ'(h)u, h = ‖x‖²v. The zero-error curve is r = 0, that is u = 1/(kφ(h)).

    **Arguments:** `activation` by name or as a callable; `k`, the width; `u` and `v`, numbers or arrays of shapes that
    broadcast; `norm`, ‖x‖.

    **Returns** three arrays.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> [float(x) for x in theory.velocity("identity", 1, 0.5, 1.0)]
    [0.5, 0.25, 0.5]

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Invariant 2 and the proof of Theorem 1.
    """
    phi = scalar(activation)
    k = checks.integer("k", k, least=1)
    u, v = numbers("u", u, ndim=(0, 1, 2)), numbers("v", v, ndim=(0, 1, 2))
    norm = checks.real("norm", norm, above=0)
    with np.errstate(all="ignore"):
        value, slope = phi.value(v * norm**2), phi.slope(v * norm**2)
        r = 1 - k * u * value
        return r * value, norm**2 * r * slope * u, r
