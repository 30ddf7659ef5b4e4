"""The demonstration of faces, with a few of them and hardly any training."""

from functools import partial
from pathlib import Path

import pytest
from helpers.commands import run, strict

import attrax as ax
from attrax.demos import _faces  # how many faces, and how long it trains

FEW = 3


def test_the_unseen_corruption_is_tried_with_and_without_the_known_half_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_faces, "load", partial(_faces.load, n=FEW))
    monkeypatch.setattr(_faces, "_WIDTH", 24)
    monkeypatch.setattr(_faces, "_WRITER", ax.Gradient(noise=0.1, coordinates=0, epochs=200))
    status, out, _ = run(capsys, "demo", "-o", tmp_path, "--seed", 1, "--json")
    found = strict(out)
    assert status == (found["attractors"] < FEW)
    assert found["examples"] == FEW
    rows = found["recoveries"]
    assert [(row["corruption"], row["told"]) for row in rows[:-1]] == [(name, False) for name in _faces.CORRUPTIONS]
    told, untold = rows[-1], rows[-2]
    assert (told["corruption"], told["told"]) == (untold["corruption"], True)
    # Of the half that is left, the nearest face is the right one.
    assert told["one_nn_rate"] == 1
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("<h3>Right half at 0.5") == 2
    assert "Right half at 0.5, the known part told" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.attrax", "index.html", "strip.png"]
