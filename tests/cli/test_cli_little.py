"""Recall from a part, and pictures with words, on the command line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attrax.sources import save_array
from tests.helpers.commands import record, run

WORDS = ("ada", "ben ", "cleo")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pets")
    (folder / "names.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "pictures").mkdir()
    draw = np.random.default_rng(0)
    for place in range(3):
        Image.fromarray(draw.integers(0, 256, (6, 8), np.uint8)).save(folder / "pictures" / f"{place}.png")
    mask = np.zeros((6, 8), np.uint8)
    mask[:, :6] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    save_array(folder / "mask.npy", mask > 0)
    return folder


def test_pictures_answer_with_words(capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "named.attrax", tmp_path / "out"
    arguments = ("store", pets / "pictures", "--with", pets / "names.txt", "-o", file)
    assert record(capsys, *arguments, "--writer", "margin")["attractors"] == 3
    found = record(capsys, "recall", file, pets / "pictures" / "1.png", "-o", out)
    assert [row["answer"] for row in found["results"]] == ["ben"]
    assert found["results"][0]["example"] == "1.png"
    assert found["held"]["status_counts"] == {"converged": 1}
    assert (out / "recalled.txt").read_text() == "ben\n"
    noisy = record(capsys, "recall", file, "--corrupt", "gaussian:0.05")
    assert [row["answer"] for row in noisy["results"]] == [word.strip() for word in WORDS]
    assert noisy["one_nn_rate"] == 1.0
    status, shown, _ = run(capsys, "recall", file, pets / "pictures" / "2.png")
    assert (status, "cleo (stored 2.png)" in shown) == (0, True)
    status, _, err = run(capsys, "add", file, pets / "pictures" / "2.png")
    assert (status, "stores pairs" in err) == (2, True)


def test_pictures_answer_with_pictures(capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "two.attrax", tmp_path / "out"
    options = ("--with", pets / "pictures", "--writer", "margin", "-o", file)
    assert record(capsys, "store", pets / "pictures", *options)["attractors"] == 3
    found = record(capsys, "recall", file, pets / "pictures" / "1.png", "-o", out)
    answered = np.asarray(Image.open(found["results"][0]["file"]))
    np.testing.assert_array_equal(answered, np.asarray(Image.open(pets / "pictures" / "1.png")))


def test_a_known_part_is_a_side_a_file_or_what_the_corruption_left(
    capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path
) -> None:
    file = tmp_path / "pets.attrax"
    record(capsys, "store", pets / "pictures", "--writer", "margin", "-o", file)
    answers = [
        record(capsys, "recall", file, pets / "pictures", "--known", known)
        for known in ("left:0.75", pets / "mask.png", pets / "mask.npy")
    ]
    assert [found["recovered"] for found in answers] == [3, 3, 3]
    assert answers[0]["results"] == answers[1]["results"] == answers[2]["results"]
    auto = record(capsys, "recall", file, "--corrupt", "half:right,9", "--known", "auto")
    assert (auto["held"]["status_counts"], auto["one_nn_rate"], auto["known_part"]) == ({"converged": 3}, 1.0, "auto")
    assert record(capsys, "recall", file, "--corrupt", "half:right,9")["held"] is None
    status, out, _ = run(capsys, "recall", file, "--corrupt", "none", "--known", "upper:0.5")
    assert status == 0
    assert "known part upper:0.5, held: 3 converged" in out
    one = record(capsys, "recall", file, "--from", "frame:2", "--known", "left:0.75")
    assert (one["index"], one["held"]["status_counts"]) == (2, {"converged": 1})


@pytest.mark.parametrize(
    ("known", "corrupt", "words"),
    [
        ("auto", None, "auto is for the cues that --corrupt makes"),
        ("auto", "gaussian:1", "changes all of them"),
        ("uper:0.5", None, "there is no such file"),
        ("upper:2", None, "--known must be SIDE:F"),
        ("PETS/names.txt", None, "names.txt"),
        ("PETS/small.png", None, "a mask must have the pixels of a stored state, 6×8"),
    ],
)
def test_wrong_parts_are_refused(
    capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path, known: str, corrupt: str | None, words: str
) -> None:
    file = tmp_path / "pets.attrax"
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(pets / "small.png")
    run(capsys, "store", pets / "pictures", "--writer", "margin", "-o", file)
    cues = [pets / "pictures"] if corrupt is None else ["--corrupt", corrupt]
    status, _, err = run(capsys, "recall", file, *cues, "--known", known.replace("PETS", str(pets)))
    assert (status, words in " ".join(err.split())) == (2, True), err


def test_wrong_pairs_are_refused(capsys: pytest.CaptureFixture[str], pets: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("ada\n")
    for options, words in (
        (("--with", short), "one line or one example for each of the 3 examples"),
        (("--with", pets / "names.txt", "--as", "sequence"), "single examples"),
        (("--with", pets / "names.txt", "--no-patterns"), "leave --no-patterns out"),
        (("--with", tmp_path / "missing"), "missing"),
    ):
        arguments = ("store", pets / "pictures", *options, "--writer", "margin", "-o", tmp_path / "x.attrax")
        status, _, err = run(capsys, *arguments)
        assert (status, words in " ".join(err.split())) == (2, True), err
