"""Units on kinks: certified where every product of Jacobians with one slope or the other shrinks, and only there."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import around

import attrax as ax


def leaky(matrix: np.ndarray, sizes: np.ndarray | None = None) -> ax.maps.MLP:
    """f(x) = M·φ(x) with Leaky ReLU φ: all units are on their kinks at the fixed point 0. `sizes` are those of the
    hidden units."""
    sizes = np.ones(len(matrix)) if sizes is None else sizes
    return ax.maps.MLP((np.diag(sizes), matrix / sizes), (None, None), (len(matrix),), "leaky_relu")


TRIANGULAR = np.array([[0.4, 3.0, -2.0], [0.0, -0.5, 4.0], [0.0, 0.0, 0.45]])
ROTATING = np.array([[0.9, 1.5], [-1.0, -0.9]])
"""Every choice of slopes gives a spectral radius of at most .9, but their products in turn grow by 1.5 per step."""


def test_attractors_with_all_units_on_kinks_are_certified() -> None:
    found = ax.certify(around(leaky(TRIANGULAR), np.zeros(3)))
    assert (found.verdict[0], found.evidence[0]) == ("attractor", "bound")
    assert 0.5 <= found.upper_bound[0] < 1


def test_slopes_that_shrink_one_by_one_but_not_in_turn_are_not_certified() -> None:
    assert ax.certify(around(leaky(ROTATING), np.zeros(2))).verdict[0] == "inconclusive"
    assert ax.certify(around(leaky(ROTATING / 1.3), np.zeros(2))).verdict[0] == "attractor"


@pytest.mark.parametrize(
    ("size", "away", "verdict"), [(0.2, 0.0, "attractor"), (0.2, 1e-11, "attractor"), (0.6, 0.0, "inconclusive")]
)
def test_a_cycle_of_which_one_state_is_on_or_near_kinks(size: float, away: float, verdict: str) -> None:
    # f(x) = T·φ(x + away) + M·(φ(x − ½) − x/100) + c swaps 0 and (1, 1, 1) if T and M map this difference to its
    # negative.
    inner = size * TRIANGULAR
    turned = np.outer(-(inner + np.eye(3)).sum(axis=1) / 0.495, np.ones(3)) / 3
    eye = np.eye(3)
    weights = (np.concatenate([eye, eye, eye]), np.concatenate([inner, turned, -0.01 * turned], axis=1))
    biases = (np.repeat([away, -0.5, 9.0], 3), 1 + 0.095 * turned.sum(axis=1) - away * inner.sum(axis=1))
    network = ax.maps.MLP(weights, biases, (3,), "leaky_relu")
    found = ax.certify(ax.Memory(network, ax.Patterns.from_cycles([np.array([np.zeros(3), np.ones(3)])])))
    assert (found.verdict[0], found.evidence[0]) == (verdict, "bound")


def test_hidden_units_of_other_sizes_change_no_verdict() -> None:
    rng = np.random.default_rng(1)
    for power in (0, 8):
        found = ax.certify(around(leaky(TRIANGULAR, 10.0 ** rng.uniform(-power, power, 3)), np.zeros(3)))
        assert found.verdict[0] == "attractor"


def test_two_kinks_within_reach_of_one_unit_count_both() -> None:
    # Slope .5, 3 and .5: the fixed point is on one kink, the other is too near to be told apart from it.
    bounds = ax.activations.PiecewiseLinear(kinks=(0.0, 1e-18), slopes=(0.5, 3.0, 0.5))
    steps = ax.activations.Activation("steps", lambda z: 0.5 * z + 2.5 * jnp.clip(z, 0.0, 1e-18), bounds=bounds)
    network = ax.maps.MLP((np.ones((1, 1)), np.ones((1, 1))), (None, None), (1,), steps)
    found = ax.certify(around(network, np.zeros(1)))
    assert found.num_attractors == 0
    assert found.upper_bound[0] >= 3
