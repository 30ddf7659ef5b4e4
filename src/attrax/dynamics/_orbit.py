"""The coordinates in which a map is iterated: the state itself, or the features of a network where that is cheaper."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from attrax._base.numerics import cast
from attrax._base.types import Map
from attrax.activations import activation as named_activation
from attrax.maps import MLP

_BATCH = 32
"""Rows of a fully connected network at once: its weights, which may be far larger than a row, are read once for all."""


class Orbit(eqx.Module):
    """One way of iterating a map f, such that `leave(enter(x)) = f(x)` and `leave(step(z)) = f(leave(z))`.

    **Fields:** the three functions of one state or coordinate vector each; `norm_factor`, a matrix R with
    ‖leave(z) − leave(w)‖₂ = ‖R(z − w)‖₂, or `None` where the plain norm of z − w is that already; `size`, the
    number of coordinates; and `batch`, how many rows to compute at once.
    """

    enter: Callable[[Any], Any]
    step: Callable[[Any], Any]
    leave: Callable[[Any], Any]
    norm_factor: Float[Array, "k k"] | None
    size: int = eqx.field(static=True)
    batch: int = eqx.field(static=True, default=1)

    def each(self, function: Callable[[Any], Any], rows: Any) -> Any:
        """`function`, one of the three above or made of them, of each row."""
        # Few rows go one by one: a product of matrices copies the weights first.
        return jax.lax.map(function, rows, batch_size=self.batch if 1 < self.batch <= len(rows) else None)

    def distance(self, z: Float[Array, " k"], w: Float[Array, " k"]) -> Float[Array, ""]:
        """Euclidean distance between the two states that the coordinates stand for."""
        difference = z - w if self.norm_factor is None else self.norm_factor @ (z - w)
        return jnp.sqrt(jnp.sum(difference**2))


class _Flat(eqx.Module):
    map: Map
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z):
        return jnp.ravel(self.map(z.reshape(self.shape)))


class _Enter(eqx.Module):
    map: Map

    def __call__(self, x):
        return jnp.ravel(self.map(x))


class _Shaped(eqx.Module):
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z):
        return z.reshape(self.shape)


class _Features(eqx.Module):
    network: MLP

    def __call__(self, x):
        return self.network.features(jnp.ravel(x))


class _Readout(eqx.Module):
    network: MLP

    def __call__(self, z):
        return self.network.readout(z).reshape(self.network.shape)


class _FeatureStep(eqx.Module):
    """From the features of one state to those of the next, without the state itself between."""

    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    activation: str = eqx.field(static=True)

    def __call__(self, z):
        phi = named_activation(self.activation)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            z = weight @ z
            z = phi(z if bias is None else z + bias)
        return z


def orbit(map: Map, shape: tuple[int, ...]) -> Orbit:
    """The cheaper way of iterating `map` on states of `shape`, in 64 bits. Call it within `float64()`.

    For a fully connected network W_1 W_{L+1} takes features to the next first layer directly; a step then costs
    k_1·k_L instead of d·(k_1 + k_L) multiplications for these two layers.
    """
    map = cast(map, np.float64)
    size = int(np.prod(shape))
    if isinstance(map, MLP):
        first, last = map.weights[0], map.weights[-1]
        if first.shape[0] * last.shape[1] < size * (first.shape[0] + last.shape[1]) and last.shape[1] <= size:
            joined = first @ last
            offset = map.biases[0]
            if map.biases[-1] is not None:
                through = first @ map.biases[-1]
                offset = through if offset is None else offset + through
            step = _FeatureStep((joined, *map.weights[1:-1]), (offset, *map.biases[1:-1]), map.activation)
            factor = jnp.asarray(np.linalg.qr(np.asarray(last), mode="r"))
            return Orbit(_Features(map), step, _Readout(map), factor, last.shape[1], _BATCH)
    return Orbit(_Enter(map), _Flat(map, shape), _Shaped(shape), None, size)
