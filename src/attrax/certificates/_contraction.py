"""Balls that a fully connected network provably draws into its fixed points and cycles.

Let u be the part of x − x* in the row space of W_1; the rest does not matter. In a norm ‖v‖ with u = Rv the exact
difference obeys v' = S(J + Σ_l T_l E_l …)R v, where E_l is diagonal and holds how far the slopes of layer l, averaged
over the way from x* to x, stray from those at x*. Those are bounded by how far each pre-activation can move within the
ball (`slope_deviation`); a unit of a piecewise-linear activation that can't reach its kink contributes nothing. So
‖v'‖ ≤ κ(r)·‖v‖ for all ‖v‖ ≤ r, with a κ that never decreases: where κ(r) < 1 the whole ball goes to x*.
The norm solves a discrete Lyapunov equation P_i = I + J_iᵀ P_{i+1} J_i/q² round the cycle, P_i = S_iᵀS_i.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.types import HostStates
from attrax.activations import PIECEWISE_LINEAR
from attrax.linalg import UNIT_ROUNDOFF, Norm, Product, contracting_norms
from attrax.maps.mlp import SAFETY, BallGrowth, RowSpace, StepAt, network_product, network_slopes, rate_of

_MOST = 1e15


@dataclass(frozen=True, slots=True, eq=False)
class Contraction:
    """A ball around each point of a cycle that provably converges to the cycle, in phase.

    **Fields:**

    - `radius`: (p,), Euclidean, in the units of a state; 0 where nothing could be proved. The search ends at
      about 10¹⁵, so a map that contracts everywhere gets a number, too.
    - `linear_radius`: (p,), of the ball in the same norm in which no unit changes its slope; 0 where φ is curved.
    - `factor`: κ, by which the norm of the deviation shrinks at least at each step within the balls; NaN without them.
    """

    radius: Float[np.ndarray, " p"]
    linear_radius: Float[np.ndarray, " p"]
    factor: float


def contraction(space: RowSpace, cycle: HostStates, residual: float) -> Contraction:
    """The largest balls that could be proved, over a few norms.

    All is computed in float64. The rounding of the pre-activations, the distance of the given points from the exact
    cycle (whose existence follows by Brouwer's theorem) and the rounding of each matrix product are bounded and
    counted against the radius, and each bound is enlarged by 1e-6 of itself.

    **Arguments:** `space`; `cycle`, p×state shape, refined; `residual`, the largest ‖f(x_i) − x_{i+1}‖.

        >>> import numpy as np
        >>> from attrax import maps
        >>> from attrax.certificates import contraction
        >>> from attrax.maps.mlp import network_factors, row_space
        >>> halves = maps.MLP((np.eye(2), np.eye(2) / 2), (np.ones(2), -np.ones(2) / 2), (2,), "relu")
        >>> found = contraction(row_space(network_factors(halves)), np.zeros((1, 2)), 0.0)
        >>> float(found.radius[0]) > 1, round(float(found.linear_radius[0]), 5)
        (True, 1.0)
    """
    nothing = Contraction(np.zeros(len(cycle)), np.zeros(len(cycle)), float("nan"))
    if not np.isfinite(residual):
        return nothing
    steps = [StepAt(space, state) for state in np.asarray(cycle, np.float64)]
    jacobians = [step.jacobian for step in steps]
    if not all(np.isfinite(jacobian).all() for jacobian in jacobians):
        return nothing
    thin = steps[0].thin() if len(steps) == 1 else None
    if thin is not None:
        # Only an estimate of the largest eigenvalue is needed, which the smaller product shares.
        product = Product(thin[1] @ thin[0], 0.0, 0.0)
    else:
        product = network_product(space.factors, *network_slopes(space.factors, np.asarray(cycle, np.float64)))
    return _best(nothing, jacobians, product, lambda norms: _prove(steps, norms, residual), thin)


def quadratic_contraction(
    jacobians: Sequence[Float[np.ndarray, "d d"]],
    product: Product,
    second_derivative: Callable[[float], float],
    residual: float,
) -> Contraction:
    """The same for any map whose second derivative is bounded: ‖f(x + δ) − f(x) − Jδ‖ ≤ ½·M·‖δ‖².

    The Jacobians are taken to be right to 64 units in the last place of their norms; `second_derivative` is believed.

    **Arguments:**

    - `jacobians`: of the map at each point of the cycle, in order; `product`, theirs.
    - `second_derivative`: M of a Euclidean distance r, a bound on sup ‖D²f(x + δ)‖₂ over ‖δ‖ ≤ r and all points x.
    - `residual`: the largest ‖f(x_i) − x_{i+1}‖, with its rounding.

    **Returns:** `Contraction`, with the linear radius 0.

        >>> import numpy as np
        >>> from attrax.linalg import Product
        >>> from attrax.certificates import quadratic_contraction
        >>> half = np.array([[0.5]])
        >>> found = quadratic_contraction([half], Product(half, 0.0, 0.0), lambda r: 1.0, 0.0)
        >>> round(float(found.radius[0]), 1)  # x → x/2 + x²/2 has its other fixed point at 1
        1.0
    """
    nothing = Contraction(np.zeros(len(jacobians)), np.zeros(len(jacobians)), float("nan"))
    if not np.isfinite(residual) or not all(np.isfinite(jacobian).all() for jacobian in jacobians):
        return nothing

    def prove(norms: Sequence[Norm]) -> Contraction | None:
        period = len(norms)
        ways = [(jacobian, norms[i], norms[(i + 1) % period]) for i, jacobian in enumerate(jacobians)]
        rates = [rate_of(jacobian, here, there, 64 * UNIT_ROUNDOFF) for jacobian, here, there in ways]
        if not max(rates) < 1:
            return None
        miss = max(there.largest for _, _, there in ways) * residual

        def growth(radius: float, away: float) -> float:
            total = 0.0
            for (_, here, there), rate in zip(ways, rates, strict=True):
                far = here.smallest * (radius + away)
                bend = second_derivative(far) * there.largest * here.smallest**2
                # The Jacobian at the exact point differs by M times the distance.
                total = max(total, rate + bend * (0.5 * radius + away) * (1 + SAFETY))
            return total if total >= 0 else np.inf  # a bound that is not a number is none

        away = 2 * miss / (1 - max(rates))
        if away and not growth(away, 0.0) * away + miss <= away:
            return None
        low = _search(lambda radius: growth(radius, away), 1.0 / max(norm.smallest for norm in norms), away)
        return None if low is None else _found(norms, low, away, 0.0, growth(low, away))

    return _best(nothing, jacobians, product, prove)


def _best(
    nothing: Contraction,
    jacobians: Sequence[np.ndarray],
    product: Product,
    prove: Callable[[Sequence[Norm]], Contraction | None],
    thin: tuple[np.ndarray, np.ndarray] | None = None,
) -> Contraction:
    best = nothing
    for norms, needed in contracting_norms(jacobians, product, thin):
        if not needed and best.radius.min() > 0:
            break
        found = prove(norms)
        if found is not None and found.radius.min() > best.radius.min():
            best = found
    return best


def _prove(steps: Sequence[StepAt], norms: Sequence[Norm], residual: float) -> Contraction | None:
    """The largest common radius, in the given norms, at which every step contracts; `None` where there is none."""
    period = len(steps)
    balls = [BallGrowth(step, norms[i], norms[(i + 1) % period]) for i, step in enumerate(steps)]
    contracts = max(ball.contraction for ball in balls)
    if not contracts < 1:
        return None
    # Brouwer: a ball that is mapped into itself holds the exact cycle, whose points are so far from the given ones.
    misses = [norms[(i + 1) % period].largest * (residual + step.output_error) for i, step in enumerate(steps)]
    away = 0.0
    miss = max(misses)
    if miss > 0:
        away = 2 * miss / (1 - contracts)
        for _ in range(8):
            if all(ball.growth(away)[0] * away + miss <= away for ball in balls):
                break
            away *= 2
        else:
            return None
    extra = [ball.growth(away)[1] if away else None for ball in balls]

    def growth(radius: float) -> float:
        return max(ball.growth(radius, more)[0] for ball, more in zip(balls, extra, strict=True))

    flat = steps[0].activation in PIECEWISE_LINEAR
    linear = min(min(ball.linear_radius() for ball in balls), _MOST) if flat else 0.0
    # A start for the search: where the pre-activations move by up to a tenth.
    typical = 0.1 / max(max(float(ball.lengths[0].max(initial=0.0)) for ball in balls), 1e-3)
    low = _search(growth, linear or typical, away)
    return None if low is None else _found(norms, low, away, linear, growth(low))


def _search(growth: Callable[[float], float], start: float, away: float) -> float | None:
    """The largest radius, within two percent, at which `growth` was found below 1; `None` where there is none."""
    limit = 1 - SAFETY
    low = max(start, 4 * away)
    while not growth(low) < limit:
        low /= 4
        if low <= 4 * away or low < 1e-200:
            return None
    high = 2 * low
    while growth(high) < limit:
        low, high = high, (2 * high if high < 1e3 else high**2)
        if low >= _MOST:
            return low
    while high > low * 1.02:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if growth(middle) < limit else (low, middle)
    return low


def _found(norms: Sequence[Norm], low: float, away: float, linear: float, factor: float) -> Contraction | None:
    """The result in Euclidean terms. Steps carry each ball into the next, so one radius serves all points."""
    scale = np.array([1 / (norm.largest * (1 + SAFETY)) for norm in norms])
    # The balls lie around the exact cycle; around the given points they are so much smaller.
    radius = max(low - 2 * away, 0.0) * scale
    linear = min(max(linear - 2 * away, 0.0), low - 2 * away)
    return Contraction(radius, linear * scale, float(factor)) if radius.min() > 0 else None
