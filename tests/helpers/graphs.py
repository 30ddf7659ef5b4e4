"""Small ONNX models, and what a hostile file may say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def model(
    nodes: Sequence[Any],
    arrays: Mapping[str, np.ndarray] | None = None,
    *,
    sides: Sequence[int | str] = (1, 4),
    out: Sequence[int | str] | None = None,
    version: int = 17,
    **fields: Any,
) -> Any:
    """A model from `x` to `y`, floats of shape `sides`."""
    import onnx

    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        list(nodes),
        "test",
        [onnx.helper.make_tensor_value_info("x", kind, list(sides))],
        [onnx.helper.make_tensor_value_info("y", kind, list(sides if out is None else out))],
        [onnx.numpy_helper.from_array(array, name) for name, array in (arrays or {}).items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)], ir_version=8, **fields)


def node(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    """A node; names of inputs and outputs are separated by blanks, and `-` stands for one that is left out."""
    import onnx

    given, made = ([name.replace("-", "") for name in text.split()] for text in (inputs, outputs))
    return onnx.helper.make_node(operator, given, made, name=f"{operator}_of_{made[0]}", **attributes)
