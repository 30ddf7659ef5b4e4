"""Balls in which a map provably converges to its fixed points and cycles.

Let u be a deviation x − x* in the map's coordinates, and ‖v‖ a norm with u = Rv. The map bounds ‖v'‖ ≤ κ(r)·‖v‖ for all
‖v‖ ≤ r, with a nondecreasing κ (`maps.step_bounds`): if κ(r) < 1, the whole ball converges to x*. The norm solves a
discrete Lyapunov equation P_i = I + J_iᵀ P_{i+1} J_i/q² around the cycle, P_i = S_iᵀS_i.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.linalg import SAFETY, Norm, Product, contracting_norms
from attrax.maps import BoundSteps, Linearizer, StepBounds

_LEAST, _MOST = 1e-100, 1e15
"""Range in which a radius is searched for, in units of the states; below it, squares and products would underflow."""


@dataclass(frozen=True, slots=True, eq=False)
class Contraction(Record):
    """A ball around each point of a cycle that provably converges to the cycle, in phase.

    **Fields:**

    - `radius`: (p,), Euclidean radius, in the units of a state; 0 if nothing could be proved. The search ends at about
      10¹⁵ units, so a map that contracts everywhere gets a finite radius too.
    - `linear_radius`: (p,), radius of the ball in the same norm in which no unit changes its slope; 0 if φ is curved.
    - `factor`: κ; within the balls, each step shrinks the norm of the deviation at least by this factor. NaN if nothing
      was proved.
    """

    radius: Float[np.ndarray, " p"]
    linear_radius: Float[np.ndarray, " p"]
    factor: float


def contraction(
    bound: BoundSteps, linearize: Linearizer, cycle: HostStates, residual: float, unit: float = 1.0
) -> Contraction:
    """The largest balls around the points of a cycle that could be proved to converge, over a few norms.

    Everything is computed in float64. The rounding of each step and the distance of the given points from the exact
    cycle (whose existence follows by Brouwer's theorem) are bounded and subtracted from the radius, and each bound is
    enlarged by a relative 1e-6.

    **Arguments:** `bound`, the `maps.step_bounds` of a map, and `linearize`, its `maps.linearizer`; `cycle`, p×state
    shape, refined; `residual`, the largest ‖f(x_i) − x_{i+1}‖; `unit`, of the states (`Patterns.unit`).

        >>> import numpy as np
        >>> from attrax import maps
        >>> from attrax.certificates import contraction
        >>> halves = maps.MLP((np.eye(2), np.eye(2) / 2), (np.ones(2), -np.ones(2) / 2), (2,), "relu")
        >>> found = contraction(maps.step_bounds(halves), maps.linearizer(halves), np.zeros((1, 2)), 0.0)
        >>> float(found.radius[0]) > 1, round(float(found.linear_radius[0]), 5)
        (True, 1.0)
    """
    nothing = Contraction(np.zeros(len(cycle)), np.zeros(len(cycle)), float("nan"))
    steps = bound(np.asarray(cycle, np.float64)) if np.isfinite(residual) else None
    if steps is None:
        return nothing
    jacobians = [step.jacobian for step in steps]
    if not all(np.isfinite(jacobian).all() for jacobian in jacobians):
        return nothing
    thin = steps[0].thin() if len(steps) == 1 else None
    # Only an estimate of the largest eigenvalue is needed; the smaller product has the same one.
    product = linearize(cycle, 0.0).product if thin is None else Product(thin[1] @ thin[0], 0.0, 0.0)
    if product is None:
        return nothing
    best = nothing
    for norms, needed in contracting_norms(jacobians, product, thin):
        if not needed and best.radius.min() > 0:
            break
        proof = _prove(steps, norms, residual, unit)
        if proof is not None and proof.radius.min() > best.radius.min():
            best = proof
    return best


def _prove(steps: Sequence[StepBounds], norms: Sequence[Norm], residual: float, unit: float) -> Contraction | None:
    """The largest common radius, in the given norms, at which every step contracts; `None` if there is none."""
    period = len(steps)
    balls = [step.ball(norms[i], norms[(i + 1) % period]) for i, step in enumerate(steps)]
    contracts = max(ball.contraction for ball in balls)
    if not contracts < 1:
        return None
    # Brouwer: a ball that is mapped into itself contains the exact cycle, which bounds its distance from the given
    # points.
    residual *= 1 + SAFETY
    residuals = [norms[(i + 1) % period].largest * (residual + step.output_error) for i, step in enumerate(steps)]
    away = 0.0
    largest = max(residuals)
    if largest > 0:
        away = 2 * largest / (1 - contracts)
        for _ in range(8):
            if all(ball.growth(away) * away + largest <= away for ball in balls):
                break
            away *= 2
        else:
            return None

    def growth(radius: float) -> float:
        return max(ball.growth(radius, away) for ball in balls)

    most = _MOST * unit
    linear = min(min(ball.linear_radius() for ball in balls), most)
    low = _search(growth, linear or min(*(ball.first_radius for ball in balls), most), away, unit)
    return None if low is None else _euclidean(norms, low, away, linear, growth(low))


def _search(growth: Callable[[float], float], start: float, away: float, unit: float) -> float | None:
    """The largest radius, to within two percent, at which `growth` was found to be below 1; `None` if there is none."""
    limit = 1 - SAFETY
    low = max(start, 4 * away)
    while not growth(low) < limit:
        low /= 4
        if low <= 4 * away or low < _LEAST * unit:
            return None
    high = 2 * low
    while growth(high) < limit:
        low, high = high, (2 * high if high < 1e3 * unit else high * (high / unit))
        if low >= _MOST * unit:
            return low
    while high > low * 1.02:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if growth(middle) < limit else (low, middle)
    return low


def _euclidean(norms: Sequence[Norm], low: float, away: float, linear: float, factor: float) -> Contraction | None:
    """The result in Euclidean terms. Each step maps a ball into the next one, so one radius is valid for all points."""
    scale = np.array([1 / (norm.largest * (1 + SAFETY)) for norm in norms])
    # The balls are centered at the exact cycle; around the given points they are smaller by `away`.
    radius = max(low - 2 * away, 0.0) * scale
    linear = min(max(linear - 2 * away, 0.0), low - 2 * away)
    return Contraction(radius, linear * scale, float(factor)) if radius.min() > 0 else None
