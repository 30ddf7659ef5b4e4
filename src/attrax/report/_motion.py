"""The iterates from several cues, side by side, as the frames of a film."""

import numpy as np

from attrax._base import checks
from attrax._base.types import HostStates
from attrax.dynamics import Recall
from attrax.memory import Memory
from attrax.report._plots import GREEN, VERMILION, pixels

_LEAST_SIDE = 96  # pixels of an enlarged picture
_EDGE = 3
_TEXT = 18
_CUE_FRAMES, _END_FRAMES = 5, 10
_PAPER, _INK = 255, 40


def path_film(memory: Memory, recalled: Recall, *, columns: int | None = None, max_steps: int = 60) -> HostStates:
    """The paths from several cues as the frames of one film: all cues side by side, step by step.

    Each picture has an edge, which becomes green with a check mark when the cue has reached what was recovered, and
    vermilion with a cross at the end of a path that reached something else. The line below says which step is shown.
    Small pictures are enlarged by a whole number. The cue stays for five frames and the last step for ten. Paths that
    end earlier than others keep their last state.

    **Arguments:** `recalled`, as `recall` gives it for `memory` with `path=True`, of pictures (H×W or H×W×C);
    `columns`, the number of pictures side by side, by default those that make the grid about square; `max_steps`, the
    maximum number of steps shown: of a longer path all early ones, then ever fewer.

    **Returns:** T×H×W×3, values in [0, 1], as `sources.save_video` takes them.

    **Raises** `ValueError` for states that are not pictures, for wrong numbers, and without a path.

        >>> import attrax as ax
        >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 4, 4))))
        >>> recalled = ax.recall(memory, np.ones((2, 4, 4)), path=True)
        >>> frames = ax.report.path_film(memory, recalled, max_steps=4)
        >>> frames.shape
        (17, 126, 216, 3)
    """
    if recalled.path is None:
        raise ValueError("frames were not kept; call recall with path=True")
    max_steps = checks.integer("max_steps", max_steps, least=2)
    count = len(recalled.path)
    wide = _columns(count) if columns is None else min(checks.integer("columns", columns, least=1), count)
    references = memory.examples().as_frames(np.asarray(memory.originals))
    last = max(len(path) for path in recalled.path) - 1
    steps = shown(last, max_steps)
    cells = [pixels(path[np.minimum(steps, len(path) - 1)], references) for path in recalled.path]
    scale = max(1, -(-_LEAST_SIDE // max(cells[0].shape[1:3])))
    frames = []
    for number, step in enumerate(steps):
        drawn = []
        for row, path in enumerate(recalled.path):
            recovered = bool(recalled.recovered[row])
            there = step >= (int(recalled.transient[row]) if recovered else len(path) - 1)
            mark = None if step == 0 or not there else recovered
            drawn.append(_cell(cells[row][number], scale, mark))
        drawn += [np.full_like(drawn[0], _PAPER)] * (-count % wide)
        rows = [np.concatenate(drawn[begin : begin + wide], axis=1) for begin in range(0, len(drawn), wide)]
        frames.append(_captioned(np.concatenate(rows), "cue" if step == 0 else f"step {step}"))
    times = [_CUE_FRAMES, *[1] * (len(frames) - 2), _END_FRAMES] if len(frames) > 1 else [_END_FRAMES]
    return np.repeat(np.stack(frames), times, axis=0) / np.float32(255)


def _columns(count: int) -> int:
    """Columns of a grid that is about square, or up to four times as wide where that leaves fewer places empty."""
    least = int(np.ceil(np.sqrt(count)))
    return min(range(least, 2 * least + 1), key=lambda columns: (-count % columns, columns))


def shown(last: int, most: int) -> np.ndarray:
    """At most `most` steps from 0 to `last`: the first ones all, then ever fewer."""
    if last < most:
        return np.arange(last + 1)
    half = most // 2
    return np.unique([*range(half), *np.geomspace(half, last, most - half).round().astype(int)])


def _cell(picture: np.ndarray, scale: int, recovered: bool | None) -> np.ndarray:
    """An enlarged picture with its edge, and a mark for how it ended."""
    from PIL import Image, ImageDraw

    color = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    large = color.repeat(scale, axis=0).repeat(scale, axis=1)
    edge = "#c8c8c8" if recovered is None else GREEN if recovered else VERMILION
    made = Image.new("RGB", (large.shape[1] + 4 * _EDGE, large.shape[0] + 4 * _EDGE), (_PAPER,) * 3)
    draw = ImageDraw.Draw(made)
    draw.rectangle((_EDGE, _EDGE, made.width - _EDGE - 1, made.height - _EDGE - 1), fill=edge)
    made.paste(Image.fromarray(large), (2 * _EDGE, 2 * _EDGE))
    if recovered is not None:
        # Drawn as lines: the colors alone would not do, and no font needs to have these signs.
        right, low = made.width - 2 * _EDGE, made.height - 2 * _EDGE
        draw.rectangle((right - 14, low - 14, right, low), fill=edge)
        check = [(right - 12, low - 6), (right - 9, low - 3), (right - 2, low - 11)]
        cross = ([(right - 11, low - 11), (right - 3, low - 3)], [(right - 11, low - 3), (right - 3, low - 11)])
        for line in (check,) if recovered else cross:
            draw.line(line, fill="white", width=2)
    return np.asarray(made)


def _captioned(picture: np.ndarray, text: str) -> np.ndarray:
    from PIL import Image, ImageDraw

    made = Image.new("RGB", (picture.shape[1], picture.shape[0] + _TEXT), (_PAPER,) * 3)
    made.paste(Image.fromarray(picture), (0, 0))
    ImageDraw.Draw(made).text((2 * _EDGE, picture.shape[0]), text, fill=(_INK,) * 3)
    return np.asarray(made)
