"""Orthonormal examples with a group of hidden units each: attractors alone may not be attractors together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record
from attrax.theory._scalar import scalar
from attrax.theory._single_example import SingleExample
from attrax.theory._status import TheoryStatus, combined


@dataclass(frozen=True, slots=True, eq=False)
class OrthonormalExtension(Record):
    """n orthonormal examples stored by disjoint groups of hidden units in one network.

    **Fields:**

    - `eigenvalues`: (n, n); entry (j, i) is the eigenvalue of the Jacobian at x_j along x_i. All others are 0.
    - `attractor`: for each example, whether all its eigenvalues are below 1 in modulus.
    - `status`: solved, trapped if any group is, or the status of the first group without an answer.
    """

    eigenvalues: Float[np.ndarray, "n n"]
    attractor: tuple[bool, ...]
    status: TheoryStatus


def orthonormal_extension(records: Sequence[SingleExample]) -> OrthonormalExtension:
    """The spectrum at each of n orthonormal examples, group i of hidden units trained on x_i as in Theorem 1.

    With φ(0) = 0 training decouples, f(z) = Σ_i x_i k u⁽ⁱ⁾φ(v⁽ⁱ⁾x_iᵀz), and J(x_j) has eigenvalue λ₁⁽ʲ⁾ along x_j and
    φ'(0)v⁽ⁱ⁾/φ(v⁽ⁱ⁾) along x_i, i ≠ j. For tanh the latter is v/tanh v > 1: every example is a saddle although each
    alone is an attractor.

    **Arguments:** `records`, results of `single_example` of depth 1 and norm 1 with φ(0) = 0, one per group;
    activations may differ.

    **Returns** an `OrthonormalExtension`.

    **Raises** `ValueError` for an empty list or records of another kind.

    ```python
    >>> from attrax import theory
    >>> pair = [theory.single_example("tanh", 4, 0.5, 0.6), theory.single_example("tanh", 2, 0.7, 0.5)]
    >>> [record.attractor for record in pair], theory.orthonormal_extension(pair).attractor
    ([True, True], (False, False))

    ```

    An extension of Theorem 1 of Radhakrishnan, Belkin, Uhler (2020), not in the paper.
    """
    records = tuple(records)
    if not records or not all(isinstance(record, SingleExample) for record in records):
        raise ValueError(f"records must be a non-empty sequence of results of single_example; got {records!r}")
    across = []
    for i, record in enumerate(records):
        phi = scalar(record.activation)
        if record.depth != 1 or record.norm != 1 or record.target_norm != 1:
            raise ValueError(f"record {i} must have depth 1 and norm 1; got {record.depth} and {record.norm:g}")
        if float(phi.value(np.float64(0.0))) != 0:
            raise ValueError(f"record {i} has activation {phi.name}, but the extension needs φ(0) = 0")
        with np.errstate(all="ignore"):
            # Σ uφ'(0)v over the units of the group; with equal units and kuφ(v) = 1 this is φ'(0)v/φ(v).
            total = np.sum(record.u * np.asarray(record.v)) * (record.k if np.ndim(record.u) == 0 else 1)
            across.append(float(phi.slope(np.float64(0.0)) * total))
    eigenvalues = np.tile(across, (len(records), 1))
    np.fill_diagonal(eigenvalues, [record.top_eigenvalue for record in records])
    attractor = tuple(bool(np.all(np.abs(row) < 1)) for row in eigenvalues)
    return OrthonormalExtension(eigenvalues, attractor, combined(record.status for record in records))
