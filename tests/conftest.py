"""What all tests share."""

import compileall
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    # One core a worker: the threads of several workers on the same cores would wait for each other. One more worker, on
    # any core, computes while others wait for a subprocess, a browser or a disk.
    cores, number = sorted(os.sched_getaffinity(0)), int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    if number < len(cores):
        os.sched_setaffinity(0, {cores[number]})
    else:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest


def pytest_xdist_auto_num_workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1 if cores > 1 else 1


def pytest_configure(config: pytest.Config) -> None:
    """Much of the time goes into compiling: what one test or its subprocesses compiled serves all later ones, and
    little is optimized, which takes longer than these small networks run.

    Workers and subprocesses inherit all this. It has to be known before JAX compiles for the first time, which modules
    of tests may do while they are collected.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    settings = {
        "compilation_cache_dir": str(_compiled(config)),
        "persistent_cache_enable_xla_caches": "none",  # they would be a part of the keys, and are for GPUs
        "persistent_cache_min_compile_time_secs": 0.0,
        "persistent_cache_min_entry_size_bytes": -1,
        "disable_most_optimizations": True,
    }
    # Hundreds of subprocesses would compile the same modules.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # JAX reads them when it is imported, which takes a second that the process with no tests of its own can save.
    for name, value in settings.items():
        os.environ[f"JAX_{name.upper()}"] = str(value)
        if "jax" in sys.modules:
            sys.modules["jax"].config.update(f"jax_{name}", value)
    _compile_faster()


def _compiled(config: pytest.Config) -> Path:
    """The folder of compiled programs, which is kept for the next run: it is under `.pytest_cache`, and
    `pytest --cache-clear` empties it.

    JAX names each program by all that it depends on. What no longer is asked for stays, so too large a folder is begun
    again.
    """
    folder = config.cache.mkdir("compiled") if config.cache else Path(tempfile.mkdtemp(prefix="attrax-compiled-"))
    if not config.cache:
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    elif sum(file.stat().st_size for file in folder.iterdir()) > _LARGEST_CACHE:
        shutil.rmtree(folder, ignore_errors=True)
    return folder


_LARGEST_CACHE = 2 * 2**30
"""Bytes."""


def _compile_faster() -> None:
    """Without XLA's fusion emitters compiling takes half as long, and a worker has one core to generate code on.

    A version that does not know these flags would abort.
    """
    own = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {own}".strip()
    tried = [sys.executable, "-c", "import jax; jax.devices('cpu')"]
    with subprocess.Popen(
        tried, env=os.environ | {"XLA_FLAGS": flags}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as trial:
        # Meanwhile: otherwise each worker would translate all modules at the same time.
        compileall.compile_dir(Path(__file__).parents[1] / "src", quiet=2)
    if trial.returncode == 0:
        os.environ["XLA_FLAGS"] = flags


_LONG = (
    "test_reproduce.py",
    "test_cli.py",
    "test_sweeps.py",
    "test_conv.py",
    "test_winner_take_all.py",
    "test_kfac.py",
    "test_examples.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes go first, so that at the end no worker waits for another one that has just begun one."""
    items.sort(key=lambda item: item.path.name not in _LONG)


def pytest_collectstart(collector: pytest.Collector) -> None:
    if isinstance(collector, pytest.Session):
        gc.disable()


def pytest_collection_finish() -> None:
    """What was collected stays until the end: searching it for garbage again and again took a twentieth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


_MANY_MAPS = 16_000
"""A quarter of what Linux allows a process, which leaves room for any one file, and in memory. To forget takes
seconds."""


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_code() -> Iterator[None]:
    """Each compiled function keeps memory maps, of which a process may have so many; hundreds of tests exhaust them."""
    yield
    maps = Path("/proc/self/maps")
    if "jax" in sys.modules and (not maps.exists() or maps.read_bytes().count(b"\n") > _MANY_MAPS):
        sys.modules["jax"].clear_caches()
