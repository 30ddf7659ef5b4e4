"""Tests of a map of unknown structure: does its derivative describe it, and do small deviations shrink?

At a kink JAX returns one of several slopes; at a jump it does not notice anything. Here quotients (f(x + hv) − f(x))/h
are compared with Jv over several scales h, in random and leading directions v and along axes, with both signs, and
deviations are iterated until they should have shrunk. So is the cycle itself: where Newton's method left a residual,
the path from there has to converge, and at its end the quotients are looked at again. Passing is no proof; failing
rules out the verdict *attractor*.

What a small step is depends on the map, and the unit of the patterns may be far larger: that of a single state far from
0 is its distance from there. So where the quotients contradict the Jacobian, smaller steps are tried. If the quotients
are then seen to come closer to Jv in proportion to h or its square, it is no kink.
"""

import math
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.numerics import cast, float64
from attrax._base.types import HostStates, Map
from attrax.linalg import UNIT_ROUNDOFF, frobenius_bound
from attrax.maps import Linearization

_SCALES = (1e-6, 1e-7, 1e-8)
"""Sizes of a step in each entry, in units of the patterns (`Patterns.unit`), the smallest last."""
_FINER = (1e-9, 1e-10, 1e-11)
"""Steps for a second look."""
_SMOOTH = (0.005, 0.2)
"""With a tenth of the step, a smooth map leaves a tenth of the deviation once the steps are small, or a hundredth where
it is not curved: something between these."""
_STEEP = 1e-5
"""A difference quotient that is off by more than this, also at smaller steps, contradicts the Jacobian."""
_SHRINKS = 0.3
"""With a tenth of the step, a smooth map leaves a tenth of the deviation; a kink leaves more than this fraction."""
_TOLERATED, _UNCONVERGED = 4e-12, 0.05
"""A residual that Newton's method leaves alone, relative to the sizes of states. Where a path is too slow to lose it,
what is left may differ by this part of it from what the Jacobian says."""
_RANDOM, _ENTRIES, _AXES, _STATES = (6, 64), 2048, 16, 64
"""The least and the largest number of random directions; in between, they have so many entries in all."""
_MOST_STEPS, _MOST_STEPS_LARGE = 512, 64


def contradicted(map: Map, cycle: HostStates, linear: Linearization, unit: float, *, margin: float | None) -> bool:
    """Whether the map behaves differently near a cycle than its Jacobians say and, if these say that it contracts,
    whether small deviations grow. Then `margin` is what the bound lacks to 1, and slopes have to be known that well."""
    with float64():
        map64 = cast(map, np.float64)
        directions = _directions(linear)
        steep = _STEEP if margin is None else min(_STEEP, margin / 2)
        if _bent(map64, cycle, directions, unit, steep):
            return True
        return margin is not None and _grows(map64, cycle, linear, directions, unit, steep)


