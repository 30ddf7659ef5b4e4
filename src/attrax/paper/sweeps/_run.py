"""Running cells: in this process, in several, or on a Dask cluster."""

import contextlib
import os
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrax.extending import Progress, SchedulerLost, checks, cores, on_dask
from attrax.paper.sweeps._cells import Cell, CellFound, CellRecord, CellStatus, run_cell
from attrax.paper.sweeps._store import ResultStore

_DEATHS = 3
"""How often the process of a cell may die before the cell counts as failed."""
_WATCH_SECONDS = 0.5
"""How often a worker looks whether its parent is there."""
_MAPS = 20_000
"""Number of memory maps of a process above which compiled code is dropped; the usual limit is 65,530."""


def sweep(
    cells: Sequence[Cell],
    store: ResultStore,
    *,
    jobs: int = 1,
    threads: int | None = None,
    dask: str | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[CellRecord, ...]:
    """Runs the cells that are not in `store` yet and adds each to it as soon as it is done.

    After an interruption at any moment the same call continues; only the cells in progress are lost. A cell that raises
    an error, or whose process dies repeatedly, is recorded as failed and does not stop the others. Equal cells run
    once.

    **Arguments:**

    - `cells`: any number of independent cells.
    - `store`: where results are looked up and added.
    - `jobs`: number of processes. With 1, the cells run in this process.
    - `threads`: threads of each process, by default the number of cores divided by `jobs`. If the system supports it,
      each process is bound to that many cores of its own; with one job, this process, until the sweep is over.
    - `dask`: address of a Dask scheduler, such as `tcp://127.0.0.1:8786`, whose workers run the cells instead of `jobs`
      processes; the cells of a lost worker go to another one. Needs `dask[distributed]`.
    - `checkpoints`: a folder for training in progress. Machines of a cluster that can't write to it work without it.
    - `progress`: called with the number of finished cells.

    **Returns:** one record per cell, in order. **Raises** `ValueError` for wrong arguments, and if another run adds to
    the same file, before any cell runs; if Dask is needed but not installed, does not respond, or is lost; if `store`
    can't be written to any more. Records added before are kept.

    Source: joblib's process pool; Dask's futures.

        >>> import tempfile
        >>> from attrax.paper.sweeps import Cell, ResultStore, sweep
        >>> cells = [Cell("tests", f"{n}", "attrax.paper.sweeps:echo", {"number": n}) for n in range(3)]
        >>> with tempfile.TemporaryDirectory() as folder, ResultStore(f"{folder}/results.sqlite") as store:
        ...     [record.numbers["number"] for record in sweep(cells, store)]
        [0, 1, 2]
    """
    jobs = checks.integer("jobs", jobs, least=1)
    threads = default_threads(jobs) if threads is None else checks.integer("threads", threads, least=1)
    scratch = None if checkpoints is None else _folder(checkpoints)
    distinct = list({cell.fingerprint: cell for cell in cells}.values())
    with store.alone():
        there = store.finished(distinct)
        pending = [cell for cell in distinct if cell.fingerprint not in there]
        done = len(there)
        if progress is not None:
            progress("cells", done, len(distinct), {})
        with contextlib.closing(_run(pending, scratch, jobs, threads, dask)) as records:
            for record in records:
                store.add(record)
                done += 1
                if progress is not None:
                    failed = float(record.status is CellStatus.FAILED)
                    progress("cells", done, len(distinct), {"failed": failed} if failed else {})
        found = [store.get(cell) for cell in cells]
    return tuple(record for record in found if record is not None)


def default_threads(jobs: int) -> int:
    """The number of threads for each of `jobs` processes: the cores available to this process, divided among them.

    ```python
    >>> from attrax.paper import sweeps
    >>> sweeps.default_threads(1) >= 1
    True

    ```
    """
    return max(1, cores() // jobs)


def echo(settings: dict[str, Any], work: Any) -> CellFound:
    """The smallest cell: it returns its settings as its numbers. Use it to try out a cluster.

    ```python
    >>> from attrax.paper import sweeps
    >>> sweeps.echo({"width": 3}, None)
    CellFound(numbers: {width: 3}, arrays: {}, trained: True)

    ```
    """
    return CellFound(settings)


def _folder(path: str | os.PathLike[str]) -> Path:
    """The folder, created if it is missing, with its full path, because workers may run elsewhere."""
    folder = Path(path).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"checkpoints: the folder {folder} can't be created: {error.strerror or error}") from None
    return folder


Records = Generator[CellRecord, None, None]


def _run(cells: Sequence[Cell], scratch: Path | None, jobs: int, threads: int, dask: str | None) -> Records:
    """The records of the cells, in the order in which they finish."""
    if not cells:
        return
    if dask is not None:
        yield from _on_dask(cells, scratch, dask)
    elif jobs == 1:
        yield from _here(cells, scratch, threads)
    else:
        # More processes than cells would wait; a single one is still not this one, which a cell must not end.
        yield from _in_processes(cells, scratch, min(jobs, max(2, len(cells))), threads)


def _here(cells: Sequence[Cell], scratch: Path | None, threads: int) -> Records:
    with _bound(threads):
        for cell in cells:
            record = run_cell(cell, scratch)
            _forget_compiled_code()
            yield record


def _in_processes(cells: Sequence[Cell], scratch: Path | None, jobs: int, threads: int) -> Records:
    """A process that is killed, usually because memory ran out, takes the whole pool down; a new pool continues. The
    cells in progress start again, one at a time, until it is known which one was responsible.
    """
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    pending = {cell.fingerprint: cell for cell in cells}
    deaths: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="attrax-", ignore_cleanup_errors=True) as places,
        joblib.parallel_config(
            backend="loky", inner_max_num_threads=threads, initializer=_end_with, initargs=(os.getpid(),)
        ),
        warnings.catch_warnings(),
    ):
        # A process whose memory has grown is replaced by a new one, as intended: compilers keep a lot of memory.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        work = joblib.delayed(_in_worker)
        while pending:
            batch = [cell for mark, cell in pending.items() if deaths[mark]][:1] or list(pending.values())
            # One cell at a time, because one may take hours and the next a second.
            options: dict[str, Any] = {"batch_size": 1}
            # joblib has no types for its generators.
            pool: Any = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", **options)
            try:
                for record in pool(work(cell, scratch, places, threads) for cell in batch):
                    del pending[record.cell.fingerprint]
                    yield record
            except BrokenProcessPool:
                for cell in _under_way(batch, Path(places)):
                    deaths[cell.fingerprint] += 1
                    if deaths[cell.fingerprint] == _DEATHS:
                        del pending[cell.fingerprint]
                        yield _dead(cell, f"its process died {_DEATHS} times, usually because memory ran out")


