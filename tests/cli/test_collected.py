"""Collected inputs that went wrong once, through the commands that their list names."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.commands import record, run

CASES = Path(os.environ.get("ATTRAX_CASES") or Path(__file__).parents[3] / "shared" / "cases")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not CASES.is_dir(), reason="ATTRAX_CASES names no folder of collected cases"),
]


@pytest.mark.parametrize("name", ["load_RecursionError", "load_OverflowError", "certify_TypeError"])
def test_memories_that_contradict_themselves(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["info"], ["certify"], ["recall", "--from", "noise"]):
        status, _, err = run(capsys, *command, CASES / f"{name}.attrax")
        assert (status, err.count("\n")) == (2, 1)


def test_a_lying_certificate_is_told_by_certify_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert "on record, not checked here: 3 attractors" in run(capsys, "info", CASES / "lying.attrax")[1]
    status, out, _ = run(capsys, "certify", CASES / "lying.attrax")
    assert status == 1
    assert "\n0/3 certified" in out


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "info", CASES / "escape.attrax")
    assert status == 0
    assert "\x1b" not in out


def test_no_radius_is_proved_at_a_kink(capsys: pytest.CaptureFixture[str]) -> None:
    found = record(capsys, "analyze", "radius", CASES / "kink_zero_division.attrax", "--directions", 0)
    assert found["proved"] == 0


def test_the_golden_rotation_has_no_period(capsys: pytest.CaptureFixture[str]) -> None:
    assert record(capsys, "analyze", "period", CASES / "golden.npy")["status"] == "no_period"


@pytest.mark.parametrize("name", ["huge_screen.gif", "bool_shape.npy"])
def test_damage_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "store", CASES / name, "-o", tmp_path / "m.attrax")
    assert (status, err.count("\n")) == (2, 1)


def test_pictures_come_back_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(capsys, "store", CASES / "to255.npy", "--writer", "margin", "-o", tmp_path / "m.attrax", status=0)
    record(capsys, "recall", tmp_path / "m.attrax", "--corrupt", "none", "-o", tmp_path / "back")
    for number, pixels in enumerate(np.load(CASES / "to255.npy")):
        (file,) = (tmp_path / "back").glob(f"to255.npy[[]{number}]-recalled.png")
        assert np.abs(np.asarray(Image.open(file), float) - pixels).max() <= 1
