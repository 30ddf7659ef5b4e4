"""Figures of recalled sequences."""

from typing import TYPE_CHECKING

import numpy as np

from attrax._base import checks
from attrax._base.types import HostStates
from attrax.dynamics import Recall
from attrax.memory import Memory
from attrax.report._plots import GRAY, GREEN, VERMILION, pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.9  # inches


def path_strip(memory: Memory, recalled: Recall, *, row: int = 0, columns: int = 10) -> "Figure":
    """The path from a cue as a strip of pictures with their steps, above the stored frames they should match.

    At most half of the columns show the path from the cue to the step at which it reaches the stored sequence; the
    others are spread over the following round of the cycle. Frames from that step on have a green edge. If no stored
    sequence was reached, the columns are spread over the whole path, and the last edge is vermilion.

    **Arguments:** `recalled`, as `recall` gives it for `memory` with `path=True`, of pictures (H×W or H×W×C); `row`,
    which of its cues; `columns`, the maximum number of pictures.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for states that are not pictures, for a row that
    does not exist, and without a path.

        >>> import attrax as ax
        >>> film = np.eye(9).reshape(9, 3, 3)
        >>> network = ax.training.pseudoinverse(film, np.roll(film, -1, axis=0))
        >>> memory = ax.Memory(network, ax.Patterns.from_cycles([film]))
        >>> recalled = ax.recall(memory, film[:1] + 0.02, path=True)
        >>> len(path_strip(memory, recalled, columns=4).axes)  # the cue is not stored
        7
    """
    from matplotlib.figure import Figure

    path = _path(recalled)
    row = checks.integer("row", row, least=0, most=len(path) - 1)
    columns = checks.integer("columns", columns, least=2)
    met = bool(recalled.recovered[row])
    steps = shown_steps(recalled, row, columns)
    patterns, originals = memory.examples(), np.asarray(memory.originals)
    references = patterns.as_frames(originals)
    pictures = pixels(path[row][steps], references)
    tall, wide = pictures.shape[1:3]
    high = _CELL * tall / wide
    width, height = len(steps) * _CELL + 0.1, 0.3 + (2 if met else 1) * high + (0.28 if met else 0.05)
    figure = Figure(figsize=(width, height), facecolor="white")

    def draw(picture: np.ndarray, column: int, bottom: float, color: str | None) -> None:
        place = (0.05 + column * _CELL + 0.03) / width, bottom / height, (_CELL - 0.06) / width, (high - 0.06) / height
        axes = figure.add_axes(place)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(color is not None)
            spine.set(color=color or GRAY, linewidth=2)

    first = height - 0.3 - high + 0.03
    transient = int(recalled.transient[row])
    for column, (step, picture) in enumerate(zip(steps, pictures, strict=True)):
        text = "cue" if step == 0 else f"step {step}"
        figure.text((0.05 + (column + 0.5) * _CELL) / width, (height - 0.2) / height, text, ha="center", fontsize=9)
        last = column == len(steps) - 1
        draw(picture, column, first, GREEN if met and step >= transient else VERMILION if last and not met else None)
    if met:
        figure.text(0.07 / width, (first - 0.24) / height, "stored", fontsize=9)
        index = int(recalled.entry[row])
        stored = {}
        for step in range(transient, steps[-1] + 1):
            stored[step], index = index, int(patterns.successor[index])
        for column, step in enumerate(steps):
            if step in stored:
                state = patterns.as_frames(originals[[stored[step]]])
                draw(pixels(state, references)[0], column, first - 0.28 - high + 0.03, None)
    return figure


def shown_steps(recalled: Recall, row: int, columns: int) -> list[int]:
    """The steps shown by a strip with `columns` columns, in order, the cue first."""
    transient, path = int(recalled.transient[row]), _path(recalled)
    count = len(path[row])
    if not recalled.recovered[row]:
        return np.unique(np.round(np.linspace(0, count - 1, columns)).astype(int)).tolist()
    before = np.unique(np.round(np.linspace(0, transient, min(columns // 2, transient + 1))).astype(int)).tolist()
    before = [*before[:-1], transient]
    left, stop = columns - len(before), transient + len((recalled.psnr or ())[row])
    after = transient + np.round((stop - transient) * np.arange(1, left + 1) / (left + 1)).astype(int)
    return [*before, *np.unique(after[(after > transient) & (after < count)]).tolist()]


def _path(recalled: Recall) -> tuple[HostStates, ...]:
    if recalled.path is None:
        raise ValueError("frames were not kept; call recall with path=True")
    return recalled.path
