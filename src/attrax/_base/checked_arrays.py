"""Array files that detect damage: safetensors with a format name and a checksum in the header."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular, write_atomically


def to_bytes(arrays: Mapping[str, np.ndarray], header: Mapping[str, str]) -> bytes:
    """A safetensors file of arrays and texts, the same for the same content, which the library does not promise."""
    # `ascontiguousarray` would make a row of a single number.
    plain = safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    length = 8 + int.from_bytes(plain[:8], "little")
    whole = {"__metadata__": dict(sorted(header.items())), **json.loads(plain[8:length])}
    text = json.dumps(whole, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of 8 bytes
    return b"".join((len(text).to_bytes(8, "little"), text, plain[length:]))


def write_checked(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], header: Mapping[str, str], *, format: str
) -> None:
    """Writes arrays with a header, atomically: to a temporary file that is then renamed. **Raises** `ValueError` if the
    file can't be written."""
    whole = {**header, "format": format}
    whole["checksum"] = _checksum(arrays, whole)
    write_atomically(path, to_bytes(arrays, whole))


def read_checked(
    path: str | os.PathLike[str], *, format: str, what: str
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads the arrays and the header of a file. `what` says what the file should be, for the error message.

    **Raises** `ValueError` for a file that can't be read, is of another format, or is damaged.
    """
    path = Path(path)
    try:
        # Each array, and its bytes for the checksum.
        refuse_beyond_memory(str(path), 2 * check_regular(path), "delete it to start again")
        with safetensors.safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, safetensors.SafetensorError) as error:
        said = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} is not a readable checkpoint ({said}); delete it to start again") from None
    if header.get("format") != format:
        raise ValueError(f"{path} is not a {what} of this version of attrax; delete it, or name another file")
    if header.get("checksum") != _checksum(arrays, header):
        raise ValueError(f"{path} is a damaged checkpoint; restore it from a copy, or delete it to start again")
    return arrays, header


CERTIFICATE_FORMAT = "attrax certificate 1"
"""The format of a file of finished certificates."""


def check_certificate_file(path: Path) -> None:
    """**Raises** `ValueError` where something else is at this path, or a damaged file, so that it is said before any
    work and nothing is replaced that is not ours."""
    try:
        there = path.exists()
    except OSError as error:
        raise ValueError(f"{path} can't be used ({error.strerror}); name another checkpoint") from None
    if there:
        read_checked(path, format=CERTIFICATE_FORMAT, what="checkpoint of a certificate")


def _checksum(arrays: Mapping[str, np.ndarray], header: Mapping[str, str]) -> str:
    told = sorted((name, text) for name, text in header.items() if name != "checksum")
    total = hashlib.sha256(repr(told).encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"|{name} {array.dtype} {array.shape}|".encode() + array.tobytes())
    return total.hexdigest()
