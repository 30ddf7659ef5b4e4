"""Image files and folders of them."""

import os
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from attrax.sources._pixels import MAX_PIXELS
from attrax.sources._records import Source, SourceError, reason

# Only formats that Pillow decodes itself: reading some others starts another program (EPS runs Ghostscript).
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "PPM", "TGA", "ICO", "JPEG2000", "PCX")
_GRAY = ("1", "L", "LA", "La")
_BITS_PER_SAMPLE, _SAMPLE_FORMAT = 258, 339  # TIFF tags


def picture(path: Path) -> Source:
    """One image file as a source of one example."""
    return _files([path])


def folder(path: Path) -> Source:
    """The files of a folder as a source, in natural order of their names: `b2` before `B10`.

    Hidden files and subfolders are left out.

    **Raises** `SourceError` for a folder that cannot be listed or holds no files.
    """
    try:
        names = [entry.name for entry in os.scandir(path) if entry.is_file() and not entry.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"{path}: the folder cannot be listed ({reason(error)})") from error
    if not names:
        raise SourceError(
            f"{path}: the folder holds no files (hidden files and subfolders are not looked at); "
            "name a folder that holds the images themselves"
        )
    return _files([path / name for name in sorted(names, key=natural_order)])


def natural_order(name: str) -> tuple[Any, ...]:
    """Sorting key: runs of digits compare as numbers, letters without regard to case."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return ([int(part) if index % 2 else part for index, part in enumerate(parts)], name)


def _files(paths: list[Path]) -> Source:
    return Source(
        kind="images",
        names=tuple(path.name for path in paths),
        place="" if paths[0].parent == Path() else f"{paths[0].parent}{os.sep}",
        item=lambda index: read_picture(paths[index]),
        separate=True,
    )


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def read_picture(path: Path) -> np.ndarray[Any, Any]:
    """The pixels of an image file: the first frame, upright, laid over black where it is transparent.

    **Returns** H×W for gray and H×W×3 for color; uint8, or for gray also uint16, integers of 32 bits or float32,
    as the file has it. 16-bit color is read at 8 bits.

    **Raises** `SourceError` for a file that is not an image, is damaged, or claims more than 100 million pixels.
    """
    # Pillow warns about odd metadata and about sizes below the limit here; neither is the caller's concern.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=_formats()) as image:
                _refuse_bomb(path, image.width * image.height)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return pixels_of(image)
        except SourceError:
            raise
        except Image.DecompressionBombError as error:
            raise SourceError(f"{path}: {reason(error)}") from error
        except Image.UnidentifiedImageError as error:
            raise SourceError(
                f"{path}: not an image in a known format ({', '.join(_formats())}), or damaged at its very beginning. "
                "Convert or remove it, or pass skip_unreadable=True to leave such files out"
            ) from error
        except Exception as error:  # Pillow's decoders raise nearly every type of error on damaged files.
            raise SourceError(
                f"{path}: the image cannot be read ({reason(error)}); it may be truncated or damaged. "
                "Replace or remove it, or pass skip_unreadable=True to leave such files out"
            ) from error


def _refuse_bomb(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise SourceError(
            f"{path}: an image may have at most {MAX_PIXELS:,} pixels; its header claims {pixels:,}. Reduce it first"
        )


def pixels_of(image: Image.Image) -> np.ndarray[Any, Any]:
    """The pixels of a loaded image or frame, in the dtypes of `read_picture`, laid over black where transparent."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if mode == "I":
        return _whole_numbers(image)
    if mode == "F":
        return np.asarray(image)
    if image.has_transparency_data:
        layers = np.asarray(image.convert("LA" if mode in _GRAY else "RGBA")).astype(np.uint16)
        over_black = (layers[:, :, :-1] * layers[:, :, -1:] + 127) // 255
        return np.squeeze(over_black.astype(np.uint8), 2) if mode in _GRAY else over_black.astype(np.uint8)
    return np.asarray(image.convert("L" if mode in _GRAY else "RGB"))


def _whole_numbers(image: Image.Image) -> np.ndarray[Any, Any]:
    """Mode I with the dtype of the file: Pillow reads several widths into 32 bits."""
    values = np.asarray(image)
    if image.format != "TIFF":
        return values.astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    unsigned = tags.get(_SAMPLE_FORMAT, (1,))[0] == 1
    if tags.get(_BITS_PER_SAMPLE, (32,))[0] == 16:
        return values.astype(np.uint16 if unsigned else np.int16)
    return values.astype(np.int32).view(np.uint32) if unsigned else values.astype(np.int32)
