"""Values between the entries of an array."""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, operator

_MODES = {"bilinear": "linear", "bicubic": "cubic"}
_PADDINGS = ("zeros", "border", "reflection")
_CUBIC = -0.75


@operator("GridSample")
def _grid_sample(call: Call, x: Any, grid: Any) -> Any:
    mode = call.get("mode", "linear")
    mode, padding = _MODES.get(mode, mode), call.get("padding_mode", "zeros")
    aligned = bool(call.get("align_corners", 0))
    sides = x.shape[2:]
    if mode not in ("linear", "cubic", "nearest") or padding not in _PADDINGS or grid.shape[-1] != len(sides):
        raise call.refuse(f"samples an array of shape {x.shape} in the mode {mode!r} with the padding {padding!r}")
    call.room((x.shape[0], x.shape[1], *grid.shape[1:-1]), x.dtype)
    borders = [(0.0, side - 1.0) if aligned else (-0.5, side - 0.5) for side in sides]
    places = []
    for axis, (side, border) in enumerate(zip(sides, borders, strict=True)):
        at = grid[..., len(sides) - 1 - axis]  # the grid names the last axis first
        at = (at + 1) / 2 * (side - 1) if aligned else ((at + 1) * side - 1) / 2
        at = jnp.round(at) if mode == "nearest" else at
        if padding == "border":
            at = jnp.clip(at, 0, side - 1)
        elif padding == "reflection":
            at = _reflected(at, border)
        places.append(at)

    def one(picture: Any, *at: Any) -> Any:
        return _between(picture, at, borders, mode, padding)

    return jax.vmap(one)(jnp.asarray(x), *places).astype(x.dtype)


def _between(picture: Any, places: tuple[Any, ...], borders: Any, mode: str, padding: str) -> Any:
    """Values of `picture`, channels×sides, at places given by one array of coordinates per axis."""
    sides = picture.shape[1:]
    choices = []
    for at in places:
        low = jnp.floor(at)
        part = at - low
        if mode == "nearest":
            choices.append([(jnp.round(at), jnp.ones_like(at))])
        elif mode == "linear":
            choices.append([(low, 1 - part), (low + 1, part)])
        else:
            choices.append([(low + offset, _cubic(jnp.abs(part - offset))) for offset in (-1, 0, 1, 2)])
    flat = picture.reshape(picture.shape[0], -1)
    total: Any = 0.0
    for corner in itertools.product(*choices):
        index, weight = jnp.zeros(places[0].shape, int), jnp.ones_like(places[0])
        for (at, share), side, border, stride in zip(corner, sides, borders, _strides(sides), strict=True):
            weight = weight * share
            if padding == "zeros":
                weight = jnp.where((at >= 0) & (at <= side - 1), weight, jnp.zeros_like(weight))
            elif padding == "reflection":
                at = _reflected(at, border)
            index = index + jnp.clip(at, 0, side - 1).astype(int) * stride
        total = total + jnp.take(flat, index, axis=1) * weight
    return total


def _strides(sides: tuple[int, ...]) -> list[int]:
    return [math.prod(sides[axis + 1 :]) for axis in range(len(sides))]


def _cubic(distance: Any) -> Any:
    a, d = _CUBIC, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return jnp.where(d <= 1, near, far)


def _reflected(at: Any, border: tuple[float, float]) -> Any:
    """Back into the borders, as often as needed."""
    low, high = border
    span = high - low
    if span == 0:
        return jnp.full_like(at, low)
    along = jnp.mod(at - low, 2 * span)
    inside = (at >= low) & (at <= high)
    return jnp.where(inside, at, low + jnp.where(along > span, 2 * span - along, along))


@operator("MelWeightMatrix", known=(0, 1, 2, 3, 4))
def _mel_weights(call: Call, bins: Any, length: Any, rate: Any, lowest: Any, highest: Any) -> Any:
    count, size, hertz = (int(one.ravel()[0]) for one in (bins, length, rate))
    low, high = (2595 * np.log10(1 + float(one.ravel()[0]) / 700) for one in (lowest, highest))
    call.room((size // 2 + 1, count), np.float64)
    edges = 700 * (10 ** ((np.arange(count + 2) * (high - low) / (count + 2) + low) / 2595) - 1)
    edges = ((size + 1) * edges // hertz).astype(int)
    matrix, places = np.zeros((size // 2 + 1, count)), np.arange(size // 2 + 1)
    for column in range(count):
        first, middle, last = edges[column : column + 3]
        rising = (places - first) / max(middle - first, 1)
        falling = (last - places) / max(last - middle, 1)
        matrix[:, column] = np.where(places <= middle, rising, falling).clip(min=0)
        matrix[middle, column] = 1
    return matrix.astype(call.dtype(call.get("output_datatype") or np.float32))
