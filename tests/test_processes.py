"""Threads and forks: limits that are lifted again, and no hang without a word."""

import os
import signal
import threading

import jax.random as jr
import numpy as np
import pytest
from helpers import PATIENCE
from threadpoolctl import threadpool_info, threadpool_limits

import attrax as ax
from attrax.extending import one_blas_thread


def blas_threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def set_blas_threads(count: int) -> None:
    """Sets the number for good, in a thread of its own, as only a thread that has ended gives it free."""
    thread = threading.Thread(target=threadpool_limits, args=(count,), kwargs={"user_api": "blas"})
    thread.start()
    thread.join()


def test_the_limit_on_threads_is_lifted_whatever_runs_side_by_side() -> None:
    np.eye(2) @ np.eye(2)
    usual = max(blas_threads())  # a worker of the tests may have loaded one library before it was bound to a core
    set_blas_threads(3)
    assert blas_threads() == {3}
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen: list[set[int]] = []

    def first() -> None:
        with one_blas_thread():
            first_in.set()
            second_in.wait(10)
        seen.append(blas_threads())  # the second one is still within
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with one_blas_thread():
            second_in.set()
            first_out.wait(10)
            with one_blas_thread():
                seen.append(blas_threads())
        seen.append(blas_threads())

    try:
        threads = [threading.Thread(target=one) for one in (first, second)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert seen == [{1}, {1}, {3}]
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert blas_threads() == {3}
    finally:
        set_blas_threads(usual)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_process_says_why_it_cannot_go_on() -> None:
    memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
    assert ax.certify(memory).all_attractors
    verbs = {
        "certify": lambda: ax.certify(memory),
        "recall": lambda: ax.recall(memory, np.ones((1, 3))),
        "iterate": lambda: ax.iterate(memory.map, np.ones((1, 3))),
        "store": lambda: ax.store(np.eye(3), key=key),
        "radius": lambda: ax.basin_radius(memory, key=key),
    }
    key = jr.key(0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        for name, verb in verbs.items():
            try:
                verb()
            except RuntimeError as error:
                os.write(writer, f"{name}: {error}\n".encode())
        os._exit(0)
    os.close(writer)
    timer = threading.Timer(PATIENCE, os.kill, (child, signal.SIGKILL))
    timer.start()
    with os.fdopen(reader) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    timer.cancel()
    assert [line.partition(":")[0] for line in said.splitlines()] == list(verbs)
    assert said.count('multiprocessing.get_context("spawn")') == len(verbs)
