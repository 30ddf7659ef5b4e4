"""A program: a foreign graph with its weights, which JAX can run, differentiate and cast."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.arguments import printable
from attrax._base.budget import refuse_beyond_memory
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Graph, Node, Value
from attrax.foreign._operator import SMALL, is_float
from attrax.foreign._run import Runner

_GUESSES = (1, 2, 16, 32, 64, 224)
"""Sizes that are tried where the file leaves one open, other than that of the first axis."""


class Program(Record, eqx.Module):
    """A graph of operators, with its weights as leaves. Load one with `attrax.foreign.load`.

    It is called with arrays by name and returns arrays by name. With its weights in float64 it computes in 64 bits
    throughout, also where the file says 32; `jax.vmap`, `jax.jvp` and `jax.jit` work as for any function. Inputs of
    integers and truth values that are NumPy arrays are known while it is translated, so that branches and shapes may
    depend on them.

    **Fields:** `weights` by name; the `graph`.
    """

    weights: dict[str, Any]
    graph: Graph = eqx.field(static=True)

    @property
    def inputs(self) -> dict[str, Value]:
        """Shape and dtype of each input, with `None` for a size that is open."""
        return dict(self.graph.inputs)

    @property
    def outputs(self) -> dict[str, Value]:
        """Shape and dtype of each output, as far as the file says it; for those computed see `shapes`."""
        return dict(self.graph.outputs)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes, in the order in which they run. Those of branches and loops are not among them."""
        return tuple(node.name for node in self.graph.nodes)

    @property
    def parameters(self) -> int:
        """Number of entries of all weights."""
        return sum(int(np.size(weight)) for weight in self.weights.values())

    def call(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name. **Raises** `ForeignError` for a wrong or missing input, and where shapes don't fit."""
        return self._run(inputs, None)

    def fixed(self, inputs: Mapping[str, Any]) -> "Program":
        """The program with some inputs fixed. **Raises** `ForeignError` for a name or a shape that is not of an
        input."""
        constants, weights, keys = dict(self.graph.constants), dict(self.weights), dict(self.graph.weights)
        for name, value in inputs.items():
            array = _checked(name, self._input(name), value)
            if is_float(array.dtype) and array.ndim:
                key = f"input {name}"
                weights[key], keys[name] = array, key
            else:
                constants[name] = np.asarray(array)
        left = {name: value for name, value in self.graph.inputs.items() if name not in inputs}
        graph = Graph(left, self.graph.outputs, self.graph.nodes, constants, keys)
        return Program(weights, graph)

    def until(self, node: str) -> "Program":
        """The part that ends with a node, or with a value, of this name. **Raises** `ForeignError` if there is none."""
        names = self._values_of(node)
        shapes = self.shapes()
        outputs = {name: shapes.get(name, Value(None, None)) for name in names}
        return self._part(self.graph.pruned(outputs, {}))

    def after(self, node: str) -> "Program":
        """The part that begins with the outputs of a node, or with a value, of this name.

        An input of the whole that is needed as well, because something by-passes the node, stays an input. **Raises**
        `ForeignError` if there is no such node.
        """
        names = self._values_of(node)
        shapes = self.shapes()
        inputs = {name: shapes.get(name, Value(None, None)) for name in names}
        return self._part(self.graph.pruned(self.graph.outputs, inputs))

    def shapes(self) -> dict[str, Value]:
        """Shape and dtype of every value that is computed, with `None` for a size that follows an open one.

        Nothing is computed. Empty where the open sizes can't be guessed.
        """
        return dict(self._shapes)

    # Equinox modules have no room for a cache of their own; the graph, which decides, is one object.
    @cached_property
    def _shapes(self) -> dict[str, Value]:
        return _shapes_of(self)

    def _input(self, name: str) -> Value:
        if name not in self.graph.inputs:
            known = ", ".join(printable(one, 60) for one in self.graph.inputs)
            raise ForeignError(f"the network has no input {printable(name, 60)!r}; its inputs are {known or 'none'}")
        return self.graph.inputs[name]

    def _values_of(self, name: str) -> list[str]:
        for node in self.graph.nodes:
            if node.name == name:
                return [output for output in node.outputs[:1] if output]
        if any(name in node.outputs for node in self.graph.nodes):
            return [name]
        some = ", ".join(printable(node.name, 60) for node in self.graph.nodes[:8])
        raise ForeignError(f"the network has no node {printable(name, 60)!r}; its first nodes are {some}")

    def _part(self, graph: Graph) -> "Program":
        keys = graph.keys()
        return Program({key: weight for key, weight in self.weights.items() if key in keys}, graph)

    def _run(self, inputs: Mapping[str, Any], observe: Callable[[Node, str, Any], None] | None) -> dict[str, Any]:
        lost = [name for name in self.graph.inputs if name not in inputs]
        if lost:
            raise ForeignError(f"the network needs the input {printable(lost[0], 60)!r}; pass it, or fix it")
        arrays = {name: _checked(name, self._input(name), value) for name, value in inputs.items()}
        declared = {name: value.dtype for name, value in self.graph.inputs.items()}
        wide = any(_is_wide(array) and declared[name] != np.float64 for name, array in arrays.items())
        # The dtype of an array in the file, which a double may be as well, is that before it was cast.
        wide = wide or (any(_is_wide(weight) for weight in self.weights.values()) and not self._double)
        weights = self.weights
        if wide:
            arrays = {name: _widened(array) for name, array in arrays.items()}
            weights = {key: _widened(weight) for key, weight in weights.items()}
        found = Runner(weights, wide, observe).run(self.graph, arrays, {})
        return {name: value if isinstance(value, list) else _finished(value, wide) for name, value in found.items()}

    @property
    def _double(self) -> bool:
        """Whether the file itself asks for 64 bits."""
        return any(value.dtype == np.float64 for value in self.graph.inputs.values())

    def _facts(self) -> dict[str, Any]:
        def shown(values: Mapping[str, Value]) -> str:
            return ", ".join(
                f"{printable(name, 30)} {value.dtype}{_sides(value.shape)}" for name, value in values.items()
            )

        return {
            "inputs": shown(self.graph.inputs),
            "outputs": shown(self.graph.outputs),
            "nodes": len(self.graph.nodes),
            "parameters": self.parameters,
        }


def check(program: Program) -> None:
    """**Raises** `ForeignError` where operators do not fit their inputs, or a value would not fit into memory.

    Shapes are followed through the graph, nothing is computed. Sizes that the file leaves open are guessed; where no
    guess fits and more than the first one is open, only a run can tell.
    """
    open_sizes = [
        side
        for value in program.graph.inputs.values()
        for side in ((value.shape or (None, None))[1:] if value.shape != () else ())
        if side is None
    ]
    if any(value.dtype is None for value in program.graph.inputs.values()):
        return
    first: ForeignError | None = None
    for guess in _GUESSES if open_sizes else (1,):
        try:
            traced(program, 1, guess)
            return
        except ForeignError as error:
            first = error if first is None else first
    if first is not None and not open_sizes and not _waits_for_a_value(first):
        raise first


def _waits_for_a_value(error: ForeignError) -> bool:
    return "Give that input a fixed value" in str(error)


def traced(program: Program, batch: int, guess: int) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of every value, for these sizes in the place of open ones. Nothing is computed."""
    found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}

    def observe(node: Node, name: str, value: Any) -> None:
        if not hasattr(value, "shape"):
            return
        size = 1
        for side in value.shape:
            size *= int(side)
        if size > SMALL:
            refuse_beyond_memory(
                f"node {node}: an array of shape {tuple(value.shape)}",
                size * np.dtype(value.dtype).itemsize,
                "check the sizes in the file, or give smaller inputs",
                error=ForeignError,
            )
        if name in program_values:
            found[name] = tuple(value.shape), np.dtype(value.dtype)

    program_values = {name for node in program.graph.nodes for name in node.outputs}
    with float64():
        given = {}
        for name, value in program.graph.inputs.items():
            sides = tuple(
                side if side is not None else batch if axis == 0 else guess
                for axis, side in enumerate(value.shape or ())
            )
            if value.dtype is None or value.shape is None:
                raise ForeignError(f"the file does not say the shape of the input {printable(name, 60)!r}")
            size = 1
            for side in sides:
                size *= side
            refuse_beyond_memory(
                f"the input {printable(name, 60)!r} of shape {sides}",
                size * value.dtype.itemsize,
                "check the sizes in the file",
                error=ForeignError,
            )
            given[name] = jax.ShapeDtypeStruct(sides, value.dtype)
        abstract = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype), program.weights)

        def run(weights: Any, arrays: Any) -> Any:
            return Program(weights, program.graph)._run(arrays, observe)

        jax.eval_shape(run, abstract, given)
    return found


def _shapes_of(program: Program) -> dict[str, Value]:
    known: dict[str, Value] = {}
    for guess in _GUESSES:
        try:
            one, other = traced(program, 2, guess), traced(program, 3, 2 * guess)
        except ForeignError:
            try:  # other inputs may determine the sizes
                one = other = traced(program, 1, guess)
            except ForeignError:
                continue
        for name, (shape, dtype) in one.items():
            second = other.get(name, ((), dtype))[0]
            same = len(second) == len(shape)
            sides = tuple(a if a == b else None for a, b in zip(shape, second, strict=True)) if same else None
            known[name] = Value(sides, dtype)
        break
    return known


def _checked(name: str, value: Value, given: Any) -> Any:
    """An input as an array of the declared kind, floating-point numbers in their own precision."""
    if given is None or (isinstance(given, list) and value.dtype is None):
        return given
    if not isinstance(given, np.ndarray | np.generic | jax.Array):
        given = np.asarray(given, value.dtype)
    shape = tuple(given.shape)
    if value.shape is not None and (
        len(shape) != len(value.shape)
        or any(wanted not in (None, side) for side, wanted in zip(shape, value.shape, strict=True))
    ):
        raise ForeignError(
            f"the input {printable(name, 60)!r} must have the shape {_sides(value.shape)}; got {_sides(shape)}"
        )
    if value.dtype is None:
        return given
    if is_float(value.dtype):
        if not (is_float(given.dtype) or given.dtype.kind in "iub"):
            raise ForeignError(f"the input {printable(name, 60)!r} must hold real numbers; got {given.dtype}")
        given = jnp.asarray(given) if is_float(given.dtype) else jnp.asarray(given, value.dtype)
        return given if given.dtype.itemsize > value.dtype.itemsize else given.astype(value.dtype)
    if given.dtype == value.dtype:
        return given
    if is_float(given.dtype):
        raise ForeignError(f"the input {printable(name, 60)!r} must hold numbers of {value.dtype}; got {given.dtype}")
    return given.astype(value.dtype) if isinstance(given, np.ndarray | np.generic) else jnp.asarray(given)


def _sides(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "of any shape"
    return str(tuple("?" if one is None else one for one in shape)).replace("'", "")


def _is_wide(value: Any) -> bool:
    return getattr(value, "dtype", None) == np.float64


def _widened(value: Any) -> Any:
    dtype = getattr(value, "dtype", None)
    if dtype is None or not is_float(dtype) or dtype.itemsize not in (2, 4):
        return value
    return jnp.asarray(value, np.float64)


def _finished(value: Any, wide: bool) -> Any:
    if value is None:
        return None
    return _widened(jnp.asarray(value)) if wide else value
