"""From the numbers of a file to states: gray, size, scale."""

from typing import Any

import numpy as np
from PIL import Image

from attrax.sources._records import SourceError

# ITU-R 601 luma, as in Pillow's mode L.
_LUMA = np.array([0.299, 0.587, 0.114])

MAX_PIXELS = 100_000_000


def prepare(
    raw: np.ndarray[Any, Any], label: str, *, size: tuple[int, int] | None, gray: bool, image: bool
) -> np.ndarray[Any, Any]:
    """One example as floats, in memory of its own.

    **Arguments:**

    - `raw`: H×W or H×W×C of an image, or a vector; bool, integer or float.
    - `label`: the example's name in messages.
    - `size`: height and width to bring an image to, or `None` to leave it.
    - `gray`: one channel instead of three.
    - `image`: whether `raw` is an image; vectors know neither size nor gray.

    **Returns** float32, or float64 where `raw` is; a single channel has no axis of its own.

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
                values = _resize(values, size)
            _refuse_nonfinite(values, label)
    return _scale(values, raw.dtype)


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
            f"{label}: gray needs images of 1 or 3 channels; these have {values.shape[2]}. "
            "Drop the other channels first, or leave gray off"
        )
    if values.dtype == np.uint8:
        # Pillow's own rounding, so that a file and an array of its pixels give the same gray.
        return np.asarray(Image.fromarray(np.ascontiguousarray(values)).convert("L"))
    return values @ _LUMA


def _resize(values: np.ndarray[Any, Any], size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Means over boxes: without overshoot, so that what lay in [0, 1] stays there."""
    if values.ndim == 3:
        return np.stack([_resize(values[:, :, c], size) for c in range(values.shape[2])], axis=2)
    height, width = size
    channel = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(channel.resize((width, height), Image.Resampling.BOX))


def _scale(values: np.ndarray[Any, Any], stored: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """`stored` is the dtype in the file: after a change of size the values are floats of the same range."""
    if stored.kind in "ui":
        dtype, largest = np.float32, np.iinfo(stored).max
        if stored.itemsize > 2:
            # Beyond 24 bits float32 no longer holds the integer itself.
            values = values.astype(np.float64)
        return (values / largest).astype(dtype)
    return np.array(values, np.float64 if stored == np.float64 else np.float32, order="C")


def promote(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A gray image H×W as a color image H×W×3; anything else as it is."""
    return np.repeat(values[:, :, None], 3, axis=2) if values.ndim == 2 else values
