"""How smooth a network must be at its examples for steps of a given size to be stable."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from attrax.extending import HostStates
from attrax.maps import MLP
from attrax.paper._sharpness import TINY, mean_squares


def jacobian_norms(network: MLP, examples: HostStates) -> Float[np.ndarray, " n"]:
    """The largest singular value of the Jacobian at each example."""
    return np.asarray(_norms(network, jnp.asarray(examples, network.weights[0].dtype)))


def largest_stable_norms(network: MLP, examples: HostStates, state: Any, sharpness: float) -> Float[np.ndarray, " n"]:
    """The largest Jacobian norm at each example that a sharpness leaves room for.

    The first layer's weights W act on the input, and so does the Jacobian: with G for the derivative of the output by
    that layer's sums, J = G W. Where the output depends little on the weights, it depends little on the input (Ma and
    Ying, On linear stability of SGD and input-smoothness of neural networks, 2021, for plain steps). Let the step of
    the weight from entry b to unit a be divided by p of (a, b). If the n examples of d entries are reproduced, the
    largest eigenvalue λ of the Hessian of their mean squared error, as the optimizer scales it, is at least that of

        (2/nd) G C² Gᵀ,    C² = diag(Σ_b x_b² / p_ab),

    for each example x, with an entry of 1 for the bias. So

        ‖J‖ ≤ √(nd λ/2) ‖C⁻¹ W‖.

    **Arguments:** `network`; `examples`, n×state shape; `state` of its optimizer, where p is 1 if that keeps no mean
    squares of the gradient; `sharpness`, λ. **Returns** n numbers.
    """
    flat, unravel = ravel_pytree(eqx.filter(network, eqx.is_inexact_array))
    squares = mean_squares(state)
    divided = unravel(jnp.ones_like(flat) if squares is None else jnp.sqrt(ravel_pytree(squares)[0]) + TINY)
    points = jnp.asarray(examples, flat.dtype).reshape(len(examples), -1)
    counted = points**2 @ (1 / divided.weights[0]).T
    if network.biases[0] is not None:
        counted += 1 / divided.biases[0]
    weight: Any = network.weights[0]  # a plain array: these networks are trained
    scaled = weight / jnp.sqrt(counted)[:, :, None]
    return np.sqrt(examples.size * sharpness / 2) * np.asarray(jnp.linalg.norm(scaled, ord=2, axis=(1, 2)))


@eqx.filter_jit
def _norms(network: MLP, examples: Any) -> Any:
    def at(x: Any) -> Any:
        jacobian = jax.jacfwd(network)(x).reshape(x.size, x.size)
        return jnp.linalg.norm(jacobian, ord=2)

    return jax.lax.map(at, examples)
