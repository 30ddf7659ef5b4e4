"""Convolutions."""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, ints, operator
from attrax.foreign._windows import Window, shifted, window_of

_PLACES = 32
"""Entries of a window up to which a convolution is one matrix product over shifted copies of its input."""


def _with_bias(y: Any, bias: Any) -> Any:
    return y if bias is None else y + bias.reshape(1, -1, *[1] * (y.ndim - 2))


@operator("Conv")
def _conv(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    window = window_of(call, x.shape[2:], call.get("kernel_shape") or weight.shape[2:])
    return _with_bias(convolve(call, x, weight, window, call.get("group", 1)), bias)


def convolve(call: Call, x: Any, weight: Any, window: Window, groups: int) -> Any:
    if weight.shape[2:] != window.kernel or x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise call.refuse(f"convolves an array of shape {x.shape} with kernels of shape {weight.shape}")
    call.room((x.shape[0], weight.shape[0], *window.places(x.shape[2:])), x.dtype)
    dtype = jnp.result_type(x, weight)
    if math.prod(window.kernel) > _PLACES or x.ndim == 2:
        return jax.lax.conv_general_dilated(
            jnp.asarray(x, dtype),
            jnp.asarray(weight, dtype),
            window.strides,
            window.pads,
            rhs_dilation=window.dilations,
            feature_group_count=groups,
        )
    pieces, places = shifted(call, x, window, 0)
    batch, count = x.shape[0], math.prod(places)
    # Batch × groups × (channels of a group · entries of the window) × places.
    split = [piece.reshape(batch, groups, x.shape[1] // groups, count) for piece in pieces]
    columns = split[0] if len(split) == 1 else jnp.concatenate(split, axis=2)
    kernels = jnp.moveaxis(weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1), 3, 2)
    kernels = kernels.reshape(groups, weight.shape[0] // groups, -1)
    y = jnp.matmul(kernels, columns)
    return y.reshape(batch, weight.shape[0], *places)


@operator("ConvTranspose")
def _conv_transpose(call: Call, x: Any, weight: Any, bias: Any = None) -> Any:
    groups, rank = call.get("group", 1), x.ndim - 2
    kernel = tuple(call.get("kernel_shape") or weight.shape[2:])
    strides = call.get("strides") or [1] * rank
    dilations = call.get("dilations") or [1] * rank
    extra = call.get("output_padding") or [0] * rank
    if weight.shape[2:] != kernel or x.shape[1] != weight.shape[0] or x.shape[1] % groups:
        raise call.refuse(f"convolves an array of shape {x.shape} with kernels of shape {weight.shape}")
    reach = [(side - 1) * gap + 1 for side, gap in zip(kernel, dilations, strict=True)]
    whole = [
        (side - 1) * stride + more + span
        for side, stride, more, span in zip(x.shape[2:], strides, extra, reach, strict=True)
    ]
    mode = call.get("auto_pad", "NOTSET")
    wanted = call.get("output_shape")
    if wanted is not None or mode in ("SAME_UPPER", "SAME_LOWER"):
        sides = wanted or [side * stride for side, stride in zip(x.shape[2:], strides, strict=True)]
        pads = []
        for full, side in zip(whole, sides[-rank:], strict=True):
            total = full - side
            small, large = total // 2, total - total // 2
            pads.append((small, large) if mode == "SAME_UPPER" else (large, small))
    else:
        amounts = [0] * (2 * rank) if mode == "VALID" else call.get("pads") or [0] * (2 * rank)
        pads = [*zip(amounts[:rank], amounts[rank:], strict=True)]
    outputs = weight.shape[1]
    call.room((x.shape[0], outputs * groups, *whole), x.dtype)
    turned = jnp.flip(weight, axis=tuple(range(2, weight.ndim)))
    turned = turned.reshape(groups, x.shape[1] // groups, outputs, *kernel)
    turned = jnp.swapaxes(turned, 1, 2).reshape(groups * outputs, x.shape[1] // groups, *kernel)
    dtype = jnp.result_type(x, weight)
    y = jax.lax.conv_general_dilated(
        jnp.asarray(x, dtype),
        jnp.asarray(turned, dtype),
        (1,) * rank,
        [(span - 1 - low, span - 1 - high + more) for span, (low, high), more in zip(reach, pads, extra, strict=True)],
        lhs_dilation=strides,
        rhs_dilation=dilations,
        feature_group_count=groups,
    )
    return _with_bias(y, bias)


@operator("ConvInteger")
def _conv_integer(call: Call, x: Any, weight: Any, x_zero: Any = None, weight_zero: Any = None) -> Any:
    window = window_of(call, x.shape[2:], call.get("kernel_shape") or weight.shape[2:])
    x, weight = x.astype(np.int32), weight.astype(np.int32)
    x = x if x_zero is None else x - x_zero.astype(np.int32)
    if weight_zero is not None:
        weight = weight - weight_zero.astype(np.int32).reshape(-1, *[1] * (weight.ndim - 1 if weight_zero.ndim else 0))
    return convolve(call, x, weight, window, call.get("group", 1))


@operator("Col2Im", known=(1, 2))
def _col2im(call: Call, x: Any, image: Any, block: Any) -> Any:
    sides, kernel = ints(image), ints(block)
    window = window_of(call, sides, kernel)
    places = window.places(sides)
    batch, rows, count = x.shape
    channels = rows // math.prod(kernel)
    if channels * math.prod(kernel) != rows or count != math.prod(places):
        raise call.refuse(f"makes pictures of {sides} from an array of shape {x.shape}")
    blocks = x.reshape(batch, channels, *kernel, *places)
    padded = [side + low + high for side, (low, high) in zip(sides, window.pads, strict=True)]
    found = call.room((batch, channels, *padded), x.dtype).zeros((batch, channels, *padded), x.dtype)
    found = jnp.asarray(found)
    for offsets in itertools.product(*map(range, kernel)):
        cut = tuple(
            slice(offset * gap, offset * gap + (number - 1) * stride + 1, stride)
            for offset, gap, number, stride in zip(offsets, window.dilations, places, window.strides, strict=True)
        )
        found = found.at[(slice(None), slice(None), *cut)].add(blocks[(slice(None), slice(None), *offsets)])
    inner = tuple(slice(low, low + side) for side, (low, _) in zip(sides, window.pads, strict=True))
    return found[(slice(None), slice(None), *inner)]
