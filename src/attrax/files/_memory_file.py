"""Memories in files: one safetensors file of arrays and text, with a checksum. Loading never runs code.

Layout. Tensors: `map.NAME` (the arrays of the map), `successor`, `points`, `originals`, `certificate.NAME`. Metadata:
`format`, `version`, `memory` (JSON: kind and settings of the map, how the memory was written, verdicts, digest of the
patterns, the shape of a frame if a state holds several, the names of the examples if they have any) and `checksum`, the
SHA-256 of all the rest. A float64 array whose values all fit into float32 is stored as float32 and widened again on
loading; the JSON lists these.

The kinds of maps are those of `maps.KINDS`. For any other map the file has the name, the number of parameters and
`map.probe`, its outputs at a few fixed states, by which a map that is given again is recognized.

In version 1 the arrays of the map have no prefix, its settings are mixed with the rest, and it is always an `MLP`.
"""

import hashlib
import json
import math
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from attrax._base.files import write_atomically
from attrax._base.status import Evidence, Reason, Verdict
from attrax._base.types import HostStates, Map
from attrax.activations import UnknownActivation
from attrax.files._foreign import MissingMap, check_same_map, probe
from attrax.maps import KINDS, Storable, describe, kind_of
from attrax.memory import Certificate, Memory
from attrax.patterns import Patterns
from attrax.writing import refine_and_certify

_FORMAT, _VERSION = "attrax memory", "2"
_READABLE = ("1", "2")
_OF_THE_MAP = "map."
_METADATA = {"format", "version", "memory", "checksum"}
_OPEN_SEQUENCES = "certificate.way_error"
"""The name of this tensor in files of version 1, from before the field was renamed."""
_LATER_NUMBERS = ("distance", "distance_error")
"""Numbers of a certificate that files of older versions lack."""
_NOT_NUMBERS = ("cycles", "verdict", "method", "period", "open_sequence_error", "reason", "evidence", "recovery_atol")


class MemoryFileError(ValueError):
    """A file that is not a memory, or is damaged."""


def save(path: str | os.PathLike[str], memory: Memory, *, patterns: bool = True) -> Path:
    """Writes a memory to one file. The file is replaced atomically.

    **Arguments:** `patterns`: `False` omits the stored states. The file then has only a digest of them, and recall
    needs them supplied again (`with_patterns`).

    If the map is not one of `maps.KINDS`, the file holds no weights: the map has to be given again, `load(path,
    map=...)`.

    **Returns:** the path. **Raises** `ValueError` for a path that can't be written.
    """
    path = Path(path)
    stored = memory.examples()
    originals = np.asarray(memory.originals)
    of_the_map, map_text = _map_parts(memory.map, stored.shape)
    arrays = {_OF_THE_MAP + name: array for name, array in of_the_map.items()}
    text: dict[str, Any] = {
        "map": map_text,
        "shape": list(stored.shape),
        "examples": len(stored),
        "merged": [list(pair) for pair in stored.merged],
        "digest": digest(originals),
        "patterns": patterns,
        "written": memory.written,
    }
    arrays["successor"] = np.asarray(stored.successor, np.int64)
    if stored.frame is not None:
        text["frame"] = list(stored.frame)
    if patterns and stored.names is not None:
        text["names"] = list(stored.names)
    if patterns:
        arrays |= {"points": np.asarray(stored.points), "originals": originals}
    certificate = memory.certificate
    if certificate is not None:
        text["verdicts"] = [str(verdict) for verdict in certificate.verdict]
        text["methods"] = list(certificate.method)
        arrays |= {f"certificate.{name}": np.asarray(getattr(certificate, name)) for name in _number_fields()}
        if certificate.reason:
            text["reasons"] = [str(reason) for reason in certificate.reason]
            text["evidence"] = [str(evidence) for evidence in certificate.evidence]
            text["recovery_atol"] = certificate.recovery_atol
            arrays |= {f"certificate.{name}": np.asarray(getattr(certificate, name)) for name in _LATER_NUMBERS}
        arrays["certificate.period"] = np.asarray(certificate.period, np.int64)
        if len(certificate.open_sequence_error):
            arrays[_OPEN_SEQUENCES] = certificate.open_sequence_error
    narrowed = []
    for name, array in arrays.items():
        if array.dtype == np.float64 and not name.startswith("certificate.") and _fits_float32(array):
            arrays[name] = array.astype(np.float32)
            narrowed.append(name)
    text["widen"] = narrowed
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    memory_text = json.dumps(_finite(text), sort_keys=True, allow_nan=False)
    metadata = {"format": _FORMAT, "version": _VERSION, "memory": memory_text}
    metadata["checksum"] = _checksum(arrays, memory_text)
    content = safetensors.numpy.save(arrays, metadata)
    return write_atomically(path, content)


