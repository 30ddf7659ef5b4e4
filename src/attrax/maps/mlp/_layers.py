"""The hidden layers of a fully connected network, from its input or its last features to the next features.

On the host they are computed one after the other: a single program would have to be compiled for each network. Only the
activation is JAX's then, in a few programs.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.numerics import float64
from attrax.activations import Activation, PiecewiseLinear
from attrax.activations import activation as activation_of
from attrax.maps._on_host import HostFunction, quietly
from attrax.maps.mlp._weights import DiagonalPlusRankOne, Weight, host_weight, rows_through, sum_of_columns

_LONGEST = 2**18
"""Units of which a program computes the activation at once, at most."""
_WORTH, _SPARSE = 2**16, 8
"""Units from which on it is worth leaving out those that are off, if no more than one in so many is on."""


class FullyConnected(Protocol):
    """What the modules of this package need of a network."""

    @property
    def weights(self) -> tuple[Any, ...]: ...

    @property
    def biases(self) -> tuple[Any, ...]: ...

    @property
    def activation(self) -> Any: ...  # a name or a record; type checkers see the converter


class HiddenLayers(eqx.Module):
    """x ↦ φ(W_L φ(… φ(W_1 x + b_1) …) + b_L), of one vector."""

    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    activation: str | Activation = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        phi = activation_of(self.activation)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            z = jnp.asarray(weight @ x)
            x = phi(z if bias is None else jnp.asarray(z + bias))
        return x

    def on_host(self) -> HostFunction:
        """Its `HostFunction`."""
        layers = [(host_weight(weight), bias) for weight, bias in zip(self.weights, self.biases, strict=True)]
        inhibiting = [is_relu(self.activation) and inhibits(weight, bias) for weight, bias in layers]

        def rows(values: np.ndarray) -> np.ndarray:
            layer = 0
            while layer < len(layers):
                few = None
                if layer and inhibiting[layer] and inhibiting[layer - 1]:
                    # The layer before left few units on.
                    end = next((later for later in range(layer, len(layers)) if not inhibiting[later]), len(layers))
                    few = _through_inhibition(values, layers[layer:end])
                    layer = layer if few is None else end
                if few is None:
                    values = _values_of_units(self.activation, _affine(values, *layers[layer]))
                    layer += 1
                else:
                    values = few
            return values

        def push(value: np.ndarray, tangents: np.ndarray | None) -> np.ndarray:
            values = value[None]
            for weight, bias in layers:
                values, slopes, _ = derivatives_of_units(self.activation, _affine(values, weight, bias), False)
                moved = np.asarray(weight) if tangents is None else weight @ tangents
                tangents = slopes[0].reshape(-1, *[1] * (moved.ndim - 1)) * moved
            assert tangents is not None
            return tangents

        return HostFunction(quietly(rows), quietly(push))


def readout_on_host(weight: Any, bias: Any, shape: tuple[int, ...]) -> HostFunction:
    """The last layer as a `HostFunction` of features, whose values have `shape`."""
    weight = host_weight(weight)
    whole = cache(lambda: sum_of_columns(np.asarray(weight)))
    return HostFunction(
        quietly(lambda values: _affine(values, weight, bias, whole=whole).reshape(len(values), *shape)),
        quietly(lambda value, tangents: np.asarray(weight) if tangents is None else weight @ tangents),
    )


def _affine(
    values: np.ndarray, weight: Weight, bias: Any, *, whole: Callable[[], np.ndarray] | None = None
) -> np.ndarray:
    """Wx + b for each row x, in an array that is nobody else's; `whole` as in `rows_through`."""
    product = rows_through(weight, values, whole=whole)
    bias = np.zeros(1, product.dtype) if bias is None else np.asarray(bias)
    if not bias.any():
        return product
    return np.add(product, bias, out=product if np.result_type(product, bias) == product.dtype else None)


def inhibits(weight: Weight, bias: Any) -> bool:
    """Whether a layer of ReLU units leaves those at 0 that are there, if none is below 0."""
    if not isinstance(weight, DiagonalPlusRankOne):
        return False
    finite = all(np.isfinite(part).all() for part in (weight.diagonal, weight.left, weight.right))
    signs = (np.asarray(weight.left) <= 0).all() and (np.asarray(weight.right) >= 0).all()
    return bool(finite and signs and (bias is None or (np.asarray(bias) <= 0).all()))


def _through_inhibition(values: np.ndarray, layers: list[tuple[Any, Any]]) -> np.ndarray | None:
    """What layers that inhibit make of rows of ReLU units, from those units alone that are on; `None` where that gains
    nothing, or numbers are not finite."""
    if values.size < _WORTH or _SPARSE * np.count_nonzero(values) > values.size:
        return None
    rows, columns = np.nonzero(values)
    entries = values[rows, columns]
    for weight, bias in layers:
        sums = np.bincount(rows, np.asarray(weight.right)[columns] * entries, minlength=len(values))
        entries = np.asarray(weight.diagonal)[columns] * entries + np.asarray(weight.left)[columns] * sums[rows]
        entries = entries if bias is None else entries + np.asarray(bias)[columns]
        if not np.isfinite(entries).all():
            return None
        on = entries > 0
        rows, columns, entries = rows[on], columns[on], entries[on]
    found = np.zeros(values.shape)
    found[rows, columns] = entries
    return found


def derivatives_of_units(
    activation: str | Activation, before: np.ndarray, curved: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """φ, φ' and |φ''| (0 unless `curved`), each of the shape of `before`.

    NumPy has those of ReLU; others come from one of a few programs, whose sizes are powers of four.
    """
    if is_relu(activation):
        return np.maximum(before, 0.0), (before > 0).astype(float), np.zeros(before.shape)
    entries, length = before.ravel(), 64
    while length < min(entries.size, _LONGEST):
        length *= 4
    pieces: list[list[np.ndarray]] = []
    for start in range(0, max(entries.size, 1), length):
        piece = entries[start : start + length]
        padded = np.zeros(length)
        padded[: len(piece)] = piece
        with float64():
            found = _elementwise(activation, padded, curved)
        pieces.append([np.array(one)[: len(piece)] for one in found])
    value, slope, curvature = (np.concatenate(parts).reshape(before.shape) for parts in zip(*pieces, strict=True))
    return value, slope, curvature


def _values_of_units(activation: str | Activation, before: np.ndarray) -> np.ndarray:
    """φ of pre-activations, which are overwritten."""
    if is_relu(activation):
        return np.maximum(before, 0.0, out=before)
    return derivatives_of_units(activation, before, False)[0]


@cache
def is_relu(activation: str | Activation) -> bool:
    """Whether this is relu(z), which NumPy computes as JAX does, without a program and its sizes."""
    phi = activation_of(activation)
    bounds = phi.bounds
    return isinstance(bounds, PiecewiseLinear) and phi.homogeneous and bounds.slopes == (0.0, 1.0)


@partial(jax.jit, static_argnames=("activation", "curved"))
def _elementwise(activation: str | Activation, before: Any, curved: bool) -> tuple[Any, Any, Any]:
    phi = activation_of(activation)
    slope_of = jax.grad(phi)
    curvature_of = jax.grad(slope_of) if curved else jnp.zeros_like
    return phi(before), jax.vmap(slope_of)(before), jnp.abs(jax.vmap(curvature_of)(before))
