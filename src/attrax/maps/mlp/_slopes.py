"""The slopes of a fully connected network's units at given states, with bounds on their errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.numerics import cast, float64
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.activations import Activation
from attrax.activations import activation as activation_of
from attrax.linalg import UNIT_ROUNDOFF, gamma
from attrax.maps.mlp._layers import FullyConnected, HiddenLayers
from attrax.maps.mlp._slope_deviation import slope_deviation

_MANY = 32
"""States of a cycle from which on a product of matrices is worth a copy of the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors(Record):
    """What every certificate of one fully connected network shares, computed once.

    **Fields:** the `hidden` layers in float64; `size`, number of entries of a state; all `weights` and `biases` on the
    host; `joined` = W_1 W_{L+1}, which leads
    from the last hidden layer to the next first one; `entry`, a matrix E with E Eᵀ = W_1 W_1ᵀ and at most as many
    columns as rows, and `exit`, a matrix R with RᵀR = W_{L+1}ᵀW_{L+1}; bounds on the 2-norms of the weights (`norms`)
    and of `joined`; the absolute values of the hidden layers' weights (`sizes`) and the 2-norms of their rows (`rows`);
    `joined_error`, the rounding error
    of `joined`.
    """

    hidden: HiddenLayers
    size: int
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray | None, ...]
    joined: np.ndarray
    entry: np.ndarray
    exit: np.ndarray
    norms: tuple[float, ...]
    sizes: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    joined_norm: float
    joined_error: float

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
    with float64():
        hidden = cast(HiddenLayers(network.weights[:-1], network.biases[:-1], network.activation), np.float64)
        weights = tuple(np.asarray(weight, np.float64) for weight in network.weights)
        biases = tuple(None if bias is None else np.asarray(bias, np.float64) for bias in network.biases)
    joined = weights[0] @ weights[-1]
    norms = tuple(_norm(weight) for weight in weights)
    error = gamma(len(weights[-1]) + 2) * float(np.linalg.norm(weights[0]) * np.linalg.norm(weights[-1]))
    entry = np.asarray(np.linalg.qr(weights[0].T, mode="r")).T
    leave = np.asarray(np.linalg.qr(weights[-1], mode="r"))
    sizes = tuple(np.abs(weight) for weight in weights[:-1])
    rows = tuple(np.linalg.norm(weight, axis=1) for weight in weights[:-1])
    size = len(weights[-1])
    return Factors(hidden, size, weights, biases, joined, entry, leave, norms, sizes, rows, _norm(joined), error)


def _norm(matrix: np.ndarray) -> float:
    """Upper bound on the 2-norm: from the eigenvalues of the smaller Gram matrix, with room for their rounding."""
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    if not np.isfinite(gram).all():
        return float("inf")
    largest = float(np.linalg.eigvalsh(gram)[-1])
    return float(np.sqrt(max(largest, 0.0) + 4 * gamma(max(matrix.shape)) * np.trace(gram)))


