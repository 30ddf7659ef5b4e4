"""Whether the frames of a recalled sequence are on time."""

import numpy as np
from jaxtyping import Float

from attrax._base import checks
from attrax._base.numerics import squared_distances
from attrax.dynamics._recall import Recall
from attrax.memory import Memory, check_memory


def phase_errors(memory: Memory, recalled: Recall, row: int = 0) -> Float[np.ndarray, " t"]:
    """How far each frame of a path is from being on time, as a fraction of the cycle.

    A frame's place is that of the nearest stored frame. The place that is on time advances by one per step and agrees
    with the phase at which the path reaches the stored cycle. Their distance around the cycle lies between 0 and ½.

    **Arguments:** `recalled`, as `recall` gives it for `memory` with `path=True`; `row`, which of its cues.

    **Returns:** as many numbers as there are frames; all NaN if no stored cycle was reached. **Raises**
    `ValueError` without a path.

        >>> import attrax as ax
        >>> film = np.eye(4)
        >>> network = ax.training.pseudoinverse(film, np.roll(film, -1, axis=0))
        >>> memory = ax.Memory(network, ax.Patterns.from_cycles([film]))
        >>> phase_errors(memory, ax.recall(memory, film[2:3], path=True)).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    check_memory(memory)
    if recalled.path is None:
        raise ValueError("frames were not kept; call recall with path=True")
    row = checks.integer("row", row, least=0, most=len(recalled.path) - 1)
    frames = np.asarray(recalled.path[row], np.float64)
    if recalled.cycle[row] < 0:
        return np.full(len(frames), np.nan)
    patterns = memory.examples()
    cycle = list(patterns.cycles[int(recalled.cycle[row])])
    shown = patterns.as_frames(np.asarray(memory.originals, np.float64)[cycle]).reshape(len(cycle), -1)
    middle = shown.mean(axis=0)
    nearest = squared_distances(frames.reshape(len(frames), -1) - middle, shown - middle).argmin(axis=1)
    steps = np.arange(len(frames)) - int(recalled.transient[row])
    index = int(recalled.entry[row])
    while index not in cycle:  # on an open sequence, which reaches its cycle later
        index, steps = int(patterns.successor[index]), steps - 1
    apart = np.abs(nearest - (cycle.index(index) + steps)) % len(cycle)
    return np.minimum(apart, len(cycle) - apart) / len(cycle)
