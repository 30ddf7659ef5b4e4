"""What is to be stored: points and, for each, the point that comes after it.

A stored picture is a cycle of length one, a film is one long cycle; both share every later step.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.shown import Record, Words, span, strip
from attrax._base.states import state_batch
from attrax._base.types import HostIndices, HostStates
from attrax.patterns._checks import check_names, check_several, checked, holds_frames
from attrax.patterns._delays import Ambiguity, equal_rows, last_frame, near_pairs, stack
from attrax.patterns._sequences import embedded, least_context, names_at, refuse_repeats

ENDS = ("loop", "hold")
"""What follows the last state of a sequence: its first state again, or the last state itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Patterns(Record):
    """Points and their successors. `from_examples`, `from_pairs`, `from_cycles` and `from_sequences` make them.

    **Fields:**

    - `points`: n×state shape, the states.
    - `successor`: n indices; a memory of these patterns maps `points[i]` to `points[successor[i]]`.
    - `merged`: pairs (given, kept) of positions in the input: duplicates that became one example.
    - `frame`: shape of one frame if a state holds several (see `from_sequences`), otherwise `None`.
    - `names`: n names, such as those of files, or `None`.
    - `parts`: shapes of the cue and of the target if a state is a pair (see `from_pairs`), otherwise `None`.
    """

    points: HostStates
    successor: HostIndices
    merged: tuple[tuple[int, int], ...] = ()
    frame: tuple[int, ...] | None = None
    names: tuple[str, ...] | None = None
    parts: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def __post_init__(self) -> None:
        if self.names is not None and len(self.names) != len(self.points):
            raise ValueError(f"names must be one text for each of the {len(self.points)} points; got {len(self.names)}")
        if self.frame is not None and not holds_frames(self.shape, self.frame):
            raise ValueError(
                f"frame must be the shape of one of the frames in a state of shape {self.shape}; got {self.frame}"
            )

        if self.parts is not None and self.shape != (sum(map(math.prod, self.parts)),):
            raise ValueError(f"parts must be the two shapes that make a state of shape {self.shape}; got {self.parts}")

    def __len__(self) -> int:
        return len(self.points)

    def _facts(self) -> dict[str, Any]:
        lengths = np.array([len(cycle) for cycle in self.cycles])
        if not len(self.open_sequences) and (lengths == 1).all():
            what = f"{len(self)} examples"
        else:
            what = f"{len(self)} states in {len(lengths)} cycles and {len(self.open_sequences)} open sequences"
        facts: dict[str, Any] = {
            "stored": Words(what),
            "shape": self.shape,
            "dtype": Words(self.points.dtype),
            "values": Words(span(self.points)),
        }
        if self.parts is not None:
            facts["pairs"] = Words(f"cues of shape {self.parts[0]}, targets of shape {self.parts[1]}")
        if self.context > 1:
            facts["context"] = Words(f"{self.context} frames of shape {self.frame_shape}")
        if self.merged:
            facts["merged"] = Words(f"{len(self.merged)} duplicates")
        return facts if self.names is None else facts | {"names": self.names}

    def _brief(self) -> str:
        facts = self._facts()
        return f"{facts['stored']} of shape {self.shape}"

    def _pictures(self) -> list[tuple[str, np.ndarray]]:
        frames = self.cues_of(self.as_frames(self.points))
        return strip(frames, [self.name(index) for index in range(len(self))], frames)

    def name(self, index: int) -> str:
        """The name of a point for people: its own if it has one, otherwise its index."""
        return str(index) if self.names is None else self.names[index]

    def find(self, name: str) -> int:
        """The index of the point with this name. **Raises** `ValueError` if no point or several points have it.

        ```python
        >>> import numpy as np
        >>> Patterns.from_examples(np.eye(2), names=["cat.png", "dog.png"]).find("dog.png")
        1

        ```
        """
        if self.names is None:
            raise ValueError(f"{name!r}: these patterns have no names; give indices instead")
        indices = [index for index, one in enumerate(self.names) if one == name]
        if len(indices) == 1:
            return indices[0]
        if indices:
            listed = ", ".join(map(str, indices[:5])) + (", …" if len(indices) > 5 else "")
            raise ValueError(f"{name!r} is the name of {len(indices)} points; give their indices instead: {listed}")
        close = difflib.get_close_matches(name, self.names, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"the first name is {self.names[0]}"
        raise ValueError(f"{name!r} is the name of no stored point; {hint}")

    @property
    def targets(self) -> HostStates:
        """`points[successor]`: what each point is to be mapped to."""
        return self.points[self.successor]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one state."""
        return self.points.shape[1:]

    @property
    def scale(self) -> float:
        """The typical deviation of an entry.

        The root mean square distance from the mean of all points, per entry. For a single point, or for equal ones, it
        is the root mean square of the entries; if all entries are 0, it is 1.

            >>> import numpy as np
            >>> Patterns.from_examples(np.array([[0.0, 2.0], [2.0, 0.0]])).scale
            1.0
        """
        points = np.asarray(self.points, np.float64)
        most = float(max(points.max(), -points.min()))
        for center in (points.mean(axis=0), 0.0):
            values = points - center
            largest = float(max(values.max(), -values.min()))
            if largest > 1e-12 * most:
                values /= largest
                return largest * float(np.sqrt(np.mean(np.square(values, out=values))))
        return 1.0

    @property
    def unit(self) -> float:
        """The unit of thresholds and tolerances: four times the `scale`.

        The paper's thresholds are meant for pictures with entries from 0 to 1, which deviate from their mean by about a
        quarter; so for these the unit is about 1. If all entries are 0, there is no scale, and the unit is 1.
        """
        return 4 * self.scale if np.any(self.points) else 1.0

    @property
    def context(self) -> int:
        """How many frames a state holds."""
        return 1 if self.frame is None else self.points[0].size // math.prod(self.frame)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame."""
        return self.shape if self.frame is None else self.frame

    def as_frames(self, states: HostStates) -> HostStates:
        """The latest frame of each state, n×frame shape; without context the states themselves."""
        return last_frame(states, self.frame_shape)

    @property
    def cue_shape(self) -> tuple[int, ...]:
        """Shape of what recall takes as a cue: of the first part of a pair, or else of one frame."""
        return self.frame_shape if self.parts is None else self.parts[0]

    def split(self, states: HostStates) -> tuple[HostStates, HostStates]:
        """The cue and the target of each of n pairs: n×cue shape and n×target shape.

        **Raises** `ValueError` unless these patterns are pairs and `states` are states of them.

            >>> import numpy as np
            >>> pairs = Patterns.from_pairs(np.ones((1, 2, 2)), np.array([[7.0]]))
            >>> pairs.split(pairs.points)[1].tolist()
            [[7.0]]
        """
        if self.parts is None:
            raise ValueError("these patterns are not pairs; build them by Patterns.from_pairs")
        states = state_batch("states", states, self.shape)
        sizes = math.prod(self.parts[0])
        halves = states[:, :sizes], states[:, sizes:]
        first, second = (half.reshape(-1, *shape) for half, shape in zip(halves, self.parts, strict=True))
        return first, second

    def cues_of(self, states: HostStates) -> HostStates:
        """What recall takes as the cue of each of these states: the first part of pairs; else the states."""
        return states if self.parts is None else self.split(states)[0]

    def as_states(self, cues: HostStates, name: str = "cues", *, rest: HostStates | None = None) -> HostStates:
        """States from cues, which may be single frames: before such a frame, nothing else was seen, so it is repeated.

        Of pairs, a cue may be the first part alone, or the second. The other part is then that of `rest`, one state,
        by default the mean of the points.

        **Raises** `ValueError` for cues that are neither frames nor states; it calls them `name`.
        """
        shapes = (self.shape, *(self.parts or (self.frame_shape,)))
        cues = state_batch(name, cues, *dict.fromkeys(shapes))
        if cues.shape[1:] == self.shape:
            return cues
        if self.parts is not None:
            rest = np.asarray(self.points, np.float64).mean(axis=0) if rest is None else rest
            states = np.repeat(np.asarray(rest)[None], len(cues), axis=0)
            size = math.prod(self.parts[0])
            place = slice(0, size) if cues.shape[1:] == self.parts[0] else slice(size, None)
            states[:, place] = cues.reshape(len(cues), -1)
            return states
        return stack(np.repeat(cues[:, None], self.context, axis=1))

    def one_state(self, frames: HostStates) -> HostStates:
        """The state that as many frames as the context holds make, oldest first: 1×state shape.

        **Raises** `ValueError` for another number or shape of frames.
        """
        frames = np.asarray(frames)
        if frames.shape != (self.context, *self.frame_shape):
            raise ValueError(f"frames must have the shape {(self.context, *self.frame_shape)}; got {frames.shape}")
        return frames if self.context == 1 else stack(frames[None])

    @property
    def open_sequences(self) -> tuple[tuple[int, ...], ...]:
        """The indices of each open sequence, from a state without a predecessor to the first one on a cycle."""
        on_cycle = {index for cycle in self.cycles for index in cycle}
        sequences = []
        for start in np.setdiff1d(np.arange(len(self.points)), self.successor):
            path = [int(start)]
            while path[-1] not in on_cycle:
                path.append(int(self.successor[path[-1]]))
            sequences.append(tuple(path))
        return tuple(sequences)

    def ambiguities(self) -> tuple[Ambiguity, ...]:
        """Pairs of states that are nearly equal but have different successors, the closest pair first.

        Nearly equal means closer than 0.2 times the median step, the distance from a state to the next one. Only pairs
        whose successors lie farther apart than they do count. Equal states are not among the points: they were merged
        or refused when these patterns were built.

            >>> import numpy as np
            >>> film = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.1], [0.0, 1.0]])
            >>> [pair.states for pair in Patterns.from_cycles([film]).ambiguities()]
            [(0, 2)]
        """
        return near_pairs(self.points, self.successor)

    @property
    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """The indices of each cycle in order, beginning with its least index, without the states that lead to it."""
        cycles, seen = [], np.zeros(len(self.points), bool)
        for start in range(len(self.points)):
            path, index = [], start
            while not seen[index]:
                seen[index] = True
                path.append(index)
                index = int(self.successor[index])
            if index in path:
                loop = path[path.index(index) :]
                first = loop.index(min(loop))
                cycles.append(tuple(loop[first:] + loop[:first]))
        return tuple(sorted(cycles))

    @classmethod
    def from_examples(cls, examples: HostStates, *, names: Sequence[str] | None = None) -> "Patterns":
        """Patterns in which every example is a cycle of length one. Equal examples are merged (see `merged`).

        **Arguments:** `examples`, n×state shape, real and finite, at least one; `names`, one for each. The first axis
        counts the examples: a single picture is `picture[None]`. An 8×8 array is read as 8 examples of 8 numbers.

        **Raises** `ValueError` for an empty array, an array with a single axis, NaN, infinities or anything but real
        numbers.

            >>> import numpy as np
            >>> Patterns.from_examples(np.eye(3, dtype="float32")).successor.tolist()
            [0, 1, 2]
        """
        points = checked(examples, "examples")
        check_names(names, len(points), "examples")
        first = equal_rows(points)
        kept = np.flatnonzero(first == np.arange(len(points)))
        merged = tuple((index, int(known)) for index, known in enumerate(first) if known != index)
        points = points[kept]
        return cls(points, np.arange(len(points)), merged, names=names_at(names, kept))

    @classmethod
    def from_pairs(cls, cues: HostStates, targets: HostStates, *, names: Sequence[str] | None = None) -> "Patterns":
        """Patterns that associate each cue with a target: a state is the cue and the target, one after the other.

        So a pair is an example like any other: a fixed point, certified as such. Recall takes a cue alone; the target
        is then the unknown part (`recall`, *from a part*), and so is a target alone, if it has another shape. Cues and
        targets may be pictures, words (`attrax.sources.encode_words`), sound, or anything else. Equal pairs are merged.

        **Arguments:** `cues`, n×cue shape, and `targets`, n×target shape, real and finite; `names`, one for each pair.

        **Raises** `ValueError` as `from_examples` does, where there is not one target for each cue, and where equal
        cues have different targets.

            >>> import numpy as np
            >>> pairs = Patterns.from_pairs(np.eye(3).reshape(3, 3, 1), np.array([[1.0], [2.0], [3.0]]))
            >>> pairs.shape, pairs.parts
            ((4,), ((3, 1), (1,)))
        """
        first, second = checked(cues, "cues"), checked(targets, "targets")
        if len(first) != len(second):
            raise ValueError(f"targets must be one for each of the {len(first)} cues; got {len(second)}")
        pairs = cls.from_examples(
            np.concatenate([one.reshape(len(one), -1) for one in (first, second)], axis=1), names=names
        )
        pairs = replace(pairs, parts=(first.shape[1:], second.shape[1:]))
        same = equal_rows(pairs.cues_of(pairs.points))
        twice = np.flatnonzero(same != np.arange(len(pairs)))
        if len(twice):
            raise ValueError(
                f"cues must differ where their targets do; pair {pairs.name(int(twice[0]))} has the cue of pair "
                f"{pairs.name(int(same[twice[0]]))} and another target"
            )
        return pairs

    @classmethod
    def from_cycles(cls, cycles: Sequence[HostStates]) -> "Patterns":
        """Patterns in which each given sequence is one cycle: its last state is followed by its first.

        `cycles` is a list of n sequences, each p×state shape, or an array n×p×state shape. A single film is `[film]`:
        an array of frames is taken for as many sequences as it has frames.

        **Raises** `ValueError` as `from_examples` does, and if a state would need two successors, which is impossible
        for a map of one state.

            >>> import numpy as np
            >>> Patterns.from_cycles([np.eye(3, dtype="float32")]).successor.tolist()
            [1, 2, 0]
        """
        check_several(cycles, "cycles")
        return cls.from_sequences(cycles)

    @classmethod
    def from_sequences(
        cls,
        sequences: Sequence[HostStates],
        *,
        end: str | Sequence[str] = "loop",
        context: int | str = 1,
        names: Sequence[str] | None = None,
    ) -> "Patterns":
        """Patterns from sequences of any length, each a cycle or an open sequence that ends in a fixed point.

        With a context of K, a state is the last K frames (Takens's delay embedding), so that equal frames with
        different successors become different states. Gray frames become the channels of one picture; all others are
        joined along their last axis. The first frame of an open sequence is repeated to fill its first states, and so
        is a single frame that is given as a cue. Equal states of open sequences that have equal successors are merged.

        **Arguments:**

        - `sequences`: arrays of length×frame shape; one of length 1 is a single example.
        - `end`: what follows the last state: with `loop` the first one, with `hold` the last one itself. One for all
          sequences, or one for each.
        - `context`: K, or `auto` for the least K that leaves no state with two successors.
        - `names`: the names of all frames, one after another. A state of several frames has the name of the latest.

        **Raises** `ValueError` as `from_examples` does; if a state would need two successors, which is impossible for
        a map of one state; and for a cycle that repeats itself or is given twice.

            >>> import numpy as np
            >>> a, b, c = np.eye(3)
            >>> Patterns.from_sequences([np.stack([a, b, c])], end="hold").successor.tolist()
            [1, 2, 2]
            >>> Patterns.from_sequences([np.stack([a, b, a, c])], context="auto").context
            2
        """
        check_several(sequences, "sequences")
        states = [checked(sequence, f"cycle {number}") for number, sequence in enumerate(sequences)]
        shapes = {sequence.shape[1:] for sequence in states}
        if len(shapes) > 1:
            raise ValueError(f"all cycles must have states of one shape; got the shapes {sorted(shapes)}")
        ends = [end] * len(states) if isinstance(end, str) else list(end)
        if len(ends) != len(states):
            raise ValueError(
                f"end must be one of {', '.join(ENDS)}, or one of them for each of the {len(states)} "
                f"sequences; got {len(ends)}"
            )
        holds = [checks.one_of("end", one, ENDS) == "hold" for one in ends]
        total = sum(len(sequence) for sequence in states)
        check_names(names, total, "frames")
        refuse_repeats(states, holds, names)
        if context != "auto":
            if isinstance(context, str):
                raise ArgumentError(f"{mention('context')} must be an integer of at least 1 or auto; got {context!r}")
            return cls(*embedded(states, holds, checks.integer("context", context, least=1), names))
        return cls(*embedded(states, holds, least_context(states, holds), names))