def _under_way(batch: Sequence[Cell], places: Path) -> list[Cell]:
    """The cells whose marker file exists, which is removed; all of them, if there is no marker."""
    marks = {path.name for path in places.glob("*.cell")}
    for name in marks:
        (places / name).unlink()
    pending = [cell for cell in batch if f"{cell.fingerprint}.cell" in marks]
    return pending or list(batch)


def _dead(cell: Cell, why: str) -> CellRecord:
    return CellRecord(cell, CellStatus.FAILED, {}, {}, 0.0, why)


def _end_with(parent: int) -> None:
    """Has this process end soon after its parent, however that ends: whatever it computes, nobody asks for it any more.

    The system's own signal for this is sent when the *thread* ends that made the process, which is too early.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _in_worker(cell: Cell, scratch: Path | None, places: str, threads: int) -> CellRecord:
    _take_place(places, threads)
    mark = Path(places, f"{cell.fingerprint}.cell")
    mark.touch()
    record = run_cell(cell, scratch)
    mark.unlink(missing_ok=True)
    _forget_compiled_code()
    return record


def _on_dask(cells: Sequence[Cell], scratch: Path | None, address: str) -> Records:
    """A cell without a result, because it ends its workers, counts as failed."""
    done = 0
    try:
        for number, record, reason in on_dask(_on_worker, cells, address, scratch):
            yield record if reason is None else _dead(cells[number], reason)
            done += 1
    except SchedulerLost as error:
        raise ValueError(
            f"{error}; {done} of {len(cells)} cells were finished and are kept; the same call continues with the others"
        ) from None


def _on_worker(cell: Cell, scratch: Path | None) -> CellRecord:
    record = run_cell(cell, scratch)
    _forget_compiled_code()
    return record


@contextlib.contextmanager
def _bound(threads: int) -> Iterator[None]:
    """Binds all threads of this process, including those that JAX has started, to `threads` of its cores, and releases
    them at the end. Does nothing if the system does not support it.
    """
    if not hasattr(os, "sched_setaffinity") or threads >= cores():
        yield
        return
    allowed = sorted(os.sched_getaffinity(0))
    _bind(allowed[:threads])
    try:
        yield
    finally:
        _bind(allowed)


def _bind(cores: Sequence[int]) -> None:
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ["0"]:
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread), cores)


_PLACE: list[Any] = []
"""The open file that reserves cores for this process; the system releases it when the process ends."""


def _take_place(places: str, threads: int) -> None:
    """Binds this process to `threads` cores that no other process of the pool is bound to.

    JAX starts as many threads as it may use cores, and has no option for it, so this must come before its first use.
    Does nothing if the system does not support it, or if all cores are taken.
    """
    if _PLACE or not hasattr(os, "sched_setaffinity"):
        return
    import fcntl

    cores = sorted(os.sched_getaffinity(0))
    for number in range(max(1, len(cores) // threads)):
        file = open(os.path.join(places, f"place-{number}"), "w")  # noqa: SIM115 - it stays open until the process ends
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _PLACE.append(file)
        os.sched_setaffinity(0, set(cores[number * threads : (number + 1) * threads]))
        return


def _forget_compiled_code() -> None:
    """Drops compiled functions, each of which keeps memory maps, whose number per process is limited."""
    try:
        with open("/proc/self/maps", "rb") as file:
            many = sum(1 for _ in file) > _MAPS
    except OSError:
        return
    if many:
        import jax

        jax.clear_caches()
