"""What every certificate of one fully connected network shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from attrax._base.lazy import once
from attrax._base.shown import Record
from attrax.activations import Activation
from attrax.activations import activation as activation_of
from attrax.linalg import frobenius_bound, gamma, two_norm_bound
from attrax.maps.mlp._layers import FullyConnected, HiddenLayers
from attrax.maps.mlp._weights import (
    Weight,
    formed,
    magnitudes,
    norm_of,
    row_norms,
    row_sizes,
    same,
    scaled,
    sum_of_columns,
    weight64,
)

_UNEVEN = 1000.0
"""By how much the sizes of a layer's units may differ before they are evened out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Factors(Record):
    """What every certificate of one fully connected network shares. What is not a field is computed on first use:
    where the network is constant, most of it is not needed.

    **Fields:**

    - `hidden`: the hidden layers in float64; `size`, the number of entries of a state; `weights` and `biases`, of all
      layers, on the host.
    - `row_norms`: bounds on the 2-norms of the rows of the hidden layers' weights; `column_norms`, of the columns of
      W_{L+1}.
    - `linear`: for each hidden layer, the units that pass on their input unchanged, or `None` where all have the
      activation.
    - `scores`: how many units at the end of the last hidden layer are scores, of which the largest becomes 1 and the
      others 0.
    """

    hidden: HiddenLayers
    size: int
    weights: tuple[Weight, ...]
    biases: tuple[np.ndarray | None, ...]
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

    @property
    def first(self) -> np.ndarray:
        """W_1, which is always a matrix here."""
        return np.asarray(self.weights[0])

    @property
    def last(self) -> np.ndarray:
        """W_{L+1}, which is always a matrix here."""
        return np.asarray(self.weights[-1])

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def joined(self) -> np.ndarray:
        """W_1 W_{L+1}, which leads from the last hidden layer to the next first one."""
        return self.first @ self.last

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def joined_norm(self) -> float:
        """A bound on the 2-norm of `joined`."""
        return two_norm_bound(self.joined)

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def joined_error(self) -> float:
        """A bound on the rounding error of `joined`."""
        return gamma(self.size + 2) * frobenius_bound(self.first) * frobenius_bound(self.last)

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def entry(self) -> np.ndarray:
        """A matrix E with E Eᵀ = W_1 W_1ᵀ and at most as many columns as rows: W_1 itself, if that has no more."""
        units, size = self.first.shape
        return self.first if size <= units else np.asarray(np.linalg.qr(self.first.T, mode="r")).T

    @once
    def entry_error(self) -> float:
        """A bound on the 2-norm of the error of `entry`."""
        units, size = self.first.shape
        return 0.0 if size <= units else _factorization_error(self.first)

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def exit(self) -> np.ndarray:
        """A matrix R with RᵀR = W_{L+1}ᵀW_{L+1} and at most as many rows as columns: W_{L+1}, if that has no more."""
        size, units = self.last.shape
        return self.last if size <= units else np.asarray(np.linalg.qr(self.last, mode="r"))

    @once
    def exit_error(self) -> float:
        """A bound on the 2-norm of the error of `exit`."""
        size, units = self.last.shape
        return 0.0 if size <= units else _factorization_error(self.last)

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def norms(self) -> tuple[float, ...]:
        """Bounds on the 2-norms of the weights."""
        return tuple(norm_of(weight) for weight in self.weights)

    @once
    def absolute(self) -> tuple[Weight, ...]:
        """The `magnitudes` of the hidden layers' weights."""
        return tuple(magnitudes(weight) for weight in self.weights[:-1])

    @once
    @np.errstate(over="ignore", invalid="ignore")
    def whole(self) -> np.ndarray:
        """W_{L+1}·1; see `common_and_rest`."""
        return sum_of_columns(self.last)

    @once
    def twins(self) -> Bool[np.ndarray, " m"]:
        """Of the first half of the only hidden layer's units, those that have the same weights as their counterparts
        in the second half and opposite columns of W_{L+1}, as in constructed networks: where both have one slope, what
        they add to the Jacobian cancels exactly. None of more layers; none with infinite weights, as ∞ − ∞ is not 0."""
        half = len(self.first) // 2 if self.depth == 1 else 0
        equal = (self.first[:half] == self.first[half : 2 * half]).all(axis=1)
        opposite = (self.last[:, :half] == -self.last[:, half : 2 * half]).all(axis=0)
        return equal & opposite & np.isfinite(self.row_norms[0][:half]) & np.isfinite(self.column_norms[:half])


@np.errstate(over="ignore", invalid="ignore")
def _factorization_error(matrix: np.ndarray) -> float:
    """Of a QR factorization by Householder reflections: a generous constant (Higham, Thm. 19.4)."""
    return gamma(8 * matrix.size) * frobenius_bound(matrix)


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
    weights = (formed(weights[0]), *weights[1:-1], formed(weights[-1]))
    weights = [weight64(weight) for weight in weights]
    biases = [None if bias is None else np.asarray(bias, np.float64) for bias in biases]
    even = activation_of(activation).homogeneous and not scores
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = _evened(weights, biases) if even else [row_sizes(weight)[0] for weight in weights[:-1]]
        return Factors(
            hidden=HiddenLayers(tuple(weights[:-1]), tuple(biases[:-1]), activation),
            size=len(np.asarray(weights[-1])),
            weights=tuple(weights),
            biases=tuple(biases),
            row_norms=tuple(sizes),
            column_norms=row_norms(np.asarray(weights[-1]).T),
            linear=(None,) * (len(weights) - 1) if linear is None else tuple(linear),
            scores=scores,
        )


def _evened(weights: list[Weight], biases: list[np.ndarray | None]) -> list[np.ndarray]:
    """Changes the layers in place to the same network with hidden units of similar sizes where theirs differ a lot:
    norms and errors of whole layers would say little about small units beside large ones. Returns the `row_sizes` of
    the hidden layers.

    φ(cz) = cφ(z), so rows of one layer are divided by powers of two and columns of the next one multiplied by them. A
    layer in which that is not exact is left as it is.
    """
    found = list[np.ndarray]()
    for layer in range(len(weights) - 1):
        rows, after, bias = weights[layer], weights[layer + 1], biases[layer]
        every = row_sizes(rows)[0]
        found.append(every)
        sizes = every[np.isfinite(every) & (every > 0)]
        if not len(sizes) or sizes.max() < _UNEVEN * sizes.min():
            continue
        with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
            factor = 2.0 ** np.round(np.log2(np.where((every > 1e-100) & (every < 1e100), every, 1.0)))
            fewer, more = scaled(rows, 1 / factor, None), scaled(after, None, factor)
            less = None if bias is None else bias / factor
            reversible = same(scaled(fewer, factor, None), rows) and same(scaled(more, None, 1 / factor), after)
        if reversible and (bias is None or less is None or (less * factor == bias).all()):
            weights[layer], weights[layer + 1], biases[layer] = fewer, more, less
            found[layer] = row_sizes(fewer)[0]
    return found
