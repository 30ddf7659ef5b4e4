"""Matrix products."""

from typing import Any

import jax.numpy as jnp

from attrax.foreign._operator import Call, operator


@operator("MatMul")
def _mat_mul(call: Call, a: Any, b: Any) -> Any:
    return jnp.matmul(a, b)


@operator("Gemm")
def _gemm(call: Call, a: Any, b: Any, c: Any = None) -> Any:
    a = jnp.transpose(a) if call.get("transA", 0) else a
    b = jnp.transpose(b) if call.get("transB", 0) else b
    alpha, beta = call.get("alpha", 1.0), call.get("beta", 1.0)
    y = jnp.matmul(a, b)
    y = y if alpha == 1 else (alpha * y).astype(y.dtype)
    if c is None:
        return y
    return y + (c if beta == 1 else (beta * c).astype(y.dtype))


@operator("Einsum")
def _einsum(call: Call, *inputs: Any) -> Any:
    return jnp.einsum(call.get("equation"), *inputs)


@operator("Det")
def _det(call: Call, x: Any) -> Any:
    return jnp.linalg.det(x)
