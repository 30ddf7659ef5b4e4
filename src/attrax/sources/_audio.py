"""Sound in files: states of so many seconds out of it, and back into it."""

import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import available_memory, refuse_beyond_memory
from attrax._base.types import HostStates
from attrax.sources._clips import Clip, Written
from attrax.sources._records import SourceError
from attrax.sources._save import ensure_folder, write_beside
from attrax.sources._video import FORMATS, clipping_note, unreadable

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac")
"""Suffixes of the sounds that are read."""

_MOST_RATE = 768_000
_LOUDEST = 1 - 2**-15  # the largest value that 16 bits hold
_LONGEST_WAV = 2**32 - 1024  # bytes: its sizes are numbers of 32 bits


def read_audio(
    path: Path,
    *,
    hop: float = 1.0,
    rate: int | None = None,
    mono: bool = False,
    start: float = 0.0,
    duration: float | None = None,
) -> Clip:
    """The sound of a file in states of `hop` seconds; see `load_sequence`."""
    # A second more than asked for, so that its end is resampled as if there were no end.
    most = None if duration is None else start + duration + 1.0
    samples, own_rate = _decoded(path, most)
    if mono:
        samples = samples.mean(axis=1, keepdims=True)
    elif samples.shape[1] > 2:
        raise SourceError(
            f"{path}: sound of 1 or 2 channels is read; this has {samples.shape[1]}. Give {mention('mono', 'True')}"
        )
    rate = own_rate if rate is None else rate
    if rate != own_rate:
        from scipy.signal import resample_poly  # takes a second to import

        common = math.gcd(rate, own_rate)
        samples = resample_poly(samples, rate // common, own_rate // common, axis=0)
    begin, length = round(start * rate), len(samples)
    if begin >= length:
        raise SourceError(f"{path}: {mention('start')} must lie within its {length / rate:.6g} s; got {start:g}")
    end = length if duration is None else round((start + duration) * rate)
    if end > length:
        raise SourceError(
            f"{path}: {mention('start')} + {mention('duration')} must be at most its "
            f"{length / rate:.6g} s; got {start:g} + {duration:g}. "
            f"Leave {mention('duration')} out to read to the end"
        )
    each = round(hop * rate)
    if each < 1:
        raise SourceError(f"{mention('hop')} must be at least one sample, 1/{rate} s; got {hop:g}")
    count, left = divmod(end - begin, each)
    if not count:
        raise SourceError(
            f"{path}: one state of {each / rate:g} s is longer than the {(end - begin) / rate:.6g} s that are there; "
            f"give a shorter {mention('hop')}"
        )
    notes = (f"the last {left / rate:.6g} s, less than one state, were left out",) if left else ()
    values = samples[begin : begin + count * each].astype(np.float32).reshape(count, each, -1)
    names = tuple(f"{path.name}[{(begin + index * each) / rate:.3f}s]" for index in range(count))
    values = np.ascontiguousarray(values[:, :, 0] if values.shape[2] == 1 else values)
    return Clip(values, "audio", names, rate=rate, hop=each / rate, notes=notes)


def save_audio(path: str | os.PathLike[str], values: HostStates, rate: int, *, dtype: str = "int16") -> Written:
    """Write states of sound, one after another, as a `.wav` file, in one step: no half-written file is ever seen.

    **Arguments:**

    - `path`: the file. Its folder is created where it is missing; a file that is there is replaced.
    - `values`: T×samples, or T×samples×2 for stereo; floats, of which 1 is the loudest.
    - `rate`: samples per second, from 1 to 768,000.
    - `dtype`: `"int16"`, which every player reads: clipped to [−1, 1 − 2⁻¹⁵] and rounded to multiples of 2⁻¹⁵; or
      `"float32"`, which clips and rounds nothing that float32 holds.

    **Returns** `Written`: the path, and notes on what was changed.

    **Raises** `ValueError` for values that are not such states, another suffix, and a file that cannot be written.

        >>> import tempfile, numpy as np
        >>> from attrax.sources import load_sequence, save_audio
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_audio(f"{folder}/a.wav", np.full((3, 100), 0.25), rate=100).path
        ...     clip = load_sequence(path, hop=1.5)
        >>> clip.values.shape, float(clip.values[0, 0]), clip.rate, clip.hop
        ((2, 150), 0.25, 100, 1.5)
    """
    target, array = Path(path), np.asarray(values)
    if target.suffix.lower() != ".wav":
        raise SourceError(f"path must end in .wav; got {path}")
    rate = checks.integer("rate", rate, least=1, most=_MOST_RATE)
    checks.one_of("dtype", dtype, ("int16", "float32"))
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 2) or 0 in array.shape:
        raise SourceError(f"values must be sound, T×samples or T×samples×2; got shape {array.shape}")
    if array.dtype.kind != "f":
        raise SourceError(
            f"values must be floats in [-1, 1]; got dtype {array.dtype}. Divide by the largest value first"
        )
    if not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SourceError(f"values must be finite; found {array[bad]} at index {bad}")
    channels = 2 if array.ndim == 3 else 1
    notes: tuple[str, ...] = ()
    if dtype == "int16":
        # 1 itself becomes the value just below it; that is not worth a note.
        notes = clipping_note(array, -1, 1)
        data = np.round(np.clip(array, -1, _LOUDEST) * np.float64(2**15)).astype("<i2")
    else:
        data = array.astype("<f4")
        if not np.isfinite(data).all():
            raise SourceError("values must be within the range of float32")
    if data.nbytes > _LONGEST_WAV:
        raise SourceError(f"values must take at most {_LONGEST_WAV:,} bytes in a .wav file; these take {data.nbytes:,}")
    header = _header(data.dtype, channels, rate, data.nbytes)
    ensure_folder(target.parent)
    write_beside(target, lambda stream: (stream.write(header), stream.write(data.tobytes())))
    return Written(target, notes)


