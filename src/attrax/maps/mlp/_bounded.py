"""A matrix that is known up to an error, at its own scale."""

from dataclasses import dataclass

import numpy as np

from attrax._base.shown import Record
from attrax.linalg import Product, frobenius_bound, gamma, two_norm_bound

_MORE = 1 + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Bounded(Record):
    """A matrix, and a bound on the 2-norm of its error."""

    matrix: np.ndarray
    error: float

    @classmethod
    def of(cls, product: Product) -> "Bounded":
        """A product with its scale, a power of two, multiplied back in."""
        exponent = round(product.log_scale / np.log(2))
        if abs(exponent) > 900:
            return cls(product.matrix, float("inf"))
        return cls(product.matrix * 2.0**exponent, product.error * 2.0**exponent)

    def norm(self) -> float:
        """Bound on the 2-norm of the exact matrix, sharper where it matters more."""
        size = frobenius_bound(self.matrix)
        return (size if size < 0.5 else two_norm_bound(self.matrix)) + self.error

    def after(self, first: "Bounded") -> "Bounded":
        """self·first."""
        mine, other = frobenius_bound(self.matrix), frobenius_bound(first.matrix)
        rounding = gamma(self.matrix.shape[1] + 2) * mine * other
        error = (mine + self.error) * first.error + self.error * other + rounding
        return Bounded(self.matrix @ first.matrix, error * _MORE)
