"""What a network could be audited as: its inputs and outputs, and a command for each possibility."""

import math
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar

from attrax._base.arguments import printable
from attrax._base.shown import Record, Rows
from attrax.foreign import ForeignError, Program, Value

_CODES = 3
_TRIED = 40


@dataclass(frozen=True, slots=True, eq=False)
class Proposal(Record):
    """One way to audit a network.

    **Fields:** `kind`, `image`, `latent` or `state`; `options`, those of `attrax audit`; `reason`, in a sentence.
    """

    kind: str
    options: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Proposals(Rows):
    """Inputs and outputs of a program, and what it could be audited as. **Fields:** `inputs`, `outputs`, by name with
    shape and dtype in words; `nodes`, `parameters`; `proposals`, the likeliest first."""

    rows_of: ClassVar[str] = "proposals"

    inputs: dict[str, str]
    outputs: dict[str, str]
    nodes: int
    parameters: int
    proposals: tuple[Proposal, ...]


def proposals(program: Program) -> Proposals:
    """What a program could be audited as. Nothing is computed; shapes are followed through the graph.

    ```python
    >>> import tempfile, jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> from attrax import foreign
    >>> stored = ax.store(np.eye(3), writer=ax.Constructed(), key=jr.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     program = foreign.load(stored.to_onnx(f"{folder}/memory.onnx").path)
    >>> proposals(program).proposals[0].options
    '--map image'

    ```
    """
    shapes = program.shapes()
    outputs = {name: shapes.get(name, value) for name, value in program.outputs.items()}
    found = _states(program, outputs)
    found += _images(program, outputs)
    if found and found[-1].kind == "image":
        found += _codes(program, shapes)
    return Proposals(
        {name: in_words(value) for name, value in program.inputs.items()},
        {name: in_words(value) for name, value in outputs.items()},
        len(program.nodes),
        program.parameters,
        tuple(found),
    )


def in_words(value: Value) -> str:
    """A shape and a dtype, with ? for what is open."""
    dtype = "?" if value.dtype is None else str(value.dtype)
    if value.shape is None:
        return f"{dtype} of unknown shape"
    return f"{dtype} {'×'.join('?' if side is None else str(side) for side in value.shape) or 'single number'}"


def _states(program: Program, outputs: dict[str, Value]) -> list[Proposal]:
    """Inputs that come back as outputs, where something else goes in as well."""
    floats = {name: value for name, value in program.inputs.items() if _is_float(value)}
    pairs: dict[str, str] = {}
    for name, value in floats.items():
        names = [
            other
            for other, out in outputs.items()
            if other not in pairs.values() and _fit(value, out) and _alike(name, other)
        ]
        if names:
            pairs[name] = max(names, key=lambda other: _alike(name, other))
    rest = [name for name in program.inputs if name not in pairs]
    if not pairs or not rest:
        return []
    options = [f"--state {shlex.quote(f'{name}={output}')}" for name, output in pairs.items()]
    options += [f"--input {shlex.quote(f'{name}={_example(program.inputs[name])}')}" for name in rest]
    named = " and ".join(printable(name, 60) for name in pairs)
    return [Proposal("state", f"--map state {' '.join(options)}", f"{named} comes back as an output of equal shape")]


def _images(program: Program, outputs: dict[str, Value]) -> list[Proposal]:
    floats = {name: value for name, value in program.inputs.items() if _is_float(value)}
    for name, value in floats.items():
        for output, out in outputs.items():
            if not (_is_float(out) and _same_size(value, out)):
                continue
            options = ["--map image"]
            options += [f"--from {shlex.quote(name)}"] if len(floats) > 1 else []
            options += [f"--to {shlex.quote(output)}"] if len(outputs) > 1 else []
            rest = [other for other in program.inputs if other != name]
            options += [f"--input {shlex.quote(f'{other}={_example(program.inputs[other])}')}" for other in rest]
            return [Proposal("image", " ".join(options), "the output has the shape of the input")]
    return []


def _codes(program: Program, shapes: dict[str, Value]) -> list[Proposal]:
    """Values that everything passes through and that are smaller than the input, the smallest first."""
    whole = _size(next(iter(program.inputs.values())))
    sizes = {name: _size(one) for name, one in shapes.items() if _is_float(one) and name not in program.outputs}
    small = sorted((name for name, size in sizes.items() if 1 < size < whole), key=lambda name: sizes[name])
    found: list[Proposal] = []
    for name in small[:_TRIED]:
        try:
            if list(program.after(name).inputs) != [name]:
                continue
        except ForeignError:
            continue
        reason = f"all passes through these {sizes[name]:,} numbers ({in_words(shapes[name])})"
        found.append(Proposal("latent", f"--map latent --split {shlex.quote(name)}", reason))
        if len(found) == _CODES:
            break
    return found


def _is_float(value: Value) -> bool:
    return value.dtype is not None and value.dtype.kind == "f"


def _size(value: Value) -> int:
    return math.prod(side or 1 for side in value.shape or ())


def _same_size(one: Value, other: Value) -> bool:
    if one.shape is None or other.shape is None:
        return False
    open_sides = None in one.shape[1:] or None in other.shape[1:]
    return one.shape == other.shape if open_sides else _size(one) == _size(other)


def _fit(value: Value, out: Value) -> bool:
    if not _is_float(out) or value.shape is None:
        return False
    if out.shape is None:
        return True
    return len(out.shape) == len(value.shape) and all(
        None in (a, b) or a == b for a, b in zip(value.shape, out.shape, strict=True)
    )


def _alike(name: str, other: str) -> float:
    """How much of two names agrees, from the front; 0 for names that have nothing in common."""
    one, two = name.lower(), other.lower()
    common = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return max(common, len(one) if one in two else 0, len(two) if two in one else 0) / max(len(one), 1)


def _example(value: Value) -> Any:
    if value.shape == () or not _is_float(value):
        return "NUMBER"
    if value.shape is None:
        return "zeros:SHAPE"
    # The first axis mostly counts a batch; another open one is for the user to say.
    sides = [("SIZE" if place else "1") if side is None else str(side) for place, side in enumerate(value.shape)]
    return "zeros:" + "x".join(sides)
