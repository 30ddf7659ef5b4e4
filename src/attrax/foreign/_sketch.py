"""A map written down as operators of ONNX: a list of steps, from which files of several formats are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attrax._base.arguments import printable
from attrax.activations import activation as activation_of
from attrax.foreign._activation_steps import steps_of
from attrax.foreign._error import ForeignError
from attrax.maps import Exportable

INPUT, OUTPUT = "state", "next_state"
_OWN = {
    "arctan": ("Atan", {}),
    "erf": ("Erf", {}),
    "exp": ("Exp", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "relu": ("Relu", {}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "sigmoid": ("Sigmoid", {}),
    "softplus": ("Softplus", {}),
    "tanh": ("Tanh", {}),
}
"""Activations for which ONNX has an operator; all others are written as the steps that JAX takes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One application of an operator to values and constants, by name."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


@dataclass(slots=True)
class Sketch:
    """What a map is made of. It is what `attrax.maps.Exportable` calls a writer.

    **Fields:** the `dtype` of all floating-point numbers; `steps` in order; `constants` by name.
    """

    dtype: np.dtype[Any]
    steps: list[Step] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def constant(self, array: Any) -> str:
        """The name of an array, for use as an input."""
        values = np.asarray(array)
        values = values.astype(self.dtype) if values.dtype.kind in "fV" else values
        name = f"array_{len(self.constants)}"
        self.constants[name] = values
        return name

    def apply(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of what an operator of ONNX makes of its inputs."""
        output = f"value_{len(self.steps)}"
        self.steps.append(Step(operator, inputs, output, attributes))
        return output

    def activate(self, activation: Any, x: str) -> str:
        """The name of what an activation makes of `x`."""
        record = activation_of(activation)
        if record.name == "identity":
            return x
        if record.name in _OWN and record is activation_of(record.name):
            operator, attributes = _OWN[record.name]
            return self.apply(operator, x, **attributes)
        return steps_of(self, record, x)


def sketch_of(map: Any, dtype: Any) -> Sketch:
    """The map as operators, from `INPUT` to `OUTPUT`, with a batch axis. **Raises** `ForeignError` where it has no such
    form."""
    if not isinstance(map, Exportable):
        name = printable(type(map).__name__, 80)
        raise ForeignError(
            f"a map of the class {name} can't be written as ONNX: attrax writes its own networks, and maps with the "
            "method write_operators (see docs/extending.md)"
        )
    sketch = Sketch(np.dtype(dtype))
    found = map.write_operators(sketch, INPUT)
    sketch.steps.append(Step("Identity", (found,), OUTPUT, {}))
    return sketch
