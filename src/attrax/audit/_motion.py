"""How starts that come to no end move on: they drift, are chaotic, or grow without bound."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.numerics import cast, device_array, float64
from attrax._base.types import HostStates, Map
from attrax.audit._kinds import Motion, Moving
from attrax.dynamics import trajectory
from attrax.maps import ReducedMap

_WINDOW_BYTES = 2**27
_WINDOW = 512
_STRAIGHT = 0.9
"""Cosine between the ways of two halves of the window from which on a motion is a drift."""
_EVEN = 1e-3
"""A drift whose rate falls by less than this over half the window does not slow down."""
_SHOWN = 8
_BATCHES = 20
_STEPS = 100
"""Steps a batch of the Lyapunov exponent; the first batch only turns the deviation into its direction."""
_STUDENT = 2.093
"""The 97.5 % quantile of Student's t for `_BATCHES` − 1 degrees of freedom."""


def motion_of(map: Map, reduced: ReducedMap, state: HostStates, start: int, count: int) -> Moving:
    """How the path from `state`, the last one of a start that was not converged, goes on."""
    steps = max(2, min(_WINDOW, _WINDOW_BYTES // (8 * state.size) // 2))
    path = np.concatenate([state[None], trajectory(reduced, state[None], 2 * steps)[0]])
    if len(path) <= 2 * steps:
        return divergence_of(path, start, count)
    first, second = (path[steps] - path[0]) / steps, (path[2 * steps] - path[steps]) / steps
    rate, before = float(np.linalg.norm(second)), float(np.linalg.norm(first))
    slowing = rate / before if before else math.nan
    growing, share = _largest(second)
    cosine = float(np.sum(first * second)) / (rate * before) if rate * before > 0 else 0.0
    nothing = (math.nan, math.nan, math.nan)
    if cosine > _STRAIGHT:
        left = -steps / math.log(slowing) if 0 < slowing < 1 - _EVEN else math.inf
        return Moving(Motion.DRIFT, count, start, rate, slowing, left, growing, share, nothing)
    exponent = lyapunov(map, path[-1])
    motion = Motion.CHAOS if exponent[1] > 0 else Motion.WANDERING
    mean = float(np.mean(np.linalg.norm(np.diff(path.reshape(len(path), -1), axis=0), axis=1)))
    return Moving(motion, count, start, mean, slowing, math.nan, growing, share, exponent)


def divergence_of(path: HostStates, start: int, count: int) -> Moving:
    """How a path that diverges grows, from its last finite states."""
    sizes = np.linalg.norm(path.reshape(len(path), -1), axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rate = float(sizes[-1] / sizes[-2]) if len(path) > 1 else math.nan
        growing, share = _largest(path[-1] - path[-2] if len(path) > 1 else path[-1])
    nothing = (math.nan, math.nan, math.nan)
    return Moving(Motion.DIVERGENCE, count, start, rate, math.nan, math.nan, growing, share, nothing)


def lyapunov(map: Map, state: HostStates) -> tuple[float, float, float]:
    """The largest Lyapunov exponent per step of the path from `state`, with a 95 % interval from batch means.

    One deviation is carried along by the Jacobian and scaled back at each step (Benettin and others 1980).
    """
    with float64():
        start = np.random.default_rng(0).standard_normal(state.shape)
        growth = np.asarray(_growth(cast(map, np.float64), device_array(state, np.float64), device_array(start)))
    batches = growth.reshape(_BATCHES + 1, _STEPS)[1:].mean(axis=1)
    if not np.isfinite(batches).all():
        return math.nan, math.nan, math.nan
    mean, error = float(batches.mean()), float(batches.std(ddof=1)) / math.sqrt(_BATCHES)
    return mean, mean - _STUDENT * error, mean + _STUDENT * error


@eqx.filter_jit
def _growth(map: Map, state: Any, deviation: Any) -> Any:
    """The logarithm of the factor by which a deviation grows, for each step."""

    def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Any]:
        x, v = carry
        y, w = jax.jvp(map, (x,), (v,))
        size = jnp.sqrt(jnp.sum(w**2))
        return (y, w / jnp.where(size > 0, size, 1.0)), jnp.log(size)

    scale = jnp.sqrt(jnp.sum(deviation**2))
    return jax.lax.scan(step, (state, deviation / scale), None, length=(_BATCHES + 1) * _STEPS)[1]


def _largest(change: np.ndarray) -> tuple[tuple[tuple[tuple[int, ...], float], ...], float]:
    changes = change.ravel()
    order = np.argsort(-np.abs(changes), kind="stable")[:_SHOWN]
    total = float(np.sum(changes**2))
    listed = tuple(
        (tuple(int(one) for one in np.unravel_index(index, change.shape)), float(changes[index])) for index in order
    )
    return listed, float(np.sum(changes[order] ** 2)) / total if total > 0 else 0.0
