"""Memories in files: one safetensors file of arrays and text, with a checksum. Loading never runs code.

Layout. Tensors: `map.NAME` (the arrays of the map), `successor`, `points`, `originals`, `certificate.NAME`. Metadata:
`format`, `version`, `memory` (JSON: kind and settings of the map, how the memory was written, verdicts, digest of the
patterns, the shape of a frame if a state holds several, the names of the examples if they have any) and `checksum`, the
SHA-256 of all the rest. A float64 array whose values all fit into float32 is stored as float32 and widened again on
loading; the JSON lists these.

The kinds of maps are those of `maps.KINDS`. For any other map the file has the name, the number of parameters and
`map.probe`, its outputs at a few fixed states, by which a map that is given again is recognized.

A hidden layer whose weight is a diagonal plus a matrix of rank one is held as three vectors, `map.weight.N.diagonal`,
`.left` and `.right`. Version 2 is the same with matrices only.

In version 1 the arrays of the map have no prefix, its settings are mixed with the rest, and it is always an `MLP`.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from attrax._base.arguments import ArgumentError, printable
from attrax._base.budget import refuse_beyond_memory
from attrax._base.checked_arrays import to_bytes
from attrax._base.files import check_regular, check_writable, read_regular, write_atomically
from attrax._base.types import HostStates, Map
from attrax.activations import UnknownActivation
from attrax.files._contents import from_contents, to_contents
from attrax.files._digest import digest
from attrax.files._foreign import MissingMap, check_same_map
from attrax.files._plain import read_json
from attrax.memory import Memory, check_memory
from attrax.patterns import Patterns
from attrax.writing import refine_and_certify

_FORMAT, _VERSION = "attrax memory", "3"
_READABLE = ("1", "2", "3")
_METADATA = {"format", "version", "memory", "checksum"}


class MemoryFileError(ValueError):
    """A file that is not a memory, or is damaged."""


class _TooLarge(ArgumentError, MemoryFileError):
    """A file of more bytes than there is memory."""


def save(path: str | os.PathLike[str], memory: Memory, *, patterns: bool = True) -> Path:
    """Writes a memory to one file, which is replaced atomically. Equal memories give equal files.

    **Arguments:** `patterns`: `False` omits the stored states. The file then has only a digest of them, and recall
    needs them supplied again (`with_patterns`).

    If the map is not one of `maps.KINDS`, the file holds no weights: the map has to be given again, `load(path,
    map=...)`.

    **Returns:** the path. **Raises** `ValueError` for a path that can't be written, and for a memory that `load` would
    refuse, such as one whose weights are not finite although its status is not *diverged*.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> ax.save("three.attrax", memory).name
    'three.attrax'
    >>> ax.load("three.attrax").certificate.num_attractors
    3

    ```
    """
    check_memory(memory)
    path = Path(path)
    check_writable(path)
    arrays, text = to_contents(memory, patterns=patterns)
    memory_text = json.dumps(_finite(text), sort_keys=True, allow_nan=False)
    try:
        from_contents(read_json(memory_text), arrays, _VERSION)
    except UnknownActivation:
        pass  # its name has to be registered in the process that loads the file
    except _WRONG as error:
        raise ValueError(f"{path} was not written, because it could not be loaded again: {_said(error)}") from None
    metadata = {"format": _FORMAT, "version": _VERSION, "memory": memory_text}
    metadata["checksum"] = checksum(arrays, memory_text)
    return write_atomically(path, to_bytes(arrays, metadata))


def load(path: str | os.PathLike[str], *, map: Map | None = None) -> Memory:
    """Reads a memory, after checking its checksum, its structure, and that its parts are consistent.

    The certificate is the one on record. It is checked for contradictions only; whether it is true, only `certify` can
    tell.

    **Arguments:** `map`: the map, if the file does not hold it (files hold the kinds in `maps.KINDS`). Without it, the
    memory can be inspected; functions that apply the map say what is missing.

    **Raises** `MemoryFileError` for a file that is missing, not a regular file, truncated, altered, of another kind or
    a newer version, or that contradicts itself; `ValueError` for a map that is not the one the memory was written with,
    or if the file holds its map itself.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> path = ax.save("three.attrax", memory)
    >>> ax.load(path).status.value
    'stored'

    ```
    """
    path = Path(path)
    try:
        # As bytes, as arrays, and once more where they are widened.
        refuse_beyond_memory(str(path), 3 * check_regular(path), "load it on a larger machine", error=_TooLarge)
        content = read_regular(path)
    except OSError as error:
        raise MemoryFileError(f"{path} can't be read: {error.strerror or error}") from None
    metadata = _metadata(path, content)
    try:
        arrays = safetensors.numpy.load(content)
    except Exception as error:  # whatever the parser raises, the answer is the same
        raise MemoryFileError(
            f"{path} is damaged: its tensors can't be read ({_said(error)}); restore it from a copy"
        ) from None
    if set(metadata) != _METADATA or metadata["checksum"] != checksum(arrays, metadata["memory"], metadata["version"]):
        raise MemoryFileError(f"{path} was altered or damaged: its checksum does not match; restore it from a copy")
    try:
        memory = from_contents(read_json(metadata["memory"]), arrays, metadata["version"])
    except UnknownActivation as error:
        raise MemoryFileError(
            f"{path} needs an activation that has no name here: {_said(error)}. Give attrax.activations.register its "
            "record before the file is loaded"
        ) from None
    except _WRONG as error:
        raise MemoryFileError(f"{path} contradicts itself ({_said(error)}); write it again") from None
    if map is None:
        return memory
    if not isinstance(memory.map, MissingMap):
        raise ValueError(f"{path} holds its map; omit map")
    check_same_map(map, memory.map.shape, memory.map.images)
    return replace(memory, map=map)


_WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What is raised if the parts of a memory are inconsistent. Checks raise `ValueError`; the others are a safety net."""


