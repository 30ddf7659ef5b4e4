"""Image files and folders of them; of files with several pages or frames, each of these."""

import os
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from attrax._base.budget import refuse_beyond_memory
from attrax.sources._folders import files_in
from attrax.sources._pixels import MAX_PIXELS
from attrax.sources._records import Source, SourceError, reason

# Only formats that Pillow decodes itself: reading some others starts another program (EPS runs Ghostscript).
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "PPM", "TGA", "ICO", "JPEG2000", "PCX")
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""Formats whose several pictures are frames in time; those of a TIFF are pages."""
ANIMATED_SUFFIXES = (".gif", ".webp", ".png", ".apng", ".avif")
PICTURE_SUFFIXES = (
    *ANIMATED_SUFFIXES,
    ".jpg",
    ".jpeg",
    ".bmp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".tga",
    ".jp2",
    ".pcx",
)
_COLORLESS = ("GIF", "WEBP")  # formats or readers that know color only, whose frames are gray where they look so
_GRAY = ("1", "L", "LA", "La")
# TIFF tags
_BITS_PER_SAMPLE, _BLACK_OR_WHITE, _PLANES, _SAMPLE_FORMAT, _SUBFILE = 258, 262, 284, 339, 254
_REDUCED_OR_MASK = 1 | 4  # a page that is a preview or a mask of another one
_HEAD = 65_536  # bytes; what says that a PNG moves stands before its pixels
_PIXEL = 32  # bytes of a pixel on its way from bytes to floats
_MOST_IN_FILE = 100 * MAX_PIXELS


def picture(path: Path) -> Source:
    """One image file as a source of one example, or of as many as it has pages or frames."""
    return _files(path.parent, [Path(path.name)], (), labels=False)


def folder(path: Path, *, recursive: bool = True) -> Source:
    """The files of a folder and of those in it as a source, in natural order of their names: `b2` before `B10`.

    The folder in the folder is the label of an example.

    **Raises** `SourceError` for a folder that cannot be listed or holds no files.
    """
    found, notes = files_in(path, recursive=recursive)
    return _files(path, found, notes, labels=any(len(one.parts) > 1 for one in found))


def _files(place: Path, paths: list[Path], notes: tuple[str, ...], *, labels: bool) -> Source:
    items: list[tuple[Path, int, int]] = []
    names, classes = [], []
    for path in paths:
        found = pages(place / path)
        for number, page in enumerate(found):
            items.append((place / path, page, len(found)))
            names.append(path.as_posix() if len(found) == 1 else f"{path.as_posix()}[{number}]")
            classes.append(path.parts[0] if len(path.parts) > 1 else "")
    return Source(
        kind="images",
        names=tuple(names),
        place="" if place == Path() else f"{place}{os.sep}",
        item=_reader(items),
        separate=True,
        labels=tuple(classes) if labels else (),
        notes=notes,
    )


def _reader(items: list[tuple[Path, int, int]]) -> Callable[[int], np.ndarray[Any, Any]]:
    """From a position to its pixels. A file with several pages stays open from one of them to the next."""
    current: tuple[Path, Generator[Any, int, None]] | None = None

    def item(index: int) -> np.ndarray[Any, Any]:
        nonlocal current
        path, page, count = items[index]
        if count == 1:
            return read_picture(path)
        if current is None or current[0] != path:
            if current is not None:
                current[1].close()
            current = path, _opened(path)
            next(current[1])
        try:
            return current[1].send(page)
        except Exception as error:  # decoders raise errors of many kinds
            current = None  # nothing more comes from a generator that raised
            raise _unreadable(path, error) from error

    return item


def _opened(path: Path) -> Generator[Any, int, None]:
    """Takes numbers of pages, gives pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(path, formats=_formats())
    with image:
        colorless = image.format in _COLORLESS
        pixels = None
        while True:
            page = yield pixels
            # Not around the `yield`, for that would silence the warnings of others.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image.seek(page)
                _refuse_bomb(path, image.width * image.height)
                stored = _stored(path, image)
                image.load()
                pixels = pixels_of(ImageOps.exif_transpose(image), stored)
            pixels = without_equal_channels(pixels) if colorless else pixels


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def pages(path: Path) -> tuple[int, ...]:
    """The numbers of the pages or frames of a file; one that cannot be read has one, for its reader to say why.

    Left out are the previews and masks among the pages of a TIFF, and of an animated PNG the picture for those who
    cannot show it. **Raises** `SourceError` where all of them have more pixels than could be meant.
    """
    if not _may_have_several(path):
        return (0,)
    try:
        _refuse_heavy(path)
    except SourceError:
        return (0,)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_formats()) as image:
                count = int(getattr(image, "n_frames", 1))
                _refuse_flood(path, count, image.width * image.height)
                found = range(1 if image.info.get("default_image") and count > 1 else 0, count)
                return tuple(found) if image.format != "TIFF" else _whole_pages(image, found)
    except SourceError:
        raise
    except Exception:  # Pillow's readers raise nearly every type of error on damaged files.
        return (0,)


def moves(path: Path) -> bool:
    """Whether a file is an animation: frames in time, not pages."""
    if path.suffix.lower() not in ANIMATED_SUFFIXES or not path.is_file():
        return False
    return len(pages(path)) > 1


def _whole_pages(image: Any, found: range) -> tuple[int, ...]:
    whole = []
    for page in found:
        image.seek(page)
        if not int(image.tag_v2.get(_SUBFILE, 0)) & _REDUCED_OR_MASK:
            whole.append(page)
    return tuple(whole) or (0,)


