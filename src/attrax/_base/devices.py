"""The devices that rows of cues, starts and examples are divided among.

Data are divided by JAX itself: a mesh with one axis, along which each device has its share of the rows. Whatever is
the same for all rows, such as the weights of a network, is on every device.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.processes import refuse_forked

_AXIS = "attrax_rows"
_chosen: ContextVar[Mesh | None] = ContextVar("attrax_devices", default=None)

T = TypeVar("T")


@contextlib.contextmanager
def devices(count: int | str) -> Iterator[tuple[Any, ...]]:
    """Within it, training, recall, certification and the census divide their rows among several devices.

    Each row of a recall is computed as on one device. In training, the gradient is summed over the devices, so the
    result is the same to rounding. It applies to the current thread and ends with the block.

    **Arguments:** `count`: how many of `jax.devices()` to use, from the first on, or `"all"` of them. Where several
    processes compute together (`jax.distributed`), it must be all.

    **Yields** the devices. **Raises** `ValueError` if there are fewer, or for anything else.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> with ax.devices("all") as used:
    ...     found = ax.iterate(lambda x: x / 2, np.ones((3, 2)))
    >>> len(used) >= 1, found.period.tolist()
    (True, [1, 1, 1])

    ```
    """
    refuse_forked()
    there = jax.devices()
    if count == "all":
        count = len(there)
    elif isinstance(count, str):
        raise ArgumentError(f"{mention('devices')} must be a number from 1, or all; got {count!r}")
    count = checks.integer("devices", count, least=1)
    if count > len(there):
        found = "is 1 device" if len(there) == 1 else f"are {len(there)} devices"
        more = f"; XLA_FLAGS=--xla_force_host_platform_device_count={count} makes {count} of a CPU"
        raise ArgumentError(
            f"{mention('devices')}: {count} are asked for, and there {found} ({there[0].platform}); take fewer"
            + (more if there[0].platform == "cpu" else "")
        )
    if count < len(there) and jax.process_count() > 1:
        raise ArgumentError(
            f"{mention('devices')} must be all where {jax.process_count()} processes compute together: each has some "
            f"of the {len(there)} devices; got {count}"
        )
    used = tuple(there[:count])
    mesh = None if count == 1 else Mesh(np.array(used), (_AXIS,), axis_types=(AxisType.Auto,))
    before = _chosen.set(mesh)
    try:
        yield used
    finally:
        _chosen.reset(before)


@contextlib.contextmanager
def over_devices(worth: bool = True) -> Iterator[Callable[[T], T]]:
    """Within it, programs divide their rows among the devices that were chosen, if it is `worth` it.

    **Yields** a function that puts the arrays of a tree on every device, once for all programs.
    """
    mesh = _chosen.get()
    if mesh is None or not worth:
        yield _as_it_is
        return
    with jax.set_mesh(mesh):
        # Between several processes only a program can do it, and each one does.
        yield _as_it_is if mesh.is_multi_process else partial(_everywhere, NamedSharding(mesh, PartitionSpec()))


def _as_it_is(tree: T) -> T:
    return tree


def _everywhere(sharding: NamedSharding, tree: T) -> T:
    arrays, rest = eqx.partition(tree, lambda leaf: isinstance(leaf, np.ndarray | jax.Array))
    return eqx.combine(jax.device_put(arrays, sharding), rest)


def share_count() -> int:
    """Among how many devices rows are divided here: 1 if not within `over_devices`."""
    mesh = jax.sharding.get_abstract_mesh()
    return mesh.size if _AXIS in mesh.axis_names else 1


def row_program(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(same, *rows, **options)`, compiled, where nothing depends on more than one row.

    Every array of `rows` and of the result has one entry per row, a multiple of `share_count` together. Each device
    runs the same program on its share, so a row gets the same arithmetic as on one device with as many rows. With
    `block`, which divides the share, it computes that many rows at a time, and the arithmetic of a row does not depend
    on how many rows there are.
    """

    def program(same: Any, *rows: Any, block: int | None = None, **options: Any) -> Any:
        if share_count() == 1:
            return _in_blocks(function, block, same, *rows, **options)
        arrays, rest = eqx.partition((same, options), eqx.is_array)

        def share(arrays: Any, rows: Any) -> Any:
            same, options = eqx.combine(arrays, rest)
            return _in_blocks(function, block, same, *rows, **options)

        by_row = PartitionSpec(_AXIS)
        # Maps come from anywhere, and JAX can't follow for all operations which values the devices share.
        divided = jax.shard_map(share, in_specs=(PartitionSpec(), by_row), out_specs=by_row, check_vma=False)
        found = divided(arrays, rows)
        # What another process has of it could not be read in this one.
        return found if jax.process_count() == 1 else together(found)

    program.__name__ = function.__name__  # not `wraps`, by which Equinox would take the signature of `function`
    return eqx.filter_jit(program)


def _in_blocks(function: Callable[..., Any], block: int | None, same: Any, *rows: Any, **options: Any) -> Any:
    if block is None:
        return function(same, *rows, **options)
    parts = jax.tree.map(lambda leaf: leaf.reshape(-1, block, *leaf.shape[1:]), rows)
    found = jax.lax.map(lambda part: function(same, *part, **options), parts)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)


def together(tree: T) -> T:
    """Inside a program: `tree`, of which each device has every array as a whole."""
    return tree if share_count() == 1 else jax.lax.with_sharding_constraint(tree, PartitionSpec())


def local(tree: T) -> T:
    """`tree`, each array of which every device has as a whole, as the first device here has it."""
    if share_count() == 1:
        return tree
    return jax.tree.map(lambda leaf: leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf, tree)


def map_rows(function: Callable[..., T], *rows: Any, piece: int | None = None) -> T:
    """Inside a program: `function` of each row, of which each device computes its share; a sum over the rows that is
    taken of the results, or of their gradients, is one over the devices.

    With `piece`, so many rows are computed at once on a device.
    """
    over = jax.vmap(function) if piece is None else partial(_piece_by_piece, function, piece)
    devices = share_count()
    if devices == 1:
        return over(*rows)
    num = len(rows[0])
    share = -(-num // devices)

    def divided(leaf: Any) -> Any:
        if num < devices * share:  # the last row again and again
            leaf = leaf[jnp.minimum(jnp.arange(devices * share), num - 1)]
        shares = leaf.reshape(devices, share, *leaf.shape[1:])
        return jax.lax.with_sharding_constraint(shares, PartitionSpec(_AXIS))

    found = jax.vmap(over)(*(divided(leaf) for leaf in rows))
    return jax.tree.map(lambda leaf: leaf.reshape(devices * share, *leaf.shape[2:])[:num], found)


def _piece_by_piece(function: Callable[..., T], piece: int, *rows: Any) -> T:
    return jax.lax.map(lambda row: function(*row), rows, batch_size=piece)


def on_next_device(function: Callable[..., T]) -> Callable[..., T]:
    """`function`, each call of which computes on one device, the next one in turn: for calls from several threads."""
    mesh = _chosen.get()
    if mesh is None:
        return function
    turns, lock = itertools.cycle(mesh.local_devices), threading.Lock()

    @wraps(function)
    def call(*arguments: Any) -> T:
        with lock:
            device = next(turns)
        with jax.default_device(device):
            return function(*arguments)

    return call


def agreed(seconds: float) -> float:
    """The number that the first of several processes has: clocks differ, and all must decide alike what to compute."""
    if _chosen.get() is None or jax.process_count() == 1:
        return seconds
    from jax.experimental.multihost_utils import broadcast_one_to_all

    # As bytes: JAX would round a float to 32 bits.
    found = broadcast_one_to_all(np.array([seconds]).view(np.uint8))
    return float(np.asarray(found).view(np.float64)[0])
