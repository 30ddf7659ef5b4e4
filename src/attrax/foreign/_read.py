"""Reads models from files. Nothing in them is run, and nothing is believed of them before it is checked."""

import os
from pathlib import Path
from typing import Any

from attrax._base.arguments import printable
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular, read_regular
from attrax._base.lazy import lazy
from attrax.foreign._build import Scope, build, versions_of
from attrax.foreign._error import ForeignError
from attrax.foreign._program import Program, check
from attrax.foreign._tensors import TensorReader

_LARGEST = 2**31 - 1
"""Bytes that a file of this format can have."""
_MORE = 10
"""Bytes of memory for a byte of the file, while it is read."""
onnx = lazy("onnx")


def need_onnx() -> None:
    """**Raises** `ForeignError`, with what to install, where ONNX is not."""
    try:
        import onnx as found  # noqa: F401 - to see whether it is there
    except ImportError:
        raise ForeignError("ONNX files need the package onnx: run pip install 'attrax[onnx]'") from None


def load(path: str | os.PathLike[str]) -> Program:
    """The program of an ONNX file, with its weights. Arrays in other files are read from the folder of the model only.

    Operator sets 7 to 28 of ONNX are known; `docs/onnx-operators.md` lists the operators. Nothing in the file is run.

    **Raises** `ForeignError`, a `ValueError` of one sentence, for a file that can't be read, is damaged, needs an
    operator that attrax does not have, or more memory than there is.

        >>> import jax.random as jr
        >>> import attrax as ax
        >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
        >>> program = load(ax.foreign.export(network, "network.onnx").path)
        >>> len(program.inputs), len(program.outputs)
        (1, 1)
    """
    path = Path(path)
    try:
        size = check_regular(path)
        with path.open("rb") as file:
            start = file.read(64)
        _refuse_other_formats(path, start)
        if size > _LARGEST:
            raise ForeignError(f"{path} has more than 2 GB, which no ONNX file can have; save its weights beside it")
        refuse_beyond_memory(str(path), _MORE * size, "free some", error=ForeignError)
        content = read_regular(path)
    except OSError as error:
        raise ForeignError(f"{path} can't be read: {error.strerror or error}") from None
    need_onnx()
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception:  # of the class of the protobuf library
        raise ForeignError(
            f"{path} is no ONNX file, or a damaged one: its {size:,} bytes can't be taken apart"
        ) from None
    try:
        _check_texts(model)
        program = program_of(model, path.parent)
    except ForeignError as error:
        raise ForeignError(f"{path}: {error.message}") from None
    return program


def program_of(model: Any, folder: Path | None) -> Program:
    """The program of a `ModelProto`, whose other files are in `folder`."""
    if not model.HasField("graph") or not len(model.graph.output):
        raise ForeignError("the file holds no network; it is empty, cut off, or of another kind")
    functions = {("" if one.domain == "ai.onnx" else one.domain, one.name): one for one in model.functions}
    scope = Scope(versions_of(model.opset_import), functions, TensorReader(folder), {})
    try:
        graph = build(model.graph, scope)
    except RecursionError:
        raise ForeignError("its graphs or functions lie too deep inside each other") from None
    program = Program(dict(scope.weights or {}), graph)
    check(program)
    return program


def _check_texts(message: Any) -> None:
    """**Raises** `ForeignError` for a text that is none: protobuf hands out bytes where they are not UTF-8."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in (value,) if hasattr(value, "ListFields") else value:
                _check_texts(inner)
        elif field.type == field.TYPE_STRING:
            for text in (value,) if isinstance(value, str | bytes) else value:
                if not isinstance(text, str):
                    raise ForeignError(f"a {field.name} in it is not text; the file is damaged")


def _refuse_other_formats(path: Path, start: bytes) -> None:
    suffix, shown = path.suffix.lower(), printable(str(path))
    pickled = start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if suffix == ".attrax":
        raise ForeignError(
            f"{shown} is a memory of attrax, not an ONNX file: attrax certify and attrax analyze ask what it holds, "
            "and attrax export writes it as an ONNX file"
        )
    if suffix == ".pt2":
        raise ForeignError(
            f"{shown} is a program of torch.export, and loading one can run any code, because it holds pickles, so "
            "attrax does not. Where you trust it, load it yourself:\n"
            f"    program = torch.export.load({str(path)!r})\n"
            "    converted = attrax.foreign.from_torch(program, example)"
        )
    if pickled or start[:4] == b"PK\x03\x04" or suffix in (".pt", ".pth", ".pkl", ".pickle", ".ckpt"):
        raise ForeignError(
            f"{shown} is a pickled checkpoint or an archive, and loading one can run any code, so attrax does not. "
            "Where you trust it, make an ONNX file of it:\n"
            f"    module.load_state_dict(torch.load({str(path)!r}, weights_only=True))\n"
            '    torch.onnx.export(module.eval(), (example,), "model.onnx", dynamo=True)'
        )
