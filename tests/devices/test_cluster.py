"""Recall and the census on a Dask cluster: what comes out is what one process finds, even if a worker is killed."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from helpers.commands import run

import attrax as ax
from attrax._base import cluster  # `in_order` is for attrax's own functions
from attrax.analysis import _census_blocks, _spurious  # for small blocks, so that there are several
from attrax.dynamics import _recall  # for small pieces

pytestmark = pytest.mark.filterwarnings("ignore")
FACES = np.random.default_rng(0).uniform(size=(12, 6, 6))


@pytest.fixture(scope="module")
def workers() -> Iterator[tuple[str, list[int]]]:
    """The address of a scheduler with two workers, and the numbers of their processes."""
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(n_workers=2, **options) as found:
        with distributed.Client(found) as client:
            pids = list(client.run(os.getpid).values())
        yield found.scheduler_address, pids


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    """Weights in 64 bits, which JAX in a worker must not cut to 32."""
    return ax.store(FACES, writer=ax.Constructed("margin"), key=jr.key(0))


def same(one: Any, other: Any) -> bool:
    return repr(one.as_dict()) == repr(other.as_dict())


def test_recall_is_that_of_one_process(
    workers: tuple[str, list[int]], memory: ax.Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_recall, "_PIECE", 7)
    address, pids = workers
    expected = np.arange(36) % 12
    cues = FACES[expected] + 0.1 * np.random.default_rng(1).normal(size=(36, 6, 6))
    killed: list[int] = []

    def kill(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        assert (task, total) == ("iterating", 36)
        if not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    here = ax.recall(memory, cues, expected=expected, path=True)
    there = ax.recall(memory, cues, expected=expected, path=True, dask=address, progress=kill)
    assert killed
    assert same(here, there)
    assert all(map(np.array_equal, here.path or (), there.path or ()))
    known = np.random.default_rng(2).uniform(size=(36, 6, 6)) < 0.5
    assert same(ax.recall(memory, cues, known=known), ax.recall(memory, cues, known=known, dask=address))
    with pytest.raises(ValueError, match="cues"):  # before anything is sent
        ax.recall(memory, cues[:, :3], dask="tcp://127.0.0.1:1")


def test_the_census_is_that_of_one_process(
    workers: tuple[str, list[int]], memory: ax.Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (_census_blocks, _spurious):
        monkeypatch.setattr(module, "BLOCK", 50)
    monkeypatch.setattr(_spurious, "_SAVE_EVERY", 0.0)
    address, _ = workers
    options: dict[str, Any] = {"num_starts": 330, "key": jr.key(3)}
    here = ax.analysis.find_spurious(memory, **options)

    def stop(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if done > 100:
            raise KeyboardInterrupt

    saved = tmp_path / "census"
    with pytest.raises(KeyboardInterrupt):
        ax.analysis.find_spurious(memory, **options, dask=address, checkpoint=saved, progress=stop)
    there = ax.analysis.find_spurious(memory, **options, dask=address, checkpoint=saved)
    assert same(here, there)
    assert here.label.tolist() == there.label.tolist()


def test_the_command_line(
    workers: tuple[str, list[int]], memory: ax.Memory, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, found = tmp_path / "faces.attrax", []
    ax.save(file, memory)
    for command in (["recall", file, "--corrupt", "gaussian:0.1"], ["analyze", "spurious", file, "--starts", "40"]):
        for more in ([], ["--dask", workers[0]]):
            status, printed, _ = run(capsys, *command, *more, "--json")
            assert status == 0
            found.append(json.loads(printed))
        assert found[-1] == found[-2]
    status, printed, _ = run(capsys, "recall", file, "--corrupt", "gaussian:0.1", "--dask", "nowhere", "--devices", "1")
    assert (status, printed) == (2, "")


def fails(item: int, what: str) -> int:
    if item == 2:
        raise OSError(what)
    return item


def test_a_call_that_fails_is_named(workers: tuple[str, list[int]]) -> None:
    found = {number: (value, reason) for number, value, reason in cluster.on_dask(fails, range(5), workers[0], "no")}
    assert found.pop(2) == (None, "Dask gave it up: OSError: no")
    assert found == {number: (number, None) for number in (0, 1, 3, 4)}
    with pytest.raises(ValueError, match="part 3 has no result: Dask gave it up: OSError: no"):
        list(cluster.in_order(fails, range(5), workers[0], "no"))
