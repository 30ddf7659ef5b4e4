"""Norms in which the Jacobians of a cycle contract, and guaranteed bounds on 2-norms."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from attrax._base.shown import Record
from attrax.linalg._bounds import leading_eigenvalue
from attrax.linalg._rank_one import RankOneBlock
from attrax.linalg._running_product import Product, frobenius_bound, gamma

SAFETY = 1e-6
"""Relative margin added to every computed bound, on top of the rounding errors that are tracked individually."""
_SMALL, _LANCZOS = 128, 24
"""Up to `_SMALL` rows all eigenvalues of a Gram matrix are computed. For larger ones, the largest is bounded with
`_LANCZOS` steps of Lanczos' method."""
_LEEWAY = {0.5: True, 0.9: True, 0.98: False, 0.2: False}
"""Positions between the spectral radius and 1 for the contraction rate of the norms to try. Those marked `True` are
always tried."""


@functools.cache
def _potrf() -> Any:
    """LAPACK's Cholesky factorization. SciPy's linear algebra takes long to import, so it is imported for it only."""
    # SciPy's type stubs cover few of its LAPACK routines.
    routines: Any = scipy.linalg.get_lapack_funcs(("potrf",), dtype=np.float64)
    return routines[0]


@dataclass(frozen=True, slots=True, eq=False)
class Norm(Record):
    """‖u‖ = ‖v‖₂ for u = `outer`·v; `inner` is the inverse up to rounding, which `slack` ≥ 1 covers.

    `plain` says that it is the Euclidean norm, both matrices being the identity.
    """

    inner: np.ndarray
    outer: np.ndarray
    largest: float
    smallest: float
    slack: float
    plain: bool = False


def _norm(inner: np.ndarray, outer: np.ndarray) -> Norm | None:
    product = inner @ outer
    product[np.diag_indices_from(product)] -= 1
    off = float(np.linalg.norm(product) + gamma(len(inner) + 2) * np.linalg.norm(inner) * np.linalg.norm(outer))
    if not off < 0.1:
        return None
    return Norm(inner, outer, two_norm_bound(inner) / (1 - off), two_norm_bound(outer), 1 / (1 - off))


def two_norm_bound(matrix: np.ndarray | RankOneBlock) -> float:
    """Upper bound on the 2-norm of an m×n matrix, from the smaller Gram matrix, with a margin for its rounding.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> bound = linalg.two_norm_bound(np.array([[3.0, 0.0], [0.0, 4.0]]))
    >>> 4 <= bound < 4.001
    True

    ```
    """
    if isinstance(matrix, RankOneBlock):
        scattered = float(np.abs(matrix.entries).max(initial=0.0))
        return scattered * (1 + 1e-9) + frobenius_bound(replace(matrix, entries=np.zeros_like(matrix.entries)))
    size = frobenius_bound(matrix)
    if not 1e-100 < size < 1e100:
        return size  # squares would under- or overflow
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    trace = float(np.trace(gram))
    largest = np.sqrt(_largest_eigenvalue(gram) + 4 * gamma(max(matrix.shape) + 4) * trace) * (1 + 1e-9)
    return min(float(largest), size)


def _largest_eigenvalue(gram: np.ndarray) -> float:
    """Upper bound, tight to a few parts in a thousand, on the largest eigenvalue of a positive semidefinite matrix G.

    For a large matrix, Lanczos' method gives an estimate μ. If μI − G has a Cholesky factor, it is positive
    semidefinite up to the rounding of the factor, which is at most γ times its trace, so no eigenvalue exceeds μ by
    more than that. This takes a third of the time of computing all eigenvalues and is just as rigorous.
    """
    size = len(gram)
    if size > _SMALL:
        level = _lanczos(gram)
        for excess in (1e-3, 1e-2, 1e-1):
            shifted = (-gram).T  # in LAPACK's order, which may then overwrite it
            bound = level * (1 + excess)
            shifted[np.diag_indices(size)] += bound
            _, failed = _potrf()(shifted, lower=1, clean=0, overwrite_a=1)
            if not failed and level > 0:
                return bound + 4 * gamma(size + 2) * size * bound
    return max(float(np.linalg.eigvalsh(gram)[-1]), 0.0)


def _lanczos(gram: np.ndarray) -> float:
    """The largest Ritz value after a few steps, from a fixed start, orthogonalized in full."""
    basis = np.zeros((_LANCZOS + 1, len(gram)))
    basis[0] = np.random.default_rng(0).standard_normal(len(gram))
    basis[0] /= np.linalg.norm(basis[0])
    diagonal, beside = np.zeros(_LANCZOS), np.zeros(_LANCZOS)
    for step in range(_LANCZOS):
        moved = gram @ basis[step]
        diagonal[step] = basis[step] @ moved
        for _ in range(2):
            moved -= basis[: step + 1].T @ (basis[: step + 1] @ moved)
        beside[step] = np.linalg.norm(moved)
        if not beside[step] > 1e-12 * abs(diagonal[0]):
            return float(scipy.linalg.eigvalsh_tridiagonal(diagonal[: step + 1], beside[:step])[-1])
        basis[step + 1] = moved / beside[step]
    return float(scipy.linalg.eigvalsh_tridiagonal(diagonal, beside[:-1])[-1])


