"""Arguments shared by several functions of the theory, checked before any work."""

from typing import Any

import numpy as np
from jaxtyping import Float


def numbers(name: str, value: Any, *, ndim: tuple[int, ...], length: int | None = None) -> Float[np.ndarray, "..."]:
    """`value` as a finite float64 array with one of the `ndim` given, each axis of `length` where that is given.

    **Raises** `ValueError` otherwise.
    """
    size = "" if length is None else f" of length {length}"
    kind = " or ".join({0: "a number", 1: f"a sequence{size}", 2: f"a matrix{size}"}[n] for n in ndim)
    message = f"{name} must be {kind} of finite numbers; got {value!r}"
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise ValueError(message)
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(message) from error
    if array.ndim not in ndim or (length is not None and any(n != length for n in array.shape)):
        raise ValueError(message)
    if not np.isfinite(array).all():
        raise ValueError(message)
    return array


def units(k: int, u0: Any, v0: Any) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """`u0` and `v0` as two scalars (equal units) or two vectors of length k."""
    u = numbers("u0", u0, ndim=(0, 1), length=k)
    v = numbers("v0", v0, ndim=(0, 1), length=k)
    if u.ndim != v.ndim:
        u, v = np.broadcast_to(u, (k,)).copy(), np.broadcast_to(v, (k,)).copy()
    return u, v
