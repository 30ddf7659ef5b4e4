"""A product of many matrices with a bound on its rounding error, and its scale taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record

UNIT_ROUNDOFF = 2.0**-53


@dataclass(frozen=True, slots=True, eq=False)
class Product(Record):
    """A square matrix with the nonzero spectrum of the Jacobian product round a cycle, and its error.

    **Fields:**

    - `matrix`: m×m, float64, scaled by exp(−`log_scale`).
    - `error`: bound on the Frobenius norm of (matrix as computed − exact one) from rounding, at the scale of `matrix`.
    - `log_scale`: natural logarithm of the factor taken out, so that long cycles neither overflow nor underflow.
    """

    matrix: Float[np.ndarray, "m m"]
    error: float
    log_scale: float


def gamma(count: int) -> float:
    """Higham's γ_n = n·u/(1 − n·u): the relative error of a sum of n products in float64."""
    return count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)


@dataclass(frozen=True, slots=True, eq=False)
class Factor(Record):
    """A matrix, a bound on its 2-norm, and a bound on the 2-norm of its error."""

    matrix: np.ndarray
    norm: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """The product of 2^`level` successive factors at the scale exp(−`log_scale`): its 2-norm and error, as bounds."""

    level: int
    matrix: np.ndarray
    norm: float
    error: float
    log_scale: float


class RunningProduct:
    """A product built from the right, with a bound on its forward error, and the scale taken out.

    Factors are multiplied in pairs, pairs of pairs and so on. An error in one factor is then carried on by the norms of
    products as computed, of which there are as many as there are levels, and not by the norms of all later factors,
    whose product may be larger by hundreds of orders of magnitude.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: list[_Node] = []

    def multiply(self, left: np.ndarray, left_norm: float, left_error: float) -> None:
        """Multiplies by `left`, whose 2-norm is at most `left_norm` and which is known to within `left_error`."""
        self.nodes.append(_scaled(_Node(0, left, left_norm, left_error, 0.0)))
        while len(self.nodes) > 1 and self.nodes[-1].level == self.nodes[-2].level:
            later, earlier = self.nodes.pop(), self.nodes.pop()
            self.nodes.append(_joined(later, earlier))

    def multiply_block(self, block: Sequence[Factor]) -> None:
        """Multiplies by the factors of one application of the map, the first factor first.

        An error δ_l in factor l reaches the product as F_n…F_{l+1} δ_l F_{l-1}…F_1. The norms of these partial
        products are far below the products of the norms when the network is deep, so they are computed.
        """
        # An iteration on its way to infinity may overflow; the certificate then says so by an infinite error.
        with np.errstate(over="ignore", invalid="ignore"):
            after = [1.0]
            suffix = block[-1].matrix
            for factor in block[-2::-1]:
                after.append(float(np.linalg.norm(suffix)))
                suffix = suffix @ factor.matrix
            after.reverse()
            prefix, size, error, reached = block[0].matrix, 1.0, 0.0, 0.0
            for number, (factor, gain) in enumerate(zip(block, after, strict=True)):
                rounding = 0.0
                if number:
                    rounding = gamma(prefix.shape[0] + 2) * float(np.linalg.norm(factor.matrix)) * size
                    prefix = factor.matrix @ prefix
                # `reached` bounds the error so far by norms alone: it only multiplies δ, or the rounding of `gain`.
                local = factor.error * (size + reached) + rounding
                error += gain * (1 + 1e-6) * local
                reached = factor.norm * reached + local
                size = float(np.linalg.norm(prefix))
            self.multiply(prefix, size, error)

    def product(self) -> Product:
        if not self.nodes:
            return Product(np.eye(self.size), 0.0, 0.0)
        whole = self.nodes[-1]
        for earlier in self.nodes[-2::-1]:
            whole = _joined(whole, earlier)
        error = whole.error if whole.error >= 0 else np.inf  # ∞·0, of which nothing is known
        return Product(whole.matrix, error, whole.log_scale)


def _joined(later: _Node, earlier: _Node) -> _Node:
    """The product of two nodes."""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = float(np.linalg.norm(later.matrix)) * float(np.linalg.norm(earlier.matrix))
        rounding = gamma(earlier.matrix.shape[0] + 2) * sizes
        error = (later.norm + later.error) * earlier.error + later.error * earlier.norm + rounding
        matrix = later.matrix @ earlier.matrix
        norm = min(float(np.linalg.norm(matrix)), later.norm * earlier.norm + rounding)
    return _scaled(_Node(later.level + 1, matrix, norm, error, later.log_scale + earlier.log_scale))


def _scaled(node: _Node) -> _Node:
    """The same with a matrix of a norm near 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(np.linalg.norm(node.matrix))
    scale = scale or node.error
    if scale == 0:
        return _Node(node.level, node.matrix, 0.0, 0.0, 0.0)  # exactly zero, at any scale
    if not np.isfinite(scale):
        return node
    # A power of two, so that the scaling itself is exact.
    scale = 2.0 ** np.round(np.log2(scale))
    return _Node(
        node.level, node.matrix / scale, node.norm / scale, node.error / scale, node.log_scale + float(np.log(scale))
    )
