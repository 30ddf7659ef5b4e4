"""Operators that reduce axes, or sum along them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, ints, is_float, operator


def _axes(call: Call, x: Any, axes: Any) -> tuple[int, ...]:
    """The axes to reduce; an empty tuple where nothing is to be reduced."""
    axes = call.get("axes") if axes is None else axes
    if axes is None or len(axes) == 0:
        return () if call.get("noop_with_empty_axes", 0) else tuple(range(x.ndim))
    return tuple(ints(axes))


def _reducing(reduce: Any, *, before: Any = None, after: Any = None) -> Any:
    def apply(call: Call, x: Any, axes: Any = None) -> Any:
        over = _axes(call, x, axes)
        y = x if before is None else before(call.xp, x)
        y = reduce(call.xp, y, over, bool(call.get("keepdims", 1))) if over or x.ndim == 0 else y
        y = y if after is None else after(call.xp, y)
        return call.xp.asarray(y).astype(x.dtype) if x.dtype != np.dtype(bool) else y

    return apply


def _sum(xp: Any, x: Any, axes: Any, keep: bool) -> Any:
    return xp.sum(x, axis=axes, keepdims=keep)


def _least(xp: Any, x: Any, axes: Any, keep: bool) -> Any:
    return xp.min(x, axis=axes, keepdims=keep, initial=None if _count(x, axes) else _end(x.dtype, high=True))


def _most(xp: Any, x: Any, axes: Any, keep: bool) -> Any:
    return xp.max(x, axis=axes, keepdims=keep, initial=None if _count(x, axes) else _end(x.dtype, high=False))


def _count(x: Any, axes: Any) -> int:
    return int(np.prod([x.shape[axis] for axis in axes], dtype=object))


def _end(dtype: Any, *, high: bool) -> Any:
    """What the least or the largest of no numbers is."""
    if is_float(dtype):
        return float("inf") if high else -float("inf")
    if dtype == np.dtype(bool):
        return high
    return jnp.iinfo(dtype).max if high else jnp.iinfo(dtype).min


def _root(xp: Any, x: Any) -> Any:
    return xp.sqrt(x if is_float(x.dtype) else x.astype(np.float64 if xp is np else jnp.float32))


_REDUCE = {
    "ReduceSum": _reducing(_sum),
    "ReduceMean": _reducing(lambda xp, x, axes, keep: xp.mean(x, axis=axes, keepdims=keep)),
    "ReduceMax": _reducing(_most),
    "ReduceMin": _reducing(_least),
    "ReduceProd": _reducing(lambda xp, x, axes, keep: xp.prod(x, axis=axes, keepdims=keep)),
    "ReduceL1": _reducing(_sum, before=lambda xp, x: xp.abs(x)),
    "ReduceL2": _reducing(_sum, before=lambda xp, x: x * x, after=_root),
    "ReduceSumSquare": _reducing(_sum, before=lambda xp, x: x * x),
    "ReduceLogSum": _reducing(_sum, after=lambda xp, x: xp.log(x)),
}
for _name, _function in _REDUCE.items():
    operator(_name, known=(1,), plain=True)(_function)


@operator("ReduceLogSumExp", known=(1,))
def _reduce_log_sum_exp(call: Call, x: Any, axes: Any = None) -> Any:
    over = _axes(call, x, axes)
    if not over and x.ndim:
        return x
    return jax.nn.logsumexp(x, axis=over, keepdims=bool(call.get("keepdims", 1)))


def _arg(call: Call, x: Any, most: bool) -> Any:
    axis, keep = call.get("axis", 0), bool(call.get("keepdims", 1))
    find = jnp.argmax if most else jnp.argmin
    if call.get("select_last_index", 0):
        found = x.shape[axis] - 1 - find(jnp.flip(x, axis), axis=axis, keepdims=keep)
    else:
        found = find(x, axis=axis, keepdims=keep)
    return call.cast(found, np.int64)


@operator("ArgMax")
def _arg_max(call: Call, x: Any) -> Any:
    return _arg(call, x, most=True)


@operator("ArgMin")
def _arg_min(call: Call, x: Any) -> Any:
    return _arg(call, x, most=False)


def _running(call: Call, x: Any, axis: Any, run: Any, neutral: int) -> Any:
    along = int(axis.ravel()[0])
    x = jnp.flip(x, along) if call.get("reverse", 0) else x
    if call.get("exclusive", 0):
        first = jnp.full_like(jax.lax.slice_in_dim(x, 0, 1, axis=along % x.ndim), neutral)
        x = jnp.concatenate([first, jax.lax.slice_in_dim(x, 0, x.shape[along] - 1, axis=along % x.ndim)], along)
    found = run(x, axis=along).astype(x.dtype)
    return jnp.flip(found, along) if call.get("reverse", 0) else found


@operator("CumSum", known=(1,))
def _cum_sum(call: Call, x: Any, axis: Any) -> Any:
    return _running(call, x, axis, jnp.cumsum, 0)


@operator("CumProd", known=(1,))
def _cum_prod(call: Call, x: Any, axis: Any) -> Any:
    return _running(call, x, axis, jnp.cumprod, 1)
