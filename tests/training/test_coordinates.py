"""Coordinates in the span of the data: a change of variables that changes no eigenvalue."""

from functools import partial

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest
from helpers.training import network

import attrax as ax
from attrax.extending import float64
from attrax.maps import MLP, mlp
from attrax.training import Coordinates
from attrax.training._coordinates import EXACT_RANK  # a limit that only large data reach


def pictures(n: int, *shape: int, rank: int | None = None, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    size = int(np.prod(shape))
    flat = (
        draw.uniform(size=(n, size)) if rank is None else draw.normal(size=(n, rank)) @ draw.normal(size=(rank, size))
    )
    return flat.reshape(n, *shape)


@eqx.filter_jit
def compiled_jacobian(network: MLP, x: np.ndarray) -> jax.Array:
    return jax.jacobian(network)(x)


def jacobian(network: MLP, x: np.ndarray) -> np.ndarray:
    with float64():
        return np.asarray(compiled_jacobian(network, x)).reshape(x.size, x.size)


def by_size(values: np.ndarray) -> np.ndarray:
    return values[np.argsort(-np.abs(values) + 1e-9 * values.imag)]


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("activation", ["relu", "cosid", "tanh"])
def test_folding_keeps_the_nonzero_spectrum(exponent: float, activation: str) -> None:
    points = pictures(6, 4, 5)
    frame = Coordinates.of(points, exponent)
    inner = network(np.float64, shape=(frame.rank,), width=16, activation=activation)
    outer = frame.fold(inner)
    for x in points:
        small = np.linalg.eigvals(jacobian(inner, frame.encode(x[None])[0]))
        large = np.linalg.eigvals(jacobian(outer, x))
        np.testing.assert_allclose(np.abs(by_size(large)[: frame.rank]), np.abs(by_size(small)), atol=1e-9)
        np.testing.assert_allclose(large.sum(), small.sum(), atol=1e-9)
        assert np.abs(by_size(large)[frame.rank :]).max() < 1e-9


@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.0])
def test_folding_and_unfolding_are_the_same_map(exponent: float) -> None:
    points = pictures(5, 3, 4)
    frame = Coordinates.of(points, exponent)
    inner = network(np.float64, shape=(frame.rank,), depth=3, activation="relu")
    outer = frame.fold(inner)
    codes = inner.on_host().rows(frame.encode(points))
    states = outer.on_host().rows(points)
    np.testing.assert_allclose(frame.encode(states), codes, atol=1e-10)
    np.testing.assert_allclose(states, frame.decode(codes), atol=1e-10)
    again = frame.unfold(outer)
    for ours, theirs in zip(again.weights + again.biases, inner.weights + inner.biases, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_whitened_points_are_a_regular_simplex() -> None:
    points = pictures(7, 30)
    codes = Coordinates.of(points, 1.0).encode(points)
    np.testing.assert_allclose(codes.std(axis=0), 1)
    distances = np.linalg.norm(codes[:, None] - codes[None], axis=2)[np.triu_indices(7, 1)]
    np.testing.assert_allclose(distances, distances[0])


def test_no_whitening_is_an_isometry_of_the_points() -> None:
    points = pictures(7, 30)
    codes = Coordinates.of(points, 0.0).encode(points)
    np.testing.assert_allclose(
        np.linalg.norm(codes[:, None] - codes[None], axis=2), np.linalg.norm(points[:, None] - points[None], axis=2)
    )


@pytest.mark.parametrize(
    ("points", "rank"),
    [
        (pictures(8, 40, rank=3), 3),  # rank deficient
        (pictures(50, 6), 6),  # more points than entries
        (np.hstack([pictures(5, 9), np.full((5, 4), 0.7)]), 4),  # entries that never change
        (pictures(1, 9), 1),  # a single one
        (np.repeat(pictures(1, 9), 3, axis=0), 1),  # equal ones
        (np.zeros((2, 5)), 1),
        (np.vstack([pictures(4, 20), pictures(4, 20) + 1e-9]).astype(np.float32), 3),  # equal but for rounding
    ],
    ids=["deficient", "many", "constant", "single", "equal", "zero", "rounding"],
)
def test_degenerate_data(points: np.ndarray, rank: int) -> None:
    for exponent in (0.0, 0.5, 1.0):
        frame = Coordinates.of(points, exponent)
        assert frame.rank == rank
        np.testing.assert_allclose(frame.basis.T @ frame.basis, np.eye(rank), atol=1e-10)
        codes = frame.encode(points)
        assert np.abs(codes).max() < 1e3
        np.testing.assert_allclose(frame.decode(codes), points, atol=1e-6)


def test_rank_keeps_the_leading_directions() -> None:
    points = pictures(20, 12)
    full, some = Coordinates.of(points), Coordinates.of(points, rank=4)
    np.testing.assert_allclose(np.abs(some.basis.T @ full.basis[:, :4]), np.eye(4), atol=1e-9)


def test_large_data_take_the_randomized_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EXACT_RANK >= 2000  # thousands of examples are decomposed exactly
    exact = Coordinates.of(pictures(60, 80, rank=10))
    monkeypatch.setattr("attrax.training._coordinates.EXACT_RANK", 20)
    rough = Coordinates.of(pictures(60, 80, rank=10))
    assert rough.rank == exact.rank == 10
    np.testing.assert_allclose(rough.scale, exact.scale)
    np.testing.assert_allclose(rough.basis @ rough.basis.T, exact.basis @ exact.basis.T, atol=1e-8)


def test_wrong_arguments_are_refused() -> None:
    points = pictures(4, 6)
    with pytest.raises(ValueError, match="coordinates must be"):
        Coordinates.of(points, 1.5)
    with pytest.raises(ValueError, match="rank"):
        Coordinates.of(points, rank=0)
    frame = Coordinates.of(points)
    with pytest.raises(ValueError, match="3 coordinates"):
        frame.fold(mlp((6,), width=4, depth=1, key=jr.key(0)))
    with pytest.raises(ValueError, match="shape"):
        frame.unfold(mlp((3,), width=4, depth=1, key=jr.key(0)))
    with pytest.raises(ValueError, match="biases"):
        frame.fold(mlp((3,), width=4, depth=1, bias=False, key=jr.key(0)))
    with pytest.raises(ValueError, match="coordinates"):
        ax.Gradient(coordinates=-0.1)
    recipe = partial(mlp, width=4, depth=1, bias=False)
    with pytest.raises(ValueError, match="biases"):
        ax.store(points, recipe, writer=ax.Gradient(coordinates=0, noise=0.1), key=jr.key(0))


def test_gradient_descent_in_the_span_is_gradient_descent() -> None:
    """Invariant 5: uncentered, with an orthonormal basis and the last layer started in the span, nothing changes."""
    points = pictures(4, 9)
    frame = Coordinates.of(points, 0.0, center=False)
    fresh = network(np.float64, shape=(9,), width=12)
    inside = frame.basis @ frame.basis.T
    within = MLP(
        (*fresh.weights[:-1], inside @ np.asarray(fresh.weights[-1])),
        (*fresh.biases[:-1], inside @ np.asarray(fresh.biases[-1])),
        fresh.shape,
        fresh.activation,
    )
    settings = {"epochs": 40, "tol": None, "key": jr.key(0)}
    # The loss averages over entries: the same sum over fewer of them asks for the rate of the same step.
    on_states = ax.training.fit(
        within, points, points, optimizer=ax.training.optimizer("gd", learning_rate=0.9), **settings
    )
    codes = frame.encode(points)
    rate = 0.9 * frame.rank / 9
    in_span = ax.training.fit(
        frame.unfold(within), codes, codes, optimizer=ax.training.optimizer("gd", learning_rate=rate), **settings
    )
    expected = frame.decode(in_span.map.on_host().rows(codes))
    np.testing.assert_allclose(on_states.map.on_host().rows(points), expected, atol=1e-12)


def test_store_in_coordinates_returns_a_plain_network_on_states() -> None:
    points = pictures(5, 4, 4).astype(np.float32)
    recipe = partial(mlp, width=48, depth=3, init="kaiming_uniform")
    memory = ax.store(points, recipe, writer=ax.Gradient(noise=0.3, coordinates=0.5, epochs=800), key=jr.key(0))
    assert isinstance(memory.map, MLP)
    assert [weight.shape for weight in memory.map.weights] == [(48, 16), (48, 48), (48, 48), (16, 48)]
    assert memory.certificate is not None
    assert memory.certificate.all_attractors
    assert memory.written["coordinates"] == 0.5
    np.testing.assert_allclose(memory.examples().points, points, atol=1e-5)
    # A network on states is a start too.
    again = ax.store(points, memory.map, writer=ax.Gradient(coordinates=0, tol=1e-9, epochs=5), key=jr.key(1))
    assert again.written["epochs"] == 0
    assert again.written["loss"] <= 1e-9


@pytest.mark.parametrize("exponent", [0.0, 0.5])
def test_further_directions(exponent: float) -> None:
    """The examples are 0 along them, and a network that reads them is the same in the coordinates."""
    points, rows = pictures(5, 4, 4), pictures(3, 16, seed=1)
    coordinates = Coordinates.of(points, exponent)
    wider = coordinates.with_directions(rows)
    assert (coordinates.rank, wider.rank) == (4, 7)
    np.testing.assert_allclose(wider.basis.T @ wider.basis, np.eye(7), atol=1e-12)
    np.testing.assert_allclose(wider.encode(points)[:, :4], coordinates.encode(points), atol=1e-12)
    np.testing.assert_allclose(wider.encode(points)[:, 4:], 0, atol=1e-12)
    assert wider.with_directions(rows).rank == 7
    made = mlp((4, 4), width=3, depth=2, key=jr.key(0))
    reading = eqx.tree_at(lambda network: network.weights[0], made, rows.astype(np.float32))
    first = np.asarray(wider.fold(wider.unfold(reading)).weights[0])
    np.testing.assert_allclose(first, rows, atol=1e-6)
    assert np.abs(np.asarray(coordinates.fold(coordinates.unfold(reading)).weights[0]) - rows).max() > 0.01


def test_too_many_directions_are_left_out() -> None:
    points, rows = pictures(5, 4, 4), pictures(6, 16, seed=1)
    coordinates = Coordinates.of(points)
    assert coordinates.with_directions(rows, most=6).rank == 10
    assert coordinates.with_directions(rows, most=5) is coordinates
