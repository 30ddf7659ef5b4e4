"""Sweeps: cells, their file, processes, kills."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attrax.sweeps import Cell, CellFound, CellRecord, CellStatus, ResultStore, Work, sweep

HERE = Path(__file__).parent


def square(settings: dict[str, Any], work: Work) -> CellFound:
    """The square of a number, and a trace of the call in a folder."""
    if "trace" in settings:
        (Path(settings["trace"]) / f"{settings['number']}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(settings.get("sleep", 0.0))
    number = settings["number"]
    return CellFound(
        {"square": number**2, "odd": np.float64("nan"), "list": np.arange(2)}, {"row": np.arange(number)}, number != 3
    )


def faulty(settings: dict[str, Any], work: Work) -> CellFound:
    """Raises."""
    raise RuntimeError("no such thing\nand more")


def endless(settings: dict[str, Any], work: Work) -> CellFound:
    """Reports its progress for ever."""
    while True:
        time.sleep(0.005)
        work.progress("waiting", 0, 1, {})


def kill_once(settings: dict[str, Any], work: Work) -> CellFound:
    """Kills its own process the first time."""
    mark = Path(settings["mark"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return CellFound({"back": True})


def cell(number: int, function: str = "square", **more: Any) -> Cell:
    limit = more.pop("time_limit", 60.0)
    return Cell("tests", f"{function}-{number}", f"test_sweeps:{function}", {"number": number, **more}, "1", limit)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # Workers import the functions of this file by name.
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))


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


@pytest.mark.parametrize("options", [{"jobs": 0}, {"threads": 0}, {"jobs": True}])
def test_wrong_arguments(tmp_path: Path, options: dict[str, Any]) -> None:
    with ResultStore(tmp_path / "r.sqlite") as store, pytest.raises(ValueError, match="must be"):
        sweep([cell(1)], store, **options)


def test_processes_and_one_that_is_killed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    cells = [cell(n, trace=str(trace), sleep=0.05) for n in range(4)]
    cells.append(cell(9, "kill_once", mark=str(tmp_path / "mark")))
    with ResultStore(tmp_path / "r.sqlite") as store:
        found = sweep(cells, store, jobs=2, threads=1)
        assert [record and str(record.status) for record in found] == ["done"] * 3 + ["not trained", "done"]
    assert (tmp_path / "mark").exists()
    assert len({name.split("-")[1] for name in os.listdir(trace)} - {str(os.getpid())}) >= 2


SWEEP = """
import sys
from pathlib import Path
from test_sweeps import cell
from attrax.sweeps import ResultStore, sweep
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
    limit = time.monotonic() + 60
    file = tmp_path / "r.sqlite"
    while time.monotonic() < limit:
        time.sleep(0.02)
        if file.exists():
            with ResultStore(file) as store:
                finished = store.finished(cells)
            if len(finished) >= 3:
                break
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with ResultStore(file) as store:
        finished = store.finished(cells)
        assert 3 <= len(finished) < 8
        before = len(calls(trace))
    subprocess.run(command, check=True)
    with ResultStore(file) as store:
        assert store.finished(cells) == {one.fingerprint for one in cells}
    # What was finished did not run again; at most what was under way ran twice.
    assert len(calls(trace)) - before == 8 - len(finished)
    assert before - len(finished) <= 2 * jobs  # under way, and done but not added yet


def test_dask_that_does_not_answer(tmp_path: Path) -> None:
    with ResultStore(tmp_path / "r.sqlite") as store, pytest.raises(ValueError, match="dask: "):
        sweep([cell(1)], store, dask="no-such-protocol://127.0.0.1:1")


@pytest.mark.filterwarnings("ignore")
def test_dask_goes_on_without_a_worker_that_was_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    trace = tmp_path / "trace"
    trace.mkdir()
    cells = [cell(n, trace=str(trace), sleep=0.3) for n in range(10)]
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    killed: list[int] = []
    with cluster, distributed.Client(cluster) as client, ResultStore(tmp_path / "r.sqlite") as store:
        pids = list(client.run(os.getpid).values())

        def kill(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
            if done == 2 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        found = sweep(cells, store, dask=cluster.scheduler_address, progress=kill)
    assert killed
    assert [record and record.numbers["square"] for record in found] == [n**2 for n in range(10)]
    assert set(calls(trace)) == {str(n) for n in range(10)}
