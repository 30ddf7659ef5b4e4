"""Sweeps: cells, their file, processes, kills."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from helpers import PATIENCE, wait_until
from sweep_cells import cell, finished_in

from attrax._base import cluster as dask_calls  # to wait less
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, ResultStore, Work, sweep
from attrax.paper.sweeps import _run as running
from attrax.paper.sweeps._cells import run_cell
from attrax.training import fit

HERE = Path(__file__).parent


class Shift(eqx.Module):
    """A map that adds a number."""

    by: jnp.ndarray

    def __call__(self, x: jnp.ndarray) -> jnp.ndarray:
        return x + self.by


def train(settings: dict[str, Any], work: Work) -> CellFound:
    """One number is brought to another, and the checkpoint is there to be damaged."""
    found = fit(
        Shift(jnp.zeros(())),
        jnp.zeros((1, 1)),
        jnp.full((1, 1), 2.0),
        optimizer=optax.sgd(0.5),
        epochs=settings["epochs"],
        tol=1e-8,
        checkpoint=work.checkpoint,
        resume=True,
        progress=work.progress,
        key=jr.key(0),
    )
    if settings.get("fail"):
        raise RuntimeError("the checkpoint stays")
    return CellFound({"loss": found.loss})


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # Workers import the functions of cells by name.
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]))


def calls(folder: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in folder.iterdir())


def test_fingerprint_is_of_what_decides_the_result() -> None:
    one = cell(2)
    assert one.fingerprint == Cell("else", "other", one.function, {"number": 2}, "1", 60.0).fingerprint
    others = [
        cell(3),
        cell(2, "faulty"),
        cell(2, time_limit=61.0),
        Cell("tests", "x", one.function, {"number": 2}, "2"),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert Cell("a", "b", "c:d", {"t": (1, 2)}).settings == {"t": [1, 2]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b", "nowhere", {}), "MODULE:NAME"),
        (("a", "b", "c:d", {"x": {1}}), "JSON"),
        (("a", "b", "c:d", {"x": float("nan")}), "JSON"),
        (("a", "b", "c:d", {}, "", 0.0), "time_limit"),
    ],
)
def test_wrong_cells(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cell(*arguments)


def test_store_keeps_what_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.sqlite"
    record = CellRecord(cell(1), CellStatus.NOT_TRAINED, {"a": [1, None]}, {"x": np.ones((2, 3), "f4")}, 1.5, "why")
    with ResultStore(file) as store:
        assert store.get(cell(1)) is None
        store.add(record)
        store.add(CellRecord(cell(2), CellStatus.FAILED, {}, {}, 0.0, "error"))
        assert store.finished([cell(1), cell(2), cell(3)]) == {cell(1).fingerprint}
    with ResultStore(file) as store:
        found = store.get(cell(1))
    assert found is not None
    assert (found.status, found.numbers, found.seconds, found.message) == ("not trained", {"a": [1, None]}, 1.5, "why")
    assert found.arrays["x"].dtype == np.float32
    assert found.arrays["x"].tolist() == np.ones((2, 3)).tolist()
    rows = sqlite3.connect(file)
    assert rows.execute("SELECT json_extract(settings, '$.number') FROM results ORDER BY 1").fetchall() == [(1,), (2,)]
    rows.close()


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    file = tmp_path / "results.sqlite"
    file.write_text("this is no database, and long enough to be sure of it" * 20)
    with pytest.raises(ValueError, match="can't be opened"):
        ResultStore(file)


def test_sweep_runs_each_cell_once(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    seen: list[tuple[int, int]] = []
    cells = [cell(n, trace=str(trace)) for n in (1, 2, 3, 2)]
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = sweep(cells, store, progress=lambda task, done, total, numbers: seen.append((done, total)))
        assert [record and record.numbers["square"] for record in found] == [1, 4, 9, 4]
        assert [record and str(record.status) for record in found] == ["done", "done", "not trained", "done"]
        assert found[0] is not None
        assert found[0].numbers["odd"] is None
        assert found[1] is not None
        assert found[1].arrays["row"].tolist() == [0, 1]
        assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
        sweep([*cells, cell(4, trace=str(trace))], store)
    assert calls(trace) == ["1", "2", "3", "4"]


def test_errors_and_limits_end_one_cell_only(tmp_path: Path) -> None:
    cells = [cell(1, "faulty"), cell(2, "endless", time_limit=0.05), cell(3, "missing"), cell(4)]
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = [record for record in sweep(cells, store) if record is not None]
        assert [str(record.status) for record in found] == ["failed", "not trained", "failed", "done"]
        assert found[0].message == "RuntimeError: no such thing"
        assert "0.05 s" in found[1].message
        assert "missing" in found[2].message
        assert store.finished(cells) == {cells[1].fingerprint, cells[3].fingerprint}


def test_a_failure_does_not_take_the_place_of_a_result(tmp_path: Path) -> None:
    made_by = {"attrax": "1", "cores": 2}
    steps = [("failed", "failed"), ("not trained", "not trained"), ("failed", "not trained"), ("done", "done")]
    with ResultStore(tmp_path / "r.sqlite") as store:
        for given, kept in [*steps, ("failed", "done")]:
            store.add(CellRecord(cell(1), CellStatus(given), {}, {}, 0.0, given, made_by))
            found = store.get(cell(1))
            assert found is not None
            assert (found.status, found.message, found.made_by) == (kept, kept, made_by)


def test_what_the_file_cannot_hold_fails_one_cell(tmp_path: Path) -> None:
    cells = [cell(1, "refused"), cell(2)]
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = sweep(cells, store)
        assert [str(record.status) for record in found] == ["failed", "done"]
        assert "the array words is of <U1" in found[0].message
        with pytest.raises(ValueError, match="the result of square-3 can't be kept"):
            store.add(CellRecord(cell(3), CellStatus.DONE, {}, {"x": np.array([object()])}, 0.0))


def test_a_file_that_is_damaged_or_full_is_named(tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    big = CellRecord(cell(1), CellStatus.DONE, {}, {"x": np.arange(50_000.0)}, 0.0)
    with ResultStore(file) as store:
        store._connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(ValueError, match=r"r.sqlite: .*full"):
            store.add(big)
        store._connection.execute("PRAGMA max_page_count = 1000")
        store.add(big)
        store._connection.execute("UPDATE results SET arrays = x'00'")
        store._connection.commit()
        with pytest.raises(ValueError, match=r"r.sqlite: the results can't be read"):
            store.get(cell(1))
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(ValueError, match=r"r.sqlite: the results can't be"), ResultStore(file) as store:
        store.finished([cell(1)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_is_not_ours_to_write(tmp_path: Path) -> None:
    file = tmp_path / "r.sqlite"
    ResultStore(file).close()
    file.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ValueError, match=r"r.sqlite"), ResultStore(file) as store:
            sweep([cell(1)], store)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("options", [{"jobs": 0}, {"threads": 0}, {"jobs": True}])
def test_wrong_arguments(tmp_path: Path, options: dict[str, Any]) -> None:
    with ResultStore(tmp_path / "r.sqlite") as store, pytest.raises(ValueError, match="must be"):
        sweep([cell(1)], store, **options)


def test_processes_and_one_that_is_killed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    cells = [cell(n, trace=str(trace), sleep=0.05) for n in range(4)]
    cells += [cell(9, "kill_once", mark=str(tmp_path / "mark")), cell(10, "told")]
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = sweep(cells, store, jobs=2, threads=1)
        assert [record and str(record.status) for record in found] == ["done"] * 3 + ["not trained", "done", "done"]
    # Nobody waits for what no cell computes with.
    assert (found[-1].numbers["modules"], found[-1].made_by["device"]) == ([], "cpu")
    assert (tmp_path / "mark").exists()
    assert len({name.split("-")[1] for name in os.listdir(trace)} - {str(os.getpid())}) >= 2


def test_a_cell_that_kills_its_process_again_and_again_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_DEATHS", 2)
    trace = tmp_path / "trace"
    trace.mkdir()
    poison = cell(99, "kill_always")
    cells = [
        cell(0, trace=str(trace), sleep=0.4),
        poison,
        *(cell(n, trace=str(trace), sleep=0.05) for n in range(4, 8)),
    ]
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = sweep(cells, store, jobs=2, threads=1)
        assert [str(record.status) for record in found] == ["done", "failed", *["done"] * 4]
        assert found[1].message == "its process died 2 times, usually because memory ran out"
        assert store.finished(cells) == {one.fingerprint for one in cells} - {poison.fingerprint}
    # What was under way beside it ran twice, not as often as it died.
    assert max(calls(trace).count(name) for name in calls(trace)) <= 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_threads_of_a_single_job(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        every = os.sched_getaffinity(0)
        with ResultStore(tmp_path / "r.sqlite") as store:
            found = sweep([cell(1, "told"), cell(2, "faulty")], store, threads=1)
            assert found[0].numbers["cores"] == 1
            assert os.sched_getaffinity(0) == every
            assert found[0].made_by["device"] == jax.devices()[0].device_kind
            assert sweep([cell(3, "told")], store)[0].numbers["cores"] == len(every)
    finally:
        os.sched_setaffinity(0, before)


def test_checkpoints_where_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = sweep([cell(1, "told")], store, checkpoints="deep/down")[0]
    assert found.numbers["checkpoint"] == str(tmp_path / "deep" / "down" / f"{cell(1, 'told').fingerprint}.checkpoint")
    # On another machine the folder is made if it can be, and done without if not.
    assert run_cell(cell(1, "told"), tmp_path / "new" / "one").numbers["checkpoint"].startswith(str(tmp_path / "new"))
    assert (tmp_path / "new" / "one").is_dir()
    (tmp_path / "file").touch()
    found = run_cell(cell(1, "told"), tmp_path / "file" / "below")
    assert (found.status, found.numbers["checkpoint"]) == ("done", None)
    with ResultStore(tmp_path / "r.sqlite") as store, pytest.raises(ValueError, match="checkpoints: the folder"):
        sweep([cell(2)], store, checkpoints=tmp_path / "file")


def test_a_damaged_checkpoint_is_given_up(tmp_path: Path) -> None:
    part = cell(1, "test_sweeps:train", epochs=5)
    file = tmp_path / f"{part.fingerprint}.checkpoint"
    other = cell(1, "test_sweeps:train", epochs=5, fail=True)
    assert "stays" in run_cell(other, tmp_path).message
    whole = (tmp_path / f"{other.fingerprint}.checkpoint").read_bytes()
    for content in (b"no checkpoint", whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(content)
        found = run_cell(part, tmp_path)
        assert (found.status, found.message) == ("done", "its checkpoint was damaged, so it was made again")
        assert not file.exists()
    # One with other data is none of these: whoever moved the data may bring them back.
    file.write_bytes(other_run(tmp_path))
    found = run_cell(part, tmp_path)
    assert "belongs to a run with other data" in found.message
    assert found.status is CellStatus.FAILED
    assert file.exists()


def other_run(folder: Path) -> bytes:
    file = folder / "other"
    fit(
        Shift(jnp.zeros(())),
        jnp.zeros((1, 1)),
        jnp.ones((1, 1)),
        optimizer=optax.sgd(0.5),
        epochs=1,
        tol=1e-8,
        checkpoint=file,
        key=jr.key(0),
    )
    return file.read_bytes()


SWEEP = """
import sys
from pathlib import Path
from sweep_cells import cell
from attrax.paper.sweeps import ResultStore, sweep
folder = Path(sys.argv[1])
with ResultStore(folder / "r.sqlite") as store:
    sweep([cell(n, trace=str(folder / "trace"), sleep=0.15) for n in range(8)], store, jobs=int(sys.argv[2]), threads=1)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_sweep_goes_on(tmp_path: Path, jobs: int) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    command = [sys.executable, "-c", SWEEP, str(tmp_path), str(jobs)]
    running = subprocess.Popen(command, start_new_session=True)
    cells = [cell(n, trace=str(trace), sleep=0.15) for n in range(8)]
    file = tmp_path / "r.sqlite"
    wait_until(lambda: len(finished_in(file, cells)) >= 3)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with ResultStore(file) as store:
        finished = store.finished(cells)
        assert 3 <= len(finished) < 8
        before = len(calls(trace))
    with ResultStore(file) as store:
        sweep(cells, store, jobs=jobs, threads=1)
        assert store.finished(cells) == {one.fingerprint for one in cells}
    # What was finished did not run again; at most what was under way ran twice.
    assert len(calls(trace)) - before == 8 - len(finished)
    assert before - len(finished) <= 2 * jobs  # under way, and done but not added yet


