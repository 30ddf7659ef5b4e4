"""What a map says of its Jacobian product round one cycle: the material of every certificate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from attrax._base.shown import Record
from attrax._base.status import Evidence
from attrax._base.types import HostStates
from attrax.linalg import Product

Vectors: TypeAlias = np.ndarray
"""One vector of the size of a flat state, or several, one a row."""


@dataclass(frozen=True, slots=True, eq=False)
class Linearization(Record):
    """The Jacobian product M = J_p ⋯ J_1 of a map round one cycle of p states; of a fixed point, its Jacobian.

    **Fields:**

    - `size`: number of entries of a state, d; M is d×d.
    - `evidence`: what bounds made of this rest on, an `Evidence`.
    - `product`: a matrix with the nonzero spectrum of M, its error and its scale; `None` where it is too large to form.
    - `forward`, `backward`: Mv and Mᵀv, of one flat vector or of several, one a row.
    - `singular_value`: computes the largest singular value of M.
    - `norm_bound`: computes the natural logarithm of a bound on the spectral radius of M, the product of the norms of
      the Jacobians; infinite where no norm is bounded.
    """

    size: int
    evidence: Evidence
    product: Product | None
    forward: Callable[[Vectors], Vectors]
    backward: Callable[[Vectors], Vectors]
    singular_value: Callable[[], float]
    norm_bound: Callable[[], float]

    @property
    def rank(self) -> int:
        """How many eigenvalues of M are not 0, at most."""
        return self.size if self.product is None else len(self.product.matrix)


Linearizer: TypeAlias = Callable[[HostStates, float], Linearization]
"""Called as `linearize(cycle, state_error)`, with p×state shape and a bound on the Euclidean distance of these states
from the exact cycle of which the bounds shall hold."""