def network_slopes(
    factors: Factors, cycle: HostStates, state_error: float = 0.0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """φ' of each hidden layer at each state of the cycle, with a bound on its error; step by step, layer by layer.

    `state_error` bounds the Euclidean distance of the given states from those of the exact cycle.

    The error of φ' is that of the pre-activation times a bound on φ'' nearby. Where a unit is closer to a kink of its
    activation than the error of its pre-activation, both slopes are possible, and the error says so.
    """
    name = factors.activation
    phi = activation_of(name)
    curved = not phi.piecewise_linear
    with float64():
        pre, hidden, slopes, curvatures = (
            [np.asarray(layer) for layer in group]
            for group in _derivatives(factors.hidden, jnp.asarray(cycle, np.float64), _is_curved(phi))
        )
    inputs = np.abs(np.asarray(cycle, np.float64).reshape(len(cycle), -1))
    # Length of the vector by which the input of a layer may be off: it grows by the layer's 2-norm at most.
    away = state_error + 4 * UNIT_ROUNDOFF * np.linalg.norm(inputs, axis=1, keepdims=True)
    spread = _Spread(factors.entry, state_error + 4 * UNIT_ROUNDOFF * np.linalg.norm(inputs, axis=1))
    errors = []
    live: list[np.ndarray | None] = [None] * len(cycle)  # all entries of the state
    # An iteration on its way to infinity may overflow here; the certificate then says so by an infinite error.
    with np.errstate(over="ignore", invalid="ignore"):
        for layer, values in enumerate(pre):
            weight, bias = factors.weights[layer], factors.biases[layer]
            local = gamma(inputs.shape[1] + 2) * _reaches(factors.sizes[layer], inputs, live)
            if bias is not None:
                local = local + 2 * UNIT_ROUNDOFF * (np.abs(bias) + np.abs(values))
            if curved:
                total = local + away * factors.rows[layer]
                total = np.minimum(total, spread.meet(weight, local))
            else:
                # Only the units that may be on carry an error to this layer, often few of them.
                rows = np.stack(
                    [
                        factors.rows[layer] if units is None else np.linalg.norm(weight[:, units], axis=1)
                        for units in live
                    ]
                )
                total = local + away * rows
            curvature = curvatures[layer] if curvatures else np.zeros_like(values)
            slope_error = slope_deviation(name, values, slopes[layer], curvature, total, np.zeros_like(values))
            # Neither inf·0 nor a state that is no number may pass for a bound.
            slope_error = np.where(np.isnan(slope_error) | np.isnan(total), np.inf, slope_error)
            errors.append(slope_error)
            steepest = (np.abs(slopes[layer]) + slope_error).max(axis=1, keepdims=True)
            inputs = np.abs(hidden[layer])
            if curved:
                spread.pass_on(slopes[layer], local, slope_error * total)
                norms = np.full((len(cycle), 1), factors.norms[layer])
            else:
                # A unit on a flat piece may have a value all the same, which is rounded in the next sum.
                on = (slopes[layer] != 0) | (slope_error != 0) | (hidden[layer] != 0)
                now = [np.flatnonzero(row) for row in on]
                norms = np.array(
                    [
                        [_block_norm(weight, units, before, factors.norms[layer])]
                        for units, before in zip(now, live, strict=True)
                    ]
                )
                # A unit on a flat piece for certain has the same value whatever its input is off by.
                local = np.where((slopes[layer] != 0) | (slope_error != 0), local, 0.0)
                live = [*now]
            before = away * norms + np.linalg.norm(local, axis=1, keepdims=True)
            away = steepest * before + 8 * UNIT_ROUNDOFF * np.linalg.norm(inputs + (inputs > 0), axis=1, keepdims=True)
    steps = range(len(cycle))
    return (
        [layer[step] for step in steps for layer in slopes],
        [layer[step] for step in steps for layer in errors],
    )


def slopes_at(
    factors: Factors, state: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Pre-activations, activations, slopes and |φ''| of each hidden layer at one state; no curvature where φ has none.

    A kink has the slope that JAX gives it.
    """
    curved = _is_curved(activation_of(factors.activation))
    with float64():
        pre, hidden, slopes, curvatures = (
            [np.asarray(layer)[0] for layer in group]
            for group in _derivatives(factors.hidden, jnp.asarray(state, np.float64)[None], curved)
        )
    return pre, hidden, slopes, curvatures if curved else [np.zeros_like(layer) for layer in pre]


def _is_curved(phi: Activation) -> bool:
    """Whether bounds of φ' ask for its slope."""
    return phi.bounds is not None and not phi.bounds.linear


def _reaches(sizes: np.ndarray, inputs: np.ndarray, live: Sequence[np.ndarray | None]) -> np.ndarray:
    """`_reach` of each state."""
    if len(inputs) >= _MANY and all(units is None for units in live):
        return inputs @ sizes.T
    return np.stack([_reach(sizes, row, units) for row, units in zip(inputs, live, strict=True)])


def _reach(sizes: np.ndarray, row: np.ndarray, units: np.ndarray | None) -> np.ndarray:
    """|W||x|, for x that is 0 but at some units: few columns cost little."""
    return sizes @ row if units is None or 2 * len(units) > len(row) else sizes[:, units] @ row[units]


def _block_norm(weight: np.ndarray, rows: np.ndarray, columns: np.ndarray | None, norm: float) -> float:
    """A bound on the 2-norm of a block of `weight`, whose own is at most `norm`: ‖B‖₂² ≤ ‖B‖₁·‖B‖_∞."""
    if columns is None or not len(rows) or not len(columns):
        return norm if columns is None else 0.0
    block = np.abs(weight[np.ix_(rows, columns)])
    bound = float(np.sqrt(block.sum(axis=0).max() * block.sum(axis=1).max()))
    return min(norm, bound * (1 + gamma(sum(block.shape))))


class _Spread:
    """How errors made at the input and in each layer spread to later pre-activations, through the network's slopes.

    The product of the layers' norms overstates this by orders of magnitude in a deep network, and where φ is curved
    an error of a pre-activation is one of the Jacobian. One list of carriers a state: matrices from a source of error
    to the latest pre-activations, each with the length of the error vector at its source.
    """

    def __init__(self, entry: np.ndarray, state_errors: np.ndarray) -> None:
        self.entry = entry
        self.carriers: list[list[tuple[np.ndarray | None, float]]] = [
            [(None, float(length))] for length in state_errors
        ]

    def meet(self, weight: np.ndarray, local: np.ndarray) -> np.ndarray:
        """Bounds on the errors of this layer's pre-activations, given those made here (`local`); infinite where
        there is no finite one."""
        bounds = []
        for step, carriers in enumerate(self.carriers):
            carriers[:] = [(self.entry if matrix is None else weight @ matrix, length) for matrix, length in carriers]
            reached = sum(length * np.linalg.norm(matrix, axis=1) for matrix, length in carriers if matrix is not None)
            bound = 1.001 * reached + local[step]  # a thousandth more for the rounding of the carriers
            bounds.append(np.where(np.isfinite(bound), bound, np.inf))
        return np.stack(bounds)

    def pass_on(self, slopes: np.ndarray, local: np.ndarray, bent: np.ndarray) -> None:
        """Carries everything through φ, and adds the errors made in this layer as a source.

        `bent` bounds what the error of each pre-activation adds because the slope on its way is not the one carried.
        """
        for step, carriers in enumerate(self.carriers):
            carriers[:] = [
                (slopes[step][:, None] * matrix, length) for matrix, length in carriers if matrix is not None
            ]
            made = np.abs(slopes[step]) * local[step] + 8 * UNIT_ROUNDOFF * (np.abs(slopes[step]) + 1) + bent[step]
            carriers.append((np.eye(len(made)), float(np.linalg.norm(made))))


@eqx.filter_jit
def _derivatives(layers: HiddenLayers, cycle: Any, curved: bool) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Pre-activations, activations, slopes and (where `curved`) |φ''| of every hidden layer, one row a state."""
    phi = activation_of(layers.activation)
    slope_of = jnp.vectorize(jax.grad(phi))
    curvature_of = jnp.vectorize(jax.grad(jax.grad(phi)))
    pre, hidden, slopes, curvatures = [], [], [], []
    values = cycle.reshape(len(cycle), -1)
    for weight, bias in zip(layers.weights, layers.biases, strict=True):
        # Row by row: a product with the transpose would copy the weights, which costs more than the product itself.
        # For the states of a film it pays.
        many = _MANY if len(values) >= _MANY else None
        before = jax.lax.map(lambda row, weight=weight: weight @ row, values, batch_size=many)
        before = before if bias is None else before + bias
        values = phi(before)
        pre.append(before)
        hidden.append(values)
        slopes.append(slope_of(before))
        if curved:
            curvatures.append(jnp.abs(curvature_of(before)))
    return pre, hidden, slopes, curvatures
