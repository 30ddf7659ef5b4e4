"""Answers can be looked at: as a few lines, in a notebook, as plain values, as a frame."""

import dataclasses
import enum
import importlib
import json
import re
import sys
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from helpers import straight

import attrax as ax
from attrax._base.states import state_batch  # how states are read, whoever reads them
from attrax.extending import Record, Rows

ROOT = Path(ax.__file__).parent
PACKAGES = [
    "attrax",
    *sorted("attrax." + ".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("*/**/__init__.pyi")),
]
LARGE = 50


@cache
def public_dataclasses() -> dict[str, type]:
    """Every dataclass that a package offers by name. Commands are no library."""
    found = {}
    for name in PACKAGES:
        if name == "attrax.cli":
            continue
        package = importlib.import_module(name)
        for one in dir(package):
            value = getattr(package, one)
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                found[f"{value.__module__}.{value.__name__}"] = value
    return found


def filled(cls: type, depth: int = 0) -> Any:
    """An instance with a large value of its type in every field, made without the checks."""
    record = object.__new__(cls)
    try:
        hints = typing.get_type_hints(cls)
    except (NameError, TypeError):
        hints = {}
    for field in dataclasses.fields(cls):
        object.__setattr__(record, field.name, value_of(hints.get(field.name, field.type), depth))
    return record


def value_of(hint: Any, depth: int) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hasattr(hint, "dim_str"):
        axes = hint.dim_str.replace("*state", "8 8").split()
        dtype = "bool" if "Bool" in str(hint) else "int64" if "Int" in str(hint) else "float64"
        return np.ones([int(axis) if axis.isdigit() else LARGE for axis in axes], dtype)
    if origin in (typing.Union, types.UnionType):
        return value_of(next(one for one in arguments if one is not type(None)), depth)
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return tuple(value_of(one, depth) for one in arguments)
    if origin is tuple or getattr(origin, "__name__", "") in ("Sequence", "list"):
        rows = LARGE if depth < 2 else 2  # many in the record itself; nested ones multiply
        return (value_of(arguments[0], depth + 1),) * rows
    if getattr(origin, "__name__", "") in ("dict", "Mapping"):
        return {name: value_of(arguments[1], depth) for name in ("euclidean", *map(str, range(LARGE)))}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return filled(hint, depth + 1) if depth < 3 else None
    known = {str: "words " * LARGE, int: 123_456_789, float: -1.23456789e-100, bool: True, type(None): None}
    return known.get(hint, np.ones((LARGE, LARGE)))


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    """Ten pictures, stored in no time."""
    pictures = np.random.default_rng(0).random((10, 8, 8)).astype(np.float32)
    return ax.store(
        ax.Patterns.from_examples(pictures, names=[f"picture {number}.png" for number in range(10)]),
        writer=ax.Constructed(),
        key=jr.key(0),
    )


@pytest.fixture(scope="module")
def answers(memory: ax.Memory) -> list[Any]:
    """Real answers of the verbs, and what they are made of."""
    points = memory.examples().points
    cues = ax.corrupt("gaussian:0.2", points, key=jr.key(0))
    film = ax.Patterns.from_sequences([np.eye(4), 2 * np.eye(4)], end=["loop", "hold"])
    key = jr.key(1)
    return [
        memory,
        memory.map,
        memory.certificate,
        memory.examples(),
        film,
        ax.recall(memory, cues),
        ax.spectrum(memory, key=key),
        ax.basin_radius(memory, num_directions=4, key=key),
        ax.iterate(memory.map, cues),
        ax.refine(memory.map, points[:1]),
        ax.add(memory, points[:1] / 2, key=key),
        ax.recovery(memory, "gaussian:0.2", key=key),
        ax.analysis.noise_tolerance(memory, copies=5, key=key),
        ax.analysis.find_spurious(memory, num_starts=40, key=key),
        *ax.analysis.recovery_curves(memory, ["gaussian:0.2"], key=key),
        ax.theory.single_example("swish", k=3, u0=0.4, v0=0.5),
        ax.theory.sequence([ax.theory.single_example("swish", k=3, u0=0.4, v0=0.5)]),
        ax.maps.describe(memory.map),
        ax.parse_corruption("gaussian:0.3"),
        ax.Gradient(),
        ax.Auto([ax.Gradient(), ax.Constructed()]),
        ax.maps.conv_autoencoder((8, 8), channels=2, key=key),
        ax.maps.recurrent(4, width=5, key=key),
    ]


def check_short(shown: str) -> None:
    assert len(shown.splitlines()) <= 12
    assert len(shown) <= 2000


def test_what_the_verbs_answer_is_a_few_lines(answers: list[Any]) -> None:
    for answer in answers:
        check_short(repr(answer))
        assert repr(answer).startswith(type(answer).__name__)


@pytest.mark.parametrize("name", public_dataclasses())
def test_every_public_record_is_a_few_lines_however_large(name: str) -> None:
    cls = public_dataclasses()[name]
    assert issubclass(cls, Record), f"{name} must be a Record, to be shown in a few lines"
    if cls in (ax.Memory, ax.Patterns, ax.audit.Audit, ax.audit.Ends, ax.audit.LatentView):
        return  # their properties need more than values of the right type; see the real ones here and in audit/
    check_short(repr(filled(cls)))


def test_plain_values_are_strict_json(answers: list[Any]) -> None:
    for answer in answers:
        found = json.loads(json.dumps(answer.as_dict(), allow_nan=False))
        assert {field.name for field in dataclasses.fields(answer)} <= found.keys()
        if isinstance(answer, Rows):
            rows = json.loads(json.dumps(answer.as_rows(), allow_nan=False))
            assert len(rows) == len(getattr(answer, answer.rows_of)) > 0


def test_what_is_not_finite_is_null_and_complex_numbers_are_pairs(memory: ax.Memory) -> None:
    rows = ax.basin_radius(
        ax.Memory(straight(2), ax.Patterns.from_examples(np.zeros((1, 2)))), num_directions=4, key=jr.key(0)
    )
    assert rows.as_dict()["distance"] == [None]
    found = ax.spectrum(memory, top=2, key=jr.key(0)).as_dict()
    assert [len(pair) for pair in found["eigenvalues"][0]] == [2, 2]
    assert found["status"][0] == "bounded"


def test_a_frame_has_a_column_for_each_field_with_one_value_a_row(
    memory: ax.Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DataFrame:
        def __init__(self, columns: dict[str, Any]) -> None:
            assert len({len(column) for column in columns.values()}) == 1
            self.columns = columns

    certificate = memory.certificate
    assert certificate is not None
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=DataFrame))
    frame = certificate.to_frame().columns
    assert frame["verdict"] == ["attractor"] * 10
    assert {"cycles", "spectral_radius", "upper_bound", "residual", "period"} <= frame.keys()
    answer = ax.recall(memory, memory.examples().points[:3])
    frame = answer.to_frame().columns
    assert (frame["index"], frame["status"]) == ([0, 1, 2], ["recovered"] * 3)
    assert "value" not in frame
    census = ax.analysis.find_spurious(memory, num_starts=40, key=jr.key(0))
    assert sum(census.to_frame().columns["count"]) == 40


