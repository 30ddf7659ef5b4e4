"""Digests of arrays."""

import hashlib

import numpy as np

from attrax._base.types import HostStates


def digest(values: HostStates) -> str:
    """SHA-256 over shape, dtype and bytes of an array.

    ```python
    >>> import numpy as np
    >>> from attrax import files
    >>> files.digest(np.eye(2)) == files.digest(np.eye(2))
    True
    >>> files.digest(np.eye(2)) == files.digest(np.eye(2, dtype=np.float32))
    False

    ```
    """
    values = np.ascontiguousarray(values)
    return hashlib.sha256(f"{values.dtype.str} {values.shape}".encode() + values.tobytes()).hexdigest()
