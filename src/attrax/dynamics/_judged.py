"""Whether paths lead to what is stored, to which of it, and from which step on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from attrax._base.status import IterationStatus, RecallStatus
from attrax._base.types import HostIndices, HostStates, Map
from attrax.dynamics._coordinates import states_of
from attrax.dynamics._iterate import trajectory
from attrax.dynamics._path import entries
from attrax.dynamics._refine import refine
from attrax.dynamics._stored import Match, StoredCycles
from attrax.maps import ReducedMap
from attrax.memory import Thresholds

_WINDOW = 64
"""The number of steps over which a path must come nearer to a limit that Newton's method found."""
_CLOSE = 0.02
"""The root mean square distance, in units of the patterns, up to which a lap may belong to a stored cycle."""
_UNMATCHED = {
    IterationStatus.CONVERGED: RecallStatus.SPURIOUS,
    IterationStatus.CYCLE: RecallStatus.CYCLE,
    IterationStatus.DIVERGED: RecallStatus.DIVERGED,
    IterationStatus.NOT_CONVERGED: RecallStatus.NOT_CONVERGED,
}
"""What a cue was recalled as, if its limit is not a stored one."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What u paths lead to. The arrays are filled by `judge`; the fields that `Recall` has too mean the same here.

    **Fields:** `limit`, u×state shape; `follows`, whether the iteration came as close to the stored cycle as counts: if
    not, its limit is stored, but it stopped short of it; `refined`, whether `limit` is another state than the last one.
    """

    limit: HostStates
    status: np.ndarray
    period: Int[np.ndarray, " u"]
    transient: Int[np.ndarray, " u"]
    nearest: HostIndices
    distance: Float[np.ndarray, " u"]
    index: HostIndices
    cycle: HostIndices
    entry: HostIndices
    follows: Bool[np.ndarray, " u"]
    refined: Bool[np.ndarray, " u"]

    @classmethod
    def of(cls, last: HostStates, ended: np.ndarray, period: np.ndarray, num_steps: np.ndarray) -> "Judged":
        """Paths of which only the last state is known, and how and after how many steps the iteration ended."""
        # Provisional: what has converged is spurious, and a cycle is not a stored one, until it matches what is stored.
        status = np.array([_UNMATCHED[one] for one in ended], object)
        none, no = [np.full(len(last), -1) for _ in range(4)], [np.zeros(len(last), bool) for _ in range(2)]
        far = np.full(len(last), np.inf)
        return cls(last, status, period.copy(), num_steps.copy(), none[0], far, *none[1:], *no)

    def judge(
        self,
        map: Map,
        reduced: ReducedMap,
        stored: StoredCycles,
        thresholds: Thresholds,
        traces: dict[int, Float[np.ndarray, "t k"]],
    ) -> dict[int, list[int]]:
        """Judges those of the paths with these `traces` that have a period.

        **Returns** for each that reached nothing stored the stored states that those of its cycle resemble most.
        """
        paths = [one for one in traces if self.period[one]]
        fixed = [one for one in paths if self.period[one] == 1]
        points = dict(zip(fixed, stored.match_points(self.limit[fixed]), strict=True))
        recovered, moved, others = dict[int, Match](), dict[int, np.ndarray](), dict[int, list[int]]()
        laps = list[HostStates]()
        for one in paths:
            period = int(self.period[one])
            last = self.limit[one : one + 1] if period == 1 else states_of(reduced, traces[one][-period:])
            match = points[one] if period == 1 else stored.match(last)
            lap, match, approached = _limit(map, reduced, stored, last, match, thresholds)
            self.nearest[one], self.distance[one] = match.nearest, match.distance
            if lap is not last:
                moved[one] = lap[-1]
            if not approached:
                self.status[one], self.period[one] = RecallStatus.NOT_CONVERGED, 0
            elif match.recovered:
                recovered[one] = match
                laps.append(last)
                self.status[one], self.index[one] = RecallStatus.RECOVERED, match.order[-1]
                self.cycle[one] = match.cycle
            else:
                self.transient[one] = len(traces[one]) - period + 1
                aligned = match.cycle >= 0 and period > 1
                others[one] = (match.order if aligned else stored.nearest(lap)[0]).tolist()
        these = list(recovered)
        found = entries(reduced, stored, [traces[one] for one in these], laps, list(recovered.values()))
        self.transient[these], self.entry[these], self.follows[these] = found
        for one, state in moved.items():  # only now: `laps` are views of the last states
            self.limit[one], self.refined[one] = state, True
        return others


def _limit(
    map: Map, reduced: ReducedMap, stored: StoredCycles, lap: HostStates, match: Match, thresholds: Thresholds
) -> tuple[HostStates, Match, bool]:
    """The limit near a lap with this `match`, how that matches what is stored, and whether the path approaches it.

    A slow approach stops short of its limit by residual/(1 − λ). A close call is therefore decided at the limit itself.
    """
    close = match.cycle >= 0 and stored.recovery <= match.apart.max() <= _CLOSE * np.sqrt(lap[0].size) * thresholds.unit
    if match.recovered or not close:
        return lap, match, True
    refined = refine(map, lap, reduced=reduced, unit=thresholds.unit)
    if not refined.converged:
        return lap, match, True
    if refined.moved > thresholds.convergence and not _approaches(reduced, lap, refined.points):
        return lap, match, False
    return refined.points, stored.match(refined.points), True


def _approaches(reduced: ReducedMap, lap: HostStates, refined: HostStates) -> bool:
    """Whether the path after a lap comes nearer to a fixed point or cycle, compared state by state."""
    window = len(lap) * -(-_WINDOW // len(lap))
    states = trajectory(reduced, lap[-1:], 2 * window)[0]
    if len(states) < 2 * window:
        return False
    wanted = refined[np.arange(2 * window) % len(refined)]
    distance = np.linalg.norm((states - wanted).reshape(len(states), -1), axis=1)
    return bool(distance[window:].max() < distance[:window].max())
