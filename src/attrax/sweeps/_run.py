"""Running cells: in this process, in several, or on a Dask cluster."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attrax import _checks
from attrax._types import Progress
from attrax.sweeps._cells import Cell, CellRecord, CellStatus, run_cell
from attrax.sweeps._store import ResultStore

_BREAKS = 3
"""So often a pool whose process died is made anew without a single cell finished in between."""
_MAPS = 20_000
"""Memory maps of a process above which compiled code is forgotten; the usual limit is 65,530."""


def sweep(
    cells: Sequence[Cell],
    store: ResultStore,
    *,
    jobs: int = 1,
    threads: int | None = None,
    dask: str | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[CellRecord | None, ...]:
    """Runs the cells that are not in `store` yet and adds each to it as soon as it is done.

    After a kill at any moment the same call goes on where it was; only the cells under way are lost. A cell that raises
    is recorded as failed and does not end the others. Equal cells run once.

    **Arguments:**

    - `cells`: in any number, independent of each other.
    - `store`: where results are looked up and added.
    - `jobs`: processes. With 1 the cells run in this one.
    - `threads`: of each process, by default the cores divided by `jobs`. A process is bound to as many cores of its own
      where the system can do that.
    - `dask`: address of a Dask scheduler, such as `tcp://127.0.0.1:8786`, whose workers run the cells in place of
      `jobs` processes; what a lost worker had under way goes to another. Needs `dask[distributed]`.
    - `checkpoints`: a folder for the training under way, seen by all processes.
    - `progress`: called with the number of finished cells.

    **Returns:** a record a cell, in order; `None` where processes died under it again and again. **Raises**
    `ValueError` for wrong arguments, before any cell runs; where Dask is asked for but not installed, or does not
    answer.

    Source: joblib's process pool; its Dask backend.

        >>> import tempfile
        >>> from attrax.sweeps import Cell, ResultStore, sweep
        >>> cells = [Cell("tests", f"{n}", "attrax.sweeps._run:echo", {"number": n}) for n in range(3)]
        >>> with tempfile.TemporaryDirectory() as folder, ResultStore(f"{folder}/results.sqlite") as store:
        ...     [record.numbers["number"] for record in sweep(cells, store)]
        [0, 1, 2]
    """
    jobs = _checks.integer("jobs", jobs, least=1)
    threads = default_threads(jobs) if threads is None else _checks.integer("threads", threads, least=1)
    scratch = None if checkpoints is None else Path(checkpoints)
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    distinct = list({cell.fingerprint: cell for cell in cells}.values())
    there = store.finished(distinct)
    pending = [cell for cell in distinct if cell.fingerprint not in there]
    done = len(distinct) - len(pending)
    if progress is not None:
        progress("cells", done, len(distinct), {})
    with _backend(jobs, threads, dask) as pool:
        breaks = 0
        while pending and breaks < _BREAKS:
            before = len(pending)
            try:
                for record in pool(pending, scratch):
                    store.add(record)
                    pending = [cell for cell in pending if cell.fingerprint != record.cell.fingerprint]
                    done += 1
                    if progress is not None:
                        failed = float(record.status is CellStatus.FAILED)
                        progress("cells", done, len(distinct), {"failed": failed} if failed else {})
            except _broken() as error:
                # A process was killed from outside, for want of memory as a rule. What it had under way starts again.
                breaks = breaks + 1 if len(pending) == before else 0
                if breaks == _BREAKS and progress is not None:
                    progress("cells", done, len(distinct), {"lost": float(len(pending))})
                del error
    return tuple(store.get(cell) for cell in cells)


def default_threads(jobs: int) -> int:
    """Threads of each of so many processes: the cores that this process may use, divided among them."""
    return max(1, _cores() // jobs)


def echo(settings: dict[str, Any], work: Any) -> Any:
    """The smallest cell: its settings come back as its numbers. For trying out a cluster."""
    from attrax.sweeps._cells import CellFound

    return CellFound(settings)


@contextlib.contextmanager
def _backend(jobs: int, threads: int, dask: str | None) -> Iterator[Any]:
    """A function from cells to their records, in the order in which they are done."""
    import joblib

    def results(cells: Sequence[Cell], arguments: tuple[Any, ...]) -> Iterator[CellRecord]:
        # A cell at a time, for one may take hours and the next a second.
        options: dict[str, Any] = {"batch_size": 1, "pre_dispatch": "all" if dask else "2*n_jobs"}
        # joblib has no types of its generators.
        pool: Any = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", **options)
        yield from pool(joblib.delayed(_in_worker)(cell, *arguments) for cell in cells)

    if dask is not None:
        client = _client(dask)
        try:
            with joblib.parallel_config(backend="dask", client=client):
                yield lambda cells, scratch: results(cells, (scratch, None, 1))
        finally:
            client.close()
    elif jobs == 1:
        yield lambda cells, scratch: (run_cell(cell, scratch) for cell in cells)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="attrax-") as places,
            joblib.parallel_config(backend="loky", inner_max_num_threads=threads),
            warnings.catch_warnings(),
        ):
            # A process whose memory has grown is replaced by a fresh one, as it should be: compilers keep much.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            yield lambda cells, scratch: results(cells, (scratch, places, threads))


def _in_worker(cell: Cell, scratch: Path | None, places: str | None, threads: int) -> CellRecord:
    if places is not None:
        _take_place(places, threads)
    record = run_cell(cell, scratch)
    _forget_compiled_code()
    return record


_PLACE: list[Any] = []
"""The open file that holds this process's place among the cores; the system frees it when the process ends."""


def _take_place(places: str, threads: int) -> None:
    """Binds this process to `threads` cores that no other process of the pool is bound to.

    JAX asks for as many threads as it may use cores, and takes no other word for it; so this comes before its first
    use. Nothing happens where the system has no such thing, or all places are taken.
    """
    if _PLACE or not hasattr(os, "sched_setaffinity"):
        return
    import fcntl

    cores = sorted(os.sched_getaffinity(0))
    for number in range(max(1, len(cores) // threads)):
        file = open(os.path.join(places, f"place-{number}"), "w")  # noqa: SIM115 - it stays open as long as we live
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _PLACE.append(file)
        os.sched_setaffinity(0, set(cores[number * threads : (number + 1) * threads]))
        return


def _forget_compiled_code() -> None:
    """Each compiled function keeps memory maps, of which a process may have so many."""
    try:
        with open("/proc/self/maps", "rb") as file:
            many = sum(1 for _ in file) > _MAPS
    except OSError:
        return
    if many:
        import jax

        jax.clear_caches()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _client(address: str) -> Any:
    """A connection to a Dask scheduler. **Raises** `ValueError` without Dask, or where nobody answers."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(
            "dask: the package dask[distributed] is not installed; pip install 'attrax[dask]', or leave the address out"
        ) from None
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ValueError(
            f"dask: no scheduler answers at {address!r} ({error}); start one with dask scheduler"
        ) from None
    if not client.scheduler_info()["workers"]:
        client.close()
        raise ValueError(f"dask: the scheduler at {address!r} has no workers; start some with dask worker {address}")
    return client


def _broken() -> tuple[type[BaseException], ...]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    found: list[type[BaseException]] = [BrokenProcessPool]
    with contextlib.suppress(ImportError):
        from distributed.scheduler import KilledWorker

        found.append(KilledWorker)
    return tuple(found)
