"""Storing that was interrupted goes on where it was, and ends with the same bits, whatever it was doing."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import numpy as np
import pytest
from helpers.commands import run

import attrax as ax
from attrax.certificates import _certify  # how many are certified before the next save
from attrax.training import _fit  # how often training reports
from attrax.writing import _winner_take_all  # making the network, between training and certificates

COUNT, PIECE = 200, 40
POINTS = ax.sources.load("digits", n=COUNT).values
WRITERS = {
    "trained": ax.WinnerTakeAll(epochs=40, corruptions=("gaussian:0.2",), width=128),
    "not trained": ax.WinnerTakeAll(epochs=0, width=128),
    "constructed": ax.Constructed(),
    "chosen": ax.Auto(writers=(ax.Constructed("pseudoinverse"), ax.Constructed())),
}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of training after each epoch, and a save after each piece of the certificates."""
    for name, value in (("_PROGRESS_SECONDS", 1e-9), ("_CHECKPOINT_SECONDS", 0.0), ("_WRITING_TIMES", 0.0)):
        monkeypatch.setattr(_fit, name, value)
    monkeypatch.setattr(_certify, "_SAVE_EVERY", 0.0)
    monkeypatch.setattr(_certify, "sizes_within", lambda *_: (1, PIECE))


def stored(writer: str, **options: Any) -> ax.Memory:
    return ax.store(POINTS, writer=WRITERS[writer], key=jr.key(3), **options)


def check_same(found: ax.Memory, expected: ax.Memory) -> None:
    """The same network, points and certificates, bit for bit."""
    for one, other in zip(jax.tree.leaves(found.map), jax.tree.leaves(expected.map), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.examples().points, expected.examples().points)
    assert found.certificate is not None
    assert expected.certificate is not None
    for field in fields(ax.Certificate):
        one, other = (getattr(memory.certificate, field.name) for memory in (found, expected))
        np.testing.assert_array_equal(one, other, err_msg=field.name)


def stops(task: str, done: int) -> Any:
    """What stops the run there, and the list of what has been reported."""
    reported: list[tuple[str, int]] = []

    def progress(now: str, finished: int, *_: Any) -> None:
        reported.append((now, finished))
        if now == task and finished >= done:
            raise KeyboardInterrupt

    return progress, reported


@pytest.mark.parametrize("writer", WRITERS)
def test_interrupted_certificates_go_on(writer: str, tmp_path: Path) -> None:
    """Twice in one run, and the second time further on."""
    options: dict[str, Any] = {"checkpoint": tmp_path / "run"}
    for done, resume in ((PIECE + 3, False), (3 * PIECE + 1, True)):
        progress, reported = stops("certifying", done)
        with pytest.raises(KeyboardInterrupt):
            stored(writer, resume=resume, progress=progress, **options)
        begun = next(finished for task, finished in reported if task == "certifying")
        assert begun == (PIECE + 1 if resume else 1)
    progress, reported = stops("nothing", 0)
    found = stored(writer, resume=True, progress=progress, **options)
    assert ("training", 1) not in reported
    assert next(finished for task, finished in reported if task == "certifying") == 3 * PIECE + 1
    check_same(found, stored(writer))


def test_interrupted_training_goes_on(tmp_path: Path) -> None:
    progress, _ = stops("training", 10)
    with pytest.raises(KeyboardInterrupt):
        stored("trained", checkpoint=tmp_path / "run", progress=progress)
    progress, reported = stops("nothing", 0)
    check_same(stored("trained", checkpoint=tmp_path / "run", resume=True, progress=progress), stored("trained"))
    assert reported[0][0] == "training"
    assert reported[0][1] >= 10


@pytest.mark.parametrize("writer", ["trained", "not trained"])
def test_an_interruption_while_the_network_is_made(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_winner_take_all, "winner_take_all_network", stop)
        with pytest.raises(KeyboardInterrupt):
            stored(writer, checkpoint=tmp_path / "run")
    progress, reported = stops("nothing", 0)
    check_same(stored(writer, checkpoint=tmp_path / "run", resume=True, progress=progress), stored(writer))
    assert {task for task, _ in reported} == {"certifying"}


