"""Planes in the space of states: all of it for states with two entries, otherwise a slice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.memory import Memory, check_memory
from attrax.patterns import Patterns

_MARGIN = 0.35
"""Margin on every side, as a fraction of the longer side of the box around the points."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane(Record):
    """The states `origin + s·axes[0] + t·axes[1]`, with orthonormal axes, so that distances are those of states.

    **Fields:**

    - `origin`: one state.
    - `axes`: two orthonormal states.
    - `through`: indices of the stored points that define it; empty for the plane of 2D states.
    """

    origin: Float[np.ndarray, "*state"]
    axes: Float[np.ndarray, "2 *state"]
    through: tuple[int, ...] = ()

    def states(self, coordinates: Float[np.ndarray, "n 2"]) -> HostStates:
        """The n states with these coordinates.

        ```python
        >>> import numpy as np
        >>> Plane(np.zeros(2), np.eye(2)).states(np.array([[3.0, 4.0]])).tolist()
        [[3.0, 4.0]]

        ```
        """
        vectors = self.origin.ravel() + np.asarray(coordinates, np.float64) @ self.axes.reshape(2, -1)
        return vectors.reshape(-1, *self.origin.shape)

    def project(self, states: HostStates) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
        """Coordinates of the orthogonal projections of n states, and their distances from the plane.

        ```python
        >>> import numpy as np
        >>> plane = Plane(np.zeros(3), np.eye(3)[:2])
        >>> [found.tolist() for found in plane.project(np.array([[1.0, 2.0, 5.0]]))]
        [[[1.0, 2.0]], [5.0]]

        ```
        """
        axes = self.axes.reshape(2, -1)
        moved = np.asarray(states, np.float64).reshape(len(states), -1) - self.origin.ravel()
        coordinates = moved @ axes.T
        return coordinates, np.linalg.norm(moved - coordinates @ axes, axis=1)


def plane_of(memory: Memory, through: Sequence[int] | None = None) -> Plane:
    """The plane that `basins` looks at: all of a memory of 2D states, or the one through three stored points.

    The first axis of a slice points from the first of the three to the second; its origin is their mean.

    **Arguments:** `memory`, with patterns; `through`, three indices of stored points, by default the first three,
    unless states have two entries.

    **Returns** a `Plane`. **Raises** `ValueError` unless the indices are three different ones of the memory, for points
    on one line, and for a memory with too few points.

        >>> import numpy as np
        >>> from attrax import Memory, Patterns
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.eye(3)))
        >>> plane_of(memory, (0, 1, 2)).through
        (0, 1, 2)
    """
    check_memory(memory)
    patterns = memory.examples()
    points = np.asarray(patterns.points, np.float64)
    if through is None:
        if patterns.shape == (2,):
            return Plane(np.zeros(2), np.eye(2))
        if len(points) < 3:
            raise ValueError(
                f"a slice goes through three stored points, and this memory holds {len(points)} of shape "
                f"{patterns.shape}; store at least three, or give your own Plane"
            )
        through = (0, 1, 2)
    if isinstance(through, str) or len(through) != 3 or len(set(through)) != 3:
        raise ValueError(f"plane must name three different stored points; got {through!r}")
    picked = tuple(checks.integer("each index of plane", index, most=len(points) - 1) for index in through)
    vectors = points[list(picked)].reshape(3, -1)
    first, second = vectors[1] - vectors[0], vectors[2] - vectors[0]
    length = float(np.linalg.norm(first))
    first = first / length
    second = second - (second @ first) * first
    height = float(np.linalg.norm(second))
    if height <= 1e-9 * length:
        raise ValueError(f"plane must name three points that do not lie on one line; points {picked} do")
    axes = np.stack([first, second / height]).reshape(2, *patterns.shape)
    return Plane(vectors.mean(axis=0).reshape(patterns.shape), axes, picked)


def extent_of(plane: Plane, points: HostStates) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a frame around the points that the plane goes through, with a margin."""
    shown = points[list(plane.through)] if plane.through else points
    coordinates, _ = plane.project(shown)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    longest = float((high - low).max())
    # A single stored point has no extent.
    margin = _MARGIN * longest if longest > 0 else Patterns(shown, np.arange(len(shown))).unit
    return (
        float(low[0] - margin),
        float(high[0] + margin),
        float(low[1] - margin),
        float(high[1] + margin),
    )


def check_extent(extent: Sequence[float]) -> tuple[float, float, float, float]:
    """**Raises** `ValueError` for anything but left < right and bottom < top."""
    if isinstance(extent, str) or len(extent) != 4:
        raise ValueError(f"extent must be four numbers: left, right, bottom, top; got {extent!r}")
    left, right, bottom, top = (checks.real("each number of extent", side) for side in extent)
    if not (left < right and bottom < top):
        raise ValueError(f"extent must be left < right and bottom < top; got {tuple(extent)}")
    return left, right, bottom, top
