"""Proves that a fully connected network has a fixed point or cycle near given states, and bounds the slopes there.

For x and y within a radius r of the given states, f(x) − f(y) = W_{L+1} C̃ W_1 (x − y) with C̃ = D̃_L W_L ⋯ W_2 D̃_1
and diagonal matrices D̃ of mean slopes, which are known up to the errors of `Evaluation.slope_errors(r)`.

*Fixed points* by Krawczyk's form of Newton's method: N(x) = x − A(x − f(x)) has the fixed points of f if A is
invertible. On the ball it has the Lipschitz constant q = sup ‖I − A(I − J̃)‖; with ‖A‖ ≤ a and ‖f(x̂) − x̂‖ ≤ ρ, a ball
of radius aρ/(1 − q) ≤ r is mapped into itself if q < 1, and contains exactly one fixed point (Banach); q < 1 makes A
invertible. If the map itself contracts, A = I.

*Cycles* by the contraction of the map around the cycle, in Euclidean norms whose radii differ from point to point;
short ones by Newton's method for all states at once, (x_1, …, x_p) being fixed under (f(x_p), f(x_1), …); others in
norms of `contracting_norms`, where the deviations v_i = W_1(x_i − x̂_i) shrink at each step (Brouwer).

*Units on kinks*, whose slopes of both sides count, and long cycles, where the above is not enough: by `contracted`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record
from attrax.linalg import Factor, contracting_norms, contraction_rate, frobenius_bound, gamma, two_norm_bound
from attrax.maps.mlp._bounded import Bounded
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._inverse import newton_by_norms
from attrax.maps.mlp._joint import contracted, row_space_factors
from attrax.maps.mlp._product import cancelling, exit_factor, flat, network_product, product_at_input, step_product
from attrax.maps.mlp._slopes import Evaluation, step_by_step
from attrax.maps.mlp._weights import block

_FIRST, _NEXT, _ROUNDS = 32.0, 1.5, 8
"""The first radius to try, in units of the residual; the factor above the needed radius to try next; the number of
attempts."""
_MOST = 512
"""The most coordinates of all states of a cycle together for Newton's method."""
_MORE = 1 + 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Enclosure(Record):
    """Where the exact cycle lies.

    **Fields:**

    - `enclosure_radius`: the points of the exact cycle lie within this distance of the given ones; infinite if no cycle
      was proved to exist.
    - `slopes`, `errors`: the slopes of all units and their errors, step by step and layer by layer. The errors hold
      within `enclosure_radius`, or within the requested radius if that is infinite.
    """

    enclosure_radius: float
    slopes: list[np.ndarray]
    errors: list[np.ndarray]


def enclose_constant(evaluation: Evaluation) -> Float[np.ndarray, " n"]:
    """Encloses the fixed points near the states of an evaluation of fixed points, round which the network is certainly
    constant: their enclosure radii, and infinity for other states.

    The same as `enclose` of each alone, but tries contraction only. All states together take little more time than one.
    """
    found = np.full(len(evaluation.states), np.inf)
    residuals = evaluation.residuals(sharp=False)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = evaluation.slope_errors(_FIRST * residuals, sharp=False)
    constant = np.isfinite(residuals)
    if evaluation.factors.depth == 1:
        constant &= cancelling(evaluation.factors, evaluation.slopes[0], errors[0])
    for step, residual in enumerate(residuals):
        here = ([layer[step] for layer in layers] for layers in (evaluation.slopes, errors))
        if constant[step] and (evaluation.factors.depth == 1 or flat(evaluation.factors, *here)):
            found[step] = _by_contraction([0.0], residual[None])
    return found


def enclose(evaluation: Evaluation) -> tuple[Enclosure, Evaluation]:
    """Encloses the cycle near the states of an evaluation; and the evaluation that showed it, which has more bits if
    rounding alone stood in the way. Cheap methods are tried first."""
    found = _enclosed(evaluation)
    if not np.isfinite(found.enclosure_radius) and evaluation.blurred():
        sharper = Evaluation(evaluation.factors, evaluation.states, accurate=True)
        again = _enclosed(sharper)
        if np.isfinite(again.enclosure_radius):
            return again, sharper
    return found, evaluation


