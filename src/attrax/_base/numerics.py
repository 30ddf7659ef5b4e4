"""Precision on purpose, and batches in pieces of fixed size."""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

M = TypeVar("M")


def float64() -> Any:
    """A context in which JAX computes in 64 bits.

    It binds the current thread only and ends with the block, so the caller's configuration stays as it was.
    """
    return jax.enable_x64(True)


def cast(tree: M, dtype: Any) -> M:
    """`tree` with every floating-point array in `dtype`, complex ones in its complex counterpart.

    Python's own numbers stay: they take the precision of what they meet, and code may branch on them. 64-bit types
    need `float64()` around.
    """

    def convert(leaf: Any) -> Any:
        if not eqx.is_inexact_array(leaf):
            return leaf
        return jnp.asarray(leaf, np.result_type(dtype, np.complex64) if jnp.iscomplexobj(leaf) else dtype)

    return jax.tree.map(convert, tree)


@eqx.filter_jit
def _apply_rows(function: Callable[[Any], Any], rows: Any) -> Any:
    return jax.vmap(function)(rows)


def squared_distances(states: np.ndarray, others: np.ndarray) -> np.ndarray:
    """‖x − y‖² of each row x of the one and each row y of the other, by one matrix product.

    What lies below about 1e-15 of ‖x‖² + ‖y‖² is lost to cancellation. Bring the origin near to the states first.
    """
    one, other = (states**2).sum(axis=1), (others**2).sum(axis=1)
    return np.maximum(one[:, None] + other - 2 * states @ others.T, 0.0)


def apply_rows(function: Callable[[Any], Any], rows: np.ndarray, chunk: int = 64) -> np.ndarray:
    """`function` of each row, computed in pieces of `chunk` rows of the dtype of `rows`, on the host again.

    The last piece is padded to the same size, so that a row meets the same arithmetic whatever stands beside it.
    """
    rows = np.asarray(rows)
    pieces = []
    for start in range(0, len(rows), chunk):
        piece = rows[start : start + chunk]
        padded = np.concatenate([piece, np.repeat(piece[-1:], chunk - len(piece), axis=0)])
        pieces.append(np.asarray(_apply_rows(function, padded))[: len(piece)])
    return np.concatenate(pieces) if pieces else np.zeros_like(rows)
