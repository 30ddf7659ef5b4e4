"""Rivals on the same cues: what else could recall these examples, how well, at what size and how fast."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record, Rows
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Progress
from attrax.analysis._associators import ASSOCIATORS, DENOISER, Associator, Task, setting_text, task_of
from attrax.analysis._curves import curve_levels
from attrax.analysis._map_bytes import map_bytes
from attrax.corruptions import corrupt, known_entries, parse_corruption
from attrax.dynamics import recall
from attrax.memory import Memory, Thresholds, check_memory
from attrax.patterns import Patterns

RIVALS = tuple(ASSOCIATORS)
"""Names of the rivals."""
COMPARED = (
    "gaussian:0.5",
    "gaussian:1",
    "saltpepper:0.5",
    "drop:0.5",
    "drop:0.9",
    "uniform:0.7",
    "block:0.25",
    "occlude:0.5",
    "half:left,0.5",
    "blend:0.4",
    "shift:2",
    "rotate:10",
    "contrast:0.25",
)
"""The corruptions that are compared by default."""
_TUNING = 300
_ENOUGH = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Rival(Record):
    """How one memory answered the cues.

    **Fields:**

    - `name`: `"memory"` for the one that was given, or one of `RIVALS`.
    - `setting`: what the search chose (a rule, a threshold, β), as text.
    - `num_bytes`: the bytes it has to keep.
    - `identified`: for each corruption, the fraction of the answers whose nearest example is the right one.
    - `recovered`: the fraction that are also within a mean square of 1e-7 of it, in units of the examples, so
      that the picture itself was recovered.
    - `distance`: median root mean square between the answer and the right example, over the identified cues; for ±1
      networks, between the thresholded states. Zero is exact.
    - `seconds`: wall-clock time of one recall, in batches of one corruption.
    """

    name: str
    setting: str
    num_bytes: int
    identified: dict[str, float]
    recovered: dict[str, float]
    distance: float
    seconds: float

    derived: ClassVar = ("mean_identified", "mean_recovered")

    @property
    def mean_identified(self) -> float:
        """Mean over the corruptions."""
        return float(np.mean(list(self.identified.values())))

    @property
    def mean_recovered(self) -> float:
        """Mean over the corruptions."""
        return float(np.mean(list(self.recovered.values())))


@dataclass(frozen=True, slots=True, eq=False)
class Capacity(Record):
    """How many examples a rival can store within a budget.

    **Fields:**

    - `name`: name of the rival.
    - `num_examples`: the largest number found at which the mean over the corruptions of the fraction recovered (for the
      denoiser: identified) is at least 90 %, estimated from 300 cues; 0 if none was found.
    - `num_bytes`, `rate`: at that number.
    - `limit`: `"budget"`, `"rate"`, or `"examples"`: what limits a larger number (`"examples"`: there were no more).
    """

    name: str
    num_examples: int
    num_bytes: int
    rate: float
    limit: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(Rows):
    """Rivals on the same cues.

    **Fields:** `rivals`, the memory first; `capacities`, within `budget` bytes; `corruptions`; `num_examples`, the
    number of examples each stores; `dimension`, entries per state.
    """

    rows_of: ClassVar[str] = "rivals"

    rivals: tuple[Rival, ...]
    capacities: tuple[Capacity, ...]
    corruptions: tuple[str, ...]
    num_examples: int
    dimension: int
    budget: int


def compare(
    memory: Memory,
    corruptions: Sequence[str] | None = None,
    *,
    rivals: Sequence[str] | None = None,
    budget: int | None = None,
    more: HostStates | None = None,
    max_steps: int = 1000,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Comparison:
    """Gives the cues of a memory to other associative memories that store the same examples.

    Rivals: the nearest neighbor by Euclidean distance, cosine and correlation; by distance over the known entries
    (given if the corruption leaves any unchanged); over all shifts and rotations of the examples that the corruptions
    can produce; Hopfield's network and the pseudo-inverse rule on thresholded examples (for cycles with W = Σ ξ_{i+1}
    ξ_iᵀ); the modern Hopfield network; and a denoising autoencoder, trained on such cues and used once. Settings are
    chosen by how many of 300 other cues of the same corruptions, drawn only for this, are identified: the rule for the
    moved examples; six thresholds and centerings; β among eleven values from 0.1 to 10,000 over the spread of the data,
    for each of three similarities; of two denoisers, 3×512 trained for 1,000 epochs and 5×512 for 3,000, both on the
    cues' own corruptions. Bytes are the fewest that suffice: one per entry for eight-bit pictures, and bits for ±1
    patterns where those take less than the couplings.

    On cycles, the right answer of a rival that iterates is the state that many steps later, of the denoiser the next
    state, and of a nearest neighbor the example itself.

    **Arguments:**

    - `corruptions`: as in `recovery_curves`; `COMPARED` by default.
    - `rivals`: some of `RIVALS`; all by default.
    - `budget`: bytes within which each rival may store as many examples as it can, those of `memory` first and then
      those of `more`; by default the size of the memory.
    - `more`: further examples of the same shape.
    - `max_steps`: maximum number of applications of the memory's map.
    - `progress`: called with the number of rivals done.
    - `key`: random key for the draws.

    **Returns:** `Comparison`. **Raises** `ValueError` for wrong arguments.

        >>> import jax
        >>> from attrax import Patterns
        >>> memory = Memory(lambda x: jax.numpy.where(x > 0.5, 1.0, 0.0), Patterns.from_examples(np.eye(3)))
        >>> compare(memory, ["gaussian:0.05"], rivals=["1-NN cosine"], key=jr.key(0)).rivals[1].recovered
        {'gaussian:0.05': 1.0}
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    points = np.asarray(memory.originals)
    names = _names(corruptions, patterns.shape, len(patterns))
    chosen = RIVALS if rivals is None else tuple(checks.one_of("each of rivals", name, RIVALS) for name in rivals)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    own_bytes = map_bytes(memory.map)
    budget = own_bytes if budget is None else checks.integer("budget", budget, least=1)
    pool = _pool(points, more)
    task = task_of(patterns, points, names, jr.fold_in(key, 2))
    cues = [corrupt(name, points, key=jr.fold_in(jr.fold_in(key, 0), row)) for row, name in enumerate(names)]
    known = [known_entries(name, points, key=jr.fold_in(jr.fold_in(key, 0), row)) for row, name in enumerate(names)]
    tuning = _tuning(task, jr.fold_in(key, 1))
    found = [_own(memory, names, cues, own_bytes, max_steps)]
    capacities = [_own_capacity(found[0], len(points), budget)]
    for number, name in enumerate(chosen, start=1):
        make, settings = ASSOCIATORS[name]
        setting = settings[0]
        if len(settings) > 1:
            scores = [_score(make(task, one), tuning) for one in settings]
            setting = settings[int(np.argmax(scores))]
        built = make(task, setting)
        found.append(_measured(name, setting, built, names, cues, known))
        capacities.append(_capacity(name, setting, task, pool, names, budget, jr.fold_in(key, 3), found[-1]))
        if progress is not None:
            progress("comparing", number, len(chosen), {"identified": found[-1].mean_identified})
    return Comparison(tuple(found), tuple(capacities), names, len(points), points[0].size, budget)


