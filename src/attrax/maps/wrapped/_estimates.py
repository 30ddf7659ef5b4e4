"""What can be said about a callable of unknown structure: estimates, each with a safety factor.

The change of the Jacobian over a ball is estimated by *sampled changes*: at points of the sphere, in random and in the
leading directions with both signs, J(x) − J(x̂) is applied to Gaussian vectors ω. Then 10·√(2/π)·max‖(J(x) − J(x̂))ω‖
bounds its norm at that point, except with a probability of 10⁻⁶ (Halko, Martinsson and Tropp 2011, Lemma 4.1). `SAFETY`
times the largest stands for the whole ball. The rounding error of f is taken to be `ROUNDING` times the magnitudes
involved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.types import HostStates, Map
from attrax.linalg import (
    GAUSS,
    UNIT_ROUNDOFF,
    PowerNorms,
    contracting_norms,
    contraction_rate,
    frobenius_bound,
    gamma,
    two_norm_bound,
)
from attrax.linalg import Product as JacobianProduct

ROUNDING = 64 * UNIT_ROUNDOFF
"""The rounding error inside an arbitrary map is unknown; this fraction of the norm of its Jacobian is assumed."""
SAFETY = 4.0
"""How much more the Jacobian is assumed to change over a ball than at the sampled points."""
_VECTORS, _DIRECTIONS = 6, 3
_ROUNDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Ball(Record):
    """A radius within which an exact cycle was shown to exist (infinite if none was), and the change of J_i within
    it."""

    enclosure_radius: float
    changes: np.ndarray


class Sampler:
    """A callable at the states of a cycle: its residuals, and how its Jacobians change nearby."""

    def __init__(self, map: Map, cycle: HostStates, leading: Sequence[np.ndarray]) -> None:
        self.map, self.cycle = map, np.asarray(cycle, np.float64)
        self.vectors = self.cycle.reshape(len(cycle), -1)
        size = self.vectors.shape[1]
        draw = np.random.default_rng(0)
        self.directions = draw.standard_normal((_VECTORS, size))
        directions = np.concatenate([draw.standard_normal((_DIRECTIONS, size)), *[one[None] for one in leading]])
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        directions = directions[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0]
        self.directions = np.concatenate([directions, -directions])
        with float64():
            images, self.pushed = (
                np.stack(part) for part in zip(*[self._at(state) for state in self.vectors], strict=True)
            )
        lengths = np.linalg.norm(self.vectors, axis=1)
        reached = np.linalg.norm(images, axis=1)
        gaps = np.linalg.norm(images - np.roll(self.vectors, -1, axis=0), axis=1)
        slopes = np.linalg.norm(self.pushed, axis=2).max(axis=1) / math.sqrt(size)
        self.residuals = gaps + ROUNDING * (reached + (1 + slopes) * lengths)

    def _at(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        image, pushed = self._along(np.broadcast_to(state, self.directions.shape), 1)
        return image[0], pushed[0]

    def _along(self, points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        found = _image_and_products(self.map, self.cycle.shape[1:], points, np.asarray(count), self.directions)
        return np.asarray(found[0]), np.asarray(found[1])

    def changes(self, radius: float) -> np.ndarray:
        """Estimated bound on ‖J(x) − J(x̂_i)‖₂ within `radius` of each state."""
        if radius == 0:
            return np.zeros(len(self.vectors))
        found = []
        with float64():
            for state, pushed in zip(self.vectors, self.pushed, strict=True):
                points = state + radius * self.directions
                moved = self._along(points, len(points))[1]
                found.append(SAFETY * GAUSS * np.linalg.norm(moved - pushed, axis=2).max())
        return np.where(np.isfinite(found), found, np.inf)


def enclose_formed(sampler: Sampler, jacobians: Sequence[np.ndarray]) -> Ball:
    """A cycle near the given states, from the Jacobians there and their estimated changes."""
    return _grow(sampler, lambda changes: _needed(jacobians, changes, sampler.residuals))


def enclose_sums(sampler: Sampler, powers: PowerNorms) -> Ball:
    """The same, from bounds on the norms of products of Jacobians: ‖(I − J)⁻¹‖ ≤ Σ‖Jʲ‖/(1 − ‖Jᵐ‖)."""

    def needed(changes: np.ndarray) -> float:
        rate = powers.inverse * float(changes.max())
        return powers.inverse * float(sampler.residuals.max()) / (1 - rate) if rate < 1 else float("inf")

    return _grow(sampler, needed)


def _grow(sampler: Sampler, needed_at: Any) -> Ball:
    largest = float(sampler.residuals.max())
    if not np.isfinite(largest):
        return Ball(float("inf"), np.full(len(sampler.vectors), np.inf))
    radius = 32 * largest
    changes = sampler.changes(radius)
    for _ in range(_ROUNDS):
        needed = needed_at(changes)
        if needed <= radius:
            return Ball(needed, changes)
        if not np.isfinite(needed):
            break
        radius = 1.5 * needed
        changes = sampler.changes(radius)
    return Ball(float("inf"), changes)


def _needed(jacobians: Sequence[np.ndarray], changes: np.ndarray, residuals: np.ndarray) -> float:
    errors = [
        float(change) + ROUNDING * frobenius_bound(jacobian)
        for change, jacobian in zip(changes, jacobians, strict=True)
    ]
    if not all(np.isfinite(jacobian).all() for jacobian in jacobians) or not np.isfinite(errors).all():
        return float("inf")
    if len(jacobians) == 1:
        return _newton(jacobians[0], errors[0], float(residuals[0]))
    for norms, _ in contracting_norms(list(jacobians), _product(jacobians), None):
        following = [*norms[1:], norms[0]]
        steps = list(zip(jacobians, errors, norms, following, residuals, strict=True))
        rate = max(contraction_rate(jacobian, here, there, error) for jacobian, error, here, there, _ in steps)
        if rate < 1:
            pushed = max(there.largest * float(residual) for *_, there, residual in steps)
            return max(norm.smallest for norm in norms) * pushed / (1 - rate)
    return float("inf")


def _newton(jacobian: np.ndarray, error: float, residual: float) -> float:
    rate = two_norm_bound(jacobian) + error
    if rate < 0.9:
        return residual / (1 - rate)
    eye = np.eye(len(jacobian))
    try:
        inverse = np.linalg.inv(eye - jacobian)
    except np.linalg.LinAlgError:
        return float("inf")
    size, norm = frobenius_bound(inverse), two_norm_bound(inverse)
    rate = frobenius_bound(eye - inverse + inverse @ jacobian) + norm * error
    rate += gamma(len(eye) + 6) * (len(eye) + size * (1 + frobenius_bound(jacobian)))
    return norm * residual / (1 - rate) if rate < 1 else float("inf")


def _product(jacobians: Sequence[np.ndarray]) -> JacobianProduct:
    whole = np.eye(len(jacobians[0]))
    log_scale = 0.0
    for jacobian in jacobians:
        whole = jacobian @ whole
        scale = float(np.abs(whole).max(initial=0.0)) or 1.0
        whole, log_scale = whole / scale, log_scale + math.log(scale)
    return JacobianProduct(whole, 0.0, log_scale)


@eqx.filter_jit
def _image_and_products(map: Map, shape: tuple[int, ...], points: Any, count: Any, vectors: Any) -> tuple[Any, Any]:
    """f(x) of the first `count` points, and the products of its Jacobian with all vectors; zeros for the others.
    So one program takes a state as well as all points around it."""
    points, vectors = jnp.asarray(points), jnp.asarray(vectors)

    def one(point: Any) -> tuple[Any, Any]:
        image, push = jax.linearize(lambda x: jnp.ravel(map(x.reshape(shape))), point)
        return image, jax.vmap(push)(vectors)

    def add(index: Any, found: tuple[Any, Any]) -> tuple[Any, Any]:
        return jax.tree.map(lambda rows, row: rows.at[index].set(row), found, one(points[index]))

    empty = jnp.zeros_like(points), jnp.zeros((len(points), *vectors.shape), points.dtype)
    return jax.lax.fori_loop(0, count, add, empty)
