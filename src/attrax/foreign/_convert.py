"""Networks from ONNX files as maps, compared with what another program computes from the same file."""

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np

from attrax._base.arguments import printable
from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record
from attrax._base.types import Map
from attrax.foreign._as_mlp import as_mlp
from attrax.foreign._error import ForeignError
from attrax.foreign._graph import Value
from attrax.foreign._operator import is_float
from attrax.foreign._program import Program
from attrax.foreign._read import load
from attrax.foreign._state_map import ProgramMap
from attrax.maps import describe

CLOSE = 1e-5
"""Largest relative difference between a conversion and the original."""
_PROBES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Conversion(Record):
    """A network from elsewhere as a map.

    **Fields:**

    - `map`: from a state to a state of the same shape: attrax's own `MLP` where the network is fully connected with one
      named activation, else a `ProgramMap`.
    - `program`: the whole graph; `None` where there was none.
    - `difference`: the largest difference between the outputs of the map and of the original on random states,
      relative to the largest output; `None` if nothing was there to compare with.
    - `against`: the program that computed the outputs of the original, with its version, or why none did.
    """

    map: Map
    program: Program | None
    difference: float | None
    against: str

    def _facts(self) -> dict[str, Any]:
        network = describe(self.map)
        return {
            "map": f"{network.text}, {network.parameters:,} parameters",
            "difference": self.difference,
            "against": self.against,
        }


def from_onnx(
    path: str | os.PathLike[str],
    *,
    input: str | None = None,
    output: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    shape: Sequence[int] | None = None,
) -> Conversion:
    """The network of an ONNX file as a map from its input to its output.

    A first axis of size 1 or of an open size is taken for the batch axis, and a state has the axes after it. Where
    onnxruntime is installed, the outputs for random states are compared with those that it computes from the file.

    **Arguments:**

    - `path`: the file.
    - `input`, `output`: which ones make the map; may be omitted if there is one of each.
    - `fixed`: values of all other inputs, by name.
    - `shape`: the shape of a state, where the file leaves sizes open.

    **Raises** `ForeignError`, a `ValueError`, as `load` does; where the output has another shape than the input; and
    where the outputs differ by more than 1e-5 of the largest.

        >>> import jax.random as jr
        >>> import attrax as ax
        >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
        >>> found = from_onnx(ax.foreign.export(network, "network.onnx").path)
        >>> type(found.map).__name__, found.map.widths
        ('MLP', (3,))
    """
    program = load(path)
    made = map_of(program, input=input, output=output, fixed=fixed, shape=shape)
    given = {name: np.asarray(value) for name, value in (fixed or {}).items()}
    original, against = _onnxruntime(os.fspath(path), program, given, made)
    return compared(made, program, original, against)


def map_of(
    program: Program,
    *,
    input: str | None = None,
    output: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    shape: Sequence[int] | None = None,
) -> ProgramMap:
    """One input and one output of a program as a map of states of the given shape.

    **Arguments** and **raises** as `from_onnx`, whose comparison it leaves out.

        >>> import jax.random as jr
        >>> import attrax as ax
        >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
        >>> program = ax.foreign.load(ax.foreign.export(network, "network.onnx").path)
        >>> map_of(program).shape
        (2,)
    """
    whole = program.fixed(fixed or {})
    floats = {name: one for name, one in whole.inputs.items() if one.dtype is not None and is_float(one.dtype)}
    input = _chosen("input", input, floats, whole.inputs)
    output = _chosen("output", output, whole.outputs, whole.outputs)
    part = whole.graph.pruned({output: whole.outputs[output]}, {})
    rest = [name for name in part.inputs if name != input]
    if rest:
        raise ForeignError(
            f"the network has the further inputs {', '.join(printable(name, 60) for name in rest)}: pass their values, "
            f"such as fixed={{{rest[0]!r}: ...}}"
        )
    if input not in part.inputs:
        raise ForeignError(
            f"the output {printable(output, 60)!r} does not depend on the input {printable(input, 60)!r}"
        )
    keys = part.keys()
    part_program = Program({key: weight for key, weight in whole.weights.items() if key in keys}, part)
    state, batched = _state(whole.inputs[input], shape, input)
    made = ProgramMap(part_program, input, output, state, batched)
    _check_shape(made)
    return made


