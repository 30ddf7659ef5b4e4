"""Normalization."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from attrax.foreign._operator import Call, axis_of, operator


def _by_channel(value: Any, x: Any) -> Any:
    return value.reshape(1, -1, *[1] * (x.ndim - 2))


@operator("BatchNormalization")
def _batch(call: Call, x: Any, scale: Any, shift: Any, mean: Any, variance: Any) -> Any:
    epsilon = call.get("epsilon", 1e-5)
    if not call.get("training_mode", 0):
        factor = scale / jnp.sqrt(variance + epsilon)
        offset = shift - mean * factor
        if x.ndim == 1:
            return x * factor + offset
        return (x * _by_channel(factor, x) + _by_channel(offset, x)).astype(x.dtype)
    keep = call.get("momentum", 0.9)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    here, spread = jnp.mean(x, axis=axes), jnp.var(x, axis=axes)
    y = (x - _by_channel(here, x)) / jnp.sqrt(_by_channel(spread, x) + epsilon)
    y = y * _by_channel(scale, x) + _by_channel(shift, x)
    return y, mean * keep + here * (1 - keep), variance * keep + spread * (1 - keep)


def _standardized(x: Any, axes: tuple[int, ...], epsilon: float) -> tuple[Any, Any, Any]:
    """With mean 0 and variance 1 along the axes; the mean; and one over the standard deviation."""
    mean = jnp.mean(x, axis=axes, keepdims=True)
    inverse = jax.lax.rsqrt(jnp.mean((x - mean) ** 2, axis=axes, keepdims=True) + epsilon)
    return (x - mean) * inverse, mean, inverse


@operator("InstanceNormalization")
def _instance(call: Call, x: Any, scale: Any, shift: Any) -> Any:
    y, _, _ = _standardized(x, tuple(range(2, x.ndim)), call.get("epsilon", 1e-5))
    return y * _by_channel(scale, x) + _by_channel(shift, x)


def _precise(call: Call, x: Any) -> Any:
    """`x` in the precision that the node asks for its sums."""
    stash = call.get("stash_type", 1)
    return x.astype(call.dtype(jnp.float32)) if stash == 1 and x.dtype.itemsize < 4 else x


@operator("LayerNormalization")
def _layer(call: Call, x: Any, scale: Any, shift: Any = None) -> Any:
    axes = tuple(range(axis_of(call.get("axis", -1), x.ndim), x.ndim))
    y, mean, inverse = _standardized(_precise(call, x), axes, call.get("epsilon", 1e-5))
    y = y.astype(x.dtype) * scale
    y = y if shift is None else y + shift
    return (y, mean, inverse) if call.wanted > 1 else y


@operator("RMSNormalization")
def _root_mean_square(call: Call, x: Any, scale: Any) -> Any:
    axes = tuple(range(axis_of(call.get("axis", -1), x.ndim), x.ndim))
    wide = _precise(call, x)
    y = wide * jax.lax.rsqrt(jnp.mean(wide**2, axis=axes, keepdims=True) + call.get("epsilon", 1e-5))
    return y.astype(x.dtype) * scale


@operator("GroupNormalization")
def _group(call: Call, x: Any, scale: Any, shift: Any) -> Any:
    groups, channels = call.get("num_groups"), x.shape[1]
    if channels % groups:
        raise call.refuse(f"has {channels} channels in {groups} groups")
    split = _precise(call, x).reshape(x.shape[0], groups, -1)
    y, _, _ = _standardized(split, (2,), call.get("epsilon", 1e-5))
    y = y.astype(x.dtype)
    if call.version < 21:  # one scale a group; since then one a channel
        y = y * scale[None, :, None] + shift[None, :, None]
        return y.reshape(x.shape)
    return y.reshape(x.shape) * _by_channel(scale, x) + _by_channel(shift, x)


@operator("LpNormalization")
def _lp(call: Call, x: Any) -> Any:
    axis, power = call.get("axis", -1), call.get("p", 2)
    size = jnp.sum(jnp.abs(x), axis=axis, keepdims=True)
    size = size if power == 1 else jnp.sqrt(jnp.sum(x * x, axis=axis, keepdims=True))
    return jnp.where(size == 0, jnp.zeros_like(x), x / jnp.where(size == 0, jnp.ones_like(size), size))


@operator("MeanVarianceNormalization")
def _mean_variance(call: Call, x: Any) -> Any:
    axes = tuple(call.get("axes", [0, 2, 3]))
    mean = jnp.mean(x, axis=axes, keepdims=True)
    return (x - mean) / (jnp.sqrt(jnp.mean((x - mean) ** 2, axis=axes, keepdims=True)) + 1e-9)


@operator("LRN")
def _local_response(call: Call, x: Any) -> Any:
    size = call.get("size")
    alpha, beta, bias = call.get("alpha", 1e-4), call.get("beta", 0.75), call.get("bias", 1.0)
    low, high = (size - 1) // 2, math.ceil((size - 1) / 2)
    squares = jnp.pad(x * x, [(0, 0), (low, high), *[(0, 0)] * (x.ndim - 2)])
    total = sum(jax.lax.slice_in_dim(squares, offset, offset + x.shape[1], axis=1) for offset in range(size))
    return x / (bias + alpha / size * total) ** beta