def _map_parts(map: Map, shape: tuple[int, ...]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What a file keeps about a map: arrays and text."""
    kind = kind_of(map)
    if kind is not None and isinstance(map, Storable):
        arrays, settings = map.to_arrays()
        return arrays, {"kind": kind, "settings": settings}
    if isinstance(map, MissingMap):
        return {"probe": map.images}, {"kind": None, "text": map.text, "parameters": map.parameters}
    described = describe(map)
    return {"probe": probe(map, shape)}, {"kind": None, "text": described.text, "parameters": described.parameters}


def load(path: str | os.PathLike[str], *, map: Map | None = None) -> Memory:
    """Reads a memory, after checking its checksum and structure.

    **Arguments:** `map`: the map, if the file does not hold it (files hold the kinds in `maps.KINDS`). Without it, the
    memory can be inspected; functions that apply the map say what is missing.

    **Raises** `MemoryFileError` for a file that is missing, truncated, altered, of another kind or a newer version;
    `ValueError` for a map that is not the one the memory was written with, or if the file holds its map itself.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MemoryFileError(f"{path} can't be read: {error.strerror or error}") from None
    metadata = _metadata(path, content)
    try:
        arrays = safetensors.numpy.load(content)
    except Exception as error:  # whatever the parser raises, the answer is the same
        raise MemoryFileError(
            f"{path} is damaged: its tensors can't be read ({error}); restore it from a copy"
        ) from None
    if set(metadata) != _METADATA or metadata["checksum"] != _checksum(arrays, metadata["memory"], metadata["version"]):
        raise MemoryFileError(f"{path} was altered or damaged: its checksum does not match; restore it from a copy")
    try:
        memory = _assemble(json.loads(metadata["memory"]), arrays, metadata["version"])
    except UnknownActivation as error:
        raise MemoryFileError(
            f"{path} needs an activation that has no name here: {error}. Give attrax.activations.register its record "
            f"before the file is loaded"
        ) from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise MemoryFileError(f"{path} contradicts itself ({what}); write it again") from None
    if map is None:
        return memory
    if not isinstance(memory.map, MissingMap):
        raise ValueError(f"{path} holds its map; omit map")
    check_same_map(map, memory.map.shape, memory.map.images)
    return replace(memory, map=map)


def with_patterns(memory: Memory, examples: Patterns | HostStates) -> Memory:
    """A memory that was saved without its patterns, completed with the examples it was written from.

    **Arguments:** `examples`, n×state shape, or `Patterns` if sequences were stored.

    **Raises** `ValueError` if they are not the same examples in the same order.
    """
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
    return refine_and_certify(Memory(memory.map, patterns, patterns.points, memory.written))


def digest(values: HostStates) -> str:
    """SHA-256 of the shape, dtype and bytes of an array."""
    values = np.ascontiguousarray(values)
    return hashlib.sha256(f"{values.dtype.str} {values.shape}".encode() + values.tobytes()).hexdigest()


def _metadata(path: Path, content: bytes) -> dict[str, str]:
    """The texts in the header of a safetensors file. **Raises** `MemoryFileError` unless it is a memory."""
    foreign = MemoryFileError(f"{path} is not an attrax memory: it has no such header; write one with attrax store")
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
        readable = " and ".join(_READABLE)
        raise MemoryFileError(
            f"{path} has format version {metadata.get('version')!r}, this attrax reads {readable}; update attrax"
        )
    return metadata


def _checksum(arrays: dict[str, np.ndarray], text: str, version: str = _VERSION) -> str:
    total = hashlib.sha256(f"{_FORMAT} {version} {text}".encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"|{name} {array.dtype.str} {array.shape}|".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _assembled_map(text: dict[str, Any], arrays: dict[str, np.ndarray], version: str) -> Map:
    shape = tuple(int(side) for side in text["shape"])
    if version == "1":
        return KINDS["mlp"].from_arrays(arrays, text)
    own, parts = text["map"], {name.removeprefix(_OF_THE_MAP): arrays[name] for name in arrays if _is_of_map(name)}
    if own["kind"] is None:
        images = parts["probe"]
        if images.shape[1:] != shape or images.dtype != np.float64:
            raise ValueError("the recorded outputs of the map do not have the shape of a state")
        return MissingMap(str(own["text"]), int(own["parameters"]), images)
    if own["kind"] not in KINDS:
        raise ValueError(
            f"maps of the kind {own['kind']!r} are unknown here, known are {', '.join(KINDS)}; update attrax"
        )
    return KINDS[own["kind"]].from_arrays(parts, own["settings"])


def _is_of_map(name: str) -> bool:
    return name.startswith(_OF_THE_MAP)


def _assemble(text: dict[str, Any], arrays: dict[str, np.ndarray], version: str) -> Memory:
    for name in text["widen"]:
        arrays[name] = arrays[name].astype(np.float64)
    map, shape = _assembled_map(text, arrays, version), tuple(int(side) for side in text["shape"])
    if getattr(map, "shape", shape) != shape:
        raise ValueError("the map is for states of another shape")
    successor = arrays["successor"]
    if (
        successor.shape != (text["examples"],)
        or successor.dtype.kind != "i"
        or successor.min() < 0
        or successor.max() >= len(successor)
    ):
        raise ValueError("the successors are not indices of the examples")
    patterns = originals = certificate = None
    merged = tuple((int(given), int(kept)) for given, kept in text["merged"])
    written = text["written"]
    if text["patterns"]:
        points, originals = arrays["points"], arrays["originals"]
        if points.shape != (len(successor), *shape) or originals.shape != points.shape:
            raise ValueError("the points do not have the shape of a state")
        if not np.isfinite(points).all() or digest(originals) != text["digest"]:
            raise ValueError("the points are not finite or do not have the digest on record")
        frame = text.get("frame")  # files from before there was context have none
        frame = None if frame is None else tuple(int(side) for side in frame)
        patterns = Patterns(points, successor, merged, frame, _names(text.get("names"), len(successor)))
    else:
        written = {**written, "patterns_digest": text["digest"], "order_digest": digest(successor)}
    if "verdicts" in text:
        cycles = Patterns(np.zeros((len(successor), 1)), successor).cycles
        numbers = {name: arrays[f"certificate.{name}"] for name in _number_fields()}
        verdicts = tuple(Verdict(verdict) for verdict in text["verdicts"])
        if any(len(column) != len(cycles) for column in (*numbers.values(), verdicts, text["methods"])):
            raise ValueError("the certificate does not fit the patterns")
        lengths = [len(cycle) for cycle in cycles]
        # Files from before the period was measured: a certified cycle has that of its length.
        certified = np.where([verdict is Verdict.ATTRACTOR for verdict in verdicts], lengths, 0)
        period = arrays.get("certificate.period", certified)
        open_sequence_error = arrays.get(_OPEN_SEQUENCES, np.zeros(0))
        if len(period) != len(cycles):
            raise ValueError("the periods do not fit the patterns")
        reasons = tuple(Reason(reason) for reason in text.get("reasons", ()))
        evidence = tuple(Evidence(one) for one in text.get("evidence", ()))
        later = {name: arrays[f"certificate.{name}"] for name in _LATER_NUMBERS if reasons}
        if reasons and any(len(column) != len(cycles) for column in (reasons, evidence, *later.values())):
            raise ValueError("the reasons of the certificate do not fit the patterns")
        certificate = Certificate(
            cycles=cycles,
            reason=reasons,
            evidence=evidence,
            recovery_atol=float(text.get("recovery_atol", "nan")),
            verdict=verdicts,
            method=tuple(text["methods"]),
            period=period,
            open_sequence_error=open_sequence_error,
            **numbers,
            **later,
        )
    return Memory(map, patterns, originals, written, certificate)


def _names(found: Any, count: int) -> tuple[str, ...] | None:
    """The names of the examples; older files have none."""
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != count or not all(isinstance(name, str) for name in found):
        raise ValueError(f"the names are not one text for each of the {count} examples")
    return tuple(found)


def _number_fields() -> list[str]:
    names = [field.name for field in fields(Certificate)]
    return [name for name in names if name not in (*_NOT_NUMBERS, *_LATER_NUMBERS)]


def _fits_float32(array: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array.astype(np.float32).astype(np.float64), array, equal_nan=True))


def _finite(value: Any) -> Any:
    """The same JSON value with null for every number that is not finite."""
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
