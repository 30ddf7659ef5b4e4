"""One check for batches of states, whose message says how to write what was probably meant."""

import math
import os
from typing import Any

import numpy as np


def state_batch(name: str, values: Any, *shapes: tuple[int, ...]) -> np.ndarray:
    """`values` as an array of real states, one per row, at least one.

    Tensors of PyTorch are taken as arrays are. Numbers of 32 and 64 bits are neither copied nor cast; narrower
    floating-point numbers become float32, wider ones float64.

    `shapes` are the shape of a state, followed by other accepted shapes (those of frames). Without any, every shape is
    accepted.
    **Raises** `ValueError` for anything else. For a single state, nested batches and vectors, the message says how
    to write them.

        >>> state_batch("cues", np.zeros((8, 8)), (8, 8))
        Traceback (most recent call last):
        ValueError: cues must be states of shape (8, 8), one per row; got an array of shape (8, 8). For a single state \
write cues[None]
    """
    given, values = values, as_array(values)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be an array of real numbers; got {_other_than_numbers(given, values)}")
    fits = values.shape[1:] in shapes and values.ndim > 0 if shapes else values.ndim > 1
    if fits and values.size:
        return values
    if fits:
        raise ValueError(f"{name} must hold at least one state with at least one entry; got the shape {values.shape}")
    given = " or ".join(map(str, shapes))
    wanted = f"{name} must be states{' of shape ' * bool(shapes)}{given}, one per row"
    raise ValueError(f"{wanted}; got an array of shape {values.shape}{_remedy(name, values.shape, shapes)}")


def as_array(values: Any) -> np.ndarray:
    """`values` as a NumPy array whose floating-point numbers, of whatever type, have 32 or 64 bits.

    A tensor of PyTorch may be on any device, take part in automatic differentiation, and be of any type; PyTorch is not
    imported for that.

        >>> as_array(np.ones(2, np.float16)).dtype
        dtype('float32')
    """
    if all(callable(getattr(values, name, None)) for name in ("detach", "cpu", "numpy", "is_floating_point")):
        values = values.detach().cpu()
        values = values.float() if values.is_floating_point() and values.element_size() < 4 else values
        values = values.numpy()
    values = np.asarray(values)
    small = values.dtype.type.__module__ == "ml_dtypes" and "float" in values.dtype.name
    if small or (values.dtype.kind == "f" and values.dtype.itemsize < 4):
        return values.astype(np.float32)
    return values.astype(np.float64) if values.dtype.kind == "f" and values.dtype.itemsize > 8 else values


def _other_than_numbers(given: Any, values: np.ndarray) -> str:
    """What was given in place of an array, and what to pass."""
    if isinstance(given, str | os.PathLike):
        return f"{os.fspath(given)!r}. Load it first, such as attrax.sources.load({os.fspath(given)!r}).values"
    for attribute in ("values", "value", "points", "patterns"):
        if not callable(getattr(given, attribute, print)):
            return f"{type(given).__name__}. Pass its .{attribute}{'.points' * (attribute == 'patterns')}"
    return f"dtype {values.dtype}"


def _remedy(name: str, given: tuple[int, ...], shapes: tuple[tuple[int, ...], ...]) -> str:
    variable = name if name.isidentifier() else "values"
    if given in shapes or (not shapes and len(given) == 1):
        return f". For a single state write {variable}[None]"
    if len(given) > 2 and given[2:] in shapes:
        return f". Write {variable}[0]" if given[0] == 1 else f". Join the batches: np.concatenate({variable})"
    for shape in shapes:
        if math.prod(given[1:]) == math.prod(shape) and len(given) > 1:
            return f". If each row is a state, write {variable}.reshape({', '.join(map(str, (-1, *shape)))})"
        if math.prod(given) == math.prod(shape):
            return f". For a single state write {variable}.reshape({', '.join(map(str, (1, *shape)))})"
    return ""
