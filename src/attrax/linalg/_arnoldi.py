"""The largest eigenvalues of a matrix that is known by its products with vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from jaxtyping import Complex, Float

from attrax._base import checks
from attrax._base.shown import Record
from attrax.linalg._running_product import UNIT_ROUNDOFF

SMALL = 160
"""Up to this size all eigenvalues of a matrix are computed; of larger ones only the leading ones, if Arnoldi's method
finds them quickly."""
FORMED = 2048
"""Jacobians with more rows than this are not formed, only applied to vectors."""
_ROUNDS = 4
"""Rounds of Arnoldi's method. If it needs more, several eigenvalues have nearly the largest modulus, and it may take a
smaller one for the largest."""
_SAME = 1e-6
"""A left eigenvector belongs to a right one if their eigenvalues differ by no more than this share."""


@dataclass(frozen=True, slots=True, eq=False)
class LargestEigenvalues(Record):
    """Eigenvalues by decreasing modulus.

    **Fields:** `values`, as many as were found; `residuals`, ‖Mv − λv‖₂/‖v‖₂ of each, computed again; `condition` of
    the first, 1/|yᴴx| with its left and right eigenvectors, NaN where no left one was found.
    """

    values: Complex[np.ndarray, " m"]
    residuals: Float[np.ndarray, " m"]
    condition: float


def largest_eigenvalues(
    forward: Callable[[np.ndarray], np.ndarray],
    backward: Callable[[np.ndarray], np.ndarray],
    size: int,
    count: int = 1,
    *,
    tol: float = 1e-10,
    max_steps: int = _ROUNDS,
) -> LargestEigenvalues:
    """As many of the `count` largest eigenvalues as Arnoldi's method found in `max_steps` rounds. After many of them it
    may have missed one: where a matrix can be formed, compute all its eigenvalues instead.

    `forward` and `backward` are Mv and Mᵀv of a real `size`×`size` matrix M. The start is fixed,
    so the same matrix gives the same answer. Where nearly all eigenvalues are asked for, the matrix is formed.

    **Raises** `ValueError` for a `count` that is not between 1 and `size`.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.diag(np.arange(20.0))
    >>> found = linalg.largest_eigenvalues(lambda v: matrix @ v, lambda v: matrix.T @ v, 20, 2)
    >>> found.values.real.round(6).tolist()
    [19.0, 18.0]

    ```
    """
    count = checks.integer("count", count, least=1, most=size)
    values, vectors = _leading(forward, size, count, tol, max_steps)
    order = np.argsort(-np.abs(values), kind="stable")
    values, vectors = values[order], vectors[:, order]
    residuals = np.zeros(len(values))
    for number, value in enumerate(values):
        vector = vectors[:, number] / np.linalg.norm(vectors[:, number])
        # A real operator acts on the two parts of a complex vector apart.
        pushed = forward(vector.real) + (1j * forward(vector.imag) if vector.imag.any() else 0)
        residuals[number] = np.linalg.norm(pushed - value * vector)
    condition = float("nan")
    if len(values):
        left_values, left = _leading(backward, size, min(2, count), tol, max_steps)
        # Mᵀ has the same eigenvalues; the conjugate one may have come first.
        near = [(abs(v - values[0]), left[:, i]) for i, v in enumerate(left_values)]
        near += [(abs(v.conj() - values[0]), left[:, i].conj()) for i, v in enumerate(left_values)]
        if near:
            gap, partner = min(near, key=lambda pair: pair[0])
            overlap = abs(partner @ vectors[:, 0]) / (np.linalg.norm(partner) * np.linalg.norm(vectors[:, 0]))
            if gap <= max(_SAME, tol) * abs(values[0]):
                condition = float(1 / overlap) if overlap > 0 else float("inf")
    return LargestEigenvalues(values, residuals, condition)


def _leading(
    product: Callable[[np.ndarray], np.ndarray], size: int, count: int, tol: float, max_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors that ARPACK found; it finds no more than `size` − 2 of them."""
    if count > size - 2:
        columns = np.stack([product(vector) for vector in np.eye(size)], axis=1)
        if not np.isfinite(columns).all():
            return np.zeros(0, complex), np.zeros((size, 0), complex)
        values, vectors = np.linalg.eig(columns)
        largest = np.argsort(-np.abs(values), kind="stable")[:count]
        return values[largest].astype(complex), vectors[:, largest].astype(complex)
    operator = scipy.sparse.linalg.LinearOperator((size, size), matvec=lambda x: product(np.ravel(x)), dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    basis = min(size, max(2 * count + 1, 20))
    try:
        return scipy.sparse.linalg.eigs(operator, k=count, tol=tol, v0=start, maxiter=max_steps, ncv=basis)
    except scipy.sparse.linalg.ArpackNoConvergence as stopped:
        return stopped.eigenvalues, stopped.eigenvectors
    except scipy.sparse.linalg.ArpackError:
        return np.zeros(0, complex), np.zeros((size, 0), complex)


def eigenvector(matrix: np.ndarray, value: complex) -> Complex[np.ndarray, " d"]:
    """A right eigenvector of a real d×d matrix for an eigenvalue that is known to rounding: d entries, of length 1.

    By inverse iteration: one factorization, where all eigenvectors together cost as much as thirty.

    **Raises** `ValueError` for a matrix that is not square.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> abs(linalg.eigenvector(np.array([[0.5, 1.0], [0.0, 0.25]]), 0.5)).round(6).tolist()
    [1.0, 0.0]

    ```
    """
    return eigenvectors(matrix, value, (0,))[0]


def eigenvectors(matrix: np.ndarray, value: complex, transposed: Sequence[int]) -> list[np.ndarray]:
    """`eigenvector` of M for each 0 in `transposed` and of Mᵀ for each 1, by one factorization."""
    size = len(matrix)
    if matrix.shape != (size, size):
        raise ValueError(f"matrix must be square; got shape {matrix.shape}")
    real = complex(value).imag == 0 and not np.iscomplexobj(matrix)  # which takes a quarter of the time
    shifted = np.array(matrix, float if real else complex)
    # The shift is inexact due to rounding, so the factors exist.
    shifted[np.diag_indices(size)] -= (complex(value).real if real else value) * (1 + 1e-10)
    start = np.random.default_rng(0).standard_normal(size).astype(shifted.dtype)
    routines: Any = scipy.linalg.get_lapack_funcs(("getrf", "getrs"), (shifted,))
    factor, solve = routines
    with np.errstate(all="ignore"):
        factored, pivots, singular = factor(shifted)
        if singular:  # exactly singular: replace the zero pivots by values below rounding
            diagonal = np.diagonal(factored)
            tiny = UNIT_ROUNDOFF * float(np.abs(factored).max())
            factored[np.diag_indices(size)] = np.where(diagonal == 0, tiny, diagonal)
        found: list[np.ndarray] = []
        for transpose in transposed:
            vector = start
            for _ in range(3):
                vector, _ = solve(factored, pivots, vector, trans=transpose)
                vector = vector / np.linalg.norm(vector)
            found.append(vector.astype(complex))
    return found
