"""Iteration in the coordinates of the state itself."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from attrax._base.types import Map
from attrax.maps._reduced_map import ReducedMap


class _Step(eqx.Module):
    map: Map
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Any) -> Any:
        return jnp.ravel(self.map(z.reshape(self.shape)))


class _Enter(eqx.Module):
    map: Map

    def __call__(self, x: Any) -> Any:
        return jnp.ravel(self.map(x))


class _Leave(eqx.Module):
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Any) -> Any:
        return z.reshape(self.shape)


def plain_map(map: Map, shape: tuple[int, ...]) -> ReducedMap:
    """Any callable, iterated on the flat state."""
    return ReducedMap(_Enter(map), _Step(map, shape), _Leave(shape), None, math.prod(shape))