def _directions(linear: Linearization) -> np.ndarray:
    """Unit vectors, one per row."""
    size, draw = linear.size, np.random.default_rng(1)
    few, many = _RANDOM
    rows = [draw.standard_normal((min(max(_ENTRIES // size, few), many), size)), np.ones((1, size))]
    if size <= _AXES:
        rows.append(np.eye(size))
    eigen, stretched = draw.standard_normal(size), draw.standard_normal(size)
    # Around a long expanding cycle these overflow, and are left out below.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(8):
            eigen, stretched = linear.forward(eigen), linear.backward(linear.forward(stretched))
            eigen, stretched = (vector / (float(np.abs(vector).max()) or 1.0) for vector in (eigen, stretched))
        rows += [eigen[None], stretched[None]]
        directions = np.concatenate(rows)
        lengths = np.linalg.norm(directions, axis=1)
    kept = np.isfinite(lengths) & (lengths > 0)
    return directions[kept] / lengths[kept, None]


def _bent(map: Map, cycle: HostStates, directions: np.ndarray, unit: float, steep: float) -> bool:
    length = unit * math.sqrt(directions.shape[1])
    # For a long cycle, states spread over all of it.
    chosen = np.unique(np.linspace(0, len(cycle) - 1, min(len(cycle), _STATES)).astype(int))
    for number in chosen:
        gaps, noise = _gaps(map, cycle[number], directions, length, _SCALES)
        if not np.isfinite(gaps).all():
            return True
        stays = gaps[:, 1:] > _SHRINKS * gaps[:, :-1]
        clear = gaps > steep + 4 * noise
        # Rounding hides a small one at the smallest steps, but not at those before.
        bent = stays[:, -1] & (clear[:, -1] | (clear[:, -2] & stays[:, -2]))
        if not bent.any():
            continue
        finer, _ = _gaps(map, cycle[number], directions, length, _FINER)
        before = np.concatenate([gaps[:, -1:], finer[:, :-1]], axis=1)
        # Rounding would grow tenfold instead.
        smooth = (_SMOOTH[0] * before < finer) & (finer < _SMOOTH[1] * before)
        if (bent & ~smooth.any(axis=1)).any():
            return True
    return False


def _gaps(
    map: Map, state: np.ndarray, directions: np.ndarray, length: float, scales: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """‖(f(x + hv) − f(x))/h − Jv‖ for each direction, scale and sign, and its rounding for each scale and sign."""
    steps = np.array([sign * size * length for size in scales for sign in (1, -1)])
    gaps, pushed, sizes = (np.asarray(part) for part in _quotients(map, state, directions, steps))
    # Of f(x + hv) − f(x), by the sizes that it is computed from; the rounding of x + hv is stretched as v is.
    stretched = float(np.linalg.norm(state)) * (1 + float(pushed.max()))
    noise = 64 * UNIT_ROUNDOFF * (float(sizes) + stretched) / np.abs(steps)
    return gaps.reshape(len(directions), len(scales), 2), noise.reshape(len(scales), 2)


def _grows(
    map: Map, cycle: HostStates, linear: Linearization, directions: np.ndarray, unit: float, steep: float
) -> bool:
    """Whether paths from the cycle and from beside it do something else than the linear map predicts, once deviations
    should have shrunk."""
    center, lap = cycle[0].ravel(), len(cycle)
    length = unit * math.sqrt(len(center))
    both = np.concatenate([np.zeros((1, len(center))), directions, -directions])

    def after(starts: np.ndarray, laps: int) -> np.ndarray:
        ends = np.asarray(_run(map, cycle.shape[1:], starts, np.asarray(laps * lap)))
        # A deviation that is not finite, or too large to be squared, has grown.
        return np.clip(np.nan_to_num(ends, nan=np.inf), -1e100, 1e100)

    # What one lap adds to the given state.
    step = after(center + 0 * both, 1)[0] - center
    residual = float(np.linalg.norm(step))
    vectors = np.concatenate([step[None] / (residual or 1.0), directions])
    pushed = float(np.linalg.norm(linear.forward(vectors), axis=1).max())
    rounding = 64 * UNIT_ROUNDOFF * (float(np.linalg.norm(center)) + length) * (1 + pushed)
    goal = min(0.1, rounding / residual) if residual > 0 else 0.1
    most = (_MOST_STEPS if linear.product is not None else _MOST_STEPS_LARGE) // lap
    laps = 0
    # Applies the linear map to the directions until all are small, and until the residual should be gone.
    while laps < max(most, 1):
        vectors, laps = linear.forward(vectors), laps + 1
        if frobenius_bound(vectors[1:]) < 0.1 and float(np.linalg.norm(vectors[0])) <= goal:
            break
    ends = after(center + _SCALES[0] * length * both, laps)
    if residual > rounding:
        left = residual * vectors[0]
        converged = float(np.linalg.norm(left)) <= rounding
        if not converged and residual > _TOLERATED * (float(np.linalg.norm(center)) + length):
            return True  # too slow to be tried
        still = after(ends, 1)[0] - ends[0]
        if float(np.linalg.norm(still - left)) > (4 * rounding if converged else _UNCONVERGED * residual):
            return True
        if float(np.linalg.norm(ends[0] - center)) > 1.01 * linear.enclosure_radius + 4 * rounding:
            return True
        if _bent(map, ends[:1].reshape(1, *cycle.shape[1:]), directions, unit, steep):
            return True
    left = np.linalg.norm(vectors[1:], axis=1)
    allowed = np.concatenate([left, left]) * 2 + 0.5
    for size in (*_SCALES[::2], *_FINER[1:]):
        ends = ends if size == _SCALES[0] else after(center + size * length * both, laps)
        away = np.linalg.norm(ends[1:] - ends[0], axis=1) - 1e-12 * float(np.linalg.norm(center))
        if (away <= allowed * size * length).all():
            return False  # the basin may be smaller than the larger steps
    return True


@eqx.filter_jit
def _quotients(map: Map, state: Any, directions: Any, steps: Any) -> tuple[Any, Any, Any]:
    """‖(f(x + hv) − f(x))/h − Jv‖ for all directions v and steps h, ‖Jv‖ for all directions, and ‖f(x)‖."""
    shape = jnp.shape(state)
    state = jnp.asarray(state)

    def along(direction: Any) -> Any:
        image, pushed = jax.jvp(map, (state,), (direction.reshape(shape),))

        def at(step: Any) -> Any:
            gap = (map(state + step * direction.reshape(shape)) - image) / step - pushed
            return jnp.sqrt(jnp.sum(gap**2))

        return jax.vmap(at)(jnp.asarray(steps)), jnp.sqrt(jnp.sum(pushed**2))

    gaps, pushed = jax.lax.map(along, jnp.asarray(directions))
    return gaps, pushed, jnp.sqrt(jnp.sum(map(state) ** 2))


@eqx.filter_jit
def _run(map: Map, shape: tuple[int, ...], starts: Any, count: Any) -> Any:
    # Not the loop of `dynamics`: nothing is looked at on the way, and a map is compiled once for all directions.
    step = partial(jax.vmap(lambda vector: jnp.ravel(map(vector.reshape(shape)))))
    return jax.lax.fori_loop(0, count, lambda _, states: step(states), jnp.asarray(starts))
