"""A fully connected network iterated in the features of its last hidden layer."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from attrax._base.numerics import device_array
from attrax.maps._on_host import HostFunction
from attrax.maps._reduced_map import ReducedMap
from attrax.maps.mlp._layers import HiddenLayers, readout_on_host

_BATCH = 32
"""Rows computed at once, so that the weights, which may be far larger than a row, are read once for all of them."""


class _Features(eqx.Module):
    hidden: HiddenLayers

    def __call__(self, x: Any) -> Any:
        return self.hidden(jnp.ravel(x))

    def on_host(self) -> HostFunction:
        host = self.hidden.on_host()
        return replace(host, rows=lambda states: host.rows(states.reshape(len(states), -1)))


class _Readout(eqx.Module):
    weight: Any
    bias: Any
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Any) -> Any:
        output = jnp.asarray(self.weight @ z)
        output = output if self.bias is None else output + jnp.asarray(self.bias)
        return output.reshape(self.shape)

    def on_host(self) -> HostFunction:
        return readout_on_host(self.weight, self.bias, self.shape)


def network_reduced_map(hidden: HiddenLayers, last: Any, last_bias: Any, shape: tuple[int, ...]) -> ReducedMap | None:
    """The network in its features; `None` if there are more features than entries of a state, or a step through the
    state is cheaper.

    W_1 W_{L+1} maps features to the next first layer directly. For these two layers a step then costs k_1·k_L instead
    of d·(k_1 + k_L) multiplications.
    """
    first, size = hidden.weights[0], last.shape[0]
    entered, left = first.shape[0], last.shape[1]
    if entered * left >= size * (entered + left) or left > size:
        return None
    first, onward = np.asarray(first), np.asarray(last)
    offset = hidden.biases[0]
    if last_bias is not None:
        added = first @ np.asarray(last_bias)
        offset = added if offset is None else np.asarray(offset) + added
    # Maps the features of one state to those of the next without computing the state.
    step = HiddenLayers(
        (device_array(first @ onward), *hidden.weights[1:]), (offset, *hidden.biases[1:]), hidden.activation
    )
    factor = device_array(np.linalg.qr(onward, mode="r"))
    return ReducedMap(_Features(hidden), step, _Readout(last, last_bias, shape), factor, left, _BATCH)
