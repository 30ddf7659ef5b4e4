"""The checkpoint of a census: what its blocks found so far."""

from pathlib import Path

import numpy as np

from attrax._base.checked_arrays import read_checked, write_checked
from attrax.analysis._census_blocks import CensusSoFar

_FORMAT = "attrax census 2"


def write_census(path: Path, found: CensusSoFar, fingerprint: str) -> None:
    """Writes what was found so far, and the fingerprint of memory and starts."""
    arrays = {
        "states": np.ascontiguousarray(found.states),
        "periods": np.array(found.periods, np.int64),
        "labels": np.concatenate(found.labels).astype(np.int64),
        "steps": np.concatenate(found.steps).astype(np.int64),
    }
    write_checked(path, arrays, {"fingerprint": fingerprint, "blocks": str(found.blocks)}, format=_FORMAT)


def read_census(path: Path, fingerprint: str, size: int) -> CensusSoFar:
    """What was written last, of states of so many entries.

    **Raises** `ValueError` where the file is no such checkpoint, or one of another memory or of other starts.
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