def _enclosed(evaluation: Evaluation) -> Enclosure:
    slopes = step_by_step(evaluation.slopes)
    cheap_first = not evaluation.curved and evaluation.factors.depth > 1
    nearest = 0.0
    for sharp in (False, True) if cheap_first else (True,):
        if sharp and cheap_first and evaluation.heavy():
            break
        residuals = evaluation.residuals(sharp=sharp)
        largest = float(residuals.max())
        nearest = _FIRST * largest
        if not np.isfinite(largest):
            continue
        radius, tried = _FIRST * largest, False
        known: list[np.ndarray] | None = None
        least = needed = float("inf")
        for _ in range(_ROUNDS):
            errors = step_by_step(evaluation.slope_errors(radius, sharp=sharp))
            # Away from kinks a larger ball has the same slopes, and what it needs is known.
            if known is None or not all(map(np.array_equal, errors, known)):
                least, needed = _needed(*evaluation.met(slopes, errors), residuals)
            known = errors
            if needed <= radius:
                if 2 * needed < radius:
                    # In a smaller ball the slopes are known more precisely.
                    errors = step_by_step(evaluation.slope_errors(needed, sharp=sharp))
                return Enclosure(needed, slopes, errors)
            if np.isfinite(needed):
                radius = _NEXT * needed
            elif not tried and 1.1 * least < radius:
                radius, tried = 1.1 * least, True  # the slopes vary too much in so large a ball
            else:
                break
    joint = contracted(evaluation, nearest)
    if joint is not None:
        return Enclosure(joint.distance, slopes, step_by_step(evaluation.slope_errors(joint.distance, sharp=True)))
    errors = step_by_step(evaluation.slope_errors(nearest if np.isfinite(nearest) else 0.0))
    return Enclosure(float("inf"), slopes, errors)


def _needed(
    factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray], residuals: np.ndarray
) -> tuple[float, float]:
    """A lower bound on the radius needed, and a radius that suffices if the slopes are correct to within `errors`
    inside it (or infinity)."""
    nothing = (float("inf"), float("inf"))
    if not all(np.isfinite(error).all() for error in errors):
        return nothing
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        single = len(slopes) == factors.depth
        if single and (found := newton_by_norms(factors, slopes, errors)) is not None:
            inverse, rate = found
            least = inverse * float(residuals[0]) * _MORE
            return least, least / (1 - rate) * _MORE
        steps = [
            Bounded.of(step_product(factors, slopes, errors, start, exit_factor(factors)))
            for start in range(0, len(slopes), factors.depth)
        ]
        radius = _by_contraction([step.norm() for step in steps], residuals)
        if np.isfinite(radius):
            return radius, radius
        if len(steps) > 1:
            least, needed = _newton_for_cycles(factors, slopes, errors, steps, residuals)
            return least, needed if np.isfinite(needed) else _in_norms(factors, slopes, errors, steps, residuals)
        inverse, rate = _newton(factors, slopes, errors, steps[0])
        least = inverse * float(residuals[0]) * _MORE
    if not np.isfinite(least):
        return nothing
    return least, least / (1 - rate) * _MORE if rate < 1 else float("inf")


def _by_contraction(rates: Sequence[float], residuals: np.ndarray) -> float:
    """The largest radius of balls around the points of the cycle that steps with these Lipschitz constants map into
    each other."""
    factor, constant = 1.0, 0.0
    for rate, residual in zip(rates, residuals, strict=True):
        factor, constant = factor * rate, constant * rate + residual
    if not factor * _MORE < 1:
        return float("inf")
    radius = constant / (1 - factor * _MORE) * _MORE
    largest = radius
    for rate, residual in zip(rates, residuals, strict=True):
        radius = (rate * radius + float(residual)) * _MORE
        largest = max(largest, radius)
    return largest if np.isfinite(largest) else float("inf")


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """The computed inverse; NaN where there is none."""
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


def _by_inverse(jacobian: Bounded) -> tuple[float, float]:
    """Bounds on ‖A‖ and on q = sup ‖I − A(I − J̃)‖, for the computed inverse A of I − J."""
    eye = np.eye(len(jacobian.matrix))
    inverse = _inverse(eye - jacobian.matrix)
    if not np.isfinite(inverse).all():
        return float("inf"), float("inf")
    size, norm = frobenius_bound(inverse), two_norm_bound(inverse)
    left = frobenius_bound(eye - inverse + inverse @ jacobian.matrix)
    rounding = gamma(len(eye) + 6) * (len(eye) + size * (1 + frobenius_bound(jacobian.matrix)))
    return norm, (left + rounding + norm * jacobian.error) * _MORE


