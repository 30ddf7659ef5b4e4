"""Where very many starts end: coarse steps in float32 on large batches, the end of each in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from attrax._base.numerics import cast, float64
from attrax._base.status import IterationStatus
from attrax._base.types import HostStates, Map
from attrax.dynamics import iterate
from attrax.maps import ReducedMap, reduced_map

_BUCKETS = (512, 64, 8)
"""Batches have one of these sizes, so that only so many programs are compiled."""
_COARSE_STEPS = 256
_FINE_STEPS = 1024
_COARSE_CHANGE = 1e-5
"""Root mean square of a change that ends the coarse steps, times the largest entry of a stored point."""
_BOUND = 1e12


class Runner(eqx.Module):
    """A map prepared for many starts.

    **Fields:** the map; its orbit in 32 and in 64 bits (its coordinates are the features of a network where those are
    fewer); `coarse`, the change that ends the coarse steps; `shape`, of a state.
    """

    map: Map
    coarse_way: ReducedMap
    fine_way: ReducedMap
    coarse: float = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)

    def places(self, points: HostStates) -> Float[np.ndarray, "n k"]:
        """Coordinates of the images f(x) in which the plain distance is that of the states."""
        with float64():
            z = in_buckets(lambda piece: _enter(self.fine_way, piece), np.asarray(points, np.float64))
            return self.flat(z)

    def flat(self, z: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
        """The same of coordinates that were reached."""
        factor = self.fine_way.norm_factor
        return z if factor is None else z @ np.asarray(factor).T

    def images(self, states: HostStates) -> HostStates:
        """f(x) of each state, float64."""
        with float64():
            z = in_buckets(lambda piece: _enter(self.fine_way, piece), np.asarray(states, np.float64))
            return in_buckets(lambda piece: _leave(self.fine_way, piece), z)

    def states(self, z: Float[np.ndarray, "n k"]) -> HostStates:
        """The states that coordinates stand for, float64."""
        with float64():
            return in_buckets(lambda piece: _leave(self.fine_way, piece), z)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Where starts ended, one entry a start.

    **Fields:**

    - `z`: float64 coordinates of the end, where the status is `converged`; elsewhere without meaning.
    - `value`: the end as a state for each row whose status is not `converged`, in their order.
    - `num_steps`: applications of the map.
    - `period`: as in `Iterates`.
    - `status`: an `IterationStatus` each.
    """

    z: Float[np.ndarray, "n k"]
    value: HostStates
    num_steps: Int[np.ndarray, " n"]
    period: Int[np.ndarray, " n"]
    status: np.ndarray


def runner(map: Map, points: HostStates) -> Runner:
    """`map` prepared for many starts of the shape of `points`."""
    shape = points.shape[1:]
    size = int(np.prod(shape))
    with float64():
        fine = reduced_map(map, shape)
        coarse = cast(fine, np.float32)
    scale = max(float(np.abs(points).max()), 1.0)
    return Runner(map, coarse, fine, _COARSE_CHANGE * scale * float(np.sqrt(size)), shape)


def run_to_ends(run: Runner, starts: HostStates, *, max_steps: int, atol: float) -> Ends:
    """Iterates from float32 `starts` until the change is below `atol`, as `iterate` does.

    Rows take coarse steps in float32 until they change little. Ends that are equal to the last bit go on as one, in
    float64. A row that float32 does not settle, that goes round in a cycle or comes to rest slowly, is left to
    `iterate` from where it is.
    """
    num = len(starts)
    z = in_buckets(lambda piece: _enter(run.coarse_way, piece), np.asarray(starts, np.float32))
    steps = np.ones(num, int)
    lost = ~_finite(z)
    z[lost] = 0
    z, taken, settled, gone = _go_on(
        run.coarse_way, z, ~lost, run.coarse, min(_COARSE_STEPS, max(max_steps - 1, 1)), np.float32
    )
    steps += taken
    lost |= gone
    ends, back = np.unique(
        np.ascontiguousarray(z[settled]).view(np.dtype((np.void, z.dtype.itemsize * z.shape[1]))).ravel(),
        return_inverse=True,
    )
    distinct = ends.view(z.dtype).reshape(-1, z.shape[1]).astype(np.float64)
    fine = np.zeros(z.shape)
    status = np.full(num, IterationStatus.DIVERGED, object)
    period = np.zeros(num, int)
    settled_rows = np.flatnonzero(settled)
    rest = ~lost & ~settled
    if len(distinct):
        with float64():
            limit = min(_FINE_STEPS, max(max_steps - int(steps[settled_rows].max()), 1))
            moved, taken, good, gone = _go_on(
                run.fine_way, distinct, np.ones(len(distinct), bool), atol, limit, np.float64
            )
        fine[settled_rows] = moved[back]
        steps[settled_rows] += taken[back]
        status[settled_rows[good[back]]] = IterationStatus.CONVERGED
        period[settled_rows[good[back]]] = 1
        rest[settled_rows[~good[back] & ~gone[back]]] = True
    rest_rows = np.flatnonzero(rest)
    values = np.zeros((num, *run.shape)) if len(rest_rows) else np.zeros((0, *run.shape))
    if len(rest_rows):
        inside = settled[rest_rows]
        from_z = np.where(inside[:, None], fine[rest_rows], z[rest_rows].astype(np.float64))
        left = max(max_steps - int(steps[rest_rows].min()), 1)
        slow = iterate(run.map, run.states(from_z), max_steps=left, atol=atol)
        status[rest_rows], period[rest_rows] = slow.status, slow.period
        steps[rest_rows] += slow.num_steps
        values[rest_rows] = slow.value
        ended = slow.status == IterationStatus.CONVERGED
        if ended.any():
            with float64():
                # f maps the end to itself, so the coordinates of its image are its own.
                fine[rest_rows[ended]] = in_buckets(lambda piece: _enter(run.fine_way, piece), slow.value[ended])
    odd = np.flatnonzero(status != IterationStatus.CONVERGED)
    value = values[odd] if len(values) else np.zeros((len(odd), *run.shape))
    return Ends(fine, value, steps, period, status)


