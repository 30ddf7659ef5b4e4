"""A norm in which every matrix of a set contracts: a bound on the growth of all their products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attrax._base.shown import Record
from attrax.linalg._norms import SAFETY, Norm, contracting_norms, two_norm_bound
from attrax.linalg._running_product import Product, frobenius_bound, frobenius_bounds, gamma

_CLOSER = (0.9, 0.75, 0.6, 0.5)
"""Rates to try, as positions between the largest spectral radius and 1. The first is the easiest."""
_PRODUCTS, _ALL_PRODUCTS, _WORK = 3000, 9000, 1e9
"""The most products that are formed for one norm and rate, and for all; the most multiplications for all."""
_SUMMED = 2000
"""The most products whose norms are computed for `Joint.total`."""


@dataclass(frozen=True, slots=True)
class Joint(Record):
    """‖u‖ ≤ ‖u‖* ≤ `spread`·‖u‖ for a norm ‖·‖* in which every matrix of the set shrinks all vectors by `rate`.

    ‖u‖ lies between |u|/`smallest` and `largest`·|u|. `total` bounds Σ_k sup|Π_k|₂ over all products Π_k of k matrices.
    """

    rate: float
    spread: float
    largest: float
    smallest: float
    total: float


def joint_contraction(matrices: Sequence[np.ndarray], errors: Sequence[float]) -> Joint | None:
    """`Joint` of all n×n matrices within `errors[i]` of `matrices[i]` in the 2-norm, and of their convex hull.

    A norm that suits the mean of the matrices is tried first. Where it is not enough, products are formed until each is
    below q^k for its number k of factors, so that every longer product consists of such pieces; ‖u‖* is the supremum
    of ‖Πu‖/q^k over all products Π of k factors. `None` if no such norm was found.

        >>> import numpy as np
        >>> found = joint_contraction([np.diag([0.5, 0.9]), np.diag([0.9, 0.5])], [0.0, 0.0])
        >>> found is not None and 0.9 <= found.rate < 0.91
        True

    Source: G. Gripenberg, "Computing the joint spectral radius", Linear Algebra and its Applications 234 (1996).
    """
    if not all(
        np.isfinite(matrix).all() and np.isfinite(error) for matrix, error in zip(matrices, errors, strict=True)
    ):
        return None
    least = max(float(np.abs(np.linalg.eigvals(matrix)).max(initial=0.0)) for matrix in matrices)
    mean = sum(matrices[1:], matrices[0]) / len(matrices)
    if not least + max(errors) < 1:  # A + e·c for a number c of modulus 1 is among them
        return None
    left = int(min(_ALL_PRODUCTS, _WORK / max(len(mean), 1) ** 3))
    for norms, _ in contracting_norms([mean], Product(mean, 0.0, 0.0), None):
        norm = norms[0]
        moved = [_inside(norm, matrix, error) for matrix, error in zip(matrices, errors, strict=True)]
        rate, found = max(two_norm_bound(matrix) + error for matrix, error in moved) * (1 + SAFETY), None
        inside = _Stack(np.stack([matrix for matrix, _ in moved]), np.array([error for _, error in moved]))
        if rate < 1:
            found = rate, 1.0
        elif len(matrices) > 1:  # the norms to come suit a single one better
            for closer in _CLOSER:
                rate = least + closer * (1 - least)
                # What comes after the first rate only makes the bound sharper.
                spread, formed = _spread(inside, rate, min(_PRODUCTS if found is None else _PRODUCTS // 3, left))
                left -= formed
                if spread is None:
                    break  # a lower rate would take more products
                found = rate, spread
        if found is not None:
            rate, spread = found
            gain = norm.largest * norm.smallest * spread * (1 + SAFETY)
            total = _total(_Stack(np.stack(matrices), np.array(errors)), gain, rate)
            return Joint(rate, spread, norm.largest, norm.smallest, total)
    return None


def _total(matrices: _Stack, gain: float, rate: float) -> float:
    """Bound on Σ_k sup|Π_k|₂, where sup|Π_k|₂ ≤ `gain`·`rate`ᵏ: as many terms as can be computed, and the rest by that
    or by |Π_{k+j}| ≤ |Π_k||Π_j|."""
    size = matrices.entries.shape[-1]
    most = min(_SUMMED, _WORK / max(size, 1) ** 3)
    level, begun, power, formed = _nothing_yet(size), 1.0, gain, 0
    best = gain / (1 - rate)
    while formed + len(level) * len(matrices) <= most:
        level = _longer(level, matrices)
        formed += len(level)
        power *= rate
        largest = max(two_norm_bound(product) + off for product, off in zip(level.entries, level.errors, strict=True))
        rest = power / (1 - rate)
        best = min(best, begun + rest, begun / (1 - largest) if largest < 1 else best)
        begun += min(largest, power)
        if rest < 0.01 * begun or largest < 0.1:
            break
    return best * (1 + SAFETY)


def _inside(norm: Norm, matrix: np.ndarray, error: float) -> tuple[np.ndarray, float]:
    """The matrix R⁻¹AR that acts on the coordinates of `norm`, and a bound on its error."""
    moved = norm.inner @ matrix @ norm.outer
    rounding = (
        2
        * gamma(2 * len(matrix) + 4)
        * frobenius_bound(matrix)
        * frobenius_bound(norm.inner)
        * frobenius_bound(norm.outer)
    )
    off = (norm.slack - 1) * frobenius_bound(moved) + norm.slack * rounding + norm.largest * norm.smallest * error
    return moved, off * (1 + SAFETY)


def _spread(matrices: _Stack, rate: float, most: int) -> tuple[float | None, int]:
    """The largest ‖Π‖/q^k of the products of k factors that are not yet below q^k, once all longer ones are; `None` if
    that takes more than so many products. And how many were formed."""
    formed, spread, power = 0, 1.0, 1.0
    level = _nothing_yet(matrices.entries.shape[-1])
    while len(level):
        if formed + len(level) * len(matrices) > most:  # all of them are needed
            return None, formed
        power *= rate
        level = _longer(level, matrices)
        formed += len(level)
        level = level.part(~((frobenius_bounds(level.entries) + level.errors) * (1 + SAFETY) <= power))
        norms = np.array([two_norm_bound(product) for product in level.entries])
        lengths = (norms + level.errors) * (1 + SAFETY)
        spread = max(spread, float(lengths.max(initial=0.0)) / power)
        level = level.part(~(lengths <= power))
    return spread * (1 + SAFETY), formed


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """c matrices of n×n, and bounds on the 2-norms of their errors."""

    entries: np.ndarray
    errors: np.ndarray

    def __len__(self) -> int:
        return len(self.entries)

    def part(self, which: np.ndarray) -> _Stack:
        return _Stack(self.entries[which], self.errors[which])


def _nothing_yet(size: int) -> _Stack:
    """The product of no factors."""
    return _Stack(np.eye(size)[None], np.zeros(1))


def _longer(level: _Stack, matrices: _Stack) -> _Stack:
    """The products of each of `matrices` with each product of a level."""
    size = level.entries.shape[-1]
    with np.errstate(over="ignore", invalid="ignore"):  # what grows without end is not below any power
        sizes, lengths = frobenius_bounds(matrices.entries)[None], frobenius_bounds(level.entries)[:, None]
        stray = (sizes + matrices.errors) * level.errors[:, None] + matrices.errors * lengths
        errors = (stray + gamma(size + 2) * sizes * lengths) * (1 + SAFETY)
        products = matrices.entries[None] @ level.entries[:, None]
        return _Stack(products.reshape(-1, size, size), errors.ravel())
