"""Settings without options of their own, by --set and --config."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import run, strict

SMALL = ["store", "digits", "--n", "3", "--writer", "gradient", "--width", "8", "--depth", "1", "--epochs", "2"]


def written(capsys: pytest.CaptureFixture[str], tmp_path: Path, *options: Any) -> dict[str, Any]:
    status, _, err = run(capsys, *SMALL, *options, "-o", tmp_path / "m.attrax")
    assert status in (0, 1), err
    return strict(run(capsys, "info", tmp_path / "m.attrax", "--json")[1])["written"]


def test_set_reaches_the_writer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sets = ["augmentation.copies=2", "training.optimizer=momentum", "training.momentum=0.5", "training.polish=false"]
    found = written(capsys, tmp_path, *(part for text in sets for part in ("--set", text)), "--noise", 0.1)
    assert (found["copies"], found["optimizer"], found["momentum"], found["polish"]) == (2, "momentum", 0.5, False)
    assert found["noise"] == 0.1


def test_a_file_of_settings_and_what_goes_before_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(
        "[training]\nlearning_rate = 0.25\nbatch = 2\noptimizer = 'gd'\n[augmentation]\ncorruptions = ['drop:0.25']\n"
    )
    found = written(capsys, tmp_path, "--config", file, "--lr", 0.5, "--set", "training.batch=3")
    assert (found["learning_rate"], found["batch"], found["optimizer"]) == (0.5, 3, "gd")
    assert found["corruptions"] == ["drop:0.25"]


def test_settings_of_sources(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = ["--size", "4x4", "--gray", "--writer", "margin", "-o", tmp_path / "m", "--json"]
    lengths = []
    for sets in ([], ["--set", "source.start=10", "--set", "source.duration=4"]):
        status, out, err = run(capsys, "store", "pan", "--set", "source.fps=1", *sets, *options)
        assert status == 0, err
        lengths.append(strict(out)["examples"])
    assert 0 < lengths[1] < lengths[0]


WRONG: dict[str, tuple[list[str], list[str]]] = {
    "name": (["--set", "training.lr=1"], ["'training.lr'", "training.learning_rate", "training.momentum"]),
    "table": (["--set", "speed=1"], ["'speed'", "[training], [augmentation], [source]"]),
    "no value": (["--set", "training.batch"], ["KEY=VALUE", "training.batch"]),
    "twice": (["--set", "training.batch=1", "--set", "training.batch=2"], ["training.batch", "twice"]),
    "option too": (["--lr", "1", "--set", "training.learning_rate=2"], ["--lr", "same setting"]),
    "value": (["--set", "augmentation.copies=none"], ["copies", "none"]),
    "writer": (
        ["--writer", "margin", "--set", "augmentation.copies=2"],
        ["--set augmentation.copies does not apply to --writer margin"],
    ),
    "file": (["--config", "{tmp}/missing.toml"], ["missing.toml"]),
    "not toml": (["--config", "{tmp}/bad.toml"], ["bad.toml", "not TOML"]),
    "name in a file": (["--config", "{tmp}/lr.toml"], ["lr.toml", "'training.lr'", "training.learning_rate"]),
    "no table": (["--config", "{tmp}/flat.toml"], ["flat.toml", "batch", "[training]"]),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_refused(
    options: list[str], words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, text in (("bad", "[training"), ("lr", "[training]\nlr = 1\n"), ("flat", "batch = 2\n")):
        (tmp_path / f"{name}.toml").write_text(text)
    filled = [option.replace("{tmp}", str(tmp_path)) for option in options]
    status, out, err = run(capsys, "store", "digits", "--n", 2, *filled, "-o", tmp_path / "m")
    assert (status, out, err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in err, err
    assert not (tmp_path / "m").exists()


def test_the_threshold_in_the_file_is_the_default(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "m.attrax"
    made = ["store", "points:0,3;3,0", "--writer", "margin", "--recovery-atol", 0.25, "-o", file]
    assert "computed without training" in run(capsys, *made)[1]
    assert strict(run(capsys, "certify", file, "--json")[1])["recovery_atol"] == 0.25
    assert strict(run(capsys, "certify", file, "--recovery-atol", 0.5, "--json")[1])["recovery_atol"] == 0.5
    out = run(capsys, "info", file)[1]
    lines = dict(line.split(": ", 1) for line in out.splitlines())
    assert lines["recovery threshold"] == "0.25"
    assert (lines["writer"], lines["status"], lines["epochs"]) == ("margin", "stored", "0")
    assert lines["sources"] == "points:0,3;3,0"
    assert "0 not attractors" in lines["certificate on record, not checked here"]
    assert "{" not in out


def test_what_came_of_cues_from_elsewhere_is_told_as_such(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "m.attrax"
    run(capsys, "store", "points:0,3;3,0", "--writer", "margin", "-o", file)
    out = run(capsys, "recall", file, "points:0.1,3")[1]
    assert "recovered" not in out
    assert "cue points[0] → stored points[0]\n" in out
    alone = run(capsys, "recall", file, "--from", "noise")[1]
    assert re.fullmatch(r"reached a stored example: points\[\d\], after \d+ steps\n", alone) or "spurious" in alone
    assert "PSNR" not in alone
