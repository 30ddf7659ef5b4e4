"""The state of a training run: how it begins, and how it is kept in a file.

The file is written atomically: killing the process at any moment leaves a complete one.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from attrax._base.checked_arrays import read_checked, write_checked

_FORMAT = "attrax checkpoint 2"


@eqx.filter_jit
def first_state(optimizer: Any, parameters: Any) -> Any:
    """What an Optax transformation keeps at first, by one program instead of one for each shape."""
    return optimizer.init(parameters)


def write_checkpoint(path: str | os.PathLike[str], state: Any, numbers: Mapping[str, Any], fingerprint: str) -> None:
    """Writes the arrays of the pytree `state`, some `numbers`, and the fingerprint of the run's settings."""
    leaves = jax.tree.leaves(eqx.filter(state, eqx.is_array))
    arrays = {f"leaf {index}": np.asarray(leaf) for index, leaf in enumerate(leaves)}
    write_checked(path, arrays, {"fingerprint": fingerprint, "numbers": json.dumps(numbers)}, format=_FORMAT)


def read_checkpoint(path: str | os.PathLike[str], like: Any, fingerprint: str) -> tuple[Any, dict[str, Any]]:
    """The state and the numbers that were written last. `like` is a state of the same structure, or the function that
    returns it for these numbers.

    **Raises** `ValueError` if the file is not a checkpoint or belongs to a run with other settings or data.
    """
    path = Path(path)
    arrays, header = read_checked(path, format=_FORMAT, what="checkpoint")
    if header.get("fingerprint") != fingerprint:
        raise ValueError(
            f"{path} belongs to a run with other data or settings; repeat that run's options to continue it, "
            "or delete the file to start from the beginning"
        )
    numbers = json.loads(header["numbers"])
    dynamic, static = eqx.partition(like(numbers) if callable(like) else like, eqx.is_array)
    leaves, structure = jax.tree.flatten(dynamic)
    stored = [arrays.get(f"leaf {index}") for index in range(len(leaves))]
    for index, (leaf, array) in enumerate(zip(leaves, stored, strict=True)):
        if array is None or array.shape != leaf.shape or array.dtype != leaf.dtype:
            found = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
            raise ValueError(f"{path}: leaf {index} should be {leaf.dtype}{list(leaf.shape)} but the file has {found}")
    restored = jax.tree.unflatten(structure, stored)
    return eqx.combine(restored, static), numbers
