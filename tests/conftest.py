"""What all tests share."""

import os
from collections.abc import Iterator

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    # One core a worker: the threads of several workers on the same cores would wait for each other.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) % len(cores)]})

import jax
import pytest


@pytest.fixture(autouse=True, scope="session")
def _compile_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Much of the time goes into compiling: what one test or its subprocesses compiled serves all later ones.

    A folder a worker, as another one might read what is not written yet.
    """
    folder = str(tmp_path_factory.mktemp("compiled"))
    least = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    os.environ.update({"JAX_COMPILATION_CACHE_DIR": folder, **least})
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_code() -> Iterator[None]:
    """Each compiled function keeps memory maps, of which a process may have so many; hundreds of tests exhaust them."""
    yield
    jax.clear_caches()
