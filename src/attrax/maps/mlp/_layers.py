"""The hidden layers of a fully connected network, from its input or its last features to the next features."""

from typing import Any, Protocol

import equinox as eqx
import jax.numpy as jnp

from attrax.activations import Activation
from attrax.activations import activation as activation_of


class FullyConnected(Protocol):
    """What the modules of this package need of a network."""

    @property
    def weights(self) -> tuple[Any, ...]: ...

    @property
    def biases(self) -> tuple[Any, ...]: ...

    @property
    def activation(self) -> Any: ...  # a name or a record; type checkers see the converter


class HiddenLayers(eqx.Module):
    """x ↦ φ(W_L φ(… φ(W_1 x + b_1) …) + b_L), of one flat vector."""

    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    activation: str | Activation = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        phi = activation_of(self.activation)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            z = jnp.asarray(weight @ x)
            x = phi(z if bias is None else jnp.asarray(z + bias))
        return x
