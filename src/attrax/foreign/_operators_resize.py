"""Resizing, by one matrix of weights for each axis, which the file determines."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from attrax.foreign._operator import Call, axis_of, ints, operator


@operator("Resize", known=(1, 2, 3))
def _resize(call: Call, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    if call.version < 11:
        scales, roi = roi, None
    axes = [axis_of(axis, x.ndim) for axis in call.get("axes") or range(x.ndim)]
    if scales is not None and scales.size:
        factors = [float(one) for one in scales.ravel()]
        wanted = [math.floor(x.shape[axis] * factor) for axis, factor in zip(axes, factors, strict=True)]
    elif sizes is not None and sizes.size:
        wanted, factors = _kept_aspect(call, [x.shape[axis] for axis in axes], ints(sizes))
    else:
        raise call.refuse("has neither scales nor sizes")
    region = [0.0] * len(axes) + [1.0] * len(axes) if roi is None or not roi.size else [float(one) for one in roi]
    for number, axis in enumerate(axes):
        begin, end = region[number], region[number + len(axes)]
        x = _along(call, x, axis, wanted[number], factors[number], (begin, end))
    return x


@operator("Upsample", known=(1,))
def _upsample(call: Call, x: Any, scales: Any = None) -> Any:
    factors = [float(one) for one in (call.get("scales") if scales is None else scales.ravel())]
    for axis, factor in enumerate(factors):
        x = _along(call, x, axis, math.floor(x.shape[axis] * factor), factor, (0.0, 1.0))
    return x


def _kept_aspect(call: Call, sides: list[int], wanted: list[int]) -> tuple[list[int], list[float]]:
    policy = call.get("keep_aspect_ratio_policy", "stretch")
    ratios = [want / side for want, side in zip(wanted, sides, strict=True)]
    if policy == "stretch":
        return wanted, ratios
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(ratio * side + 0.5) for side in sides], [ratio] * len(sides)


def _along(call: Call, x: Any, axis: int, wanted: int, factor: float, region: tuple[float, float]) -> Any:
    side = x.shape[axis]
    mode = call.get("mode", "nearest")
    transform = call.get("coordinate_transformation_mode", "half_pixel" if call.version >= 11 else "asymmetric")
    if factor <= 0 or wanted < 0:
        raise call.refuse(f"resizes an axis of {side} entries by {factor:g}")
    if wanted == side and factor == 1 and transform != "tf_crop_and_resize":
        return x
    call.room([wanted if at == axis else size for at, size in enumerate(x.shape)], x.dtype)
    places = _places(call, transform, side, wanted, factor, region)
    if mode == "nearest":
        rule = call.get("nearest_mode", "round_prefer_floor" if call.version >= 11 else "floor")
        found = jnp.take(x, np.clip(_NEAREST[rule](places), 0, side - 1).astype(int), axis=axis)
    else:
        call.room((wanted, side), np.float64)
        matrix = _weights(call, mode, places, side, factor)
        found = jnp.moveaxis(jnp.tensordot(jnp.asarray(matrix, x.dtype), x, (1, axis)), 0, axis)
    if transform == "tf_crop_and_resize":
        outside = (places < 0) | (places > side - 1)
        shape = [-1 if at == axis else 1 for at in range(x.ndim)]
        found = jnp.where(outside.reshape(shape), jnp.asarray(call.get("extrapolation_value", 0.0), x.dtype), found)
    return found


_NEAREST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _places(
    call: Call, transform: str, side: int, wanted: int, factor: float, region: tuple[float, float]
) -> Float[np.ndarray, " n"]:
    """Where each entry of the result lies in the input."""
    at = np.arange(wanted, dtype=np.float64)
    # The length that scales ask for need not be whole.
    length = factor * side
    if transform == "half_pixel":
        return (at + 0.5) / factor - 0.5
    if transform == "half_pixel_symmetric":
        adjusted = wanted / length
        return (side / 2) * (1 - adjusted) + (at + 0.5) / factor - 0.5
    if transform == "pytorch_half_pixel":
        return (at + 0.5) / factor - 0.5 if length > 1 else np.zeros(wanted)
    if transform == "align_corners":
        return np.zeros(wanted) if length == 1 else at * (side - 1) / (length - 1)
    if transform == "asymmetric":
        return at / factor
    if transform == "tf_half_pixel_for_nn":
        return (at + 0.5) / factor
    if transform == "tf_crop_and_resize":
        begin, end = region
        if wanted > 1:
            return begin * (side - 1) + at * (end - begin) * (side - 1) / (length - 1)
        return np.full(wanted, 0.5 * (begin + end) * (side - 1))
    raise call.refuse(f"places entries by {transform!r}, which is unknown")


def _weights(call: Call, mode: str, places: np.ndarray, side: int, factor: float) -> Float[np.ndarray, "wanted side"]:
    """Row i holds what each entry of the input contributes to entry i of the result."""
    stretch = min(factor, 1.0) if call.get("antialias", 0) else 1.0
    if mode == "linear":

        def kernel(distance: np.ndarray) -> np.ndarray:
            return np.maximum(1 - np.abs(distance * stretch), 0)

        reach = 1.0
    elif mode == "cubic":
        a = call.get("cubic_coeff_a", -0.75)

        def kernel(distance: np.ndarray) -> np.ndarray:
            d = np.abs(distance * stretch)
            near = ((a + 2) * d - (a + 3)) * d * d + 1
            far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
            return np.where(d <= 1, near, np.where(d < 2, far, 0.0))

        reach = 2.0
    else:
        raise call.refuse(f"interpolates by {mode!r}; known are 'nearest', 'linear' and 'cubic'")
    width = math.ceil(reach / stretch)
    first = np.floor(places).astype(int) - width + 1
    matrix = np.zeros((len(places), side))
    rows = np.arange(len(places))
    exclude = bool(call.get("exclude_outside", 0))
    for offset in range(2 * width):
        columns = first + offset
        weight = kernel(places - columns)
        if exclude:
            weight = np.where((columns < 0) | (columns >= side), 0.0, weight)
        np.add.at(matrix, (rows, np.clip(columns, 0, side - 1)), weight)
    if exclude or stretch < 1:
        matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix
