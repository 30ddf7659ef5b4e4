"""The contract of maps: what every callable answers, and that a better answer is the same answer."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from attrax._base.numerics import cast, float64
from attrax.maps import linearizer, mlp, reduced_map, step_bounds


@pytest.mark.parametrize("points", [1, 3])
def test_a_network_and_the_same_as_a_plain_function_have_one_linearization(points: int) -> None:
    network = mlp((2, 3), width=(8, 5), activation="tanh", key=jr.key(0))
    draw = np.random.default_rng(0)
    cycle, vectors = draw.random((points, 2, 3)), draw.random((4, 6))
    own = linearizer(network)(cycle, 0.0)
    with float64():
        exact = cast(network, np.float64)
        jacobian = np.eye(6)
        for state in cycle:
            jacobian = np.asarray(jax.jacrev(exact)(jnp.asarray(state))).reshape(6, 6) @ jacobian
    foreign = linearizer(lambda x: network(x))(cycle, 0.0)
    assert (str(own.evidence), str(foreign.evidence)) == ("bound", "dense")
    assert (own.rank, foreign.rank) == (5, 6)
    for found in (own, foreign):
        assert found.size == 6
        np.testing.assert_allclose(found.forward(vectors), vectors @ jacobian.T, rtol=1e-6)
        np.testing.assert_allclose(found.forward(vectors[0]), jacobian @ vectors[0], rtol=1e-6)
        np.testing.assert_allclose(found.backward(vectors), vectors @ jacobian, rtol=1e-6)
        np.testing.assert_allclose(found.backward(vectors[0]), jacobian.T @ vectors[0], rtol=1e-6)
        assert found.singular_value() == pytest.approx(np.linalg.norm(jacobian, 2), rel=1e-6)
        radius = np.abs(np.linalg.eigvals(jacobian)).max()
        assert found.norm_bound() >= np.log(radius)
        assert found.product is not None
        values = np.abs(np.linalg.eigvals(found.product.matrix)) * np.exp(found.product.log_scale)
        assert values.max() == pytest.approx(radius, rel=1e-6)


def test_a_map_too_large_to_form_has_products_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrax.maps.wrapped._jacobian.FORMED", 2)
    found = linearizer(lambda x: jnp.asarray([2.0, 3.0, 4.0]) * x)(np.zeros((2, 3)), 0.0)
    assert found.product is None
    assert str(found.evidence) == "probable"
    assert found.norm_bound() == np.inf
    assert found.rank == 3
    assert found.forward(np.ones((2, 3))).tolist() == 2 * [[4.0, 9.0, 16.0]]
    assert found.singular_value() == pytest.approx(16)


def test_a_function_has_the_general_answers() -> None:
    assert step_bounds(jnp.tanh) is None
    with float64():
        reduced = reduced_map(jnp.tanh, (2, 2))
        assert reduced.size == 4
        state = jnp.full((2, 2), 0.5)
        np.testing.assert_allclose(
            reduced.leave(reduced.step(reduced.enter(state))), np.tanh(np.tanh(0.5)) * np.ones((2, 2))
        )
