"""The one loop: iterate a map from many starts until each converges, repeats, diverges or runs out of steps."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from attrax._base.devices import over_devices, row_program
from attrax._base.numerics import first_equal, float64, in_pieces
from attrax._base.shown import Record
from attrax._base.status import IterationStatus
from attrax._base.types import HostStates, Progress
from attrax.dynamics._coordinates import isometric_rows, sizes_of, states_of
from attrax.maps import ReducedMap

_STEPS, _NUMBERS = 64, 2**12
"""Steps of one program, at most, and numbers that it computes of a row in as many steps, if it takes more than eight:
between programs, finished rows make room for others."""
_LARGEST = 2**26
"""Bytes of coordinates that one program keeps, at most, if it takes more than the fewest rows."""
_BOUND = 1e12
"""A state beyond this, in units of the states, has diverged."""
_SETTLED = 0.05
"""A cycle has settled when its remaining drift is below this fraction of its extent. A fixed point with an eigenvalue
−1 may be approached more and more slowly. States two steps apart then come closer than any tolerance, but the
remaining drift stays a sixth of their distance."""
NEVER = -1.0
"""A tolerance that no distance is below: the iteration takes as many steps as are allowed."""
UNBOUNDED = 1e88
"""The unit for runs that keep every state whose square is finite."""
_RUNNING, _CONVERGED, _CYCLE, _DIVERGED = range(4)
_STATUSES = np.array(
    [
        IterationStatus.NOT_CONVERGED,
        IterationStatus.CONVERGED,
        IterationStatus.CYCLE,
        IterationStatus.DIVERGED,
    ],
    dtype=object,
)


class _Rows(eqx.Module):
    """What the next step of a chunk of rows needs.

    **Fields:**

    - `z`: coordinates; `isometric`, others whose Euclidean distance is that of the states (`isometric_coordinates`), or
      `None` if that is `z`.
    - `anchor`, `anchor_step`: the state that later ones are compared with, and its step.
    - `lap`: the possible period of a cycle that waits for its second lap, 0 if there is none, −1 if nothing is to be
      compared until the anchor moves; `gap`, by how much the first lap missed the anchor; `extent`, the largest
      distance of its states from the anchor.
    - `num_steps`: applications of the map so far; `residual`, how far the last of them moved the state.
    - `outcome`: `_RUNNING`, or how the row ended: an index of `_STATUSES`.
    - `atol`: the tolerance; `bound`, beyond which a row has diverged.
    """

    z: Any
    isometric: Any
    anchor: Any
    anchor_step: Any
    lap: Any
    gap: Any
    extent: Any
    num_steps: Any
    residual: Any
    outcome: Any
    atol: Any
    bound: Any

    def pick(self, index: Any) -> "_Rows":
        return jax.tree.map(lambda leaf: leaf[index], self)


@dataclass(frozen=True, slots=True, eq=False)
class Run(Record):
    """The result of the loop, one entry per start: as in `Iterates`, but in the coordinates of a `ReducedMap`.

    **Fields:** `z`, the last finite coordinates; `trace`, if requested and not too large, for each start the
    coordinates after each step, `num_steps`×k (of a diverging row, only the finite ones); `first`, for each start, the
    first one whose coordinates were the same from the first step on.
    """

    z: Float[np.ndarray, "n k"]
    num_steps: Int[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    status: np.ndarray
    trace: tuple[Float[np.ndarray, "t k"], ...] | None
    first: Int[np.ndarray, " n"]


def run(
    reduced: ReducedMap,
    starts: HostStates,
    *,
    max_steps: int,
    atol: float | np.ndarray,
    unit: float | np.ndarray = 1.0,
    keep: int | None = None,
    sizes: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Iterates from `starts` as `iterate` does, in the coordinates of `reduced`, in the precision of `starts`.

    **Arguments:**

    - `atol`: tolerance of the convergence test; `unit`, the unit of the states: those beyond 10¹² units have diverged.
      Each is one number, or one number per start.
    - `keep`: the coordinates of all steps are kept up to this many bytes; by default none are.
    - `sizes`: rows are computed in chunks of these sizes, the largest first. By default a row gets the same arithmetic
      whatever the other rows are.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> with ax.extending.float64():
    ...     reduced = ax.maps.reduced_map(lambda x: x / 2, (1,))
    >>> found = ax.dynamics.run(reduced, np.ones((1, 1)), max_steps=100, atol=1e-6)
    >>> found.num_steps.tolist(), found.period.tolist()
    ([20], [1])

    ```
    """
    sizes, block = sizes_of(reduced, sizes)
    with float64(), over_devices(len(starts) > sizes[-1]) as everywhere:
        reduced = everywhere(reduced)
        near, bound = _tolerances(starts, atol, unit)
        z, isometric, residual = in_pieces(
            partial(_first_step, reduced, block=block), starts, sizes, together=block is not None
        )
        if max_steps == 1 and block is not None:
            # It is the last step. In a program of one block XLA may merge the map with the difference from the start,
            # which is then rounded in another way.
            with np.errstate(over="ignore", invalid="ignore"):
                apart = (states_of(reduced, z) - starts).reshape(len(z), -1)
                residual = np.linalg.norm(apart, axis=1).astype(z.dtype)
        rows = _fresh_rows(z, isometric, residual, 1, near, bound)
        return _run_on(reduced, rows, max_steps, keep, sizes, block, progress)


