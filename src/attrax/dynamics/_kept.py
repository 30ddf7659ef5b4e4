"""The reduced map of a memory, made once and kept for as long as the memory is."""

import zlib
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np

from attrax._base.numerics import float64
from attrax.maps import ReducedMap, reduced_map
from attrax.memory import Memory

_MOST = 2**27
"""Reduced maps of more bytes are not kept: their steps take far longer than making them does."""
_kept: WeakKeyDictionary[Memory, tuple[tuple[str, int], ReducedMap]] = WeakKeyDictionary()


def reduced_map_of(memory: Memory) -> ReducedMap:
    """The reduced map of the memory's map, for its states; made again if somebody has written to the weights.

    **Raises** `ValueError` as `reduced_map` does, and if the memory holds no patterns.
    """
    weights = _checksum(memory.map)
    known = _kept.get(memory)
    if known is not None and known[0] == weights:
        return known[1]
    with float64():
        reduced = reduced_map(memory.map, memory.examples().shape)
    _kept.pop(memory, None)
    if sum(leaf.nbytes for leaf in jax.tree.leaves(reduced) if hasattr(leaf, "nbytes")) <= _MOST:
        _kept[memory] = weights, reduced
    return reduced


def _checksum(map: Any) -> tuple[str, int]:
    """It changes when somebody writes to an array of the map; JAX's own can't be written to."""
    found = 0
    for leaf in jax.tree.leaves(map):
        if isinstance(leaf, np.ndarray) and leaf.size:
            found = zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, found)
    return str(getattr(jax.config, "jax_default_device", None)), found
