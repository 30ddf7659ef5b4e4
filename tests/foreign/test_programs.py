"""What a program can do beside being called; and fully connected networks, which are recognized."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
from helpers.graphs import model, node

import attrax as ax
from attrax import foreign
from attrax.extending import cast, float64
from attrax.foreign import ForeignError

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")
DRAW = np.random.default_rng(0)
W, V, B = (DRAW.normal(size=shape).astype(np.float32) for shape in ((6, 4), (4, 6), (6,)))


def saved(tmp_path: Path, made: Any) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def two_paths(tmp_path: Path) -> foreign.Program:
    """y = x + V tanh(W x + b), with an open batch axis."""
    nodes = [
        node("Gemm", "x w b", "h", transB=1),
        node("Tanh", "h", "t"),
        node("Gemm", "t v", "z", transB=1),
        node("Add", "x z"),
    ]
    return foreign.load(saved(tmp_path, model(nodes, {"w": W, "b": B, "v": V}, sides=("n", 4))))


def test_a_program_is_an_ordinary_function_of_jax(tmp_path: Path) -> None:
    program = two_paths(tmp_path)
    assert program.inputs["x"].shape == (None, 4)
    assert program.parameters == 54
    assert program.shapes()["t"].shape == (None, 6)
    x = np.random.default_rng(1).normal(size=(3, 4))
    exact = x + np.tanh(x @ W.T.astype(float) + B) @ V.T
    single = program.call({"x": x.astype(np.float32)})["y"]
    assert single.dtype == np.float32
    assert np.allclose(single, exact, atol=1e-5)
    with float64():
        wide = cast(program, np.float64)
        double = wide.call({"x": x})["y"]
        assert double.dtype == np.float64
        assert np.abs(double - exact).max() < 1e-14
        rows = jax.jit(jax.vmap(lambda one: wide.call({"x": one[None]})["y"][0]))(x)
        assert np.abs(rows - exact).max() < 1e-14
        along = jax.jit(lambda x, way: jax.jvp(lambda z: wide.call({"x": z})["y"], (x,), (way,))[1])
        slope = along(x, np.ones_like(x))
        inner = (1 - np.tanh(x @ W.T + B) ** 2) * W.sum(axis=1)
        assert np.abs(slope - (1 + inner @ V.T)).max() < 1e-5


def test_a_program_is_split_at_a_node(tmp_path: Path) -> None:
    program = two_paths(tmp_path)
    x = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    start, end = program.until("Tanh_of_t"), program.after("Tanh_of_t")
    assert list(end.inputs) == ["t", "x"]  # the sum by-passes the node
    assert end.inputs["t"].shape == (None, 6)
    assert (start.parameters, end.parameters) == (30, 24)
    code = start.call({"x": x})["t"]
    assert np.array_equal(end.call({"t": code, "x": x})["y"], program.call({"x": x})["y"])
    fixed = program.fixed({"x": x})
    assert fixed.inputs == {}
    assert np.array_equal(fixed.call({})["y"], program.call({"x": x})["y"])
    for wrong in (lambda: program.until("absent"), lambda: program.call({"x": x, "u": x}), lambda: program.call({})):
        with pytest.raises(ForeignError, match=r"no node 'absent'|no input 'u'|needs the input 'x'"):
            wrong()
    with pytest.raises(ForeignError, match=r"must have the shape \(\?, 4\); got \(4,\)"):
        program.call({"x": x[0]})


def test_branches_follow_a_fixed_input(tmp_path: Path) -> None:
    branches = {
        name: onnx.helper.make_graph(
            [node(operator, "x", "z")], name, [], [onnx.helper.make_tensor_value_info("z", 1, [1, 4])]
        )
        for name, operator in (("then_branch", "Neg"), ("else_branch", "Abs"))
    }
    made = model([node("Equal", "rate s", "same"), node("If", "same", **branches)], {"s": np.array(16000, np.int64)})
    made.graph.input.append(onnx.helper.make_tensor_value_info("rate", onnx.TensorProto.INT64, []))
    path = saved(tmp_path, made)
    x = np.array([[-1.0, 2.0, -3.0, 4.0]], np.float32)
    for rate, wanted in ((16000, -x), (8000, abs(x))):
        found = foreign.from_onnx(path, fixed={"rate": rate})
        assert np.array_equal(eqx.filter_jit(found.map)(x[0]), wanted[0])
    with pytest.raises(ForeignError, match="further inputs rate"):
        foreign.from_onnx(path)
    with pytest.raises(ForeignError, match="Give that input a fixed value"):
        jax.jit(lambda rate: foreign.load(path).call({"x": x, "rate": rate}))(8000)


RECOGNIZED = {
    "relu": [node("Relu", "h", "a")],
    "swish": [node("Sigmoid", "h", "g"), node("Mul", "h g", "a")],
    "gelu": [
        node("Div", "h root", "d"),
        node("Erf", "d", "e"),
        node("Add", "e one", "f"),
        node("Mul", "h f", "g"),
        node("Mul", "g half", "a"),
    ],
    "cosid": [node("Cos", "h", "c"), node("Sub", "c h", "a")],
}


@pytest.mark.parametrize("name", RECOGNIZED)
def test_fully_connected_graphs_become_attrax_own(name: str, tmp_path: Path) -> None:
    """Between a flattening and a reshaping; with a shift and a scale of the input, as normalization has them."""
    nodes = [
        node("Sub", "x shift", "centered"),
        node("Mul", "centered scale", "scaled"),
        node("Flatten", "scaled", "flat"),
        node("MatMul", "flat w", "p"),
        node("Add", "p b", "h"),
        *RECOGNIZED[name],
        node("Gemm", "a v", "q", transB=1, alpha=0.5),
        node("Reshape", "q s"),
    ]
    arrays = {
        "w": W.T.copy(),
        "b": B,
        "v": V,
        "shift": np.array(0.3, np.float32),
        "scale": np.array([[[2.0], [0.5]]], np.float32),
        "s": np.array([-1, 2, 2], np.int64),
        "root": np.array(2**0.5, np.float32),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
    }
    found = foreign.from_onnx(saved(tmp_path, model(nodes, arrays, sides=("n", 2, 2))))
    assert isinstance(found.map, ax.maps.MLP)
    assert (found.map.activation, found.map.widths, found.map.shape) == (name, (6,), (2, 2))
    if found.difference is not None:
        assert found.difference < 1e-6
    x = np.random.default_rng(2).normal(size=(2, 2))
    phi = ax.activations.ACTIVATIONS[name]
    with float64():
        hidden = jax.jit(phi)(((x - 0.3) * [[2.0], [0.5]]).ravel() @ W.T.astype(float) + B)
        assert np.abs(np.ravel(eqx.filter_jit(cast(found.map, np.float64))(x)) - 0.5 * hidden @ V.T).max() < 1e-6


def test_what_is_not_fully_connected_stays_a_graph(tmp_path: Path) -> None:
    two = [node("Gemm", "x w", "h", transB=1), node("Relu", "h", "a"), node("Gemm", "a v", "q", transB=1)]
    sigmoid, skip = [*two, node("Sigmoid", "q")], [*two, node("Add", "q x")]
    for nodes in (sigmoid, skip):
        found = foreign.from_onnx(saved(tmp_path, model(nodes, {"w": W, "v": V})))
        assert isinstance(found.map, foreign.ProgramMap)
        assert ax.maps.describe(found.map).text.startswith("ONNX graph of 4 nodes")
    with pytest.raises(ForeignError, match="so it can't be iterated"):
        foreign.from_onnx(saved(tmp_path, model([*two[:1], node("Relu", "h")], {"w": W}, out=(1, 6))))


def test_a_graph_can_be_certified(tmp_path: Path) -> None:
    """A map from elsewhere takes part in everything that any callable does."""
    nodes = [node("Tanh", "x", "t"), node("MatMul", "t w")]
    path = saved(tmp_path, model(nodes, {"w": 0.5 * np.eye(4, dtype=np.float32)}))
    found = foreign.from_onnx(path)
    memory = ax.Memory(found.map, ax.Patterns.from_examples(np.zeros((1, 4))))
    assert ax.certify(memory).all_attractors
