"""What is to be stored: points and, for each, the point that comes after it.

A stored picture is a cycle of length one, a film is one long cycle; both share every later step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attrax._types import HostIndices, HostStates


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Points and their successors. Build one with `from_examples` or `from_cycles`, which check everything.

    **Fields:**

    - `points`: n×state shape, the states.
    - `successor`: n indices; a memory of these patterns maps `points[i]` to `points[successor[i]]`.
    - `merged`: pairs (given, kept) of positions in what was given: duplicates that became one example.
    """

    points: HostStates
    successor: HostIndices
    merged: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def targets(self) -> HostStates:
        """`points[successor]`: what each point is to be mapped to."""
        return self.points[self.successor]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one state."""
        return self.points.shape[1:]

    @property
    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """The indices of each cycle in order, beginning with its least index; states that only lead there left out."""
        found, seen = [], np.zeros(len(self.points), bool)
        for start in range(len(self.points)):
            path, index = [], start
            while not seen[index]:
                seen[index] = True
                path.append(index)
                index = int(self.successor[index])
            if index in path:
                loop = path[path.index(index) :]
                first = loop.index(min(loop))
                found.append(tuple(loop[first:] + loop[:first]))
        return tuple(sorted(found))

    @classmethod
    def from_examples(cls, examples: HostStates) -> "Patterns":
        """Patterns in which every example is a cycle of length one. Equal examples are merged (see `merged`).

        **Arguments:** `examples`, n×state shape, real and finite, at least one.

        **Raises** `ValueError` for an empty array, a single state without the leading axis, NaN, infinities or
        anything but real numbers.

            >>> import numpy as np
            >>> Patterns.from_examples(np.eye(3, dtype="float32")).successor.tolist()
            [0, 1, 2]
        """
        points = _checked(examples, "examples")
        first_at: dict[bytes, int] = {}
        kept, merged = [], []
        for index, point in enumerate(points):
            # Adding zero turns −0.0 into 0.0, which compares equal but differs in its bytes.
            known = first_at.setdefault((point + 0.0).tobytes(), index)
            if known == index:
                kept.append(index)
            else:
                merged.append((index, known))
        points = points[kept]
        return cls(points, np.arange(len(points)), tuple(merged))

    @classmethod
    def from_cycles(cls, cycles: Sequence[HostStates]) -> "Patterns":
        """Patterns in which each given sequence is one cycle: its last state is followed by its first.

        **Raises** `ValueError` as `from_examples` does, and where one state would need two successors, which no map
        of one state can have.

            >>> import numpy as np
            >>> Patterns.from_cycles([np.eye(3, dtype="float32")]).successor.tolist()
            [1, 2, 0]
        """
        if not len(cycles):
            raise ValueError("cycles must hold at least one sequence of states; got none")
        checked = [_checked(cycle, f"cycle {number}") for number, cycle in enumerate(cycles)]
        shapes = {cycle.shape[1:] for cycle in checked}
        if len(shapes) > 1:
            raise ValueError(f"all cycles must have states of one shape; got the shapes {sorted(shapes)}")
        points = np.concatenate(checked)
        successor, start = [], 0
        for cycle in checked:
            successor += [start + (step + 1) % len(cycle) for step in range(len(cycle))]
            start += len(cycle)
        patterns = cls(points, np.array(successor))
        seen: dict[bytes, int] = {}
        for index, point in enumerate(points):
            other = seen.setdefault((point + 0.0).tobytes(), index)
            if other != index:
                raise ValueError(
                    f"states {other} and {index} (counted over all cycles) are equal, so a map of one state cannot "
                    "tell which place in the sequence it is at; leave one out"
                )
        return patterns


def _checked(values: HostStates, name: str) -> HostStates:
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be an array of real numbers; got dtype {values.dtype}")
    if values.ndim < 2:
        raise ValueError(
            f"{name} must have a leading axis over states and at least one more; got the shape {values.shape}. "
            "Wrap a single state as values[None]."
        )
    if values.size == 0:
        raise ValueError(f"{name} must hold at least one state with at least one entry; got the shape {values.shape}")
    if values.dtype.kind != "f":
        # Pixels fit float32; larger whole numbers would collide there.
        narrow = values.astype(np.float32)
        values = narrow if (narrow == values).all() else values.astype(np.float64)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} must be finite; state {int(np.argmin(finite))} holds NaN or an infinity")
    return np.ascontiguousarray(values)
