"""Quantized arithmetic. All of it is locally constant, so its derivatives are 0."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, axis_of, is_float, operator
from attrax.foreign._operators_conv import convolve
from attrax.foreign._windows import window_of


@operator("QuantizeLinear")
def _quantize(call: Call, x: Any, scale: Any, zero: Any = None) -> Any:
    dtype = np.dtype(np.uint8) if zero is None else zero.dtype
    dtype = call.get("output_dtype") or dtype
    scale, zero = _spread(call, x, scale), None if zero is None else _spread(call, x, zero)
    # XLA divides by one number by multiplying with its inverse, whose last digit decides how halves are rounded.
    scaled = x / jax.lax.optimization_barrier(jnp.broadcast_to(scale.astype(x.dtype), x.shape))
    if is_float(dtype):
        scaled = scaled if zero is None else scaled + zero.astype(x.dtype)
        most = float(jnp.finfo(dtype).max)
        return (jnp.clip(scaled, -most, most) if call.get("saturate", 1) else scaled).astype(dtype)
    return _rounded(scaled, zero, dtype)


@operator("DequantizeLinear")
def _dequantize(call: Call, x: Any, scale: Any, zero: Any = None) -> Any:
    target = call.dtype(call.get("output_dtype") or scale.dtype)
    inner = target if is_float(x.dtype) else np.dtype(np.int32)
    moved = x.astype(inner)
    moved = moved if zero is None else moved - _spread(call, x, zero).astype(inner)
    return (moved.astype(target) * _spread(call, x, scale)).astype(target)


@operator("MatMulInteger")
def _mat_mul_integer(call: Call, a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    # A zero point for each row of the first matrix, for each column of the second.
    a_zero = a_zero[..., None] if a_zero is not None and a_zero.ndim == 1 else a_zero
    return jnp.matmul(_moved(a, a_zero), _moved(b, b_zero))


@operator("QLinearMatMul")
def _quantized_mat_mul(
    call: Call, a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any
) -> Any:
    a_scale, a_zero = (one[..., None] if one.ndim == 1 and one.size > 1 else one for one in (a_scale, a_zero))
    product = jnp.matmul(_moved(a, a_zero), _moved(b, b_zero))
    return _rounded(product * (a_scale * b_scale / y_scale), y_zero, y_zero.dtype)


@operator("QLinearConv")
def _quantized_conv(
    call: Call,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    bias: Any = None,
) -> Any:
    window = window_of(call, x.shape[2:], call.get("kernel_shape") or w.shape[2:])
    each = (-1, *[1] * (w.ndim - 1))
    x = _moved(x, None if x_zero is None else x_zero.reshape(()))
    w = _moved(w, w_zero.reshape(each) if w_zero.size > 1 else w_zero.reshape(()))
    y = convolve(call, x, w, window, call.get("group", 1))
    by_channel = (1, -1, *[1] * (w.ndim - 2))
    y = y if bias is None else y + bias.reshape(by_channel)
    w_scale = w_scale.reshape(by_channel) if w_scale.size > 1 else w_scale.reshape(())
    return _rounded(y * (x_scale * w_scale / y_scale), y_zero, y_zero.dtype)


def _moved(x: Any, zero: Any) -> Any:
    """`x` as 32-bit integers, counted from the zero point."""
    x = jnp.asarray(x).astype(np.int32)
    return x if zero is None else x - zero.astype(np.int32)


def _rounded(scaled: Any, zero: Any, dtype: Any) -> Any:
    """Rounded to integers of `dtype`; what is too large or too small becomes the largest or the smallest of them."""
    found = jnp.round(scaled)
    found = found if zero is None else found + zero.astype(np.int32)
    return jnp.clip(found, int(jnp.iinfo(dtype).min), int(jnp.iinfo(dtype).max)).astype(np.int32).astype(dtype)


def _spread(call: Call, x: Any, value: Any) -> Any:
    """A scale or zero point for the whole, for each entry of an axis, or for blocks along it, at every entry of `x`."""
    if value.size == 1:
        return value.reshape(())
    axis, block = axis_of(call.get("axis", 1), x.ndim), call.get("block_size", 0)
    if not block:
        return value.reshape(*[-1 if at == axis else 1 for at in range(x.ndim)])
    return jnp.repeat(value, block, axis=axis)[tuple(slice(side) for side in x.shape)]


@operator("BitCast")
def _bit_cast(call: Call, x: Any) -> Any:
    target, truth = np.dtype(call.get("to")), np.dtype(bool)
    x = x.astype(np.uint8) if x.dtype == truth else x
    return jax.lax.bitcast_convert_type(x, np.uint8 if target == truth else target).astype(target)
