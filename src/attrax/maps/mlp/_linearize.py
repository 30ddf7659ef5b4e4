"""What a fully connected network says of its Jacobian product round a cycle, every rounding error counted."""

from functools import partial

import numpy as np

from attrax._base.status import Evidence
from attrax._base.types import HostStates
from attrax.maps._linearization import Linearization
from attrax.maps.mlp._product import (
    back_through,
    layers_met,
    network_norm,
    network_product,
    network_singular_value,
    through,
)
from attrax.maps.mlp._slopes import Factors, network_slopes


def linearize_network(factors: Factors, cycle: HostStates, state_error: float = 0.0) -> Linearization:
    """`Linearization` of the network with these factors at a cycle."""
    slopes, errors = network_slopes(factors, np.asarray(cycle, np.float64), state_error)
    layers = layers_met(factors, slopes, factors.weights[0], factors.weights[-1])
    return Linearization(
        factors.size,
        Evidence.BOUND,
        network_product(factors, slopes, errors),
        partial(through, layers),
        partial(back_through, layers),
        partial(network_singular_value, factors, slopes),
        partial(network_norm, factors, slopes, errors),
    )
