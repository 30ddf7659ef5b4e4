"""Small matrices with the same nonzero spectrum as the Jacobian of a map round a cycle.

For f = W_{L+1} φ(W_L … φ(W_1 x)) the nonzero eigenvalues of the d×d Jacobian W_{L+1} D_L W_L … D_1 W_1 are those of
the product taken from any layer round to itself, since AB and BA share theirs. A unit with φ' = 0 contributes a zero
row and column, which can be left out. The product starts where the fewest units are left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from attrax._activations import PIECEWISE_LINEAR
from attrax._activations import activation as named_activation
from attrax._numerics import cast, float64
from attrax._types import HostStates, Map
from attrax.maps import MLP

UNIT_ROUNDOFF = 2.0**-53
_MANY = 32
"""States of a cycle from which on a product of matrices is worth a copy of the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A square matrix with the nonzero spectrum of the Jacobian product round a cycle, and its error.

    **Fields:**

    - `matrix`: m×m, float64, scaled by exp(−`log_scale`).
    - `error`: bound on the Frobenius norm of (matrix as computed − exact one) from rounding, at the scale of `matrix`.
    - `log_scale`: natural logarithm of the factor taken out, so that long cycles neither overflow nor underflow.
    """

    matrix: Float[np.ndarray, "m m"]
    error: float
    log_scale: float


def gamma(count: int) -> float:
    """Higham's γ_n = n·u/(1 − n·u): the relative error of a sum of n products in float64."""
    return count * UNIT_ROUNDOFF / (1 - count * UNIT_ROUNDOFF)


@dataclass(frozen=True, slots=True, eq=False)
class _Factor:
    """A matrix, a bound on its 2-norm, and a bound on the 2-norm of its error."""

    matrix: np.ndarray
    norm: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """The product of 2^`level` successive factors at the scale exp(−`log_scale`): its 2-norm and error, as bounds."""

    level: int
    matrix: np.ndarray
    norm: float
    error: float
    log_scale: float


class _Running:
    """A product built from the right, with a bound on its forward error, and the scale taken out.

    Factors are multiplied in pairs, pairs of pairs and so on. An error in one factor is then carried on by the norms of
    products as computed, of which there are as many as there are levels, and not by the norms of all later factors,
    whose product may be larger by hundreds of orders of magnitude.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: list[_Node] = []

    def multiply(self, left: np.ndarray, left_norm: float, left_error: float) -> None:
        """Multiplies by `left`, whose 2-norm is at most `left_norm` and which is known to within `left_error`."""
        self.nodes.append(_scaled(_Node(0, left, left_norm, left_error, 0.0)))
        while len(self.nodes) > 1 and self.nodes[-1].level == self.nodes[-2].level:
            later, earlier = self.nodes.pop(), self.nodes.pop()
            self.nodes.append(_joined(later, earlier))

    def multiply_block(self, block: Sequence[_Factor]) -> None:
        """Multiplies by the factors of one application of the map, the first factor first.

        An error δ_l in factor l reaches the product as F_n…F_{l+1} δ_l F_{l-1}…F_1. The norms of these partial
        products are far below the products of the norms when the network is deep, so they are computed.
        """
        # An iteration on its way to infinity may overflow; the certificate then says so by an infinite error.
        with np.errstate(over="ignore", invalid="ignore"):
            after = [1.0]
            suffix = block[-1].matrix
            for factor in block[-2::-1]:
                after.append(float(np.linalg.norm(suffix)))
                suffix = suffix @ factor.matrix
            after.reverse()
            prefix, size, error, reached = block[0].matrix, 1.0, 0.0, 0.0
            for number, (factor, gain) in enumerate(zip(block, after, strict=True)):
                rounding = 0.0
                if number:
                    rounding = gamma(prefix.shape[0] + 2) * float(np.linalg.norm(factor.matrix)) * size
                    prefix = factor.matrix @ prefix
                # `reached` bounds the error so far by norms alone: it only multiplies δ, or the rounding of `gain`.
                local = factor.error * (size + reached) + rounding
                error += gain * (1 + 1e-6) * local
                reached = factor.norm * reached + local
                size = float(np.linalg.norm(prefix))
            self.multiply(prefix, size, error)

    def product(self) -> Product:
        if not self.nodes:
            return Product(np.eye(self.size), 0.0, 0.0)
        whole = self.nodes[-1]
        for earlier in self.nodes[-2::-1]:
            whole = _joined(whole, earlier)
        return Product(whole.matrix, whole.error, whole.log_scale)


def _joined(later: _Node, earlier: _Node) -> _Node:
    """The product of two nodes."""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = float(np.linalg.norm(later.matrix)) * float(np.linalg.norm(earlier.matrix))
        rounding = gamma(earlier.matrix.shape[0] + 2) * sizes
        error = (later.norm + later.error) * earlier.error + later.error * earlier.norm + rounding
        matrix = later.matrix @ earlier.matrix
        norm = min(float(np.linalg.norm(matrix)), later.norm * earlier.norm + rounding)
    return _scaled(_Node(later.level + 1, matrix, norm, error, later.log_scale + earlier.log_scale))


def _scaled(node: _Node) -> _Node:
    """The same with a matrix of a norm near 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(np.linalg.norm(node.matrix))
    scale = scale or node.error
    if scale == 0:
        return _Node(node.level, node.matrix, 0.0, 0.0, 0.0)  # exactly zero, at any scale
    if not np.isfinite(scale):
        return node
    # A power of two, so that the scaling itself is exact.
    scale = 2.0 ** np.round(np.log2(scale))
    return _Node(
        node.level, node.matrix / scale, node.norm / scale, node.error / scale, node.log_scale + float(np.log(scale))
    )


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """What every certificate of one fully connected network shares, computed once.

    **Fields:** the network in float64; its `weights` and `biases` on the host; `joined` = W_1 W_{L+1}, which leads
    from the last hidden layer to the next first one; `entry`, a matrix E with E Eᵀ = W_1 W_1ᵀ and at most as many
    columns as rows, and `exit`, a matrix R with RᵀR = W_{L+1}ᵀW_{L+1}; bounds on the 2-norms of the weights (`norms`)
    and of `joined`; the absolute values of the hidden layers' weights (`sizes`) and the 2-norms of their rows (`rows`);
    `joined_error`, the rounding error
    of `joined`.
    """

    network: MLP
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
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.weights) - 1


