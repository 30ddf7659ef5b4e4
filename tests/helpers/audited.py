"""Small networks to audit, as ONNX files."""

from functools import cache
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax import foreign
from helpers.graphs import node


@cache
def digits() -> np.ndarray:
    """Pictures of 8×8, in [0, 1]."""
    return ax.sources.load("digits", n=140).values


@cache
def memory() -> ax.Memory:
    """A network that holds the first six digits as attractors."""
    return ax.store(digits()[:6], writer=ax.Constructed(), key=jr.key(0))


def memory_file(folder: Path) -> Path:
    """The same network as an ONNX file."""
    path = folder / "memory.onnx"
    foreign.export(memory(), path)
    return path


def write_graph(
    path: Path, nodes: Any, arrays: Any, inputs: dict[str, tuple[Any, Any]], outputs: dict[str, Any]
) -> Path:
    """An ONNX file from nodes, arrays, and shapes by name; inputs have a dtype as well."""
    import onnx

    kinds = {np.float32: onnx.TensorProto.FLOAT, np.int64: onnx.TensorProto.INT64}
    graph = onnx.helper.make_graph(
        list(nodes),
        "test",
        [
            onnx.helper.make_tensor_value_info(name, kinds[dtype], list(sides))
            for name, (sides, dtype) in inputs.items()
        ],
        [onnx.helper.make_tensor_value_info(name, kinds[np.float32], list(sides)) for name, sides in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def leaky_file(folder: Path) -> Path:
    """A recurrent network: state ↦ a·state + input, with a = 0.99 and 0.5, and a third cell that only adds up."""
    arrays = {"a": np.array([[0.99, 0.5, 1.0]], np.float32), "w": np.array([[1.0, 1.0, 0.25]], np.float32)}
    nodes = [node("Mul", "state a", "kept"), node("Mul", "sound w", "heard"), node("Add", "kept heard", "stateN")]
    inputs = {"sound": ((1, 1), np.float32), "state": (("batch", 3), np.float32)}
    return write_graph(folder / "leaky.onnx", nodes, arrays, inputs, {"stateN": ("batch", 3)})


def autoencoder_file(folder: Path) -> Path:
    """An autoencoder of 64 entries with a code of 3, tanh before and after, with weights that keep some codes apart."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(64, 3)))[0]
    arrays = {"E": (4 * basis).astype(np.float32), "D": basis.T.astype(np.float32)}
    nodes = [node("MatMul", "x E", "e"), node("Tanh", "e", "code"), node("MatMul", "code D", "y")]
    return write_graph(folder / "ae.onnx", nodes, arrays, {"x": (("n", 64), np.float32)}, {"y": ("n", 64)})


def residual_file(folder: Path) -> Path:
    """A convolutional network of 1×4×4 pictures with one attractor: x ↦ tanh(conv(x))/2 + b."""
    rng = np.random.default_rng(1)
    arrays = {
        "w": (0.2 * rng.normal(size=(1, 1, 3, 3))).astype(np.float32),
        "half": np.float32(0.5),
        "b": rng.uniform(size=(1, 4, 4)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w", "c", pads=[1, 1, 1, 1]),
        node("Tanh", "c", "t"),
        node("Mul", "t half", "h"),
        node("Add", "h b", "y"),
    ]
    return write_graph(folder / "conv.onnx", nodes, arrays, {"x": ((1, 1, 4, 4), np.float32)}, {"y": (1, 1, 4, 4)})
