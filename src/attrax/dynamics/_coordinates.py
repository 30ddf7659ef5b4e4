"""Coordinates of a reduced map and the states that they stand for, and how many rows are computed at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from attrax._base.devices import over_devices, row_program
from attrax._base.numerics import float64, in_pieces
from attrax._base.types import HostStates
from attrax.maps import ReducedMap

_FEW, _MANY = 16, 64
"""Number of rows computed at a time, whatever their total, so that a row never depends on its neighbors: many where
the map says that it gains from several rows (`ReducedMap.batch`)."""
_PROGRAMS = (16, 4, 1)
"""So many times that number of rows are given to one program, one after the other."""


def sizes_of(reduced: ReducedMap, sizes: tuple[int, ...] | None) -> tuple[tuple[int, ...], int | None]:
    """How many rows one program takes, and how many of them it computes at a time (`None`: all)."""
    if sizes is not None:
        return sizes, None
    block = _MANY if reduced.batch > 1 else _FEW
    return tuple(block * count for count in _PROGRAMS), block


def states_of(reduced: ReducedMap, z: Float[np.ndarray, "n k"], sizes: tuple[int, ...] | None = None) -> HostStates:
    """The states with these coordinates.

    With the map x ↦ x/2, whose coordinates are its states:

        >>> import attrax as ax
        >>> with ax.extending.float64():
        ...     reduced = ax.maps.reduced_map(lambda x: x / 2, (1,))
        >>> ax.dynamics.states_of(reduced, np.array([[3.0], [1.0]])).ravel().tolist()
        [3.0, 1.0]
    """
    sizes, block = sizes_of(reduced, sizes)
    with float64(), over_devices(len(z) > sizes[-1]) as everywhere:
        return in_pieces(
            partial(_to_states, everywhere(reduced.to_state), block=block), z, sizes, together=block is not None
        )


def isometric_coordinates(reduced: ReducedMap, z: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Coordinates whose Euclidean distance is that of the states.

    With the map x ↦ x/2, whose coordinates are its states:

        >>> import attrax as ax
        >>> with ax.extending.float64():
        ...     reduced = ax.maps.reduced_map(lambda x: x / 2, (1,))
        >>> ax.dynamics.isometric_coordinates(reduced, np.array([[3.0], [1.0]])).ravel().tolist()
        [3.0, 1.0]
    """
    return z if reduced.norm_factor is None else z @ np.asarray(reduced.norm_factor).T


@row_program
def isometric_rows(norm_factor: Any, z: Any) -> Any:
    return z @ norm_factor.T


@row_program
def _to_states(to_state: Callable[[Any], Any], z: Any) -> Any:
    return jax.vmap(to_state)(z).astype(z.dtype)
