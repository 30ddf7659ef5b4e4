"""Where starts end: iteration to a tolerance, Newton's method from there, a certificate, and a look whether the path
does approach what was certified."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.status import Evidence, IterationStatus, Reason, Verdict
from attrax._base.types import HostStates, Map, Progress
from attrax.audit._kinds import DIVERGED, NOT_CONVERGED
from attrax.certificates import certify
from attrax.dynamics import NEVER, refine, run, run_on, states_of, trajectory
from attrax.maps import ReducedMap, reduced_map
from attrax.memory import Memory
from attrax.patterns import Patterns

SIZES = (64, 8)
"""Rows are computed in chunks of these sizes."""
FINEST = 1e-10
"""The last tolerance, in units: where states change less from step to step, nothing more is to come."""
_FINER = 1e-2
_LOOSEST = 1e-2
"""The change per step, in units, below which Newton's method is tried at the step limit."""
_SAME = 1e-6
"""Distance, in units, up to which two refined ends are one."""
_WATCHED = 32
"""Steps after which, and after twice as many, a path has to be nearer to its end."""


@dataclass(slots=True, eq=False)
class Candidate(Record):
    """A refined end while the search goes on.

    **Fields:** as in `End`; `reach`, the distance within which a state is compared with this end first, without
    Newton's method.
    """

    states: HostStates
    residual: float
    converged: bool
    reach: float
    verdict: Verdict = Verdict.INCONCLUSIVE
    reason: Reason = Reason.EXISTENCE_NOT_SHOWN
    evidence: Evidence = Evidence.NONE
    spectral_radius: float = float("nan")
    error: float = float("inf")
    upper_bound: float = float("inf")

    @property
    def stable(self) -> bool:
        """Whether it is a certified attractor, or would be one by the estimate of its largest eigenvalue."""
        estimated = self.converged and self.reason is not Reason.KINK and self.spectral_radius + self.error < 1
        return self.verdict is Verdict.ATTRACTOR or (self.verdict is Verdict.INCONCLUSIVE and estimated)

    @property
    def period(self) -> int:
        return len(self.states)

    def distance(self, states: HostStates) -> np.ndarray:
        """For each state, the distance to the nearest state of this end."""
        vectors = states.reshape(len(states), -1)
        own = self.states.reshape(len(self.states), -1)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.min([np.linalg.norm(vectors - one, axis=1) for one in own], axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class Searched(Record):
    """What the search found: `candidates`; for each start the index of one, or a negative label; the number of steps;
    and the last state."""

    candidates: tuple[Candidate, ...]
    label: np.ndarray
    num_steps: np.ndarray
    last: HostStates


class Search:
    """A map with the ends that are known so far."""

    def __init__(self, map: Map, shape: tuple[int, ...], unit: float, recovery_atol: float) -> None:
        self.map, self.shape, self.unit, self.recovery_atol = map, shape, unit, recovery_atol
        with float64():
            self.reduced: ReducedMap = reduced_map(map, shape)
        self.known: list[Candidate] = []
        self._by_period: dict[int, tuple[list[int], np.ndarray]] = {}

    def run(self, starts: HostStates, tolerance: float, max_steps: int, progress: Progress | None) -> Searched:
        """Runs every start to its end.

        The iteration stops at the tolerance. What Newton's method finds from there counts if it attracts, certified or
        by the estimate of its largest eigenvalue, and the path approaches it; otherwise the iteration goes on to a
        tolerance a hundred times finer.
        """
        num = len(starts)
        label, steps = np.full(num, NOT_CONVERGED), np.zeros(num, np.int64)
        last, z = np.array(starts, np.float64), np.zeros((num, self.reduced.size))
        active, level = np.arange(num), tolerance
        while len(active):
            left = max(max_steps - int(steps[active].min()), 1)
            options: dict[str, Any] = {"max_steps": left, "atol": level * self.unit, "unit": self.unit, "sizes": SIZES}
            first = level == tolerance
            found = (
                run(self.reduced, starts, progress=progress, **options)
                if first
                else run_on(self.reduced, z[active], **options)
            )
            z[active], steps[active] = found.z, steps[active] + found.num_steps
            gone = found.status == IterationStatus.DIVERGED
            label[active[gone]] = DIVERGED
            states = states_of(self.reduced, found.z, SIZES)
            last[active[~gone]] = states[~gone]
            over = (found.status == IterationStatus.NOT_CONVERGED) & (found.residual > _LOOSEST * self.unit)
            rows = np.flatnonzero(~gone & ~over)
            if progress is not None:
                progress("refining", num - len(active), num, {"ends": float(len(self.known))})
            final = level <= FINEST
            place = self._assign(states[rows], found.z[rows], np.maximum(found.period[rows], 1), final)
            stable = np.array([one >= 0 and self.known[one].stable for one in place], bool)
            timed_out = found.status[rows] == IterationStatus.NOT_CONVERGED
            converged = np.array([one >= 0 and self.known[one].converged for one in place], bool)
            done = stable | (final & (place >= 0)) | (timed_out & converged)
            label[active[rows[done]]] = place[done]
            for row, one in zip(active[rows[done]].tolist(), place[done].tolist(), strict=True):
                last[row] = self._phase(one, last[row])
            active = active[rows[~done & ~timed_out]]
            if final:
                break
            level = max(level * _FINER, FINEST)
        return Searched(tuple(self.known), label, steps, last)

    def _phase(self, number: int, state: np.ndarray) -> np.ndarray:
        """The state of an end that is nearest to a state."""
        states = self.known[number].states
        return states[int(np.argmin(np.linalg.norm((states - state).reshape(len(states), -1), axis=1)))]

    def _assign(self, states: HostStates, z: np.ndarray, periods: np.ndarray, final: bool) -> np.ndarray:
        """For each state the index of the end that its path approaches, or −1.

        Before the final tolerance, a state within reach of a known end is compared with that one, and has to approach
        it as fast as its eigenvalues say; otherwise it could be on its way to another end close by.
        """
        place = np.full(len(states), -1)
        before = len(self.known)
        for row, (state, period) in enumerate(zip(states, periods.tolist(), strict=True)):
            place[row] = self._nearest(state, period, _SAME * self.unit if final else math.inf)
            if place[row] < 0:
                place[row] = self._refined(state, period)
        if len(self.known) > before:
            self._certify(self.known[before:])
        period_of = np.array([end.period for end in self.known], int)
        for period in np.unique(period_of[place[place >= 0]]).tolist():
            rows = np.flatnonzero(place >= 0)
            rows = rows[period_of[place[rows]] == period]
            ends = [self.known[number] for number in place[rows].tolist()]
            # An path that rests on a point that does not attract, as on a saddle, approaches it no more.
            near = _apart(ends, states[rows])
            coming = near <= _SAME * self.unit
            some = np.flatnonzero(~coming)
            if len(some):
                coming[some] = self._approaches([ends[row] for row in some], z[rows[some]], near[some], final)
            place[rows[~coming]] = -1
        return place

    def _nearest(self, state: np.ndarray, period: int, within: float) -> int:
        """The nearest known end that reaches as far as this state, and is no farther than `within`; −1 without one."""
        numbers, distance = self._distances(state, period)
        reach = np.array([self.known[number].reach for number in numbers])
        distance = np.where(distance <= np.minimum(reach, within), distance, math.inf)
        return numbers[int(np.argmin(distance))] if np.isfinite(distance).any() else -1

    def _distances(self, state: np.ndarray, period: int) -> tuple[list[int], np.ndarray]:
        """The known ends of a period, and how far a state is from each."""
        numbers, states = self._by_period.get(period, ([], np.zeros((0, period, state.size))))
        with np.errstate(over="ignore", invalid="ignore"):
            return numbers, np.linalg.norm(states - state.ravel(), axis=2).min(axis=1)

    def _refined(self, state: np.ndarray, period: int) -> int:
        """The index of the end that Newton's method finds from a state, known or new; of a slow point, where there is
        none."""
        lap = state[None]
        if period > 1:
            lap = np.concatenate([lap, trajectory(self.reduced, lap, period - 1)[0]])
            if len(lap) < period:
                return -1
        refined = refine(self.map, lap, reduced=self.reduced, unit=self.unit)
        if not np.isfinite(refined.residual):
            return -1
        moved = float(np.linalg.norm(refined.points[0] - state))
        same = _SAME * self.unit
        numbers, distance = self._distances(refined.points[0], period)
        if len(numbers) and distance.min() <= same:
            number = numbers[int(np.argmin(distance))]
            self.known[number].reach = max(self.known[number].reach, 2 * moved)
            return number
        number, states = len(self.known), refined.points.reshape(1, period, -1)
        self.known.append(Candidate(refined.points, refined.residual, refined.converged, max(2 * moved, same)))
        before = self._by_period.get(period, ([], states[:0]))
        self._by_period[period] = [*before[0], number], np.concatenate([before[1], states])
        return number

    def _certify(self, new: list[Candidate]) -> None:
        found = certify(
            Memory(self.map, Patterns.from_sequences([end.states for end in new])), recovery_atol=self.recovery_atol
        )
        first = {cycle: number for number, cycle in enumerate(found.cycles)}
        total = 0
        for end in new:
            row = first[tuple(range(total, total + end.period))]
            total += end.period
            end.verdict, end.reason, end.evidence = found.verdict[row], found.reason[row], found.evidence[row]
            end.spectral_radius, end.error = float(found.spectral_radius[row]), float(found.error[row])
            end.upper_bound = float(found.upper_bound[row])

    def _approaches(self, ends: list[Candidate], z: np.ndarray, distance: np.ndarray, final: bool) -> np.ndarray:
        """Whether paths are nearer to their ends, all of one period, after some steps, and nearer still after as many
        again.

        Before the final tolerance, at half the rate at least with which deviations from a stable end decay.
        """
        period = ends[0].period
        laps = period * -(-_WATCHED // period)
        pace = np.array(
            [
                end.spectral_radius ** (laps / (2 * period))
                if end.stable and not final and end.spectral_radius < 1
                else 1.0
                for end in ends
            ]
        )
        coming = np.ones(len(distance), bool)
        for _ in range(2):
            after = run_on(self.reduced, z, max_steps=laps, atol=NEVER, unit=self.unit, sizes=SIZES)
            z, before = after.z, distance
            distance = _apart(ends, states_of(self.reduced, z, SIZES))
            coming &= (distance < pace * before) | (distance <= _SAME * self.unit)
        return coming


def _apart(ends: list[Candidate], states: HostStates) -> np.ndarray:
    """The distance of each state from the end of the same place in the list."""
    return np.array([float(end.distance(state[None])[0]) for end, state in zip(ends, states, strict=True)])
