"""Memories of every kind of map through the commands; foreign maps are named with --map."""

import sys
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest
from helpers.commands import record, run
from helpers.maps import MAPS

import attrax as ax
from attrax.maps import kind_of

MODULE = """
import numpy as np
from helpers.maps import MAPS

def function(x):
    return 0.5 * np.cos(0) * x

class Nested:
    network = MAPS["eqx.nn.MLP"][0]()

def broken():
    raise RuntimeError("no weights")

def wants(one, two):
    pass

def number():
    return 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"networks_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def written(name: str, folder: Path) -> Path:
    make, shape = MAPS[name]
    map = make()
    point = ax.iterate(map, np.random.default_rng(0).random((1, *shape))).value
    point = np.where(np.abs(point).max() < 1e-6, 0.0, point)  # what tends to 0 has no scale but that of the tolerance
    memory = ax.Memory(map, ax.Patterns.from_examples(point))
    return ax.save(folder / "map.attrax", ax.Memory(map, memory.patterns, None, {}, ax.certify(memory)))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written("eqx.nn.MLP", tmp_path_factory.mktemp("foreign"))


FOREIGN = ("eqx.nn.MLP", "attention", "function")


def test_foreign_maps_have_no_kind() -> None:
    assert {name for name, (make, _) in MAPS.items() if kind_of(eqx.filter_eval_shape(make)) is None} == set(FOREIGN)


def test_kinds_in_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, (make, shape) in MAPS.items():
        if name in FOREIGN:
            continue
        map = make()
        file = ax.save(tmp_path / "map.attrax", ax.Memory(map, ax.Patterns.from_examples(np.zeros((1, *shape)))))
        told = record(capsys, "info", file)
        assert told["map"] == ax.maps.describe(map).text
        assert told["shape"] == list(shape)
        status, out, _ = run(capsys, "info", file)
        assert status == 0
        assert told["map"] in out


# `test_whole_way` asks the same of the other kinds.
def test_a_fully_connected_network_is_certified_and_recalled(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = written("mlp", tmp_path)
    assert record(capsys, "info", file)["certificate"]["attractors"] == 1
    assert record(capsys, "certify", file)["attractors"] == 1
    assert record(capsys, "recall", file, "--corrupt", "gaussian:0.01")["recovery_rate"] == 1


def test_a_foreign_map_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path, module: str, foreign: Path) -> None:
    file = foreign
    told = record(capsys, "info", file)
    assert "MLP" in told["map"]
    assert told["examples"] == 1
    status, _, err = run(capsys, "certify", file)
    assert (status, "--map MODULE:NAME" in err) == (2, True)
    assert len(err.splitlines()) == 1
    named = ("--map", f"{module}:Nested.network")
    assert record(capsys, "certify", file, *named)["attractors"] == 1
    assert record(capsys, "recall", file, "--corrupt", "gaussian:0.01", *named)["recovery_rate"] == 1
    assert record(capsys, "analyze", "radius", file, *named)["examples"]
    assert "not in the file" not in record(capsys, "info", file, *named)["map"]
    near = record(capsys, "analyze", "nearest", file, "--corrupt", "gaussian:0.01", *named)
    assert near["memories"][0]["points"][0]["rate"] == 1
    status, _, err = run(capsys, "analyze", "nearest", file, tmp_path / "other.attrax", *named)
    assert (status, "--map names the map of one memory" in err) == (2, True)
    before = file.read_bytes()
    for command in (["add", file, "points:1,2"], ["forget", file, "0"]):
        status, _, err = run(capsys, *command)
        assert (status, "could not hold a changed one" in err) == (2, True)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{module}", "MODULE:NAME"),
        ("{module}:", "MODULE:NAME"),
        ("{module}:import os", "MODULE:NAME"),
        ("nowhere_at_all:map", "can't be imported"),
        ("{module}:missing", "has no missing"),
        ("{module}:broken", "RuntimeError: no weights"),
        ("{module}:number", "not a map"),
        ("{module}:wants", "does not take states"),
        ("{module}:function", "not the one"),
    ],
)
def test_wrong_names_are_one_sentence(
    name: str, message: str, capsys: pytest.CaptureFixture[str], module: str, foreign: Path
) -> None:
    status, out, err = run(capsys, "certify", foreign, "--map", name.format(module=module))
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
