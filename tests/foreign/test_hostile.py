"""Files that are damaged or meant to do harm: one sentence, and nothing of their size is allocated."""

import os
import pickle
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.graphs import model, node

from attrax import foreign
from attrax.foreign import ForeignError

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")
RELU = node("Relu", "x")
HUGE = 1 << 40


def gemm() -> Any:
    return model([node("Gemm", "x w b", transB=1)], {"w": np.eye(4, dtype=np.float32), "b": np.ones(4, np.float32)})


def spoiled(change: Callable[[Any], object]) -> Any:
    """A good model in which something is changed."""
    made = gemm()
    change(made)
    return made


def outside(where: str, **entries: str) -> Any:
    """A model whose weights are in another file."""

    def change(made: Any) -> None:
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": where, **entries}.items():
            tensor.external_data.add(key=key, value=value)

    return spoiled(change)


def shaped(*sides: int) -> Any:
    return spoiled(lambda made: made.graph.initializer[0].dims.__setitem__(slice(None), sides))


def constant(value: int, *, count: int = 1) -> dict[str, np.ndarray]:
    return {"s": np.full(count, value, np.int64)}


def calls_itself() -> Any:
    made = model([onnx.helper.make_node("f", ["x"], ["y"], domain="own")])
    made.opset_import.add(domain="own", version=1)
    imports = [onnx.helper.make_opsetid("own", 1)]
    body = [onnx.helper.make_node("f", ["a"], ["b"], domain="own")]
    made.functions.append(onnx.helper.make_function("own", "f", ["a"], ["b"], body, imports))
    return made


