"""The page on networks from elsewhere: its code runs as it stands. `make onnx-tests` runs that with PyTorch too."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attrax as ax
from attrax import foreign
from attrax.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "foreign.md").read_text(encoding="utf-8")
WITH_PYTORCH, WITHOUT = PAGE.split("## scikit-learn")
COMMANDS = re.findall(r"^attrax export .*$", PAGE, re.MULTILINE)


def run(text: str, names: dict[str, Any]) -> dict[str, Any]:
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "docs/foreign.md", "exec"), names)
    return names


def shell(line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line)[1:])
    assert not ended.value.code


@pytest.mark.filterwarnings("ignore")
def test_the_code_without_pytorch_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")
    monkeypatch.chdir(tmp_path)
    digits = np.random.default_rng(0).uniform(size=(3, 4, 4)).astype(np.float32)
    found = run(WITHOUT, {"np": np, "ax": ax, "foreign": foreign, "digits": digits})
    assert found["fitted"].difference < 1e-12
    assert found["written"].difference <= 1e-6
    assert len(COMMANDS) == 3
    for line in COMMANDS:
        if ".pt2" not in line:
            shell(line)
            (tmp_path / line.split()[4]).stat()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(os.environ.get("ATTRAX_ONNX") != "all", reason="takes PyTorch some time: make onnx-tests runs it")
def test_the_code_with_pytorch_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'attrax[torch]'")
    monkeypatch.chdir(tmp_path)
    found = run(WITH_PYTORCH, {})
    assert isinstance(found["made"].map, ax.maps.MLP)
    assert sorted(found["certificate"].verdict) == ["attractor"] * 4 + ["displaced"]
    assert np.array_equal(found["answer"].nearest, range(5))
    assert "\n[0 1 2 3 4]\n" in capsys.readouterr().out
    run(WITHOUT, found)
    for line in COMMANDS:
        shell(line)
