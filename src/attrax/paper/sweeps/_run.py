"""Running cells: in this process, in several, or on a Dask cluster."""

import contextlib
import logging
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrax.extending import Progress, checks
from attrax.paper.sweeps._cells import Cell, CellFound, CellRecord, CellStatus, run_cell
from attrax.paper.sweeps._store import ResultStore

_DEATHS = 3
"""So often the process of a cell may die before the cell is given up as failed."""
_DASK_SECONDS = 10
"""How long a Dask scheduler may take to answer."""
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
) -> tuple[CellRecord, ...]:
    """Runs the cells that are not in `store` yet and adds each to it as soon as it is done.

    After a kill at any moment the same call goes on where it was; only the cells under way are lost. A cell that raises
    is recorded as failed and does not end the others, and so is one whose process died again and again. Equal cells run
    once.

    **Arguments:**

    - `cells`: in any number, independent of each other.
    - `store`: where results are looked up and added.
    - `jobs`: processes. With 1 the cells run in this one.
    - `threads`: of each process, by default the cores divided by `jobs`. A process is bound to as many cores of its own
      where the system can do that; this one, with one job, until the sweep is over.
    - `dask`: address of a Dask scheduler, such as `tcp://127.0.0.1:8786`, whose workers run the cells in place of
      `jobs` processes; what a lost worker had under way goes to another. Needs `dask[distributed]`.
    - `checkpoints`: a folder for the training under way. A machine of a cluster that can't write to it does without.
    - `progress`: called with the number of finished cells.

    **Returns:** a record a cell, in order. **Raises** `ValueError` for wrong arguments, and where another run adds to
    the same file, before any cell runs; where Dask is needed but not installed, does not answer, or is lost; where
    `store` can't be written to any more. What was added before is kept.

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
    """Threads of each of so many processes: the cores that this process may use, divided among them."""
    return max(1, _cores() // jobs)


def echo(settings: dict[str, Any], work: Any) -> CellFound:
    """The smallest cell: its settings come back as its numbers. For trying out a cluster."""
    return CellFound(settings)


def _folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made where it is missing; by its full name, for workers may run elsewhere."""
    folder = Path(path).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"checkpoints: the folder {folder} can't be made: {error.strerror or error}") from None
    return folder


Records = Generator[CellRecord, None, None]


def _run(cells: Sequence[Cell], scratch: Path | None, jobs: int, threads: int, dask: str | None) -> Records:
    """The records of the cells, in the order in which they are done."""
    if not cells:
        return
    if dask is not None:
        yield from _on_dask(cells, scratch, dask)
    elif jobs == 1:
        yield from _here(cells, scratch, threads)
    else:
        yield from _in_processes(cells, scratch, jobs, threads)


def _here(cells: Sequence[Cell], scratch: Path | None, threads: int) -> Records:
    with _bound(threads):
        for cell in cells:
            record = run_cell(cell, scratch)
            _forget_compiled_code()
            yield record


def _in_processes(cells: Sequence[Cell], scratch: Path | None, jobs: int, threads: int) -> Records:
    """A process that is killed, for want of memory as a rule, takes the whole pool along; a new one goes on.

    What was under way starts again, one cell at a time, until it is known which of them it was.
    """
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    pending = {cell.fingerprint: cell for cell in cells}
    deaths: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="attrax-", ignore_cleanup_errors=True) as places,
        joblib.parallel_config(backend="loky", inner_max_num_threads=threads),
        warnings.catch_warnings(),
    ):
        # A process whose memory has grown is replaced by a fresh one, as it should be: compilers keep much.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        work = joblib.delayed(_in_worker)
        while pending:
            batch = [cell for mark, cell in pending.items() if deaths[mark]][:1] or list(pending.values())
            # A cell at a time, for one may take hours and the next a second.
            options: dict[str, Any] = {"batch_size": 1}
            # joblib has no types of its generators.
            pool: Any = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", **options)
            try:
                for record in pool(work(cell, scratch, places, threads, os.getpid()) for cell in batch):
                    del pending[record.cell.fingerprint]
                    yield record
            except BrokenProcessPool:
                for cell in _under_way(batch, Path(places)):
                    deaths[cell.fingerprint] += 1
                    if deaths[cell.fingerprint] == _DEATHS:
                        del pending[cell.fingerprint]
                        yield _dead(cell, f"its process died {_DEATHS} times, for want of memory as a rule")


def _under_way(batch: Sequence[Cell], places: Path) -> list[Cell]:
    """Those of the cells whose mark is there, which is taken away; all of them, where none is."""
    marks = {path.name for path in places.glob("*.cell")}
    for name in marks:
        (places / name).unlink()
    pending = [cell for cell in batch if f"{cell.fingerprint}.cell" in marks]
    return pending or list(batch)


def _dead(cell: Cell, why: str) -> CellRecord:
    return CellRecord(cell, CellStatus.FAILED, {}, {}, 0.0, why)


def _in_worker(cell: Cell, scratch: Path | None, places: str, threads: int, parent: int) -> CellRecord:
    _take_place(places, threads)
    mark = Path(places, f"{cell.fingerprint}.cell")
    mark.touch()
    record = run_cell(cell, scratch, parent=parent)
    mark.unlink(missing_ok=True)
    _forget_compiled_code()
    return record


def _on_dask(cells: Sequence[Cell], scratch: Path | None, address: str) -> Records:
    """What a lost worker had under way goes to another, which Dask gives up when several are lost.

    It blames all that the workers held; so each of these runs once more, alone, before it is given up here. These are
    Dask's own futures: joblib's Dask backend does not say which cell it was, and waits forever for a lost scheduler.
    """
    client = _client(address)
    from distributed import as_completed

    done = 0
    batches = [list(cells)]
    # It logs a lost scheduler with tracebacks; here that becomes an error of one line.
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        while batches:
            batch = batches.pop(0)
            futures = {client.submit(_on_worker, cell, scratch, pure=False): cell for cell in batch}
            for future in as_completed(futures, loop=client.loop):
                if future.status == "error" and len(batch) > 1:
                    batches.append([futures[future]])
                    continue
                if future.status == "finished":
                    record = future.result()
                elif future.status == "error":
                    error = future.exception()
                    record = _dead(futures[future], f"Dask gave it up: {type(error).__name__}: {error}".splitlines()[0])
                else:
                    raise ValueError(
                        f"dask: the scheduler at {address!r} was lost; {done} of {len(cells)} cells were finished and "
                        "are kept, and the same call goes on with the others"
                    )
                done += 1
                yield record
    finally:
        client.close()
        log.setLevel(level)


def _on_worker(cell: Cell, scratch: Path | None) -> CellRecord:
    record = run_cell(cell, scratch)
    _forget_compiled_code()
    return record


@contextlib.contextmanager
def _bound(threads: int) -> Iterator[None]:
    """Binds all threads of this process to so many of its cores, those that JAX has started too, and frees them again.

    Nothing happens where the system has no such thing.
    """
    if not hasattr(os, "sched_setaffinity") or threads >= _cores():
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    _bind(cores[:threads])
    try:
        yield
    finally:
        _bind(cores)


def _bind(cores: Sequence[int]) -> None:
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ["0"]:
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread), cores)


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
        client = Client(address, timeout=_DASK_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ValueError(
            f"dask: no scheduler answers at {address!r} ({error}); start one with dask scheduler"
        ) from None
    if not client.scheduler_info()["workers"]:
        client.close()
        raise ValueError(f"dask: the scheduler at {address!r} has no workers; start some with dask worker {address}")
    return client