def network_factors(network: MLP) -> Factors:
    """`Factors` of a network."""
    with float64():
        network = cast(network, np.float64)
        weights = tuple(np.asarray(weight) for weight in network.weights)
        biases = tuple(None if bias is None else np.asarray(bias) for bias in network.biases)
    joined = weights[0] @ weights[-1]
    norms = tuple(_norm(weight) for weight in weights)
    error = gamma(network.size + 2) * float(np.linalg.norm(weights[0]) * np.linalg.norm(weights[-1]))
    entry = np.asarray(np.linalg.qr(weights[0].T, mode="r")).T
    leave = np.asarray(np.linalg.qr(weights[-1], mode="r"))
    sizes = tuple(np.abs(weight) for weight in weights[:-1])
    rows = tuple(np.linalg.norm(weight, axis=1) for weight in weights[:-1])
    return Factors(network, weights, biases, joined, entry, leave, norms, sizes, rows, _norm(joined), error)


def _norm(matrix: np.ndarray) -> float:
    """Upper bound on the 2-norm: from the eigenvalues of the smaller Gram matrix, with room for their rounding."""
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    if not np.isfinite(gram).all():
        return float("inf")
    largest = float(np.linalg.eigvalsh(gram)[-1])
    return float(np.sqrt(max(largest, 0.0) + 4 * gamma(max(matrix.shape)) * np.trace(gram)))


def network_product(factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> Product:
    """The cyclic product of a fully connected network round a cycle, at its cheapest rotation.

    `slopes` and their `errors` are those of `network_slopes` at the cycle.
    """
    # Active units of every hidden layer of every step, in the order in which the signal meets them.
    active = [np.flatnonzero((slope != 0) | (error != 0)) for slope, error in zip(slopes, errors, strict=True)]
    depth, total = factors.depth, len(slopes)
    sizes = [len(units) for units in active]
    start = int(np.argmin(sizes))
    if factors.network.size < sizes[start]:
        return _product_at_input(factors, slopes, errors, active)
    running = _Running(sizes[start])
    block: list[_Factor] = []
    for offset in range(1, total + 1):
        here, before = (start + offset) % total, (start + offset - 1) % total
        layer = here % depth
        weight, norm, weight_error = (
            (factors.joined, factors.joined_norm, factors.joined_error)
            if layer == 0
            else (factors.weights[layer], factors.norms[layer], 0.0)
        )
        units = active[here]
        part = weight[np.ix_(units, active[before])]
        block.append(_factor(part, norm, weight_error, slopes[here][units], errors[here][units]))
        if len(block) == depth:
            running.multiply_block(block)
            block = []
    return running.product()


def _product_at_input(
    factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray], active: Sequence[np.ndarray]
) -> Product:
    """The same from the state round to itself, for states of fewer entries than any layer has units."""
    running = _Running(factors.network.size)
    before: Any = slice(None)
    block: list[_Factor] = []
    for here, units in enumerate(active):
        layer = here % factors.depth
        part = factors.weights[layer][units][:, before]
        block.append(_factor(part, factors.norms[layer], 0.0, slopes[here][units], errors[here][units]))
        before = units
        if layer == factors.depth - 1:
            block.append(_Factor(factors.weights[-1][:, before], factors.norms[-1], 0.0))
            running.multiply_block(block)
            before, block = slice(None), []
    return running.product()


