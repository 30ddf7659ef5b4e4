"""Rows divided among several devices: the same result as on one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attrax.cli import main

SCRIPT = Path(__file__).parent / "several.py"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    ran = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_eight_devices_compute_what_one_does(told: dict[str, Any]) -> None:
    assert told["devices"] == 8
    assert told["all"]["recalled"] == told["one"]["recalled"]
    for name, numbers in told["one"]["trained"].items():  # the sums over the examples are in another order
        np.testing.assert_allclose(told["all"]["trained"][name], numbers, rtol=0, atol=1e-12)
    assert told["certificates differ in"] == []


def test_more_devices_than_there_are_are_refused(told: dict[str, Any]) -> None:
    refused = told["refused"]
    assert refused["9"] == (
        "devices: 9 are asked for, and there are 8 devices (cpu); take fewer; "
        "XLA_FLAGS=--xla_force_host_platform_device_count=9 makes 9 of a CPU"
    )
    assert refused["8"] == "taken"
    assert "at least 1" in refused["0"]
    assert "all; got 'few'" in refused["few"]


def test_the_command_line_refuses_more_devices_than_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["certify", str(SCRIPT), "--devices", "4000"])
    assert ended.value.code == 2
    assert "--devices: 4000 are asked for, and there" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["few", "0", "-1", "²"])
def test_the_command_line_says_what_devices_may_be(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["certify", str(SCRIPT), f"--devices={wrong}"])
    assert ended.value.code == 2
    assert f"'{wrong}' is neither a number from 1 nor all" in capsys.readouterr().err
