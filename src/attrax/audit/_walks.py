"""Walks without data: noise and the network in turn, with less and less noise."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import cast
from attrax._base.types import HostStates, Map

_STEPS, _REST = 60, 100
"""Steps with noise, and without it after them."""
_FIRST, _LAST = 8.0, 0.2
"""The deviation of the noise at the first and the last noisy step, in units of the typical deviation of an entry. It
falls by the same factor at each step."""
_CHUNK = 64
"""Walks computed together, so that a number of walks is not a shape of its own."""


def walks(
    map: Map, shape: tuple[int, ...], num: int, low: float, high: float, deviation: float, key: PRNGKeyArray
) -> HostStates:
    """The last states of `num` walks x ← f(x) + noise, whose noise decreases, as starts.

    From plain noise a network comes to the few attractors with the largest basins. For one that was trained to remove
    noise, such a walk is a sampler of what it was trained on (Bengio, Yao, Alain and Vincent 2013), so that attractors
    with small basins are found as well.

    **Arguments:** the range of entries, `low` to `high`, beyond which walks are kept from growing by as much again; the
    typical `deviation` of an entry.
    """
    middle, span = (low + high) / 2, high - low
    sizes = (deviation * np.geomspace(_FIRST, _LAST, _STEPS)).astype(np.float32)
    limits = np.array([low - span, middle, high + span], np.float32)
    light = cast(map, np.float32)
    parts = [
        np.asarray(_walk(light, shape, sizes, limits, jr.fold_in(key, number)), np.float64)
        for number in range(-(-num // _CHUNK))
    ]
    return np.concatenate(parts)[:num]


@eqx.filter_jit
def _walk(map: Map, shape: tuple[int, ...], sizes: Any, limits: Any, key: PRNGKeyArray) -> Any:
    least, middle, most = limits

    def follow(x: Any) -> Any:
        found = jax.vmap(map)(x).reshape(x.shape).astype(x.dtype)
        return jnp.where(jnp.isfinite(found), jnp.clip(found, least, most), middle)

    def noisy(x: Any, now: tuple[Any, Any]) -> tuple[Any, None]:
        size, number = now
        return follow(x) + size * jr.normal(jr.fold_in(key, number), x.shape, x.dtype), None

    start = middle + sizes[0] * jr.normal(key, (_CHUNK, *shape), jnp.float32)
    last, _ = jax.lax.scan(noisy, start, (sizes, jnp.arange(len(sizes))))
    return jax.lax.fori_loop(0, _REST, lambda _, x: follow(x), last)
