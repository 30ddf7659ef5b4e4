"""A product of many matrices with a bound on its rounding error and a separate scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record
from attrax.linalg._rank_one import RankOneBlock

UNIT_ROUNDOFF = 2.0**-53
"""The largest relative error of one operation in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Product(Record):
    """A square matrix with the nonzero spectrum of the Jacobian product around a cycle, and its error.

    **Fields:**

    - `matrix`: m×m, float64, scaled by exp(−`log_scale`).
    - `error`: bound on the Frobenius norm of (computed − exact matrix) from rounding, at the scale of `matrix`.
    - `log_scale`: natural logarithm of the factor taken out, so that long cycles neither overflow nor underflow.
    """

    matrix: Float[np.ndarray, "m m"]
    error: float
    log_scale: float


FLOOR = 1e-120
"""Least bound on the norm of a matrix that is not exactly 0, so that products of two bounds do not underflow."""

_LOST = 1e-250
"""More than the sum of what underflows when a matrix is scaled to entries near 1."""
_MORE = 1 + 1e-9
"""Margin for the rounding of an error bound itself, which is a sum of a few products."""


def frobenius_bound(matrix: np.ndarray | RankOneBlock) -> float:
    """Upper bound on the Frobenius norm of an m×n matrix, whatever the scale: 0 for zeros only, else `FLOOR` at least.

    Of a `RankOneBlock` S + l·rᵀ, ‖S‖ + ‖l‖‖r‖, which is also a bound on the sizes that its rounding is relative to.

    ```python
    >>> frobenius_bound(np.full((2, 2), 1e-200))
    1e-120

    ```
    """
    if isinstance(matrix, RankOneBlock):
        scattered, left, right = map(frobenius_bound, (matrix.entries[None], matrix.left[None], matrix.right[None]))
        outer = left * right if left and right else 0.0
        return (scattered + outer) * _MORE
    largest = float(np.abs(matrix).max(initial=0.0))
    if largest == 0:
        return 0.0
    if not np.isfinite(largest):
        return float("inf")
    # Scaled exactly, by a power of two, so that only negligible squares underflow and none overflow.
    scale = 1.0 if 1e-100 < largest < 1e100 else 2.0 ** np.round(np.log2(max(largest, 1e-290)))
    norm = float(np.linalg.norm(matrix if scale == 1.0 else matrix / scale)) * scale
    return max(norm * (1 + gamma(matrix.size + 8)), FLOOR)


def frobenius_bounds(matrices: np.ndarray) -> np.ndarray:
    """`frobenius_bound` of each of c matrices, c×m×n, at once.

    ```python
    >>> frobenius_bounds(np.full((2, 1, 4), 0.5)).round(6).tolist()
    [1.0, 1.0]

    ```
    """
    largest = np.abs(matrices).max(axis=(1, 2), initial=0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        usual = (largest > 1e-100) & (largest < 1e100)
        scale = np.where(usual, 1.0, 2.0 ** np.round(np.log2(np.clip(largest, 1e-290, 1e300))))
        norms = np.sqrt(((matrices / scale[:, None, None]) ** 2).sum(axis=(1, 2))) * scale
    bounds = np.maximum(norms * (1 + gamma(matrices[0].size + 8)), FLOOR) if len(matrices) else norms
    return np.where(largest == 0, 0.0, np.where(np.isfinite(largest), bounds, np.inf))


def gamma(count: int) -> float:
    """Higham's γ_n = n·u/(1 − n·u): the relative error of a sum of n products in float64.

    ```python
    >>> from attrax import linalg
    >>> linalg.gamma(3) / linalg.UNIT_ROUNDOFF
    3.000000000000001

    ```
    """
    return count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)


@dataclass(frozen=True, slots=True, eq=False)
class Factor(Record):
    """A matrix, a bound on its 2-norm, and a bound on the 2-norm of its error."""

    matrix: np.ndarray | RankOneBlock
    norm: float
    error: float

    def formed(self) -> tuple[np.ndarray, float]:
        """The matrix entry by entry, and a bound on what rounding adds to its error by that."""
        if isinstance(self.matrix, RankOneBlock):
            return np.asarray(self.matrix), gamma(2) * frobenius_bound(self.matrix)
        return self.matrix, 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """The product of 2^`level` successive factors at the scale exp(−`log_scale`), with bounds on its 2-norm and
    error."""

    level: int
    matrix: np.ndarray
    norm: float
    error: float
    log_scale: float


