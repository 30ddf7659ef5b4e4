"""Slopes of fully connected networks, as their certificates take them."""

import numpy as np

from attrax.extending import HostStates
from attrax.maps.mlp import Factors
from attrax.maps.mlp._slopes import (  # slopes and their errors, which a certificate does not show
    Evaluation,
    step_by_step,
)


def network_slopes(
    factors: Factors, cycle: HostStates, state_error: float = 0.0
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """φ' of each hidden layer at each state of the cycle, with a bound on its error; step by step, layer by layer.

    `state_error` bounds the Euclidean distance of the given states from those of the exact cycle. The errors hold for
    every difference quotient within it, too.
    """
    found = Evaluation(factors, cycle)
    return step_by_step(found.slopes), step_by_step(found.slope_errors(state_error))