def network_norm(factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> float:
    """Logarithm of a bound on the spectral radius round a cycle: the product of the norms of its steps' Jacobians.

    Where the Jacobian of every step is 0 because its parts cancel, as in a constructed network, the cyclic product
    carries the rounding of each step through all later ones, whose parts do not cancel there. Norms are taken of whole
    steps, W_{L+1} and W_1 replaced by factors with the same Gram matrices.
    """
    depth = factors.depth
    # Backward error of a QR factorization by Householder reflections, with a generous constant (Higham, Thm. 19.4).
    entry_error, exit_error = (
        gamma(8 * max(factors.network.size, matrix.shape[0] + matrix.shape[1])) * min(matrix.shape) * norm
        for matrix, norm in ((factors.entry, factors.norms[0]), (factors.exit, factors.norms[-1]))
    )
    total = 0.0
    for start in range(0, len(slopes), depth):
        block: list[_Factor] = []
        before: Any = slice(None)
        for layer in range(depth):
            slope, error = slopes[start + layer], errors[start + layer]
            units = np.flatnonzero((slope != 0) | (error != 0))
            weight = (factors.entry if layer == 0 else factors.weights[layer])[units][:, before]
            lost = entry_error if layer == 0 else 0.0
            block.append(_factor(weight, factors.norms[layer], lost, slope[units], error[units]))
            before = units
        block.append(_Factor(factors.exit[:, before], factors.norms[-1], exit_error))
        if not len(before):
            return -np.inf
        running = _Running(factors.entry.shape[1])
        running.multiply_block(block)
        found = running.product()
        norm = float(np.linalg.norm(found.matrix)) * (1 + gamma(found.matrix.size + 4)) + found.error
        if norm == 0:
            return -np.inf
        total += float(np.log(norm)) + found.log_scale
    return total


def _factor(weight: np.ndarray, norm: float, weight_error: float, slope: np.ndarray, error: np.ndarray) -> _Factor:
    """diag(slope) · weight, with bounds on its 2-norm and error."""
    largest, worst = float(np.abs(slope).max(initial=0.0)), float(error.max(initial=0.0))
    return _Factor(slope[:, None] * weight, largest * norm, worst * norm + (largest + worst) * weight_error)


def network_slopes(
    factors: Factors, cycle: HostStates, state_error: float = 0.0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """φ' of each hidden layer at each state of the cycle, with a bound on its error; step by step, layer by layer.

    `state_error` bounds the Euclidean distance of the given states from those of the exact cycle.

    The error of φ' is that of the pre-activation times a bound on φ'' nearby. Where a unit of a piecewise-linear
    activation is closer to its kink than the error of its pre-activation, both slopes are possible, and the error
    says so.
    """
    name = factors.network.activation
    curved = name not in PIECEWISE_LINEAR
    with float64():
        pre, hidden, slopes, curvatures = (
            [np.asarray(layer) for layer in group]
            for group in _derivatives(factors.network, jnp.asarray(cycle, np.float64), curved)
        )
    jump = {"identity": 0.0, "relu": 1.0, "leaky_relu": 0.99}.get(name, 0.0)
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
                total = np.minimum(total, spread.meet(weight, local, away))
                # Twice |φ''| covers its change over so short a way; the last term the evaluation of φ'.
                slope_error = total * (2 * curvatures[layer] + 1e-3) + 8 * UNIT_ROUNDOFF * (np.abs(slopes[layer]) + 1)
            else:
                # Only the units that may be on carry an error to this layer, often few of them.
                rows = np.stack([factors.rows[layer] if units is None else np.linalg.norm(weight[:, units], axis=1)
                                 for units in live])  # fmt: skip
                total = local + away * rows
                slope_error = np.where(np.abs(values) <= total, jump, 0.0)
            errors.append(slope_error)
            steepest = (np.abs(slopes[layer]) + slope_error).max(axis=1, keepdims=True)
            inputs = np.abs(hidden[layer])
            if curved:
                spread.pass_on(slopes[layer], local)
                norms = np.full((len(cycle), 1), factors.norms[layer])
            else:
                now = [np.flatnonzero(row) for row in (slopes[layer] != 0) | (slope_error != 0)]
                norms = np.array([[_block_norm(weight, units, before, factors.norms[layer])]
                                  for units, before in zip(now, live, strict=True)])  # fmt: skip
                # A unit that is off for certain is exactly 0, whatever its input is off by.
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
    curved = factors.network.activation not in PIECEWISE_LINEAR
    with float64():
        pre, hidden, slopes, curvatures = (
            [np.asarray(layer)[0] for layer in group]
            for group in _derivatives(factors.network, jnp.asarray(state, np.float64)[None], curved)
        )
    return pre, hidden, slopes, curvatures if curved else [np.zeros_like(layer) for layer in pre]


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

    def meet(self, weight: np.ndarray, local: np.ndarray, away: np.ndarray) -> np.ndarray:
        """Bounds on the errors of this layer's pre-activations, given those made here (`local`)."""
        bounds = []
        for step, carriers in enumerate(self.carriers):
            carriers[:] = [(self.entry if matrix is None else weight @ matrix, length) for matrix, length in carriers]
            reached = sum(length * np.linalg.norm(matrix, axis=1) for matrix, length in carriers if matrix is not None)
            # The slopes themselves are off by errors of this size; unless that is much, a thousandth more covers it.
            bounds.append(1.001 * reached + local[step] if away[step, 0] < 1e-6 else np.full(len(weight), np.inf))
        return np.stack(bounds)

    def pass_on(self, slopes: np.ndarray, local: np.ndarray) -> None:
        """Carries everything through φ, and adds the errors made in this layer as a source."""
        for step, carriers in enumerate(self.carriers):
            carriers[:] = [
                (slopes[step][:, None] * matrix, length) for matrix, length in carriers if matrix is not None
            ]
            made = np.abs(slopes[step]) * local[step] + 8 * UNIT_ROUNDOFF * (np.abs(slopes[step]) + 1)
            carriers.append((np.eye(len(made)), float(np.linalg.norm(made))))


@eqx.filter_jit
def _derivatives(network: MLP, cycle: Any, curved: bool) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Pre-activations, activations, slopes and (where `curved`) |φ''| of every hidden layer, one row a state."""
    phi = named_activation(network.activation)
    slope_of = jnp.vectorize(jax.grad(phi))
    curvature_of = jnp.vectorize(jax.grad(jax.grad(phi)))
    pre, hidden, slopes, curvatures = [], [], [], []
    values = cycle.reshape(len(cycle), -1)
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
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


def map_product(map: Map, cycle: HostStates) -> Product:
    """The full d×d Jacobian product of any map round `cycle`, by forward-mode derivatives in float64.

    The rounding error inside a foreign map cannot be known; 64 units in the last place of each factor are assumed.
    """
    size = int(np.prod(cycle.shape[1:]))
    running = _Running(size)
    with float64():
        map = cast(map, np.float64)
        for state in cycle:
            jacobian = np.asarray(_dense_jacobian(map, jnp.asarray(state, np.float64))).reshape(size, size)
            norm = float(np.linalg.norm(jacobian))
            running.multiply(jacobian, norm, 64 * UNIT_ROUNDOFF * norm)
    return running.product()


def state_jacobian(map: Map, state: np.ndarray) -> Float[np.ndarray, "d d"]:
    """The full Jacobian of any map at one state, in float64."""
    with float64():
        jacobian = np.asarray(_dense_jacobian(cast(map, np.float64), jnp.asarray(state, np.float64)))
    return jacobian.reshape(state.size, state.size)


@eqx.filter_jit
def _dense_jacobian(map: Map, state: Any) -> Any:
    return jax.jacfwd(map)(state)


@eqx.filter_jit
def push_forward(map: Map, state: Any, tangent: Any) -> Any:
    """J_f(state)·tangent, matrix-free."""
    return jax.jvp(map, (state,), (tangent,))[1]


@eqx.filter_jit
def push_all(map: Map, state: Any, tangents: Any) -> Any:
    """J_f(state)·tangent for a batch of tangents, matrix-free."""
    return jax.vmap(jax.linearize(map, state)[1])(tangents)


@eqx.filter_jit
def pull_back(map: Map, state: Any, cotangent: Any) -> Any:
    """J_f(state)ᵀ·cotangent, matrix-free."""
    return jax.vjp(map, state)[1](cotangent)[0]
