"""The weights of fully connected layers: matrices, or a diagonal plus a matrix of rank one, which is never formed."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from attrax._base.shown import Record
from attrax.linalg import RankOneBlock, frobenius_bound, gamma, two_norm_bound
from attrax.maps._from_file import with_axes

MORE = 1 + 1e-9
"""Margin for the rounding of an error bound itself."""
ROUNDED = 1e-10
"""More than the rounding of sums of up to 800,000 squares, relative to their sizes."""
_MANY, _REPEATED, _SPARSE = 32, 128, 8
"""From `_MANY` rows on, one matrix product is worth a copy of the weights; from `_REPEATED` on, it is worth looking
whether their second half repeats the first. Rows of which less than one entry in `_SPARSE` is not 0 are multiplied
without the others."""
_SMALL = 4096
"""Blocks of no more entries are formed, because their norms are then known better."""


class DiagonalPlusRankOne(Record, eqx.Module):
    """The k×k matrix diag(d) + l·rᵀ of a layer, kept as three vectors and applied in 3k multiplications.

    Such are the layers of lateral inhibition, (1 + ε)I − ε·11ᵀ. It can stand wherever a hidden layer of an `MLP` has a
    matrix; `numpy.asarray` forms the matrix.

    **Fields:** `diagonal` = d, `left` = l and `right` = r, k entries each.

    ```python
    >>> import numpy as np
    >>> from attrax.maps import DiagonalPlusRankOne
    >>> weight = DiagonalPlusRankOne(np.array([2.0, 2.0]), np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    >>> np.asarray(weight).tolist(), (weight @ np.array([3.0, 1.0])).tolist()
    ([[1.0, -1.0], [-1.0, 1.0]], [2.0, -2.0])

    ```
    """

    __array_ufunc__: ClassVar[None] = None  # so that NumPy leaves array @ weight to the weight

    diagonal: Float[Array, " k"] | Float[np.ndarray, " k"]
    left: Float[Array, " k"] | Float[np.ndarray, " k"]
    right: Float[Array, " k"] | Float[np.ndarray, " k"]

    def __check_init__(self) -> None:
        parts = (self.diagonal, self.left, self.right)
        if not all(hasattr(part, "shape") for part in parts):
            return  # a tree of placeholders, as JAX creates inside transformations
        if len({part.shape for part in parts}) > 1 or self.diagonal.ndim < 1:
            raise ValueError(
                "diagonal, left and right must be vectors of one length; got the shapes "
                f"{', '.join(str(part.shape) for part in parts)}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """k×k, as a matrix; inside transformations with axes of a batch before it."""
        return (*self.diagonal.shape, self.diagonal.shape[-1])

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """That of its vectors."""
        return self.diagonal.dtype

    @property
    def T(self) -> "DiagonalPlusRankOne":
        """The transpose."""
        return DiagonalPlusRankOne(self.diagonal, self.right, self.left)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        matrix = np.outer(np.asarray(self.left), np.asarray(self.right))
        matrix[np.diag_indices_from(matrix)] += np.asarray(self.diagonal)
        return matrix if dtype is None else matrix.astype(dtype)

    def __matmul__(self, x: Any) -> Any:
        if x.ndim == 1:
            return self.diagonal * x + self.left * (self.right @ x)
        return self.diagonal[:, None] * x + self.left[:, None] * (self.right @ x)[None]

    def __rmatmul__(self, x: Any) -> Any:
        return x * self.diagonal + (x @ self.left)[..., None] * self.right


Weight: TypeAlias = np.ndarray | DiagonalPlusRankOne
"""What certificates compute with, in float64 on the host."""


def weight64(weight: Any) -> Weight:
    """The weight in float64 on the host."""
    if isinstance(weight, DiagonalPlusRankOne):
        return jax.tree.map(lambda part: np.asarray(part, np.float64), weight)
    return np.asarray(weight, np.float64)


def host_weight(weight: Any) -> Weight:
    """The weight on the host, in its own precision."""
    return jax.tree.map(np.asarray, weight) if isinstance(weight, DiagonalPlusRankOne) else np.asarray(weight)


def rows_through(
    weight: Weight,
    rows: Float[np.ndarray, "p n"],
    *,
    finite: bool = False,
    whole: Callable[[], Float[np.ndarray, " m"]] | None = None,
) -> Float[np.ndarray, "p m"]:
    """W·x for each row x, in an array that is nobody else's. Entries of x that are 0 are left out where nearly all are,
    if no weight is infinite or NaN, which times 0 is NaN. With `finite` that is not looked at: something else tells of
    such weights. For `whole`, which returns W·1, see `common_and_rest`."""
    few = 0 < len(rows) < _MANY
    if not isinstance(weight, np.ndarray):
        return np.stack([weight @ row for row in rows]) if few else _rank_one_rows(weight, rows)
    if few:
        return np.stack([_onward(weight, row, np.flatnonzero(row)) if finite else weight @ row for row in rows])
    common, rest = (0.0, rows) if whole is None else common_and_rest(rows)
    if _SPARSE * np.count_nonzero(rest) < rest.size and (finite or np.isfinite(weight).all()):
        pieces = [rest[start : start + _MANY] for start in range(0, len(rest), _MANY)]
        found = np.concatenate([_onward(weight, piece.T, np.flatnonzero(piece.any(axis=0))).T for piece in pieces])
        return found if whole is None or not common else found + common * whole()
    half = len(weight) // 2 if len(rows) >= _REPEATED else 0
    if half and (weight[0] == weight[half]).all() and np.array_equal(weight[:half], weight[half:]):
        return np.tile(rows @ weight[:half].T, 2)  # as in constructed networks
    return rows @ weight.T


def _rank_one_rows(weight: DiagonalPlusRankOne, rows: Float[np.ndarray, "p n"]) -> Float[np.ndarray, "p n"]:
    """W·x for each of many rows x. Where all entries of d or l are equal, as in lateral inhibition, without an array
    for them."""
    diagonal, left, right = _parts(weight)
    found = rows * one_if_equal(diagonal)
    if left.any():
        found += (rows @ right)[:, None] * one_if_equal(left)
    return found


def one_if_equal(vector: np.ndarray) -> np.ndarray:
    """The vector, or its first entry alone if all are equal to that."""
    return vector[:1] if len(vector) and (vector == vector[0]).all() else vector


def sum_of_columns(weight: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """W·1, summed in more digits where there are some: its error is that of all rows that it is part of."""
    return weight.sum(axis=1, dtype=np.longdouble).astype(np.float64)


def common_and_rest(rows: Float[np.ndarray, "p n"]) -> tuple[float, Float[np.ndarray, "p n"]]:
    """A number c that nearly all entries of each row have, and what is left without it; else 0 and the rows.

    In a winner-take-all network the units of all examples but one are at 1. With `whole`, `rows_through` computes W·x
    as c·W·1 + W·(x − c), whose rounding is relative to |W|·(|c| + |x − c|), not to |W||x|.
    """
    if len(rows) < _MANY or not rows.size:
        return 0.0, rows
    common = float(np.median(rows[0]))
    if common == 0 or not np.isfinite(common):
        return 0.0, rows
    if _SPARSE * np.count_nonzero(rows != common, axis=1).max() >= rows.shape[1]:
        return 0.0, rows
    return common, rows - common


def _onward(weight: np.ndarray, x: np.ndarray, live: Int[np.ndarray, " l"]) -> np.ndarray:
    """W·x, where entries of x that are not `live` are 0."""
    return weight[:, live] @ x[live] if _SPARSE * len(live) < len(x) else weight @ x


def formed(weight: Any) -> Any:
    """The weight as a matrix, for NumPy and for JAX."""
    if not isinstance(weight, DiagonalPlusRankOne):
        return weight
    if isinstance(weight.diagonal, np.ndarray):
        return np.asarray(weight)
    return jnp.diag(weight.diagonal) + jnp.outer(jnp.asarray(weight.left), jnp.asarray(weight.right))


def block(
    weight: Weight, rows: Int[np.ndarray, " m"] | None, columns: Int[np.ndarray, " n"] | None
) -> np.ndarray | RankOneBlock:
    """These rows and columns of a weight, each sorted, or all of them."""
    if isinstance(weight, np.ndarray):
        # All of them take no copy.
        rows, columns = (
            None if which is None or len(which) == length else which
            for which, length in zip((rows, columns), weight.shape, strict=True)
        )
        if rows is None or columns is None:
            return weight if rows is columns else weight[rows] if columns is None else weight[:, columns]
        return weight[np.ix_(rows, columns)]
    every = np.arange(len(weight.left))
    rows, columns = every if rows is None else rows, every if columns is None else columns
    both, at_rows, at_columns = np.intersect1d(rows, columns, assume_unique=True, return_indices=True)
    diagonal, left, right = _parts(weight)
    return RankOneBlock(left[rows], right[columns], at_rows, at_columns, diagonal[both])


def magnitudes(weight: Weight) -> Weight:
    """The absolute values; of a diagonal plus rank one, those of its parts, to which its rounding is relative."""
    return np.abs(weight) if isinstance(weight, np.ndarray) else jax.tree.map(np.abs, weight)


def scaled(weight: Weight, rows: np.ndarray | None, columns: np.ndarray | None) -> Weight:
    """diag(`rows`)·W·diag(`columns`)."""
    if isinstance(weight, np.ndarray):
        weight = weight if rows is None else weight * rows[:, None]
        return weight if columns is None else weight * columns
    diagonal, left, right = _parts(weight)
    if rows is not None:
        diagonal, left = diagonal * rows, left * rows
    if columns is not None:
        diagonal, right = diagonal * columns, right * columns
    return DiagonalPlusRankOne(diagonal, left, right)


def rows_times(factors: np.ndarray, matrix: np.ndarray | RankOneBlock) -> np.ndarray | RankOneBlock:
    """diag(`factors`)·matrix."""
    return factors[:, None] * matrix if isinstance(matrix, np.ndarray) else matrix.with_rows_times(factors)


def columns_times(matrix: np.ndarray | RankOneBlock, factors: np.ndarray) -> np.ndarray | RankOneBlock:
    """matrix·diag(`factors`)."""
    return matrix * factors if isinstance(matrix, np.ndarray) else matrix.with_columns_times(factors)


def same(weight: Weight, other: Weight) -> bool:
    """Whether two weights of one kind are equal, entry by entry."""
    pairs = zip(jax.tree.leaves(weight), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(one, another) for one, another in pairs)


def norm_of(weight: Weight) -> float:
    """A bound on the 2-norm."""
    return two_norm_bound(block(weight, None, None))


def row_sizes(weight: Weight, live: Bool[np.ndarray, "p n"] | None = None) -> Float[np.ndarray, "p m"]:
    """Bounds on the 2-norms of the rows, for each of p choices of columns, or one of all; 0 only for rows of zeros."""
    if isinstance(weight, np.ndarray):
        if live is None:
            return row_norms(weight)[None]
        return np.stack([row_norms(weight[:, np.flatnonzero(columns)]) for columns in live])
    diagonal, left, right = _parts(weight)
    kept = np.ones((1, len(right)), bool) if live is None else live
    length, on, off = _lengths(kept, right), (left * right + diagonal) ** 2, (left * right) ** 2
    # ‖l_i·r + d_i·e_i‖² with what that differs by in entry i; the margin covers its rounding where the two cancel.
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (left * length) ** 2 + kept * (on - off + ROUNDED * (on + off)) + ROUNDED * (left * length) ** 2
    plain = np.abs(diagonal) * kept + np.abs(left) * length
    return np.where(tame(weight), np.minimum(np.sqrt(squares), plain), plain) * MORE


def block_norms(
    weight: Weight, rows: Bool[np.ndarray, "p m"], columns: Bool[np.ndarray, "p n"], *, sharp: bool
) -> Float[np.ndarray, "p 1"]:
    """Bounds on the 2-norms of p blocks B: ‖B‖₂² ≤ ‖B‖₁·‖B‖_∞. Of a diagonal plus rank one they are the sums of those
    of its parts, unless with `sharp` the block is small."""
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    if sharp or isinstance(weight, np.ndarray):
        pairs = [*zip(map(np.flatnonzero, rows), map(np.flatnonzero, columns), strict=True)]
    if isinstance(weight, np.ndarray):
        return np.array([[_norm_by_sums(weight[np.ix_(*pair)])] for pair in pairs])
    diagonal, left, right = _parts(weight)
    largest = np.where(rows, np.abs(diagonal), 0.0).max(axis=1, initial=0.0, keepdims=True)
    outer = _lengths(rows, left) * _lengths(columns, right)
    found = largest + outer
    if tame(weight):
        # The Frobenius norm, likewise.
        on, off = (left * right + diagonal) ** 2, (left * right) ** 2
        both = (rows & columns) @ (on - off + ROUNDED * (on + off))
        found = np.minimum(found, np.sqrt((1 + ROUNDED) * outer**2 + both[:, None]))
    found = found * MORE
    for number, (one, other) in enumerate(pairs):
        if len(one) * len(other) <= _SMALL:
            part = block(weight, one, other)
            found[number] = min(found[number, 0], _norm_by_sums(np.asarray(part)) + gamma(2) * frobenius_bound(part))
    return found


def _norm_by_sums(matrix: np.ndarray) -> float:
    sizes = np.abs(matrix)
    bound = float(np.sqrt(sizes.sum(axis=0).max(initial=0.0)) * np.sqrt(sizes.sum(axis=1).max(initial=0.0)))
    return bound * (1 + gamma(sum(sizes.shape)))


def _parts(weight: DiagonalPlusRankOne) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.asarray(weight.diagonal), np.asarray(weight.left), np.asarray(weight.right)


def tame(weight: DiagonalPlusRankOne) -> bool:
    """Whether squares of products of its entries neither over- nor underflow."""
    sizes = np.abs(np.concatenate(_parts(weight)))
    return bool((((sizes > 1e-70) & (sizes < 1e70)) | (sizes == 0)).all())


def _lengths(kept: Bool[np.ndarray, "p n"], vector: np.ndarray) -> Float[np.ndarray, "p 1"]:
    """Bounds on the 2-norms of a vector's kept entries. Squares that underflow add less than 1e-140 of the largest."""
    largest = float(np.abs(vector).max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return np.where(kept.any(axis=1, keepdims=True), largest, 0.0)
    lengths = np.sqrt(kept @ (vector / largest) ** 2)[:, None] * largest * MORE
    return lengths + 1e-140 * largest * (kept & (vector != 0)).any(axis=1, keepdims=True)


@np.errstate(invalid="ignore")  # ∞/∞
def row_norms(matrix: np.ndarray) -> np.ndarray:
    """Bounds on the 2-norms of the rows; 0 only for rows of zeros, NaN for infinite ones."""
    size = np.maximum(matrix.max(axis=1, initial=0.0), -matrix.min(axis=1, initial=0.0))
    tame = np.where((size > 1e-100) & (size < 1e100), 1.0, np.where(size > 0, size, 1.0))
    if (tame != 1.0).any():
        matrix = matrix / tame[:, None]
    return np.sqrt(np.square(matrix).sum(axis=1)) * tame * MORE


_PARTS = ("diagonal", "left", "right")


def weight_arrays(name: str, weight: Any) -> list[tuple[str, np.ndarray]]:
    """The arrays of a weight with their names in a file."""
    if not isinstance(weight, DiagonalPlusRankOne):
        return [(name, np.asarray(weight))]
    return [(f"{name}.{part}", np.asarray(getattr(weight, part))) for part in _PARTS]


def weight_from(name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """The weight of these arrays; see `weight_arrays`. **Raises** `KeyError` or `ValueError` if they are not one."""
    if name in arrays or f"{name}.diagonal" not in arrays:
        return with_axes(arrays[name], 2)
    return DiagonalPlusRankOne(*(with_axes(arrays[f"{name}.{part}"], 1) for part in _PARTS))