def _newton(
    factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray], step: Bounded
) -> tuple[float, float]:
    """Bounds on ‖A‖ and on q = sup ‖I − A(I − J̃)‖, for an A near the inverse of I − J.

    If a state has more entries than the first layer has active units, A = I + W_{L+1} Y W_1 with the computed Y ≈ C(I −
    W_1 W_{L+1} C)⁻¹, and I − A(I − J̃) = W_{L+1} (C̃ + Y W_1 W_{L+1} C̃ − Y) W_1.
    """
    active = [np.flatnonzero((slope != 0) | (error != 0)) for slope, error in zip(slopes, errors, strict=True)]
    first, last = active[0], active[-1]
    if factors.size <= len(first):
        whole = Bounded.of(product_at_input(factors, slopes, errors, active))
        return _by_inverse(whole)
    carried = slopes[0][first]
    through = np.diag(carried)
    for layer in range(1, factors.depth):
        weight = block(factors.weights[layer], active[layer], active[layer - 1])
        through = slopes[layer][active[layer], None] * (weight @ through)
    back = factors.joined[np.ix_(first, last)]
    inner = through @ _inverse(np.eye(len(first)) - back @ through)
    entry, out = factors.entry[first], factors.exit[:, last]
    size, entry_size = frobenius_bound(inner), frobenius_bound(entry)
    pushed = out @ inner
    pushed_error = gamma(len(last) + 2) * frobenius_bound(out) * size + factors.exit_error * size
    pushed_size, pushed_norm = frobenius_bound(pushed), two_norm_bound(pushed)
    around = Bounded.of(
        step_product(
            factors, slopes, errors, 0, Factor(factors.joined[first], factors.joined_norm, factors.joined_error)
        )
    )
    around_size = frobenius_bound(around.matrix)
    left = frobenius_bound(step.matrix + pushed @ (around.matrix - entry))
    rounding = gamma(len(first) + 6) * (pushed_size * (around_size + entry_size) + frobenius_bound(step.matrix))
    others = pushed_norm * (around.error + factors.entry_error)
    others += pushed_error * (around_size + around.error + entry_size + factors.entry_error)
    rate = (left + rounding + step.error + others) * _MORE
    norm = 1 + two_norm_bound(pushed @ entry) + gamma(len(first) + 4) * pushed_size * entry_size
    norm += pushed_error * (entry_size + factors.entry_error) + pushed_norm * factors.entry_error
    return norm * _MORE, rate


def _newton_for_cycles(
    factors: Factors,
    slopes: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    steps: Sequence[Bounded],
    residuals: np.ndarray,
) -> tuple[float, float]:
    """A lower bound on the radius needed, and a radius that suffices, by Newton's method in the row space of W_1.

    A deviation there, y_i, leads to y_{i+1} = G_i y_i and to the deviation W_{L+1}C_i E y_i of the next state. The
    stacked system has the matrix I − G with G_i beside its diagonal.
    """
    period, size = len(steps), min(factors.weights[0].shape)
    if period * size > _MOST:
        return 0.0, float("inf")
    reduced, back = row_space_factors(factors)
    whole, error = np.zeros((period * size, period * size)), 0.0
    for step in range(period):
        move = Bounded.of(step_product(reduced, slopes, errors, step * factors.depth, back))
        after = (step + 1) % period * size
        whole[after : after + size, step * size : (step + 1) * size] = move.matrix
        error = max(error, move.error)
    norm, rate = _by_inverse(Bounded(whole, error))
    least = norm * frobenius_bound(residuals[None]) * _MORE
    if not (np.isfinite(least) and rate < 1):
        return least if np.isfinite(least) else 0.0, float("inf")
    inside = least / (1 - rate) * _MORE
    states = (step.norm() * inside + float(residual) for step, residual in zip(steps, residuals, strict=True))
    return least, max(inside, *states) * _MORE


def _in_norms(
    factors: Factors,
    slopes: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    steps: Sequence[Bounded],
    residuals: np.ndarray,
) -> float:
    """The radius of balls that contain the cycle, from norms in which v_{i+1} = M_i v_i + W_1 c_i contracts.

    M_i maps the first pre-activations of one state to those of the next, v_{i+1} is W_1 times the next deviation, c_i
    is the residual of step i, and the next deviation itself is W_{L+1} C_i v_i + c_i.
    """
    depth, period = factors.depth, len(steps)
    units = [np.flatnonzero((slopes[start] != 0) | (errors[start] != 0)) for start in range(0, len(slopes), depth)]
    moves, outs = [], []
    for step in range(period):
        after = units[(step + 1) % period]
        joined = Factor(factors.joined[after], factors.joined_norm, factors.joined_error)
        start = step * depth
        moves.append(Bounded.of(step_product(factors, slopes, errors, start, joined, inside=True)))
        outs.append(Bounded.of(step_product(factors, slopes, errors, start, exit_factor(factors), inside=True)))
    if not all(np.isfinite(move.matrix).all() and np.isfinite(move.error) for move in moves):
        return float("inf")
    product = network_product(factors, slopes, errors)
    for norms, _ in contracting_norms([move.matrix for move in moves], product, None):
        following = [*norms[1:], norms[0]]
        rate = max(
            contraction_rate(move.matrix, here, there, move.error)
            for move, here, there in zip(moves, norms, following, strict=True)
        )
        if not rate < 1:
            continue
        pushes = [
            there.largest * factors.norms[0] * float(residual)
            for there, residual in zip(following, residuals, strict=True)
        ]
        size = max(pushes) / (1 - rate) * _MORE
        radius = max(
            out.norm() * here.smallest * size + float(residual)
            for out, here, residual in zip(outs, norms, residuals, strict=True)
        )
        if np.isfinite(radius):
            return radius * _MORE
    return float("inf")
