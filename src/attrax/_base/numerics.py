"""Explicit precision, and batches computed in chunks of fixed size."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from attrax._base.devices import over_devices, row_program, share_count
from attrax._base.processes import cores, refuse_forked
from attrax._base.threads import in_threads

M = TypeVar("M")


def float64() -> Any:
    """A context in which JAX computes in 64 bits.

    It applies to the current thread only and ends with the block, so the caller's configuration stays as it was.

    **Raises** `RuntimeError` in a process that was forked from one that has used JAX; see `refuse_forked`.

    ```python
    >>> import jax.numpy as jnp
    >>> from attrax.extending import float64
    >>> with float64():
    ...     inside = jnp.ones(2).dtype
    >>> inside, jnp.ones(2).dtype
    (dtype('float64'), dtype('float32'))

    ```
    """
    refuse_forked()
    return jax.enable_x64(True)


def cast(tree: M, dtype: Any) -> M:
    """`tree` with every floating-point array cast to `dtype`, and complex arrays to its complex counterpart.

    Python numbers are left alone: they take the precision of the arrays they are combined with, and code may branch on
    them. For 64-bit types, call this within `float64()`.

    ```python
    >>> import numpy as np
    >>> from attrax.extending import cast, float64
    >>> with float64():
    ...     found = cast({"weight": np.ones(2, np.float32), "rate": 0.1}, np.float64)
    >>> found["weight"].dtype, found["rate"]
    (dtype('float64'), 0.1)

    ```
    """

    def convert(leaf: Any) -> Any:
        if not eqx.is_inexact_array(leaf):
            return leaf
        wanted = np.result_type(dtype, np.complex64) if jnp.iscomplexobj(leaf) else np.dtype(dtype)
        if isinstance(leaf, Tracer):
            return leaf.astype(wanted)
        return leaf if isinstance(leaf, jax.Array) and leaf.dtype == wanted else device_array(leaf, wanted)

    return jax.tree.map(convert, tree)


def output_of(map: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The shape and dtype of what a map makes of a state of this `shape` and `dtype`; nothing is computed.

    >>> output_of(lambda x: x[1:], (3,), np.float32).shape
    (2,)
    """
    with float64():
        return jax.eval_shape(map, jax.ShapeDtypeStruct(shape, dtype))


def device_array(values: Any, dtype: Any = None) -> jax.Array:
    """A copy of concrete `values` on the device, cast on the host.

    `jnp.asarray` would compile a program for each shape.
    """
    return jax.device_put(np.array(values, dtype))


def squared_distances(states: np.ndarray, others: np.ndarray) -> np.ndarray:
    """‖x − y‖² for each row x of `states` (m×d) and each row y of `others` (n×d), by one matrix product: m×n.

    Distances below about 1e-15 of ‖x‖² + ‖y‖² are lost to cancellation, so first move the origin close to the states.

    ```python
    >>> import numpy as np
    >>> from attrax.extending import squared_distances
    >>> squared_distances(np.zeros((1, 2)), np.array([[3.0, 4.0], [0.0, 1.0]])).tolist()
    [[25.0, 1.0]]

    ```
    """
    one, other = (states**2).sum(axis=1), (others**2).sum(axis=1)
    return np.maximum(one[:, None] + other - 2 * states @ others.T, 0.0)


def first_equal(rows: np.ndarray) -> np.ndarray:
    """For each row (n×k), the index of the first one that has the same bits.

    >>> first_equal(np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]])).tolist()
    [0, 1, 0]
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), place) for place, row in enumerate(rows)], int)


def apply_rows(function: Callable[[Any], Any], rows: np.ndarray, chunk: int = 64) -> np.ndarray:
    """`function` applied to each row, in chunks of `chunk` rows and in the dtype of `rows`; returned as a host array.

    The last chunk is padded to the same size, so that each row gets the same arithmetic whatever the other rows are.
    """
    refuse_forked()
    rows = np.asarray(rows)
    if not len(rows):
        return np.zeros_like(rows)
    with over_devices(len(rows) > chunk):
        return in_pieces(partial(_apply_rows, function), rows, (chunk,))


@row_program
def _apply_rows(function: Callable[[Any], Any], rows: Any) -> Any:
    return jax.vmap(function)(rows)


def in_pieces(
    function: Callable[[Any], Any],
    rows: Any,
    sizes: tuple[int, ...],
    gather: Callable[[int, int, Any, Any], Any] | None = None,
    *,
    together: bool = False,
) -> Any:
    """`function` of `rows`, computed in chunks of the given sizes per device, as arrays on the host.

    The last chunk is padded by repeating its last row. `gather(first, count, piece, result)` may take something out of
    the result for a chunk, and returns what is to be concatenated. With `together`, as many chunks are computed at once
    as there are cores: for functions of which a row gets the same arithmetic in chunks of all sizes.
    """
    num = len(jax.tree.leaves(rows)[0])
    devices = share_count()
    # Several devices are kept busy by one program, and an accelerator computes one after the other anyway.
    workers = cores() if together and devices == 1 and jax.default_backend() == "cpu" else 1
    cuts = _cuts(num, tuple(size * devices for size in sizes), workers)

    def compute(cut: tuple[int, int]) -> tuple[int, int, Any, Any]:
        start, size = cut
        index = slice(start, start + size)
        if start + size > num:
            index = np.minimum(np.arange(start, start + size), num - 1)
        piece = jax.tree.map(lambda leaf: leaf[index], rows)
        # Waits, so that no thread begins the next chunk before this one is done.
        return start, min(size, num - start), piece, jax.block_until_ready(function(piece))

    pieces = []
    for start, count, piece, found in in_threads(compute, cuts, min(workers, len(cuts))):
        result = found if gather is None else gather(start, count, piece, found)
        pieces.append(jax.tree.map(lambda leaf, count=count: np.asarray(leaf)[:count], result))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *pieces)


def _cuts(num: int, sizes: tuple[int, ...], workers: int) -> list[tuple[int, int]]:
    """The first row of each chunk and its size, so that the workers have about equally much to do."""
    cuts, start = list[tuple[int, int]](), 0
    while start < num:
        share = -(-(num - start) // workers)
        size = next((size for size in sizes if size <= share), sizes[-1])
        # Several small chunks cost more than one padded chunk.
        larger = next((other for other in reversed(sizes) if other >= share), sizes[0])
        size = larger if larger <= (2 if workers == 1 else 1.1) * share else size
        # So does compiling another program, where the others work on as large a chunk anyway.
        before = cuts[-1][1] if len(cuts) % workers else 0
        size = before if num - start <= before <= 2 * (num - start) else size
        cuts.append((start, size))
        start += size
    return cuts
