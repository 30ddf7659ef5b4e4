"""The checkpoint of a census: what its blocks found so far."""

import hashlib
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from attrax._files import write_atomically
from attrax.analysis._census_blocks import CensusSoFar

_FORMAT = "attrax census 1"


def write_census(path: Path, found: CensusSoFar, fingerprint: str) -> None:
    arrays = {
        "states": np.ascontiguousarray(found.states),
        "periods": np.array(found.periods, np.int64),
        "labels": np.concatenate(found.labels).astype(np.int64),
        "steps": np.concatenate(found.steps).astype(np.int64),
    }
    header = {"format": _FORMAT, "fingerprint": fingerprint, "blocks": str(found.blocks)}
    header["checksum"] = _checksum(arrays, header["blocks"])
    write_atomically(path, safetensors.numpy.save(arrays, header))


def read_census(path: Path, fingerprint: str, size: int) -> CensusSoFar:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is no readable checkpoint ({error}); delete it to start from the beginning") from None
    if header.get("format") != _FORMAT:
        raise ValueError(f"{path} is no checkpoint of a census; delete it, or name another file")
    if header.get("checksum") != _checksum(arrays, header.get("blocks", "")):
        raise ValueError(f"{path} is a damaged checkpoint; restore it from a copy, or delete it to start again")
    if header.get("fingerprint") != fingerprint:
        raise ValueError(
            f"{path} belongs to a census of another memory, or with other starts; repeat its options to continue it, "
            "or delete the file to start from the beginning"
        )
    periods = tuple(int(period) for period in arrays["periods"])
    states = arrays["states"].reshape(len(periods), size)
    return CensusSoFar(states, [arrays["labels"]], [arrays["steps"]], int(header["blocks"]), periods)


def _checksum(arrays: dict[str, np.ndarray], text: str) -> str:
    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        total.update(f"|{name} {arrays[name].shape}|".encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()
