"""Memory files, damaged at random or altered on purpose, by the seed of the case."""

import copy
import json
from typing import Any

import numpy as np
import safetensors.numpy

from attrax.files import checksum

_ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    2**70,
    -(2**64),
    10**400,
    0.5,
    -0.0,
    1e308,
    1e999,
    float("nan"),
    "",
    "1",
    "nan",
    "relu",
    "z^-3",
    "z^1e9",
    "attractor",
    "\x1b[2J\x1b]0;x\x07",
    "a\nb\r\x00c",
    "\u202etxet",
    "\ud800",
    "x" * 100_000,
    [],
    {},
    [[]],
    [0],
    [-1],
    [10**9, 10**9],
    [1.5],
    ["a", None],
    {"a": {"b": [1]}},
    {"\x1b[31m": "\x1b[0m"},
)


def damaged(base: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Bytes flipped, cut off, spliced or put in."""
    content = bytearray(base)
    for _ in range(int(rng.integers(1, 4))):
        kind, header = rng.integers(7), int.from_bytes(base[:8], "little")
        # Half of all strike the header, which is most of what is read.
        end = min(len(content), 8 + header) if rng.random() < 0.5 else len(content)
        place = int(rng.integers(max(end, 1)))
        if kind == 0 and content:
            content[place % len(content)] ^= 1 << int(rng.integers(8))
        elif kind == 1 and content:
            content[place % len(content)] = int(rng.integers(256))
        elif kind == 2:
            del content[place:]
        elif kind == 3:
            cut = int(rng.integers(len(other)))
            content = content[:place] + other[cut:]
        elif kind == 4:
            content[place : place + int(rng.integers(1, 9))] = rng.bytes(int(rng.integers(0, 9)))
        elif kind == 5:
            piece = content[place : place + int(rng.integers(1, 200))]
            content[place:place] = piece
        else:
            content[:8] = int(rng.choice([0, 1, len(content), 2**31, 2**40, 2**63 - 1])).to_bytes(8, "little")
    return bytes(content)


def resigned(base: bytes, rng: np.random.Generator) -> bytes:
    """A file with some fields or tensors altered, and a checksum that fits them."""
    length = int.from_bytes(base[:8], "little")
    metadata = json.loads(base[8 : 8 + length])["__metadata__"]
    arrays = {name: np.array(array) for name, array in safetensors.numpy.load(base).items()}
    tree = json.loads(metadata["memory"])
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        if rng.random() < 0.6:
            tree = _altered_tree(tree, rng)
        else:
            _alter_array(arrays, rng)
    text = json.dumps(tree)
    if rng.random() < 0.03:
        deep = int(rng.choice([50, 900, 5000, 200_000]))
        text = text[:-1] + ', "deep": ' + "[" * deep + "]" * deep + "}"
    version = metadata["version"] if rng.random() < 0.97 else str(rng.choice(["1", "2", "", "2 "]))
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    signed = {"format": metadata["format"], "version": version, "memory": text}
    signed["checksum"] = checksum(arrays, text, version)
    if rng.random() < 0.02:
        signed["more"] = "x"
    return safetensors.numpy.save(arrays, signed)


def _altered_tree(tree: Any, rng: np.random.Generator) -> Any:
    """One node of a JSON tree replaced, removed, doubled or put in."""
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    holder, key = places[int(rng.integers(len(places)))]
    kind = rng.random()
    if kind < 0.65:
        holder[key] = copy.deepcopy(_ODD[int(rng.integers(len(_ODD)))])
    elif kind < 0.75:
        del holder[key]
    elif kind < 0.85:
        other, name = places[int(rng.integers(len(places)))]
        if name in other if isinstance(other, dict) else name < len(other):
            holder[key] = copy.deepcopy(other[name])
    elif kind < 0.95 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = holder[key] + int(rng.choice([-1, 1, 2, 1000]))
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[str(key) + "x"] = holder[key]
    return tree


def _places(node: Any) -> Any:
    if isinstance(node, dict):
        for key in list(node):
            yield node, key
            yield from _places(node[key])
    elif isinstance(node, list):
        for index in range(len(node)):
            yield node, index
            yield from _places(node[index])


def _alter_array(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """One tensor altered, in place of the old one."""
    names = sorted(arrays)
    name = names[int(rng.integers(len(names)))]
    array = np.array(arrays[name])
    kind = int(rng.integers(9))
    if kind == 0 and array.size:
        place = int(rng.integers(array.size))
        with np.errstate(all="ignore"):
            odd = float(rng.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-310, 2.0**53, -1e9]))
            values = array.ravel()
            values[place] = odd if array.dtype.kind == "f" else np.int64(np.clip(np.nan_to_num(odd), -1e18, 1e18))
            arrays[name] = values.reshape(array.shape)
    elif kind == 1:
        with np.errstate(all="ignore"):
            dtype = str(rng.choice(["float16", "float32", "float64", "int8", "int64", "uint64", "bool", "uint8"]))
            arrays[name] = np.nan_to_num(array, posinf=0, neginf=0).astype(dtype)
    elif kind == 2:
        arrays[name] = array.reshape(-1) if rng.random() < 0.5 else array[None]
    elif kind == 3:
        arrays[name] = array[..., : max(array.shape[-1] - 1, 0)] if array.ndim else array[None]
    elif kind == 4:
        arrays[name] = np.zeros((0, *array.shape[1:]), array.dtype)
    elif kind == 5:
        del arrays[name]
    elif kind == 6:
        arrays[str(rng.choice(["x", "map.x", "map.weight.99", "certificate.x", "\x1b[31m"]))] = array
    elif kind == 7:
        other = names[int(rng.integers(len(names)))]
        arrays[name], arrays[other] = arrays[other], arrays[name]
    else:
        with np.errstate(all="ignore"):
            factor = float(rng.choice([-1, 0, 1e10, 1e30, 1e-30, 2]))
            arrays[name] = (array * factor).astype(array.dtype)
