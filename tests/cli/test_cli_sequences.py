"""Sequences through the command line."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attrax.cli import main

WRITE = ["--writer", "margin"]


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def record(capsys: pytest.CaptureFixture[str], *arguments: Any) -> dict[str, Any]:
    status, out, err = run(capsys, *arguments, "--json")
    assert status == 0, err
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five pictures, whose names sort as numbers."""
    folder = tmp_path_factory.mktemp("walk")
    draw = np.random.default_rng(0)
    for number in (1, 2, 3, 9, 10):
        Image.fromarray(draw.integers(0, 256, (6, 5), np.uint8)).save(folder / f"f{number}.png")
    return folder


@pytest.fixture(scope="module")
def film(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    file = folder / "walk.attrax"
    np.save(folder / "one.npy", np.random.default_rng(1).random((1, 6, 5)))
    with pytest.raises(SystemExit):
        main(["store", str(walk), "--as", "sequence", "--single", str(folder / "one.npy"), *WRITE, "-o", str(file)])
    return file


def pictures(walk: Path) -> np.ndarray:
    return np.stack([np.asarray(Image.open(walk / f"f{n}.png")) / np.float32(255) for n in (1, 2, 3, 9, 10)])


def test_a_folder_is_one_cycle_in_the_order_of_names(
    capsys: pytest.CaptureFixture[str], film: Path, walk: Path, tmp_path: Path
) -> None:
    found = record(capsys, "certify", film)
    assert [(row["length"], row["period"], row["verdict"]) for row in found["cycles"]] == [
        (5, 5, "attractor"),
        (1, 1, "attractor"),
    ]
    assert (found["cycles"][0]["log_spectral_radius"] or -np.inf) < -10  # null where the product is exactly zero
    back = record(capsys, "recall", film, "--from", "frame:1", "--cycles", 2, "-o", tmp_path / "frames.npy")
    assert (back["status"], back["cycle"], back["phase"], back["transient"], back["period"]) == (
        "recovered",
        0,
        1,
        0,
        5,
    )
    assert back["psnr"]["min"] > 150
    frames = np.load(tmp_path / "frames.npy")
    assert np.allclose(frames, pictures(walk)[[1, 2, 3, 4, 0] * 2], atol=1e-6)


def test_frames_as_pictures_and_cues_as_files(
    capsys: pytest.CaptureFixture[str], film: Path, walk: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    back = record(capsys, "recall", film, "--from", walk / "f3.png", "--corrupt", "gaussian:0.02", "-o", folder)
    assert (back["status"], back["phase"], back["transient"]) == ("recovered", 3, 1)
    files = sorted(folder.iterdir())
    assert len(files) == back["frames"] == 6
    assert np.array_equal(np.asarray(Image.open(files[1])), np.asarray(Image.open(walk / "f9.png")))
    noise = record(capsys, "recall", film, "--from", "noise", "--seed", 4)
    assert noise["period"] >= 1
    assert set(noise["psnr"]) == {"median", "min"}
    status, out, _ = run(capsys, "recall", film, "--from", "frame:5")
    assert status == 0
    assert re.fullmatch(r"recovered: \S+, after \d+ steps\n", out)


def test_cutting_and_picking(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.random.default_rng(2).random((12, 9)))
    source = tmp_path / "a.npz"
    found = record(capsys, "store", source, "--as", "sequence", "--cycle-length", 4, *WRITE, "-o", tmp_path / "m")
    assert [row["length"] for row in found["cycles"]] == [4, 4, 4]
    assert found["attractors"] == 3
    picked = record(capsys, "store", source, "--as", "sequence", "--indices", "7,2,11", *WRITE, "-o", tmp_path / "m")
    assert [row["length"] for row in picked["cycles"]] == [3]
    record(capsys, "recall", tmp_path / "m", "--from", "frame:0", "-o", tmp_path / "x.npy")
    with np.load(source) as arrays:
        assert np.allclose(np.load(tmp_path / "x.npy"), arrays["arr_0"][[7, 2, 11]], atol=1e-9)
    images = record(capsys, "store", source, "--indices", "3,1", *WRITE, "-o", tmp_path / "m")
    assert [row["length"] for row in images["cycles"]] == [1, 1]
    status, _, err = run(capsys, "store", source, "--as", "sequence", "--cycle-length", 5, *WRITE, "-o", tmp_path / "m")
    assert status == 2
    assert "remainder of 2" in err
    assert "--n 10" in err


def test_open_sequences_and_context(capsys: pytest.CaptureFixture[str], walk: Path, tmp_path: Path) -> None:
    options = ["--as", "sequence", "--indices", "0,1,0,2", *WRITE, "-o", tmp_path / "m", "--end", "hold"]
    status, _, err = run(capsys, "store", walk, *options)
    assert status == 2
    assert "f1.png and f1.png" in err
    assert "--context" in err
    found = record(capsys, "store", walk, *options, "--context", "auto", "--no-patterns")
    assert found["context"] == 2
    assert [(way["length"], way["kept"]) for way in found["open_sequences"]] == [(5, True)]
    assert run(capsys, "certify", tmp_path / "m")[0] == 2
    assert record(capsys, "certify", tmp_path / "m", "--patterns", walk)["open_sequences"] == found["open_sequences"]
    back = record(
        capsys, "recall", tmp_path / "m", "--patterns", walk, "--from", walk / "f1.png", "-o", tmp_path / "x.npy"
    )
    assert back["status"] == "recovered"
    # The frames, and one more step in which the context fills with the last.
    assert np.allclose(np.load(tmp_path / "x.npy"), pictures(walk)[[0, 1, 0, 2, 2]], atol=1e-6)


def test_near_frames_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    frames = np.random.default_rng(3).random((5, 8))
    frames[3] = frames[0] + 1e-3
    np.save(tmp_path / "near.npy", frames)
    status, out, err = run(
        capsys, "store", tmp_path / "near.npy", "--as", "sequence", *WRITE, "-o", tmp_path / "m", "--json"
    )
    assert status == 0
    assert "near.npy[0] and near.npy[3]" in err
    assert json.loads(out)["ambiguities"][0]["states"] == [0, 3]
    assert json.loads(run(capsys, "info", tmp_path / "m", "--json")[1])["written"]["ambiguities"]


def test_a_zero_product_is_null(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(4).random((3, 10)))
    found = record(
        capsys,
        "store",
        tmp_path / "a.npy",
        "--as",
        "sequence",
        "--writer",
        "winner-take-all",
        "--epochs",
        20,
        "--train-corruption",
        "gaussian:0.1",
        "-o",
        tmp_path / "m",
    )
    (cycle,) = found["cycles"]
    expected = {"name": "a.npy[0]", "length": 3, "log_spectral_radius": None, "verdict": "attractor", "period": 3}
    assert expected.items() <= cycle.items()
    assert found["spectral_radius"]["max"] == 0.0


WRONG = {
    "kind": (["--as", "film"], "Invalid value for '--as': 'film' is not one of 'images', 'sequence'"),
    "cut": (["--cycle-length", "2"], "--as sequence"),
    "single": (["--single", "digits"], "--as sequence"),
    "end": (["--end", "hold"], "--as sequence"),
    "no such end": (["--as", "sequence", "--end", "stop"], "'stop' is not one of 'loop', 'hold'"),
    "context": (["--as", "sequence", "--context", "0"], "--context must be"),
    "shuffle": (["--as", "sequence", "--shuffle"], "--shuffle"),
    "indices": (["--indices", "1,x"], "--indices must be numbers"),
    "beyond": (["--indices", "5"], "there is no 5"),
    "twice": (["--indices", "1", "--n", "2"], "leave --n"),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], walk: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    status, out, err = run(capsys, "store", walk, *options, *WRITE, "-o", tmp_path / "m")
    assert (status, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "frame:9"], "from 0 to 5"),
        (["--from", "noise", "--reading", "loose"], "literal, mean_square"),
        (["--cycles", "2"], "--cycles is for --from"),
        (["digits", "--from", "noise"], "not both"),
        (["--from", "digits"], "source of one state"),
    ],
)
def test_wrong_recall(capsys: pytest.CaptureFixture[str], film: Path, options: list[str], words: str) -> None:
    status, _, err = run(capsys, "recall", film, *options)
    assert status == 2
    assert words in err
