"""Bias-free networks over whole matrices, plain gradient descent on ½‖y − f(x)‖², and their Jacobians, in float64.

Nothing here uses the theory: the forms that the theorems predict have to result from training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from attrax._base.numerics import float64
from attrax._base.shown import Record

Phi = Callable[[Any], Any]

# Descent with a stable rate lowers the residual at each step, until only rounding changes it.
_PATIENCE = 40


class Matrices(NamedTuple):
    """W_1 (k, d), the middle layers W_2 … W_L as one array (L − 1, k, k), and W_{L+1} (d, k)."""

    first: Any
    middle: Any
    last: Any


@dataclass(frozen=True, slots=True, eq=False)
class Descent(Record):
    """The result of gradient descent: the `matrices`, the relative `residual` ‖y − f(x)‖/‖y‖, and `steps`."""

    matrices: Matrices
    residual: float
    steps: int


def output(phi: Phi, matrices: Matrices, x: Float[Array, "d *n"]) -> Float[Array, "d *n"]:
    """f(x) of one example or of several as columns."""

    def layer(activity: Any, weight: Any) -> tuple[Any, None]:
        return phi(weight @ activity), None

    activity, _ = jax.lax.scan(layer, phi(matrices.first @ x), matrices.middle)
    return matrices.last @ activity


@partial(jax.jit, static_argnames=("phi",))
def _descend(
    phi: Phi, matrices: Matrices, scales: Matrices, x: Any, y: Any, rate: Any, atol: Any, max_steps: Any
) -> tuple[Matrices, Any, Any]:
    def scaled(parameters: Matrices) -> Matrices:
        return Matrices(*(scale * w for scale, w in zip(scales, parameters, strict=True)))

    def gradient(parameters: Matrices) -> tuple[Any, Matrices]:
        value, pullback = jax.vjp(lambda p: output(phi, scaled(p), x), parameters)
        return jnp.linalg.norm(y - value), pullback(y - value)[0]

    def going(state: tuple[Matrices, Any, Any, Any, Any]) -> Any:
        _, error, _, stalled, steps = state
        return (steps < max_steps) & (error > atol) & jnp.isfinite(error) & (stalled < _PATIENCE)

    def step(state: tuple[Matrices, Any, Any, Any, Any]) -> tuple[Matrices, Any, Any, Any, Any]:
        parameters, _, best, stalled, steps = state
        now, change = gradient(parameters)
        moved = Matrices(*(w + rate * d for w, d in zip(parameters, change, strict=True)))
        return moved, now, jnp.minimum(best, now), jnp.where(now < best, 0, stalled + 1), steps + 1

    zero = jnp.zeros((), int)
    best = jnp.asarray(jnp.inf, y.dtype)
    first = jnp.linalg.norm(y - output(phi, scaled(matrices), x))
    end, _, _, _, steps = jax.lax.while_loop(going, step, (matrices, first, best, zero, zero))
    return end, jnp.linalg.norm(y - output(phi, scaled(end), x)), steps


def descend(
    phi: Phi,
    matrices: Matrices,
    x: np.ndarray,
    y: np.ndarray,
    *,
    rate: float,
    rtol: float = 0.0,
    max_steps: int,
    scales: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Descent:
    """Gradient descent on ½‖y − f(x)‖² with the given rate, all matrices at once, in float64.

    It ends when the residual is at most `rtol`·‖y‖, when it has not fallen for 40 steps, after `max_steps`, or when it
    is not finite. The residual is that of the matrices returned. With `scales` the
    parameters are the matrices and the network's weights are `scales` times these, as in the tangent-kernel limit.
    """
    with float64():
        factors = Matrices(*map(np.float64, scales))
        end, error, steps = _descend(
            phi, matrices, factors, x, y, np.float64(rate), np.float64(rtol * np.linalg.norm(y)), np.int64(max_steps)
        )
        return Descent(
            Matrices(*map(np.asarray, end)), float(error) / max(float(np.linalg.norm(y)), 1e-300), int(steps)
        )


@partial(jax.jit, static_argnames=("phi",))
def _jacobian(phi: Phi, matrices: Matrices, x: Any) -> Any:
    return jax.jacfwd(lambda z: output(phi, matrices, z))(x)


def jacobian(phi: Phi, matrices: Matrices, x: np.ndarray) -> Float[np.ndarray, "d d"]:
    """∂f/∂x at x, from the matrices."""
    with float64():
        return np.asarray(_jacobian(phi, matrices, x))


@partial(jax.jit, static_argnames=("phi", "iterations"))
def _sharpness(phi: Phi, matrices: Matrices, scales: Matrices, x: Any, direction: Any, iterations: int) -> Any:
    def value(parameters: Matrices) -> Any:
        return output(phi, Matrices(*(s * w for s, w in zip(scales, parameters, strict=True))), x)

    _, pullback = jax.vjp(value, matrices)

    def step(_: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        v, _ = state
        moved = jax.jvp(value, (matrices,), (pullback(v)[0],))[1]
        size = jnp.linalg.norm(moved)
        return jnp.where(size > 0, moved / jnp.where(size > 0, size, 1.0), v), size

    return jax.lax.fori_loop(0, iterations, step, (direction / jnp.linalg.norm(direction), jnp.zeros(())))[1]


def sharpness(
    phi: Phi, matrices: Matrices, x: np.ndarray, *, scales: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> float:
    """The largest eigenvalue of the tangent kernel ∂f ∂fᵀ at x, by a few power iterations.

    Near zero error, gradient descent is stable for rates below 2 divided by this.
    """
    direction = np.random.default_rng(0).standard_normal(matrices.last.shape[0])  # almost surely not orthogonal to it
    with float64():
        return float(_sharpness(phi, matrices, Matrices(*map(np.float64, scales)), x, direction, 12))
