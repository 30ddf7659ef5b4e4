"""Films in files: frames out of them, and frames into them."""

import math
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import available_memory
from attrax._base.types import HostStates
from attrax.sources._clips import Clip, Written, refuse_too_large
from attrax.sources._pictures import ANIMATED, ANIMATED_SUFFIXES, pages, pixels_of, without_equal_channels
from attrax.sources._pixels import MAX_PIXELS, prepare, promote
from attrax.sources._records import SourceError, reason
from attrax.sources._save import ensure_folder, to_pixels, write_beside
from attrax.sources._timing import Frame, Taken, take

# Only containers that hold their media themselves: playlists and scripts may name any other file.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flv,asf,wav,w64,aiff,flac,mp3,aac"
VIDEO_SUFFIXES = (
    ".mp4",
    ".m4v",
    ".mov",
    ".mkv",
    ".webm",
    ".avi",
    ".mpg",
    ".mpeg",
    ".ts",
    ".ogv",
    ".flv",
    ".wmv",
    ".gif",
)
"""Suffixes of the films that are read."""

_MOST_FPS = 1000.0
_GIF_FPS = 50.0  # Players show a frame of less than 2/100 s for 10/100 s.
_GIF_DEFAULT = 0.1  # seconds of a frame that gives no time, as players have it
_CRF = "12"  # H.264's constant rate factor: 0 loses nothing, 23 is usual
_BT709_CODE = 1  # its code for matrix, primaries and transfer in H.264; as a range the same number means 16 to 235


def read_video(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    fit: str = "squash",
    gray: bool = False,
    fps: float | None = None,
    start: float = 0.0,
    duration: float | None = None,
) -> Clip:
    """The frames of a film; see `load_sequence`."""

    available = available_memory()

    def convert(raw: np.ndarray[Any, Any], taken: int) -> np.ndarray[Any, Any]:
        value = prepare(raw, str(path), size=size, gray=gray, image=True, fit=fit)
        remedy = f"give a {mention('size')}, a {mention('duration')}, fewer {mention('fps')} or {mention('gray')}"
        refuse_too_large(str(path), taken + 1, value, remedy, available)
        return value

    options: dict[str, Any] = {"start": start, "duration": duration, "fps": fps}
    animation = path.suffix.lower() in ANIMATED_SUFFIXES
    taken, average = _animation(path, convert, options) if animation else _film(path, convert, options)
    frames = taken.values
    if any(value.ndim == 3 for value in frames):  # a GIF may have gray frames beside colored ones
        frames = [promote(value) for value in frames]
    if len({value.shape for value in frames}) > 1:
        raise SourceError(
            f"{path}: the size of the picture changes in the film; give {mention('size', '(height, width)', 'HxW')}"
        )
    rate = fps or _rate(len(frames), taken.span, average)
    names = tuple(f"{path.name}[{time:.3f}s]" for time in taken.times)
    return Clip(np.stack(frames), "video", names, fps=rate)