def test_a_field_of_another_axis_is_no_column_even_if_it_has_that_length() -> None:
    """One cycle and one open sequence: both have one entry, but they are not the same row."""
    film = np.eye(4)
    patterns = ax.Patterns.from_sequences([film], end="hold")
    memory = ax.Memory(ax.training.pseudoinverse(patterns.points, patterns.targets), patterns)
    certificate = ax.certify(memory)
    other = {
        field.name
        for field in dataclasses.fields(certificate)
        if getattr(field.type, "dim_str", "c").strip() not in ("", "c")
    }
    assert len(other) == 1
    assert len(certificate.verdict) == len(getattr(certificate, *other)) == 1
    assert not other & certificate.as_rows()[0].keys()


def test_without_pandas_one_is_told_what_to_install(memory: ax.Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert memory.certificate is not None
    with pytest.raises(ImportError, match="pip install pandas"):
        memory.certificate.to_frame()


def test_notebooks_get_pictures_and_a_table_without_any_other_file(memory: ax.Memory, answers: list[Any]) -> None:
    shown = memory._repr_html_()
    assert shown.count("data:image/png;base64,") == 8
    assert "picture 0.png" in shown
    assert "10 attractor" in shown
    assert memory.certificate is not None
    assert memory.certificate._repr_html_().count("<tr>") > 10
    assert "img" in ax.recall(memory, memory.examples().points[:2])._repr_html_()
    for answer in answers:
        html = answer._repr_html_()
        assert not re.search(r"https?:|src=\"(?!data:)", html)
        assert "<script" not in html
        assert len(html) < 60_000


def test_without_expected_nobody_says_recovered(memory: ax.Memory) -> None:
    points = memory.examples().points[:2]
    unnamed, named = ax.recall(memory, points), ax.recall(memory, points, expected=np.arange(2))
    for shown in (repr(unnamed), unnamed._repr_html_()):
        assert "2 reached a stored one" in shown
        assert "recovered" not in shown
    for shown in (repr(named), named._repr_html_()):
        assert "2 recovered" in shown
    assert "data:image/png" in ax.recall(memory, points, path=True)._repr_html_()


def test_names_cannot_write_markup() -> None:
    patterns = ax.Patterns.from_examples(np.zeros((1, 8, 8)), names=["<img src=x onerror=alert(1)>"])
    assert "<img src=x" not in patterns._repr_html_()
    assert "&lt;img src=x" in patterns._repr_html_()


def test_settings_are_shown_as_the_call_that_makes_them() -> None:
    assert repr(ax.Gradient()) == "Gradient()"
    assert repr(ax.Gradient(epochs=500, noise=0.05)) == "Gradient(epochs=500, noise=0.05)"
    writer = ax.Auto([ax.Constructed(kind="pseudoinverse")], tol=1e-6)
    assert eval(repr(writer), vars(ax) | {name: getattr(ax, name) for name in dir(ax)}) == writer


def test_a_record_of_its_own_line_is_no_line_in_another(memory: ax.Memory) -> None:
    assert "picture 0.png" in repr(memory.examples())
    lines = repr(memory).splitlines()
    assert any(line.startswith("  certificate: 10 attractor; upper bounds ") for line in lines)
    assert "  patterns: 10 examples of shape (8, 8)" in lines
    assert any(line.startswith("  map: ") and "parameters" in line for line in lines)


STATE = np.zeros((8, 8))
REMEDIES = {
    "a single state": (STATE, "For a single state write cues[None]"),
    "a batch of one batch": (STATE[None, None], "Write cues[0]"),
    "batches": (np.zeros((3, 2, 8, 8)), "np.concatenate(cues)"),
    "flat states": (np.zeros((5, 64)), "write cues.reshape(-1, 8, 8)"),
    "one flat state": (np.zeros(64), "write cues.reshape(1, 8, 8)"),
}


@pytest.mark.parametrize(("given", "remedy"), REMEDIES.values(), ids=REMEDIES)
def test_one_is_told_how_to_write_a_batch(given: np.ndarray, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        state_batch("cues", given, (8, 8))
    # What it says to write is a batch.
    written = remedy.removeprefix("For a single state ").removeprefix("write ").removeprefix("Write ")
    state_batch("cues", eval(written, {"np": np, "cues": given}), (8, 8))


def test_every_verb_tells_how_to_write_a_single_state(memory: ax.Memory) -> None:
    one = memory.examples().points[0]
    with pytest.raises(ValueError, match=re.escape("cues[None]")):
        ax.recall(memory, one)
    with pytest.raises(ValueError, match=re.escape("cues[0]")):
        ax.recall(memory, one[None, None])
    with pytest.raises(ValueError, match=re.escape("starts[None]")):
        ax.iterate(memory.map, one)
    with pytest.raises(ValueError, match=re.escape("cycle[None]")):
        ax.refine(memory.map, one)
    with pytest.raises(ValueError, match=re.escape("examples[None]")):
        ax.store(one, ax.maps.mlp((8, 8), width=4, depth=1, key=jr.key(0)), key=jr.key(0))
    with pytest.raises(ValueError, match=re.escape("states[None]")):
        ax.corrupt("gaussian:0.1", one[0], key=jr.key(0))
    with pytest.raises(ValueError, match=re.escape("examples[None]")):
        ax.add(memory, one, key=jr.key(0))