def cycle_of(run: Runner, state: HostStates, period: int) -> HostStates:
    """The `period` states that follow from `state`, itself first, float64."""
    state = np.asarray(state, np.float64)
    if period == 1:
        return state[None]
    with float64():
        # Cast out here: inside a compiled function the leaves of a network are no arrays that `cast` knows.
        return np.asarray(_follow(cast(run.map, np.float64), state, period))


def in_buckets(function: Callable[[Any], Any], rows: np.ndarray) -> Any:
    """`function` of `rows` in batches of the fixed sizes, the last padded by repeating its last row; on the host."""
    pieces, start = [], 0
    while start < len(rows):
        left = len(rows) - start
        size = next((size for size in _BUCKETS if size <= left), _BUCKETS[-1])
        # Several small batches cost more than one padded one.
        larger = next((bucket for bucket in reversed(_BUCKETS) if bucket >= left), _BUCKETS[0])
        size = larger if larger <= 2 * left else size
        piece = rows[np.minimum(np.arange(start, start + size), len(rows) - 1)]
        count = min(size, left)
        pieces.append(jax.tree.map(lambda leaf, count=count: np.array(leaf)[:count], function(piece)))
        start += size
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *pieces)


def _go_on(
    way: ReducedMap, z: np.ndarray, active: np.ndarray, change: float, limit: int, dtype: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps every active row until it changes by less than `change`: coordinates, steps, settled, lost."""
    z = z.copy()
    steps, settled, lost = np.zeros(len(z), int), np.zeros(len(z), bool), np.zeros(len(z), bool)
    rows, taken = np.flatnonzero(active), 0
    block = 4
    while len(rows) and taken < limit:
        now = min(block, limit - taken)
        moved, residual, count = in_buckets(
            lambda piece, now=now: _advance(way, piece, np.asarray(now, np.int32), np.asarray(change, dtype)), z[rows]
        )
        fine = _finite(moved) & np.isfinite(residual)
        z[rows[fine]] = moved[fine]
        steps[rows] += count
        done = fine & (residual < change)
        settled[rows[done]] = True
        lost[rows[~fine]] = True
        rows = rows[fine & ~done]
        taken += now
        block = min(2 * block, 64)
    return z, steps, settled, lost


def _finite(z: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(z) < _BOUND).all(axis=1))


@eqx.filter_jit
def _enter(way: ReducedMap, states: Any) -> Any:
    return jax.vmap(way.enter)(states).astype(states.dtype)


@eqx.filter_jit
def _leave(way: ReducedMap, z: Any) -> Any:
    return jax.vmap(way.leave)(z).astype(z.dtype)


@eqx.filter_jit
def _advance(way: ReducedMap, z: Any, limit: Any, change: Any) -> tuple[Any, Any, Any]:
    """Up to `limit` steps of each row; a row that has settled stays where it is."""
    begun = (z, jnp.full(len(z), jnp.inf, z.dtype), jnp.zeros(len(z), jnp.int32), jnp.zeros((), jnp.int32))

    def going(carry: Any) -> Any:
        _, residual, _, taken = carry
        # An overflow turns the change into NaN, for which no comparison holds: such rows do not keep the others going.
        return (taken < limit) & jnp.any(residual >= change)

    def step(carry: Any) -> Any:
        z, residual, count, taken = carry
        moved = jax.vmap(way.step)(z).astype(z.dtype)
        gap = jax.vmap(way.distance)(moved, z).astype(z.dtype)
        open_rows = ~(residual < change)
        return (
            jnp.where(open_rows[:, None], moved, z),
            jnp.where(open_rows, gap, residual),
            count + open_rows.astype(jnp.int32),
            taken + 1,
        )

    z, residual, count, _ = jax.lax.while_loop(going, step, begun)
    return z, residual, count


@eqx.filter_jit
def _follow(map: Map, state: Any, period: int) -> Any:
    return jax.lax.scan(lambda x, _: (map(x), x), state, None, length=period)[1]