def save_video(path: str | os.PathLike[str], values: HostStates, fps: float) -> Written:
    """Write frames as a film, `.mp4` or `.gif`, in one step: no half-written file is ever seen under its name.

    Values are clipped to [0, 1] and rounded to multiples of 1/255. `.mp4` is H.264 with halved color resolution
    (yuv420p, BT.709), which all players show; it loses a little. H.264 of this kind needs even sides: where one is
    odd, its last row or column is written twice, and the notes say so. `.gif` holds gray frames exactly; colored ones
    are reduced to 256 colors a frame. It counts time in 1/100 s: the frames' beginnings are rounded to that. Equal
    neighboring frames become one that stays longer.

    **Arguments:**

    - `path`: the file. Its folder is created where it is missing; a file that is there is replaced.
    - `values`: T×H×W (gray) or T×H×W×3, floats.
    - `fps`: frames per second, above 0, at most 1000, in a GIF at most 50.

    **Returns** `Written`: the path, and notes on what was changed.

    **Raises** `ValueError` for values that are not such frames, another suffix, other `fps`, and a file that cannot be
    written.

        >>> import tempfile, numpy as np
        >>> from attrax.sources import save_video
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_video(f"{folder}/film.mp4", np.zeros((5, 31, 32)), 25).notes
        ('the last row was written twice, for H.264 needs even sides: the file is 32×32',)
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".mp4", ".gif"):
        raise SourceError(f"path must end in .mp4 or .gif; got {path}")
    fps = checks.real("fps", fps, above=0, most=_GIF_FPS if suffix == ".gif" else _MOST_FPS)
    array = np.asarray(values)
    pixels = to_pixels(array, suffix, (1, 3))
    if not len(pixels):
        raise SourceError("values must be at least one frame; got none")
    notes = clipping_note(array, 0, 1)
    ensure_folder(target.parent)
    if suffix == ".gif":
        write_beside(target, lambda stream: _encode_gif(stream, pixels, fps))
        return Written(target, notes)
    even, note = _evened(pixels)
    write_beside(target, lambda stream: _encode_mp4(stream, even, fps))
    return Written(target, notes + note)


def clipping_note(values: np.ndarray[Any, Any], least: float, most: float) -> tuple[str, ...]:
    """A note on how many values lie outside `[least, most]`, if any do."""
    outside = np.count_nonzero((values < least) | (values > most))
    return (f"{outside:,} of {values.size:,} values were clipped to [{least}, {most}]",) if outside else ()


def _film(path: Path, convert: Any, options: dict[str, Any]) -> tuple[Taken, float | None]:
    import av  # imported here, for it loads FFmpeg

    try:
        # A stream and not a name, which FFmpeg might take for an address.
        with path.open("rb") as stream, av.open(stream, "r", options={"format_whitelist": FORMATS}) as container:
            track = _moving(container, path)
            if track.width * track.height > MAX_PIXELS:
                raise SourceError(
                    f"{path}: a frame may have at most {MAX_PIXELS:,} pixels; {track.width}×{track.height}"
                )
            # Without this, what is damaged is painted over.
            track.codec_context.options = {"err_detect": "explode"}
            average = track.average_rate or track.guessed_rate
            average = float(average) if average else None
            taken = take(
                _decoded(container, track, average, path), lambda f, n: convert(_upright(f), n), str(path), **options
            )
            claimed, own = _claimed(container, track)
        if (
            taken.end is not None
            and claimed is not None
            and taken.end < claimed - _slack(average)
            # Where only the whole file says how long it is, another stream may be longer than the picture.
            and (own or _last(path) < claimed - _slack(average))
        ):
            raise SourceError(
                f"{path}: only {taken.end:.6g} of its {claimed:.6g} s can be read; the file is truncated or damaged. "
                f"Replace it, or take a {mention('duration')} within what is there"
            )
        return taken, average
    except SourceError:
        raise
    except MemoryError as error:
        raise SourceError(
            f"{path}: there is not enough memory to read it; give {mention('size')} or {mention('duration')}"
        ) from error
    except Exception as error:  # FFmpeg's errors are of many types.
        raise unreadable(path, error) from error


def unreadable(path: Path, error: BaseException) -> SourceError:
    """What to say where FFmpeg gave up on a file."""
    text = reason(error)
    if isinstance(error, OSError) and error.filename not in (None, "<none>"):
        return SourceError(f"{path}: the file cannot be read ({text})")
    return SourceError(
        f"{path}: the file cannot be read ({text}); it is of a kind that is not known here, truncated or damaged. "
        "Convert it, for example to .mp4 or .wav, or replace it"
    )


def _decoded(container: Any, track: Any, average: float | None, path: Path) -> Iterator[Frame]:
    """All frames, with times from the first one on."""
    usual = 1 / average if average else 0.04
    origin, time = None, 0.0
    for number, frame in enumerate(container.decode(track)):
        if frame.is_corrupt:
            raise SourceError(f"{path}: frame {number} is damaged. Replace the file")
        begins = number * usual if frame.time is None else frame.time
        origin = begins if origin is None else origin
        time = max(time, begins - origin)
        stays = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual
        yield time, stays, frame


def _moving(container: Any, path: Path) -> Any:
    """The stream of pictures that is the film: the first one that is no cover."""
    from av.stream import Disposition

    covers = [track for track in container.streams.video if track.disposition & Disposition.attached_pic]
    films = [track for track in container.streams.video if track not in covers]
    if not films:
        found = "only a cover picture" if covers else "no picture"
        raise SourceError(f"{path}: there is {found} in this file; name a film")
    return films[0]


def _upright(frame: Any) -> np.ndarray[Any, Any]:
    """The pixels of a decoded frame, turned and mirrored as the file says it is to be shown."""
    gray = frame.format.name.startswith("gray") or frame.format.name.startswith("mono")
    pixels = frame.to_ndarray(format="gray" if gray else "rgb24")
    matrix = next((bytes(data) for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    return pixels if matrix is None else _shown_by(matrix, pixels)


def _shown_by(matrix: bytes, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The picture by a display matrix: where it takes the axis to the right and the one downward, to quarter turns."""
    right_right, right_down, _, down_right, down_down = struct.unpack("=9i", matrix[:36])[:5]
    if abs(right_right) + abs(down_down) < abs(right_down) + abs(down_right):
        pixels = pixels.swapaxes(0, 1)
        right_right, down_down = down_right, right_down
    return pixels[:: -1 if down_down < 0 else 1, :: -1 if right_right < 0 else 1]


