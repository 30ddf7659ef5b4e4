"""Programs that several threads run at once, each on its own rows."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import jax

S = TypeVar("S")
T = TypeVar("T")

_AHEAD = 1
"""Results that may wait to be taken, beyond those that are being computed: they can be large."""


def in_threads(function: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """`function` of each item, in order, computed by as many threads with the JAX settings of this one.

    After an error, no further item is begun.

    >>> list(in_threads(lambda number: number + 1, [1, 2, 3], 2))
    [2, 3, 4]
    """
    if workers == 1:
        yield from map(function, items)
        return
    # JAX keeps for each thread what such blocks have set.
    names = ("enable_x64", "default_device", "default_matmul_precision")
    settings = [(getattr(jax, name), getattr(jax.config, f"jax_{name}")) for name in names]

    def compute(item: S) -> T:
        with ExitStack() as stack:
            for setting, value in settings:
                stack.enter_context(setting(value))
            return function(item)

    waiting = deque[Future[T]]()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(compute, item))
                if len(waiting) > workers + _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()
