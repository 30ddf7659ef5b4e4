"""What every certificate of one fully connected network shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from attrax._base.numerics import cast, float64
from attrax._base.shown import Record
from attrax.activations import Activation
from attrax.activations import activation as activation_of
from attrax.linalg import frobenius_bound, gamma, two_norm_bound
from attrax.maps.mlp._layers import FullyConnected, HiddenLayers

MORE = 1 + 1e-9
"""Margin for the rounding of an error bound itself."""
_UNEVEN = 1000.0
"""By how much the sizes of a layer's units may differ before they are evened out."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Factors(Record):
    """What every certificate of one fully connected network shares, computed once.

    **Fields:**

    - `hidden`: the hidden layers in float64; `size`, the number of entries of a state; `weights` and `biases`, of all
      layers, on the host.
    - `joined` = W_1 W_{L+1}, which leads from the last hidden layer to the next first one; `joined_norm`, a bound on
      its 2-norm; `joined_error`, a bound on its rounding error.
    - `entry`: a matrix E with E Eᵀ = W_1 W_1ᵀ and at most as many columns as rows; `exit`, a matrix R with RᵀR =
      W_{L+1}ᵀW_{L+1}; `entry_error`, `exit_error`, bounds on the 2-norms of their errors.
    - `norms`: bounds on the 2-norms of the weights.
    - `absolute`: the absolute values of the hidden layers' weights; `row_norms`, bounds on the 2-norms of the rows of
      these; `column_norms`, of the columns of W_{L+1}.
    - `linear`: for each hidden layer, the units that pass on their input unchanged, or `None` where all have the
      activation.
    - `scores`: how many units at the end of the last hidden layer are scores, of which the largest becomes 1 and the
      others 0.
    """

    hidden: HiddenLayers
    size: int
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray | None, ...]
    joined: np.ndarray
    joined_norm: float
    joined_error: float
    entry: np.ndarray
    entry_error: float
    exit: np.ndarray
    exit_error: float
    norms: tuple[float, ...]
    absolute: tuple[np.ndarray, ...]
    row_norms: tuple[np.ndarray, ...]
    column_norms: np.ndarray
    linear: tuple[Bool[np.ndarray, " k"] | None, ...]
    scores: int

    @property
    def activation(self) -> str | Activation:
        """The name of φ."""
        return self.hidden.activation

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.weights) - 1


def network_factors(network: FullyConnected) -> Factors:
    """`Factors` of a network."""
    return layer_factors(network.weights, network.biases, network.activation)


def layer_factors(
    weights: Sequence[Any],
    biases: Sequence[Any],
    activation: str | Activation,
    linear: Sequence[Bool[np.ndarray, " k"] | None] | None = None,
    scores: int = 0,
) -> Factors:
    """`Factors` of affine layers with an activation between them. For `linear` and `scores`, see `Factors`.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> from attrax.maps.mlp import layer_factors
    >>> factors = layer_factors(network.weights, network.biases, "relu")
    >>> type(factors).__name__
    'Factors'

    ```
    """
    if activation_of(activation).homogeneous and not scores:
        weights, biases = _evened(weights, biases)
    with float64():
        hidden = cast(HiddenLayers(tuple(weights[:-1]), tuple(biases[:-1]), activation), np.float64)
    weights = tuple(np.asarray(weight, np.float64) for weight in weights)
    biases = tuple(None if bias is None else np.asarray(bias, np.float64) for bias in biases)
    with np.errstate(over="ignore", invalid="ignore"):
        joined = weights[0] @ weights[-1]
        joined_error = gamma(len(weights[-1]) + 2) * frobenius_bound(weights[0]) * frobenius_bound(weights[-1])
        entry = np.asarray(np.linalg.qr(weights[0].T, mode="r")).T
        exit = np.asarray(np.linalg.qr(weights[-1], mode="r"))
        # Backward errors of QR factorizations by Householder reflections: a generous constant (Higham, Thm. 19.4).
        entry_error, exit_error = (
            gamma(8 * matrix.size) * frobenius_bound(matrix) for matrix in (weights[0], weights[-1])
        )
        return Factors(
            hidden=hidden,
            size=len(weights[-1]),
            weights=weights,
            biases=biases,
            joined=joined,
            joined_norm=two_norm_bound(joined),
            joined_error=joined_error,
            entry=entry,
            entry_error=entry_error,
            exit=exit,
            exit_error=exit_error,
            norms=tuple(two_norm_bound(weight) for weight in weights),
            absolute=tuple(np.abs(weight) for weight in weights[:-1]),
            row_norms=tuple(row_norms(weight) for weight in weights[:-1]),
            column_norms=row_norms(weights[-1].T),
            linear=(None,) * (len(weights) - 1) if linear is None else tuple(linear),
            scores=scores,
        )


def _evened(weights: Sequence[Any], biases: Sequence[Any]) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """The same network with hidden units of similar sizes where theirs differ a lot: norms and errors of whole layers
    would say little about small units beside large ones.

    φ(cz) = cφ(z), so rows of one layer are divided by powers of two and columns of the next one multiplied by them. A
    layer in which that is not exact is left as it is.
    """
    weights = [np.asarray(weight, np.float64) for weight in weights]
    biases = [None if bias is None else np.asarray(bias, np.float64) for bias in biases]
    for layer in range(len(weights) - 1):
        rows, after, bias = weights[layer], weights[layer + 1], biases[layer]
        sizes = row_norms(rows)
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        if not len(sizes) or sizes.max() < _UNEVEN * sizes.min():
            continue
        sizes = row_norms(rows)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
            factor = 2.0 ** np.round(np.log2(np.where((sizes > 1e-100) & (sizes < 1e100), sizes, 1.0)))
            fewer, more = rows / factor[:, None], after * factor
            less = None if bias is None else bias / factor
            exact = (fewer * factor[:, None] == rows).all() and (more / factor == after).all()
        if exact and (bias is None or less is None or (less * factor == bias).all()):
            weights[layer], weights[layer + 1], biases[layer] = fewer, more, less
    return weights, biases


def row_norms(matrix: np.ndarray) -> np.ndarray:
    """Bounds on the 2-norms of the rows; 0 only for rows of zeros."""
    size = np.abs(matrix).max(axis=1, initial=0.0)
    tame = np.where((size > 1e-100) & (size < 1e100), 1.0, np.where(size > 0, size, 1.0))
    if (tame != 1.0).any():
        matrix = matrix / tame[:, None]
    return np.linalg.norm(matrix, axis=1) * tame * MORE
