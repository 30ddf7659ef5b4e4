"""Figures that experiments share: rows of pictures, curves over seeds, and films."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.report import BLUE as BLUE
from attrax.report import GRAY as GRAY
from attrax.report import GREEN as GREEN
from attrax.report import ORANGE as ORANGE
from attrax.report import VERMILION as VERMILION
from attrax.report import pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.72  # inches per picture


def picture_rows(
    rows: Sequence[tuple[str, np.ndarray]],
    *,
    marks: Sequence[bool | None] | None = None,
    columns: int = 10,
) -> "Figure":
    """Pictures in rows, each row with its name above it.

    **Arguments:** `rows`, name and n×H×W or n×H×W×3; all are drawn on the scale of the first; `marks`, for each column
    whether the last row is what it should be, drawn as a green or vermilion frame with a mark.
    """
    from matplotlib.figure import Figure

    columns = min(columns, len(rows[0][1]))
    reference = rows[0][1]
    tall, wide = reference.shape[1:3]
    side = _CELL * tall / wide
    height, width = (side + 0.3) * len(rows) + 0.05, max(columns * _CELL + 0.1, 2.6)
    figure = Figure(figsize=(width, height), facecolor="white")
    top = height - 0.02
    for number, (name, states) in enumerate(rows):
        shown = pixels(states[:columns], reference)
        figure.text(0.06 / width, (top - 0.2) / height, name, fontsize=9)
        top -= 0.28
        for column, picture in enumerate(shown):
            axes = figure.add_axes(
                (
                    (0.05 + column * _CELL + 0.02) / width,
                    (top - side + 0.02) / height,
                    (_CELL - 0.04) / width,
                    (side - 0.04) / height,
                )
            )
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
            axes.set_xticks([])
            axes.set_yticks([])
            mark = marks[column] if marks is not None and number == len(rows) - 1 else None
            for spine in axes.spines.values():
                spine.set_visible(mark is not None)
                spine.set(color=GREEN if mark else VERMILION, linewidth=2)
            if mark is not None:
                axes.text(
                    0.93,
                    0.06,
                    "✓" if mark else "✗",
                    transform=axes.transAxes,
                    ha="right",
                    va="bottom",
                    fontsize=8,
                    color="white",
                    bbox={"boxstyle": "square,pad=0.1", "edgecolor": "none", "facecolor": GREEN if mark else VERMILION},
                )
        top -= side + 0.02
    return figure


def plain_axes(width: float = 5.0, height: float = 3.2, columns: int = 1, rows: int = 1) -> tuple["Figure", Any]:
    """A figure and its axes, rows×columns, without the upper and the right line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        for side in ("right", "top"):
            axes.spines[side].set_visible(False)
        axes.tick_params(labelsize=9)
    return figure, grid


def waveforms(signals: Sequence[tuple[str, np.ndarray]], rate: float) -> "Figure":
    """Sounds below each other, over seconds."""
    figure, grid = plain_axes(6.4, 1.25, 1, len(signals))
    for axes, (name, signal) in zip(grid[:, 0], signals, strict=True):
        samples = np.ravel(signal)
        axes.plot(np.arange(len(samples)) / rate, samples, color=BLUE, linewidth=0.5)
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_ylim(-1.05, 1.05)
    grid[-1, 0].set_xlabel("seconds", fontsize=9)
    return figure
