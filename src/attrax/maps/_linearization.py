"""What a map says of its Jacobian product round one cycle: the material of every certificate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

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
    - `distance`: an exact cycle lies within it of the given states, and what is said of M holds for that cycle;
      infinite where none was shown to exist, or none was looked for.
    - `evidence`: what bounds made of this rest on, an `Evidence`.
    - `product`: a matrix with the nonzero spectrum of M, its error and its scale; `None` where it is too large to form.
    - `forward`, `backward`: Mv and Mᵀv, of one flat vector or of several, one a row.
    - `singular_value`: computes the largest singular value of M.
    - `norm_bound`: computes the natural logarithm of a bound on the spectral radius of M: the product of the norms of
      the Jacobians, or what is known of a product that was not formed.
    """

    size: int
    distance: float
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


class Linearizer(Protocol):
    """What turns a cycle into its `Linearization`."""

    def __call__(self, cycle: HostStates, state_error: float | None = None) -> Linearization:
        """The `Linearization` at a cycle, p×state shape.

        `state_error` bounds the Euclidean distance of these states from the exact cycle of which the bounds shall hold.
        By default such a bound is looked for, and with it the proof that there is an exact cycle: see `distance`.
        """
        ...
