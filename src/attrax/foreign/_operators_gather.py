"""Operators that look entries up, select, sort and scatter them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, axis_of, operator


@operator("Gather", plain=True)
def _gather(call: Call, x: Any, indices: Any) -> Any:
    axis = axis_of(call.get("axis", 0), x.ndim)
    if isinstance(indices, np.ndarray):
        if indices.size and not (-x.shape[axis] <= int(indices.min()) and int(indices.max()) < x.shape[axis]):
            raise call.refuse(f"looks up an entry beyond the {x.shape[axis]} that there are")
        return call.xp.take(x, np.where(indices < 0, indices + x.shape[axis], indices), axis=axis)
    return jnp.take(x, jnp.where(indices < 0, indices + x.shape[axis], indices), axis=axis)


@operator("GatherElements")
def _gather_elements(call: Call, x: Any, indices: Any) -> Any:
    axis = axis_of(call.get("axis", 0), x.ndim)
    # Along the other axes the indices may cover a part only.
    cut = tuple(slice(None) if at == axis else slice(side) for at, side in enumerate(indices.shape))
    return jnp.take_along_axis(x[cut], indices, axis=axis)


@operator("GatherND")
def _gather_nd(call: Call, x: Any, indices: Any) -> Any:
    def look_up(part: Any, at: Any) -> Any:
        return part[tuple(jnp.moveaxis(at, -1, 0))]

    for _ in range(call.get("batch_dims", 0)):
        look_up = jax.vmap(look_up)
    return look_up(jnp.asarray(x), jnp.asarray(indices))


def _combined(call: Call, place: Any, updates: Any) -> Any:
    method = {"none": "set", "add": "add", "mul": "multiply", "max": "max", "min": "min"}
    reduction = call.get("reduction", "none")
    if reduction not in method:
        raise call.refuse(f"combines values by {reduction!r}, which is unknown")
    return getattr(place, method[reduction])(updates)


@operator("ScatterElements", "Scatter")
def _scatter_elements(call: Call, x: Any, indices: Any, updates: Any) -> Any:
    axis = axis_of(call.get("axis", 0), x.ndim)
    where = list(jnp.meshgrid(*(jnp.arange(side) for side in indices.shape), indexing="ij"))
    where[axis] = jnp.where(indices < 0, indices + x.shape[axis], indices)
    return _combined(call, jnp.asarray(x).at[tuple(where)], updates)


@operator("ScatterND")
def _scatter_nd(call: Call, x: Any, indices: Any, updates: Any) -> Any:
    return _combined(call, jnp.asarray(x).at[tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))], updates)


@operator("TensorScatter")
def _tensor_scatter(call: Call, past: Any, update: Any, start: Any = None) -> Any:
    axis = axis_of(call.get("axis", -2), past.ndim)
    batch, size = past.shape[0], past.shape[axis]
    begins = jnp.zeros(batch, int) if start is None else jnp.asarray(start)
    steps = begins[:, None] + jnp.arange(update.shape[axis])[None]
    steps = steps % size if call.get("mode", "linear") == "circular" else steps

    def write(one: Any, new: Any, at: Any) -> Any:
        moved = jnp.moveaxis(one, axis - 1, 0).at[at].set(jnp.moveaxis(new, axis - 1, 0))
        return jnp.moveaxis(moved, 0, axis - 1)

    return jax.vmap(write)(jnp.asarray(past), jnp.asarray(update), steps)


@operator("OneHot", known=(1,))
def _one_hot(call: Call, indices: Any, depth: Any, values: Any) -> Any:
    count, axis = int(depth.ravel()[0]), call.get("axis", -1)
    call.room((count, indices.size), values.dtype)
    indices = jnp.asarray(indices).astype(np.int32)
    inside = (indices >= -count) & (indices < count)
    hot = jax.nn.one_hot(jnp.where(inside, indices % count, -1), count, axis=axis, dtype=bool)
    return jnp.where(hot, values[1], values[0])


@operator("TopK", known=(1,))
def _top_k(call: Call, x: Any, k: Any = None) -> Any:
    count = call.get("k") if k is None else int(k.ravel()[0])
    axis = axis_of(call.get("axis", -1), x.ndim)
    if not 0 <= count <= x.shape[axis]:
        raise call.refuse(f"takes {count} of {x.shape[axis]} entries")
    order = jnp.argsort(x, axis=axis, stable=True, descending=bool(call.get("largest", 1)))
    order = jax.lax.slice_in_dim(order, 0, count, axis=axis)
    return jnp.take_along_axis(x, order, axis=axis), call.cast(order, np.int64)


@operator("Compress", known=(1,), plain=True)
def _compress(call: Call, x: Any, condition: Any) -> Any:
    axis = call.get("axis")
    x, axis = (x.ravel(), 0) if axis is None else (x, axis)
    return call.xp.take(x, np.flatnonzero(condition), axis=axis)


@operator("NonZero", known=(0,))
def _non_zero(call: Call, x: Any) -> Any:
    return np.array(np.nonzero(x), np.int64).reshape(x.ndim, -1)


@operator("Unique", known=(0,))
def _unique(call: Call, x: Any) -> Any:
    axis = call.get("axis")
    values, first, back, counts = np.unique(x, True, True, True, axis=axis)
    if not call.get("sorted", 1):
        order = np.argsort(first)
        values = np.take(values, order, axis=0 if axis is None else axis)
        back = np.argsort(order)[back]
        first, counts = first[order], counts[order]
    return values, first.astype(np.int64), back.ravel().astype(np.int64), counts.astype(np.int64)


@operator("ArrayFeatureExtractor", domain="ai.onnx.ml")
def _array_features(call: Call, x: Any, indices: Any) -> Any:
    found = jnp.take(x, jnp.ravel(indices), axis=-1)
    return found[None] if x.ndim == 1 else found


@operator("Binarizer", domain="ai.onnx.ml")
def _binarizer(call: Call, x: Any) -> Any:
    return (x > call.get("threshold", 0.0)).astype(x.dtype)


@operator("RotaryEmbedding")
def _rotary(call: Call, x: Any, cosines: Any, sines: Any, places: Any = None) -> Any:
    flat = x.ndim == 3
    if flat:
        heads = call.get("num_heads", 0)
        if not heads:
            raise call.refuse("needs num_heads for an array of three axes")
        y = x.reshape(*x.shape[:2], heads, -1)
    else:
        y = jnp.swapaxes(x, 1, 2)  # batch × places × heads × entries
    turned = call.get("rotary_embedding_dim", 0) or y.shape[-1]
    if places is not None:
        cosines, sines = jnp.asarray(cosines)[places], jnp.asarray(sines)[places]
    cosines, sines = cosines[:, :, None, : turned // 2], sines[:, :, None, : turned // 2]
    part, rest = y[..., :turned], y[..., turned:]
    if call.get("interleaved", 0):
        first, second = part[..., 0::2], part[..., 1::2]
    else:
        first, second = part[..., : turned // 2], part[..., turned // 2 :]
    real, other = cosines * first - sines * second, sines * first + cosines * second
    if call.get("interleaved", 0):
        part = jnp.stack([real, other], axis=-1).reshape(part.shape)
    else:
        part = jnp.concatenate([real, other], axis=-1)
    y = jnp.concatenate([part, rest], axis=-1)
    return y.reshape(x.shape) if flat else jnp.swapaxes(y, 1, 2)
