"""Arrays in ONNX files. No size in a file is believed: it is compared with the bytes that are there."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from attrax._base.arguments import printable
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular
from attrax._base.lazy import lazy
from attrax.foreign._error import ForeignError

onnx = lazy("onnx")

_TYPED = {
    "FLOAT": ("float_data", 1),
    "COMPLEX64": ("float_data", 0.5),
    "DOUBLE": ("double_data", 1),
    "COMPLEX128": ("double_data", 0.5),
    "INT64": ("int64_data", 1),
    "UINT32": ("uint64_data", 1),
    "UINT64": ("uint64_data", 1),
}
"""The field that holds the numbers of a type that are not raw bytes, and how many numbers it holds for an entry of it;
for all other types `int32_data`."""
_NIBBLES, _QUARTERS = ("INT4", "UINT4", "FLOAT4E2M1"), ("INT2", "UINT2")


def dtype_of(number: int) -> np.dtype[Any]:
    """The dtype of an element type of ONNX. **Raises** `ForeignError` for texts and for unknown types."""
    name = type_name(number)
    if name in ("STRING", "UNDEFINED", "FLOAT8E8M0"):  # the last has numbers that XLA takes to be 0
        raise ForeignError(f"the file holds arrays of the type {name}, with which attrax does not compute")
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number))
    except (KeyError, TypeError, ValueError):
        raise ForeignError(f"the file holds arrays of the type {name}, which is unknown") from None


def type_name(number: int) -> str:
    """The name of an element type of ONNX."""
    try:
        return onnx.TensorProto.DataType.Name(number)
    except ValueError:
        return str(number)


@dataclass(slots=True)
class TensorReader:
    """Reads arrays of a file in `folder`, and of the files beside it that hold its weights."""

    folder: Path | None
    _opened: dict[str, Path] = field(default_factory=dict)

    def read(self, tensor: Any) -> np.ndarray:
        """The array. **Raises** `ForeignError` if the file does not hold as many bytes as its shape needs."""
        name = printable(tensor.name or "without a name", 80)
        dtype = dtype_of(tensor.data_type)
        if any(side < 0 for side in tensor.dims) or tensor.HasField("segment"):
            raise ForeignError(
                f"the array {name} has the shape {tuple(tensor.dims)}; it must be whole, of sizes from 0"
            )
        count = math.prod(tensor.dims)
        kind = type_name(tensor.data_type)
        size = -(-count // 2) if kind in _NIBBLES else -(-count // 4) if kind in _QUARTERS else count * dtype.itemsize
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            plain = onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=self._beside(tensor, size))
        else:
            self._check(tensor, name, kind, count, size)
            plain = tensor
        try:
            found = np.asarray(onnx.numpy_helper.to_array(plain))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            said = printable(str(error).split("\n")[0], 200)
            raise ForeignError(f"the array {name} can't be read ({said}); the file is damaged") from None
        return found.astype(dtype, copy=False).reshape(tuple(tensor.dims))

    def _check(self, tensor: Any, name: str, kind: str, count: int, size: int) -> None:
        if tensor.HasField("raw_data"):
            held, needed, unit = len(tensor.raw_data), size, "bytes"
        else:
            place, share = _TYPED.get(kind, ("int32_data", 1))
            held, needed, unit = len(getattr(tensor, place)), math.ceil(count / share), "numbers"
            if kind in (*_NIBBLES, *_QUARTERS):
                needed = size
        if held != needed:
            raise ForeignError(
                f"the array {name} of shape {tuple(tensor.dims)} needs {needed:,} {unit}, but the file holds {held:,}; "
                "it is damaged"
            )

    def _beside(self, tensor: Any, size: int) -> bytes:
        """The bytes of an array in another file, which must lie in the folder of the first or below it."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        where = entries.get("location", "")
        path = self._place(where)
        offset, length = (
            _whole(entries.get(key, default)) for key, default in (("offset", "0"), ("length", str(size)))
        )
        if length != size:
            raise ForeignError(
                f"the array {printable(tensor.name, 80)} of shape {tuple(tensor.dims)} needs {size:,} bytes, but the "
                f"file says {length:,}; it is damaged"
            )
        try:
            whole = check_regular(path)
        except OSError as error:
            raise ForeignError(
                f"the file {printable(where, 200)}, which holds weights of the network, can't be read "
                f"({error.strerror or error}); put it beside the model"
            ) from None
        if offset + length > whole:
            raise ForeignError(
                f"the array {printable(tensor.name, 80)} ends at byte {offset + length:,} of {printable(where, 200)}, "
                f"which has {whole:,}; it is damaged"
            )
        refuse_beyond_memory(f"the file {printable(where, 200)}", 3 * size, "free some", error=ForeignError)
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _place(self, where: str) -> Path:
        if where in self._opened:
            return self._opened[where]
        parts = PurePosixPath(where).parts
        shown = printable(where, 200)
        leaves = os.path.isabs(where) or "\\" in where or "\x00" in where or ":" in where or ".." in parts
        if self.folder is None or not parts or leaves:
            raise ForeignError(
                f"the file takes weights from {shown!r}; only a file in the folder of the model, or below it, is read"
            )
        path = self.folder
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise ForeignError(f"the file takes weights from {shown!r}, which is a link; put the file in its place")
        self._opened[where] = path
        return path


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ForeignError(f"the place {printable(text, 40)!r} of weights in another file is no number of bytes")
    return int(text)
