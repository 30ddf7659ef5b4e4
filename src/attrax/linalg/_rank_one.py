"""Blocks of matrices that are diagonal plus rank one, for products that never form them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from attrax._base.shown import Record


@dataclass(frozen=True, slots=True, eq=False)
class RankOneBlock(Record):
    """S + l·rᵀ, an m×n matrix where S has at most one entry in each row and in each column.

    Such are the blocks of a matrix that is diagonal plus rank one. A product with one of n terms a row is computed with
    the same relative error as that of a dense matrix, γ_{n+2}, of the sizes of S and of l·rᵀ together.

    **Fields:** `left` = l (m), `right` = r (n); `rows`, `columns` and `entries` of S, q each.
    """

    __array_ufunc__: ClassVar[None] = None  # so that NumPy leaves array @ block to the block

    left: Float[np.ndarray, " m"]
    right: Float[np.ndarray, " n"]
    rows: Int[np.ndarray, " q"]
    columns: Int[np.ndarray, " q"]
    entries: Float[np.ndarray, " q"]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.left), len(self.right)

    @property
    def T(self) -> "RankOneBlock":
        """The transpose."""
        return RankOneBlock(self.right, self.left, self.columns, self.rows, self.entries)

    def any(self) -> bool:
        """Whether S or l·rᵀ has a nonzero entry."""
        return bool(self.entries.any() or (self.left.any() and self.right.any()))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        matrix = np.outer(self.left, self.right)
        matrix[self.rows, self.columns] += self.entries
        return matrix if dtype is None else matrix.astype(dtype)

    def __matmul__(self, other: Any) -> np.ndarray:
        other = np.asarray(other)
        scalar = other.ndim == 1
        found = self.left * (self.right @ other) if scalar else np.outer(self.left, self.right @ other)
        found[self.rows] += (
            self.entries * other[self.columns] if scalar else self.entries[:, None] * other[self.columns]
        )
        return found

    def __rmatmul__(self, other: Any) -> np.ndarray:
        return (self.T @ np.asarray(other).T).T

    def __truediv__(self, scale: float) -> "RankOneBlock":
        return RankOneBlock(self.left / scale, self.right, self.rows, self.columns, self.entries / scale)

    def with_rows_times(self, factors: Float[np.ndarray, " m"]) -> "RankOneBlock":
        """diag(`factors`)·self."""
        entries = self.entries * factors[self.rows]
        return RankOneBlock(self.left * factors, self.right, self.rows, self.columns, entries)

    def with_columns_times(self, factors: Float[np.ndarray, " n"]) -> "RankOneBlock":
        """self·diag(`factors`)."""
        return self.T.with_rows_times(factors).T