def _claimed(container: Any, track: Any) -> tuple[float | None, bool]:
    """Seconds that the picture lasts according to the header, `None` where it does not say; and whether the picture's
    own entry says so, or one of the whole file."""
    if track.duration:
        return float(track.duration * track.time_base), "mp4" in container.format.name
    text = track.metadata.get("DURATION")  # Matroska and WebM, as hours:minutes:seconds
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except (AttributeError, ValueError):
        return None, True
    # There it is the time at which the last frame ends, however late the first one begins.
    begins = float(track.start_time * track.time_base) if track.start_time else 0.0
    return 3600 * hours + 60 * minutes + seconds - begins, True


def _slack(average: float | None) -> float:
    """Headers may be off by a frame or two, by rounding and by frames that only prepare others."""
    return max(0.1, 2.5 / average if average else 0.1)


def _last(path: Path) -> float:
    """Seconds from the first to the end of the last packet of any stream."""
    import av

    begin, end = math.inf, 0.0
    with path.open("rb") as stream, av.open(stream, "r", options={"format_whitelist": FORMATS}) as container:
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                time = float(packet.pts * packet.time_base)
                begin, end = min(begin, time), max(end, time + float((packet.duration or 0) * packet.time_base))
    return end - begin


def _rate(count: int, span: float, average: float | None) -> float:
    """The film's own rate if the frames taken keep it; otherwise theirs."""
    if average and (span <= 0 or abs(span * average - count) < 0.6):
        return average
    return count / span


def _animation(path: Path, convert: Any, options: dict[str, Any]) -> tuple[Taken, float | None]:
    """By Pillow, so that palettes and transparency are as in `load`; both it and FFmpeg give the times of the file."""
    try:
        with Image.open(path, formats=ANIMATED) as image:
            if image.width * image.height > MAX_PIXELS:
                raise SourceError(
                    f"{path}: a frame may have at most {MAX_PIXELS:,} pixels; {image.width}×{image.height}"
                )
            return take(_shown(image, pages(path)), convert, str(path), **options), None
    except SourceError:
        raise
    except Image.UnidentifiedImageError as error:
        raise SourceError(f"{path}: not an animation, or damaged at its very beginning. Replace it") from error
    except Exception as error:  # Pillow's decoders raise nearly every type of error on damaged files.
        raise unreadable(path, error) from error


def _shown(image: Image.Image, frames: tuple[int, ...]) -> Iterator[Frame]:
    time = 0.0
    for number in frames:
        image.seek(number)
        image.load()  # before which a WebP does not say how long its frame stays
        stays = (image.info.get("duration") or 0) / 1000 or _GIF_DEFAULT
        yield time, stays, without_equal_channels(pixels_of(ImageOps.exif_transpose(image)))
        time += stays


def _evened(pixels: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    height, width = pixels.shape[1:3]
    rows, columns = height % 2, width % 2
    if not (rows or columns):
        return pixels, ()
    edges = [(0, 0), (0, rows), (0, columns), (0, 0)][: pixels.ndim]
    which = " and ".join(name for name, odd in (("row", rows), ("column", columns)) if odd)
    verb = "were" if rows and columns else "was"
    note = f"the last {which} {verb} written twice, for H.264 needs even sides: the file is"
    return np.pad(pixels, edges, mode="edge"), (f"{note} {height + rows}×{width + columns}",)


def _encode_mp4(stream: IO[bytes], pixels: np.ndarray[Any, Any], fps: float) -> None:
    import av

    with av.open(stream, "w", format="mp4") as container:
        # An exact ratio, so that 29.97 frames per second become 30000/1001 again.
        track = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(100_000), options={"crf": _CRF})
        track.height, track.width, track.pix_fmt = pixels.shape[1], pixels.shape[2], "yuv420p"
        context = track.codec_context
        # Said in the file, or each player guesses another matrix by the size.
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = _BT709_CODE
        for image in pixels:
            color = np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(color), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            container.mux(track.encode(frame))
        container.mux(track.encode())


def _encode_gif(stream: IO[bytes], pixels: np.ndarray[Any, Any], fps: float) -> None:
    begins = np.round(np.arange(len(pixels) + 1) * (100 / fps)).astype(int)
    stays = (10 * np.diff(begins)).tolist()  # Pillow wants milliseconds
    first, *rest = (Image.fromarray(image) for image in pixels)
    first.save(stream, "GIF", save_all=True, append_images=rest, duration=stays, loop=0)