def test_a_run_that_does_not_resume_begins_anew(tmp_path: Path) -> None:
    progress, _ = stops("certifying", 2 * PIECE)
    with pytest.raises(KeyboardInterrupt):
        stored("constructed", checkpoint=tmp_path / "run", progress=progress)
    progress, reported = stops("nothing", 0)
    stored("constructed", checkpoint=tmp_path / "run", progress=progress)
    assert ("certifying", 1) in reported


@pytest.mark.parametrize("resume", [True, False])
def test_a_file_that_is_not_ours_is_refused_at_once_and_kept(resume: bool, tmp_path: Path) -> None:
    (tmp_path / "run.certificate").write_text("mine")
    progress, reported = stops("nothing", 0)
    with pytest.raises(ValueError, match=r"run\.certificate is not a readable checkpoint"):
        stored("trained", checkpoint=tmp_path / "run", resume=resume, progress=progress)
    assert (tmp_path / "run.certificate").read_text() == "mine"
    assert not reported


def test_a_refused_run_keeps_the_certificates_of_an_earlier_one(tmp_path: Path) -> None:
    stored("constructed", checkpoint=tmp_path / "run")
    before = (tmp_path / "run.certificate").read_bytes()
    network = ax.maps.mlp((8, 8), width=4, depth=1, key=jr.key(0))
    with pytest.raises(ValueError, match="makes its own network"):
        ax.store(POINTS, network, writer=ax.Constructed(), checkpoint=tmp_path / "run", key=jr.key(0))
    assert (tmp_path / "run.certificate").read_bytes() == before


def test_a_name_that_is_too_long_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be used"):
        stored("constructed", checkpoint=tmp_path / ("x" * 250))


KILLED = """
import sys
import jax.random as jr
import attrax as ax
from attrax.certificates import _certify

_certify._SAVE_EVERY, _certify.sizes_within = 0.0, lambda *_: (1, 40)

def run(checkpoint=None, resume=False, progress=None):
    points = ax.sources.load("digits", n=200).values
    writer = ax.WinnerTakeAll(epochs=40, corruptions=("gaussian:0.2",), width=128)
    return ax.store(points, writer=writer, key=jr.key(3), checkpoint=checkpoint, resume=resume, progress=progress)
"""
TELLING = """
run(sys.argv[1], resume=True, progress=lambda task, done, total, numbers: print(task, done, flush=True))
"""


@pytest.mark.parametrize("moments", [[("training", 1), ("certifying", 1)], [("certifying", 50), ("certifying", 130)]])
def test_a_run_that_is_killed_twice_ends_with_the_same_bits(moments: list[tuple[str, int]], tmp_path: Path) -> None:
    for task, done in moments:
        command = [sys.executable, "-c", KILLED + TELLING, str(tmp_path / "run")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                now, finished = line.split()
                if now == task and int(finished) >= done:
                    child.kill()
                    break  # what comes after may be half a line
        assert child.returncode == -9
    names: dict[str, Any] = {}
    exec(KILLED, names)  # the very lines that the children ran
    check_same(names["run"](tmp_path / "run", resume=True), names["run"]())


def test_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["store", "digits", "--n", 100, "--writer", "margin", "--checkpoint", tmp_path / "run"]
    assert run(capsys, *command, "-o", tmp_path / "first.attrax")[0] == 0
    assert (tmp_path / "run.certificate").exists()
    status, _, err = run(capsys, *command, "-o", tmp_path / "second.attrax")
    assert status == 2
    assert "run.certificate" in err
    assert "--resume" in err
    assert run(capsys, *command, "--resume", "-o", tmp_path / "second.attrax")[0] == 0
    check_same(*(ax.load(tmp_path / f"{name}.attrax") for name in ("first", "second")))
    same = [*command[:-1], tmp_path / "other", "-o", tmp_path / "other.certificate"]
    status, _, err = run(capsys, *same)
    assert status == 2
    assert "--output" in err
