"""Operators that ONNX itself defines by others: their definition for given inputs."""

from functools import lru_cache
from typing import Any

import numpy as np

from attrax._base.lazy import lazy
from attrax.foreign._build import NEWEST, Scope, build_body
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Graph, Node

onnx = lazy("onnx")

_Type = tuple[str, tuple[int, ...]] | None


def body_of(node: Node, given: list[Any]) -> Graph:
    """What ONNX defines the operator of `node` to be, for inputs of these dtypes and shapes."""
    types: list[_Type] = [None if one is None else (str(np.dtype(one.dtype)), tuple(one.shape)) for one in given]
    return _body_of(node, tuple(types))


@lru_cache(maxsize=1024)
def _body_of(node: Node, types: tuple[_Type, ...]) -> Graph:
    schema = onnx.defs.get_schema(node.operator, node.version, node.domain)
    proto = onnx.NodeProto.FromString(node.source)
    present = {one.name for one in proto.attribute}
    for name, attribute in schema.attributes.items():
        if name not in present and attribute.default_value.type:
            proto.attribute.append(attribute.default_value)
    function = onnx.FunctionProto()
    function.ParseFromString(_definition(node, schema, proto, types))
    scope = Scope({"": node.version if node.domain == "" else NEWEST})
    body = build_body(function, proto.attribute, scope)
    scope.missing.refuse()
    return body


def _definition(node: Node, schema: Any, proto: Any, types: tuple[_Type, ...]) -> bytes:
    """The definition that suits the version of the operator set best: the newest that is not newer."""
    version = node.version
    if schema.has_context_dependent_function:
        known = [one for one in schema.context_dependent_function_opset_versions if one <= version]
        typed = []
        for one in types:
            if one is None:
                typed.append(b"")
                continue
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(one[0]))
            typed.append(onnx.helper.make_tensor_type_proto(kind, one[1]).SerializeToString())
        chosen = max(known or schema.context_dependent_function_opset_versions)
        return schema.get_context_dependent_function_with_opset_version(chosen, proto.SerializeToString(), typed)
    known = [one for one in schema.function_opset_versions if one <= version]
    found = schema.get_function_with_opset_version(max(known or schema.function_opset_versions))
    if not found:
        raise ForeignError(f"node {node} has no definition in version {version} of the operator set")
    return found
