"""Spectral radii on the way: power iteration, which costs as much as a few epochs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from attrax._base.numerics import float64
from attrax._base.types import HostStates, Map

_STEPS = 12
"""Products after which the direction is taken to be the leading one, and as many over which its growth is averaged."""


class CycleRadii:
    """Estimates of the spectral radii of the Jacobian products around cycles, for maps that change little in between.

    Each cycle has a direction that is multiplied by the Jacobian at one of its states after the other. The mean growth
    of its length is the radius, with an error of some percent; of a complex pair too, whose growth goes up and down.
    The next estimate starts from the direction of the last one.
    """

    def __init__(self, points: HostStates, cycles: Sequence[Sequence[int]], seed: int = 0) -> None:
        self.lengths = np.array([len(cycle) for cycle in cycles])
        counted = self.lengths * -(-_STEPS // self.lengths)
        total = 2 * counted.max()
        time = np.arange(total)[:, None]
        self.rows = np.stack([np.asarray(cycle)[np.arange(total) % len(cycle)] for cycle in cycles], axis=1)
        self.counted = time >= total - counted
        self.turns = counted / self.lengths
        self.points = points
        draws = np.random.default_rng(seed).normal(size=(len(cycles), *points.shape[1:]))
        self.directions: Any = draws.astype(points.dtype)

    def __call__(self, map: Map) -> Float[np.ndarray, " c"]:
        """The logarithm of each cycle's radius."""
        fixed = bool((self.lengths == 1).all())
        with float64() if self.points.dtype == np.float64 else contextlib.nullcontext():
            grown = _grown(map, self.points, self.rows, self.counted, self.directions, fixed)
        growth, self.directions = (np.asarray(part) for part in grown)
        return growth.astype(float) / self.turns


@eqx.filter_jit
def _grown(map: Any, points: Any, rows: Any, counted: Any, directions: Any, fixed: bool) -> tuple[Any, Any]:
    each = jax.vmap(map)
    push = jax.linearize(each, points[rows[0]])[1] if fixed else None

    def step(now: tuple[Any, Any], at: tuple[Any, Any]) -> tuple[tuple[Any, Any], None]:
        growth, directions = now
        row, counts = at
        moved = push(directions) if push is not None else jax.jvp(each, (points[row],), (directions,))[1]
        axes = tuple(range(1, moved.ndim))
        # A direction that vanishes stays as it is: its growth is as small as a number can be.
        norms = jnp.maximum(jnp.sqrt(jnp.sum(moved**2, axis=axes, keepdims=True)), jnp.finfo(moved.dtype).tiny)
        growth = growth + jnp.where(counts, jnp.log(norms.reshape(-1)), 0.0)
        return (growth, jnp.where(norms > jnp.finfo(moved.dtype).tiny, moved / norms, directions)), None

    begin = (jnp.zeros(len(directions), points.dtype), directions)
    (growth, directions), _ = jax.lax.scan(step, begin, (rows, counted))
    return growth, directions
