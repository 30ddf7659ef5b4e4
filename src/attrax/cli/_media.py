"""Films, sound and text on the command line: options, reading, and writing what came back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrax.cli._options import load_sources, parse_size

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np

_GIF_FPS = 50.0
MEDIA = ("fps", "start", "duration", "hop", "rate", "mono", "by")
"""Options of films, sound and text, by their names in `attrax.sources.load_sequence`."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One source as it was read: states, a name each, files left out, and what is needed to write it back."""

    values: np.ndarray
    names: tuple[str, ...]
    skipped: tuple[str, ...]
    facts: dict[str, Any] | None

    def __len__(self) -> int:
        return len(self.values)


def is_clip(source: str) -> bool:
    """Whether a source is a film, a sound or a text: a sequence by itself. Of GIF files only animations are."""
    from attrax.sources import AUDIO_SUFFIXES, SHIPPED_FILMS, TEXT_SUFFIXES, VIDEO_SUFFIXES

    if source.split(":")[0] == "pan" or source in SHIPPED_FILMS:
        return True
    suffix = Path(source).suffix.lower()
    return suffix in (*VIDEO_SUFFIXES, *AUDIO_SUFFIXES, *TEXT_SUFFIXES) and (suffix != ".gif" or _moves(source))


def _moves(source: str) -> bool:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except (OSError, UnidentifiedImageError):
        return False  # whoever reads it says what is wrong


def read_part(source: str, options: dict[str, Any], media: dict[str, Any]) -> Part:
    """One source, whatever it is.

    **Arguments:** `options`, those of `load_sources`; `media`, those of `MEDIA` that were given.

    **Raises** `ValueError` for a source that can't be read and an option that does not apply to it.
    """
    from attrax.sources import load_sequence

    if not is_clip(source):
        others = sorted(name for name in media if name != "fps")
        if others:
            raise ValueError(f"--{others[0]} is for films, sound and text, and {source} is none; leave it out")
        found = load_sources([source], **options)
        facts = {"kind": "images", "fps": media.get("fps")} if found.kind == "images" else None
        return Part(found.values, tuple(found.names), tuple(str(text) for text in found.skipped), facts)
    if options.get("shuffle"):
        raise ValueError(f"--shuffle is for images; {source} has an order. Leave it out")
    pictures = {
        name: value
        for name, value in (("size", parse_size(options.get("size"))), ("gray", options.get("gray")))
        if value
    }
    clip = load_sequence(source, **pictures, **media)
    num = len(clip) if options.get("n") is None else options["n"]
    if num > len(clip):
        raise ValueError(f"--n must be at most {len(clip)}, the number of states in {source}; got {num}")
    return Part(clip.values[:num], clip.names[:num], clip.notes, clip.facts())


def common_facts(parts: list[Part], sources: list[str]) -> dict[str, Any] | None:
    """What is needed to write all of it back; `None` for plain arrays.

    **Raises** `ValueError` for sources that can't be one medium.
    """
    known = [(part.facts, source) for part, source in zip(parts, sources, strict=True)]
    first, name = known[0]
    for facts, source in known[1:]:
        for entry in ("kind", "rate", "vocabulary"):
            one, other = (first or {}).get(entry), (facts or {}).get(entry)
            if one == other or (entry == "kind" and {one, other} <= {"video", "images"}):
                continue
            remedy = {"kind": "store them apart", "rate": "bring them to one with --rate"}.get(
                entry, "join the texts in one file, so that they share their words"
            )
            raise ValueError(f"{name} and {source} differ in their {entry}; {remedy}")
    if first is None:
        return None
    return {key: value for key, value in first.items() if value is not None and key != "names"}


def write_clip(path: Path, frames: np.ndarray, facts: dict[str, Any] | None, errors: np.ndarray | None) -> list[str]:
    """Writes a film, a sound or a text; a film with a bar below that shows the phase error. Returns notes."""
    from attrax.report import with_phase_bar
    from attrax.sources import save_sequence

    if facts is None:
        raise ValueError(f"--output {path.name}: the memory holds plain arrays; name a folder or a .npy or .npz file")
    facts = {"fps": 10.0, **facts} if facts["kind"] in ("video", "images") else facts
    if facts["kind"] in ("video", "images") and errors is not None:
        frames = with_phase_bar(frames, errors)
    notes = []
    if path.suffix.lower() == ".gif" and facts.get("fps", 0) > _GIF_FPS:
        notes = [
            f"a GIF shows at most {_GIF_FPS:g} frames per second; it plays slower than the film's {facts['fps']:g}"
        ]
        facts = {**facts, "fps": _GIF_FPS}
    return notes + list(save_sequence(path, frames.astype("float32"), facts).notes)
