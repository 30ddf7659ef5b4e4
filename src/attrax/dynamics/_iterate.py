"""Where a map leads from given states."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.lengths import row_lengths
from attrax._base.numerics import float64
from attrax._base.shown import Rows
from attrax._base.states import state_batch
from attrax._base.status import IterationStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.dynamics._coordinates import states_of
from attrax.dynamics._loop import NEVER, UNBOUNDED, Run, run, run_on
from attrax.maps import ReducedMap, reduced_map, shapes_of
from attrax.memory import Thresholds

_FAINTEST = 1e-6
"""The least unit that `iterate` uses for a start: a start close to 0 says nothing about the scale of the map."""


@dataclass(frozen=True, slots=True, eq=False)
class Iterates(Rows):
    """Where the iteration of a map ended, one entry per start.

    **Fields:**

    - `value`: n×state shape, float64: the last state; for a diverging row the last finite one.
    - `num_steps`: the number of applications of the map.
    - `residual`: ‖f^t(x) − f^{t−1}(x)‖₂ at the last step t; infinite where a row diverged.
    - `period`: 1 for a fixed point, the period for a cycle, 0 otherwise.
    - `status`: an `IterationStatus`.
    """

    rows_of: ClassVar[str] = "status"

    value: HostStates
    num_steps: Int[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    status: np.ndarray


def iterate(
    map: Map,
    starts: HostStates,
    *,
    max_steps: int = 10_000,
    atol: float | None = None,
    progress: Progress | None = None,
) -> Iterates:
    """Iterates `map` from each start until ‖f^{t+1}(x) − f^t(x)‖₂ < `atol`, in float64.

    A state that returns to within `atol` of an earlier one without having converged may be on a cycle (Brent's
    algorithm). It is on one if a second lap returns to within `atol` as well, and the laps have converged: their
    remaining drift is small compared with the extent of the cycle. Beyond 10¹² units of its start a state has diverged.
    Rows are computed in chunks of fixed size and dropped when they are done, so no row depends on the others.

    **Arguments:**

    - `map`: any callable from a state to a state of the same shape, written with JAX.
    - `starts`: n×state shape, finite.
    - `max_steps`: maximum number of applications of the map.
    - `atol`: tolerance of the convergence test; by default 1e-8 units of each start (`Patterns.unit` of it alone, 1e-6
      at least).
    - `progress`: called regularly with the number of finished rows.

    **Returns:** `Iterates`. **Raises** `ValueError` for a wrong argument.

    Source: R. P. Brent, "An improved Monte Carlo factorization algorithm", BIT 20 (1980).

        >>> import numpy as np
        >>> iterate(lambda x: x / 2, np.ones((1, 3))).period.tolist()
        [1]
    """
    max_steps = checks.integer("max_steps", max_steps, least=1)
    if atol is not None:
        atol = checks.real("atol", atol, above=0)
    starts = check_starts(starts, shapes=shapes_of(map))
    with float64():
        reduced = reduced_map(map, starts.shape[1:])
    units = np.maximum(unit_of_each(starts), _FAINTEST)
    tolerances = Thresholds.literal().convergence * units if atol is None else atol
    iteration = run(reduced, starts, max_steps=max_steps, atol=tolerances, unit=units, progress=progress)
    return Iterates(
        last_states(reduced, iteration, starts),
        iteration.num_steps,
        iteration.residual,
        iteration.period,
        iteration.status,
    )


def check_starts(starts: HostStates, name: str = "starts", shapes: tuple[tuple[int, ...], ...] = ()) -> np.ndarray:
    """`starts` in float64. **Raises** `ValueError` for anything but finite states of one of `shapes`, at least one."""
    starts = state_batch(name, starts, *shapes)
    if not np.isfinite(starts).all():
        raise ValueError(f"{name} must be finite; got NaN or an infinity")
    return starts.astype(np.float64, copy=False)


def unit_of_each(states: HostStates) -> np.ndarray:
    """`Patterns.unit` of each state alone."""
    rows = states.reshape(len(states), -1)
    return np.where(rows.any(axis=1), 4 * row_lengths(rows) / np.sqrt(rows.shape[1]), 1.0)


def last_states(reduced: ReducedMap, iteration: Run, starts: HostStates) -> HostStates:
    """The states that a run from `starts` ended in."""
    some, back = np.unique(iteration.first, return_inverse=True)
    value = states_of(reduced, iteration.z[some])[back]
    # A row that diverged in its first step has no finite state except its start.
    at_once = (iteration.status == IterationStatus.DIVERGED) & (iteration.num_steps == 1)
    value[at_once] = starts[at_once]
    return value


def trajectory(reduced: ReducedMap, starts: HostStates, count: int) -> tuple[HostStates, ...]:
    """For each start the states of `count` applications of the map, in float64; fewer where a state is not finite.

    **Raises** `ValueError` for a count below 1.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> from attrax.extending import float64
    >>> with float64():
    ...     reduced = ax.maps.reduced_map(lambda x: x / 2, (1,))
    ...     states = ax.dynamics.trajectory(reduced, np.ones((1, 1)), 3)
    >>> states[0].ravel().tolist()
    [0.5, 0.25, 0.125]

    ```
    """
    count = checks.integer("count", count, least=1)
    starts = np.asarray(starts, np.float64)
    iteration = run(reduced, starts, max_steps=count, atol=NEVER, unit=UNBOUNDED, keep=2**62)
    assert iteration.trace is not None  # nothing is larger than that
    lengths = [len(trace) for trace in iteration.trace]
    together = np.concatenate(iteration.trace)
    if not len(together):
        return tuple(np.zeros((0, *starts.shape[1:])) for _ in lengths)
    return tuple(np.split(states_of(reduced, together), np.cumsum(lengths)[:-1]))


def follow(reduced: ReducedMap, z: Float[np.ndarray, "n k"], count: int) -> tuple[Float[np.ndarray, "t k"], ...]:
    """For each row of coordinates, the coordinates after each of `count` steps; fewer where they are not finite."""
    iteration = run_on(reduced, z, max_steps=count, atol=NEVER, unit=UNBOUNDED, keep=2**62)
    assert iteration.trace is not None  # nothing is larger than that
    return tuple(trace[1:] for trace in iteration.trace)
