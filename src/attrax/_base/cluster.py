"""Calls on the workers of a Dask cluster."""

import contextlib
import itertools
import logging
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_SECONDS = 10
"""How long a scheduler may take to answer."""
_AHEAD = 2
"""Calls that are sent for each thread of a worker: one is at work, the others wait there."""


class SchedulerLost(ValueError):
    """The scheduler stopped to answer."""


def on_dask(
    function: Callable[..., Any], items: Iterable[Any], address: str, *shared: Any
) -> Generator[tuple[int, Any, str | None], None, None]:
    """`function(item, *shared)` of each item, in the order in which the calls finish.

    `shared` is sent once, and of `items` only as many are drawn as the workers have use for. Calls of a
    lost worker go to another one; when several workers are lost, Dask gives up. It blames all calls that these workers
    held, and those on whose results they waited, so each of them runs once more, alone, before it counts as failed.
    These are Dask's own futures: joblib's Dask backend does not say which call failed, and waits forever for a lost
    scheduler.

    **Yields** the number of the item, the result, and `None` or the reason why there is no result. **Raises**
    `ValueError` without Dask, and where no scheduler or no worker responds; `SchedulerLost`. Without items nobody need
    respond.

        >>> list(on_dask(abs, [], "tcp://127.0.0.1:8786"))
        []
    """
    coming = enumerate(items)
    first = list(itertools.islice(coming, 1))
    if not first:
        return
    with _client(address) as client:
        from distributed import as_completed

        workers = client.scheduler_info()["workers"].values()
        ahead = _AHEAD * sum(worker["nthreads"] for worker in workers)
        with warnings.catch_warnings():
            # Dask advises to scatter what is large, which would be lost with the workers that hold it.
            warnings.filterwarnings("ignore", message="Sending large graph")
            sent = [client.submit(_itself, one, pure=False) for one in shared]
        again = list[tuple[int, Any]]()
        at_work: dict[Any, tuple[int, Any]] = {}
        futures = as_completed((), loop=client.loop)

        def send(some: Iterable[tuple[int, Any]]) -> None:
            for number, item in some:
                future = client.submit(function, item, *sent, pure=False)
                at_work[future] = (number, item)
                futures.add(future)

        send([*first, *itertools.islice(coming, ahead - 1)])
        alone = False
        while at_work:
            future = next(futures)
            number, item = at_work.pop(future)
            if future.status == "finished":
                yield number, future.result(), None
            elif future.status != "error":
                raise SchedulerLost(f"dask: the scheduler at {address!r} was lost")
            elif alone:
                error = future.exception()
                yield number, None, f"Dask gave it up: {type(error).__name__}: {error}".splitlines()[0]
            else:
                again.append((number, item))
            send(itertools.islice(coming, 1))
            if not at_work and again:
                alone = True
                send([again.pop(0)])


@dataclass(frozen=True, slots=True)
class _Packed:
    """An array of JAX on its way. JAX would unpack it in 32 bits where it is not asked for 64."""

    values: np.ndarray


def packed(tree: Any) -> Any:
    """A map, or any other tree, to be sent; `unpacked` on arrival."""
    import jax  # workers of a sweep may do without it

    return jax.tree.map(lambda leaf: _Packed(np.asarray(leaf)) if isinstance(leaf, jax.Array) else leaf, tree)


def unpacked(tree: Any) -> Any:
    """What was `packed`, bit by bit."""
    import jax

    from attrax._base.numerics import device_array, float64

    with float64():
        return jax.tree.map(lambda leaf: device_array(leaf.values) if isinstance(leaf, _Packed) else leaf, tree)


def _itself(value: Any) -> Any:
    return value


def in_order(function: Callable[..., Any], items: Iterable[Any], address: str, *shared: Any) -> Iterator[Any]:
    """The results of `on_dask`, in the order of the items. **Raises** `ValueError` also for the first that has none."""
    early: dict[int, Any] = {}
    wanted = 0
    with contextlib.closing(on_dask(function, items, address, *shared)) as found:
        for number, result, reason in found:
            if reason is not None:
                raise ValueError(f"dask: part {number + 1} has no result: {reason}")
            early[number] = result
            while wanted in early:
                yield early.pop(wanted)
                wanted += 1


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    """A connection to a scheduler. **Raises** `ValueError` without Dask, or if no scheduler or worker responds."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(
            "dask: the package dask[distributed] is not installed; pip install 'attrax[dask]', or omit the address"
        ) from None
    try:
        client = Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ValueError(
            f"dask: no scheduler responds at {address!r} ({error}); start one with dask scheduler"
        ) from None
    # Dask logs a lost scheduler with tracebacks; here that becomes an error of one line.
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        if not client.scheduler_info()["workers"]:
            raise ValueError(
                f"dask: the scheduler at {address!r} has no workers; start some with dask worker {address}"
            )
        yield client
    finally:
        client.close()
        log.setLevel(level)
