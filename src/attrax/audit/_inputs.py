"""Values of a network's further inputs, as written on the command line."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base.arguments import printable
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular
from attrax.foreign import ForeignError, Value

RATE = 16_000


def input_value(name: str, text: str, value: Value, *, rate: int = RATE) -> np.ndarray:
    """The value of an input from `zeros`, `zeros:1x576`, a number, `tone:HERTZ`, `tone:HERTZ:1x576`, or a `.npy` file.

    A number fills the whole input. A tone is a sine of amplitude 1 along the last axis, at `rate` samples per second.
    The shape may be left out where the file gives it; what it leaves open is 1 then.

    **Raises** `ForeignError` for anything else, and for a shape that does not fit.

        >>> import numpy as np
        >>> input_value("rate", "16000", Value((), np.dtype(np.int64))).tolist()
        16000
    """
    dtype = np.dtype(np.float32) if value.dtype is None else value.dtype
    kind, _, rest = text.partition(":")
    if kind in ("zeros", "tone"):
        pitch, _, sides = rest.partition(":") if kind == "tone" else ("0", "", rest)
        shape = _shape(name, sides, value)
        if kind == "zeros":
            return np.zeros(shape, dtype)
        hertz = _number(pitch)
        if hertz is None or not shape or dtype.kind != "f":
            raise ForeignError(f"{_called(name)} can't be a tone; write tone:HERTZ:SHAPE, such as tone:200:1x576")
        return np.broadcast_to(np.sin(2 * np.pi * hertz * np.arange(shape[-1]) / rate), shape).astype(dtype)
    number = _number(text)
    if number is not None:
        if dtype.kind in "iu" and number != int(number):
            raise ForeignError(f"{_called(name)} holds whole numbers; got {text}")
        if dtype.kind in "iuf" and not _holds(dtype, number):
            raise ForeignError(f"{_called(name)} holds {dtype}, which is too small for {printable(text, 60)}")
        return np.full(_shape(name, "", value), number, dtype)
    if Path(text).suffix == ".npy":
        return _from_file(text, dtype)
    raise ForeignError(
        f"{_called(name)} must be zeros:SHAPE, a number, tone:HERTZ:SHAPE or a .npy file; got {printable(text, 60)!r}"
    )


def input_cycle(name: str, text: str, value: Value, *, rate: int = RATE) -> np.ndarray:
    """Values of an input that follow one another again and again, from a `.npy` file or `tone:HERTZ:SHAPE:STEPS`.

    The first axis of the file counts the steps. A tone goes on from step to step, for STEPS of them.

    **Returns:** steps×the shape of the input. **Raises** `ForeignError` for anything else, and for a shape that does
    not fit.

        >>> import numpy as np
        >>> sound = Value((1, None), np.dtype(np.float32))
        >>> input_cycle("sound", "tone:4000:1x2:2", sound, rate=16_000).round(6).tolist()
        [[[0.0, 1.0]], [[0.0, -1.0]]]
    """
    kind, _, rest = text.partition(":")
    if kind == "tone":
        pitch, _, sides = rest.partition(":")
        sides, _, count = sides.rpartition(":")
        if not (count.isascii() and count.isdigit() and 0 < int(count) < 10**9 and sides):
            raise ForeignError(f"{_called(name)}: a tone in a cycle is written as tone:HERTZ:SHAPE:STEPS; got {text!r}")
        shape = _shape(name, sides, value)
        longer = "x".join(map(str, (*shape[:-1], shape[-1] * int(count))))
        sound = input_value(name, f"tone:{pitch}:{longer}", Value(None, value.dtype), rate=rate)
        return np.moveaxis(sound.reshape(*shape[:-1], int(count), shape[-1]), -2, 0)
    if Path(text).suffix != ".npy":
        raise ForeignError(
            f"{_called(name)}: a cycle is a .npy file or tone:HERTZ:SHAPE:STEPS; got {printable(text, 60)!r}"
        )
    found = _from_file(text, np.dtype(np.float32) if value.dtype is None else value.dtype)
    known = value.shape
    if found.ndim == 0 or not len(found):
        raise ForeignError(f"{_called(name)}: the first axis of {printable(text, 200)} must count the steps")
    if known is not None and (
        len(known) != found.ndim - 1 or any(a not in (None, b) for a, b in zip(known, found.shape[1:], strict=True))
    ):
        raise ForeignError(
            f"{_called(name)} has the shape {known}, so its cycle is steps × that; {printable(text, 200)} holds "
            f"{found.shape}"
        )
    return found


def _from_file(path: str, dtype: np.dtype[Any]) -> np.ndarray:
    try:
        check_regular(path)
        # A memory map compares the header with the size of the file, and reads nothing yet.
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ForeignError(f"{printable(path, 200)} is not a readable .npy file: {printable(str(why), 200)}") from None
    if found.dtype.kind not in "fiub":
        raise ForeignError(f"{printable(path, 200)} must hold numbers; it holds {found.dtype}")
    refuse_beyond_memory(
        f"the array in {printable(path, 200)}", 8 * found.size, "use a smaller one", error=ForeignError
    )
    if not np.isfinite(found).all():
        raise ForeignError(f"{printable(path, 200)} must hold finite numbers; it holds NaN or an infinity")
    with np.errstate(all="ignore"):
        made = np.asarray(found, dtype)
    if not np.isfinite(made).all() or (dtype.kind in "iub" and not np.array_equal(made, found)):
        raise ForeignError(f"{printable(path, 200)} holds numbers that {dtype} can't; change them, or their type")
    return made


def _holds(dtype: np.dtype[Any], number: float) -> bool:
    """Whether a number is within the range of a type."""
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return bool(float(limits.min) <= number <= float(limits.max))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _shape(name: str, text: str, value: Value) -> tuple[int, ...]:
    if not text:
        if value.shape is None:
            raise ForeignError(f"{_called(name)} has no shape in the file; write it, such as zeros:1x576")
        sides = tuple(1 if side is None else side for side in value.shape)
    else:
        parts = text.lower().split("x")
        if not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
            raise ForeignError(f"{_called(name)}: a shape is written as 1x576; got {printable(text, 60)!r}")
        sides = tuple(int(part) for part in parts)
    size = 8
    for side in sides:
        size *= side
    refuse_beyond_memory(f"{_called(name)} of shape {sides}", size, "write a smaller shape", error=ForeignError)
    return sides


def _called(name: str) -> str:
    return f"the input {printable(name, 60)!r}"
