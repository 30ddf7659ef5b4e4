"""Pooling."""

import math
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, ints, is_float, operator
from attrax.foreign._windows import Window, shifted, window_of


def _lowest(dtype: Any) -> Any:
    return -np.inf if is_float(dtype) else jnp.iinfo(dtype).min


@operator("MaxPool")
def _max_pool(call: Call, x: Any) -> Any:
    window = window_of(call, x.shape[2:], call.get("kernel_shape"))
    pieces, _ = shifted(call, x, window, _lowest(x.dtype))
    found = reduce(jnp.maximum, pieces)
    if call.wanted < 2:
        return found
    order = [*range(x.ndim)]
    if call.get("storage_order", 0):
        order[2:] = order[:1:-1]
    sides = [x.shape[axis] for axis in order]
    places = np.arange(math.prod(sides)).reshape(sides).transpose(np.argsort(order))
    copies, _ = shifted(call, jnp.asarray(places), window, -1)
    first = jnp.argmax(jnp.stack(pieces), axis=0)
    return found, call.cast(jnp.take_along_axis(jnp.stack(copies), first[None], axis=0)[0], np.int64)


@operator("MaxUnpool", known=(2,))
def _max_unpool(call: Call, x: Any, places: Any, shape: Any = None) -> Any:
    kernel, rank = call.get("kernel_shape"), x.ndim - 2
    strides, pads = call.get("strides") or [1] * rank, call.get("pads") or [0] * (2 * rank)
    natural = [
        (side - 1) * stride + size - low - high
        for side, stride, size, low, high in zip(x.shape[2:], strides, kernel, pads[:rank], pads[rank:], strict=True)
    ]
    sides = [*x.shape[:2], *natural]
    wanted = sides if shape is None else ints(shape)
    flat = jnp.zeros(math.prod(call.room(sides, x.dtype) and sides), x.dtype).at[places.ravel()].set(x.ravel())
    widths = [(0, more - side) for side, more in zip(sides, wanted, strict=True)]
    if min(high for _, high in widths) < 0:
        raise call.refuse(f"puts an array of shape {tuple(sides)} into one of shape {tuple(wanted)}")
    call.room(wanted, x.dtype)
    return jnp.pad(flat.reshape(sides), widths)


@operator("AveragePool")
def _average_pool(call: Call, x: Any) -> Any:
    window = window_of(call, x.shape[2:], call.get("kernel_shape"))
    pieces, _ = shifted(call, x, window, 0)
    total = reduce(jnp.add, pieces)
    ones = jnp.ones((1, 1, *x.shape[2:]), x.dtype)
    if call.get("count_include_pad", 0):
        # What lies in the padding counts, but not what lies beyond it.
        ones = jnp.pad(ones, [(0, 0), (0, 0), *window.pads], constant_values=1)
        window = Window(window.kernel, window.strides, window.dilations, ((0, 0),) * (x.ndim - 2), window.ceil)
    counted, places = shifted(call, ones, window, 0)
    if places != total.shape[2:]:
        counted = [piece[(..., *(slice(side) for side in total.shape[2:]))] for piece in counted]
    return (total / reduce(jnp.add, counted)).astype(x.dtype)


@operator("LpPool")
def _lp_pool(call: Call, x: Any) -> Any:
    power = call.get("p", 2)
    pieces, _ = shifted(call, x, window_of(call, x.shape[2:], call.get("kernel_shape")), 0)
    return reduce(jnp.add, [jnp.abs(piece) ** power for piece in pieces]) ** (1 / power)


@operator("GlobalAveragePool")
def _global_average_pool(call: Call, x: Any) -> Any:
    return jnp.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@operator("GlobalMaxPool")
def _global_max_pool(call: Call, x: Any) -> Any:
    return jnp.max(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@operator("GlobalLpPool")
def _global_lp_pool(call: Call, x: Any) -> Any:
    power = call.get("p", 2)
    return jnp.sum(jnp.abs(x) ** power, axis=tuple(range(2, x.ndim)), keepdims=True) ** (1 / power)
