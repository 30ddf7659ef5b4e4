"""What training minimizes: one number per row."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Loss: TypeAlias = Callable[[Array, Array], Array]
"""A function of outputs and targets, each with b rows, that returns the loss of each row."""


def squared_error(outputs: Float[Array, "b *out"], targets: Float[Array, "b *out"]) -> Float[Array, " b"]:
    """Mean over the entries of a row of (output − target)²."""
    squares = (outputs - targets) ** 2
    return jnp.mean(squares.reshape(len(squares), -1), axis=1)


def cross_entropy(outputs: Float[Array, "b n"], targets: Float[Array, "b n"]) -> Float[Array, " b"]:
    """−Σ target·log softmax(output), for targets that are one-hot or probabilities."""
    return -jnp.sum(targets * jax.nn.log_softmax(outputs, axis=-1), axis=-1)
