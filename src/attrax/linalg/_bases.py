"""A rigorous upper bound on a spectral radius in another basis or norm.

*In another basis.* Let Y ≈ X⁻¹, and let |Y(M + E)X| ≤ B and |I − YX| ≤ R entry by entry. An eigenvector Xv of M + E
with the eigenvalue λ has Y(M + E)Xv = λYXv, so |λ||v| ≤ B|v| + |λ|R|v|. For w > 0 with Rw < w, the entry of the largest
|vᵢ|/wᵢ gives |λ| ≤ maxᵢ (Bw)ᵢ/(w − Rw)ᵢ. The error of each row of B is that of M times the condition number of one
eigenvalue, so only the eigenvalues near 1 have to be well-conditioned.
"""

from typing import Any

import numpy as np

from attrax.linalg._norms import contraction_rate, lyapunov_norms
from attrax.linalg._running_product import Product, frobenius_bound, gamma

_MOST = 1024
"""Of larger matrices no bases are computed, which would take minutes."""
_POSITIONS = (0.01, 0.1, 0.5, 0.9)
"""Bounds to try, as positions between the estimated radius and 1."""
_MORE = 1 + 1e-9


def basis_bound(product: Product, target: float) -> float:
    """Natural logarithm of an upper bound on the spectral radius of every matrix that `product` may stand for.

    For matrices far from normal whose radius is close to 1, where norms of powers need more powers than rounding leaves
    digits. `target` is the logarithm of an estimate; without one below 0 the bound is infinite, and so it is of more
    than 1,024 rows. The matrix is bounded in the basis of its eigenvectors, and in a norm from a Lyapunov equation. All
    rounding is included.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.array([[0.999, 1e4], [0.0, -0.25]])
    >>> bound = linalg.basis_bound(linalg.Product(matrix, 1e-12, 0.0), np.log(0.999))
    >>> bool(0.999 <= np.exp(bound) < 0.9991)
    True

    ```

    Source: R. A. Horn and C. R. Johnson, *Matrix Analysis*, theorems 5.6.9 and 8.1.26.
    """
    best = float("inf")
    if not (-50 < target < 0 and 0 < len(product.matrix) <= _MOST):
        return best
    # In the scale of the matrix: the estimate, and what stands for 1.
    with np.errstate(over="ignore"):
        modulus, one = (float(np.exp(value - product.log_scale)) for value in (target, 0.0))
    if not (0 < modulus + product.error < one < np.inf and np.isfinite(product.matrix).all()):
        return best  # even of a normal matrix, the error may reach beyond 1
    for method in (_by_eigenvectors, _by_lyapunov):
        with np.errstate(all="ignore"):
            bound = method(product.matrix, product.error, modulus, one)
        if bound > 0 and np.isfinite(bound):
            # The logarithms are rounded.
            log_bound = float(np.log(bound)) + product.log_scale
            best = min(best, log_bound + 1e-15 * (abs(product.log_scale) + abs(log_bound) + 8))
        if best < 0:
            break
    return best


def _by_eigenvectors(matrix: np.ndarray, error: float, modulus: float, one: float) -> float:
    try:
        vectors = np.linalg.eig(matrix)[1]
        inverse = np.linalg.inv(vectors)
    except np.linalg.LinAlgError:
        return float("inf")
    return _in_basis(matrix, error, vectors, inverse, modulus, one)


def _by_lyapunov(matrix: np.ndarray, error: float, modulus: float, one: float) -> float:
    best = float("inf")
    for position in _POSITIONS[1:]:
        norms = lyapunov_norms([matrix], modulus + position * (one - modulus))
        if norms is not None:
            best = min(best, contraction_rate(matrix, norms[0], norms[0], error))
    return best


def _in_basis(
    matrix: np.ndarray, error: float, basis: np.ndarray, inverse: np.ndarray, modulus: float, one: float
) -> float:
    """The bound of this module's first lines in the basis X of the columns of `basis`, of all M within `error`."""
    size = len(matrix)
    if not (np.isfinite(basis).all() and np.isfinite(inverse).all()):
        return float("inf")
    rows, columns = np.linalg.norm(inverse, axis=1) * _MORE, np.linalg.norm(basis, axis=0) * _MORE
    # A sum of n complex products is off by at most √2·γ(2n) times the lengths of its two vectors.
    off = error + gamma(8 * size + 32) * frobenius_bound(matrix)
    moved = np.abs(_product(inverse, _product(matrix, basis))) + off * rows[:, None] * columns
    left = np.abs(np.eye(size) - _product(inverse, basis)) + gamma(4 * size + 32) * (1 + rows[:, None] * columns)
    for position in _POSITIONS:
        bound = modulus + position * (one - modulus)
        try:
            weights = np.linalg.solve(np.eye(size) - left - moved / bound, np.ones(size))
        except np.linalg.LinAlgError:
            continue
        # These are positive where `bound` is one; whatever they are, what follows holds.
        if not (weights > 0).all() or not np.isfinite(weights).all():
            continue
        room = weights - (left @ weights) * _MORE
        if (room > 0).all():
            return float(((moved @ weights) / room).max()) * _MORE
    return float("inf")


def _product(first: Any, second: Any) -> Any:
    """A product of complex matrices by products of real ones, whose rounding is known whatever the library does."""
    if not np.iscomplexobj(first) and not np.iscomplexobj(second):
        return first @ second
    real = first.real @ second.real
    imaginary = first.real @ second.imag
    if np.iscomplexobj(first):
        real -= first.imag @ second.imag
        imaginary += first.imag @ second.real
    return real + 1j * imaginary
