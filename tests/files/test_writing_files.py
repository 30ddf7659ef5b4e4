"""Files under many hands: temporary names, left-overs of killed runs, locks, and what is no file."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax._base import files  # how files are written, whoever writes them
from attrax._base.checked_arrays import read_checked  # how files are read, whoever reads them
from attrax.extending import alone, write_atomically
from attrax.sources import SourceError, save_array, save_images
from tests.helpers.commands import run


def temporary(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith((".tmp", ".lock"))]


def test_threads_that_write_one_file_do_not_meet(tmp_path: Path) -> None:
    path, contents = tmp_path / "a", [bytes([number]) * 50_000 for number in range(8)]
    failed: list[Exception] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(5):
                write_atomically(path, content, sync=False)
        except ValueError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert path.read_bytes() in contents
    assert not temporary(tmp_path)


def test_a_link_is_followed_and_modes_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert write_atomically(link, lambda stream: stream.write(b"new")) == target
    assert (link.is_symlink(), target.read_bytes(), target.stat().st_mode & 0o777) == (True, b"new", 0o640)


def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with alone(path):
        assert write_atomically(path, b"content").read_bytes() == b"content"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody can be killed here")
def test_left_overs_of_killed_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from attrax._base.files import write_atomically\n"
        "write_atomically(sys.argv[1], lambda stream: os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")])
    assert killed.returncode == -signal.SIGKILL
    (left_over,) = temporary(tmp_path)
    mine = f".attrax-{files._machine()}-{os.getpid()}-{'0' * 16}.tmp"
    elsewhere, ancient = f".attrax-00000000-1-{'0' * 16}.tmp", f".attrax-00000000-2-{'0' * 16}.tmp"
    others = {mine, elsewhere, ".attrax-notes.tmp", "b.tmp"}
    for name in (*others, ancient):
        (tmp_path / name).write_bytes(b"")
    long_ago = time.time() - 2 * files._OLD
    os.utime(tmp_path / ancient, (long_ago, long_ago))
    write_atomically(tmp_path / "a", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == others | {"a"}
    assert left_over not in others


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_no_pipe_is_written_to_or_replaced(tmp_path: Path) -> None:
    for name in ("a.png", "a.npy"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match=r"a\.png can't be written: it is a pipe"):
        save_images(tmp_path, np.zeros((1, 4, 4)), ["a"])
    with pytest.raises(SourceError, match=r"a\.npy can't be written: it is a pipe"):
        save_array(tmp_path / "a.npy", np.zeros(3))
    assert all(path.is_fifo() for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match="it is a device"):
        write_atomically("/dev/null", b"")
    with pytest.raises(ValueError, match=r"a\.npy is not a readable checkpoint \(it is a pipe"):
        read_checked(tmp_path / "a.npy", format="any", what="checkpoint")


def test_only_one_at_a_time_and_what_others_do_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    with alone(path) as check_unchanged:
        with pytest.raises(ValueError, match=r"another run is writing to .*wait until it ends"), alone(path):
            pass
        check_unchanged()
        write_atomically(path, b"two")
        with pytest.raises(ValueError, match="changed by another program meanwhile"):
            check_unchanged()
    with alone(path):  # given back, and no longer there
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from attrax._base.files import alone\n"
        "with alone(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")])
    with alone(tmp_path / "a"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    points = np.random.default_rng(0).random((3, 6))
    return ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))


@pytest.mark.parametrize("command", ["add", "forget"])
def test_two_changes_at_once_lose_nothing_without_a_word(
    command: str, memory: ax.Memory, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, more = ax.save(tmp_path / "a.attrax", memory), tmp_path / "more.npy"
    np.save(more, np.random.default_rng(1).random((1, 6)))
    before, given = file.read_bytes(), {"add": more, "forget": "0"}[command]
    with alone(file):
        status, _, err = run(capsys, command, file, given)
    assert status == 2
    assert "another run is writing to" in err
    assert file.read_bytes() == before
    # Another program, which asks for no lock, writes while the change is made.
    changed = getattr(ax, command)

    def meanwhile(*arguments, **options):
        found = changed(*arguments, **options)
        write_atomically(file, b"of another program")
        return found

    monkeypatch.setattr(f"attrax.writing.{command}", meanwhile)
    status, _, err = run(capsys, command, file, given)
    assert status == 2
    assert "was changed by another program meanwhile" in err
    assert file.read_bytes() == b"of another program"


def test_two_runs_with_one_checkpoint_are_refused(tmp_path: Path) -> None:
    network = ax.maps.mlp((2,), width=2, depth=1, key=jr.key(0))
    path, points = tmp_path / "run", np.zeros((1, 2), np.float32)
    with alone(path), pytest.raises(ValueError, match="another run is writing to"):
        ax.training.fit(
            network,
            points,
            points,
            optimizer=ax.training.optimizer("gd", learning_rate=0.1),
            epochs=1,
            checkpoint=path,
            key=jr.key(0),
        )
    assert not path.exists()
