"""The Jacobian product of a fully connected network around a cycle, with bounds that include every rounding error."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from attrax._base.lazy import once
from attrax._base.shown import Record
from attrax._base.status import Evidence
from attrax._base.types import HostStates
from attrax.activations import activation as activation_of
from attrax.linalg import Product
from attrax.maps._linearization import Linearization
from attrax.maps.mlp._existence import Enclosure, enclose, enclose_constant
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._inhibition import Rounds, rounds_of
from attrax.maps.mlp._joint import contracted
from attrax.maps.mlp._product import (
    back_through,
    layers_met,
    network_norm,
    network_product,
    network_singular_value,
    through,
)
from attrax.maps.mlp._slopes import Evaluation, step_by_step

_PIECE, _LEAST = 1_500_000, 32
"""Units, of all layers and states together, that are evaluated at once, as more do not stay in the cache; and the least
number of states, as the weights are read for each piece."""
_COPIES = 12
"""Numbers of 64 bits that are held of each unit meanwhile."""


@dataclass(frozen=True, eq=False)
class NetworkLinearizer(Record):
    """The linearizer of a network with these factors."""

    factors: Factors

    def __call__(self, cycle: HostStates, state_error: float | None = None) -> Linearization:
        """See `linearize_network`."""
        return linearize_network(self.factors, cycle, state_error)

    @property
    def bytes_of_state(self) -> int:
        """See `attrax.maps.ConstantLinearizer`."""
        return 8 * _COPIES * self._units if self._may_be_constant else 0

    @property
    def _units(self) -> int:
        rounds = self._rounds
        return sum(len(row) for row in self.factors.row_norms) if rounds is None else rounds.units

    @once
    def _rounds(self) -> Rounds | None:
        return rounds_of(self.factors)

    @property
    def _may_be_constant(self) -> bool:
        return activation_of(self.factors.activation).piecewise_linear

    @property
    def inhibits(self) -> bool:
        """Whether the network ends in rounds of inhibition, of which few units are computed."""
        return self._rounds is not None

    def constant_at(self, states: HostStates) -> list[Linearization | None]:
        """See `attrax.maps.ConstantLinearizer`."""
        return self.with_images(states)[0]

    @np.errstate(over="ignore", invalid="ignore")
    def with_images(self, states: HostStates) -> tuple[list[Linearization | None], HostStates]:
        """`constant_at`, and the network's values at the states, n×state shape, where they were computed for it; NaN
        elsewhere."""
        factors, values = self.factors, np.full(np.shape(states), np.nan)
        if not self._may_be_constant:
            return [None] * len(states), values
        vectors = np.asarray(states, np.float64).reshape(len(states), -1)
        piece = max(_LEAST, _PIECE // self._units) if self._rounds is None else self._rounds.together
        found: list[Linearization | None] = []
        for start in range(0, len(vectors), piece):
            radii, narrow, images = self._constant_at(vectors[start : start + piece])
            if images is not None:
                values[start : start + piece] = images.reshape(-1, *values.shape[1:])
            found += [
                _constant(factors, radius, int(rank)) if np.isfinite(radius) else None
                for radius, rank in zip(radii, narrow, strict=True)
            ]
        return found, values

    def _constant_at(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The radii within which fixed points lie around which the network is constant, or infinity; the units of the
        layer of which the fewest are active; and the network's values, if they were computed."""
        rounds = self._rounds
        if rounds is not None:
            return rounds.constant_at(vectors)
        evaluation = Evaluation(self.factors, vectors, fixed=True)
        radii = enclose_constant(evaluation)
        narrow = np.min([np.count_nonzero(slopes, axis=1) for slopes in evaluation.slopes], axis=0)
        return radii, narrow, None


def _constant(factors: Factors, radius: float, rank: int) -> Linearization:
    """The `Linearization` at a state that has an exact fixed point within `radius`, and around which the network is
    constant. Its product is zero, in as many coordinates as the layer with the fewest active units has."""

    def zeros(vectors: np.ndarray) -> np.ndarray:
        return np.zeros_like(vectors)

    product = Product(np.zeros((rank, rank)), 0.0, 0.0)
    return Linearization(
        factors.size, radius, Evidence.BOUND, product, zeros, zeros, lambda: 0.0, lambda: float("-inf")
    )


def linearize_network(factors: Factors, cycle: HostStates, state_error: float | None = None) -> Linearization:
    """`Linearization` of the network with these factors at a cycle, p×state shape; see `Linearizer`.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> from attrax.maps.mlp import layer_factors, linearize_network
    >>> factors = layer_factors(network.weights, network.biases, "relu")
    >>> linearize_network(factors, np.zeros((1, 2))).size
    2

    ```
    """
    evaluation = Evaluation(factors, np.asarray(cycle, np.float64))
    if state_error is None:
        found, evaluation = enclose(evaluation)
    else:
        errors = step_by_step(evaluation.slope_errors(state_error))
        found = Enclosure(float("inf"), step_by_step(evaluation.slopes), errors)
    met = evaluation.met(found.slopes, found.errors)
    layers = layers_met(factors, found.slopes, factors.first, factors.last)
    return Linearization(
        factors.size,
        found.enclosure_radius,
        Evidence.BOUND,
        network_product(*met),
        partial(through, layers),
        partial(back_through, layers),
        partial(network_singular_value, *met[:2]),
        partial(_norm_bound, evaluation, found),
    )


def _norm_bound(evaluation: Evaluation, found: Enclosure) -> float:
    """By norms; where a cycle was enclosed and units may be on kinks, also over all choices of their slopes."""
    by_norms = network_norm(*evaluation.met(found.slopes, found.errors))
    joint = contracted(evaluation, found.enclosure_radius) if by_norms >= 0 else None
    return by_norms if joint is None else min(by_norms, joint.log_rate)
