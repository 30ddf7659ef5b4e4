"""The Jacobian of any map: as a matrix, and as a product with vectors."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from attrax._base.numerics import cast, float64
from attrax._base.types import HostStates, Map
from attrax.linalg import UNIT_ROUNDOFF, Product, RunningProduct


def map_product(map: Map, cycle: HostStates) -> Product:
    """The full d×d Jacobian product of any map round `cycle`, by forward-mode derivatives in float64.

    The rounding error inside a foreign map cannot be known; 64 units in the last place of each factor are assumed.
    """
    size = int(np.prod(cycle.shape[1:]))
    running = RunningProduct(size)
    with float64():
        map = cast(map, np.float64)
        for state in cycle:
            jacobian = np.asarray(_dense_jacobian(map, jnp.asarray(state, np.float64))).reshape(size, size)
            norm = float(np.linalg.norm(jacobian))
            running.multiply(jacobian, norm, 64 * UNIT_ROUNDOFF * norm)
    return running.product()


def state_jacobian(map: Map, state: np.ndarray) -> Float[np.ndarray, "d d"]:
    """The full Jacobian of any map at one state, in float64."""
    with float64():
        jacobian = np.asarray(_dense_jacobian(cast(map, np.float64), jnp.asarray(state, np.float64)))
    return jacobian.reshape(state.size, state.size)


@eqx.filter_jit
def _dense_jacobian(map: Map, state: Any) -> Any:
    return jax.jacfwd(map)(state)


@eqx.filter_jit
def push_forward(map: Map, state: Any, tangent: Any) -> Any:
    """J_f(state)·tangent, matrix-free."""
    return jax.jvp(map, (state,), (tangent,))[1]


@eqx.filter_jit
def push_all(map: Map, state: Any, tangents: Any) -> Any:
    """J_f(state)·tangent for a batch of tangents, matrix-free."""
    return jax.vmap(jax.linearize(map, state)[1])(tangents)


@eqx.filter_jit
def pull_back(map: Map, state: Any, cotangent: Any) -> Any:
    """J_f(state)ᵀ·cotangent, matrix-free."""
    return jax.vjp(map, state)[1](cotangent)[0]
