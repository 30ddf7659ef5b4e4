"""Figures of sequences as they come back."""

from typing import TYPE_CHECKING

import numpy as np

from attrax._base import checks
from attrax.dynamics import SequenceRecall
from attrax.memory import Memory
from attrax.report._plots import GRAY, GREEN, VERMILION, pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.9  # inches


def way_strip(memory: Memory, found: SequenceRecall, *, row: int = 0, columns: int = 10) -> "Figure":
    """The way from a cue as a strip of pictures with their steps, over the stored frames that they should be.

    The first half of the columns, at most, shows the way from the cue to the step at which the stored sequence is met,
    the others are spread over what follows, once round the cycle. Frames from that step on have a green edge. Where
    nothing stored was met, the columns are spread over all of the way, and the last edge is vermilion.

    **Arguments:** `found`, as `recall_sequence` gives it for `memory`, of pictures (H×W or H×W×C); `row`, which of its
    cues; `columns`, how many pictures at most.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for states that are no pictures and a row that is
    not there.

        >>> import attrax as ax
        >>> film = np.eye(9).reshape(9, 3, 3)
        >>> network = ax.training.pseudoinverse(film, np.roll(film, -1, axis=0))
        >>> memory = ax.Memory(network, ax.Patterns.from_cycles([film]))
        >>> len(way_strip(memory, ax.recall_sequence(memory, film[:1] + 0.02), columns=4).axes)  # the cue is not stored
        7
    """
    from matplotlib.figure import Figure

    row = checks.integer("row", row, least=0, most=len(found.frames) - 1)
    columns = checks.integer("columns", columns, least=2)
    met = bool(found.recovered[row])
    steps = shown_steps(found, row, columns)
    patterns, originals = memory.examples(), np.asarray(memory.originals)
    references = patterns.as_frames(originals)
    pictures = pixels(found.frames[row][steps], references)
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
    transient = int(found.transient[row])
    for column, (step, picture) in enumerate(zip(steps, pictures, strict=True)):
        text = "cue" if step == 0 else f"step {step}"
        figure.text((0.05 + (column + 0.5) * _CELL) / width, (height - 0.2) / height, text, ha="center", fontsize=9)
        last = column == len(steps) - 1
        draw(picture, column, first, GREEN if met and step >= transient else VERMILION if last and not met else None)
    if met:
        figure.text(0.07 / width, (first - 0.24) / height, "stored", fontsize=9)
        index = int(found.index[row])
        stored = {}
        for step in range(transient, steps[-1] + 1):
            stored[step], index = index, int(patterns.successor[index])
        for column, step in enumerate(steps):
            if step in stored:
                state = patterns.as_frames(originals[[stored[step]]])
                draw(pixels(state, references)[0], column, first - 0.28 - high + 0.03, None)
    return figure


def shown_steps(found: SequenceRecall, row: int, columns: int) -> list[int]:
    """The steps that a strip of so many columns shows, in order, the cue first."""
    transient, count = int(found.transient[row]), len(found.frames[row])
    if not found.recovered[row]:
        return np.unique(np.round(np.linspace(0, count - 1, columns)).astype(int)).tolist()
    before = np.unique(np.round(np.linspace(0, transient, min(columns // 2, transient + 1))).astype(int)).tolist()
    before = [*before[:-1], transient]
    left, stop = columns - len(before), transient + len(found.psnr[row])
    after = transient + np.round((stop - transient) * np.arange(1, left + 1) / (left + 1)).astype(int)
    return [*before, *np.unique(after[(after > transient) & (after < count)]).tolist()]
