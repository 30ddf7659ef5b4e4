"""Operators that treat every entry by itself."""

import math
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, is_float, operator

_TINY = ("int2", "int4", "uint2", "uint4")
_UNARY = {
    "Abs": "abs",
    "Acos": "arccos",
    "Acosh": "arccosh",
    "Asin": "arcsin",
    "Asinh": "arcsinh",
    "Atan": "arctan",
    "Atanh": "arctanh",
    "BitwiseNot": "bitwise_not",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Exp": "exp",
    "Floor": "floor",
    "IsNaN": "isnan",
    "Log": "log",
    "Neg": "negative",
    "Not": "logical_not",
    "Round": "round",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
_BINARY = {
    "Add": "add",
    "And": "logical_and",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Mul": "multiply",
    "Or": "logical_or",
    "Sub": "subtract",
    "Xor": "logical_xor",
}


def _named(name: str) -> Any:
    def apply(call: Call, *inputs: Any) -> Any:
        return getattr(call.xp, name)(*inputs)

    return apply


for _operator, _function in (_UNARY | _BINARY).items():
    operator(_operator, plain=True)(_named(_function))


@operator("Identity", plain=True)
def _identity(call: Call, x: Any) -> Any:
    return x


@operator("Reciprocal", plain=True)
def _reciprocal(call: Call, x: Any) -> Any:
    return call.xp.divide(call.xp.ones_like(x), x)


@operator("IsInf", plain=True)
def _is_inf(call: Call, x: Any) -> Any:
    found = call.xp.isinf(x)
    if not call.get("detect_negative", 1):
        found = found & (x > 0)
    return found if call.get("detect_positive", 1) else found & (x < 0)


@operator("Erf")
def _erf(call: Call, x: Any) -> Any:
    return jax.scipy.special.erf(x)


@operator("Div", plain=True)
def _div(call: Call, a: Any, b: Any) -> Any:
    if is_float(a.dtype):
        return call.xp.divide(a, b)
    if call.xp is jnp:
        return jax.lax.div(*_same_shape(a, b))  # towards zero
    quotient = np.floor_divide(a, b)
    return quotient + ((quotient < 0) & (quotient * b != a)).astype(quotient.dtype)


@operator("Mod", plain=True)
def _mod(call: Call, a: Any, b: Any) -> Any:
    return (call.xp.fmod if call.get("fmod", 0) else call.xp.mod)(a, b)


@operator("Pow", plain=True)
def _pow(call: Call, a: Any, b: Any) -> Any:
    if isinstance(b, np.ndarray) and b.size == 1 and call.xp is jnp and float(b.ravel()[0]) in (2.0, 3.0):
        power = int(b.ravel()[0])  # the derivative of a general power is not finite at 0
        shape = np.broadcast_shapes(a.shape, b.shape)
        return jnp.broadcast_to(jax.lax.integer_pow(a, power), shape)
    if not is_float(a.dtype) and is_float(b.dtype):
        return call.xp.power(a.astype(b.dtype), b).astype(a.dtype)
    return call.xp.power(a, b).astype(a.dtype if not is_float(a.dtype) else call.xp.result_type(a, b))


@operator("BitShift", plain=True)
def _bit_shift(call: Call, a: Any, b: Any) -> Any:
    return (call.xp.left_shift if call.get("direction") == "LEFT" else call.xp.right_shift)(a, b)


@operator("Sum", plain=True)
def _sum(call: Call, *inputs: Any) -> Any:
    return reduce(call.xp.add, inputs)


@operator("Mean", plain=True)
def _mean(call: Call, *inputs: Any) -> Any:
    return reduce(call.xp.add, inputs) / len(inputs)


@operator("Max", plain=True)
def _max(call: Call, *inputs: Any) -> Any:
    return reduce(call.xp.maximum, inputs)


@operator("Min", plain=True)
def _min(call: Call, *inputs: Any) -> Any:
    return reduce(call.xp.minimum, inputs)


@operator("Where", plain=True)
def _where(call: Call, condition: Any, a: Any, b: Any) -> Any:
    return call.xp.where(condition, a, b)


@operator("Clip", plain=True)
def _clip(call: Call, x: Any, low: Any = None, high: Any = None) -> Any:
    low = call.get("min") if low is None else low
    high = call.get("max") if high is None else high
    x = x if low is None else call.xp.maximum(x, call.xp.asarray(low, x.dtype))
    return x if high is None else call.xp.minimum(x, call.xp.asarray(high, x.dtype))


@operator("Relu")
def _relu(call: Call, x: Any) -> Any:
    return jax.nn.relu(x)


@operator("LeakyRelu")
def _leaky_relu(call: Call, x: Any) -> Any:
    return jnp.where(x >= 0, x, call.get("alpha", 0.01) * x)


@operator("PRelu")
def _prelu(call: Call, x: Any, slope: Any) -> Any:
    return jnp.where(x >= 0, x, slope * x)


@operator("ThresholdedRelu")
def _thresholded_relu(call: Call, x: Any) -> Any:
    return jnp.where(x > call.get("alpha", 1.0), x, jnp.zeros_like(x))


@operator("Elu")
def _elu(call: Call, x: Any) -> Any:
    return jax.nn.elu(x, call.get("alpha", 1.0))


@operator("Celu")
def _celu(call: Call, x: Any) -> Any:
    return jax.nn.celu(x, call.get("alpha", 1.0))


@operator("Selu")
def _selu(call: Call, x: Any) -> Any:
    alpha, gamma = call.get("alpha", 1.67326319217681884765625), call.get("gamma", 1.05070102214813232421875)
    return gamma * jax.nn.elu(x, alpha)


@operator("Sigmoid")
def _sigmoid(call: Call, x: Any) -> Any:
    return jax.nn.sigmoid(x)


@operator("HardSigmoid")
def _hard_sigmoid(call: Call, x: Any) -> Any:
    return jnp.clip(call.get("alpha", 0.2) * x + call.get("beta", 0.5), 0, 1)


@operator("HardSwish")
def _hard_swish(call: Call, x: Any) -> Any:
    return x * jnp.clip(x / 6 + 0.5, 0, 1)


@operator("Softplus")
def _softplus(call: Call, x: Any) -> Any:
    return jax.nn.softplus(x)


@operator("Softsign")
def _softsign(call: Call, x: Any) -> Any:
    return jax.nn.soft_sign(x)


@operator("Mish")
def _mish(call: Call, x: Any) -> Any:
    return jax.nn.mish(x)


@operator("Gelu")
def _gelu(call: Call, x: Any) -> Any:
    return jax.nn.gelu(x, approximate=call.get("approximate", "none") == "tanh")


@operator("Swish")
def _swish(call: Call, x: Any) -> Any:
    return x * jax.nn.sigmoid(call.get("alpha", 1.0) * x)


@operator("Shrink")
def _shrink(call: Call, x: Any) -> Any:
    threshold, bias = call.get("lambd", 0.5), call.get("bias", 0.0)
    moved = jnp.where(x < -threshold, x + bias, jnp.where(x > threshold, x - bias, jnp.zeros_like(x)))
    return moved.astype(x.dtype)


def _rows(call: Call, x: Any) -> tuple[Any, int | tuple[int, ...]]:
    """The axes that a softmax normalizes: one from version 13 on, all from one on before."""
    if call.version >= 13:
        return x, call.get("axis", -1)
    axis = call.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:])), 1


