"""The one loop: iterate a map from many starts until each converges, repeats, diverges or runs out of steps."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.numerics import float64
from attrax._base.status import IterationStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.maps import ReducedMap, reduced_map

_CHUNK = 16
_BLOCK = 64
_BOUND = 1e12
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


@dataclass(frozen=True, slots=True, eq=False)
class Iterates:
    """Where the iteration of a map ended, one entry a start.

    **Fields:**

    - `value`: n×state shape, float64: the last state; for a diverging row the last finite one.
    - `num_steps`: how often the map was applied.
    - `residual`: ‖f^t(x) − f^{t−1}(x)‖₂ at the last step t; infinite where a row diverged.
    - `period`: 1 for a fixed point, the period for a cycle, 0 otherwise.
    - `status`: an `IterationStatus`.
    """

    value: HostStates
    num_steps: Int[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    status: np.ndarray


class _Rows(eqx.Module):
    """What the next step of a chunk of rows needs. The anchor is that of Brent's cycle detection."""

    z: Any
    anchor: Any
    anchor_step: Any
    num_steps: Any
    residual: Any
    period: Any
    state: Any

    def pick(self, index: Any) -> "_Rows":
        return jax.tree.map(lambda leaf: leaf[index], self)


def iterate(
    map: Map,
    starts: HostStates,
    *,
    max_steps: int = 10_000,
    atol: float = 1e-8,
    progress: Progress | None = None,
) -> Iterates:
    """Iterates `map` from each start until ‖f^{t+1}(x) − f^t(x)‖₂ < `atol`, in float64.

    A state that returns to within `atol` of an earlier one without having converged is a cycle (Brent's algorithm).
    Rows are computed in pieces of fixed size and leave when they are done, so no row sees its neighbours.

    **Arguments:**

    - `map`: any callable from a state to a state of the same shape, written with JAX.
    - `starts`: n×state shape, finite.
    - `max_steps`: how often the map is applied at most.
    - `atol`: tolerance of the convergence test, in the units of a state.
    - `progress`: called with the number of finished rows every so often.

    **Returns:** `Iterates`. **Raises** `ValueError` for a wrong argument.

        >>> import numpy as np
        >>> iterate(lambda x: x / 2, np.ones((1, 3))).period.tolist()
        [1]
    """
    max_steps = checks.integer("max_steps", max_steps, least=1)
    atol = checks.real("atol", atol, above=0)
    starts = _check_starts(starts)
    num = len(starts)
    with float64():
        way = reduced_map(map, starts.shape[1:])
        rows = _enter(way, starts)
        # Finished rows are written here; the others move on in fewer and fewer chunks.
        done = jax.tree.map(np.array, rows)
        active = np.arange(num)
        taken = 1
        while True:
            state = np.asarray(rows.state)
            finished = state != _RUNNING
            if taken >= max_steps:
                finished[:] = True
            if finished.any():
                part = np.flatnonzero(finished)
                for total, leaf in zip(jax.tree.leaves(done), jax.tree.leaves(rows), strict=True):
                    total[active[part]] = leaf[part]
                keep = np.flatnonzero(~finished)
                rows, active = rows.pick(keep), active[keep]
            if progress is not None:
                progress("iterating", num - len(active), num, {"step": taken})
            if not len(active):
                break
            block = min(_BLOCK, max_steps - taken)
            # As arrays these are traced, so that another limit or tolerance does not compile anew.
            limit, tolerance = np.asarray(block), np.asarray(atol)
            rows = _in_chunks(
                lambda piece, limit=limit, tolerance=tolerance: _advance(way, piece, limit, tolerance),
                rows,
                len(active),
            )
            taken += block
        value = np.array(_in_chunks(lambda piece: _leave(way, piece), done.z, num))
    codes = np.asarray(done.state)
    # A row that was lost at once has no finite state but its start.
    at_once = (codes == _DIVERGED) & (np.asarray(done.num_steps) == 1)
    value[at_once] = np.asarray(starts)[at_once]
    return Iterates(
        value=np.asarray(value),
        num_steps=np.asarray(done.num_steps),
        residual=np.asarray(done.residual),
        period=np.asarray(done.period),
        status=_STATUSES[codes],
    )


