"""Activations as the theory needs them: value, slope, ∫φ/φ' and zφ'/φ, all in float64.

Named activations are NumPy formulas, because SciPy's solvers ask for one number at a time. Callables are
differentiated by JAX in double precision, whatever JAX's default is, without touching its configuration.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, optimize, special

from attrax._base import checks
from attrax._base.numerics import float64
from attrax.activations import ACTIVATIONS

Activation: TypeAlias = str | Callable[[Any], Any]
"""An activation by name, or as an elementwise callable written with `jax.numpy`."""

_Formula: TypeAlias = Callable[[Any], Any]

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One activation φ: `function` for JAX, `value` and `slope` for NumPy, closed forms where known."""

    name: str
    function: Callable[[Any], Any]
    value: _Formula
    slope: _Formula
    # A primitive of φ/φ' as a difference P(b) − P(a), written so that nearby ends do not cancel.
    difference: Callable[[Any, Any], Any] | None = None
    closed_factor: _Formula | None = None
    named: bool = True
    _curvature: list = field(default_factory=list)

    def factor(self, z: Any) -> Any:
        """zφ'(z)/φ(z): what one layer contributes to the top eigenvalue (Theorem 2, Corollary 2)."""
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
    # The stubs of SciPy give brentq a second kind of result that it has only on request.
    solver: Any = optimize.brentq
    return float(solver(function, low, high, xtol=1e-300, rtol=1e-15))


def _elementwise(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: jax.vmap(function)(z.reshape(-1)).reshape(z.shape)


def _selu(z: Any) -> Any:
    return _SELU_SCALE * np.where(z > 0, z, _SELU_ALPHA * np.expm1(np.minimum(z, 0)))


def _selu_slope(z: Any) -> Any:
    return _SELU_SCALE * np.where(z > 0, 1.0, _SELU_ALPHA * np.exp(np.minimum(z, 0)))


def _selu_difference(a: Any, b: Any) -> Any:
    # The primitive is z²/2 above 0 and z + e^{−z} − 1 below, continuous at 0.
    a_low, b_low, a_high, b_high = min(a, 0.0), min(b, 0.0), max(a, 0.0), max(b, 0.0)
    below = (b_low - a_low) + np.exp(-a_low) * np.expm1(a_low - b_low)
    return (b_high - a_high) * (b_high + a_high) / 2 + below


def _square(a: Any, b: Any) -> Any:
    return (b - a) * (b + a) / 2


def _swish_factor(z: Any) -> Any:
    return 1 + z * special.expit(-z)


def _one(z: Any) -> Any:
    return np.ones_like(z)


def _gelu_slope(z: Any) -> Any:
    return special.ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def power(exponent: float) -> Scalar:
    """z^p, for which the deep theorem has a closed form: the top eigenvalue is p^L."""
    p = checks.real("exponent", exponent)
    if p == 0:
        raise ValueError("the exponent of z^p must not be 0: a constant activation stores nothing")

    def difference(a: Any, b: Any) -> Any:
        return (b - a) * (b + a) / (2 * p)

    return Scalar(
        f"z^{p:g}",
        lambda z: z**p,
        lambda z: np.power(z, p),
        lambda z: p * np.power(z, p - 1),
        difference,
        lambda z: np.full_like(z, p),
    )


_FORMULAS: dict[str, tuple[_Formula, _Formula, Callable[[Any, Any], Any] | None, _Formula | None]] = {
    "sigmoid": (
        special.expit,
        lambda z: special.expit(z) * special.expit(-z),
        lambda a, b: (b - a) + np.exp(a) * np.expm1(b - a),
        lambda z: z * special.expit(-z),
    ),
    "softplus": (lambda z: np.logaddexp(0.0, z), special.expit, None, None),
    "tanh": (
        np.tanh,
        lambda z: 1 / np.cosh(z) ** 2,
        lambda a, b: np.sinh(b - a) * np.sinh(b + a) / 2,
        None,
    ),
    "exp": (np.exp, np.exp, lambda a, b: b - a, lambda z: z),
    "erf": (special.erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-z * z), None, None),
    "arctan": (np.arctan, lambda z: 1 / (1 + z * z), None, None),
    "swish": (
        lambda z: z * special.expit(z),
        lambda z: special.expit(z) * (1 + z * special.expit(-z)),
        None,
        _swish_factor,
    ),
    "gelu": (lambda z: z * special.ndtr(z), _gelu_slope, None, None),
    "cosid": (lambda z: np.cos(z) - z, lambda z: -np.sin(z) - 1, None, None),
    "sinusoid": (lambda z: z + np.sin(10 * z) / 5, lambda z: 1 + 2 * np.cos(10 * z), None, None),
    "selu": (
        _selu,
        _selu_slope,
        _selu_difference,
        lambda z: np.where(z > 0, 1.0, z / -np.expm1(-np.minimum(z, 0))),
    ),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0), _square, _one),
    "leaky_relu": (
        lambda z: np.where(z >= 0, z, 0.01 * z),
        lambda z: np.where(z >= 0, 1.0, 0.01),
        _square,
        _one,
    ),
    "identity": (lambda z: z, _one, _square, _one),
}

_EXTRA = {"exp": jnp.exp, "erf": jax.scipy.special.erf, "arctan": jnp.arctan}
_FUNCTIONS = {**{name: ACTIVATIONS[name] for name in _FORMULAS if name in ACTIVATIONS}, **_EXTRA}
_NAMED = {name: Scalar(name, _FUNCTIONS[name], *formulas) for name, formulas in _FORMULAS.items()}
_POWER = re.compile(r"z\^(-?\d*\.?\d+)")

NAMES = (*_NAMED, "z^p")
"""What can be given by name; p in z^p is any number but 0, as in "z^0.5"."""


def _from_callable(function: Callable[[Any], Any]) -> Scalar:
    name = getattr(function, "__name__", type(function).__name__)
    try:
        with float64():
            derivative = jax.vmap(jax.grad(function))
            shape = jax.eval_shape(derivative, jax.ShapeDtypeStruct((2,), np.float64))
    except Exception as error:  # whatever a foreign callable raises while it is traced, the answer is the same
        raise ValueError(
            f"activation must be a name or an elementwise callable that JAX can differentiate (jax.numpy, not numpy "
            f"or math); {name} is not: {error}"
        ) from error
    if shape.shape != (2,):
        raise ValueError(f"activation must map one number to one number; {name} does not")
    value = jax.jit(_elementwise(function))
    slope = jax.jit(_elementwise(jax.grad(function)))
    return Scalar(
        name, jnp.vectorize(function), lambda z: in_double(value, z), lambda z: in_double(slope, z), named=False
    )


_cached_callable = lru_cache(maxsize=64)(_from_callable)
_cached_power = lru_cache(maxsize=64)(power)


def scalar(activation: Activation) -> Scalar:
    """The activation with its derivative and closed forms.

    **Raises** `ValueError` for an unknown name, and for a callable that JAX cannot differentiate elementwise.
    """
    if isinstance(activation, str):
        match = _POWER.fullmatch(activation)
        if match:
            return _cached_power(float(match[1]))
        checks.one_of("activation", activation, NAMES)
        if activation == "z^p":
            raise ValueError('activation z^p needs its exponent as a number, as in "z^0.5"')
        return _NAMED[activation]
    if not callable(activation):
        raise ValueError(f"activation must be a name or a callable; got {activation!r}")
    for named in _NAMED.values():
        if activation is named.function:
            return named
    try:
        return _cached_callable(activation)
    except TypeError:  # callables that cannot be hashed are compiled anew
        return _from_callable(activation)
