"""Named activations, each as the paper names it.

Formulas: ReLU, Leaky ReLU (slope 0.01), SELU and Swish as in their own papers; cosid cos(z) − z and
sinusoid z + sin(10z)/5 as in Radhakrishnan, Belkin and Uhler (2020).
"""

from collections.abc import Callable
from types import MappingProxyType

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from attrax._base import checks

Elementwise = Callable[[Float[Array, "..."]], Float[Array, "..."]]


def relu(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """max(z, 0), with derivative 0 at 0."""
    return jax.nn.relu(z)


def leaky_relu(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """z for z ≥ 0, 0.01·z below."""
    return jax.nn.leaky_relu(z, 0.01)


def selu(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """λz for z > 0, λα(eᶻ − 1) below, with λ = 1.0507009873554805 and α = 1.6732632423543772."""
    return jax.nn.selu(z)


def swish(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """z·σ(z)."""
    return z * jax.nn.sigmoid(z)


def cosid(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """cos(z) − z. Value 1 and slope −1 at 0: Kaiming's gain makes deep cosid networks explode."""
    return jnp.cos(z) - z


def sinusoid(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """z + sin(10z)/5. Slope between −1 and 3."""
    return z + jnp.sin(10 * z) / 5


def gelu(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """z·Φ(z) with the Gaussian distribution function, not its tanh approximation."""
    return jax.nn.gelu(z, approximate=False)


def identity(z: Float[Array, "..."]) -> Float[Array, "..."]:
    """z: a linear network."""
    return z


ACTIVATIONS: MappingProxyType[str, Elementwise] = MappingProxyType(
    {
        "relu": relu,
        "leaky_relu": leaky_relu,
        "selu": selu,
        "swish": swish,
        "cosid": cosid,
        "sinusoid": sinusoid,
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "softplus": jax.nn.softplus,
        "gelu": gelu,
        "identity": identity,
    }
)
"""The activations that have a name; files and the command line know these only."""

PIECEWISE_LINEAR = frozenset({"relu", "leaky_relu", "identity"})
"""Activations whose Jacobian is constant on each linear region."""


def activation(name: str) -> Elementwise:
    """The activation called `name`. **Raises** `ValueError` for a name that is not in `ACTIVATIONS`."""
    return ACTIVATIONS[checks.one_of("activation", name, ACTIVATIONS)]