def run_on(
    reduced: ReducedMap,
    z: Float[np.ndarray, "n k"],
    *,
    max_steps: int,
    atol: float | np.ndarray,
    unit: float | np.ndarray = 1.0,
    keep: int | None = None,
    sizes: tuple[int, ...] | None = None,
) -> Run:
    """As `run`, but from coordinates instead of states, one row per start; `num_steps` counts from there.

    With the map x ↦ x/2, whose coordinates are its states:

        >>> import attrax as ax
        >>> with ax.extending.float64():
        ...     reduced = ax.maps.reduced_map(lambda x: x / 2, (1,))
        >>> found = ax.dynamics.run_on(reduced, np.array([[1.0]]), max_steps=100, atol=1e-3)
        >>> int(found.num_steps[0]), found.status[0].value
        (10, 'converged')
    """
    sizes, block = sizes_of(reduced, sizes)
    with float64(), over_devices(len(z) > sizes[-1]) as everywhere:
        reduced = everywhere(reduced)
        near, bound = _tolerances(z, atol, unit)
        isometric = None
        if reduced.norm_factor is not None:
            isometric = in_pieces(
                partial(isometric_rows, reduced.norm_factor, block=block), z, sizes, together=block is not None
            )
        residual = np.full(len(z), np.finfo(z.dtype).max, z.dtype)
        rows = _fresh_rows(z, isometric, residual, 0, near, bound)
        return _run_on(reduced, rows, max_steps, keep, sizes, block, None)


