"""What every certificate of one fully connected network shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from attrax._base.numerics import cast, float64
from attrax._base.shown import Record
from attrax.activations import Activation
from attrax.linalg import frobenius, gamma, two_norm
from attrax.maps.mlp._layers import FullyConnected, HiddenLayers

MORE = 1 + 1e-9
"""Room for the rounding of an error bound itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors(Record):
    """What every certificate of one fully connected network shares, computed once.

    **Fields:** the `hidden` layers in float64; `size`, number of entries of a state; all `weights` and `biases` on the
    host; `joined` = W_1 W_{L+1}, which leads
    from the last hidden layer to the next first one; `entry`, a matrix E with E Eᵀ = W_1 W_1ᵀ and at most as many
    columns as rows, and `exit`, a matrix R with RᵀR = W_{L+1}ᵀW_{L+1}, with bounds on the 2-norms of their errors;
    bounds on the 2-norms of the weights (`norms`)
    and of `joined`; the absolute values of the hidden layers' weights (`sizes`) and the 2-norms of their rows (`rows`);
    the 2-norms of the columns of W_{L+1}; `joined_error`, the rounding error of `joined`; for each hidden layer the
    units that pass on what they get (`linear`), or `None` where all have the activation; and `scores`, how many units
    at the end of the last hidden layer are scores, of which the largest becomes 1 and the others 0.
    """

    hidden: HiddenLayers
    size: int
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray | None, ...]
    joined: np.ndarray
    entry: np.ndarray
    exit: np.ndarray
    entry_error: float
    exit_error: float
    norms: tuple[float, ...]
    sizes: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    columns: np.ndarray
    joined_norm: float
    joined_error: float
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
    """`Factors` of affine layers with an activation between, which the units in `linear` do without. For `scores`, see
    there."""
    with float64():
        hidden = cast(HiddenLayers(tuple(weights[:-1]), tuple(biases[:-1]), activation), np.float64)
    weights = tuple(np.asarray(weight, np.float64) for weight in weights)
    biases = tuple(None if bias is None else np.asarray(bias, np.float64) for bias in biases)
    with np.errstate(over="ignore", invalid="ignore"):
        joined = weights[0] @ weights[-1]
        norms = tuple(two_norm(weight) for weight in weights)
        entry = np.asarray(np.linalg.qr(weights[0].T, mode="r")).T
        leave = np.asarray(np.linalg.qr(weights[-1], mode="r"))
        sizes = tuple(np.abs(weight) for weight in weights[:-1])
        rows = tuple(row_norms(weight) for weight in weights[:-1])
        # Backward errors of QR factorizations by Householder reflections: a generous constant (Higham, Thm. 19.4).
        lost = [gamma(8 * matrix.size) * frobenius(matrix) for matrix in (weights[0], weights[-1])]
        error = gamma(len(weights[-1]) + 2) * frobenius(weights[0]) * frobenius(weights[-1])
    return Factors(
        hidden,
        len(weights[-1]),
        weights,
        biases,
        joined,
        entry,
        leave,
        lost[0],
        lost[1],
        norms,
        sizes,
        rows,
        row_norms(weights[-1].T),
        two_norm(joined),
        error,
        (None,) * (len(weights) - 1) if linear is None else tuple(linear),
        scores,
    )


def row_norms(matrix: np.ndarray) -> np.ndarray:
    """Bounds on the 2-norms of the rows; never 0 where a row is not."""
    size = np.abs(matrix).max(axis=1, initial=0.0)
    tame = np.where((size > 1e-100) & (size < 1e100), 1.0, np.where(size > 0, size, 1.0))
    if (tame != 1.0).any():
        matrix = matrix / tame[:, None]
    return np.linalg.norm(matrix, axis=1) * tame * MORE
