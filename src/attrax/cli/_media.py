"""Films, sound and text on the command line: writing what came back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np

_GIF_FPS = 50.0


def write_clip(
    path: Path, frames: np.ndarray, facts: dict[str, Any], errors: np.ndarray | None, stored: np.ndarray
) -> list[str]:
    """Writes a film, a sound or a text; a film with a bar below that shows the phase error. Returns notes."""
    from attrax.report import with_phase_bar
    from attrax.sources import picture_range, save_sequence, to_unit

    facts = {"fps": 10.0, **facts} if facts["kind"] in ("video", "images") else facts
    notes: list[str] = []
    if facts["kind"] in ("video", "images"):
        frames, told = to_unit(frames, picture_range(stored))
        notes += told
        frames = frames if errors is None else with_phase_bar(frames, errors)
    if path.suffix.lower() == ".gif" and facts.get("fps", 0) > _GIF_FPS:
        notes += [
            f"a GIF shows at most {_GIF_FPS:g} frames per second; it plays slower than the film's {facts['fps']:g}"
        ]
        facts = {**facts, "fps": _GIF_FPS}
    return notes + list(save_sequence(path, frames.astype("float32"), facts).notes)