@operator("Softmax")
def _softmax(call: Call, x: Any) -> Any:
    rows, axis = _rows(call, x)
    return jax.nn.softmax(rows, axis=axis).reshape(x.shape)


@operator("LogSoftmax")
def _log_softmax(call: Call, x: Any) -> Any:
    rows, axis = _rows(call, x)
    return jax.nn.log_softmax(rows, axis=axis).reshape(x.shape)


@operator("Hardmax")
def _hardmax(call: Call, x: Any) -> Any:
    rows, axis = _rows(call, x)
    assert isinstance(axis, int)
    count = rows.shape[axis]
    return jax.nn.one_hot(jnp.argmax(rows, axis=axis), count, axis=axis, dtype=x.dtype).reshape(x.shape)


@operator("Dropout", known=(1, 2))
def _dropout(call: Call, x: Any, ratio: Any = None, training: Any = None) -> Any:
    if training is not None and bool(training) and (ratio is None or float(ratio) > 0):
        raise call.refuse("drops entries at random; export the network for inference (module.eval())")
    return x, call.xp.ones(x.shape, bool)


@operator("Cast", plain=True)
def _cast(call: Call, x: Any) -> Any:
    return _to_dtype(call, x, call.get("to"))


@operator("CastLike", plain=True)
def _cast_like(call: Call, x: Any, like: Any) -> Any:
    return _to_dtype(call, x, like.dtype)


def _to_dtype(call: Call, x: Any, dtype: Any) -> Any:
    """Eight-bit floating-point numbers take too large a value to their largest, or to infinity where that is asked."""
    target = call.dtype(dtype)
    if is_float(target) and target.itemsize == 1 and call.get("saturate", 1) and is_float(x.dtype):
        most = float(jnp.finfo(target).max)
        infinite = call.xp.isinf(x)
        x = call.xp.where(infinite, call.xp.sign(x) * most, call.xp.clip(x, -most, most)).astype(x.dtype)
    if is_float(x.dtype) and target == np.dtype(bool):
        return x != 0
    if is_float(x.dtype) and target.name in _TINY:
        x = x.astype(np.int32)  # cut off, then only the last bits kept
    return x.astype(target)


def _same_shape(a: Any, b: Any) -> tuple[Any, Any]:
    a, b = jnp.asarray(a), jnp.asarray(b)
    shape = np.broadcast_shapes(a.shape, b.shape)
    dtype = jnp.result_type(a, b)
    return jnp.broadcast_to(a, shape).astype(dtype), jnp.broadcast_to(b, shape).astype(dtype)