class RunningProduct:
    """A product built from the right, with a bound on its forward error and a separate scale.

    Factors are multiplied in pairs, pairs of pairs and so on. An error in one factor is then multiplied by the norms of
    computed products, one per level, and not by the norms of all later factors, whose product may be larger by hundreds
    of orders of magnitude.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: list[_Node] = []

    def multiply(self, left: np.ndarray, left_norm: float, left_error: float) -> None:
        """Multiplies by `left`, whose 2-norm is at most `left_norm` and which is known to within `left_error`."""
        self._add(_scaled(_Node(0, left, left_norm, left_error, 0.0)))

    def _add(self, node: "_Node") -> None:
        self.nodes.append(node)
        while len(self.nodes) > 1 and self.nodes[-1].level == self.nodes[-2].level:
            later, earlier = self.nodes.pop(), self.nodes.pop()
            self.nodes.append(_joined(later, earlier))

    def multiply_block(self, block: Sequence[Factor]) -> None:
        """Multiplies by the factors of one application of the map, the first factor first.

        With computed factors F_l, exact ones F_l + δ_l, prefixes P_l (all factors up to l) and suffixes S_l (all after
        it), the product is off by Σ S_l (δ_l·(exact P_{l−1}) + rounding of F_l·P_{l−1}). The norms of these partial
        products are far below the products of the norms when the network is deep, so they are computed.
        """
        # A diverging iteration may overflow; the certificate then has an infinite error.
        with np.errstate(over="ignore", invalid="ignore"):
            block, log_scale = _unit_scale(block)
            sizes = [frobenius_bound(factor.matrix) for factor in block]
            gains = [1.0]
            suffix, suffix_error = block[-1].formed()
            suffix_norm = block[-1].norm
            for number in range(len(block) - 2, -1, -1):
                length = frobenius_bound(suffix)
                gains.append(min(length + suffix_error, suffix_norm))
                if number == 0:
                    break  # nothing comes before the first factor
                factor = block[number]
                rounding = gamma(suffix.shape[1] + 2) * length * sizes[number]
                suffix_error = suffix_error * factor.norm + rounding
                suffix_norm *= factor.norm
                suffix = suffix @ factor.matrix
            gains.reverse()
            # `reached` bounds the error of the prefix by norms alone, which suffices because it only multiplies δ.
            prefix, rounding = block[0].formed()
            length, error, reached = 1.0, 0.0, 0.0
            for number, (factor, size, gain) in enumerate(zip(block, sizes, gains, strict=True)):
                if number:
                    rounding = gamma(prefix.shape[0] + 2) * size * length
                    prefix = factor.matrix @ prefix
                local = factor.error * (length + reached) + rounding
                error += gain * local
                reached = factor.norm * reached + local
                length = frobenius_bound(prefix)
            node = _Node(0, prefix, length, error * _MORE, log_scale)
        self._add(_scaled(node))

    def product(self) -> Product:
        if not self.nodes:
            return Product(np.eye(self.size), 0.0, 0.0)
        whole = self.nodes[-1]
        for earlier in self.nodes[-2::-1]:
            whole = _joined(whole, earlier)
        error = whole.error if whole.error >= 0 else np.inf  # ∞·0: nothing is known
        return Product(whole.matrix, error, whole.log_scale)


def _joined(later: _Node, earlier: _Node) -> _Node:
    """The product of two nodes."""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = frobenius_bound(later.matrix) * frobenius_bound(earlier.matrix)
        rounding = gamma(earlier.matrix.shape[0] + 2) * sizes
        error = (later.norm + later.error) * earlier.error + later.error * earlier.norm + rounding
        matrix = later.matrix @ earlier.matrix
        norm = min(frobenius_bound(matrix), later.norm * earlier.norm + rounding)
    return _scaled(_Node(later.level + 1, matrix, norm, error * _MORE, later.log_scale + earlier.log_scale))


def _scaled(node: _Node) -> _Node:
    """The same node, rescaled so that the norm of its matrix is near 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(np.abs(node.matrix).max(initial=0.0)) or node.error
    if scale == 0:
        return _Node(node.level, node.matrix, 0.0, 0.0, 0.0)  # exactly zero, at any scale
    if not np.isfinite(scale):
        return node
    scale = _power_of_two(scale)
    error = node.error / scale + (_LOST if node.matrix.any() else 0.0)
    return _Node(node.level, node.matrix / scale, node.norm / scale, error, node.log_scale + float(np.log(scale)))


def _power_of_two(value: float) -> float:
    """A power of two near `value`, so that scaling by it is exact."""
    return 2.0 ** np.clip(np.round(np.log2(value)), -1000, 1000)


def _unit_scale(block: Sequence[Factor]) -> tuple[list[Factor], float]:
    """The factors scaled to entries of at most 1, and the logarithm of the total scale."""
    scaled, log_scale = [], 0.0
    for factor in block:
        largest = _largest(factor.matrix)
        if 0.25 <= largest <= 4 or largest == 0 or not np.isfinite(largest):
            scaled.append(factor)
            continue
        scale = _power_of_two(largest)
        scaled.append(Factor(factor.matrix / scale, factor.norm / scale, factor.error / scale + _LOST))
        log_scale += float(np.log(scale))
    return scaled, log_scale


def _largest(matrix: np.ndarray | RankOneBlock) -> float:
    """The largest absolute value of an entry, or a bound on it."""
    if isinstance(matrix, RankOneBlock):
        scattered, left, right = map(_largest, (matrix.entries, matrix.left, matrix.right))
        return scattered + left * right
    return float(np.abs(matrix).max(initial=0.0))
