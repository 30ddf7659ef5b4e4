"""Sharpness: the largest eigenvalue of the loss's Hessian, as an optimizer scales it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import PRNGKeyArray

from attrax.extending import HostStates, Map

_STEPS = 100
TINY = 1e-8
"""What Adam and RMSprop add to the root of the mean square."""
_ADAM = 0.999
"""Adam's β₂: its mean squares begin at zero, and it corrects them for that."""


def sharpness(map: Map, examples: HostStates, state: Any, *, key: PRNGKeyArray) -> float:
    """The largest eigenvalue of D^(−½) H D^(−½) by power iteration on Hessian-vector products.

    H is the Hessian of the mean squared error that reproduces `examples`, n×state shape; D holds the roots of the mean
    squares of the gradient that Adam and RMSprop keep in their `state` and divide their steps by. For an optimizer that
    keeps none, D is one.
    """
    return float(_leading(map, examples, mean_squares(state), key))


def mean_squares(state: Any) -> Any:
    """The mean squares of the gradient by whose roots an optimizer divides its steps; nothing if it keeps none."""
    squares, adam = optax.tree.get(state, "nu", None), optax.tree.get(state, "ScaleByAdamState", None)
    if adam is None:
        return squares
    return jax.tree.map(lambda leaf: leaf / (1 - _ADAM**adam.count), squares)


@eqx.filter_jit
def _leading(map: Map, examples: Any, squares: Any, key: PRNGKeyArray) -> Any:
    parameters, static = eqx.partition(map, eqx.is_inexact_array)
    weights, unravel = ravel_pytree(parameters)
    scale = 1.0 if squares is None else 1 / jnp.sqrt(jnp.sqrt(ravel_pytree(squares)[0]) + TINY)
    points, start = jnp.asarray(examples, weights.dtype), jr.normal(key, weights.shape, weights.dtype)

    def loss(weights: Any) -> Any:
        return jnp.mean((jax.vmap(eqx.combine(unravel(weights), static))(points) - points) ** 2)

    def product(direction: Any) -> Any:
        return scale * jax.jvp(jax.grad(loss), (weights,), (scale * direction,))[1]

    def step(_: Any, direction: Any) -> Any:
        turned = product(direction)
        return turned / jnp.linalg.norm(turned)

    direction = jax.lax.fori_loop(0, _STEPS, step, start / jnp.linalg.norm(start))
    return jnp.vdot(direction, product(direction))
