"""Small matrices with the same nonzero spectrum as the Jacobian of a fully connected network around a cycle.

For f = W_{L+1} φ(W_L … φ(W_1 x)) the nonzero eigenvalues of the d×d Jacobian W_{L+1} D_L W_L … D_1 W_1 are those of the
product that starts and ends at any layer, since AB and BA have the same nonzero eigenvalues. A unit with φ' = 0
contributes a zero row and column, which can be dropped. The product starts at the layer with the fewest remaining
units.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from attrax.linalg import UNIT_ROUNDOFF, Factor, Product, RunningProduct, frobenius_bound, largest_singular_value
from attrax.maps.mlp._factors import Factors


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
    running = RunningProduct(sizes[start])
    block: list[Factor] = []
    for offset in range(1, total + 1):
        here, before = (start + offset) % total, (start + offset - 1) % total
        layer = here % depth
        weight, norm, weight_error = (
            (factors.joined, factors.joined_norm, factors.joined_error)
            if layer == 0
            else (factors.weights[layer], factors.norms[layer], 0.0)
        )
        units = active[here]
        part = weight[np.ix_(units, active[before])]
        block.append(_factor(part, norm, weight_error, slopes[here][units], errors[here][units]))
        if len(block) == depth:
            running.multiply_block(block)
            block = []
    return running.product()


def product_at_input(
    factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray], active: Sequence[np.ndarray]
) -> Product:
    """The same product from the state back to itself, for states with fewer entries than any layer has units."""
    running = RunningProduct(factors.size)
    before: Any = slice(None)
    block: list[Factor] = []
    for here, units in enumerate(active):
        layer = here % factors.depth
        part = factors.weights[layer][units][:, before]
        block.append(_factor(part, factors.norms[layer], 0.0, slopes[here][units], errors[here][units]))
        before = units
        if layer == factors.depth - 1:
            block.append(Factor(factors.weights[-1][:, before], factors.norms[-1], 0.0))
            running.multiply_block(block)
            before, block = slice(None), []
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
    block: list[Factor] = []
    before: Any = slice(None)
    for layer in range(factors.depth):
        slope, error = slopes[start + layer], errors[start + layer]
        units = np.flatnonzero((slope != 0) | (error != 0))
        if layer == 0 and inside:
            block.append(_factor(np.eye(len(units)), 1.0, 0.0, slope[units], error[units]))
        else:
            weight = (factors.entry if layer == 0 else factors.weights[layer])[units][:, before]
            lost = factors.entry_error if layer == 0 else 0.0
            block.append(_factor(weight, factors.norms[layer], lost, slope[units], error[units]))
        before = units
    block.append(Factor(last.matrix[:, before], last.norm, last.error))
    running = RunningProduct(block[0].matrix.shape[1])
    running.multiply_block(block)
    return running.product()


def _factor(weight: np.ndarray, norm: float, weight_error: float, slope: np.ndarray, error: np.ndarray) -> Factor:
    """diag(slope) · weight, with bounds on its 2-norm and error."""
    largest, worst = float(np.abs(slope).max(initial=0.0)), float(error.max(initial=0.0))
    part = slope[:, None] * weight
    # Per unit where errors differ a lot, as at kinks: ‖diag(error)·W‖ is at most its Frobenius norm.
    strayed = min(worst * norm, frobenius_bound(error[:, None] * weight)) if np.isfinite(worst) else np.inf
    length = frobenius_bound(part)
    rounding = UNIT_ROUNDOFF * length
    # Of a layer with few active units, the block between them is far smaller than the layer.
    size = min(largest * norm, length) + largest * weight_error + rounding
    return Factor(part, size, strayed + rounding + (largest + worst) * weight_error)


def network_singular_value(factors: Factors, slopes: Sequence[np.ndarray]) -> float:
    """The largest singular value of the Jacobian product around a cycle with the given slopes."""
    # W_1 and W_{L+1} touch the state only at the two ends, where smaller matrices have the same singular values.
    layers = _live(layers_met(factors, slopes, factors.entry, factors.exit))
    rows, columns = factors.exit.shape[0], factors.entry.shape[1]
    size = max(rows, columns)  # padded with zeros to a square

    def forward(x: np.ndarray) -> np.ndarray:
        return np.pad(through(layers, x[:columns]), (0, size - rows))

    def backward(y: np.ndarray) -> np.ndarray:
        return np.pad(back_through(layers, y[:rows]), (0, size - columns))

    return largest_singular_value(forward, backward, size)


Met: TypeAlias = tuple[np.ndarray, np.ndarray | None]
"""A weight and the slopes of the units it leads to, if it leads to units."""


def layers_met(factors: Factors, slopes: Sequence[np.ndarray], entry: np.ndarray, exit: np.ndarray) -> list[Met]:
    """All layers that a deviation passes on its way around the cycle; W_{L+1} and the W_1 after it count as one."""
    layers: list[Met] = []
    for start in range(0, len(slopes), factors.depth):
        layers.append((entry if start == 0 else factors.joined, slopes[start]))
        layers += [(factors.weights[layer], slopes[start + layer]) for layer in range(1, factors.depth)]
    return [*layers, (exit, None)]


def _live(layers: Sequence[Met]) -> list[Met]:
    """The same layers without the units of slope 0, which contribute nothing."""
    found: list[Met] = []
    before: Any = slice(None)
    for weight, slope in layers:
        if slope is None:
            found.append((weight[:, before], None))
            continue
        units = np.flatnonzero(slope)
        found.append((weight[units][:, before], slope[units]))
        before = units
    return found


def through(layers: Sequence[Met], vectors: np.ndarray) -> np.ndarray:
    """Applies all layers to one vector, or to several, one per row."""
    for weight, slope in layers:
        vectors = vectors @ weight.T
        vectors = vectors if slope is None else vectors * slope
    return vectors


def back_through(layers: Sequence[Met], vectors: np.ndarray) -> np.ndarray:
    """Applies the transpose to one vector, or to several, one per row."""
    for weight, slope in reversed(layers):
        vectors = (vectors if slope is None else vectors * slope) @ weight
    return vectors