def _tolerances(rows: np.ndarray, atol: float | np.ndarray, unit: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row, the length of step at which it has converged and the size beyond which it has diverged, in its
    dtype."""
    count, dtype = len(rows), np.asarray(rows).dtype
    with np.errstate(over="ignore"):
        bound = np.full(count, _BOUND * np.asarray(unit)).astype(dtype)
    return np.full(count, atol).astype(dtype), np.minimum(bound, np.finfo(dtype).max)


def _run_on(
    reduced: ReducedMap,
    rows: _Rows,
    max_steps: int,
    keep: int | None,
    sizes: tuple[int, ...],
    block: int | None,
    progress: Progress | None,
) -> Run:
    # Of rows that go the same way, the first one goes it.
    first, back = _same_way(rows, max_steps)
    num, rows, many = len(back), rows.pick(first), np.bincount(back)
    # Finished rows are written here. The others go on, in fewer and fewer chunks.
    done = jax.tree.map(np.array, rows)
    active = np.arange(len(first))
    trace = None if keep is None else _Trace(rows, keep)
    steps = min(_STEPS, max(8, _NUMBERS // max(rows.z.shape[1], 1)))
    if trace is not None:
        most = _LARGEST // (steps * max(rows.z[:1].nbytes, 1))
        sizes = tuple(size for size in sizes if size <= most) or sizes[-1:]
    # An array is traced, so a different limit needs no new compilation.
    limit = np.asarray(max_steps)
    while True:
        finished = (np.asarray(rows.outcome) != _RUNNING) | (np.asarray(rows.num_steps) >= max_steps)
        if finished.any():
            part, left = np.flatnonzero(finished), np.flatnonzero(~finished)
            for total, leaf in zip(jax.tree.leaves(done), jax.tree.leaves(rows), strict=True):
                total[active[part]] = leaf[part]
            rows, active = rows.pick(left), active[left]
        if progress is not None:
            progress("iterating", num - int(many[active].sum()), num, {"step": int(np.max(rows.num_steps, initial=0))})
        if not len(active):
            break
        advance = partial(_advance, reduced, block=block, max_steps=limit, steps=steps, keep=trace is not None)
        gather = _without_path if trace is None else partial(trace.gather, active)
        rows = in_pieces(advance, rows, sizes, gather, together=block is not None)
    outcome = np.asarray(done.outcome)
    period = np.where(outcome == _CYCLE, done.lap, np.where(outcome == _CONVERGED, 1, 0))
    kept = None if trace is None else trace.finished()
    return Run(
        np.asarray(done.z)[back],
        np.asarray(done.num_steps, np.int64)[back],
        np.where(outcome == _DIVERGED, np.inf, done.residual).astype(done.residual.dtype)[back],
        period.astype(np.int64)[back],
        _STATUSES[outcome][back],
        None if kept is None else tuple(kept[one] for one in back),
        first[back],
    )


def _same_way(rows: _Rows, max_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The first of the rows that have the same coordinates and tolerances, and for each row its place among these."""
    first = np.arange(len(rows.outcome))
    going = np.flatnonzero((rows.outcome == _RUNNING) & (rows.num_steps < max_steps))
    told_apart_by = np.column_stack([rows.z[going], rows.atol[going], rows.bound[going]])
    first[going] = going[first_equal(told_apart_by)]
    return np.unique(first, return_inverse=True)


class _Trace:
    """The coordinates after each step of every row, unless they become too large to keep."""

    def __init__(self, rows: _Rows, most: int) -> None:
        self.most, self.bytes, self.none = most, rows.z.nbytes, rows.z[:0]
        self.parts = [[z[None]] if end != _DIVERGED else [] for z, end in zip(rows.z, rows.outcome, strict=True)]

    def gather(self, active: np.ndarray, first: int, count: int, before: _Rows, result: tuple[_Rows, Any]) -> _Rows:
        """Takes the coordinates out of the result for one chunk of active rows, and returns the rest."""
        after = result[0]
        if self.bytes <= self.most:
            path, lost = np.asarray(result[1]), np.asarray(after.outcome) == _DIVERGED
            lengths = np.asarray(after.num_steps) - np.asarray(before.num_steps) - lost
            for row in range(count):
                taken = np.array(path[row, : lengths[row]])
                self.parts[active[first + row]].append(taken)
                self.bytes += taken.nbytes
            if self.bytes > self.most:
                self.parts = []
        return after

    def finished(self) -> tuple[np.ndarray, ...] | None:
        """One array per row; `None` if they were too large."""
        if self.bytes > self.most:
            return None
        return tuple(np.concatenate(parts) if parts else self.none for parts in self.parts)


def _without_path(first: int, count: int, before: _Rows, result: tuple[_Rows, Any]) -> _Rows:
    return result[0]


def _norms(differences: Any) -> Any:
    return jnp.sqrt(jnp.sum(differences.reshape(len(differences), -1) ** 2, axis=1))


@row_program
def _first_step(reduced: ReducedMap, starts: Any) -> tuple[Any, Any, Any]:
    """The coordinates after one step, `isometric` ones, and how far the step went."""
    z = jax.vmap(reduced.first_step)(starts).astype(starts.dtype)
    isometric = None if reduced.norm_factor is None else z @ reduced.norm_factor.T
    return z, isometric, _norms(jax.vmap(reduced.to_state)(z) - starts).astype(z.dtype)


def _fresh_rows(z: Any, isometric: Any, residual: Any, step: int, atol: Any, bound: Any) -> _Rows:
    """Rows that have taken `step` steps, the last of them of length `residual`."""
    shown = z if isometric is None else isometric
    with np.errstate(invalid="ignore"):
        lost = ~(np.isfinite(residual) & (np.abs(shown).max(axis=1, initial=0.0) < bound))
    if lost.any():
        z, shown = (np.where(lost[:, None], 0, rows).astype(rows.dtype) for rows in (z, shown))
    none, zero = np.zeros(len(z), np.int64), np.zeros(len(z), z.dtype)
    return _Rows(
        z=z,
        isometric=None if isometric is None else shown,
        anchor=shown,
        anchor_step=none + step,
        lap=none,
        gap=zero,
        extent=zero,
        num_steps=none + step,
        residual=residual,
        outcome=np.where(lost, _DIVERGED, _RUNNING),
        atol=atol,
        bound=bound,
    )


@row_program
def _advance(reduced: ReducedMap, rows: _Rows, *, max_steps: Any, steps: int, keep: bool) -> tuple[_Rows, Any]:
    """Some steps of every running row and, with `keep`, the coordinates after each of them."""
    path = jnp.zeros((len(rows.z), steps, rows.z.shape[1]), rows.z.dtype) if keep else None

    def running(carry: tuple[Any, _Rows, Any]) -> Any:
        taken, rows, _ = carry
        return (taken < steps) & jnp.any((rows.outcome == _RUNNING) & (rows.num_steps < max_steps))

    def step(carry: tuple[Any, _Rows, Any]) -> tuple[Any, _Rows, Any]:
        taken, rows, path = carry
        rows = _step_rows(reduced, max_steps, rows)
        return taken + 1, rows, path if path is None else path.at[:, taken].set(rows.z)

    _, rows, path = jax.lax.while_loop(running, step, (jnp.zeros((), jnp.int64), rows, path))
    return rows, path


def _step_rows(reduced: ReducedMap, max_steps: Any, rows: _Rows) -> _Rows:
    """One application of the map to every running row."""
    z = jax.vmap(reduced.step)(rows.z).astype(rows.z.dtype)
    isometric, before = (
        (z, rows.z) if rows.isometric is None else (z @ jnp.asarray(reduced.norm_factor).T, rows.isometric)
    )
    size, residual, apart = _norms(isometric), _norms(isometric - before), _norms(isometric - rows.anchor)
    largest = jnp.max(jnp.abs(isometric), axis=1)
    # What happens to a row is computed once: XLA would copy all of it into the program of each field.
    size, residual, apart, largest = jax.lax.optimization_barrier((size, residual, apart, largest))
    step = rows.num_steps + 1
    running = (rows.outcome == _RUNNING) & (rows.num_steps < max_steps)
    lost = running & ~(jnp.isfinite(residual) & (largest < rows.bound))
    converged = residual < rows.atol
    # The second lap starts at the state that returned: does it end now, and has the cycle settled?
    checked = (rows.lap > 0) & (step == rows.anchor_step + rows.lap)
    rounding = 64 * jnp.finfo(isometric.dtype).eps * rows.lap * (size + rows.extent)
    # Laps that shrink geometrically from `gap` to `apart` have apart·gap/(gap − apart) to go.
    slower = apart * rows.gap <= _SETTLED * rows.extent * (rows.gap - apart)
    settled = checked & (apart < rows.atol) & ((apart <= rounding) | ((apart < rows.gap) & slower))
    returned = running & (rows.lap == 0) & (apart < rows.atol)
    # Brent: the anchor moves up whenever the number of steps since it was set has doubled.
    lift = running & (rows.lap <= 0) & (step >= 2 * rows.anchor_step)
    # After a lap that was not a cycle, there is nothing to compare with until the steps have doubled.
    refused = running & checked & ~settled
    outcome = jnp.where(lost, _DIVERGED, jnp.where(converged, _CONVERGED, jnp.where(settled, _CYCLE, _RUNNING)))
    events = (running, lost, returned, lift, refused, running & ~checked, jnp.where(running, outcome, rows.outcome))
    running, lost, returned, lift, refused, farther, outcome = jax.lax.optimization_barrier(events)
    kept, anew = (running & ~lost)[:, None], returned | lift
    lap = jnp.where(returned, step - rows.anchor_step, jnp.where(lift, 0, jnp.where(refused, -1, rows.lap)))
    extent = jnp.where(farther, jnp.maximum(rows.extent, apart), rows.extent)
    return _Rows(
        z=jnp.where(kept, z, rows.z),
        isometric=None if rows.isometric is None else jnp.where(kept, isometric, rows.isometric),
        anchor=jnp.where(anew[:, None], isometric, rows.anchor),
        anchor_step=jnp.where(anew | refused, step, rows.anchor_step),
        lap=lap,
        gap=jnp.where(returned, apart, rows.gap),
        extent=jnp.where(returned, 0.0, extent),
        num_steps=jnp.where(running, step, rows.num_steps),
        residual=jnp.where(running, residual, rows.residual),
        outcome=outcome,
        atol=rows.atol,
        bound=rows.bound,
    )
