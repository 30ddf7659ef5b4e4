"""The census of limits: what very many starts end in, and with what confidence."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import jax.random as jr
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import alone
from attrax._base.shown import Record, Rows
from attrax._base.status import Verdict
from attrax._base.types import HostStates, Progress
from attrax.analysis._census_blocks import BLOCK, CensusSoFar, ends_of_blocks, starts_within, with_block
from attrax.analysis._census_file import census_fingerprint, read_census, write_census
from attrax.analysis._intervals import chao1, check_confidence, discovery_curve, upper_confidence_bound
from attrax.analysis._labels import DIVERGED, NOT_CONVERGED, StoredEnds, nearest, stored_ends
from attrax.analysis._limits import Runner, cycle_of, runner
from attrax.analysis._starts import allot, can_derive, check_shares, make_starts
from attrax.certificates import certify
from attrax.dynamics import refine
from attrax.memory import Memory, check_memory
from attrax.patterns import Patterns

_START_BYTES = 64
"""What is kept of a start, with the copies that are made of it."""
_SAVE_EVERY = 10.0


class LimitKind(StrEnum):
    """What a start ended in."""

    STORED = "stored"
    """A stored example, or a stored cycle."""
    SPURIOUS = "spurious"
    """A fixed point farther than the threshold from every stored example; its verdict says whether it is an
    attractor."""
    CYCLE = "cycle"
    """A cycle that matches no stored one; `period` is its length."""
    SADDLE = "saddle"
    """A fixed point with an eigenvalue beyond 1: rounding kept the iteration there, or it lies on its stable set."""


@dataclass(frozen=True, slots=True, eq=False)
class Limit(Record):
    """One limit that starts ended in.

    **Fields:**

    - `kind`: a `LimitKind`.
    - `count`: how many starts ended there.
    - `period`: 1 for a fixed point.
    - `index`: for a stored one, the index of the cycle in `Patterns.cycles` (of the example, if all are fixed points).
    - `state`: the limit, one of its states for a cycle, float64; refined by Newton's method if it has a verdict.
    - `nearest`, `distance`: the nearest stored point and the Euclidean distance to it.
    - `verdict`: the verdict of its certificate; `None` if it was not examined.
    - `spectral_radius`, `upper_bound`: as in `Certificate`; NaN if it was not examined.
    """

    kind: LimitKind
    count: int
    period: int
    index: int
    state: HostStates
    nearest: int
    distance: float
    verdict: Verdict | None = None
    spectral_radius: float = float("nan")
    upper_bound: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Census(Rows):
    """What many starts ended in.

    **Fields:**

    - `limits`: the limits found, stored ones first, then by how often they were reached.
    - `label`: for each of n starts, the index of its limit; −1 if it diverged, −2 if it did not converge.
    - `start_kind`: for each start, its kind (one of `START_KINDS`).
    - `num_steps`: for each start, how often the map was applied, including checks in float64.
    - `num_stored`: number of examples (or cycles) that the memory stores.
    - `confidence`: the level of `upper_bound`.
    """

    rows_of: ClassVar[str] = "limits"

    limits: tuple[Limit, ...]
    label: Int[np.ndarray, " n"]
    start_kind: np.ndarray
    num_steps: Int[np.ndarray, " n"]
    num_stored: int
    confidence: float

    @property
    def starts(self) -> int:
        """How many starts there were."""
        return len(self.label)

    @property
    def recovered(self) -> int:
        """How many ended at a stored example."""
        return sum(limit.count for limit in self.limits if limit.kind is LimitKind.STORED)

    @property
    def other(self) -> int:
        """How many ended anywhere else, including those that diverged or did not converge."""
        return self.starts - self.recovered

    @property
    def diverged(self) -> int:
        """How many diverged."""
        return int((self.label == DIVERGED).sum())

    @property
    def not_converged(self) -> int:
        """How many did not converge within the step limit."""
        return int((self.label == NOT_CONVERGED).sum())

    @property
    def upper_bound(self) -> float:
        """Clopper and Pearson's upper bound on the probability that such a start does not end at a stored example."""
        return upper_confidence_bound(self.other, self.starts, confidence=self.confidence)

    @property
    def by_kind(self) -> dict[str, dict[str, float]]:
        """For each kind of start: the number of starts, of those recovered and of the others, and the bound for this
        kind alone."""
        stored = np.array([limit.kind is LimitKind.STORED for limit in self.limits] + [False, False], bool)
        good = stored[self.label]  # the two negative labels index the last two entries
        found = {}
        for kind in dict.fromkeys(self.start_kind.tolist()):
            mine = self.start_kind == kind
            total, right = int(mine.sum()), int(good[mine].sum())
            bound = upper_confidence_bound(total - right, total, confidence=self.confidence)
            found[kind] = {"starts": total, "recovered": right, "other": total - right, "upper_bound": bound}
        return found

    def counts(self, *, stored: bool | None = None) -> Int[np.ndarray, " m"]:
        """How often each limit was reached: for all limits, only the stored ones, or only the spurious ones."""
        return np.array(
            [limit.count for limit in self.limits if stored is None or (limit.kind is LimitKind.STORED) == stored], int
        )

    def richness(self, *, stored: bool | None = None) -> float:
        """Chao's estimate of the number of limits, including those that no start has reached yet; see `chao1`."""
        return chao1(self.counts(stored=stored))

    def discovery(self, num_points: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of starts, and the mean number of limits, and of spurious limits, that this many starts find."""
        sizes = np.unique(np.linspace(0, self.starts, checks.integer("num_points", num_points, least=2)).astype(int))
        curves = [discovery_curve(self.counts(stored=kind), sizes, total=self.starts) for kind in (None, False)]
        return sizes, curves[0], curves[1]


def find_spurious(
    memory: Memory,
    images: Any = None,
    *,
    num_starts: int = 1000,
    shares: Mapping[str, float] | None = None,
    max_steps: int = 10_000,
    confidence: float = 0.95,
    num_certified: int = 100,
    memory_limit: int | None = None,
    dask: str | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Census:
    """Iterates the map from very many starts and counts the ends: the paper's test for spurious attractors.

    Starts are given states, uniform and Gaussian noise, and blends, midpoints, enlarged parts and mirror images of the
    stored examples (`START_KINDS`). Each given state is used once. If their share requires more, the rest are enlarged
    parts, mirror images and blends of given states, counted separately as `derived`. Starts are made and run in blocks;
    only the labels and the limits are kept. Coarse steps are taken in float32, the last ones, down to the paper's mean
    squared change of 1e-17, in float64.

    A limit counts as a stored example if its mean squared distance to the example as given is below 1e-7, the paper's
    threshold. Others, the spurious ones, are merged by the same distance. The most frequent of these are refined by
    Newton's method and get a verdict. If the refined point turns out to be a stored example, or another limit, its
    starts are counted there.

    **Arguments:**

    - `images`: states that were not stored, m×state shape; any object that can be sliced, such as a memory map.
    - `num_starts`: number of starts.
    - `shares`: weights of the kinds of starts; by default those of `DEFAULT_SHARES` that are possible.
    - `max_steps`: maximum number of applications of the map.
    - `confidence`: confidence of the upper bound on the probability of ending elsewhere. It applies to starts drawn
      like these.
    - `num_certified`: how many of the spurious limits are refined and get a verdict.
    - `memory_limit`: bytes that the starts at work take together at most, in pieces as large as that allows; the memory
      itself, coordinates of its examples and the limits found come on top.
    - `dask`: address of a Dask scheduler, whose workers run the blocks; see `recall`.
    - `checkpoint`: a file to save the census to from time to time. If it exists, the census continues from it.
    - `progress`: called with the number of finished starts.
    - `key`: random key for the draws.

    **Returns:** `Census`. **Raises** `ValueError` for wrong arguments, a memory without patterns, or a checkpoint of
    another census; if Dask is needed but not installed, does not respond, or is lost.
    **Source:** Radhakrishnan, Belkin and Uhler (2020), the test for spurious attractors.

        >>> import jax.random as jr
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.zeros((1, 3))))
        >>> census = find_spurious(memory, num_starts=20, key=jr.key(0))
        >>> census.recovered, census.other, round(census.upper_bound, 3)
        (20, 0, 0.139)
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    points = np.asarray(patterns.points, np.float64)
    images = _check_images(images, patterns.shape)
    num_starts = checks.integer("num_starts", num_starts, least=1)
    what = f"{mention('num_starts')}: where {num_starts:,} starts end"
    refuse_beyond_memory(what, _START_BYTES * num_starts, "take fewer")
    max_steps = checks.integer("max_steps", max_steps, least=1)
    num_certified = checks.integer("num_certified", num_certified, least=0)
    confidence = check_confidence(confidence)
    shares = check_shares(shares, points, images)
    counts = allot(num_starts, shares, len(points), 0 if images is None else len(images), can_derive(points, images))
    at_once = starts_within(memory_limit, memory)
    seed = tuple(int(word) for word in np.asarray(jr.key_data(key)).ravel())
    run = runner(memory)
    stored = stored_ends(run, memory, at_once)
    found = CensusSoFar(np.zeros((0, points[0].size), np.float32), [], [], 0)
    fingerprint = ""
    if checkpoint is not None:
        fingerprint = census_fingerprint(memory, images, [BLOCK, counts, list(seed), max_steps])
    with contextlib.nullcontext() if checkpoint is None else alone(checkpoint):
        if checkpoint is not None and Path(checkpoint).exists():
            found = read_census(Path(checkpoint), fingerprint, points[0].size)
        saved = time.monotonic()
        blocks = [(kind, first) for kind, count in counts.items() for first in range(0, count, BLOCK)]
        done = found.blocks
        drawn = (
            make_starts(kind, first, min(BLOCK, counts[kind] - first), counts[kind], points, images, seed)
            for kind, first in blocks[done:]
        )
        every = ends_of_blocks(drawn, run, max_steps, stored.thresholds.convergence, at_once, dask)
        for number, ends in enumerate(every, start=done + 1):
            found = with_block(found, run, stored, ends)
            if checkpoint is not None and (time.monotonic() - saved > _SAVE_EVERY or number == len(blocks)):
                write_census(Path(checkpoint), found, fingerprint)
                saved = time.monotonic()
            if progress is not None:
                labels = np.concatenate(found.labels)
                numbers = {"elsewhere": float((labels < 0).sum() + (labels >= stored.num).sum())}
                progress("starting", len(labels), num_starts, numbers)
    label, steps = np.concatenate(found.labels), np.concatenate(found.steps)
    limits, label = _resolve(memory, run, stored, found, label, num_certified, memory_limit, progress)
    kinds = np.repeat(np.array(list(counts), object), list(counts.values()))
    return Census(limits, label, kinds, steps, stored.num, confidence)


