"""States written as image files and arrays."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from attrax._base.files import write_atomically
from attrax._base.types import HostStates
from attrax.sources._records import SourceError, reason

# Suffix: Pillow's format, the numbers of channels it holds, and its options.
_FORMATS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    ".png": ("PNG", (1, 2, 3, 4), {}),
    ".tif": ("TIFF", (1, 2, 3, 4), {}),
    ".tiff": ("TIFF", (1, 2, 3, 4), {}),
    ".bmp": ("BMP", (1, 3), {}),
    ".ppm": ("PPM", (1, 3), {}),
    ".webp": ("WEBP", (1, 3, 4), {"lossless": True}),
    ".jpg": ("JPEG", (1, 3), {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", (1, 3), {"quality": 95, "subsampling": 0}),
}
IMAGE_SUFFIXES = tuple(_FORMATS)
"""Suffixes of the image files that `save_images` writes. `.jpg` and `.jpeg` lose a little, the others nothing."""
_LONGEST_STEM = 200
"""Bytes of a file name; file systems take 255, with the suffix and what tells equal names apart."""


def save_images(
    folder: str | os.PathLike[str], values: HostStates, names: Sequence[str], suffix: str = ".png"
) -> list[Path]:
    """Write states as image files of 8 bits, one file a state.

    Values are clipped to [0, 1] and rounded to multiples of 1/255. The folder is created where it is missing; an image
    that is there already is replaced, in one step: no half-written file is ever seen under its name.

    **Arguments:**

    - `folder`: where to write.
    - `values`: n×H×W or n×H×W×C, floats or bools; C is 1 (gray), 2 (gray, alpha), 3 (color) or 4 (color, alpha).
    - `names`: n names. The suffix of a known image format is taken off; what cannot stand in the name of a file
      becomes `_`; of equal names the later ones get a number.
    - `suffix`: one of `IMAGE_SUFFIXES`, which decides the format.

    **Returns** the n paths, in the order of the values.

    **Raises** `ValueError` for values that are not such images, and for a folder or file that cannot be written.

        >>> import tempfile, numpy as np
        >>> from attrax.sources import save_images
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in save_images(folder, np.zeros((2, 4, 4)), ["a", "cat.jpg"])]
        ['a.png', 'cat.png']
    """
    kind = _FORMATS.get(suffix.lower()) if isinstance(suffix, str) else None
    if kind is None:
        raise SourceError(f"suffix must be one of {', '.join(IMAGE_SUFFIXES)}; got {suffix!r}")
    pixels = to_pixels(np.asarray(values), suffix, kind[1])
    if isinstance(names, str) or len(names) != len(pixels) or not all(isinstance(name, str) for name in names):
        raise SourceError(f"names must be {len(pixels)} texts, one for each state; got {names!r}")
    place = ensure_folder(Path(folder))
    paths = [place / file_name for file_name in file_names(names, suffix)]
    for path, image in zip(paths, pixels, strict=True):
        write_beside(path, lambda stream, image=image: Image.fromarray(image).save(stream, kind[0], **kind[2]))
    return paths


def save_array(path: str | os.PathLike[str], values: HostStates) -> Path:
    """Write an array of numbers as a `.npy` or `.npz` file, in one step: no half-written file is ever seen.

    **Arguments:**

    - `path`: the file, ending in `.npy`, or in `.npz` for an archive that holds it as `values`. Its folder is created
      where it is missing; a file that is there is replaced.
    - `values`: real numbers of any shape.

    **Returns** the path.

    **Raises** `ValueError` for anything but real numbers, another suffix, and a file that cannot be written.

        >>> import tempfile, numpy as np
        >>> from attrax.sources import load, save_array
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load(save_array(f"{folder}/states.npy", np.eye(3))).values.shape
        (3, 3)
    """
    target, array = Path(path), np.asarray(values)
    if target.suffix.lower() not in (".npy", ".npz"):
        raise SourceError(f"path must end in .npy or .npz; got {path}")
    if array.dtype.kind not in "buif":
        raise SourceError(f"values must be real numbers; got an array of dtype {array.dtype}")
    ensure_folder(target.parent)
    if target.suffix.lower() == ".npz":
        write_beside(target, lambda stream: np.savez(stream, values=array))
    else:
        write_beside(target, lambda stream: np.lib.format.write_array(stream, array, allow_pickle=False))
    return target


def save_arrays(path: str | os.PathLike[str], **arrays: HostStates) -> Path:
    """Write several arrays as a compressed `.npz` file, in one step. The folder is created where it is missing.

    **Returns** the path. **Raises** `ValueError` for a file that cannot be written.

        >>> import tempfile, numpy as np
        >>> from attrax.sources import save_arrays
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.load(save_arrays(f"{folder}/a.npz", x=np.eye(2)))["x"].shape
        (2, 2)
    """
    target = Path(path)
    ensure_folder(target.parent)
    write_beside(target, lambda stream: np.savez_compressed(stream, allow_pickle=False, **arrays))
    return target


def to_pixels(values: np.ndarray[Any, Any], suffix: str, channels: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Images as bytes, n×H×W or n×H×W×C: clipped, scaled and rounded. **Raises** `SourceError` for anything else."""
    if values.ndim not in (3, 4) or 0 in values.shape[1:]:
        raise SourceError(
            f"values must be images, n×H×W or n×H×W×C; got shape {values.shape}. For one image pass values[None]; "
            "for vectors use save_array"
        )
    if values.dtype.kind not in "bf":
        raise SourceError(
            f"values must be floats in [0, 1]; got dtype {values.dtype}. Divide by the largest value first"
        )
    if values.ndim == 4 and values.shape[3] not in channels:
        allowed = ", ".join(map(str, channels))
        raise SourceError(
            f"values must have {allowed} channels in a {suffix} file; got {values.shape[3]}. "
            "Use .png, or save_array for more than 4"
        )
    if not np.isfinite(values).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise SourceError(f"values must be finite; found {values[bad]} at index {bad}")
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    return np.round(np.clip(values, 0, 1) * np.float64(255)).astype(np.uint8)


def file_names(names: Sequence[str], suffix: str) -> list[str]:
    """The names of the files that `save_images` writes."""
    used: set[str] = set()
    found = []
    for name in names:
        stem, last = os.path.splitext(name)
        stem = stem if last.lower() in (*_FORMATS, ".gif") else name
        # A leading dot would hide the file; separators would leave the folder.
        stem = re.sub(r'[\x00-\x1f/\\:*?"<>|]|^\.', "_", stem) or "_"
        raw = stem.encode("utf-8", "replace")
        if len(raw) > _LONGEST_STEM:  # the beginning and the end, which says what kind of picture it is
            stem = "~".join(part.decode("utf-8", "ignore") for part in (raw[: _LONGEST_STEM - 80], raw[-79:]))
        candidate, count = stem, 1
        # Without regard to case, for some file systems have none.
        while candidate.casefold() in used:
            count += 1
            candidate = f"{stem}-{count}"
        used.add(candidate.casefold())
        found.append(candidate + suffix)
    return found


def ensure_folder(path: Path) -> Path:
    """The folder, created where it is missing. **Raises** `SourceError` where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SourceError(f"{path}: a folder is needed here, but a file stands in its place; name another") from error
    except OSError as error:
        raise SourceError(f"{path}: the folder cannot be created ({reason(error)})") from error
    return path


def write_beside(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Lets `write` fill a file beside `path`, then renames it into place. **Raises** `SourceError` where it cannot."""
    try:
        write_atomically(path, write, sync=False)
    except ValueError as error:
        raise SourceError(str(error)) from error