def contracting_norms(
    jacobians: Sequence[np.ndarray], product: Product, thin: tuple[np.ndarray, np.ndarray] | None
) -> Iterator[tuple[list[Norm], bool]]:
    """Candidate norms around the cycle in which the Jacobians may contract, one list at a time.

    Each comes with a flag: whether it is worth trying even if another norm has already been found. `jacobians` are
    d×d; `thin` is the single Jacobian as a product of d×k and k×d matrices, if that is cheaper.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.diag([0.5, -0.25])
    >>> running = linalg.RunningProduct(2)
    >>> running.multiply(matrix, 0.5, 0.0)
    >>> norms, always = next(linalg.contracting_norms([matrix], running.product(), None))
    >>> round(linalg.contraction_rate(matrix, norms[0], norms[0], error=0.0), 3)
    0.5

    ```
    """
    period = len(jacobians)
    largest = max(two_norm_bound(jacobian) for jacobian in jacobians)
    if largest < 1:
        eyes = [np.eye(jacobian.shape[1]) for jacobian in jacobians]
        yield [Norm(eye, eye, 1.0, 1.0, 1.0, plain=True) for eye in eyes], True
    if largest < 0.5:
        return  # no other norm would give much more room
    modulus = abs(leading_eigenvalue(product).value)
    with np.errstate(divide="ignore"):
        radius = float(np.exp(min((np.log(modulus) + product.log_scale) / period, 1.0)))
    if not radius < 1:
        return
    for leeway, needed in _LEEWAY.items():
        norms = lyapunov_norms(jacobians, radius + leeway * (1 - radius), thin)
        if norms is not None:
            yield norms, needed


def lyapunov_norms(
    jacobians: Sequence[np.ndarray], rate: float, thin: tuple[np.ndarray, np.ndarray] | None = None
) -> list[Norm] | None:
    """Norms from P_i = I + J_iᵀ P_{i+1} J_i/q² with q = `rate`, by doubling around the whole cycle.

    For a single J = UV (`thin`) it is P = I + VᵀSV/q² with S = UᵀU + AᵀSA/q² and the smaller A = VU.
    """
    size = jacobians[0].shape[1]
    scaled = [] if thin is not None else [jacobian / rate for jacobian in jacobians]
    with np.errstate(over="ignore", invalid="ignore"):
        if thin is not None:
            around, total = thin[1] @ thin[0] / rate, thin[0].T @ thin[0]
        else:
            around, total = np.eye(size), np.zeros((size, size))
        for jacobian in scaled:
            total += around.T @ around
            around = jacobian @ around
        for _ in range(40):
            length = np.linalg.norm(around)
            if not length < 1e100:
                return None
            if length < 1e-4:
                break
            total += around.T @ (total @ around)
            around = around @ around
        if thin is not None:
            total = np.eye(size) + thin[1].T @ (total @ thin[1]) / rate**2
    matrices = [total]
    # A norm that overflows is discarded below.
    with np.errstate(over="ignore", invalid="ignore"):
        for jacobian in scaled[:0:-1]:
            matrices.append(np.eye(jacobian.shape[1]) + jacobian.T @ (matrices[-1] @ jacobian))
    matrices = [matrices[0], *matrices[:0:-1]]
    norms = []
    for matrix in matrices:
        if not np.isfinite(matrix).all():
            return None
        try:
            inner = scipy.linalg.cholesky((matrix + matrix.T) / 2)
        except np.linalg.LinAlgError:
            return None
        norm = _norm(inner, scipy.linalg.solve_triangular(inner, np.eye(len(inner))))
        if norm is None:
            return None
        norms.append(norm)
    return norms


def contraction_rate(jacobian: np.ndarray, here: Norm, there: Norm, error: float) -> float:
    """Bound on ‖SJR‖₂, for a d×d Jacobian J that is correct to within `error` in the 2-norm.

    It is the factor by which J stretches a deviation, measured in `here` before and in `there` after: R is `here.outer`
    and S is `there.inner`.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.diag([0.5, 0.25])
    >>> plain = linalg.Norm(np.eye(2), np.eye(2), 1.0, 1.0, 1.0, plain=True)
    >>> round(linalg.contraction_rate(matrix, plain, plain, error=0.1), 4)
    0.6

    ```
    """
    inner = jacobian if here.plain and there.plain else there.inner @ jacobian @ here.outer
    rounding = 2 * gamma(2 * max(inner.shape, default=0) + 4) * frobenius_bound(jacobian)
    rounding *= frobenius_bound(there.inner) * frobenius_bound(here.outer)
    return (there.slack * (two_norm_bound(inner) + rounding) + there.largest * here.smallest * error) * (1 + SAFETY)