ENDLESS = (
    SWEEP.replace("cell(n, ", "cell(n, ('endless', 'deaf')[n % 2], ")
    .replace("sleep=0.15", "time_limit=1e6")
    .replace("(8)", "(2)")
)


def waiting(folder: Path, jobs: int) -> tuple["subprocess.Popen[bytes]", list[int]]:
    """A sweep of cells without end in a process of its own, and the processes that run them."""
    trace = folder / "trace"
    trace.mkdir()
    command = [sys.executable, "-c", ENDLESS, str(folder), str(jobs)]
    running = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(os.listdir(trace)) >= jobs)
    return running, [int(name) for name in os.listdir(trace)]


def alive(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_the_process_that_asked(tmp_path: Path) -> None:
    running, processes = waiting(tmp_path, 2)
    try:
        assert len(processes) == 2
        assert running.pid not in processes
        with ResultStore(tmp_path / "r.sqlite") as store:
            with pytest.raises(ValueError, match=f"another run is writing to {tmp_path}"):
                sweep([cell(1)], store)
            assert store.get(cell(1)) is None
            running.kill()  # this one alone
            running.wait()
            # The others do not hold its lock.
            assert sweep([cell(1)], store)[0].status is CellStatus.DONE
        assert wait_until(lambda: not any(map(alive, processes)))
    finally:
        with contextlib.suppress(OSError):
            os.killpg(running.pid, signal.SIGKILL)


def refusing() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.filterwarnings("ignore")
def test_dask_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    monkeypatch.setattr(dask_calls, "_SECONDS", 0.5)
    with ResultStore(tmp_path / "r.sqlite") as store:
        for address in (refusing(), "no-such-protocol://127.0.0.1:1"):
            with pytest.raises(ValueError, match="dask: no scheduler responds at"):
                sweep([cell(1)], store, dask=address)
        assert sweep([], store, dask=refusing()) == ()
        sweep([cell(1)], store)
        assert len(sweep([cell(1)], store, dask=refusing())) == 1


def test_dask_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with ResultStore(tmp_path / "r.sqlite") as store, pytest.raises(ValueError, match=r"dask: .* is not installed"):
        sweep([cell(1)], store, dask="tcp://127.0.0.1:1")


def address_in(file: Path) -> str:
    """Where the scheduler listens that writes this file, once it has written it."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(file.read_text())["address"]
    return ""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_dask_whose_scheduler_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals) -> None:
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    monkeypatch.setattr(dask_calls, "_SECONDS", 2)
    told = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", "127.0.0.1"]
    command += ["--port", "0", "--scheduler-file", str(told)]
    scheduler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = wait_until(lambda: address_in(told))
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cells = [cell(n, sleep=0.2) for n in range(6)]

    def lose(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if done == 2:
            scheduler.send_signal(how)

    try:
        with distributed.Client(address, timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=PATIENCE)
        with ResultStore(tmp_path / "r.sqlite") as store:
            with pytest.raises(ValueError, match=r"was lost; \d of 6 cells were finished and are kept"):
                sweep(cells, store, dask=address, progress=lose)
            assert 2 <= len(store.finished(cells)) < 6
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


@pytest.mark.filterwarnings("ignore")
def test_dask_and_workers_that_are_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    trace = tmp_path / "trace"
    trace.mkdir()
    cells = [cell(n, trace=str(trace), sleep=0.2) for n in range(8)]
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    killed: list[int] = []
    with cluster, ResultStore(tmp_path / "r.sqlite") as store:
        with distributed.Client(cluster) as client:
            pids = list(client.run(os.getpid).values())

        def kill(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
            if done == 2 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        # The cells of a worker that was killed from outside go to another one.
        found = sweep(cells, store, dask=cluster.scheduler_address, progress=kill)
        assert killed
        assert [record and record.numbers["square"] for record in found] == [n**2 for n in range(8)]
        assert set(calls(trace)) == {str(n) for n in range(8)}
        # A cell that kills its workers is given up; the one beside it, which Dask may blame too, is not.
        cluster.scheduler.allowed_failures = 0
        found = sweep([cell(8), cell(1, "kill_always")], store, dask=cluster.scheduler_address)
        assert found[0].status is CellStatus.DONE
        assert (found[1].status, found[1].message[:30]) == ("failed", "Dask gave it up: KilledWorker:")
