"""What training minimizes: one number per row."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Loss: TypeAlias = Callable[[Array, Array], Array]
"""A function of outputs and targets, each with b rows, that returns the loss of each row."""


def squared_error(outputs: Float[Array, "b *out"], targets: Float[Array, "b *out"]) -> Float[Array, " b"]:
    """Mean of (output − target)² over the entries of each of b rows: b numbers.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> training.squared_error(np.zeros((1, 2)), np.array([[3.0, 1.0]])).tolist()
    [5.0]

    ```
    """
    squares = (outputs - targets) ** 2
    return jnp.mean(squares.reshape(len(squares), -1), axis=1)


def cross_entropy(
    outputs: Float[Array, "b n"], targets: Float[Array, "b n"] | Float[Array, " b"]
) -> Float[Array, " b"]:
    """−Σ target·log softmax(output) for each of b rows of n scores.

    Targets are probabilities, or for each row the number of the score that should be the largest, from 0.

    ```python
    >>> import jax, numpy as np
    >>> from attrax import training
    >>> round(float(jax.jit(training.cross_entropy)(np.zeros((1, 4)), np.zeros(1))[0]), 4)  # log 4
    1.3863

    ```
    """
    logarithms = jax.nn.log_softmax(outputs, axis=-1)
    if targets.ndim < outputs.ndim:
        return -jnp.take_along_axis(logarithms, targets.astype(jnp.int32)[:, None], axis=-1)[:, 0]
    return -jnp.sum(targets * logarithms, axis=-1)
