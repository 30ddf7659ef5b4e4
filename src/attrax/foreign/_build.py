"""Makes a graph of what an ONNX file says, and refuses what attrax does not know before any of it is computed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attrax._base.arguments import printable
from attrax._base.lazy import lazy
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Graph, Node, Value, in_order
from attrax.foreign._operator import is_float
from attrax.foreign._operators import OPERATORS
from attrax.foreign._tensors import TensorReader, dtype_of

onnx = lazy("onnx")

OLDEST, NEWEST = 7, 28
"""Versions of ONNX's own operator set whose operators are understood. Of older ones those that have not changed are."""
_MOST_NODES = 100_000
"""Nodes that a network may have, those of functions counted for each call."""
_LISTED = 5
BODY = "Body"
"""The operator of a node that stands for a function of the file."""


@dataclass(slots=True)
class _Missing:
    """Operators that attrax does not have, with the nodes that need them."""

    nodes: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self) -> None:
        if not self.nodes:
            return
        needed = []
        for name, nodes in self.nodes.items():
            rest = f" and {len(nodes) - _LISTED} more" if len(nodes) > _LISTED else ""
            needed.append(f"{name} (needed by {', '.join(nodes[:_LISTED])}{rest})")
        many = len(needed) > 1
        raise ForeignError(
            f"attrax has no operator{'s' * many} {'; '.join(needed)}; export the network without "
            f"{'them' if many else 'it'}, or with another version of the operator set"
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What is shared by the graphs of one file.

    **Fields:** `versions` of the operator sets by domain; `functions` of the file; the `reader` of its arrays; the
    `weights` found so far, or `None` where weights are to be constants; operators that are `missing`; `bound`, the
    attributes of the function whose body is built; and a `path` that makes the keys of weights unique.
    """

    versions: Mapping[str, int]
    functions: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    reader: TensorReader = field(default_factory=lambda: TensorReader(None))
    weights: dict[str, np.ndarray] | None = None
    missing: _Missing = field(default_factory=_Missing)
    bound: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""


def versions_of(imports: Iterable[Any]) -> dict[str, int]:
    """Versions by domain. **Raises** `ForeignError` for a version of ONNX's own set that is not known."""
    found = {_domain(one.domain): int(one.version) for one in imports}
    version = found.get("")
    if version is not None and not 1 <= version <= NEWEST:
        raise ForeignError(
            f"the file uses version {version} of ONNX's operators; attrax knows those up to {NEWEST}: export it with "
            f"opset_version={NEWEST} or lower"
        )
    return found


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def build(proto: Any, scope: Scope) -> Graph:
    """The graph of a `GraphProto`, with everything that it needs. **Raises** `ForeignError`."""
    if _count(proto.node, scope.functions, {}) > _MOST_NODES:
        raise ForeignError(f"the network has more than {_MOST_NODES:,} nodes, those of functions counted for each call")
    graph = _graph(proto, scope, frozenset())
    scope.missing.refuse()
    return graph


def _count(nodes: Any, functions: Mapping[tuple[str, str], Any], known: dict[tuple[str, str], int | None]) -> int:
    """The nodes that there are once functions stand in place of their calls. Each function is looked at once, so that
    it takes no time to see that calls of calls are too many."""
    total = 0
    for node in nodes:
        key = _domain(node.domain), node.op_type
        if key in functions and key not in known:
            known[key] = None
            known[key] = _count(functions[key].node, functions, known)
        size = known.get(key, 1)
        if size is None:
            raise ForeignError(f"the function {printable(node.op_type, 40)} calls itself")
        total += size
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                total += _count(graph.node, functions, known)
    return total


def build_body(proto: Any, attributes: Iterable[Any], scope: Scope) -> Graph:
    """The graph of a `FunctionProto` called with these attributes."""
    given = {attribute.name: attribute for attribute in attributes}
    defaults = {attribute.name: attribute for attribute in proto.attribute_proto}
    inner = replace(
        scope,
        versions={**scope.versions, **versions_of(proto.opset_import)},
        bound={**defaults, **given},
    )
    open_value = Value(None, None)
    inputs = dict.fromkeys(proto.input, open_value)
    outputs = dict.fromkeys(proto.output, open_value)
    return _finish(proto.node, inputs, outputs, {}, inner, frozenset(), whole=False)


def _graph(proto: Any, scope: Scope, outer: frozenset[str]) -> Graph:
    if len(proto.sparse_initializer):
        raise ForeignError("the file holds sparse weights; save it with dense ones")
    constants = {tensor.name: scope.reader.read(tensor) for tensor in proto.initializer}
    inputs = {one.name: value_of(one) for one in proto.input if one.name not in constants}
    outputs = {one.name: value_of(one) for one in proto.output}
    if len(inputs) + len(constants) < len({one.name for one in (*proto.input, *proto.initializer)}):
        raise ForeignError("two inputs of the graph have the same name")
    return _finish(proto.node, inputs, outputs, constants, scope, outer)


def value_of(info: Any) -> Value:
    """What a file says of an input or output."""
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return Value(None, None)
    tensor = info.type.tensor_type
    dtype = dtype_of(tensor.elem_type) if tensor.elem_type else None
    if not tensor.HasField("shape"):
        return Value(None, dtype)
    sides = [
        int(one.dim_value) if one.WhichOneof("value") == "dim_value" and one.dim_value >= 0 else None
        for one in tensor.shape.dim
    ]
    return Value(tuple(sides), dtype)


def _finish(
    protos: Any,
    inputs: dict[str, Value],
    outputs: dict[str, Value],
    constants: dict[str, np.ndarray],
    scope: Scope,
    outer: frozenset[str],
    *,
    whole: bool = True,
) -> Graph:
    """The graph of these nodes. Unless it is `whole`, it may leave outputs out that the call of a function does not ask
    for."""
    names = outer | {*inputs, *constants} | {name for proto in protos for name in proto.output}
    nodes, taken = [], set()
    for number, proto in enumerate(protos):
        if proto.op_type == "Constant" and not proto.domain:
            constants[proto.output[0]] = _constant(proto, scope)
            continue
        name = proto.name or f"{proto.op_type}_{number}"
        while name in taken:
            name += "'"
        taken.add(name)
        nodes.append(_node(proto, name, scope, names))
    ordered = in_order(nodes, outer | {*inputs, *constants})
    lost = [name for name in outputs if name not in names]
    if lost and whole:
        raise ForeignError(f"the output {printable(lost[0], 80)} is computed by no node")
    graph = Graph(inputs, outputs, ordered)
    fixed = {node.inputs[slot] for node in graph.walk() for slot in _known(node) if slot < len(node.inputs)}
    weights = {}
    for name, array in [*constants.items()]:
        if scope.weights is None:
            break
        if array.ndim and is_float(array.dtype) and array.dtype.itemsize > 1 and name not in fixed:
            key = f"{scope.path}{name}"
            while key in scope.weights:
                key += "'"
            scope.weights[key] = constants.pop(name)
            weights[name] = key
    return replace(graph, constants=constants, weights=weights)


def _known(node: Node) -> tuple[int, ...]:
    entry = OPERATORS.get((node.domain, node.operator))
    return () if entry is None else entry.known


def _node(proto: Any, name: str, scope: Scope, names: frozenset[str]) -> Node:
    domain = _domain(proto.domain)
    inner = replace(scope, path=f"{scope.path}{name}/")
    inputs, outputs = tuple(proto.input), tuple(proto.output)
    function = scope.functions.get((domain, proto.op_type))
    if function is not None:
        body = build_body(function, _resolved(proto, scope), inner)
        if len(inputs) > len(body.inputs) or len(outputs) > len(body.outputs):
            raise ForeignError(f"node {printable(name, 80)} calls the function {printable(proto.op_type, 40)} wrongly")
        return Node(name, BODY, "", scope.versions.get("", NEWEST), inputs, outputs, {"body": body})
    version = scope.versions.get(domain)
    known = (domain, proto.op_type) in OPERATORS and not _outdated(proto.op_type, version, domain)
    if version is None and domain == "":
        raise ForeignError("the file does not say which version of ONNX's operators it uses; it is damaged")
    if version is None or not (known or _is_function(proto.op_type, version, domain)):
        shown = printable(f"{domain}.{proto.op_type}" if domain else proto.op_type, 80)
        shown += f" of version {version}" if _outdated(proto.op_type, version, domain) else ""
        scope.missing.nodes.setdefault(shown, []).append(printable(name, 80))
        return Node(name, proto.op_type, domain, 0, inputs, outputs, {})
    given = _resolved(proto, scope)
    if known:
        attributes = {one.name: _attribute(one, inner, names) for one in given}
        return Node(name, proto.op_type, domain, version, inputs, outputs, attributes)
    whole = onnx.NodeProto()
    whole.CopyFrom(proto)
    del whole.attribute[:]
    whole.attribute.extend(given)
    # Its graphs are read again where the definition is built; what they take from outside is noted here.
    inner = replace(inner, weights=None)
    graphs = {one.name: _attribute(one, inner, names) for one in given if one.type == onnx.AttributeProto.GRAPH}
    return Node(name, proto.op_type, domain, version, inputs, outputs, graphs, whole.SerializeToString())


def _outdated(name: str, version: int | None, domain: str) -> bool:
    """Whether the operator has changed between this version and the oldest that is understood."""
    if domain or version is None or version >= OLDEST:
        return False
    try:
        return onnx.defs.get_schema(name, OLDEST, domain).since_version > version
    except onnx.defs.SchemaError:
        return True


def _is_function(name: str, version: int, domain: str) -> bool:
    try:
        schema = onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def _resolved(proto: Any, scope: Scope) -> list[Any]:
    """The attributes, those of the function around them in the place of references to them."""
    found = []
    for attribute in proto.attribute:
        if not attribute.ref_attr_name:
            found.append(attribute)
        elif attribute.ref_attr_name in scope.bound:
            copy = onnx.AttributeProto()
            copy.CopyFrom(scope.bound[attribute.ref_attr_name])
            copy.name = attribute.name
            found.append(copy)
    return found


def _constant(proto: Any, scope: Scope) -> np.ndarray:
    for attribute in _resolved(proto, scope):
        if attribute.name == "value":
            return scope.reader.read(attribute.t)
        if attribute.name in ("value_float", "value_floats"):
            return np.array(attribute.f if attribute.name == "value_float" else [*attribute.floats], np.float32)
        if attribute.name in ("value_int", "value_ints"):
            return np.array(attribute.i if attribute.name == "value_int" else [*attribute.ints], np.int64)
    raise ForeignError(f"node {printable(proto.name or proto.output[0], 80)} (Constant) holds no array of numbers")


def _attribute(attribute: Any, scope: Scope, names: frozenset[str]) -> Any:
    """An attribute as plain Python. The element types that some operators name become dtypes."""
    kinds = onnx.AttributeProto
    if attribute.type == kinds.INT and attribute.name in ("to", "dtype", "output_dtype", "output_datatype"):
        return dtype_of(attribute.i) if attribute.i else None
    if attribute.type == kinds.GRAPH:
        return _graph(attribute.g, scope, names)
    if attribute.type == kinds.TENSOR:
        return scope.reader.read(attribute.t)
    if attribute.type in (kinds.INTS, kinds.FLOATS):
        return [*(attribute.ints if attribute.type == kinds.INTS else attribute.floats)]
    if attribute.type in (kinds.STRING, kinds.STRINGS):
        texts = [attribute.s] if attribute.type == kinds.STRING else [*attribute.strings]
        decoded = [text.decode("utf-8", "replace") for text in texts]
        return decoded[0] if attribute.type == kinds.STRING else decoded
    if attribute.type in (kinds.INT, kinds.FLOAT):
        return attribute.i if attribute.type == kinds.INT else attribute.f
    if attribute.type == kinds.TYPE_PROTO:
        return None
    raise ForeignError(f"the attribute {printable(attribute.name, 80)} is of a type that attrax does not read")
