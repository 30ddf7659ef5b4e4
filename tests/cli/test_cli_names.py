"""Names of files, from the sources to every answer; and errors that name options."""

from functools import partial
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from PIL import Image

import attrax as ax
from attrax.report import write_page
from tests.helpers.commands import run, strict

WRITE = ("--writer", "margin")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pets")
    draw = np.random.default_rng(0)
    for place in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/\x1b[31m.png"):
        (folder / place).parent.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (6, 9), np.uint8)).save(folder / place)
    Image.open(folder / "cat" / "1.png").save(folder / "cat" / "3.png")
    (folder / "Thumbs.db").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def stored(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("memory") / "pets.attrax"
    memory = ax.store(
        ax.sources.read(pets, size=(6, 6), fit="crop").patterns, writer=ax.Constructed("margin"), key=jr.key(0)
    )
    memory.written["selection"] = {"size": "6x6", "fit": "crop", "kind": "images"}
    return ax.save(file, memory)


def record(capsys: pytest.CaptureFixture[str], *arguments: Any) -> dict[str, Any]:
    status, out, err = run(capsys, *arguments, "--json")
    assert status == 0, err
    return strict(out)


def test_store_names_what_was_merged_and_left_out(
    capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path
) -> None:
    status, out, err = run(
        capsys, "store", pets, "--size", "6x6", "--fit", "crop", *WRITE, "-o", tmp_path / "m", "--json"
    )
    assert status == 0
    assert "1 duplicate was merged: cat/3.png equals cat/1.png" in err
    assert "left out what systems leave in folders: Thumbs.db" in err
    found = strict(out)
    assert found["merged_names"] == [["cat/3.png", "cat/1.png"]]
    assert [row["name"] for row in found["cycles"]] == ["cat/1.png", "cat/2.png", "dog/1.png", "dog/\x1b[31m.png"]
    again = record(capsys, "info", tmp_path / "m")
    assert again["written"]["selection"]["fit"] == "crop"
    assert again["names"] == [row["name"] for row in found["cycles"]]


def test_answers_say_names_and_keep_indices(capsys: pytest.CaptureFixture[str], stored: Path, pets: Path) -> None:
    rows = record(capsys, "certify", stored)["cycles"]
    assert [(row["cycles"], row["name"]) for row in rows[:2]] == [([0], "cat/1.png"), ([1], "cat/2.png")]
    # Cues are cut as what is stored was.
    found = record(capsys, "recall", stored, pets / "dog" / "1.png", "--size", "6x6")["results"][0]
    assert (found["name"], found["status"], found["index"], found["example"], found["nearest_name"]) == (
        "1.png",
        "recovered",
        2,
        "dog/1.png",
        "dog/1.png",
    )
    for command in (("certify", stored), ("info", stored), ("recall", stored, pets, "--size", "6x6")):
        status, out, _ = run(capsys, *command)
        assert status == 0
        assert "cat/2.png" in out
        assert "\x1b" not in out


def test_forget_and_add_by_name(
    capsys: pytest.CaptureFixture[str], stored: Path, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "changed.attrax"
    file.write_bytes(stored.read_bytes())
    monkeypatch.setattr("attrax.writing.Auto", partial(ax.writing.Auto, epochs=50))  # a shorter comparison
    found = record(capsys, "forget", file, "cat/2.png", "2", "--compare")
    assert (found["examples"], found["forgotten"], found["added"]) == (2, ["cat/2.png", "dog/1.png"], [])
    assert found["scratch_measured"]
    assert found["scratch_seconds"] != ax.load(stored).written["seconds"]
    assert record(capsys, "info", file)["names"] == ["cat/1.png", "dog/\x1b[31m.png"]
    status, out, err = run(capsys, "add", file, pets / "cat", "--size", "6x6", "--json")
    found = strict(out)
    assert (status, found["examples"], found["added"], found["forgotten"]) == (0, 3, ["2.png"], [])
    assert found["merged_names"] == [["1.png", "cat/1.png"], ["3.png", "cat/1.png"]]
    assert "2 duplicates were merged: 1.png equals cat/1.png; 3.png equals cat/1.png" in err
    assert record(capsys, "info", file)["names"][2] == "2.png"
    status, _, err = run(capsys, "forget", file, "cat/9.png")
    assert status == 2
    assert "did you mean cat/1.png" in err
    status, _, err = run(capsys, "forget", file, "7")
    assert status == 2
    assert "from 0 to 2" in err


def test_names_are_kept_in_files_and_checked(stored: Path, tmp_path: Path) -> None:
    memory = ax.load(stored)
    assert memory.patterns is not None
    assert memory.patterns.names is not None
    assert memory.patterns.names[1] == "cat/2.png"
    plain = ax.Memory(memory.map, ax.Patterns(memory.patterns.points, memory.patterns.successor))
    loaded = ax.load(ax.save(tmp_path / "plain.attrax", plain)).patterns
    assert loaded is not None
    assert loaded.names is None
    with pytest.raises(ValueError, match="names must be one text for each of the 4 points; got 1"):
        ax.Patterns(memory.patterns.points, memory.patterns.successor, names=("a",))
    object.__setattr__(memory.patterns, "names", ("a", "b"))
    with pytest.raises(ValueError, match="names are not one text for each of the 4 examples"):
        ax.save(tmp_path / "short.attrax", memory)
    assert not (tmp_path / "short.attrax").exists()


def test_pages_say_names(stored: Path, tmp_path: Path) -> None:
    memory = ax.load(stored)
    page = write_page(tmp_path / "page.html", memory, [ax.recovery(memory, "drop:0.2", key=jr.key(0))])
    assert 'alt="cat/2.png as stored"' in page.read_text()


def test_pictures_beyond_one_come_back_as_they_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (4, 6, 6)).astype(float)
    pictures[0, 0, :2] = 0, 255
    np.save(tmp_path / "to255.npy", pictures)
    record(capsys, "store", tmp_path / "to255.npy", *WRITE, "-o", tmp_path / "m")
    status, _, err = run(capsys, "recall", tmp_path / "m", "--corrupt", "none", "-o", tmp_path / "back")
    assert status == 0
    assert "0 is written as black and 255 as white" in err
    back = np.asarray(Image.open(tmp_path / "back" / "to255.npy[2]-recalled.png"))
    np.testing.assert_array_equal(back, pictures[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fit", "crop"), "--fit says how images are brought to a size; give --size HxW"),
        (("--fit", "stretch", "--size", "4x4"), "Invalid value for '--fit'"),
        (("--range", "0:x"), "--range must be LOW:HIGH"),
        (("--range", "5:1"), "--range must be two numbers"),
        (("--no-recursive",), "Leave --no-recursive out"),
        (("--cycle-length", "2"), "add --as sequence"),
        (("--n", "99"), "--n must be at most 5"),
        (("--indices", "9" * 30), "--indices must be numbers"),
    ],
)
def test_errors_name_options(
    capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    status, out, err = run(capsys, "store", pets, *options, *WRITE, "-o", tmp_path / "m")
    assert (status, out) == (2, "")
    assert message in err


def test_integers_of_no_usual_range(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 70_000], [70_000, 0]]))
    status, _, err = run(capsys, "store", tmp_path / "x.npy", *WRITE, "-o", tmp_path / "m")
    assert status == 2
    assert "--range LOW:HIGH" in err
    record(capsys, "store", tmp_path / "x.npy", "--range", "0:70000", *WRITE, "-o", tmp_path / "m")
    memory = ax.load(tmp_path / "m")
    assert np.max(memory.examples().points) == pytest.approx(1)
