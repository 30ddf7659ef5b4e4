"""What two runs have to agree in, so that one can continue from the checkpoint of the other."""

import hashlib
import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""The memory address of a function, which differs between processes."""


def digest(settings: str, *data: Any) -> str:
    """A digest of settings and of pytrees with arrays, random keys and functions."""
    digested = hashlib.sha256(_ADDRESS.sub("", settings).encode())
    for leaf in jax.tree.leaves(eqx.filter(data, eqx.is_array_like)):
        key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.asarray(jr.key_data(leaf) if key else leaf)
        digested.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    digested.update(_ADDRESS.sub("", str(jax.tree.structure(data))).encode())
    return digested.hexdigest()
