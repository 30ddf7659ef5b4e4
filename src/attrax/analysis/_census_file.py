"""The checkpoint of a census: the results of its blocks so far."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base.checked_arrays import read_checked, write_checked
from attrax._base.digests import digest
from attrax.analysis._census_blocks import CensusSoFar
from attrax.memory import Memory

_FORMAT = "attrax census 2"


def write_census(path: Path, found: CensusSoFar, fingerprint: str) -> None:
    """Writes the results so far, and the fingerprint of the memory and the starts."""
    arrays = {
        "states": np.ascontiguousarray(found.states),
        "periods": np.array(found.periods, np.int64),
        "labels": np.concatenate(found.labels).astype(np.int64),
        "steps": np.concatenate(found.steps).astype(np.int64),
    }
    write_checked(path, arrays, {"fingerprint": fingerprint, "blocks": str(found.blocks)}, format=_FORMAT)


def read_census(path: Path, fingerprint: str, size: int) -> CensusSoFar:
    """Reads what was written last, for states of `size` entries.

    **Raises** `ValueError` if the file is not such a checkpoint, or belongs to another memory or other starts.
    """
    arrays, header = read_checked(path, format=_FORMAT, what="checkpoint of a census")
    if header.get("fingerprint") != fingerprint:
        raise ValueError(
            f"{path} belongs to a census of another memory, or with other starts; repeat its options to continue it, "
            "or delete the file to start from the beginning"
        )
    periods = tuple(int(period) for period in arrays["periods"])
    states = arrays["states"].reshape(len(periods), size)
    return CensusSoFar(states, [arrays["labels"]], [arrays["steps"]], int(header["blocks"]), periods)


def census_fingerprint(memory: Memory, images: Any, settings: Sequence[Any]) -> str:
    """What two runs have to agree in, so that one can continue from the checkpoint of the other."""
    # The first and last images suffice to distinguish long lists of images.
    ends = [] if images is None else [np.asarray(part, np.float32) for part in (images[:50], images[-50:])]
    counted = 0 if images is None else int(images.shape[0])
    return digest(json.dumps([counted, *settings]), memory.map, memory.examples().points, memory.originals, ends)