def _names(corruptions: Sequence[str] | None, shape: tuple[int, ...], num: int) -> tuple[str, ...]:
    if corruptions is not None:
        return tuple(dict.fromkeys(name for _, _, name in curve_levels(corruptions, shape, num)))
    return tuple(name for name in COMPARED if parse_corruption(name).fits(shape, num))


def _pool(points: HostStates, more: HostStates | None) -> HostStates:
    if more is None:
        return points
    more = state_batch("more", more, points.shape[1:])
    every = np.concatenate([points, more.astype(points.dtype)])
    _, first = np.unique(every.reshape(len(every), -1), axis=0, return_index=True)
    return every[np.sort(first)]


_Cues = list[tuple[np.ndarray, np.ndarray | None, np.ndarray]]
"""Cues as vectors, their known entries, and the examples they were made from."""


def _tuning(task: Task, key: PRNGKeyArray) -> _Cues:
    """Other cues of the same corruptions, 300 in total, of examples drawn with replacement.

    Their number is the same for any number of examples, so nothing is compiled again.
    """
    each = max(_TUNING // len(task.corruptions), 1)
    found = []
    for number, name in enumerate(task.corruptions):
        draw = jr.fold_in(key, number)
        rows = np.random.default_rng(number).integers(len(task.points), size=each)
        cues = corrupt(name, task.points[rows], partners=task.points, key=draw)
        known = known_entries(name, task.points[rows], key=draw)
        found.append((_vectors(cues), None if known is None else known.reshape(len(rows), -1), rows))
    return found


def _vectors(states: HostStates) -> np.ndarray:
    return np.asarray(states, np.float64).reshape(len(states), -1)


def _right(built: Associator, values: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each answer is nearest to the right example, and its mean squared distance to it."""
    references, expected = built.references, built.expected[expected]
    finite = np.asarray(np.isfinite(values).all(axis=1))
    values = np.where(finite[:, None], values, 0.0)
    likeness = values @ references.T - 0.5 * (references**2).sum(axis=1)
    size = float((references**2).sum(axis=1).max())
    # Ties count as right: two examples may have the same thresholded pattern.
    best, own = likeness.max(axis=1), likeness[np.arange(len(values)), expected]
    right = finite & (own >= best - 1e-9 * np.maximum(np.abs(best), size))
    return right, np.mean((values - references[expected]) ** 2, axis=1)


def _recovery(built: Associator) -> float:
    """The paper's threshold, as a root mean square, in units of what the answers are compared with."""
    references = built.references
    return Thresholds.mean_square(1, Patterns(references, np.arange(len(references))).unit).recovery


def _score(built: Associator, cues: _Cues) -> float:
    """Fraction of the cues identified, plus a small weight for those recovered, which breaks ties."""
    identified, recovered, total = 0, 0, 0
    for vectors, known, expected in cues:
        right, gaps = _right(built, built.answer(vectors, known), expected)
        identified += int(right.sum())
        recovered += int((right & (np.sqrt(gaps) < _recovery(built))).sum())
        total += len(expected)
    return (identified + recovered) / (2 * total)


def _recovered(built: Associator, cues: _Cues) -> float:
    """Mean over the corruptions of the fraction recovered."""
    scores = []
    for vectors, known, expected in cues:
        right, gaps = _right(built, built.answer(vectors, known), expected)
        scores.append(float((right & (np.sqrt(gaps) < _recovery(built))).mean()))
    return float(np.mean(scores))


def _measured(name: str, setting: Any, built: Associator, names: tuple[str, ...], cues: Any, known: Any) -> Rival:
    identified, recovered, all_gaps, seconds, total = {}, {}, [], 0.0, 0
    built.answer(_vectors(cues[0][:1]), None)  # so that compilation is not timed
    for corruption, states, mask in zip(names, cues, known, strict=True):
        vectors = _vectors(states)
        told = None if mask is None else mask.reshape(len(mask), -1)
        begun = time.perf_counter()
        values = built.answer(vectors, told)
        seconds += time.perf_counter() - begun
        right, gaps = _right(built, values, np.arange(len(vectors)))
        identified[corruption] = float(right.mean())
        recovered[corruption] = float((right & (np.sqrt(gaps) < _recovery(built))).mean())
        all_gaps.append(np.sqrt(gaps[right]))
        total += len(vectors)
    every = np.concatenate(all_gaps)
    distance = float(np.median(every)) if len(every) else float("nan")
    return Rival(name, setting_text(name, setting), built.num_bytes, identified, recovered, distance, seconds / total)


def _own(memory: Memory, names: tuple[str, ...], cues: Any, num_bytes: int, max_steps: int) -> Rival:
    points = np.asarray(memory.originals, np.float64)
    vectors = points.reshape(len(points), -1)
    whole = Associator(num_bytes, vectors, lambda cues, known: cues, np.arange(len(vectors)))
    recall(memory, cues[0][:1], max_steps=max_steps)  # compiles
    identified, recovered, all_gaps, seconds = {}, {}, [], 0.0
    patterns = memory.examples()
    # A cycle may be reached at any of its states, and of several frames recall returns only the latest.
    by_status = patterns.context > 1 or any(len(cycle) > 1 for cycle in patterns.cycles)
    for corruption, states in zip(names, cues, strict=True):
        begun = time.perf_counter()
        answer = recall(memory, states, expected=np.arange(len(points)), reading="mean_square", max_steps=max_steps)
        seconds += time.perf_counter() - begun
        right, gaps = answer.recovered, answer.distance**2 / vectors.shape[1]
        if not by_status:
            right, gaps = _right(whole, _vectors(answer.value), np.arange(len(points)))
        gaps = np.where(answer.recovered, answer.distance**2 / vectors.shape[1], gaps)
        identified[corruption] = float(right.mean())
        recovered[corruption] = answer.recovery_rate
        all_gaps.append(np.sqrt(gaps[right]))
    every = np.concatenate(all_gaps)
    distance = float(np.median(every)) if len(every) else float("nan")
    return Rival(
        "memory", "as written", num_bytes, identified, recovered, distance, seconds / (len(names) * len(vectors))
    )


def _own_capacity(own: Rival, num: int, budget: int) -> Capacity:
    if own.num_bytes > budget:
        return Capacity("memory", 0, own.num_bytes, own.mean_recovered, "budget")
    enough = own.mean_recovered >= _ENOUGH
    return Capacity("memory", num if enough else 0, own.num_bytes, own.mean_recovered, "examples" if enough else "rate")


def _capacity(
    name: str,
    setting: Any,
    task: Task,
    pool: HostStates,
    names: tuple[str, ...],
    budget: int,
    key: PRNGKeyArray,
    measured: Rival,
) -> Capacity:
    """Bisection for the largest number of examples, assuming that the rate falls with it.

    The settings found for the memory's own examples are kept if they fit, and searched again, on the same cues, if not.
    """
    make, trains = ASSOCIATORS[name][0], name == DENOISER
    tried: dict[int, tuple[int, float]] = {}
    whole = Task(pool, np.arange(len(pool)), np.ones(len(pool), int), names, task.key)

    def at(num: int) -> tuple[int, float]:
        if num not in tried:
            part, best = whole.first(num), (0, 0.0)
            cues: _Cues | None = None
            for one in dict.fromkeys((setting, *ASSOCIATORS[name][1])):
                built = make(part, one)
                if built.num_bytes > budget:
                    best = best if best[0] else (built.num_bytes, 0.0)
                    continue
                cues = _tuning(part, jr.fold_in(key, num)) if cues is None else cues
                rate = _recovered(built, cues)
                if rate > best[1] or not 0 < best[0] <= budget:
                    best = (built.num_bytes, rate)
                if rate >= _ENOUGH:
                    break
            tried[num] = best
        return tried[num]

    if trains:
        # There is time for only one training: its size does not change with the number of examples.
        fits = measured.num_bytes <= budget
        rate = measured.mean_identified
        enough = fits and rate >= _ENOUGH
        num = len(task.points) if enough else 0
        return Capacity(name, num, measured.num_bytes, rate, "examples" if enough else ("rate" if fits else "budget"))
    least = 2 if any(parse_corruption(corruption).partner for corruption in names) else 1

    def good(num: int) -> bool:
        size, rate = at(num)
        return size <= budget and rate >= _ENOUGH

    if len(pool) < least or not good(least):
        size, rate = at(least) if len(pool) >= least else (0, 0.0)
        return Capacity(name, 0, size, rate, "budget" if size > budget else "rate")
    low, high = least, len(pool)
    if good(len(pool)):
        low = len(pool)
    while low < len(pool) and high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    size, rate = at(low)
    limit = "examples" if low == len(pool) else ("budget" if at(low + 1)[0] > budget else "rate")
    return Capacity(name, low, size, rate, limit)