def grows() -> Any:
    """Thirty functions, each of which calls the one before it ten times."""
    made = model([onnx.helper.make_node("f30", ["x"], ["y"], domain="own")])
    made.opset_import.add(domain="own", version=1)
    imports = [onnx.helper.make_opsetid("own", 1), onnx.helper.make_opsetid("", 17)]
    for number in range(1, 31):
        body = [
            onnx.helper.make_node(f"f{number - 1}", [f"v{step}"], [f"v{step + 1}"], domain="own") for step in range(10)
        ]
        if number == 1:
            body = [onnx.helper.make_node("Relu", ["v0"], ["v10"])]
        made.functions.append(onnx.helper.make_function("own", f"f{number}", ["v0"], ["v10"], body, imports))
    return made


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown operator": (lambda: model([node("Blur", "x")]), r"no operator Blur \(needed by Blur_of_y\)"),
    "unknown domain": (lambda: model([onnx.helper.make_node("Q", ["x"], ["y"], domain="com.x")]), r"com\.x\.Q"),
    "newer version": (lambda: model([RELU], version=99), "version 99 of ONNX's operators"),
    "no version": (lambda: spoiled(lambda made: made.ClearField("opset_import")), "does not say which version"),
    "old definition": (lambda: model([node("Clip", "x")], version=5), "Clip of version 5"),
    "cycle": (lambda: model([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "a")]), "has a cycle: "),
    "computed twice": (lambda: model([RELU, node("Tanh", "x")]), "computed twice"),
    "from nowhere": (lambda: model([node("Add", "x z")]), "the value z, which nothing"),
    "no output": (lambda: model([node("Relu", "x", "z")]), "output y is computed by no node"),
    "calls itself": (calls_itself, "the function f calls itself"),
    "grows": (grows, "more than 100,000 nodes"),
    "larger than its bytes": (lambda: shaped(HUGE, HUGE), r"needs [\d,]+ bytes, but the file holds 64"),
    "smaller than its bytes": (lambda: shaped(3, 4), "needs 48 bytes, but the file holds 64"),
    "negative": (lambda: shaped(-4, 4), "it must be whole, of sizes from 0"),
    "wrong shapes": (lambda: model([node("MatMul", "x w")], {"w": np.ones((3, 4), np.float32)}), r"shapes \(1, 4\)"),
    "huge input": (lambda: model([RELU], sides=(1, HUGE)), "would take about .* of memory"),
    "huge fill": (lambda: model([node("ConstantOfShape", "s")], constant(HUGE)), "would take about .* of memory"),
    "huge fill of many": (
        lambda: model([node("ConstantOfShape", "s")], constant(1 << 20, count=3)),
        "would take about .* of memory",
    ),
    "huge copies": (lambda: model([node("Tile", "x s")], constant(HUGE, count=2)), "would take about .* of memory"),
    "huge expansion": (lambda: model([node("Expand", "x s")], constant(HUGE, count=3)), "memory|fit its inputs"),
    "huge padding": (lambda: model([node("Pad", "x s")], constant(HUGE, count=4)), "would take about .* of memory"),
    "huge product": (
        lambda: model(
            [
                node("ConstantOfShape", "s", "long"),
                node("Transpose", "long", "tall"),
                node("Mul", "long tall", "square"),
                node("Add", "x square"),
            ],
            {"s": np.array([1 << 20, 1], np.int64)},
        ),
        "would take about .* of memory",
    ),
    "huge resize": (
        lambda: model([node("Resize", "x - s")], {"s": np.array([1, 1e12], np.float32)}),
        "would take about .* of memory",
    ),
    "huge range": (
        lambda: model(
            [node("Range", "a b c", "r"), node("Cast", "r", to=1)],
            {name: np.array(value, np.int64) for name, value in (("a", 0), ("b", HUGE), ("c", 1))},
        ),
        "would take about .* of memory",
    ),
    "negative size": (lambda: model([node("ConstantOfShape", "s")], constant(-5)), "would make an array of shape"),
    "step of zero": (
        lambda: model(
            [node("Range", "s s t", "r"), node("Cast", "r", to=1)],
            {"s": np.array(1, np.int64), "t": np.array(0, np.int64)},
        ),
        "counts in steps of 0",
    ),
    "text": (lambda: spoiled(lambda made: setattr(made.graph.initializer[0], "data_type", 8)), "type STRING"),
    "unknown type": (lambda: spoiled(lambda made: setattr(made.graph.initializer[0], "data_type", 77)), "type 77"),
    "parent folder": (lambda: outside("../secret"), r"'\.\./secret'; only a file in the folder"),
    "root": (lambda: outside("/etc/passwd"), "only a file in the folder"),
    "drive": (lambda: outside("C:\\secret"), "only a file in the folder"),
    "link": (lambda: outside("link"), "which is a link"),
    "linked folder": (lambda: outside("linked/weights"), "which is a link"),
    "not there": (lambda: outside("absent"), "can't be read"),
    "folder": (lambda: outside("."), "only a file in the folder|can't be read"),
    "beyond its end": (lambda: outside("weights", offset="8"), "ends at byte 72 of weights, which has 64"),
    "absurd offset": (lambda: outside("weights", offset="9" * 30), "no number of bytes"),
    "negative offset": (lambda: outside("weights", offset="-1"), "no number of bytes"),
    "other length": (lambda: outside("weights", length="16"), "needs 64 bytes, but the file says 16"),
    "pipe": (lambda: outside("pipe"), "can't be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, says = BAD[name]
    inside = tmp_path / "folder"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(bytes(64))
    (inside / "weights").write_bytes(bytes(64))
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "linked").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe")
    path = inside / "model.onnx"
    path.write_bytes(make().SerializeToString())
    tracemalloc.start()
    with pytest.raises(ForeignError, match=says) as caught:
        foreign.load(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert most < 64e6, f"{most:,} bytes"


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    weights = np.arange(16, dtype=np.float32).reshape(4, 4)
    (tmp_path / "weights").write_bytes(bytes(8) + weights.tobytes())
    path = tmp_path / "model.onnx"
    path.write_bytes(outside("weights", offset="8", length="64").SerializeToString())
    assert np.array_equal(foreign.load(path).weights["w"], weights)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = gemm().SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ForeignError):
            foreign.load(path)


def test_flipped_bytes_never_end_in_a_traceback(tmp_path: Path) -> None:
    whole = bytearray(gemm().SerializeToString())
    draw, path = np.random.default_rng(0), tmp_path / "model.onnx"
    for _ in range(60):
        spoiled = whole.copy()
        for place in draw.integers(0, len(whole), 3):
            spoiled[place] = draw.integers(0, 256)
        path.write_bytes(spoiled)
        with suppress(ForeignError):
            foreign.load(path)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "trapped"),))

    for name in ("model.pt", "model.onnx"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ForeignError, match=r"torch\.onnx\.export\(module\.eval\(\)") as caught:
            foreign.load(path)
        assert len(str(caught.value).splitlines()) == 3
    (tmp_path / "program.pt2").write_bytes(b"PK\x03\x04")
    with pytest.raises(ForeignError, match=r"program = torch\.export\.load"):
        foreign.load(tmp_path / "program.pt2")
    assert not (tmp_path / "trapped").exists()
    with pytest.raises(ForeignError, match="can't be read"):
        foreign.load(tmp_path / "absent.onnx")
    with pytest.raises(ForeignError, match="can't be read"):
        foreign.load(tmp_path)
