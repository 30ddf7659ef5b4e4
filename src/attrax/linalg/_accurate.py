"""Matrix products as if computed with about 100 bits, for sums whose terms cancel."""

import numpy as np
from jaxtyping import Float

from attrax.linalg._running_product import UNIT_ROUNDOFF, gamma

_SLICES = 3
"""Of 19 bits each where 16,384 products are summed: more than the 53 bits of a float64."""
_EXPONENTS = 250
"""Rows whose largest entry is further than 2^±250 from 1 are not multiplied: parts of their products may underflow."""
_MORE = 1 + 1e-9


def accurate_product(
    rows: Float[np.ndarray, "p n"], weight: Float[np.ndarray, "m n"]
) -> tuple[Float[np.ndarray, "p m"], Float[np.ndarray, "p m"]]:
    """W·x for each row x, p×n times m×n, rounded about once; and bounds on the errors, infinite where nothing is known.

    Each row is split into slices of so few bits that the products of slices are exact, in whatever order they are
    summed. Only what the least slices lose, and the addition of six products, is rounded. The bound is then of the size
    of a unit in the last place of the result, not of the sum of |W||x|. It takes the time of six matrix products.

    Source: K. Ozaki, T. Ogita, S. Oishi and S. M. Rump, "Error-free transformations of matrix multiplication by using
    fast routines of matrix multiplication and its applications", Numerical Algorithms 59 (2012).

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> sums, errors = linalg.accurate_product(np.array([[1.0, 1e17, -1e17]]), np.ones((1, 3)))
    >>> sums.item(), errors.item() < 1e-15
    (1.0, True)

    ```
    """
    bits = (53 - int(np.ceil(np.log2(max(rows.shape[1], 1))))) // 2
    with np.errstate(over="ignore", invalid="ignore"):
        (xs, xs_left, x_known), (ws, ws_left, w_known) = _sliced(rows, bits), _sliced(weight, bits)
        # From small to large: x_i·w_j for i + j up to the number of slices.
        pairs = [(i, number - i) for number in range(_SLICES - 1, -1, -1) for i in range(number + 1)]
        high, low, size = (np.zeros((len(rows), len(weight))) for _ in range(3))
        for i, j in pairs:
            high, lost = _added(high, xs[i] @ ws[j].T)
            low += lost
            size += np.abs(lost)
        sums = high + low
        # x·w − Σ x_i·w_j = (x − Σ x_i)·w + Σ_i x_i·(w − the slices that x_i was multiplied by)
        unseen = np.multiply.outer(_lengths(xs_left[-1]), _lengths(weight))
        for i, part in enumerate(xs):
            unseen += np.multiply.outer(_lengths(part), _lengths(ws_left[_SLICES - 1 - i]))
        errors = (UNIT_ROUNDOFF * np.abs(sums) + gamma(len(pairs) + 1) * size + unseen) * _MORE
        known = x_known[:, None] & w_known[None] & np.isfinite(sums) & np.isfinite(errors)
    return sums, np.where(known, errors, np.inf)


def _sliced(matrix: np.ndarray, bits: int) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """The slices of each row, multiples of a power of two of at most 2^`bits` of it; what is left after each of them;
    and the rows whose entries can be split without underflow or overflow."""
    largest = np.abs(matrix).max(axis=1, initial=0.0)
    _, exponents = np.frexp(largest)
    known = np.isfinite(largest) & ((np.abs(exponents) < _EXPONENTS) | (largest == 0))
    unit = np.ldexp(1.0, np.where(known, exponents, 0) - bits)[:, None]
    parts, left = [], [matrix]
    for _ in range(_SLICES):
        parts.append(np.rint(left[-1] / unit) * unit)
        left.append(left[-1] - parts[-1])
        unit = unit * 2.0**-bits
    return parts, left[1:], known


def _added(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded sum, and what rounding lost, exactly (Knuth)."""
    total = one + other
    again = total - one
    return total, (one - (total - again)) + (other - again)


def _lengths(rows: np.ndarray) -> np.ndarray:
    """Bounds on the 2-norms of rows. Squares that underflow are below 1e-150 together."""
    return np.linalg.norm(rows, axis=1) * _MORE + 1e-150 * rows.any(axis=1)
