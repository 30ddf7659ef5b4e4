"""Which stored cycle a limit matches, at which of its states, and where the path first reaches a stored state."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.lengths import row_lengths
from attrax._base.numerics import float64, squared_distances
from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates
from attrax.dynamics._coordinates import states_of
from attrax.dynamics._loop import run
from attrax.maps import ReducedMap, reduced_map
from attrax.memory import READINGS, Memory, Thresholds, check_memory
from attrax.patterns import Patterns

_PIECE = 512
"""States compared with all stored ones at a time."""


def thresholds_of(memory: Memory, reading: str = "auto", reduced: ReducedMap | None = None) -> Thresholds:
    """The paper's thresholds as they apply to `memory`.

    A network left at the paper's stopping loss of 1e-8 has its fixed points farther from the examples than the 1e-7 of
    the literal reading. So `auto` takes the literal reading if the stored points are the given ones and the map takes
    each to its successor, both to within that distance; otherwise it takes mean squares. `reduced` is the reduced map
    of the memory, if it is already known.

    **Raises** `ValueError` for an unknown reading, and if the memory holds no patterns.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> ax.dynamics.thresholds_of(memory)
    Thresholds(reading: 'literal', convergence: 1.88562e-08, recovery: 1.88562e-07, unit: 1.88562)

    ```
    """
    check_memory(memory)
    patterns = memory.examples()
    checks.one_of("reading", reading, READINGS)
    literal = Thresholds.literal(patterns.unit)
    mean_square = Thresholds.mean_square(int(np.prod(patterns.shape)), patterns.unit)
    if reading != "auto":
        return literal if reading == "literal" else mean_square
    points = np.asarray(patterns.points, np.float64)
    moved = points - np.asarray(memory.originals, np.float64)
    if np.linalg.norm(moved.reshape(len(points), -1), axis=1).max() > literal.recovery:
        return mean_square
    certificate = memory.certificate
    if certificate is not None and len(np.unique(patterns.successor)) == len(patterns) and not certificate.moved.any():
        # Of the stored points themselves, so that the map need not be applied to all of them once more.
        return literal if (certificate.residual <= literal.recovery).all() else mean_square
    if reduced is None:
        with float64():
            reduced = reduced_map(memory.map, patterns.shape)
    residual = (
        states_of(reduced, run(reduced, points, max_steps=1, atol=literal.convergence).z) - points[patterns.successor]
    )
    reached = np.linalg.norm(residual.reshape(len(points), -1), axis=1).max() <= literal.recovery
    return literal if reached else mean_square


@dataclass(frozen=True, slots=True, eq=False)
class Match(Record):
    """The stored cycle that a lap (the states of one period, in order) matches best.

    **Fields:** `cycle`, its index in `Patterns.cycles`, −1 if none has as many states; `order`, the stored state
    matched by each state of the lap; `apart`, the distance of each from its match; `recovered`, whether the lap counts
    as this cycle; `nearest` and `distance`, the stored state nearest to the last state of the lap, and the distance to
    it.
    """

    cycle: int
    order: HostIndices
    apart: Float[np.ndarray, " p"]
    recovered: bool
    nearest: int
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class StoredCycles(Record):
    """The stored states, prepared for comparing limits with them.

    **Fields:**

    - `patterns`; `references`, n×d: the states as vectors, float64, as the reading of the thresholds has them;
      `squares`, their squared norms; `mean`, d, their mean.
    - `recovery`: a state counts as a stored one when it is closer than this.
    - `cycles`: those of the patterns, as `Patterns.cycles`.
    - `cycle`: for each stored state, the index of the cycle that it lies on or leads to.
    - `length`: the length of that cycle if the state lies on it, else 0.
    - `phase`: the position of the state in that cycle, or else in the first open sequence that contains it.
    """

    patterns: Patterns
    references: Float[np.ndarray, "n d"]
    squares: Float[np.ndarray, " n"]
    mean: Float[np.ndarray, " d"]
    recovery: float
    cycles: tuple[tuple[int, ...], ...]
    cycle: HostIndices
    length: Int[np.ndarray, " n"]
    phase: Int[np.ndarray, " n"]

    @classmethod
    def of(cls, memory: Memory, thresholds: Thresholds) -> "StoredCycles":
        """The states of a memory: the points for the literal reading, the originals for mean squares."""
        patterns = memory.examples()
        states = patterns.points if thresholds.reading == "literal" else memory.originals
        cycle, length = np.full(len(patterns), -1), np.zeros(len(patterns), int)
        phase = np.zeros(len(patterns), int)
        cycles = patterns.cycles
        if sum(map(len, cycles)) < len(patterns):
            for sequence in reversed(patterns.open_sequences):  # the first one last, so that its positions stay
                phase[list(sequence)] = np.arange(len(sequence))
        for number, indices in enumerate(cycles):
            cycle[list(indices)], length[list(indices)] = number, len(indices)
            phase[list(indices)] = np.arange(len(indices))
        while (cycle < 0).any():  # states of open sequences, from the last one to the first
            cycle = np.where(cycle < 0, cycle[patterns.successor], cycle)
        references = np.asarray(states, np.float64).reshape(len(patterns), -1)
        squares, mean = (references**2).sum(axis=1), references.mean(axis=0)
        return cls(patterns, references, squares, mean, thresholds.recovery, cycles, cycle, length, phase)

    @property
    def has_open_sequences(self) -> bool:
        """Whether some stored states lead to a cycle without being on one."""
        return bool((self.length == 0).any())

    @property
    def first(self) -> HostIndices:
        """The first state of each cycle."""
        return np.array([indices[0] for indices in self.cycles], int)

    def nearest(
        self, states: HostStates, among: HostIndices | None = None
    ) -> tuple[HostIndices, Float[np.ndarray, " n"]]:
        """The stored state nearest to each of `states`, of all or `among` some, and the distance to it."""
        vectors = states.reshape(len(states), self.references.shape[1])
        references = self.references if among is None else self.references[among]
        squares = self.squares if among is None else self.squares[among]
        index = np.zeros(len(vectors), int)
        # The expanded square suffices for ranking. Its rounding depends on how many rows are multiplied together, so
        # what it does not tell apart is decided for each row by the distance itself, computed without cancellation.
        longest = np.sqrt(squares.max())
        rounding = 4 * np.finfo(float).eps * vectors.shape[1] * longest
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(vectors), _PIECE):
                part = vectors[start : start + _PIECE]
                scores = squares - 2 * (part @ references.T)
                best = scores.argmin(axis=1)
                most = scores.min(axis=1) + rounding * (longest + row_lengths(part))
                close = scores <= most[:, None]
                for row in np.flatnonzero(close.sum(axis=1) > 1):
                    equal = np.flatnonzero(close[row])
                    best[row] = equal[np.linalg.norm(references[equal] - part[row], axis=1).argmin()]
                index[start : start + _PIECE] = best
            distance = np.linalg.norm(vectors - references[index], axis=1)
        return index if among is None else among[index], distance

    def match_points(self, points: HostStates) -> list[Match]:
        """`match` for each of several fixed points."""
        nearest, least = self.nearest(points)
        fixed = np.flatnonzero(self.length == 1)
        if not len(fixed):
            none, far = np.zeros(0, int), np.full(1, np.inf)
            return [Match(-1, none, far, False, int(i), float(x)) for i, x in zip(nearest, least, strict=True)]
        order, apart = (nearest, least) if len(fixed) == len(self.length) else self.nearest(points, fixed)
        recovered = ((order == nearest) | (apart <= least)) & (apart < self.recovery)
        rows = zip(self.cycle[order].tolist(), recovered.tolist(), nearest.tolist(), least.tolist(), strict=True)
        return [
            Match(cycle, order[[row]], apart[[row]], matched, near, distance)
            for row, (cycle, matched, near, distance) in enumerate(rows)
        ]

    def match(self, lap: HostStates) -> Match:
        """Matches a lap, the states of one period in order, with the stored cycles.

        It counts as the best match if each state is closer than `recovery` to its counterpart, and no other stored
        state is closer to the last one.
        """
        if len(lap) == 1:
            return self.match_points(lap)[0]
        vectors = lap.reshape(len(lap), -1)
        nearest, least = (found[0] for found in self.nearest(vectors[-1:]))
        number, order = self._aligned(vectors)
        apart = (
            np.linalg.norm(vectors - self.references[order], axis=1) if number >= 0 else np.full(len(vectors), np.inf)
        )
        own = number >= 0 and (order[-1] == nearest or apart[-1] <= least)
        recovered = bool(own and (apart < self.recovery).all())
        return Match(number, order, apart, recovered, int(nearest), float(least))

    def _aligned(self, vectors: Float[np.ndarray, "p d"]) -> tuple[int, HostIndices]:
        """The stored cycle of this length, and its rotation, that these states match best; −1 if there is none."""
        best: tuple[float, int, tuple[int, ...]] = (np.inf, -1, ())
        apart = squared_distances(vectors - self.mean, self.references - self.mean)
        for number, indices in enumerate(self.cycles):
            if len(indices) != len(vectors):
                continue
            for turn in range(len(indices)):
                order = indices[turn:] + indices[:turn]
                best = min(best, (float(apart[np.arange(len(order)), order].max()), number, order))
        return best[1], np.array(best[2], int)

    def from_here(self, index: int) -> list[int]:
        """A stored state and those after it: the rest of an open sequence, then one round of its cycle."""
        path = [index]
        while not self.length[path[-1]]:
            path.append(int(self.patterns.successor[path[-1]]))
        for _ in range(int(self.length[path[-1]]) - 1):
            path.append(int(self.patterns.successor[path[-1]]))
        return path

    def before_each(self, index: HostIndices, states: HostStates) -> HostIndices:
        """`before` for each of several states, where every stored state has one predecessor; −1 where `index` is −1."""
        vectors = states.reshape(len(states), self.references.shape[1])
        rows = np.flatnonzero(index >= 0)
        before = np.argsort(self.patterns.successor)[index]
        # A few entries tell for nearly all.
        for part in (slice(0, 16), slice(None)):
            apart = vectors[:, part][rows] - self.references[:, part][before[rows]]
            rows = rows[np.linalg.norm(apart, axis=1) < self.recovery]
        found = np.full(len(vectors), -1)
        found[rows] = before[rows]
        return found

    def before(self, index: int, state: Float[np.ndarray, " d"]) -> int:
        """The stored predecessor of `index` that `state` matches; −1 if there is none."""
        candidates = np.flatnonzero(self.patterns.successor == index)
        if not len(candidates):
            return -1
        distance = np.linalg.norm(self.references[candidates] - state, axis=1)
        return int(candidates[distance.argmin()]) if distance.min() < self.recovery else -1
