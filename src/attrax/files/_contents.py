"""From a memory to the arrays and the text of its file, and back; what comes back is checked to be a memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attrax._base.types import Map
from attrax.files._certificate import certificate_parts, read_certificate
from attrax.files._digest import digest
from attrax.files._foreign import MissingMap, probe
from attrax.files._plain import is_list, is_whole, real_array, shape_of
from attrax.files._record import checked_record
from attrax.maps import FIRST_KIND, KINDS, Storable, describe, kind_of, shapes_of
from attrax.memory import Memory
from attrax.patterns import Patterns

_OF_THE_MAP = "map."
_OF_THE_CERTIFICATE = "certificate."


def to_contents(memory: Memory, *, patterns: bool) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the text of a file."""
    stored = memory.examples()
    originals = np.asarray(memory.originals)
    of_the_map, map_text = _map_parts(memory.map, stored.shape)
    arrays = {_OF_THE_MAP + name: _real(array) for name, array in of_the_map.items()}
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
    if stored.parts is not None:
        text["parts"] = [list(part) for part in stored.parts]
    if patterns and stored.names is not None:
        text["names"] = list(stored.names)
    if patterns:
        arrays |= {"points": np.asarray(stored.points), "originals": originals}
    if memory.certificate is not None:
        numbers, said = certificate_parts(memory.certificate)
        arrays, text = arrays | numbers, text | said
    narrowed = []
    for name, array in arrays.items():
        if array.dtype == np.float64 and not name.startswith(_OF_THE_CERTIFICATE) and _fits_float32(array):
            arrays[name] = array.astype(np.float32)
            narrowed.append(name)
    text["widen"] = narrowed
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}, text


