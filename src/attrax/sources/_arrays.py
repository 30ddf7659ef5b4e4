"""Arrays in `.npy` and `.npz` files. Nothing is unpickled, and no header is believed before the file's size."""

import io
import math
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from attrax._base.budget import refuse_beyond_memory
from attrax._base.shown import Record
from attrax.sources._records import Kind, Source, SourceError, numbered, reason

_LONGEST_HEADER = 10_000  # bytes; NumPy's own limit
DEFLATE_RATIO = 1032  # No deflated stream grows by more than this.
_USUAL = ("data", "images", "x")


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile(Record):
    """An array of which only the header has been read; `read()` gives the rest."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], np.ndarray[Any, Any]]


def array(path: Path, member: str | None = None) -> Source:
    """The examples in a `.npy` file, or in one array of a `.npz` file, as a source."""
    opened = open_npz(path, member) if path.suffix.lower() == ".npz" else open_npy(path)
    kind = array_kind(opened, str(path))
    read = cache(opened.read)
    place = "" if path.parent == Path() else f"{path.parent}/"
    name = path.name if member is None else f"{path.name}:{member}"
    return Source(
        kind,
        numbered(name, opened.shape[0]),
        place,
        lambda index: read()[index],
        extremes=lambda: (read().min(), read().max()),
    )


def array_kind(opened: ArrayFile, label: str) -> Kind:
    """Images or vectors, by the number of axes.

    **Raises** `SourceError` for shapes and dtypes that cannot be examples.
    """
    shape, dtype = opened.shape, opened.dtype
    if dtype.kind not in "buif" or (dtype.kind == "f" and dtype.itemsize > 8):
        raise SourceError(
            f"{label}: examples must be real numbers (bool, integers, or floats of 16 to 64 bits); "
            f"the array is of dtype {dtype}. Convert it with astype first"
        )
    if len(shape) < 2:
        raise SourceError(
            f"{label}: an array must have the examples along its first axis; it has shape {shape}. "
            "Save values[None] for one vector, or values[:, None] for examples of one number each"
        )
    if 0 in shape:
        raise SourceError(f"{label}: there must be at least one example of at least one number; the shape is {shape}")
    if len(shape) > 4 or (len(shape) == 4 and shape[3] > 4):
        raise SourceError(
            f"{label}: an array must be n×d (vectors), n×H×W, or n×H×W×C with C from 1 to 4 (images); "
            f"it has shape {shape}. Reshape it, or move the channels to the last axis"
        )
    return "vectors" if len(shape) == 2 else "images"


def open_npy(path: Path) -> ArrayFile:
    """A `.npy` file, its header checked against its size."""
    try:
        with path.open("rb") as stream:
            shape, order, dtype, offset = _header(stream, path.stat().st_size, str(path))
    except OSError as error:
        raise SourceError(f"{path}: the file cannot be read ({reason(error)})") from error

    def read() -> np.ndarray[Any, Any]:
        try:
            # Mapped, so that only the examples asked for are read.
            return np.memmap(path, dtype, "r", offset, shape, order)
        except (OSError, ValueError) as error:
            raise SourceError(f"{path}: the file cannot be read ({reason(error)})") from error

    return ArrayFile(shape, dtype, read)


def open_npz(path: Path, member: str | None = None) -> ArrayFile:
    """One array of a `.npz` file, its header checked against the sizes in the archive, and these against the file's.

    **Raises** `SourceError` where `member` is not there or, if it is `None`, several arrays could be meant.
    """

    def opened(use: Callable[[IO[bytes], zipfile.ZipInfo], Any]) -> Any:
        try:
            with zipfile.ZipFile(path) as archive:
                info = _member(archive, path, member)
                with archive.open(info) as stream:
                    return use(stream, info)
        except SourceError:
            raise
        except MemoryError as error:
            raise SourceError(f"{path}: there is not enough memory to read it") from error
        except Exception as error:  # zipfile and zlib raise many types of error on damaged files.
            raise SourceError(
                f"{path}: the file cannot be read as .npz ({reason(error)}); it may be truncated or damaged. "
                "Write it again with numpy.savez"
            ) from error

    def header(stream: IO[bytes], info: zipfile.ZipInfo) -> Any:
        return _header(stream, info.file_size, f"{path}:{_array_name(info)}")

    def contents(stream: IO[bytes], info: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
        shape, order, dtype, offset = header(stream, info)
        content = stream.read(info.file_size - offset)
        return np.ndarray(shape, dtype, content, order=order)

    shape, _, dtype, _ = opened(header)
    return ArrayFile(shape, dtype, lambda: opened(contents))


def _array_name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _member(archive: zipfile.ZipFile, path: Path, name: str | None) -> zipfile.ZipInfo:
    members = {_array_name(info): info for info in archive.infolist() if info.filename.endswith(".npy")}
    if not members:
        raise SourceError(f"{path}: the file holds no arrays; write it with numpy.savez")
    listed = ", ".join(members)
    if name is not None and name not in members:
        raise SourceError(f"{path}: there is no array {name!r}; it holds {listed}")
    if name is None:
        usual = [key for key in members if key.casefold() in _USUAL]
        found = list(members) if len(members) == 1 else usual
        if len(found) != 1:
            raise SourceError(
                f"{path}: it is not clear which array to take; it holds {listed}. Pick one as {path.name}:NAME"
            )
        name = found[0]
    info = members[name]
    stored, deflated = info.compress_type == zipfile.ZIP_STORED, info.compress_type == zipfile.ZIP_DEFLATED
    if info.flag_bits & 1 or not (stored or deflated):
        raise SourceError(f"{path}:{name}: arrays must be stored plain or deflated; write it with numpy.savez")
    possible = info.compress_size * (1 if stored else DEFLATE_RATIO)
    if info.file_size > possible or info.compress_size > path.stat().st_size:
        raise SourceError(
            f"{path}:{name}: the archive claims {info.file_size:,} bytes, more than its {info.compress_size:,} "
            "compressed bytes can hold; the file is damaged"
        )
    remedy = "save it as .npy, which is read in parts"
    refuse_beyond_memory(f"{path}:{name}", info.file_size, remedy, error=SourceError)
    return info


def _header(stream: IO[bytes], available: int, label: str) -> tuple[tuple[int, ...], Any, np.dtype[Any], int]:
    """Shape, order, dtype and the number of bytes before the data, from a stream of `available` bytes."""
    start = stream.read(8)
    readers = {1: (2, np.lib.format.read_array_header_1_0), 2: (4, np.lib.format.read_array_header_2_0)}
    if len(start) < 8 or start[:6] != np.lib.format.MAGIC_PREFIX or start[6] not in readers:
        raise SourceError(f"{label}: not an array in .npy format; write it with numpy.save")
    width, parse = readers[start[6]]
    counted = stream.read(width)
    length = int.from_bytes(counted, "little")
    if length > min(_LONGEST_HEADER, available):
        raise SourceError(f"{label}: the header claims to be {length:,} bytes long; the file is damaged")
    try:
        with warnings.catch_warnings():
            # NumPy warns about files written by Python 2, which it reads all the same.
            warnings.simplefilter("ignore")
            shape, fortran, dtype = parse(io.BytesIO(counted + stream.read(length)))
    except Exception as error:  # The header is a Python literal, parsed by NumPy: its errors are of many types.
        raise SourceError(f"{label}: the header cannot be read ({reason(error)}); the file is damaged") from error
    offset = 8 + width + length
    if dtype.hasobject:
        raise SourceError(
            f"{label}: the array holds Python objects, which are never loaded because that can run code. "
            "Save an array of numbers"
        )
    if any(type(length) is not int for length in shape):  # NumPy takes booleans here, and fails on them later
        raise SourceError(f"{label}: the header claims shape {shape}, which must be whole numbers; the file is damaged")
    claimed = math.prod(shape) * dtype.itemsize
    if any(length < 0 for length in shape) or claimed > available - offset:
        raise SourceError(
            f"{label}: the header claims shape {shape} of {dtype}, {claimed:,} bytes, but only "
            f"{available - offset:,} bytes follow it; the file is truncated or damaged"
        )
    return shape, "F" if fortran else "C", dtype, offset
