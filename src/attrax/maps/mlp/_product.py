"""Small matrices with the same nonzero spectrum as the Jacobian of a fully connected network around a cycle.

For f = W_{L+1} φ(W_L … φ(W_1 x)) the nonzero eigenvalues of the d×d Jacobian W_{L+1} D_L W_L … D_1 W_1 are those of the
product that starts and ends at any layer, since AB and BA have the same nonzero eigenvalues. A unit with φ' = 0
contributes a zero row and column, which can be dropped. The product starts at the layer with the fewest remaining
units.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from attrax.linalg import (
    UNIT_ROUNDOFF,
    Factor,
    Product,
    RankOneBlock,
    RunningProduct,
    frobenius_bound,
    largest_singular_value,
)
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._weights import Weight, block, rows_times

_FORMED, _LAYERS = 1024, 16
"""The most units of layers whose product is formed for its largest singular value, and the most layers: in which order
they are multiplied is found in a time that grows with the cube of their number."""


def network_product(factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> Product:
    """The cyclic product of a fully connected network around a cycle, starting where that is cheapest.

    `slopes` and their `errors` stand step by step, layer by layer; see `step_by_step`.
    """
    # Active units of every hidden layer at every step, in the order of the signal.
    active = [np.flatnonzero((slope != 0) | (error != 0)) for slope, error in zip(slopes, errors, strict=True)]
    depth, total = factors.depth, len(slopes)
    sizes = [len(units) for units in active]
    start = int(np.argmin(sizes))
    if factors.size < sizes[start]:
        return product_at_input(factors, slopes, errors, active)
    if flat(factors, slopes, errors):
        return Product(np.zeros((sizes[start], sizes[start])), 0.0, 0.0)
    running = RunningProduct(sizes[start])
    met: list[Factor] = []
    for offset in range(1, total + 1):
        here, before = (start + offset) % total, (start + offset - 1) % total
        layer, units = here % depth, active[here]
        weight, norm, weight_error = (
            (factors.joined, factors.joined_norm, factors.joined_error)
            if layer == 0
            else (factors.weights[layer], factors.norms[layer], 0.0)
        )
        part = block(weight, units, active[before])
        met.append(_factor(part, norm, weight_error, slopes[here][units], errors[here][units]))
        if len(met) == depth:
            running.multiply_block(met)
            met = []
    return running.product()


def product_at_input(
    factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray], active: Sequence[np.ndarray]
) -> Product:
    """The same product from the state back to itself, for states with fewer entries than any layer has units."""
    running = RunningProduct(factors.size)
    before: np.ndarray | None = None
    met: list[Factor] = []
    for here, units in enumerate(active):
        layer = here % factors.depth
        part = block(factors.weights[layer], units, before)
        met.append(_factor(part, factors.norms[layer], 0.0, slopes[here][units], errors[here][units]))
        before = units
        if layer == factors.depth - 1:
            met.append(Factor(factors.last[:, before], factors.norms[-1], 0.0))
            running.multiply_block(met)
            before, met = None, []
    return running.product()


def network_norm(factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> float:
    """Logarithm of a bound on the spectral radius around a cycle: the product of the norms of its steps' Jacobians.

    If the Jacobian of every step is 0 because its parts cancel, as in a constructed network, the cyclic product carries
    the rounding of each step through all later ones, where these parts do not cancel. The norms are those of whole
    steps, with W_{L+1} and W_1 replaced by factors with the same Gram matrices.
    """
    total = 0.0
    for start in range(0, len(slopes), factors.depth):
        found = step_product(factors, slopes, errors, start, exit_factor(factors))
        norm = frobenius_bound(found.matrix) + found.error
        if norm == 0:
            return -np.inf
        total += float(np.log(norm)) + found.log_scale
    return total


def exit_factor(factors: Factors) -> Factor:
    """A replacement for W_{L+1} that preserves lengths: R with RᵀR = W_{L+1}ᵀW_{L+1}."""
    return Factor(factors.exit, factors.norms[-1] + factors.exit_error, factors.exit_error)


def step_product(
    factors: Factors,
    slopes: Sequence[np.ndarray],
    errors: Sequence[np.ndarray],
    start: int,
    last: Factor,
    *,
    inside: bool = False,
) -> Product:
    """One application of the network through all active units, with `last` as the last factor.

    It begins at the state (with E, where E·Eᵀ = W_1·W_1ᵀ) or, if `inside`, at the first pre-activations of the active
    units. `start` is the index of the application's first layer among the slopes.
    """
    steps = range(start, start + factors.depth)
    active = [np.flatnonzero((slopes[here] != 0) | (errors[here] != 0)) for here in steps]
    out = np.asarray(last.matrix)
    if flat(factors, [slopes[here] for here in steps], [errors[here] for here in steps]):
        return Product(np.zeros((len(out), len(active[0]) if inside else factors.entry.shape[1])), 0.0, 0.0)
    met: list[Factor] = []
    for layer, (here, units) in enumerate(zip(steps, active, strict=True)):
        slope, error = slopes[here][units], errors[here][units]
        if layer == 0 and inside:
            met.append(_factor(np.eye(len(units)), 1.0, 0.0, slope, error))
        elif layer == 0:
            met.append(_factor(factors.entry[units], factors.norms[0], factors.entry_error, slope, error))
        else:
            part = block(factors.weights[layer], units, active[layer - 1])
            met.append(_factor(part, factors.norms[layer], 0.0, slope, error))
    met.append(Factor(out[:, active[-1]], last.norm, last.error))
    running = RunningProduct(met[0].matrix.shape[1])
    running.multiply_block(met)
    return running.product()


def flat(factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> bool:
    """Whether the Jacobian of one of these steps is certainly 0: exactly, for all slopes that differ by no more than
    their `errors`.

    Of several hidden layers, if the active units of two successive ones are not connected. Only the connections of the
    narrowest layers are looked at. In a winner-take-all network these have one unit, and its path ends after the last
    of them: then nothing of the size of the others is formed. Of one hidden layer, if all active units cancel in pairs,
    as in a constructed network (`Factors.twins`).
    """
    if factors.depth == 1:
        return any(
            cancelling(factors, slope[None], error[None])[0] for slope, error in zip(slopes, errors, strict=True)
        )
    active = [np.flatnonzero((slope != 0) | (error != 0)) for slope, error in zip(slopes, errors, strict=True)]
    sizes = [len(units) for units in active]
    narrow = min(sizes)
    for layer in range(len(active) - 1, 0, -1):
        between = layer % factors.depth > 0 and narrow in sizes[layer - 1 : layer + 1]
        if between and not block(factors.weights[layer % factors.depth], active[layer], active[layer - 1]).any():
            return True
    return False


def cancelling(
    factors: Factors, slopes: Float[np.ndarray, "n k"], errors: Float[np.ndarray, "n k"]
) -> Bool[np.ndarray, " n"]:
    """Of a network with one hidden layer and n choices of slopes, those where each unit has the slope 0, or a twin with
    exactly the same slope."""
    half = len(factors.twins)
    sure = errors == 0
    off = sure & (slopes == 0)
    one, other = (slice(None), slice(half)), (slice(None), slice(half, 2 * half))
    pair = factors.twins & sure[one] & sure[other] & (slopes[one] == slopes[other])
    return (pair | (off[one] & off[other])).all(axis=1) & off[:, 2 * half :].all(axis=1)


def _factor(
    weight: np.ndarray | RankOneBlock, norm: float, weight_error: float, slope: np.ndarray, error: np.ndarray
) -> Factor:
    """diag(slope) · weight, with bounds on its 2-norm and error."""
    largest, worst = float(np.abs(slope).max(initial=0.0)), float(error.max(initial=0.0))
    part = rows_times(slope, weight)
    # Per unit where errors differ a lot, as at kinks: ‖diag(error)·W‖ is at most its Frobenius norm.
    strayed = min(worst * norm, frobenius_bound(rows_times(error, weight))) if np.isfinite(worst) else np.inf
    length = frobenius_bound(part)
    rounding = UNIT_ROUNDOFF * length
    # Of a layer with few active units, the block between them is far smaller than the layer.
    size = min(largest * norm, length) + largest * weight_error + rounding
    return Factor(part, size, strayed + rounding + (largest + worst) * weight_error)


def network_singular_value(factors: Factors, slopes: Sequence[np.ndarray]) -> float:
    """The largest singular value of the Jacobian product around a cycle with the given slopes."""
    if flat(factors, slopes, [np.zeros_like(slope) for slope in slopes]):
        return 0.0
    # W_1 and W_{L+1} touch the state only at the two ends, where smaller matrices have the same singular values.
    layers = _live(layers_met(factors, slopes, factors.entry, factors.exit))
    # One product of small layers takes less time than all of them at each step of the iteration.
    whole = _multiplied(layers)
    layers = layers if whole is None else [(whole, None)]
    rows, columns = factors.exit.shape[0], factors.entry.shape[1]
    size = max(rows, columns)  # padded with zeros to a square

    def forward(x: np.ndarray) -> np.ndarray:
        return np.pad(through(layers, x[:columns]), (0, size - rows))

    def backward(y: np.ndarray) -> np.ndarray:
        return np.pad(back_through(layers, y[:rows]), (0, size - columns))

    return largest_singular_value(forward, backward, size)


Whole: TypeAlias = tuple[Weight, np.ndarray | None]
Met: TypeAlias = tuple[Weight | RankOneBlock, np.ndarray | None]
"""A weight, or in the second a part of one, and the slopes of the units it leads to, if it leads to units."""


def layers_met(factors: Factors, slopes: Sequence[np.ndarray], entry: np.ndarray, exit: np.ndarray) -> list[Whole]:
    """All layers that a deviation passes on its way around the cycle; W_{L+1} and the W_1 after it count as one."""
    layers: list[Whole] = []
    for start in range(0, len(slopes), factors.depth):
        layers.append((entry if start == 0 else factors.joined, slopes[start]))
        layers += [(factors.weights[layer], slopes[start + layer]) for layer in range(1, factors.depth)]
    return [*layers, (exit, None)]


def _live(layers: Sequence[Whole]) -> list[Met]:
    """The same layers without the units of slope 0, which contribute nothing."""
    found: list[Met] = []
    before: np.ndarray | None = None
    for weight, slope in layers:
        units = None if slope is None else np.flatnonzero(slope)
        found.append((block(weight, units, before), None if slope is None else slope[units]))
        before = units
    return found


def _multiplied(layers: Sequence[Met]) -> np.ndarray | None:
    """The product of all layers; `None` where they are large or many, or no matrices."""
    if len(layers) > _LAYERS:
        return None
    parts: list[np.ndarray] = []
    for weight, slope in layers:
        if not isinstance(weight, np.ndarray) or not 0 < min(weight.shape) <= max(weight.shape) <= _FORMED:
            return None
        parts.append(weight if slope is None else slope[:, None] * weight)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linalg.multi_dot(parts[::-1])


def through(layers: Sequence[Whole] | Sequence[Met], vectors: np.ndarray) -> np.ndarray:
    """Applies all layers to one vector, or to several, one per row."""
    for weight, slope in layers:
        vectors = vectors @ weight.T
        vectors = vectors if slope is None else vectors * slope
    return vectors


def back_through(layers: Sequence[Whole] | Sequence[Met], vectors: np.ndarray) -> np.ndarray:
    """Applies the transpose to one vector, or to several, one per row."""
    for weight, slope in reversed(layers):
        vectors = (vectors if slope is None else vectors * slope) @ weight
    return vectors
