"""Recognizes fully connected networks, so that they become attrax's own, with its sharp certificates."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attrax._base.numerics import float64
from attrax.activations import ACTIVATIONS
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Graph, Node, Value
from attrax.foreign._program import Program, traced
from attrax.maps import MLP

_PASSED = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
"""Operators that leave a batch of one as it is, in the order of its entries."""
_AFFINE = frozenset({"Add", "Sub", "Mul", "Div"})
_ENTRYWISE = frozenset(
    {
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf", "Exp"),
        *("Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Max", "Min", "Mish", "Neg", "Pow", "Reciprocal"),
        *(
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "Where",
            "Relu",
            "Selu",
            "Sigmoid",
            "Sin",
            "Sinh",
            "Softplus",
            "Softsign",
            "Sqrt",
            "Swish",
            "Tan",
            "Tanh",
        ),
        *_AFFINE,
    }
)
_GRID = np.concatenate([np.linspace(-9, 9, 181), [-30.0, 30.0]])
_SAME = 2e-6
"""Relative difference up to which a function is taken for a named one: constants in files have 32 bits."""
_LARGEST_IDENTITY = 4096


@dataclass(slots=True)
class _Layer:
    """An affine function of the flat values: `weight` @ x + `bias`; `None` for the identity, and for no bias."""

    weight: np.ndarray | None = None
    bias: np.ndarray | None = None

    def then(self, weight: np.ndarray, bias: np.ndarray | None) -> None:
        if self.weight is None and self.bias is None:
            self.weight, self.bias = weight, bias  # as the file has it
            return
        wide = np.asarray(weight, np.float64)
        self.bias = bias if self.bias is None else wide @ self.bias + (0 if bias is None else bias)
        self.weight = wide if self.weight is None else wide @ self.weight

    def scaled(self, factor: Any, offset: Any, size: int) -> None:
        factor, offset = (None if one is None else np.asarray(one, np.float64) for one in (factor, offset))
        if factor is not None:
            self.weight = np.diag(factor) if self.weight is None else factor[:, None] * self.weight
            self.bias = None if self.bias is None else factor * self.bias
        if offset is not None:
            self.bias = offset if self.bias is None else self.bias + offset
            self.weight = np.eye(size) if self.weight is None else self.weight


@dataclass(slots=True)
class _Walk:
    """How far the graph has been read: the current value, and the layers before it."""

    program: Program
    shapes: dict[str, tuple[int, ...]]
    value: str
    layer: _Layer = field(default_factory=_Layer)
    layers: list[_Layer] = field(default_factory=list)
    activation: str | None = None

    @property
    def graph(self) -> Graph:
        return self.program.graph

    def constant(self, name: str) -> np.ndarray | None:
        """An array that does not depend on the input."""
        if name in self.graph.constants:
            return self.graph.constants[name]
        key = self.graph.weights.get(name)
        return None if key is None else np.asarray(self.program.weights[key])

    def size(self) -> int:
        return math.prod(self.shapes[self.value])


def as_mlp(program: Program, input: str, output: str, shape: tuple[int, ...], batched: bool) -> MLP | None:
    """The program as a fully connected network of states of `shape`; `None` if it is none, or of several activations.

    Products, sums and normalization with fixed statistics are joined to one affine function between activations.
    """
    graph = program.graph.pruned({output: program.graph.outputs[output]}, {})
    if any(node.graphs for node in graph.nodes):
        return None
    try:
        found = {name: one for name, (one, _) in traced(program, 1, 1).items()}
    except ForeignError:
        return None
    found[input] = (1, *shape) if batched else shape
    walk = _Walk(Program(program.weights, graph), found, input)
    while walk.value != output:
        users = [node for node in graph.nodes if walk.value in node.inputs]
        if not (len(users) == 1 and _step(walk, users[0])) and not _activated(walk):
            return None
    return _network(walk, shape)


def _network(walk: _Walk, shape: tuple[int, ...]) -> MLP | None:
    layers, size = [*walk.layers, walk.layer], math.prod(shape)
    if walk.size() != size:
        return None
    activation = walk.activation or "identity"
    if len(layers) == 1:
        layers.append(_Layer())
    weights, biases, width = [], [], size
    for layer in layers:
        if layer.weight is None and width > _LARGEST_IDENTITY:
            return None
        weight = np.eye(width, dtype=np.float32) if layer.weight is None else layer.weight
        weights.append(weight)
        biases.append(None if layer.bias is None else np.asarray(layer.bias, weight.dtype))
        width = len(weight)
    return MLP(tuple(weights), tuple(biases), shape, activation)


def _step(walk: _Walk, node: Node) -> bool:
    """Reads one affine node, if it is one."""
    output = node.outputs[0]
    if output not in walk.shapes:
        return False
    if node.operator in _PASSED and node.inputs[0] == walk.value:
        if math.prod(walk.shapes[output]) != walk.size():
            return False
        walk.value = output
        return True
    reader = {"Gemm": _gemm, "MatMul": _mat_mul, "BatchNormalization": _batch_norm}.get(node.operator)
    if reader is None:
        reader = _entries if node.operator in _AFFINE else None
    if reader is None or not reader(walk, node, walk.shapes[output]):
        return False
    walk.value = output
    return True


def _gemm(walk: _Walk, node: Node, after: tuple[int, ...]) -> bool:
    data, factor, *rest = node.inputs
    weight, added = walk.constant(factor), any(rest)
    bias = walk.constant(rest[0]) if added else None
    if data != walk.value or weight is None or node.attributes.get("transA") or 1 not in after[:1]:
        return False
    if added and bias is None:
        return False
    weight = weight if node.attributes.get("transB") else weight.T
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if bias is not None:
        bias = np.broadcast_to(bias if beta == 1 else beta * bias, after).ravel()
    walk.layer.then(weight if alpha == 1 else alpha * weight, bias)
    return True


def _mat_mul(walk: _Walk, node: Node, after: tuple[int, ...]) -> bool:
    weight = walk.constant(node.inputs[1])
    rows = math.prod(walk.shapes[walk.value][:-1])
    if node.inputs[0] != walk.value or weight is None or weight.ndim != 2 or rows != 1:
        return False
    walk.layer.then(weight.T, None)
    return True


def _batch_norm(walk: _Walk, node: Node, after: tuple[int, ...]) -> bool:
    arrays = [walk.constant(name) for name in node.inputs[1:5]]
    if node.attributes.get("training_mode") or node.inputs[0] != walk.value or len(after) < 2:
        return False
    if any(one is None for one in arrays):
        return False
    scale, shift, mean, variance = (np.asarray(one, np.float64) for one in arrays)
    factor = scale / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    each = (-1, *[1] * (len(after) - 2))
    factor, offset = (np.broadcast_to(one.reshape(each), after[1:]).ravel() for one in (factor, shift - mean * factor))
    walk.layer.scaled(factor, offset, walk.size())
    return True


def _entries(walk: _Walk, node: Node, after: tuple[int, ...]) -> bool:
    """A sum or product with a constant for each entry, or with one number."""
    first = node.inputs[0] == walk.value
    other = walk.constant(node.inputs[1] if first else node.inputs[0])
    if other is None or after != walk.shapes[walk.value]:
        return False
    spread = np.broadcast_to(other, after).ravel()
    if node.operator == "Add":
        walk.layer.scaled(None, spread, walk.size())
    elif node.operator == "Sub":
        walk.layer.scaled(None if first else -np.ones(len(spread)), -spread if first else spread, walk.size())
    elif node.operator == "Mul":
        walk.layer.scaled(spread, None, walk.size())
    elif first and np.all(spread != 0):
        walk.layer.scaled(1 / np.asarray(spread, np.float64), None, walk.size())
    else:
        return False
    return True


def _activated(walk: _Walk) -> bool:
    """Reads an activation, however many nodes it takes: whatever acts on each entry by itself, and equals a named one
    at many points. The largest such part is taken."""
    region, nodes = {walk.value}, []
    for node in walk.graph.nodes:
        needed = [name for name in node.inputs if name]
        inside = [name for name in needed if name in region]
        if not inside or node.operator not in _ENTRYWISE:
            continue
        others = [walk.constant(name) for name in needed if name not in region]
        if all(one is not None and one.size == 1 for one in others):
            region.add(node.outputs[0])
            nodes.append(node)
    for count in range(len(nodes), 0, -1):
        end = nodes[count - 1].outputs[0]
        part = walk.graph.pruned({end: Value(None, None)}, {walk.value: Value((len(_GRID),), np.dtype(np.float64))})
        used = {node.name for node in part.nodes}
        inner = {name for node in part.nodes for name in node.outputs} - {end} | {walk.value}
        left = any(name in inner for node in walk.graph.nodes if node.name not in used for name in node.inputs)
        if left or not used <= {node.name for node in nodes} or inner & set(walk.graph.outputs):
            continue
        name = _named(walk, part, end)
        if name is None or walk.activation not in (None, name):
            continue
        walk.layers.append(walk.layer)
        walk.layer, walk.activation, walk.value = _Layer(), name, end
        return True
    return False


def _named(walk: _Walk, part: Graph, end: str) -> str | None:
    """The named activation that equals a part of the graph."""
    with float64():
        entry = replace(part, inputs={walk.value: Value((len(_GRID),), np.dtype(np.float64))})
        values = np.asarray(Program(walk.program.weights, entry).call({walk.value: _GRID})[end], np.float64)
        if values.shape != _GRID.shape:
            return None
        for name, record in ACTIVATIONS.items():
            wanted = np.asarray(record(_GRID), np.float64)
            if np.all(np.abs(values - wanted) <= _SAME * (1 + np.abs(wanted)) * (1e-6 if name == "identity" else 1)):
                return name
    return None
