"""Any activation that JAX can trace, as operators of ONNX: one for each of JAX's own operations."""

from typing import Any, Protocol

import jax
import numpy as np

from attrax._base.arguments import printable
from attrax.activations import Activation
from attrax.foreign._error import ForeignError

_ONE = {
    "abs": "Abs",
    "acos": "Acos",
    "acosh": "Acosh",
    "asin": "Asin",
    "asinh": "Asinh",
    "atan": "Atan",
    "atanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "is_finite": None,
    "log": "Log",
    "logistic": "Sigmoid",
    "neg": "Neg",
    "not": "Not",
    "round": "Round",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
}
_TWO = {
    "add": "Add",
    "add_any": "Add",
    "and": "And",
    "div": "Div",
    "eq": "Equal",
    "ge": "GreaterOrEqual",
    "gt": "Greater",
    "le": "LessOrEqual",
    "lt": "Less",
    "max": "Max",
    "min": "Min",
    "mul": "Mul",
    "or": "Or",
    "pow": "Pow",
    "sub": "Sub",
}
_SAME = frozenset({"copy", "copy_p", "stop_gradient", "broadcast_in_dim", "reshape", "squeeze", "optimization_barrier"})
_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class Writer(Protocol):
    """What is written to."""

    dtype: Any

    def constant(self, array: Any) -> str: ...
    def apply(self, operator: str, *inputs: str, **attributes: Any) -> str: ...


def steps_of(writer: Writer, record: Activation, x: str) -> str:
    """Writes an activation, and returns the name of its value. **Raises** `ForeignError` for an operation that has no
    equivalent."""
    closed = jax.make_jaxpr(record)(jax.ShapeDtypeStruct((), np.float32))
    return _Steps(writer, record.name).run(closed.jaxpr, closed.consts, [x])[0]


class _Steps:
    def __init__(self, writer: Writer, name: str) -> None:
        self.writer = writer
        self.name = name

    def run(self, jaxpr: Any, constants: Any, inputs: list[str]) -> list[str]:
        """The names of the outputs of a traced function."""
        values: dict[Any, str] = {}
        for variable, constant in zip(jaxpr.constvars, constants, strict=True):
            values[variable] = self.writer.constant(np.asarray(constant))
        values.update(zip(jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> str:
            return self.writer.constant(np.asarray(atom.val)) if hasattr(atom, "val") else values[atom]

        for equation in jaxpr.eqns:
            results = self._apply(equation, [read(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _apply(self, equation: Any, given: list[str]) -> list[str]:
        primitive, parameters, apply = equation.primitive.name, equation.params, self.writer.apply
        if primitive in _SAME:
            return given[:1]
        if _ONE.get(primitive):
            return [apply(str(_ONE[primitive]), *given)]
        if primitive in _TWO:
            return [apply(_TWO[primitive], *given)]
        one = self.writer.constant(np.ones((), np.float32))
        if primitive == "ne":
            return [apply("Not", apply("Equal", *given))]
        if primitive == "square":
            return [apply("Mul", given[0], given[0])]
        if primitive == "integer_pow":
            return [apply("Pow", given[0], self.writer.constant(np.float32(parameters["y"])))]
        if primitive == "rsqrt":
            return [apply("Div", one, apply("Sqrt", *given))]
        if primitive == "exp2":
            return [apply("Pow", self.writer.constant(np.float32(2)), *given)]
        if primitive == "log1p":
            return [apply("Log", apply("Add", one, *given))]
        if primitive == "expm1":
            return [apply("Sub", apply("Exp", *given), one)]
        if primitive == "erfc":
            return [apply("Sub", one, apply("Erf", *given))]
        if primitive == "select_n" and len(given) == 3:
            return [apply("Where", given[0], given[2], given[1])]
        if primitive == "clamp":
            return [apply("Min", given[2], apply("Max", given[0], given[1]))]
        if primitive == "convert_element_type" and np.dtype(parameters["new_dtype"]).kind == "f":
            kind = getattr(equation.invars[0], "aval", None)
            if kind is not None and np.dtype(kind.dtype).kind == "f":
                return given
        for inner in _INNER:
            if inner in parameters:
                closed = parameters[inner]
                jaxpr = getattr(closed, "jaxpr", closed)
                return self.run(jaxpr, getattr(closed, "consts", ()), given)
        raise ForeignError(
            f"the activation {printable(self.name, 60)} uses JAX's operation {primitive!r}, for which attrax knows no "
            "operator of ONNX"
        )
