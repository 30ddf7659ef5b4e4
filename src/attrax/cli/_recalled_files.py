"""The files that attrax recall writes: what came back, in the format of the cues."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np


def write_recalled(
    folder: Path,
    values: np.ndarray,
    cues: np.ndarray,
    names: list[str],
    given: list[str],
    corrupted: bool,
    stored: np.ndarray,
) -> list[Path]:
    """What came back, in the format of the cues; the cues as well, where they were made here."""
    from attrax.sources import IMAGE_SUFFIXES, picture_range, save_array, save_images, to_unit

    pictures = values.ndim in (3, 4) and (values.ndim == 3 or values.shape[-1] == 3)
    arrays = [source for source in given if source.lower().endswith((".npy", ".npz")) or ".npz:" in source.lower()]
    if not pictures or (arrays and len(arrays) == len(given)):
        folder.mkdir(parents=True, exist_ok=True)
        if corrupted:
            save_array(folder / "cues.npy", cues)
        archives = [source for source in arrays if ".npz" in source.lower()]
        suffix = ".npz" if archives and len(archives) == len(given) else ".npy"
        return [save_array(folder / f"recalled{suffix}", values)] * len(values)
    black_white = picture_range(stored)
    clipped, notes = to_unit(values, black_white)
    for note in notes:
        typer.echo(f"attrax: {note}", err=True)
    if corrupted:
        # Corruptions go beyond black and white on purpose, so nothing is said of that.
        save_images(folder, to_unit(cues, black_white)[0], [f"{_stem(name)}-cue" for name in names])
        return save_images(folder, clipped, [f"{_stem(name)}-recalled" for name in names])
    kinds = [Path(name).suffix.lower() for name in names]
    kinds = [kind if kind in IMAGE_SUFFIXES else ".png" for kind in kinds]
    written: dict[int, Path] = {}
    for kind in sorted(set(kinds)):  # one call a format, which keeps the names in it apart
        rows = [row for row, other in enumerate(kinds) if other == kind]
        stems = [_stem(names[row]) for row in rows]
        written |= dict(zip(rows, save_images(folder, clipped[rows], stems, suffix=kind), strict=True))
    return [written[row] for row in range(len(names))]


def _stem(name: str) -> str:
    """The name of an example without the suffix of an image file."""
    from attrax.sources import IMAGE_SUFFIXES

    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def check_apart(folder: Path, cues: list[str]) -> None:
    """**Raises** `ValueError` where what comes back would be written among the cues, over them if names agree."""
    for cue in map(Path, cues):
        home = cue if cue.is_dir() else cue.parent
        if cue.exists() and folder.exists() and folder.samefile(home):
            raise ValueError(f"--output must be another folder than that of the cues, {home}; name a new one")