def _may_have_several(path: Path) -> bool:
    """By the first bytes, as most files of a large folder are plain pictures."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    if head.startswith(b"\x89PNG"):
        return b"acTL" in head
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        return bool(head[20] & 2) if len(head) > 20 else False
    return head.startswith((b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")) or head[4:12] == b"ftypavis"


def read_picture(path: Path) -> np.ndarray[Any, Any]:
    """The pixels of an image file: the first frame, upright, laid over black where it is transparent.

    **Returns** H×W for gray and H×W×3 for color; uint8, or for gray also other integers of up to 32 bits or
    float32, as the file has it. 16-bit color is read at 8 bits.

    **Raises** `SourceError` for a file that is not an image, is damaged, or claims more than 100 million pixels.
    """
    # Pillow warns about odd metadata and about sizes below the limit here; neither is the caller's concern.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _refuse_heavy(path)
            with Image.open(path, formats=_formats()) as image:
                _refuse_bomb(path, image.width * image.height)
                stored = _stored(path, image)
                image.load()
                return pixels_of(ImageOps.exif_transpose(image), stored)
        except Exception as error:  # Pillow's decoders raise nearly every type of error on damaged files.
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    if isinstance(error, SourceError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        return SourceError(f"{path}: an image may have at most {MAX_PIXELS:,} pixels. {reason(error)}. Reduce it first")
    if isinstance(error, Image.UnidentifiedImageError):
        return SourceError(
            f"{path}: not an image in a known format ({', '.join(_formats())}), or damaged at its very beginning. "
            "Convert or remove it"
        )
    return SourceError(
        f"{path}: the image cannot be read ({reason(error)}); it may be truncated or damaged. Replace or remove it"
    )


def _refuse_heavy(path: Path) -> None:
    """Some of Pillow's readers take in the whole file, or look through it for a picture."""
    if path.is_file():
        refuse_beyond_memory(str(path), 2 * path.stat().st_size, "reduce or remove it", error=SourceError)


def _refuse_bomb(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise SourceError(
            f"{path}: an image may have at most {MAX_PIXELS:,} pixels; its header claims {pixels:,}. Reduce it first"
        )
    refuse_beyond_memory(f"{path}: {pixels:,} pixels", _PIXEL * pixels, "reduce the image first", error=SourceError)


def _refuse_flood(path: Path, count: int, pixels: int) -> None:
    if count * pixels > _MOST_IN_FILE:
        raise SourceError(
            f"{path}: the pictures in one file may have at most {_MOST_IN_FILE:,} pixels together; its {count:,} have "
            f"{count * pixels:,}. Reduce them or split the file first"
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file says of its numbers, and Pillow's modes do not.

    **Fields:** `deep`, whether a channel has 16 bits, of which color keeps 8; `gray`, whether it is gray with
    transparency; `whole`, the dtype of whole numbers; `inverted`, whether the largest number is black and Pillow leaves
    it so.
    """

    deep: bool = False
    gray: bool = False
    whole: str = "u2"
    inverted: bool = False


def _stored(path: Path, image: Image.Image) -> Stored:
    """Of a file that is not loaded yet. **Raises** `SourceError` where Pillow would read other numbers."""
    parts = [tile[3] for tile in getattr(image, "tile", ())]
    layouts = [str(part[0] if isinstance(part, tuple) and part else part) for part in parts]
    deep, gray = any("16" in str(part) for part in parts), any(layout.startswith("LA") for layout in layouts)
    if image.format != "TIFF":
        return Stored(deep, gray)
    tags: Any = getattr(image, "tag_v2", {})
    bits, signed = tags.get(_BITS_PER_SAMPLE, (1,))[0], tags.get(_SAMPLE_FORMAT, (1,))[0] == 2
    if tags.get(_PLANES) == 2 and bits > 8:
        raise SourceError(
            f"{path}: {bits}-bit numbers in planes, one after another, cannot be read. Save the image with its "
            "channels interleaved, or with 8 bits"
        )
    inverted = tags.get(_BLACK_OR_WHITE) == 0 and not any(layout.endswith(";I") for layout in layouts)
    return Stored(deep, gray, f"{'i' if signed else 'u'}{max(bits // 8, 1)}", inverted)


def pixels_of(image: Image.Image, stored: Stored | None = None) -> np.ndarray[Any, Any]:
    """The pixels of a loaded image or frame, in the dtypes of `read_picture`, laid over black where transparent."""
    stored = stored or Stored()
    mode, clear = image.mode, image.info.get("transparency")
    if mode.startswith("I;16") or mode == "I":
        # Pillow reads several widths into 32 bits.
        values = np.asarray(image).astype(stored.whole)
        if stored.inverted and values.dtype == np.uint16:
            values = 65535 - values
        return np.where(values == clear, 0, values).astype(values.dtype) if isinstance(clear, int) else values
    if mode == "F":
        return np.asarray(image)
    if mode == "L" and stored.whole == "i1":
        return np.asarray(image).view(np.int8)
    if stored.deep and mode == "RGB" and isinstance(clear, tuple):
        # Of its 16 bits the upper 8 were read, and by these the color is found.
        values = np.asarray(image).copy()
        values[(values == [part >> 8 for part in clear]).all(axis=2)] = 0
        return values
    gray = mode in _GRAY or stored.gray
    if image.has_transparency_data:
        layers = np.asarray(image.convert("LA" if mode in _GRAY else "RGBA")).astype(np.uint16)
        over_black = ((layers[:, :, :-1] * layers[:, :, -1:] + 127) // 255).astype(np.uint8)
        return over_black[:, :, 0] if gray else over_black
    return np.asarray(image.convert("L" if gray else "RGB"))


def without_equal_channels(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Some formats know palettes or color only, and Pillow makes color of them: gray is what looks gray."""
    if pixels.ndim == 3 and (pixels == pixels[:, :, :1]).all():
        return np.ascontiguousarray(pixels[:, :, 0])
    return pixels
