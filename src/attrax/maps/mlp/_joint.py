"""A proof for networks with units on kinks, by a norm in which the map contracts for every choice of slopes.

The Jacobian is affine in the slope of each unit, so for units on a kink all mean slopes give matrices in the convex
hull of those with one-sided slopes. If all of these contract in one norm, then so does the map, round the whole cycle
and within the ball in which the slopes are known. If iterates from the given states stay in that ball, they converge to
a cycle there, and no product of such Jacobians has an eigenvalue above the rate.

Of cycles away from kinks there is one matrix, that of the whole round. It may contract where the single steps do not.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from attrax._base.shown import Record
from attrax.linalg import Factor, frobenius_bound, gamma, joint_contraction
from attrax.maps.mlp._bounded import Bounded
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._product import exit_factor, step_product
from attrax.maps.mlp._sides import sides_at_kinks
from attrax.maps.mlp._slopes import Evaluation, step_by_step

_KINKS, _MOST, _SIZE = 6, 64, 512
"""The most units of which both slopes are tried; the most at all, whose mean slopes then stand for both; the most
coordinates."""
_WORK = 1e9
"""The most multiplications for all choices of slopes: examples that were not learned may have kinks nearby, and there
may be hundreds of such examples."""
_ROUNDS, _NEXT, _MORE = 6, 1.5, 1 + 1e-6


@dataclass(frozen=True, slots=True)
class Contracted(Record):
    """An exact cycle lies within `distance`, and no eigenvalue round it exceeds exp(`log_rate`)."""

    distance: float
    log_rate: float


def contracted(evaluation: Evaluation, radius: float) -> Contracted | None:
    """Proves a cycle near the states of an evaluation, whose ball is first looked for with this radius.

    `None` if nothing was proved, and of a fixed point without units on kinks, for which Newton's method is sharper.
    """
    factors = evaluation.factors
    if min(factors.weights[0].shape) > _SIZE or not np.isfinite(radius) or evaluation.heavy():
        return None
    residuals = evaluation.residuals(sharp=True)
    space = None
    for _ in range(_ROUNDS):
        choices = _choices(evaluation, radius)
        if not choices:
            return None
        space = row_space_factors(factors) if space is None else space
        needed, rate = _proved(*space, choices, residuals)
        if needed <= radius:
            with np.errstate(divide="ignore"):
                return Contracted(needed, float(np.log(rate)))
        if not np.isfinite(needed):
            return None
        radius = _NEXT * needed
    return None


_Slopes = list[np.ndarray]


def _choices(evaluation: Evaluation, radius: float) -> list[tuple[_Slopes, _Slopes]]:
    """Slopes of all units and their errors, for every choice of sides of the kinks that the ball may reach; none if too
    little is known, or it is a fixed point away from kinks."""
    factors, period = evaluation.factors, len(evaluation.states)
    errors = step_by_step(evaluation.slope_errors(radius, sharp=True))
    curved = [
        np.full(len(row), True) if plain is None else ~plain
        for row, plain in zip(factors.row_norms, factors.linear, strict=True)
    ]
    sides = sides_at_kinks(
        factors.activation, step_by_step(evaluation.pre), step_by_step(evaluation.totals(radius)), curved * period
    )
    number = len(sides.index)
    most = _WORK / _multiplications(factors, period)
    if number > _MOST or (period == 1 and not (number and most >= 1)):
        return []
    if number > _KINKS or (number and 2**number > most):
        middle = sides.slopes.mean(axis=1)
        off = np.abs(sides.slopes - middle[:, None]).max(axis=1) + sides.errors.max(axis=1)
        picked = [(middle, off * _MORE)]
    else:
        every, choices = np.arange(number), itertools.product((0, 1), repeat=number)
        picked = [(sides.slopes[every, choice], sides.errors[every, choice]) for choice in map(list, choices)]
    found: list[tuple[_Slopes, _Slopes]] = []
    for slope, error in picked:
        chosen, unsure = ([one.copy() for one in group] for group in (step_by_step(evaluation.slopes), errors))
        for layer, index, value, off in zip(sides.layer, sides.index, slope, error, strict=True):
            chosen[layer][index], unsure[layer][index] = value, off
        if not all(np.isfinite(one).all() for one in unsure):
            return []
        found.append((chosen, unsure))
    return found


def _multiplications(factors: Factors, period: int) -> float:
    """About as many as one choice takes: products of the layers, and then eigenvalues."""
    size = min(factors.weights[0].shape)
    entries = sum(float(np.prod(weight.shape)) for weight in factors.weights[1:])
    return period * 2.0 * size * entries + 30.0 * size**3


def row_space_factors(factors: Factors) -> tuple[Factors, Factor]:
    """The factors with an orthonormal basis Q of the rows of W_1 in which W_1 = `entry`·Qᵀ, and QᵀW_{L+1}."""
    basis, triangle = np.linalg.qr(factors.first.T)
    last = factors.last
    size = frobenius_bound(last)
    lost = (gamma(8 * basis.size) + gamma(len(last) + 2)) * frobenius_bound(basis) * size
    spanned = replace(factors)
    vars(spanned)["entry"] = triangle.T  # of the same factorization as Q
    return spanned, Factor(basis.T @ last, factors.norms[-1] + lost, lost)


def _proved(
    factors: Factors, back: Factor, choices: list[tuple[_Slopes, _Slopes]], residuals: np.ndarray
) -> tuple[float, float]:
    """The radius of the balls that are needed round the states, and the rate of one round."""
    nothing = (float("inf"), float("inf"))
    depth, period = factors.depth, len(residuals)
    rounds: list[Bounded] = []
    gains = np.zeros(period)
    with np.errstate(over="ignore", invalid="ignore"):
        for slopes, errors in choices:
            whole: Bounded | None = None
            for step in range(period):
                product = Bounded.of(step_product(factors, slopes, errors, step * depth, back))
                away = Bounded.of(step_product(factors, slopes, errors, step * depth, exit_factor(factors)))
                gains[step] = max(gains[step], away.norm())
                whole = product if whole is None else product.after(whole)
            assert whole is not None
            rounds.append(whole)
        joint = joint_contraction([one.matrix for one in rounds], [one.error for one in rounds])
        if joint is None:
            return nothing
        accrued = 0.0
        for gain, residual in zip(gains, residuals, strict=True):
            accrued = (gain * accrued + float(residual)) * _MORE
        # Followed from the given states, the map moves by Σ|Π_k|·accrued at most, and comes to the cycle. Each state
        # depends on the one before it only through the row space.
        radius = needed = joint.total * accrued * _MORE
        for gain, residual in zip(gains, residuals, strict=True):
            radius = (gain * radius + float(residual)) * _MORE
            needed = max(needed, radius)
    return (needed, joint.rate) if np.isfinite(needed) else nothing
