"""Rows divided among several devices and processes: the same result as on one."""

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import PATIENCE

from attrax.cli import main

SCRIPT = Path(__file__).parent / "several.py"


def begun(*arguments: str, devices: int = 1) -> subprocess.Popen[str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-W", "error", SCRIPT, *arguments],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


@cache
def eight() -> dict[str, Any]:
    return told(begun(devices=8))


def check_same(found: dict[str, Any]) -> None:
    """Recall bit by bit; training to rounding, as its sums are in another order."""
    one = eight()["one"]
    assert found["recalled"] == one["recalled"]
    for name in ("trained", "kept"):
        np.testing.assert_allclose(found[name], one[name], rtol=0, atol=1e-12)


def test_eight_devices_compute_what_one_does() -> None:
    assert eight()["devices"] == 8
    check_same(eight()["several"])
    assert eight()["certificates differ in"] == []


def test_two_processes_compute_what_one_does() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [begun(port, str(number)) for number in range(2)]
    for found in map(told, both):
        assert found["devices"] == 2
        check_same(found["several"])
        assert "must be all where 2 processes compute together" in found["refused"]["1"]


def test_more_devices_than_there_are_are_refused() -> None:
    refused = eight()["refused"]
    assert refused["9"] == (
        "devices: 9 are asked for, and there are 8 devices (cpu); take fewer; "
        "XLA_FLAGS=--xla_force_host_platform_device_count=9 makes 9 of a CPU"
    )
    assert refused["1"] == "taken"
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