def _map_parts(map: Map, shape: tuple[int, ...]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What a file keeps of a map: arrays, and text."""
    kind = kind_of(map)
    if kind is not None and isinstance(map, Storable):
        arrays, settings = map.to_arrays()
        return arrays, {"kind": kind, "settings": settings}
    if isinstance(map, MissingMap):
        return {"probe": map.images}, {"kind": None, "text": map.text, "parameters": map.parameters}
    described = describe(map)
    return {"probe": probe(map, shape)}, {"kind": None, "text": described.text, "parameters": described.parameters}


def _real(array: np.ndarray) -> np.ndarray:
    """The types of machine learning that NumPy does not know, such as bfloat16, are parts of float32."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _fits_float32(array: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array.astype(np.float32).astype(np.float64), array, equal_nan=True))


def from_contents(text: Mapping[str, Any], arrays: Mapping[str, np.ndarray], version: str) -> Memory:
    """The memory of these. **Raises** an error of nearly any type, but as a rule `ValueError`, where they are none."""
    arrays = _widened(text["widen"], arrays)
    shape = shape_of(text)
    successor = _successor(text, arrays)
    written = checked_record(text["written"])
    certificate = read_certificate(text, arrays, successor)
    # Whose training diverged has nothing better to show; its status says so.
    finite = written.get("status") != "diverged"
    of_the_map = {name for name in arrays if _is_of_map(name, version)}
    map = _map(text, {name.removeprefix(_OF_THE_MAP): arrays[name] for name in of_the_map}, shape, version, finite)
    others = {name for name in arrays if name not in of_the_map and not name.startswith(_OF_THE_CERTIFICATE)}
    if not isinstance(text["patterns"], bool):
        raise ValueError("patterns must be true or false")
    known = {"successor", "points", "originals"} if text["patterns"] else {"successor"}
    if others != known:
        raise ValueError(f"{min(others ^ known)[:80]!r} is missing among its arrays, or one too many")
    if not isinstance(text["digest"], str):
        raise ValueError("digest must be a text")
    if not text["patterns"]:
        found = {"patterns_digest": text["digest"], "order_digest": digest(successor)}
        return Memory(map, None, None, {**written, **found}, certificate)
    points = real_array(arrays, "points", (len(successor), *shape), finite=True)
    originals = real_array(arrays, "originals", points.shape, finite=True)
    if digest(originals) != text["digest"]:
        raise ValueError("the originals do not have the digest on record")
    patterns = Patterns(
        points, successor, _merged(text, len(successor)), _frame(text), _names(text, len(points)), _parts(text)
    )
    return Memory(map, patterns, originals, written, certificate)


def _widened(names: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not is_list(names, str):
        raise ValueError("widen must be a list of names")
    found = dict(arrays)
    for name in names:
        if arrays[name].dtype != np.float32 or name.startswith(_OF_THE_CERTIFICATE):
            raise ValueError(f"{name[:80]!r} was not narrowed")
        found[name] = arrays[name].astype(np.float64)
    return found


def _is_of_map(name: str, version: str) -> bool:
    if version == "1":
        return name.startswith(("weight.", "bias."))
    return name.startswith(_OF_THE_MAP)


def _map(
    text: Mapping[str, Any], parts: dict[str, np.ndarray], shape: tuple[int, ...], version: str, finite: bool
) -> Map:
    for name, array in parts.items():
        real_array(parts, name, array.shape, finite=finite)
        if not array.size:
            raise ValueError(f"{name[:80]!r} of the map is empty")
    if version == "1":
        map = KINDS[FIRST_KIND].from_arrays(parts, text)
    else:
        own = text["map"]
        if not isinstance(own, dict):
            raise ValueError("map must be an object")
        if own["kind"] is None:
            return _missing_map(own, real_array(parts, "probe", (2, *shape), finite=False))
        if str(own["kind"]) not in KINDS:
            raise ValueError(
                f"maps of the kind {str(own['kind'])[:80]!r} are unknown here, known are {', '.join(KINDS)}; update "
                "attrax"
            )
        if not isinstance(own["settings"], dict):
            raise ValueError("the settings of the map must be an object")
        map = KINDS[own["kind"]].from_arrays(parts, own["settings"])
    if shape not in (shapes_of(map) or (shape,)):
        raise ValueError("the map is for states of another shape")
    unused = set(parts) - set(map.to_arrays()[0])
    if unused:
        raise ValueError(f"the map has no use for {min(unused)[:80]!r}")
    return map


def _missing_map(own: Mapping[str, Any], images: np.ndarray) -> MissingMap:
    if not isinstance(own["text"], str) or not own["text"].isprintable() or not is_whole(own["parameters"]):
        raise ValueError("what is on record of the map is no text and a number of parameters")
    return MissingMap(own["text"], own["parameters"], images.astype(np.float64))


def _successor(text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    found = arrays["successor"]
    if not is_whole(text["examples"], 1) or found.shape != (text["examples"],) or found.dtype != np.int64:
        raise ValueError("the successors are not one integer an example")
    if found.min() < 0 or found.max() >= len(found):
        raise ValueError("the successors are not indices of the examples")
    return found


def _merged(text: Mapping[str, Any], count: int) -> tuple[tuple[int, int], ...]:
    pairs = text["merged"]
    most = count + (len(pairs) if isinstance(pairs, list) else 0) - 1
    if not is_list(pairs, list) or not all(
        len(pair) == 2 and all(is_whole(one, 0, most) for one in pair) for pair in pairs
    ):
        raise ValueError("merged must be pairs of positions among what was given")
    given = {pair[0] for pair in pairs}
    if len(given) != len(pairs) or any(pair[1] in given for pair in pairs):
        raise ValueError("merged names an example twice, or one that was itself merged")
    return tuple((given, kept) for given, kept in pairs)


def _frame(text: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The shape of a frame; files from before there was context have none."""
    if text.get("frame") is None:
        return None
    return shape_of(text, "frame")  # whether it fits is for `Patterns` to say


def _parts(text: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The shapes of the two parts of a pair; only files of pairs have them."""
    found = text.get("parts")
    if found is None:
        return None
    if not is_list(found, list) or len(found) != 2:
        raise ValueError("parts must be two shapes")
    first, second = (shape_of({"parts": part}, "parts") for part in found)
    return first, second  # whether they make up a state is for `Patterns` to say


def _names(text: Mapping[str, Any], count: int) -> tuple[str, ...] | None:
    """The names of the examples; files from before they had names have none."""
    found = text.get("names")
    if found is None:
        return None
    if not is_list(found, str) or len(found) != count:
        raise ValueError(f"the names are not one text for each of the {count} examples")
    return tuple(found)
