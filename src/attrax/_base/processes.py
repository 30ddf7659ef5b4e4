"""Cores, threads and forks: one thread of linear algebra where many threads call it, no hang in a forked process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_counting = threading.Lock()
_inside = 0
_limit: "_Limit | None" = None
_computed = _forked = False


class _Limit:
    """A thread that holds the limit: the library that sets it lets only the thread lift it that has set it."""

    def __init__(self) -> None:
        self._set, self._lifted = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()
        self._set.wait()

    def _hold(self) -> None:
        try:
            with threadpool_limits(1, user_api="blas"):
                self._set.set()
                self._lifted.wait()
        finally:
            self._set.set()

    def lift(self) -> None:
        self._lifted.set()
        self._thread.join()


def cores() -> int:
    """The number of cores that this process may use.

    ```python
    >>> from attrax.extending import cores
    >>> cores() >= 1
    True

    ```
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it, the library of linear algebra uses one thread.

    The limit is one of the whole process. Several threads may be within such blocks, and leave them in any order: the
    first one in sets the limit, and the last one out lifts it. Somebody else's limit goes before it.

    ```python
    >>> import numpy as np
    >>> from attrax.extending import one_blas_thread
    >>> with one_blas_thread():
    ...     product = np.eye(2) @ np.eye(2)
    >>> product.tolist()
    [[1.0, 0.0], [0.0, 1.0]]

    ```
    """
    global _inside, _limit
    with _counting:
        if not _inside:
            _limit = _Limit()
        _inside += 1
    try:
        yield
    finally:
        with _counting:
            _inside -= 1
            if not _inside and _limit is not None:
                _limit.lift()
                _limit = None


def refuse_forked() -> None:
    """**Raises** `RuntimeError` in a process that was forked after JAX had computed: it would wait forever.

    JAX computes in threads, of which a forked process has none.
    """
    global _computed
    if _forked:
        raise RuntimeError(
            "this process was forked from one that has used JAX, and would hang; start it with spawn instead, as "
            'multiprocessing.get_context("spawn") does'
        )
    _computed = True


def _after_fork() -> None:
    global _forked, _counting, _inside, _limit
    _forked = _computed
    # Whoever held the lock or the limit is not in this process.
    _counting, _inside, _limit = threading.Lock(), 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
