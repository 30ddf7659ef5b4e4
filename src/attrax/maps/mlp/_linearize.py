"""The Jacobian product of a fully connected network around a cycle, with bounds that include every rounding error."""

from functools import partial

import numpy as np

from attrax._base.status import Evidence
from attrax._base.types import HostStates
from attrax.maps._linearization import Linearization
from attrax.maps.mlp._existence import Enclosure, enclose
from attrax.maps.mlp._factors import Factors
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
        found = enclose(evaluation)
    else:
        errors = step_by_step(evaluation.slope_errors(state_error))
        found = Enclosure(float("inf"), step_by_step(evaluation.slopes), errors)
    layers = layers_met(factors, found.slopes, factors.weights[0], factors.weights[-1])
    return Linearization(
        factors.size,
        found.enclosure_radius,
        Evidence.BOUND,
        network_product(factors, found.slopes, found.errors),
        partial(through, layers),
        partial(back_through, layers),
        partial(network_singular_value, factors, found.slopes),
        partial(_norm_bound, evaluation, found),
    )


def _norm_bound(evaluation: Evaluation, found: Enclosure) -> float:
    """By norms; where a cycle was enclosed and units may be on kinks, also over all choices of their slopes."""
    by_norms = network_norm(evaluation.factors, found.slopes, found.errors)
    joint = contracted(evaluation, found.enclosure_radius) if by_norms >= 0 else None
    return by_norms if joint is None else min(by_norms, joint.log_rate)
