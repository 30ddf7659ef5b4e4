"""Runs a graph on arrays. JAX traces this; what the file determines is computed by NumPy on the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from attrax._base.numerics import float64
from attrax.foreign._bodies import body_of
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Graph, Node
from attrax.foreign._operator import SMALL, Call, Operator, is_float
from attrax.foreign._operators import OPERATORS

Observer = Callable[[Node, str, Any], None]


@dataclass(frozen=True, slots=True)
class Runner:
    """**Fields:** `weights` of the program by key; `wide`, see `Call`; `observe`, called with each value computed."""

    weights: Mapping[str, Any]
    wide: bool
    observe: Observer | None = None

    def run(self, graph: Graph, inputs: Mapping[str, Any], outer: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of `graph` by name. `outer` are the values around an inner graph."""
        known = {name: self._widened(array) for name, array in graph.constants.items()}
        held = {name: self.weights[key] for name, key in graph.weights.items()}
        values: dict[str, Any] = {**outer, **known, **held, **inputs}
        for node in graph.nodes:
            given = [values[name] if name else None for name in node.inputs]
            results = self._apply(node, given, values)
            for name, result in zip(node.outputs, results, strict=False):
                if name:
                    values[name] = result
                    if self.observe is not None:
                        self.observe(node, name, result)
        return {name: values.get(name) for name in graph.outputs}

    def _widened(self, array: Any) -> Any:
        if self.wide and isinstance(array, np.ndarray) and is_float(array.dtype) and array.dtype.itemsize in (2, 4):
            return array.astype(np.float64)
        return array

    def _apply(self, node: Node, given: list[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        entry = OPERATORS.get((node.domain, node.operator))

        def inner(graph: Graph, arguments: Sequence[Any]) -> list[Any]:
            named = dict(zip(graph.inputs, arguments, strict=True))
            return list(self.run(graph, named, values).values())

        try:
            if entry is None:
                body = body_of(node, given)
                return inner(body, [*given, *[None] * (len(body.inputs) - len(given))])
            return _called(entry, node, given, self.wide, inner)
        except ForeignError:
            raise
        except (TypeError, ValueError, IndexError, KeyError, ZeroDivisionError, NotImplementedError) as error:
            said = str(error).strip().split("\n")[0][:200]
            shapes = ", ".join(str(getattr(one, "shape", "none")) for one in given)
            raise ForeignError(f"node {node} does not fit its inputs of shapes {shapes}: {said}") from error


def _called(entry: Operator, node: Node, given: list[Any], wide: bool, inner: Any) -> Sequence[Any]:
    for slot in entry.known:
        if slot < len(given):
            given[slot] = _known(node, slot, given[slot])
    free = all(_is_known(one) for one in given)
    if free and entry.plain and _small(given):
        with np.errstate(all="ignore"):
            return _several(entry.function(Call(node, np, wide, inner), *given))
    call = Call(node, jnp, wide, inner)
    if free and given and not node.graphs:
        # The same code, run by JAX at once; in 64 bits, so that indices stay exact.
        with float64():
            shapes = jax.eval_shape(lambda: _several(entry.function(call, *given)))
            if sum(one.size for one in jax.tree.leaves(shapes)) <= SMALL:
                with jax.ensure_compile_time_eval():
                    found = _several(entry.function(call, *given))
                    return jax.tree.map(np.asarray, found)
    return _several(entry.function(call, *given))


def _several(result: Any) -> tuple[Any, ...]:
    several = result if isinstance(result, tuple) else (result,)
    return jax.tree.map(lambda one: np.asarray(one) if isinstance(one, np.generic) else one, several)


def _is_known(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_known(one) for one in value)
    return value is None or isinstance(value, np.ndarray)


def _small(given: Sequence[Any]) -> bool:
    """Whether the result of an elementwise operator, or of one that moves entries around, is small."""
    sizes = [one.shape for one in given if isinstance(one, np.ndarray)]
    try:
        joined = np.broadcast_shapes(*sizes)
    except ValueError:
        joined = (sum(int(np.prod(shape, dtype=object)) for shape in sizes),)
    return int(np.prod(joined, dtype=object)) <= SMALL


def _known(node: Node, slot: int, value: Any) -> Any:
    if value is None or isinstance(value, np.ndarray | list):
        return value
    if isinstance(value, Tracer):
        raise ForeignError(
            f"node {node}: the file must determine its input {node.inputs[slot]}, on which shapes depend; here it "
            "depends on an input of the network. Give that input a fixed value"
        )
    return np.asarray(value)
