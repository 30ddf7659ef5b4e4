"""Theorem 4, Eq. (5): the top eigenvalue of a cycle through several single-example networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from attrax._base.shown import Record
from attrax.theory._corollary1 import InterpolatingNetwork
from attrax.theory._single_example import SingleExample
from attrax.theory._status import TheoryStatus, combined


@dataclass(frozen=True, slots=True)
class SequenceCycle(Record):
    """The composition F = f_n∘…∘f_1 of networks that map x_i to x_{i+1}, and x_n to x_1.

    **Fields:**

    - `factors`: λ₁ of each network (that of autoencoding x_i).
    - `top_eigenvalue`: their product, the only non-zero eigenvalue of the Jacobian of F at x_1; NaN if one is missing.
    - `status`: solved, trapped if a network is, or the status of the first network that has no answer.
    """

    factors: tuple[float, ...]
    top_eigenvalue: float
    status: TheoryStatus

    derived: ClassVar = ("attractor",)

    @property
    def attractor(self) -> bool | None:
        """Whether the cycle attracts, |λ₁| < 1; `None` if there is no answer."""
        return abs(self.top_eigenvalue) < 1 if self.status.interpolates else None


def sequence(records: Sequence[SingleExample | InterpolatingNetwork]) -> SequenceCycle:
    """λ₁(J_F(x_1)) = ∏ λ₁⁽ⁱ⁾ for n networks, the i-th trained to map x_i to x_{i+1}, the last back to x_1.

    The networks may differ in activation, width, depth and start. Network i must map to the norm that network
    i + 1 starts from. The theorem is about n separate networks, not about one that stores the whole sequence.

    **Arguments:** `records`, one per network, in order: results of `single_example` or `corollary1`.

    **Returns** a `SequenceCycle`.

    **Raises** `ValueError` for an empty list, anything other than such records, or norms that do not match from one
    network to the next.

    ```python
    >>> from attrax import theory
    >>> parts = [theory.single_example("swish", 3, 0.4, 0.5), theory.single_example("swish", 3, -0.4, -0.5)]
    >>> cycle = theory.sequence(parts)
    >>> round(cycle.top_eigenvalue, 7), cycle.attractor, parts[0].attractor
    (0.387594, True, False)

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Theorems 3 and 4 (7 and 8 of the appendix), Eq. (5).
    """
    records = tuple(records)
    if not records or not all(isinstance(record, SingleExample | InterpolatingNetwork) for record in records):
        raise ValueError(
            f"records must be a non-empty sequence of results of single_example or corollary1; got {records!r}"
        )
    for i, record in enumerate(records):
        following = records[(i + 1) % len(records)]
        if abs(record.target_norm - following.norm) > 1e-9 * following.norm:
            raise ValueError(
                f"network {i} maps to a vector of norm {record.target_norm:g}, but the next starts from norm "
                f"{following.norm:g}; make each `target_norm` the `norm` of the next network"
            )
    factors = tuple(record.top_eigenvalue for record in records)
    return SequenceCycle(factors, float(np.prod(factors)), combined(record.status for record in records))
