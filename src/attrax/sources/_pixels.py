"""From the numbers of a file to states: gray, size, scale."""

from typing import Any

import numpy as np
from PIL import Image

from attrax._base.arguments import mention
from attrax.sources._records import SourceError
from attrax.sources._scales import Range, divided, type_range

# ITU-R 601 luma, as in Pillow's mode L.
_LUMA = np.array([0.299, 0.587, 0.114])

MAX_PIXELS = 100_000_000
FITS = ("squash", "crop", "pad")
"""What becomes of pictures of another shape: stretched to it, cut to it about the middle, or set in black."""


def prepare(
    raw: np.ndarray[Any, Any],
    label: str,
    *,
    size: tuple[int, int] | None,
    gray: bool,
    image: bool,
    fit: str = "squash",
    value_range: Range | None = None,
) -> np.ndarray[Any, Any]:
    """One example as floats, in memory of its own.

    **Arguments:**

    - `raw`: H×W or H×W×C of an image, or a vector; bool, integer or float.
    - `label`: the example's name in messages.
    - `size`: height and width to bring an image to, or `None` to leave it.
    - `gray`: one channel instead of three.
    - `image`: whether `raw` is an image; vectors know neither size nor gray.
    - `fit`: one of `FITS`.
    - `value_range`: the numbers that become 0 and 1.

    **Returns** float32, or float64 where `raw` is; a single channel has no axis of its own. Integers of more than
    16 bits without a range come unscaled, as float64.

    **Raises** `SourceError` for NaN, infinities, and `gray` of two or four channels.
    """
    _refuse_nonfinite(raw, label)
    values = raw
    if image:
        if values.ndim == 3 and values.shape[2] == 1:
            values = values[:, :, 0]
        if gray and values.ndim == 3:
            values = _gray(values, label)
        if size is not None and values.shape[:2] != size:
            # Float32 does not reach as far as float64: what overflows is refused below.
            with np.errstate(over="ignore"):
                values = _fitted(values, size, fit)
            _refuse_nonfinite(values, label)
    values = _scale(values, raw.dtype, value_range)
    return values if size is None or not image else _framed(values, size)


def _refuse_nonfinite(raw: np.ndarray[Any, Any], label: str) -> None:
    if raw.dtype.kind != "f" or np.isfinite(raw).all():
        return
    bad = tuple(int(i) for i in np.argwhere(~np.isfinite(raw))[0])
    raise SourceError(
        f"{label}: examples must hold finite numbers; found {raw[bad]} at index {bad} of the example. "
        "Replace it or leave the example out"
    )


def _gray(values: np.ndarray[Any, Any], label: str) -> np.ndarray[Any, Any]:
    if values.shape[2] != 3:
        raise SourceError(
            f"{label}: {mention('gray')} needs images of 1 or 3 channels; these have {values.shape[2]}. "
            f"Drop the other channels first, or leave {mention('gray')} off"
        )
    if values.dtype == np.uint8:
        # Pillow's own rounding, so that a file and an array of its pixels give the same gray.
        return np.asarray(Image.fromarray(np.ascontiguousarray(values)).convert("L"))
    return values @ _LUMA


def _fitted(values: np.ndarray[Any, Any], size: tuple[int, int], fit: str) -> np.ndarray[Any, Any]:
    """Of this size, or, where it is to be padded, as large as fits into it."""
    height, width = values.shape[:2]
    if fit == "pad":
        scale = min(size[0] / height, size[1] / width)
        return _resize(values, (max(1, round(height * scale)), max(1, round(width * scale))), None)
    if fit == "crop":
        scale = max(size[0] / height, size[1] / width)
        down, across = size[0] / scale, size[1] / scale
        top, left = max(0.0, (height - down) / 2), max(0.0, (width - across) / 2)
        return _resize(values, size, (left, top, min(width, left + across), min(height, top + down)))
    return _resize(values, size, None)


def _framed(values: np.ndarray[Any, Any], size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """In the middle of black, where it is smaller."""
    rows, columns = size[0] - values.shape[0], size[1] - values.shape[1]
    if not (rows or columns):
        return values
    edges = [(rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0)]
    return np.pad(values, edges[: values.ndim])


def _resize(
    values: np.ndarray[Any, Any], size: tuple[int, int], box: tuple[float, float, float, float] | None
) -> np.ndarray[Any, Any]:
    """Means over boxes: without overshoot, so that what lay in [0, 1] stays there."""
    if values.ndim == 3:
        return np.stack([_resize(values[:, :, c], size, box) for c in range(values.shape[2])], axis=2)
    height, width = size
    channel = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(channel.resize((width, height), Image.Resampling.BOX, box))


def _scale(values: np.ndarray[Any, Any], stored: np.dtype[Any], value_range: Range | None) -> np.ndarray[Any, Any]:
    """`stored` is the dtype in the file: after a change of size the values are floats of the same range."""
    kept = np.float64 if stored == np.float64 else np.float32
    if value_range is not None:
        low, high = value_range
        return ((values.astype(np.float64) - low) / (high - low)).astype(kept)
    own = type_range(stored)
    if own is not None:
        return divided(values, own)
    if stored.kind in "ui":
        return np.array(values, np.float64, order="C")
    return np.array(values, kept, order="C")


def promote(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A gray image H×W as a color image H×W×3; anything else as it is."""
    return np.repeat(values[:, :, None], 3, axis=2) if values.ndim == 2 else values
