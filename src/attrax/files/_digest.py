"""Digests of arrays."""

import hashlib

import numpy as np

from attrax._base.types import HostStates


def digest(values: HostStates) -> str:
    """SHA-256 over shape, dtype and bytes of an array."""
    values = np.ascontiguousarray(values)
    return hashlib.sha256(f"{values.dtype.str} {values.shape}".encode() + values.tobytes()).hexdigest()