def _header(dtype: np.dtype[Any], channels: int, rate: int, size: int) -> bytes:
    """All of a WAV file that comes before the samples. The standard library writes integers only."""
    width = dtype.itemsize
    integers = dtype.kind == "i"
    kind = struct.pack(
        "<HHIIHH", 1 if integers else 3, channels, rate, rate * channels * width, channels * width, 8 * width
    )
    # Floats need the length of an extension, none here, and the number of samples of each channel.
    extra = b"" if integers else struct.pack("<H4sII", 0, b"fact", 4, size // (channels * width))
    chunk = struct.pack("<4sI", b"fmt ", len(kind) + (0 if integers else 2)) + kind + extra
    return (
        struct.pack("<4sI4s", b"RIFF", 4 + len(chunk) + 8 + size, b"WAVE") + chunk + struct.pack("<4sI", b"data", size)
    )


def _decoded(path: Path, most: float | None) -> tuple[np.ndarray[Any, Any], int]:
    """The samples, n×channels, as float32, of the first `most` seconds or all, and how many make a second."""
    import av  # imported here, for it loads FFmpeg

    parts: list[np.ndarray[Any, Any]] = []
    available, count = available_memory(), 0
    if most is None and path.is_file():
        _refuse_long(path, path.stat().st_size, available)  # as 32-bit floats it is no shorter
    try:
        # A stream and not a name, which FFmpeg might take for an address.
        with path.open("rb") as stream, av.open(stream, "r", options={"format_whitelist": FORMATS}) as container:
            if not container.streams.audio:
                raise SourceError(f"{path}: there is no sound in this file; name a sound")
            track = container.streams.audio[0]
            track.codec_context.options = {"err_detect": "explode"}
            rate = track.rate
            claimed = float(track.duration * track.time_base) if track.duration and track.time_base else None
            if most is None and claimed is not None:
                # Plain samples are no more than the file has room for, whatever its header says.
                plain = (track.codec_context.name or "").startswith("pcm_")
                room = path.stat().st_size // track.format.bytes if plain else np.inf
                _refuse_long(path, 4 * 4 * min(claimed * rate * track.channels, room), available)
            resampler = av.AudioResampler(format="fltp")  # of the numbers only: 16 bits are divided by 2¹⁵
            whole = True
            for frame in container.decode(track):
                if frame.is_corrupt:
                    raise SourceError(f"{path}: the sound is damaged {count / rate:.6g} s from its start. Replace it")
                for part in resampler.resample(frame):
                    parts.append(part.to_ndarray())
                    count += parts[-1].shape[1]
                if parts:
                    _refuse_long(path, 4 * count * parts[-1].nbytes // parts[-1].shape[1], available)
                if most is not None and count >= most * rate:
                    whole = False
                    break
            if whole:
                parts += [part.to_ndarray() for part in resampler.resample(None)]
    except SourceError:
        raise
    except Exception as error:  # FFmpeg's errors are of many types.
        raise unreadable(path, error) from error
    if not any(part.size for part in parts):
        raise SourceError(f"{path}: there is no sound in it; it may be damaged. Replace it")
    samples = np.concatenate(parts, axis=1).T
    if not np.isfinite(samples).all():
        raise SourceError(f"{path}: the sound holds NaN or infinities. Replace it")
    # Lossy formats decode in blocks, so their headers may claim a little more than there is.
    if whole and claimed is not None and len(samples) / rate < claimed - 0.1:
        raise SourceError(
            f"{path}: only {len(samples) / rate:.6g} of its {claimed:.6g} s can be read; the file is truncated or "
            f"damaged. Replace it, or take a {mention('duration')} within what is there"
        )
    return samples, rate


def _refuse_long(path: Path, needed: float, available: int | None) -> None:
    remedy = f"give a {mention('duration')}"
    refuse_beyond_memory(f"{path}: its sound", needed, remedy, available=available, error=SourceError)