def compared(
    made: ProgramMap,
    program: Program,
    original: Callable[[np.ndarray], np.ndarray] | None,
    against: str,
) -> Conversion:
    """The conversion, as attrax's own network where it is one, after a comparison with the original on random states.

    `original` takes states, one per row, to the next ones. **Raises** `ForeignError` if the two differ.
    """
    states = np.random.default_rng(0).standard_normal((_PROBES, *made.shape)).astype(np.float32)
    own = as_mlp(made.program, made.input, made.output, made.shape, made.batched)
    if own is not None:
        with float64():
            expected = apply_rows(cast(made, np.float64), states.astype(np.float64), chunk=_PROBES)
            again = apply_rows(cast(own, np.float64), states.astype(np.float64), chunk=_PROBES)
        difference_of(again, expected, "the graph itself")
    found = own if own is not None else made
    if original is None:
        return Conversion(found, program, None, against)
    outputs = apply_rows(found, states, chunk=_PROBES)
    return Conversion(found, program, difference_of(outputs, original(states), against), against)


def largest_difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference relative to the largest output; infinite where one is finite and the other is not."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64).reshape(np.shape(found))
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(found)):
        return float("inf")
    scale = float(np.max(np.abs(wanted[finite]), initial=0.0))
    return float(np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)) / (scale or 1.0)


def difference_of(found: np.ndarray, wanted: np.ndarray, against: str) -> float:
    """The largest relative difference. **Raises** `ForeignError` if it is above 1e-5."""
    difference = largest_difference(found, wanted)
    if not difference <= CLOSE:
        raise ForeignError(
            f"the converted network differs from {against} by {difference:.2g} of its largest output on random states; "
            f"at most {CLOSE:g} is accepted. Report it with the file"
        )
    return difference


def _chosen(kind: str, name: str | None, allowed: Mapping[str, Value], all_of_them: Mapping[str, Value]) -> str:
    listed = ", ".join(printable(one, 60) for one in allowed)
    if name is None:
        if len(allowed) != 1:
            raise ForeignError(f"{kind} must be named, because the network has {len(allowed)}: {listed or 'none'}")
        return next(iter(allowed))
    if name not in all_of_them:
        raise ForeignError(
            f"{kind} must be one of {listed or 'none, because all are fixed'}; got {printable(name, 60)!r}"
        )
    return name


def _state(value: Value, shape: Sequence[int] | None, name: str) -> tuple[tuple[int, ...], bool]:
    """The shape of a state, and whether there is a batch axis in front of it."""
    known = value.shape
    if shape is not None:
        state = tuple(int(side) for side in shape)
        if known is None:
            return state, False
        for batched in (True, False):
            rest = known[1:] if batched else known
            fits = len(rest) == len(state) and all(a in (None, b) for a, b in zip(rest, state, strict=True))
            if fits and (not batched or known[0] in (None, 1)):
                return state, batched
        raise ForeignError(f"shape must fit the input {printable(name, 60)!r}, which is {known}; got {state}")
    if known is None:
        raise ForeignError(f"the file does not say the shape of the input {printable(name, 60)!r}; pass shape=")
    batched = len(known) > 1 and known[0] in (None, 1)
    rest = known[1:] if batched else known
    if any(side is None for side in rest):
        raise ForeignError(f"the input {printable(name, 60)!r} has open sizes, {rest}; pass the shape of a state")
    return tuple(side for side in rest if side is not None), batched


def _check_shape(made: ProgramMap) -> None:
    dtype = made.program.inputs[made.input].dtype
    with float64():
        given = jax.ShapeDtypeStruct((1, *made.shape) if made.batched else made.shape, dtype)
        found = eqx.filter_eval_shape(lambda x: made.program.call({made.input: x})[made.output], given)
    if int(np.prod(found.shape, dtype=object)) != int(np.prod(made.shape, dtype=object)):
        raise ForeignError(
            f"the network takes a state of shape {made.shape} to an array of shape {tuple(found.shape)}, so it can't "
            "be iterated; name another input and output"
        )


def against_onnx(model: str | bytes) -> tuple[Any, str]:
    """A session of onnxruntime for a file, or the content of one, and its name; or `None`, and why there is none."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None, "not compared: onnxruntime is not installed"
    import onnxruntime

    against = f"onnxruntime {onnxruntime.__version__}"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]), against
    except Exception as error:  # of a class that the library does not export; attrax may know more operators than it
        said = printable((str(error).splitlines() or [""])[0], 200)
        return None, f"not compared: {against} can't load the file ({said})"


def _onnxruntime(
    path: str, program: Program, given: Mapping[str, np.ndarray], made: ProgramMap
) -> tuple[Callable[[np.ndarray], np.ndarray] | None, str]:
    session, against = against_onnx(path)
    if session is None:
        return None, against
    dtypes = {name: value.dtype for name, value in program.inputs.items()}

    def run(states: np.ndarray) -> np.ndarray:
        rows = []
        for state in states.astype(dtypes[made.input]):
            feed = {name: value.astype(dtypes[name]) for name, value in given.items()}
            feed[made.input] = state[None] if made.batched else state
            rows.append(np.asarray(session.run([made.output], feed)[0]).reshape(made.shape))
        return np.stack(rows)

    return run, against
