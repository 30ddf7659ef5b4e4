"""The Jacobian product of a map around one cycle, with its error: what every certificate is computed from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from attrax._base.shown import Record
from attrax._base.status import Evidence
from attrax._base.types import HostStates
from attrax.linalg import Product

Vectors: TypeAlias = np.ndarray
"""One vector with the entries of a state, or several, one per row."""


@dataclass(frozen=True, slots=True, eq=False)
class Linearization(Record):
    """The Jacobian product M = J_p ⋯ J_1 of a map around one cycle of p states; of a fixed point, its Jacobian.

    **Fields:**

    - `size`: number of entries of a state, d; M is d×d.
    - `enclosure_radius`: an exact cycle lies within this distance of the states at which M was computed, and all
      statements about M hold for that cycle; infinite if no exact cycle was shown to exist, or `state_error` was given.
    - `evidence`: an `Evidence`, what bounds computed from this rest on.
    - `product`: a matrix with the nonzero spectrum of M, its error and its scale; `None` if it is too large to form.
    - `forward`, `backward`: Mv and Mᵀv, of one vector or of several, one per row.
    - `singular_value`: computes the largest singular value of M.
    - `norm_bound`: computes the natural logarithm of a bound on the spectral radius of M: the product of the norms of
      the Jacobians, a bound for all slopes at kinks, or the bound on a product that was not formed.
    """

    size: int
    enclosure_radius: float
    evidence: Evidence
    product: Product | None
    forward: Callable[[Vectors], Vectors]
    backward: Callable[[Vectors], Vectors]
    singular_value: Callable[[], float]
    norm_bound: Callable[[], float]

    @property
    def rank(self) -> int:
        """Upper bound on the number of nonzero eigenvalues of M."""
        return self.size if self.product is None else len(self.product.matrix)


class Linearizer(Protocol):
    """What turns a cycle into its `Linearization`."""

    def __call__(self, cycle: HostStates, state_error: float | None = None) -> Linearization:
        """The `Linearization` at a cycle, p×state shape.

        `state_error` bounds the Euclidean distance of these states from the exact cycle for which the bounds should
        hold. If it is not given, such a bound is searched for, together with a proof that an exact cycle exists: see
        `enclosure_radius`.
        """
        ...


@runtime_checkable
class ConstantLinearizer(Linearizer, Protocol):
    """A linearizer that finds out for many fixed points at once where the map is constant around them."""

    @property
    def bytes_of_state(self) -> int:
        """About how much memory each of many fixed points takes meanwhile."""
        ...

    def constant_at(self, states: HostStates) -> list[Linearization | None]:
        """The `Linearization` at each of n fixed points, n×state shape, around which the map is certainly constant, as
        a call of each alone would find it; `None` at the others."""
        ...
