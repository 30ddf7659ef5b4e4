"""Where very many starts end: coarse steps in float32 on large batches, the end of each in float64."""

import equinox as eqx
import numpy as np
from jaxtyping import Float

from attrax._base.numerics import cast, first_equal, float64
from attrax._base.status import IterationStatus
from attrax._base.types import HostStates, Map
from attrax.dynamics import Run, isometric_coordinates, run, run_on, states_of, trajectory
from attrax.maps import ReducedMap, reduced_map
from attrax.memory import Memory

SIZES = (512, 64, 8)
"""Rows are computed in chunks of these sizes, so that only three programs are compiled."""
_COARSE_STEPS = 256
_FINE_STEPS = 1024
_COARSE_CHANGE = 1e-5
"""Root mean square of the change that ends the coarse steps, relative to the largest entry of a stored point."""


class Runner(eqx.Module):
    """A map prepared for many starts.

    **Fields:** `map`; its reduced map, in 32 and in 64 bits; `coarse`, the change that ends the coarse steps; `unit`,
    of the stored states (`Patterns.unit`); `shape`, of a state.
    """

    map: Map
    coarse_map: ReducedMap
    fine_map: ReducedMap
    coarse: float = eqx.field(static=True)
    unit: float = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def images(self, points: HostStates) -> Float[np.ndarray, "n k"]:
        """Coordinates of the images f(x)."""
        return run(self.fine_map, points, max_steps=1, atol=self.coarse, unit=self.unit, sizes=SIZES).z

    def isometric(self, z: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
        """Coordinates whose Euclidean distance is that of the states."""
        return isometric_coordinates(self.fine_map, z)

    def states(self, z: Float[np.ndarray, "n k"]) -> HostStates:
        """The states with these coordinates, float64."""
        return states_of(self.fine_map, z, SIZES)


def runner(memory: Memory) -> Runner:
    """The map of a memory prepared for many starts."""
    map, patterns = memory.map, memory.examples()
    points, shape, unit = np.asarray(patterns.points, np.float64), patterns.shape, patterns.unit
    size = int(np.prod(shape))
    with float64():
        fine = reduced_map(map, shape)
        coarse = cast(fine, np.float32)
    scale = float(np.abs(points).max()) or 1.0
    return Runner(map, coarse, fine, _COARSE_CHANGE * scale * float(np.sqrt(size)), unit, shape)


def run_to_ends(runner: Runner, starts: HostStates, *, max_steps: int, atol: float) -> Run:
    """Iterates from float32 `starts` until the change is below `atol`, as `iterate` does, in float64 coordinates.

    Rows take coarse steps in float32 until they change little. Ends that are equal to the last bit continue as one, in
    float64. A row that does not converge in float32, because it is on a cycle or converges slowly, continues alone from
    its current state.
    """
    coarse = run(
        runner.coarse_map,
        np.asarray(starts, np.float32),
        max_steps=min(1 + _COARSE_STEPS, max_steps),
        atol=runner.coarse,
        unit=runner.unit,
        sizes=SIZES,
    )
    z, steps = coarse.z.astype(np.float64), coarse.num_steps.copy()
    residual, period = coarse.residual.astype(np.float64), np.zeros(len(z), int)
    status = np.full(len(z), IterationStatus.NOT_CONVERGED, object)
    status[coarse.status == IterationStatus.DIVERGED] = IterationStatus.DIVERGED

    def go_on(rows: np.ndarray, back: np.ndarray, found: Run) -> None:
        z[rows], residual[rows] = found.z[back], found.residual[back]
        period[rows], status[rows] = found.period[back], found.status[back]
        steps[rows] += found.num_steps[back]

    converged = np.flatnonzero(coarse.status == IterationStatus.CONVERGED)
    if len(converged):
        ends = coarse.z[converged]
        first, back = np.unique(first_equal(ends), return_inverse=True)
        limit = min(_FINE_STEPS, max(max_steps - int(steps[converged].max()), 1))
        distinct = ends[first].astype(np.float64)
        go_on(
            converged,
            back,
            run_on(runner.fine_map, distinct, max_steps=limit, atol=atol, unit=runner.unit, sizes=SIZES),
        )
    rest = np.flatnonzero(status == IterationStatus.NOT_CONVERGED)
    left = max_steps - int(steps[rest].min(initial=max_steps))
    if left > 0:
        go_on(rest, np.arange(len(rest)), run_on(runner.fine_map, z[rest], max_steps=left, atol=atol, unit=runner.unit))
    return Run(z, steps, residual, period, status, None, np.arange(len(z)))


def cycle_of(runner: Runner, state: HostStates, period: int) -> HostStates:
    """The `period` states from `state` on, itself first, float64."""
    state = np.asarray(state, np.float64)[None]
    return state if period == 1 else np.concatenate([state, trajectory(runner.fine_map, state, period - 1)[0]])