_LONGEST = 700
"""Letters of what is said about a damaged file."""


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        text = f"there is no {error}"
    else:
        text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return printable(text, _LONGEST)  # it may quote the file


def with_patterns(memory: Memory, examples: Patterns | HostStates) -> Memory:
    """A memory that was saved without its patterns, completed with the examples it was written from.

    **Arguments:** `examples`, n×state shape, or `Patterns` if sequences were stored.

    **Raises** `ValueError` if they are not the same examples in the same order.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> path = ax.save("three.attrax", memory, patterns=False)  # only a digest of the examples
    >>> complete = ax.with_patterns(ax.load(path), points)
    >>> np.array_equal(complete.originals, points)
    True

    ```
    """
    check_memory(memory)
    if memory.patterns is not None:
        return memory
    patterns = examples if isinstance(examples, Patterns) else Patterns.from_examples(examples)
    order = memory.written.get("order_digest")
    same_order = order is None or order == digest(np.asarray(patterns.successor, np.int64))
    if digest(patterns.points) != memory.written.get("patterns_digest") or not same_order:
        raise ValueError(
            "these are not the examples that the memory was written from (their digest differs): give the same "
            "source with the same options, such as n, shuffle, seed, size and gray, and sequences as sequences"
        )
    completed = Memory(memory.map, patterns, patterns.points, memory.written, memory.certificate)
    return refine_and_certify(completed, recovery_atol=completed.recovery_atol)


def _metadata(path: Path, content: bytes) -> dict[str, str]:
    """The texts in the header of a safetensors file. **Raises** `MemoryFileError` unless it is a memory."""
    foreign = MemoryFileError(f"{path} is not an attrax memory file; write one with attrax store")
    length = int.from_bytes(content[:8], "little") if len(content) >= 8 else 0
    if not 2 <= length <= len(content) - 8:
        raise foreign
    try:
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__")
    except (ValueError, AttributeError, RecursionError):
        raise foreign from None
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise foreign
    if not all(isinstance(value, str) for value in metadata.values()):
        raise foreign
    if metadata.get("version") not in _READABLE:
        readable = ", ".join(_READABLE)
        raise MemoryFileError(
            f"{path} has format version {metadata.get('version')!r}, this attrax reads {readable}; update attrax"
        )
    return metadata


def checksum(arrays: Mapping[str, np.ndarray], text: str, version: str = _VERSION) -> str:
    """The checksum that a memory file of this format version holds, as hexadecimal digits.

    **Arguments:** `arrays`, the tensors of the file by name; `text`, the entry `memory` of its header.

    ```python
    >>> import numpy as np
    >>> from attrax import files
    >>> len(files.checksum({"weight": np.eye(2)}, "{}"))
    64

    ```
    """
    total = hashlib.sha256(f"{_FORMAT} {version} {text}".encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"|{name} {array.dtype.str} {array.shape}|".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _finite(value: Any) -> Any:
    """The same JSON value with null for every number that is not finite."""
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
