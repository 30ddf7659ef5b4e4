"""The contract of maps: what every callable answers, and that a better answer is the same answer."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.maps import MAPS, check_map

import attrax as ax
from attrax.extending import cast, float64
from attrax.maps import KINDS, MLP, describe, kind_of, linearizer, mlp, reduced_map, step_bounds


# The plain convolutional network goes the whole way in its own test, and has its Jacobian beside it in `test_conv`.
@pytest.mark.parametrize("name", [name for name in MAPS if name != "conv"])
def test_what_is_promised_for_every_map(name: str, tmp_path: Path) -> None:
    make, shape = MAPS[name]
    check_map(make(), shape, tmp_path)


def test_every_kind_that_files_hold_is_checked() -> None:
    assert {kind_of(eqx.filter_eval_shape(make)) for make, _ in MAPS.values()} - {None} == set(KINDS)


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
            jacobian = np.asarray(jax.jit(jax.jacrev(exact))(state)).reshape(6, 6) @ jacobian
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
            reduced.to_state(reduced.step(reduced.first_step(state))), np.tanh(np.tanh(0.5)) * np.ones((2, 2))
        )


def test_python_numbers_keep_their_type_and_arrays_do_not() -> None:
    tree = {"rate": 0.1, "count": 2, "array": np.ones(2, np.float32), "scalar": np.float32(1), "key": jnp.zeros(1)}
    with float64():
        found = cast(tree, np.float64)
    assert type(found["rate"]) is float
    assert type(found["count"]) is int
    assert {str(found[name].dtype) for name in ("array", "scalar", "key")} == {"float64"}


def test_descriptions() -> None:
    network = mlp((3,), width=(4, 4, 2), bias=False, key=jr.key(0))
    assert describe(network).text == "3 hidden layers of relu units (2 of 4, 1 of 2), no biases"
    assert (describe(network).depth, describe(network).parameters) == (3, 12 + 16 + 8 + 6)
    named = ax.maps.recurrent(3, width=5, key=jr.key(0))
    assert describe(named).text == "recurrent network of 5 tanh units, 3 symbols, argmax feedback"
    assert describe(jnp.tanh).parameters == 0
    assert describe(describe).text.endswith("describe")


def test_a_subclass_of_a_kind_is_another_map() -> None:
    class Doubled(MLP):
        def __call__(self, x):
            return 2 * super().__call__(x)

    network = mlp((3,), width=4, depth=1, key=jr.key(0))
    assert kind_of(network) == "mlp"
    assert kind_of(Doubled(network.weights, network.biases, (3,), "relu")) is None
