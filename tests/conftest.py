"""What all tests share."""

import os
from collections.abc import Iterator

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    # One core a worker: the threads of several workers on the same cores would wait for each other.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) % len(cores)]})

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_code() -> Iterator[None]:
    """Each compiled function keeps memory maps, of which a process may have so many; hundreds of tests exhaust them."""
    yield
    jax.clear_caches()
