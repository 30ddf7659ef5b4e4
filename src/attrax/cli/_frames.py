"""From frames to files.

To write another kind of file, add its suffix to `_SAVERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrax.cli._media import write_clip
from attrax.cli._options import check_differ, check_output_file, check_output_folder
from attrax.cli._recalled_files import check_apart

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np


def _save_array(path: Path, frames: np.ndarray, names: list[str], stored: np.ndarray) -> list[str]:
    from attrax.sources import save_array

    save_array(path, frames)
    return []


def _save_pictures(path: Path, frames: np.ndarray, names: list[str], stored: np.ndarray) -> list[str]:
    from attrax.sources import picture_range, save_images, to_unit

    if frames.ndim not in (3, 4):
        raise ValueError(f"--output: states of shape {frames.shape[1:]} are not pictures; name a .npy or .npz file")
    scaled, notes = to_unit(frames, picture_range(stored))
    save_images(path, scaled, names)
    return list(notes)


_SAVERS: dict[str, Callable[[Path, np.ndarray, list[str], np.ndarray], list[str]]] = {
    "": _save_pictures,
    ".npy": _save_array,
    ".npz": _save_array,
}
"""What writes frames, by the suffix of the output; any other suffix names a folder of pictures."""
FILMS = (".mp4", ".gif")
"""Suffixes of films of the iterates."""
_CLIPS = (*FILMS, ".wav", ".txt")
"""Suffixes of what `attrax.sources.save_sequence` writes."""
_STEPS_PER_SECOND = 5.0
_MOST_CELLS = 36


def check_frames_output(path: Path, facts: dict[str, Any] | None, shape: tuple[int, ...]) -> None:
    """**Raises** `ValueError` where frames of this shape can't be written to `path`, so that it is said before work."""
    from attrax.sources import AUDIO_SUFFIXES, IMAGE_SUFFIXES, TEXT_SUFFIXES, VIDEO_SUFFIXES

    suffix = path.suffix.lower()
    kind = "plain arrays" if facts is None else facts["kind"]
    pictures = kind in ("video", "images") or (facts is None and len(shape) in (2, 3))
    clips = {"audio": (".wav",), "text": (".txt",)}.get(kind, FILMS if pictures else ())
    # A folder may be called anything but what looks like a file of another kind.
    file = suffix in (*_CLIPS, *AUDIO_SUFFIXES, *IMAGE_SUFFIXES, *TEXT_SUFFIXES, *VIDEO_SUFFIXES)
    if suffix not in (".npy", ".npz") and (suffix not in clips if file else not pictures):
        allowed = [*(["a folder"] if pictures else []), *clips, ".npy"]
        raise ValueError(f"--output: the memory holds {kind}, written to {', '.join(allowed)} or .npz; got {path}")
    if suffix in (*_SAVERS, *_CLIPS) and suffix:
        check_output_file(path, "--output")
    else:
        check_output_folder(path, "--output")


def write_path(path: Path, memory: Any, found: Any) -> list[str]:
    """Writes the path from one cue in the format that the suffix of `path` names, a folder of PNG files where it names
    none. Returns a sentence on each thing that the file does not hold as it was.

    What is black and white in pictures is as in the stored ones. Pictures that are not from a film become one of the
    iterates.
    """
    from attrax.dynamics import phase_errors

    suffix, facts, frames, stored = path.suffix.lower(), memory.written.get("media"), found.path[0], memory.originals
    if suffix in FILMS and facts is None:
        return _write_film(path, memory, found)
    if suffix in _CLIPS:
        return write_clip(path, frames, facts, phase_errors(memory, found), stored)
    names = [f"frame-{step:05d}" for step in range(len(frames))]
    return _SAVERS[suffix if suffix in _SAVERS else ""](path, frames, names, stored)


def check_many_output(path: Path, memory: Path, cues: list[str], known: str | None) -> None:
    """**Raises** `ValueError` where what comes back from many cues can't be written to `path`, or would be written over
    what is read."""
    if path.suffix.lower() not in FILMS:
        check_output_folder(path, "--output")
        check_apart(path, cues)
        return
    check_output_file(path, "--output")
    check_differ(path, "--output", [memory, *map(Path, cues)], "the files that are read")
    if known == "auto":
        raise ValueError(f"--output {path.name}: a film is made for one known part; give --known SIDE:F or a FILE")


def check_film_output(path: Path, shape: tuple[int, ...]) -> None:
    """**Raises** `ValueError` where `path` is a film and states of this shape can't be one."""
    from attrax.report import is_picture

    if path.suffix.lower() in FILMS and not is_picture(shape):
        raise ValueError(f"--output {path.name}: states of shape {shape} are not pictures; name a folder")


def _write_film(path: Path, memory: Any, found: Any) -> list[str]:
    """Writes paths of pictures side by side as a film of the iterates. Returns notes for the user."""
    from attrax.report import path_film
    from attrax.sources import save_video

    return list(save_video(path, path_film(memory, found), _STEPS_PER_SECOND).notes)


def film_again(
    path: Path, memory: Any, cues: np.ndarray, steps: np.ndarray, expected: Any, options: dict[str, Any]
) -> list[str]:
    """Recalls the first cues again, which took so many `steps`, with their paths, and writes these as one film."""
    from attrax._base.budget import refuse_beyond_memory
    from attrax.dynamics import recall

    notes = [f"the film shows the first {_MOST_CELLS} of {len(cues)} cues"] if len(cues) > _MOST_CELLS else []
    cues, steps = cues[:_MOST_CELLS], steps[:_MOST_CELLS]
    size = 3 * 8 * (int(steps.sum()) + len(steps)) * cues[0].size
    refuse_beyond_memory(f"--output: a film of {int(steps.sum()):,} steps", size, "give fewer cues or --max-steps")
    expected = None if expected is None else expected[:_MOST_CELLS]
    known = options["known"]
    if getattr(known, "ndim", 0) == cues.ndim:  # one mask for each cue
        options = {**options, "known": known[:_MOST_CELLS]}
    return notes + _write_film(path, memory, recall(memory, cues, expected=expected, path=True, **options))