def _check_images(images: Any, shape: tuple[int, ...]) -> Any:
    if images is None:
        return None
    if not hasattr(images, "shape"):
        images = np.asarray(images)
    if tuple(images.shape[1:]) != shape or not images.shape[0]:
        raise ValueError(
            f"images must be states of shape {shape}, one per row, as the memory stores them; got an array of shape "
            f"{tuple(images.shape)}"
        )
    return images


def _resolve(
    memory: Memory,
    run: Runner,
    stored: StoredEnds,
    found: CensusSoFar,
    label: np.ndarray,
    num_certified: int,
    memory_limit: int | None,
    progress: Progress | None,
) -> tuple[tuple[Limit, ...], np.ndarray]:
    """The limits with their certificates, in order, and the matching labels."""
    states, periods = found.states, found.periods
    points = np.asarray(memory.examples().points, np.float64)
    counts = Counter(label[label >= 0].tolist())
    foreign = sorted(
        (number for number in counts if number >= stored.num), key=lambda number: (-counts[number], number)
    )
    renamed: dict[int, int] = {}
    cycles: dict[int, HostStates] = {}
    kept: list[int] = []
    looked_at = 0
    for done, number in enumerate(foreign):
        place = number - stored.num
        cycle = cycle_of(run, states[place].astype(np.float64).reshape(run.shape), periods[place])
        cycles[number] = cycle
        if done >= num_certified:
            kept.append(number)
            continue
        refined = refine(
            memory.map,
            cycle,
            max_move=10 * stored.thresholds.recovery,
            reduced=run.fine_map,
            unit=stored.thresholds.unit,
        )
        cycle = refined.points
        if progress is not None:
            progress("refining", done + 1, min(num_certified, len(foreign)), {})
        cycles[number] = cycle
        match = stored.cycles.match(cycle)
        if match.recovered:
            renamed[number] = match.cycle
            continue
        same = [other for other in kept if _same(cycles[other], cycle, stored.thresholds.recovery)]
        if same:
            renamed[number] = same[0]
        else:
            kept.append(number)
            looked_at += 1
    for number, other in renamed.items():
        counts[other] += counts.pop(number)
    certificate = _certify(memory, [cycles[number] for number in kept[:looked_at]], memory_limit, progress)
    first = stored.cycles.first
    known = memory.certificate
    limits = [
        Limit(
            LimitKind.STORED,
            counts[number],
            int(stored.cycles.length[first[number]]),
            number,
            points[first[number]],
            int(first[number]),
            0.0,
            **(
                {}
                if known is None
                else {
                    "verdict": known.verdict[number],
                    "spectral_radius": float(known.spectral_radius[number]),
                    "upper_bound": float(known.upper_bound[number]),
                }
            ),
        )
        for number in range(stored.num)
        if counts[number]
    ]
    order = [number for number in range(stored.num) if counts[number]]
    others = []
    for place, number in enumerate(kept):
        cycle = cycles[number]
        near, distance = stored.cycles.nearest(cycle[:1])
        kind = LimitKind.SPURIOUS if len(cycle) == 1 else LimitKind.CYCLE
        verdict, radius, upper = None, float("nan"), float("nan")
        if certificate is not None and place < len(certificate.verdict):
            verdict = certificate.verdict[place]
            radius, upper = float(certificate.spectral_radius[place]), float(certificate.upper_bound[place])
            beyond = radius - float(certificate.error[place]) > 1
            kind = LimitKind.SADDLE if kind is LimitKind.SPURIOUS and beyond else kind
        others.append(
            Limit(
                kind, counts[number], len(cycle), -1, cycle[0], int(near[0]), float(distance[0]), verdict, radius, upper
            )
        )
    ranked = sorted(range(len(kept)), key=lambda place: -others[place].count)
    limits += [others[place] for place in ranked]
    order += [kept[place] for place in ranked]
    place_of = {number: place for place, number in enumerate(order)}
    names = {int(number): int(number) for number in np.unique(label)}
    final = {n: (n if n < 0 else place_of[renamed.get(n, n)]) for n in names}
    return tuple(limits), np.array([final[int(n)] for n in label], int)


def _same(one: HostStates, other: HostStates, atol: float) -> bool:
    if len(one) != len(other):
        return False
    vectors = other.reshape(len(other), -1)
    return bool(nearest(one[:1].reshape(1, -1), vectors)[1][0] < atol)


def _certify(memory: Memory, cycles: list[HostStates], memory_limit: int | None, progress: Progress | None) -> Any:
    """The certificate of these cycles, as if the memory stored them."""
    if not cycles:
        return None
    starts = np.cumsum([0, *(len(cycle) for cycle in cycles[:-1])])
    successor = np.concatenate(
        [start + (np.arange(len(cycle)) + 1) % len(cycle) for start, cycle in zip(starts, cycles, strict=True)]
    )
    limits = Memory(memory.map, Patterns(np.concatenate(cycles), successor))
    return certify(limits, memory_limit=memory_limit, progress=progress)
