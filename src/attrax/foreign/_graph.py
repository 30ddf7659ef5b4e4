"""A graph of operators as plain Python data: what is left of an ONNX file once it has been checked."""

import graphlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attrax._base.arguments import printable
from attrax._base.shown import Record
from attrax.foreign._error import ForeignError

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Value(Record):
    """An input or output of a program.

    **Fields:** `shape`, with `None` for a size that the file leaves open, or `None` if it says nothing of the shape;
    `dtype`, or `None` for what is no tensor.
    """

    shape: tuple[int | None, ...] | None
    dtype: np.dtype[Any] | None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One application of an operator. An empty name stands for an input that is left out, or an unwanted output.

    `version` is that of the operator set in which the operator is to be understood.
    """

    name: str
    operator: str
    domain: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    source: bytes = b""
    """The node as the file has it, if ONNX defines its operator by others."""

    def __str__(self) -> str:
        return f"{printable(self.name, 80)} ({printable(self.operator, 40)})"

    @property
    def graphs(self) -> "list[Graph]":
        """The graphs that it may run: branches, or the body of a loop."""
        return [value for value in self.attributes.values() if isinstance(value, Graph)]

    def reads(self) -> set[str]:
        """The values that it needs, those which its graphs take from outside included."""
        needed = {name for name in self.inputs if name}
        for graph in self.graphs:
            needed |= graph.reads()
        return needed


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Nodes in the order in which they run.

    **Fields:** `inputs` and `outputs` by name; `constants`, known while a program is translated; `weights`, from a name
    to the key of an array that the program holds.
    """

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    def walk(self) -> Iterator[Node]:
        """All nodes, those of inner graphs included."""
        for node in self.nodes:
            yield node
            for graph in node.graphs:
                yield from graph.walk()

    def keys(self) -> set[str]:
        """The keys of all weights, those of inner graphs included."""
        inner = [graph.keys() for node in self.nodes for graph in node.graphs]
        return set(self.weights.values()).union(*inner)

    def reads(self) -> set[str]:
        """Names that the graph takes but does not make."""
        own = {*self.inputs, *self.constants, *self.weights}
        needed: set[str] = set()
        for node in self.nodes:
            needed |= node.reads() - own
            own |= set(node.outputs)
        return needed | (set(self.outputs) - own)

    def pruned(self, outputs: Mapping[str, Value], inputs: Mapping[str, Value]) -> "Graph":
        """What computes `outputs` from `inputs`, and from no other input unless one is needed."""
        wanted, kept = set(outputs) - set(inputs), []
        for node in reversed(self.nodes):
            if wanted & set(node.outputs):
                kept.append(node)
                wanted = (wanted - set(node.outputs)) | (node.reads() - set(inputs))
        needed = {name for node in kept for name in node.reads()} | set(outputs)
        return replace(
            self,
            inputs={name: value for name, value in {**inputs, **self.inputs}.items() if name in needed},
            outputs=dict(outputs),
            nodes=tuple(reversed(kept)),
            constants={name: value for name, value in self.constants.items() if name in needed},
            weights={name: key for name, key in self.weights.items() if name in needed},
        )


def in_order(nodes: Sequence[Node], known: Collection[str]) -> tuple[Node, ...]:
    """The nodes in an order in which each finds its inputs.

    **Raises** `ForeignError` for a cycle, a value that two nodes compute, and one that nothing computes.
    """
    maker: dict[str, int] = {}
    for number, node in enumerate(nodes):
        for name in node.outputs:
            if name and (name in maker or name in known):
                raise ForeignError(f"the value {printable(name, 80)} is computed twice; the second time by node {node}")
            maker[name] = number
    before = {}
    for number, node in enumerate(nodes):
        needed = node.reads()
        lost = [name for name in needed if name not in known and name not in maker]
        if lost:
            raise ForeignError(f"node {node} needs the value {printable(lost[0], 80)}, which nothing in the file makes")
        before[number] = {maker[name] for name in needed if name in maker}
    if all(max(earlier, default=-1) < number for number, earlier in before.items()):
        return tuple(nodes)
    try:
        return tuple(nodes[number] for number in graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        around = [str(nodes[number]) for number in error.args[1][:_LISTED]]
        raise ForeignError(f"the graph has a cycle: {' ← '.join(around)}; a network without cycles is needed") from None
