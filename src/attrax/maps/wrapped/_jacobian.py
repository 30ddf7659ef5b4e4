"""The Jacobian product of any callable, by automatic differentiation: formed where it fits, else only applied."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from attrax._base.numerics import cast, float64
from attrax._base.status import Evidence
from attrax._base.types import HostStates, Map
from attrax.linalg import UNIT_ROUNDOFF, Product, RunningProduct, dense_norm, largest_singular_value
from attrax.maps._linearization import Linearization, Linearizer

FORMED = 2048
"""Jacobians with more rows than this are not formed."""
ROUNDING = 64 * UNIT_ROUNDOFF
"""The rounding error inside a foreign map can't be known; so much of the norm of its Jacobian is assumed."""


def general_linearizer(map: Map) -> Linearizer:
    """What turns a cycle of any callable into its `Linearization`.

    How far the states are from the exact cycle is left out of account: nothing is known of the second derivative.
    """
    with float64():
        return partial(_linearize, cast(map, np.float64))


def _linearize(map: Map, cycle: HostStates, state_error: float = 0.0) -> Linearization:
    size = cycle[0].size
    with float64():
        states = [jnp.asarray(state, np.float64) for state in cycle]
    forward = partial(_applied, map, states, _push, _push_all)
    backward = partial(_applied, map, states[::-1], _pull, _pull_all)
    if size > FORMED:
        singular = partial(largest_singular_value, forward, backward, size)
        return Linearization(size, Evidence.PROBABLE, None, forward, backward, singular, lambda: float("inf"))
    running, log_norm = RunningProduct(size), 0.0
    for state in cycle:
        jacobian = state_jacobian(map, state)
        norm = float(np.linalg.norm(jacobian))
        running.multiply(jacobian, norm, ROUNDING * norm)
        with np.errstate(divide="ignore"):
            log_norm += float(np.log(norm * (1 + ROUNDING)))
    product = running.product()
    singular = partial(_dense_singular_value, product)
    return Linearization(size, Evidence.DENSE, product, forward, backward, singular, lambda: log_norm)


def _dense_singular_value(product: Product) -> float:
    with np.errstate(over="ignore"):
        return dense_norm(product.matrix) * float(np.exp(product.log_scale))


def state_jacobian(map: Map, state: np.ndarray) -> Float[np.ndarray, "d d"]:
    """The full Jacobian of any map, cast to float64 before, at one state."""
    with float64():
        jacobian = np.asarray(_dense_jacobian(map, jnp.asarray(state, np.float64)))
    return jacobian.reshape(state.size, state.size)


def _applied(
    map: Map, states: Sequence[Any], one: Callable[..., Any], several: Callable[..., Any], vectors: np.ndarray
) -> np.ndarray:
    """Products of the Jacobians at `states`, in order, with one flat vector or with several, one a row."""
    vectors = np.asarray(vectors, np.float64)
    flat = vectors.shape
    product = one if vectors.ndim == 1 else several
    with float64():
        for state in states:
            shaped = jnp.asarray(vectors.reshape(*flat[:-1], *state.shape), np.float64)
            vectors = np.asarray(product(map, state, shaped))
    return vectors.reshape(flat)


@eqx.filter_jit
def _dense_jacobian(map: Map, state: Any) -> Any:
    return jax.jacfwd(map)(state)


@eqx.filter_jit
def _push(map: Map, state: Any, tangent: Any) -> Any:
    return jax.jvp(map, (state,), (tangent,))[1]


@eqx.filter_jit
def _push_all(map: Map, state: Any, tangents: Any) -> Any:
    return jax.vmap(jax.linearize(map, state)[1])(tangents)


@eqx.filter_jit
def _pull(map: Map, state: Any, cotangent: Any) -> Any:
    return jax.vjp(map, state)[1](cotangent)[0]


@eqx.filter_jit
def _pull_all(map: Map, state: Any, cotangents: Any) -> Any:
    pull = jax.vjp(map, state)[1]
    return jax.vmap(lambda cotangent: pull(cotangent)[0])(cotangents)
