"""The size of a map in bytes."""

from typing import Any

import jax
import numpy as np


def map_bytes(map: Any) -> int:
    """Bytes of the arrays of a map; float64 arrays that float32 holds exactly count as float32.

    ```python
    >>> import jax.random as jr
    >>> from attrax.analysis import map_bytes
    >>> from attrax.maps import mlp
    >>> map_bytes(mlp((2,), width=3, depth=1, key=jr.key(0)))
    68

    ```
    """
    total = 0
    for leaf in jax.tree.leaves(map):
        if hasattr(leaf, "dtype") and hasattr(leaf, "nbytes"):
            array = np.asarray(leaf)
            with np.errstate(over="ignore"):
                narrow = array.dtype == np.float64 and np.array_equal(array.astype(np.float32), array)
            total += array.nbytes // 2 if narrow else array.nbytes
    return int(total)
