"""What no user means to give, and what no command should hang or fall over on."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import attrax as ax
from attrax.cli import main
from tests.helpers.commands import run

DIGITS = "9" * 30


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    points = np.eye(4).reshape(4, 2, 2)
    memory = ax.Memory(ax.training.pseudoinverse(points, points), ax.Patterns.from_examples(points))
    return ax.save(tmp_path_factory.mktemp("memory") / "×.attrax", memory)


def refused(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    """What a command says that ends with 2, in one line."""
    status, _, err = run(capsys, *command)
    assert status == 2, err
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("option", "command"),
    [
        ("--epochs", ("store", "digits", "--n", 2, "--writer", "gradient", "-o", "m.attrax", "--epochs")),
        ("--max-steps", ("recall", "FILE", "--from", "noise", "--max-steps")),
        ("--steps", ("analyze", "period", "FILE", "--steps")),
        ("--jobs", ("reproduce", "fig3", "--list", "--jobs")),
    ],
)
def test_integers_beyond_64_bits_are_wrong_usage(
    option: str, command: tuple, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    err = refused(capsys, *(file if part == "FILE" else part for part in command), DIGITS)
    assert option in err
    assert f"at most {2**63 - 1}" in err


def test_settings_know_the_same_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.eye(2))
    store = ("store", tmp_path / "a.npy", "--writer", "gradient", "--width", 2, "--depth", 1, "-o", tmp_path / "m")
    for digits in (DIGITS, "1" + "0" * 400):
        assert "bits" in refused(capsys, *store, "--set", f"training.epochs={digits}")
    (tmp_path / "c.toml").write_text(f"[training]\nepochs = {2**31}\n")
    assert "at most 2147483647" in refused(capsys, *store, "--config", tmp_path / "c.toml")


def test_headers_and_tables_of_huge_integers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**70}, 2), }}".ljust(117) + "\n"
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + b"\0" * 64
    )
    assert "the file is truncated or damaged" in refused(capsys, "store", tmp_path / "a.npy", "-o", tmp_path / "m")
    (tmp_path / "a.csv").write_text("1,1" + "0" * 400 + "\n2,3\n")
    assert "finite numbers" in refused(capsys, "store", tmp_path / "a.csv", "-o", tmp_path / "m")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_of_any_name(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"a{suffix}" for suffix in (".wav", ".mp4", ".txt", ".gif", ".npy", ".npz", ".csv", ".png", ".toml")]
    for name in names:
        os.mkfifo(tmp_path / name)
    for name in names[:-1]:
        assert "regular file" in refused(capsys, "store", tmp_path / name, "-o", tmp_path / "m")
        assert "regular file" in refused(capsys, "recall", file, tmp_path / name)
    assert "a pipe" in refused(capsys, "store", "digits", "--config", tmp_path / "a.toml", "-o", tmp_path / "m")
    assert "regular file" in refused(capsys, "store", "digits", "-o", tmp_path / "a.png")
    assert "regular file" in refused(capsys, "recall", file, "--from", "noise", "-o", tmp_path / "a.npy")
    out = tmp_path / "out"
    out.mkdir()
    os.mkfifo(out / "radius.png")
    assert "a pipe" in refused(capsys, "analyze", "radius", file, "--directions", 0, "-o", out)
    # In a folder of pictures it is left out, with a word.
    (folder := tmp_path / "pictures").mkdir()
    ax.sources.save_images(folder, np.eye(4)[None], ["a"])
    os.mkfifo(folder / "b.png")
    (note,) = ax.sources.load(folder).notes
    assert note.endswith("b.png")


def test_files_of_a_terabyte_are_refused_by_their_size(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.eye(2))
    heads = {
        ".wav": b"RIFF\xff\xff\xff\xffWAVE",
        ".mp3": b"ID3",
        ".gif": b"GIF89a",
        ".jpg": b"\xff\xd8\xff",
        ".webp": b"RIFF",
    }
    for suffix, head in {**heads, ".txt": b"a", ".run": b"", ".toml": b""}.items():
        with (tmp_path / f"a{suffix}").open("wb") as stream:
            stream.write(head)
            stream.truncate(2**40)
    for suffix in (*heads, ".txt"):
        assert "GB of memory, but only" in refused(capsys, "store", tmp_path / f"a{suffix}", "-o", tmp_path / "m")
    store = ("store", tmp_path / "a.npy", "--writer", "gradient", "--width", 2, "--depth", 1, "-o", tmp_path / "m")
    assert "more than 1,048,576 bytes" in refused(capsys, *store, "--config", tmp_path / "a.toml")
    assert "GB of memory, but only" in refused(capsys, *store, "--checkpoint", tmp_path / "a.run", "--resume")


def test_outputs_without_other_letters_get_similar_ones(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    with pytest.raises(SystemExit) as ended:
        main(["info", str(file)])
    assert not ended.value.code
    assert b" 2x2 states" in written.getvalue()
    assert written.getvalue().isascii()


def test_so_do_terminals_of_the_oldest_locale(file: Path) -> None:
    environment = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
    done = subprocess.run(
        [sys.executable, "-m", "attrax", "info", str(file)], env=kept | environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" 2x2 states" in done.stdout
    assert done.stdout.isascii()
