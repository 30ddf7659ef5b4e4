"""Operators that make shapes, and move entries around."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import SMALL, Call, axis_of, ints, operator


@operator("Shape", plain=True)
def _shape(call: Call, x: Any) -> Any:
    start, end = call.get("start", 0), call.get("end", None)
    return np.array(x.shape, np.int64)[start:end]


@operator("Size", plain=True)
def _size(call: Call, x: Any) -> Any:
    return np.array(math.prod(x.shape), np.int64)


@operator("Constant", plain=True)
def _constant(call: Call) -> Any:
    value = call.get("value")
    return value.astype(call.dtype(value.dtype))


@operator("ConstantOfShape", known=(0,), plain=True)
def _constant_of_shape(call: Call, shape: Any) -> Any:
    value = call.get("value", np.zeros(1, np.float32)).ravel()
    if value.size != 1:
        raise call.refuse(f"fills with {value.size} values; one is allowed")
    sides = ints(shape) if shape.size else []
    return call.room(sides, value.dtype).full(sides, value[0], call.dtype(value.dtype))


@operator("Reshape", known=(1,), plain=True)
def _reshape(call: Call, x: Any, shape: Any = None) -> Any:
    sides = ints(call.get("shape") if shape is None else shape) if shape is None or shape.size else []
    if not call.get("allowzero", 0):
        sides = [x.shape[axis] if side == 0 else side for axis, side in enumerate(sides)]
    return x.reshape(sides)


@operator("Flatten", plain=True)
def _flatten(call: Call, x: Any) -> Any:
    axis = axis_of(call.get("axis", 1), x.ndim)
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@operator("Squeeze", known=(1,), plain=True)
def _squeeze(call: Call, x: Any, axes: Any = None) -> Any:
    axes = call.get("axes") if axes is None else axes
    return call.xp.squeeze(x, None if axes is None else tuple(ints(axes)))


@operator("Unsqueeze", known=(1,), plain=True)
def _unsqueeze(call: Call, x: Any, axes: Any = None) -> Any:
    return call.xp.expand_dims(x, tuple(ints(call.get("axes") if axes is None else axes)))


@operator("Transpose", plain=True)
def _transpose(call: Call, x: Any) -> Any:
    return call.xp.transpose(x, call.get("perm"))


@operator("Concat", plain=True)
def _concat(call: Call, *inputs: Any) -> Any:
    return call.xp.concatenate(inputs, axis=call.get("axis", 1))


@operator("Split", known=(1,), plain=True)
def _split(call: Call, x: Any, sizes: Any = None) -> Any:
    axis = axis_of(call.get("axis", 0), x.ndim)
    sizes = call.get("split") if sizes is None else sizes
    if sizes is None:
        count = call.get("num_outputs", call.wanted)
        each = -(-x.shape[axis] // count)
        listed = [min(each, max(x.shape[axis] - number * each, 0)) for number in range(count)]
    else:
        listed = ints(sizes)
    if sum(listed) != x.shape[axis]:
        raise call.refuse(f"splits {x.shape[axis]} entries into {listed}")
    return tuple(call.xp.split(x, np.cumsum(listed)[:-1].tolist(), axis=axis))


@operator("Slice", known=(1, 2, 3, 4), plain=True)
def _slice(call: Call, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    first = ints(call.get("starts") if starts is None else starts)
    last = ints(call.get("ends") if ends is None else ends)
    axes = call.get("axes") if axes is None else axes
    where = [*range(len(first))] if axes is None else ints(axes)
    strides = [1] * len(first) if steps is None else ints(steps)
    cuts = [slice(None)] * x.ndim
    for start, end, axis, step in zip(first, last, where, strides, strict=True):
        size = x.shape[axis_of(axis, x.ndim)]
        stop: int | None = end
        if step < 0:
            start = min(max(start + size if start < 0 else start, 0), size - 1)
            end = min(max(end + size if end < 0 else end, -1), size - 1)
            stop = None if end == -1 else end
        cuts[axis_of(axis, x.ndim)] = slice(start, stop, step)
    return x[tuple(cuts)]


@operator("Expand", known=(1,), plain=True)
def _expand(call: Call, x: Any, shape: Any) -> Any:
    sides = np.broadcast_shapes(x.shape, tuple(ints(shape) if shape.size else []))
    return call.room(sides, x.dtype).broadcast_to(x, sides)


@operator("Tile", known=(1,), plain=True)
def _tile(call: Call, x: Any, repeats: Any) -> Any:
    times = ints(repeats)
    if len(times) != x.ndim:
        raise call.refuse(f"repeats {x.ndim} axes by {len(times)} numbers")
    return call.room([side * count for side, count in zip(x.shape, times, strict=True)], x.dtype).tile(x, times)


@operator("Range", known=(0, 1, 2), plain=True)
def _range(call: Call, start: Any, limit: Any, delta: Any) -> Any:
    first, last, step = (one.ravel()[0].item() for one in (start, limit, delta))
    if step == 0:
        raise call.refuse("counts in steps of 0")
    count = max(math.ceil((last - first) / step), 0)
    call.room((count,), np.float64)
    if count > SMALL:
        return (jnp.arange(count) * step + first).astype(call.dtype(start.dtype))
    return (np.arange(count) * step + first).astype(start.dtype)


@operator("EyeLike", plain=True)
def _eye_like(call: Call, x: Any) -> Any:
    dtype = call.get("dtype", x.dtype)
    return call.room(x.shape, dtype).eye(*x.shape, k=call.get("k", 0), dtype=call.dtype(dtype))


@operator("Trilu", known=(1,), plain=True)
def _trilu(call: Call, x: Any, k: Any = None) -> Any:
    cut = call.xp.triu if call.get("upper", 1) else call.xp.tril
    return cut(x, 0 if k is None else int(k.ravel()[0]))


@operator("Pad", known=(1, 3))
def _pad(call: Call, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    amounts = ints(call.get("pads", call.get("paddings")) if pads is None else pads)
    where = [*range(x.ndim)] if axes is None else [axis_of(axis, x.ndim) for axis in ints(axes)]
    half = len(amounts) // 2
    if half != len(where):
        raise call.refuse(f"pads {len(where)} axes by {len(amounts)} numbers")
    widths = [(0, 0)] * x.ndim
    for number, axis in enumerate(where):
        widths[axis] = (amounts[number], amounts[half + number])
    call.room([side + low + high for side, (low, high) in zip(x.shape, widths, strict=True)], x.dtype)
    # Negative amounts cut off.
    cuts = tuple(slice(max(-low, 0), side - max(-high, 0)) for side, (low, high) in zip(x.shape, widths, strict=True))
    x, widths = x[cuts], [(max(low, 0), max(high, 0)) for low, high in widths]
    mode = call.get("mode", "constant")
    if mode == "constant":
        fill = call.get("value", 0) if value is None else value
        return jnp.pad(x, widths, constant_values=jnp.asarray(fill, x.dtype).reshape(()))
    names = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
    if mode not in names:
        raise call.refuse(f"pads in the mode {mode!r}, which is unknown")
    return jnp.pad(x, widths, mode=names[mode])


@operator("DepthToSpace", plain=True)
def _depth_to_space(call: Call, x: Any) -> Any:
    batch, channels, height, width = x.shape
    side = call.get("blocksize")
    if call.get("mode", "DCR") == "DCR":
        blocks = x.reshape(batch, side, side, channels // side**2, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(batch, channels // side**2, side, side, height, width).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(batch, channels // side**2, height * side, width * side)


@operator("SpaceToDepth", plain=True)
def _space_to_depth(call: Call, x: Any) -> Any:
    batch, channels, height, width = x.shape
    side = call.get("blocksize")
    blocks = x.reshape(batch, channels, height // side, side, width // side, side)
    order = (0, 3, 5, 1, 2, 4) if call.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return blocks.transpose(order).reshape(batch, channels * side**2, height // side, width // side)


@operator("CenterCropPad", known=(1,))
def _center_crop_pad(call: Call, x: Any, shape: Any) -> Any:
    axes = call.get("axes", [*range(x.ndim)])
    for axis, side in zip(axes, ints(shape), strict=True):
        axis, gap = axis_of(axis, x.ndim), side - x.shape[axis]
        if gap > 0:
            call.room([side, x.size // max(x.shape[axis], 1)], x.dtype)
            widths = [(0, 0)] * x.ndim
            widths[axis] = (gap // 2, gap - gap // 2)
            x = jnp.pad(x, widths)
        elif gap < 0:
            start = -gap // 2
            x = x[(slice(None),) * axis + (slice(start, start + side),)]
    return x


@operator("ReverseSequence")
def _reverse_sequence(call: Call, x: Any, lengths: Any) -> Any:
    time, batch = call.get("time_axis", 0), call.get("batch_axis", 1)
    x = jnp.moveaxis(x, (time, batch), (0, 1))
    steps, lengths = jnp.arange(x.shape[0])[:, None], jnp.asarray(lengths)[None]
    order = jnp.where(steps < lengths, lengths - 1 - steps, steps)
    found = jnp.take_along_axis(x, order.reshape(order.shape + (1,) * (x.ndim - 2)), axis=0)
    return jnp.moveaxis(found, (0, 1), (time, batch))
