"""Bounds on a spectral radius: a rigorous upper bound, and an estimate with an error from residual and condition."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from attrax._base.shown import Record
from attrax.linalg._arnoldi import SMALL, eigenvectors, largest_eigenvalues
from attrax.linalg._running_product import Product, frobenius_bound, gamma


@dataclass(frozen=True, slots=True)
class Leading(Record):
    """An estimate of the eigenvalue of largest modulus.

    **Fields:** `value`; `error`, a first-order bound on |value − an exact eigenvalue|: twice (residual + rounding)
    times the eigenvalue's condition number 1/|yᴴx|; `complete`, whether the whole spectrum was computed, so that no
    larger eigenvalue was missed.
    """

    value: complex
    error: float
    complete: bool


def power_bound(product: Product, *, target: float | None = None, max_squarings: int = 16) -> float:
    """Natural logarithm of an upper bound on the spectral radius: ρ(M) ≤ ‖Mᵐ‖^{1/m} for m = 1, 2, 4, ….

    Repeated squaring, with the rounding error of each square propagated: if ‖M̂ − Mᵐ‖ ≤ e then ‖M̂² − M²ᵐ‖ ≤ 2‖M̂‖e +
    e² and computing the product adds γ‖M̂‖². It stops once the bound is within 0.1 % of `target` (the logarithm of an
    estimate) and on the same side of 1, or after `max_squarings`.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.diag([0.5, -0.25])
    >>> running = linalg.RunningProduct(2)
    >>> running.multiply(matrix, 0.5, 0.0)
    >>> bool(0.5 <= np.exp(linalg.power_bound(running.product())) < 0.501)
    True

    ```
    """
    matrix, error = product.matrix, product.error
    # Logarithm of the scale taken out of the current power, and its exponent m.
    log_scale, power = 0.0, 1
    best = np.inf
    for _ in range(max_squarings + 1):
        norm = frobenius_bound(matrix)
        if not np.isfinite(norm):
            return best
        total = norm + error
        if total == 0.0:
            return -np.inf
        exponent = product.log_scale + (log_scale + float(np.log(total))) / power
        # Logarithms are rounded too, and one just below 0 would decide.
        best = min(best, exponent + 1e-15 * (abs(product.log_scale) + abs(log_scale) / power + 8))
        if target is not None and best < target + 1e-3 and (best < 0 or target >= 0):
            break
        if norm == 0.0 or error > norm:
            break  # further squares would contain nothing but error
        scale = 2.0 ** np.round(np.log2(norm))
        matrix, error, norm = matrix / scale, error / scale, norm / scale
        error = (2 * norm * error + error**2 + gamma(len(matrix) + 2) * norm**2) * (1 + 1e-9)
        matrix = matrix @ matrix
        log_scale, power = 2 * (log_scale + float(np.log(scale))), 2 * power
    return best


def leading_eigenvalue(product: Product) -> Leading:
    """The eigenvalue of largest modulus of `product.matrix`, at its scale.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.diag([0.5, -0.25])
    >>> running = linalg.RunningProduct(2)
    >>> running.multiply(matrix, 0.5, 0.0)
    >>> product = running.product()
    >>> found = linalg.leading_eigenvalue(product)
    >>> round(abs(found.value) * float(np.exp(product.log_scale)), 6), found.error < 1e-12
    (0.5, True)

    ```
    """
    matrix = product.matrix
    size = len(matrix)
    if size == 0 or not matrix.any():
        return Leading(0.0, product.error, True)
    if not np.isfinite(matrix).all():
        return Leading(complex(np.inf), np.inf, False)
    if size > SMALL:
        found = largest_eigenvalues(lambda x: matrix @ x, lambda x: matrix.T @ x, size)
        if np.isfinite(found.condition):  # otherwise all are computed, which always answers
            rounding = product.error + gamma(size) * float(np.linalg.norm(matrix)) + float(found.residuals[0])
            return Leading(complex(found.values[0]), 2 * rounding * found.condition, False)
    rounding = product.error + 4 * gamma(size) * float(np.linalg.norm(matrix))
    if size > SMALL:  # all eigenvectors would take three times as long as the eigenvalues
        values = np.linalg.eigvals(matrix)
        value = complex(values[int(np.argmax(np.abs(values)))])
        right, left = eigenvectors(matrix, value, (0, 1))
        return Leading(value, _error(left.conj(), right, rounding), True)
    decomposition: Any = scipy.linalg.eig(matrix, left=True, right=True)
    values, left, right = decomposition
    largest = int(np.argmax(np.abs(values)))
    return Leading(complex(values[largest]), _error(left[:, largest], right[:, largest], rounding), True)


def _error(left: np.ndarray, right: np.ndarray, backward: float) -> float:
    overlap = abs(np.vdot(left, right)) / (np.linalg.norm(left) * np.linalg.norm(right))
    return float(2 * backward / overlap) if overlap > 0 else float("inf")
