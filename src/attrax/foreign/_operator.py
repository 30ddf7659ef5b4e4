"""What an operator of ONNX is to attrax: a function of arrays, and what it is told about the node."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.budget import refuse_beyond_memory
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Graph, Node

SMALL = 1 << 20
"""Entries up to which an array that the file determines is computed while a program is translated."""

Function: TypeAlias = Callable[..., Any]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class Operator:
    """**Fields:**

    - `function`: called with a `Call` and the inputs, `None` for those that are left out; returns one output, or a
      tuple of them.
    - `plain`: whether it is written with `call.xp` alone, so that NumPy can compute it where all inputs are known.
    - `known`: the inputs that have to be known while a program is translated, because shapes depend on them.
    """

    function: Function
    plain: bool
    known: tuple[int, ...]


OPERATORS: dict[tuple[str, str], Operator] = {}
"""All operators, by domain and name."""


def operator(*names: str, plain: bool = False, known: Sequence[int] = (), domain: str = "") -> Callable[[F], F]:
    """Makes a function the operator of these names; see `Operator`."""

    def register(function: F) -> F:
        for name in names:
            OPERATORS[domain, name] = Operator(function, plain, tuple(known))
        return function

    return register


@dataclass(frozen=True, slots=True)
class Call:
    """What an operator is told beside its inputs.

    **Fields:** the `node`; `xp`, NumPy where all inputs are known and `jax.numpy` otherwise; `wide`, whether 32-bit
    floating-point numbers of the file are computed in 64 bits; `run`, which runs an inner graph on a list of inputs.
    """

    node: Node
    xp: Any
    wide: bool
    run: Callable[[Graph, Sequence[Any]], list[Any]]

    @property
    def version(self) -> int:
        """Version of the operator set."""
        return self.node.version

    @property
    def wanted(self) -> int:
        """Number of outputs that somebody may use."""
        return len(self.node.outputs)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.node.attributes.get(name, default)

    def dtype(self, dtype: Any) -> np.dtype[Any]:
        """The dtype in which values of `dtype` are computed."""
        dtype = np.dtype(dtype)
        if self.wide and is_float(dtype) and dtype.itemsize in (2, 4):
            dtype = np.dtype(np.float64)
        return dtype if self.xp is np else np.dtype(jax.dtypes.canonicalize_dtype(dtype))

    def cast(self, x: Any, dtype: Any) -> Any:
        """`x` in the dtype in which values of `dtype` are computed."""
        return self.xp.asarray(x).astype(self.dtype(dtype))

    def room(self, shape: Sequence[int], dtype: Any) -> Any:
        """NumPy or `jax.numpy`, whichever is to make an array of this shape. **Raises** `ForeignError` if it would not
        fit into memory."""
        size = 1
        for side in shape:
            size *= max(int(side), 0)
        if any(int(side) < 0 for side in shape):
            raise self.refuse(f"would make an array of shape {tuple(map(int, shape))}")
        if size > SMALL:
            refuse_beyond_memory(
                f"node {self.node}: an array of shape {tuple(map(int, shape))}",
                size * np.dtype(dtype).itemsize,
                "check the file",
                error=ForeignError,
            )
        return self.xp if size <= SMALL else jnp

    def refuse(self, why: str) -> ForeignError:
        """The error to raise where this node asks for something that attrax does not do."""
        return ForeignError(f"node {self.node} {why}")


def is_float(dtype: Any) -> bool:
    """Whether it is a dtype of floating-point numbers, the small ones included."""
    return jnp.issubdtype(dtype, jnp.floating)


def axis_of(axis: int, rank: int) -> int:
    """The axis, counted from the front."""
    return axis + rank if axis < 0 else axis


def ints(value: Any) -> list[int]:
    """A known array, or an attribute, as a list of Python integers."""
    return [int(one) for one in np.atleast_1d(np.asarray(value)).ravel()]
