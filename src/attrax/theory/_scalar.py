"""Activations in the form the theory needs: value, slope, ∫φ/φ' and zφ'/φ, all in float64.

Closed forms come from the activation's record and use NumPy, because SciPy's solvers evaluate one number at a time.
Without a closed form, JAX differentiates in double precision, whatever its default is, without changing its
configuration.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, optimize

from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax.activations import ACTIVATIONS, Activation, ActivationLike, Case, ClosedForms, Elementwise
from attrax.activations import activation as activation_of


def names() -> tuple[str, ...]:
    """Names of activations, those registered later included; p in z^p is any number except 0, as in "z^0.5".

    ```python
    >>> from attrax.theory import names
    >>> "tanh" in names(), names()[-1]
    (True, 'z^p')

    ```
    """
    return (*ACTIVATIONS, "z^p")


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Record):
    """One activation φ: `function` for JAX, `value` and `slope` for NumPy, closed forms where known."""

    name: str
    function: Elementwise
    value: Elementwise
    slope: Elementwise
    # A primitive of φ/φ' as a difference P(b) − P(a), written so that nearby ends do not cancel.
    difference: Callable[[Any, Any], Any] | None = None
    closed_factor: Elementwise | None = None
    admissible: tuple[Case, ...] | None = None
    _curvature: list = field(default_factory=list)

    def factor(self, z: Any) -> Any:
        """zφ'(z)/φ(z): the factor of one layer in the top eigenvalue (Theorem 2, Corollary 2)."""
        with np.errstate(all="ignore"):
            if self.closed_factor is not None:
                return self.closed_factor(np.asarray(z, np.float64))[()]
            z = np.asarray(z, np.float64)
            return (z * self.slope(z) / self.value(z))[()]

    def ratio_integral(self, start: float, stop: float) -> float:
        """∫ φ/φ' from `start` to `stop`, in closed form or by quadrature to about 1e-13."""
        with np.errstate(all="ignore"):
            if self.difference is not None:
                return float(self.difference(np.float64(start), np.float64(stop)))

            def ratio(z: float) -> float:
                z = np.float64(z)
                return float(self.value(z) / self.slope(z))

            # full_output silences SciPy's warning: the solver checks the residual of what it returns.
            return float(integrate.quad(ratio, start, stop, epsabs=0, epsrel=1e-13, limit=200, full_output=1)[0])

    def curvature(self, z: Any) -> np.ndarray:
        """φ''(z) by JAX, elementwise. Only needed next to a zero of φ'."""
        if not self._curvature:
            self._curvature.append(jax.jit(_elementwise(jax.grad(jax.grad(self.function)))))
        return in_double(self._curvature[0], z)


def in_double(function: Callable[[Any], Any], z: Any) -> np.ndarray:
    """`function(z)` evaluated by JAX in float64, as NumPy; the switch is local to this thread and call."""
    with float64():
        return np.asarray(function(np.asarray(z, np.float64)))


def bracketed_root(function: Callable[[float], float], low: float, high: float) -> float:
    """The root of `function` between `low` and `high`, where its signs differ."""
    # SciPy's stubs give brentq a second result type that it returns only on request.
    solver: Any = optimize.brentq
    return float(solver(function, low, high, xtol=1e-300, rtol=1e-15))


def _elementwise(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: jax.vmap(function)(z.reshape(-1)).reshape(z.shape)


def scalar(activation: ActivationLike) -> Scalar:
    """The activation in the form the theory needs: with its slope and, where they are known, closed forms.

    **Raises** `ValueError` for an unknown name, and for a function that JAX cannot differentiate elementwise.

    ```python
    >>> from attrax import theory
    >>> phi = theory.scalar("tanh")
    >>> float(phi.value(0.0)), float(phi.slope(0.0))
    (0.0, 1.0)

    ```
    """
    record = activation_of(activation)
    try:
        return _cached(record)
    except TypeError:  # functions that cannot be hashed are compiled again
        return _scalar(record)


def _scalar(record: Activation) -> Scalar:
    known = record.theory or ClosedForms()
    value, slope = known.value, known.slope
    if value is None or slope is None:
        _check_differentiable(record)
        by_jax, slope_by_jax = jax.jit(_elementwise(record.function)), jax.jit(_elementwise(jax.grad(record.function)))
        value = value or (lambda z: in_double(by_jax, z))
        slope = slope or (lambda z: in_double(slope_by_jax, z))
    return Scalar(
        record.name,
        record.function if known.value is not None else jnp.vectorize(record.function),
        value,
        slope,
        known.ratio_integral,
        known.factor,
        known.admissible,
    )


_cached = lru_cache(maxsize=128)(_scalar)


def _check_differentiable(record: Activation) -> None:
    try:
        with float64():
            derivative = jax.vmap(jax.grad(record.function))
            shape = jax.eval_shape(derivative, jax.ShapeDtypeStruct((2,), np.float64))
    except Exception as error:  # whatever the user's function raises during tracing, the answer is the same
        raise ValueError(
            f"activation must be a name or an elementwise callable that JAX can differentiate (jax.numpy, not numpy "
            f"or math); {record.name} is not: {error}"
        ) from error
    if shape.shape != (2,):
        raise ValueError(f"activation must map one number to one number; {record.name} does not")