def _check_starts(starts: HostStates) -> np.ndarray:
    starts = np.asarray(starts)
    if starts.ndim < 2 or starts.dtype.kind not in "fiub":
        raise ValueError(
            f"starts must be real numbers, one state a row (wrap a single one as start[None]); got an array of shape "
            f"{starts.shape} and dtype {starts.dtype}"
        )
    if not np.isfinite(starts).all():
        raise ValueError("starts must be finite; got NaN or an infinity")
    return starts.astype(np.float64)


def _in_chunks(function: Any, rows: Any, num: int) -> Any:
    """`function` of `rows` in pieces of one size, the last padded by repeating its last row; leaves on the host."""
    pieces = []
    for start in range(0, num, _CHUNK):
        index = np.minimum(np.arange(start, start + _CHUNK), num - 1)
        piece = jax.tree.map(lambda leaf, index=index: leaf[index], rows)
        count = min(_CHUNK, num - start)
        pieces.append(jax.tree.map(lambda leaf, count=count: np.asarray(leaf)[:count], function(piece)))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *pieces)


def _enter(way: ReducedMap, starts: np.ndarray) -> _Rows:
    if not len(starts):
        raise ValueError("starts must hold at least one state; got none")
    return _in_chunks(lambda piece: _first_step(way, piece), starts, len(starts))


@eqx.filter_jit
def _first_step(way: ReducedMap, starts: Any) -> _Rows:
    z = jax.vmap(way.enter)(starts)
    change = jax.vmap(way.leave)(z) - starts
    residual = jnp.sqrt(jnp.sum(change.reshape(len(starts), -1) ** 2, axis=1))
    ones = jnp.ones(len(starts), jnp.int64)
    lost = ~(jnp.isfinite(residual) & (jnp.max(jnp.abs(z), axis=1) < _BOUND))
    return _Rows(
        z=jnp.where(lost[:, None], 0.0, z),
        anchor=z,
        anchor_step=ones,
        num_steps=ones,
        residual=jnp.where(lost, jnp.inf, residual),
        period=0 * ones,
        state=jnp.where(lost, _DIVERGED, _RUNNING),
    )


@eqx.filter_jit
def _leave(way: ReducedMap, z: Any) -> Any:
    return jax.vmap(way.leave)(z)


@eqx.filter_jit
def _advance(way: ReducedMap, rows: _Rows, num_steps: Any, atol: Any) -> _Rows:
    last = rows.num_steps.max() + num_steps

    def running(carry: _Rows) -> Any:
        return jnp.any((carry.state == _RUNNING) & (carry.num_steps < last))

    return jax.lax.while_loop(running, partial(_step_rows, way, atol), rows)


def _step_rows(way: ReducedMap, atol: Any, rows: _Rows) -> _Rows:
    """One application of the map to every running row."""
    moved = jax.vmap(way.step)(rows.z)
    residual = jax.vmap(way.distance)(moved, rows.z)
    step = rows.num_steps + 1
    running = rows.state == _RUNNING
    lost = ~(jnp.isfinite(residual) & (jnp.max(jnp.abs(moved), axis=1) < _BOUND))
    converged = residual < atol
    returned = (jax.vmap(way.distance)(moved, rows.anchor) < atol) & ~converged
    state = jnp.where(lost, _DIVERGED, jnp.where(converged, _CONVERGED, jnp.where(returned, _CYCLE, _RUNNING)))
    period = jnp.where(converged, 1, jnp.where(returned & ~lost, step - rows.anchor_step, 0))
    # Brent: the anchor moves up whenever the number of steps since it was set has doubled.
    lift = step >= 2 * rows.anchor_step
    advanced = _Rows(
        z=jnp.where(lost[:, None], rows.z, moved),
        anchor=jnp.where(lift[:, None], moved, rows.anchor),
        anchor_step=jnp.where(lift, step, rows.anchor_step),
        num_steps=step,
        residual=jnp.where(lost, jnp.inf, residual),
        period=period,
        state=state,
    )

    def choose(new: Any, old: Any) -> Any:
        return jnp.where(running.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, advanced, rows)
