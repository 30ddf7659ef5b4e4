"""A quick proof of a fixed point by Newton's method, where the Jacobian certainly stretches something.

The terms are those of the proof in `_existence`: A = I + W_{L+1}·Y·W_1 and I − A(I − J̃) = W_{L+1}·(C̃ − Y + Y·K·C̃)·W_1
with K = W_1·W_{L+1}. Here the outer weights count by their norms and no product with them is formed but that of A: half
of all products. What this overstates is small beside 1 where all slopes are known; elsewhere nothing is shown.
"""

from collections.abc import Sequence

import numpy as np

from attrax.linalg import frobenius_bound, gamma, two_norm_bound
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._product import back_through, layers_met, through
from attrax.maps.mlp._weights import block

_NEGLIGIBLE = 1e-4
"""The largest ‖I − A(I − J̃)‖ for which the quick proof counts: it changes the radius by no larger share."""
_ROUNDS = 4
"""How often a vector is pushed forward and back."""
_USUAL = 1e20
"""Norms of weights are below this, and above its inverse."""
_LOST = 1e-250
"""More than what underflows in a product."""
_MORE = 1 + 1e-6


def newton_by_norms(
    factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]
) -> tuple[float, float] | None:
    """Bounds on ‖A‖ and on q = sup ‖I − A(I − J̃)‖ at a fixed point; `None` where the map may contract by itself, where
    the states have no more entries than units are on, where q is not negligible, or where little is gained: with one
    hidden layer, or with weights so large or small that products may leave the range of numbers."""
    active = [np.flatnonzero((slope != 0) | (error != 0)) for slope, error in zip(slopes, errors, strict=True)]
    first, last = active[0], active[-1]
    matrices = all(isinstance(weight, np.ndarray) for weight in factors.weights)
    usual = factors.depth > 1 and all(1 / _USUAL < norm < _USUAL for norm in factors.norms)
    if not (usual and matrices and 0 < len(first) < factors.size and len(last) and _stretches(factors, slopes)):
        return None
    # C and a bound on the error of all C̃, layer by layer.
    inner, off = slopes[0][first], float(errors[0].max())  # diagonal at first
    length = float(np.abs(inner).max())  # of C, in the 2-norm
    for layer in range(1, factors.depth):
        units, slope, worst = active[layer], slopes[layer][active[layer]], float(errors[layer].max())
        weight = block(factors.weights[layer], units, active[layer - 1])
        steepest, norm = float(np.abs(slope).max(initial=0.0)), min(factors.norms[layer], frobenius_bound(weight))
        # The sizes of the diagonal's rounding are those of a product with it.
        size = frobenius_bound(inner if inner.ndim == 2 else inner[None])
        inner = slope[:, None] * (weight * inner if inner.ndim == 1 else weight @ inner)
        rounding = gamma(weight.shape[1] + 4) * steepest * frobenius_bound(weight) * size + _LOST
        off = ((steepest + worst) * norm * off + worst * norm * length + rounding) * _MORE
        length = frobenius_bound(inner) + rounding
    back = factors.joined[np.ix_(first, last)]
    around = back @ inner
    # Y solves Y(I − KC) = C up to rounding; whatever it is, what follows holds.
    try:
        outer = np.linalg.solve((np.eye(len(first)) - around).T, inner.T).T
    except np.linalg.LinAlgError:
        return None
    if not frobenius_bound(outer) < _USUAL**2:
        return None
    rest = inner - outer + outer @ around
    size, reach = frobenius_bound(outer), frobenius_bound(around)
    lost = factors.joined_error * length + gamma(len(last) + 4) * frobenius_bound(back) * frobenius_bound(inner)
    spread = off + size * ((factors.joined_norm + factors.joined_error) * off + lost)
    rounding = gamma(len(first) + 6) * (frobenius_bound(inner) + size + size * reach)
    rate = factors.norms[-1] * (frobenius_bound(rest) + spread + rounding) * factors.norms[0] * _MORE
    if not rate < _NEGLIGIBLE:
        return None
    entry, out = factors.entry[first], factors.exit[:, last]
    entry_size, out_size = frobenius_bound(entry), frobenius_bound(out)
    pushed = out @ outer
    pushed_error = gamma(len(last) + 2) * out_size * size + factors.exit_error * size
    pushed_size = frobenius_bound(pushed)
    norm = 1 + two_norm_bound(pushed @ entry) + gamma(len(first) + 4) * pushed_size * entry_size
    norm += pushed_error * (entry_size + factors.entry_error) + pushed_size * factors.entry_error
    return (norm * _MORE, rate) if np.isfinite(norm) else None


def _stretches(factors: Factors, slopes: Sequence[np.ndarray]) -> bool:
    """Whether the Jacobian was seen to stretch a vector: then the map does not contract by itself."""
    layers = layers_met(factors, slopes, factors.first, factors.last)
    vector = np.random.default_rng(0).standard_normal(factors.size)
    for _ in range(_ROUNDS):
        image = through(layers, vector)
        if float(np.linalg.norm(image)) > (1 + 1e-3) * float(np.linalg.norm(vector)):
            return True
        vector = back_through(layers, image)
        length = float(np.linalg.norm(vector))
        if not 0 < length < np.inf:
            return False
        vector = vector / length
    return False
