"""Makes a program of PyTorch of the steps of a map."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attrax.foreign._sketch import INPUT, OUTPUT, Sketch


def _operators(torch: Any) -> dict[str, Callable[..., Any]]:
    functional = torch.nn.functional

    def gemm(a: Any, b: Any, c: Any = None, transB: int = 0) -> Any:
        y = a @ (b.T if transB else b)
        return y if c is None else y + c

    def conv(x: Any, weight: Any, bias: Any = None, *, kernel_shape: Any, strides: Any, pads: Any) -> Any:
        return functional.conv2d(x, weight, bias, stride=tuple(strides), padding=tuple(pads[:2]))

    def cut(x: Any, starts: Any, ends: Any, axes: Any) -> Any:
        begin, end, axis = (int(one[0]) for one in (starts, ends, axes))
        return torch.narrow(x, axis, begin, end - begin)

    def selu(x: Any, alpha: float, gamma: float) -> Any:
        return gamma * torch.where(x > 0, x, alpha * torch.expm1(torch.clamp(x, max=0.0)))

    def one_hot(x: Any, depth: Any, values: Any, axis: int) -> Any:
        places = torch.arange(int(depth), device=x.device)
        return torch.where(x[..., None] == places, values[1], values[0])

    return {
        **{name: getattr(torch, name.lower()) for name in _SAME_NAME},
        "Acos": torch.arccos,
        "Acosh": torch.arccosh,
        "And": torch.logical_and,
        "ArgMax": lambda x, axis, keepdims: torch.argmax(x, dim=axis, keepdim=bool(keepdims)),
        "Asin": torch.arcsin,
        "Asinh": torch.arcsinh,
        "Atan": torch.arctan,
        "Atanh": torch.arctanh,
        "Concat": lambda *inputs, axis: torch.cat(inputs, dim=axis),
        "Conv": conv,
        "Equal": torch.eq,
        "Gemm": gemm,
        "Greater": torch.gt,
        "GreaterOrEqual": torch.ge,
        "Identity": lambda x: x,
        "LeakyRelu": lambda x, alpha: functional.leaky_relu(x, alpha),
        "Less": torch.lt,
        "LessOrEqual": torch.le,
        "Max": torch.maximum,
        "Min": torch.minimum,
        "Not": torch.logical_not,
        "OneHot": one_hot,
        "Or": torch.logical_or,
        "Reshape": lambda x, shape: torch.reshape(x, (x.shape[0], *map(int, shape[1:]))),
        "Selu": selu,
        "Slice": cut,
        "Softmax": lambda x, axis: torch.softmax(x, dim=axis),
        "Softplus": lambda x: functional.softplus(x, threshold=1e9),
        "Transpose": lambda x, perm: torch.permute(x, tuple(perm)),
    }


_SAME_NAME = (
    *("Abs", "Add", "Ceil", "Cos", "Cosh", "Div", "Erf", "Exp", "Floor", "Log", "MatMul", "Mul", "Neg", "Pow", "Relu"),
    *("Round", "Sigmoid", "Sign", "Sin", "Sinh", "Sqrt", "Sub", "Tan", "Tanh", "Where"),
)


def torch_module(sketch: Sketch) -> Any:
    """A `torch.nn.Module` from batches of states to those of next states, with the arrays as its parameters."""
    torch = importlib.import_module("torch")
    known = _operators(torch)

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, array in sketch.constants.items():
                if array.dtype.kind == "f" and array.ndim:
                    setattr(self, name, torch.nn.Parameter(torch.from_numpy(np.array(array))))

        def forward(self, state: Any) -> Any:
            values: dict[str, Any] = {INPUT: state}
            for name, array in sketch.constants.items():
                if array.dtype.kind == "f":
                    one = getattr(self, name) if array.ndim else torch.tensor(array.item(), dtype=state.dtype)
                    values[name] = one
                else:
                    values[name] = array
            for step in sketch.steps:
                given = [values[name] for name in step.inputs]
                values[step.output] = known[step.operator](*given, **step.attributes)
            return values[OUTPUT]

    return Module().eval()


def torch_program(sketch: Sketch, shape: Sequence[int]) -> Any:
    """A `torch.export.ExportedProgram` of batches of any size."""
    torch = importlib.import_module("torch")
    dtype = torch.float64 if sketch.dtype == np.float64 else torch.float32
    example = torch.zeros((2, *shape), dtype=dtype)
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(torch_module(sketch), (example,), dynamic_shapes=({0: batch},))
