"""Writes the steps of a map as an ONNX file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attrax._base.lazy import lazy
from attrax.foreign._sketch import INPUT, OUTPUT, Sketch

onnx = lazy("onnx")

OPERATORS, FORMAT = 17, 8
"""Versions of the operator set and of the file format that are written: old enough for every program to read."""


def onnx_model(sketch: Sketch, shape: Sequence[int], about: str) -> Any:
    """A `ModelProto` from batches of states, n×shape, to those of next states."""
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(sketch.dtype)
    nodes = [
        helper.make_node(
            step.operator, list(step.inputs), [step.output], name=f"{step.operator}_{number}", **step.attributes
        )
        for number, step in enumerate(sketch.steps)
    ]
    sides = ["batch", *map(int, shape)]
    graph = helper.make_graph(
        nodes,
        "attrax",
        [helper.make_tensor_value_info(INPUT, kind, sides)],
        [helper.make_tensor_value_info(OUTPUT, kind, sides)],
        [
            onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            for name, array in sketch.constants.items()
        ],
        doc_string=about,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPERATORS)],
        ir_version=FORMAT,
        producer_name="attrax",
    )
    onnx.checker.check_model(model)
    return model
