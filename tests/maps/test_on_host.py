"""Functions that NumPy computes are those that JAX computes."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest
from helpers.training import network

from attrax.extending import float64
from attrax.maps import each_row, host_function, reduced_map

RNG = np.random.default_rng(0)
NETWORKS = {
    "in its features": network(shape=(3, 4), width=5),
    "in its state": network(shape=(3, 4), width=17, depth=1, activation="relu", bias=False, seed=1),
}


@eqx.filter_jit
def by_jax(map: Any, states: Any) -> Any:
    return jax.vmap(map)(states)


@eqx.filter_jit
def slopes(map: Any, state: Any) -> Any:
    return jax.jacfwd(map)(state)


@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_jacobians(name: str) -> None:
    states = RNG.normal(size=(3, 3, 4))
    with float64():
        reduced = reduced_map(NETWORKS[name], (3, 4))
        rows: Any = states
        for part in (reduced.first_step, reduced.step, reduced.to_state):
            host = host_function(part)
            assert host is not None
            values = host.rows(rows)
            np.testing.assert_allclose(values, by_jax(part, rows), rtol=0, atol=1e-14)
            assert (values[1] == host.rows(rows[1:2])[0]).all()
            rows = values
        z = np.asarray(by_jax(reduced.first_step, states)[0])
        host = host_function(reduced.step)
        assert host is not None
        jacobian = np.asarray(slopes(reduced.step, z))
        np.testing.assert_allclose(host.push(z, None), jacobian, rtol=0, atol=1e-14)
        tangents = RNG.normal(size=(len(z), 2))
        np.testing.assert_allclose(host.push(z, tangents), jacobian @ tangents, rtol=0, atol=1e-14)
        np.testing.assert_allclose(host.push(z, tangents[:, 0]), jacobian @ tangents[:, 0], rtol=0, atol=1e-14)
        many = each_row(NETWORKS[name], np.repeat(states, 20, axis=0))
        np.testing.assert_allclose(many[::20], by_jax(NETWORKS[name], states), rtol=0, atol=1e-6)


def test_what_numpy_cannot_compute_is_left_to_jax() -> None:
    with float64():
        assert host_function(reduced_map(lambda x: x / 2, (2,)).step) is None
