"""The largest singular value of a matrix, or of an operator known only by products with vectors."""

from collections.abc import Callable

import numpy as np
import scipy


def dense_norm(matrix: np.ndarray) -> float:
    """The 2-norm of an m×n matrix; NaN of one that is not finite, 0 of an empty one.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> round(linalg.dense_norm(np.array([[3.0, 0.0], [4.0, 0.0]])), 6)
    5.0

    ```
    """
    if not np.isfinite(matrix).all():
        return float("nan")
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


def largest_singular_value(
    forward: Callable[[np.ndarray], np.ndarray], backward: Callable[[np.ndarray], np.ndarray], size: int
) -> float:
    """The largest singular value of a square `size`×`size` matrix, given by its products with vectors and those of its
    transpose.

    NaN if ARPACK did not converge.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> matrix = np.diag([3.0, 2.0, 1.0])
    >>> round(linalg.largest_singular_value(lambda v: matrix @ v, lambda v: matrix.T @ v, 3), 6)
    3.0

    ```
    """

    def matvec(vector: np.ndarray) -> np.ndarray:
        return forward(np.ravel(vector))

    def rmatvec(vector: np.ndarray) -> np.ndarray:
        return backward(np.ravel(vector))

    operator = scipy.sparse.linalg.LinearOperator((size, size), matvec=matvec, rmatvec=rmatvec, dtype=np.float64)
    if size <= 3:
        return dense_norm(operator @ np.eye(size))
    start = np.random.default_rng(0).standard_normal(size)
    # The start vector is in the range of the transpose, since ARPACK needs one that is not mapped to zero.
    start = rmatvec(matvec(start))
    if not start.any() or not np.isfinite(start).all():
        return 0.0 if not start.any() else float("inf")
    try:
        return float(scipy.sparse.linalg.svds(operator, k=1, tol=1e-8, v0=start, return_singular_vectors=False)[0])
    except scipy.sparse.linalg.ArpackError:
        return float("nan")
