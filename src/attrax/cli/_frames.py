"""From frames to files.

To write another kind of file, add its suffix to `_SAVERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrax.cli._media import write_clip
from attrax.cli._options import check_output_file, check_output_folder

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
_CLIPS = (".mp4", ".gif", ".wav", ".txt")
"""Suffixes of what `attrax.sources.save_sequence` writes."""


def check_frames_output(path: Path, facts: dict[str, Any] | None, shape: tuple[int, ...]) -> None:
    """**Raises** `ValueError` where frames of this shape can't be written to `path`, so that it is said before work."""
    from attrax.sources import AUDIO_SUFFIXES, IMAGE_SUFFIXES, TEXT_SUFFIXES, VIDEO_SUFFIXES

    suffix = path.suffix.lower()
    kind = "plain arrays" if facts is None else facts["kind"]
    pictures = kind in ("video", "images") or (facts is None and len(shape) in (2, 3))
    clips = {"audio": (".wav",), "text": (".txt",), "plain arrays": ()}.get(kind, (".mp4", ".gif"))
    # A folder may be called anything but what looks like a file of another kind.
    file = suffix in (*_CLIPS, *AUDIO_SUFFIXES, *IMAGE_SUFFIXES, *TEXT_SUFFIXES, *VIDEO_SUFFIXES)
    if suffix not in (".npy", ".npz") and (suffix not in clips if file else not pictures):
        allowed = [*(["a folder"] if pictures else []), *clips, ".npy"]
        raise ValueError(f"--output: the memory holds {kind}, written to {', '.join(allowed)} or .npz; got {path}")
    if suffix in (*_SAVERS, *_CLIPS) and suffix:
        check_output_file(path, "--output")
    else:
        check_output_folder(path, "--output")


def write_frames(
    path: Path,
    frames: np.ndarray,
    names: list[str],
    facts: dict[str, Any] | None,
    errors: np.ndarray,
    stored: np.ndarray,
) -> list[str]:
    """Writes frames in the format that the suffix of `path` names, a folder of PNG files where it names none.

    What is black and white in pictures is as in `stored`. Returns a sentence on each thing that the file does not hold
    as it was.
    """
    suffix = path.suffix.lower()
    if suffix in _CLIPS:
        return write_clip(path, frames, facts, errors, stored)
    return _SAVERS[suffix if suffix in _SAVERS else ""](path, frames, names, stored)
