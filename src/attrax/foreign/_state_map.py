"""A program as a map from a state to a state."""

from collections import Counter
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from attrax._base.shown import Record
from attrax.foreign._program import Program
from attrax.maps import Description

_KINDS = 4


class ProgramMap(Record, eqx.Module):
    """One input and one output of a program, as a map of one state.

    **Fields:** the `program`, all of whose other inputs are fixed; names of the `input` and the `output`; the `shape`
    of a state; and whether the program has a batch axis in front of it (`batched`).
    """

    program: Program
    input: str = eqx.field(static=True)
    output: str = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    batched: bool = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        """The next state."""
        x = jnp.asarray(x)
        found = self.program.call({self.input: x[None] if self.batched else x})[self.output]
        return jnp.reshape(found, self.shape)

    def describe(self) -> Description:
        """Its operators, the most frequent first."""
        counted = Counter(node.operator for node in self.program.graph.walk())
        listed = ", ".join(f"{count} {name}" for name, count in counted.most_common(_KINDS))
        rest = ", …" if len(counted) > _KINDS else ""
        text = f"ONNX graph of {sum(counted.values())} nodes ({listed}{rest})"
        return Description(text, self.program.parameters, facts={"operators": dict(counted)})
