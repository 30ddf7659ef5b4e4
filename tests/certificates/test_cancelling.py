"""Networks with one hidden layer in which pairs of units cancel, as constructed ones: certified together, and what that
takes for granted is checked."""

import itertools
import threading
from dataclasses import replace

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax._base.lazy import once  # threads of a certificate share it
from attrax.maps.mlp import layer_factors
from attrax.maps.mlp._product import flat  # what a certificate is short for
from attrax.maps.mlp._weights import rows_through  # products of many states and of few

POINTS = np.random.default_rng(0).uniform(size=(40, 3, 4))


def constructed(**options: object) -> ax.Memory:
    return ax.store(POINTS, writer=ax.Constructed("margin", **options), key=jr.key(0))


def around(network: ax.maps.MLP, points: np.ndarray) -> ax.Memory:
    return ax.Memory(network, ax.Patterns.from_examples(points))


@pytest.mark.parametrize("fallback", [None, 3])
def test_examples_are_certified_together_as_alone(fallback: int | None) -> None:
    memory = constructed(fallback=fallback)
    points = memory.examples().points
    linear = ax.maps.linearizer(memory.map)
    assert None not in linear.constant_at(points)
    found = ax.certify(memory)
    assert found.all_attractors
    for column in (found.upper_bound, found.spectral_radius, found.largest_singular_value):
        assert (column == 0).all()
    assert {str(one) for one in found.evidence} == {"bound"}
    for number in (0, 39):
        alone = linear(points[number : number + 1])
        assert alone.norm_bound() == -np.inf
        # The bounds differ in how rounding is counted, not in what they cover.
        assert 0.01 < alone.enclosure_radius / linear.constant_at(points)[number].enclosure_radius < 100


def test_the_exact_fixed_points_lie_where_they_are_said_to() -> None:
    memory = constructed()
    points, network = memory.examples().points, memory.map
    moved = points + 1e-9 * np.random.default_rng(1).normal(size=points.shape)
    for states in (points, moved):
        for state, linear in zip(states, ax.maps.linearizer(network).constant_at(states), strict=True):
            end = state.ravel().astype(np.longdouble)  # with 64 digits of the mantissa to 53
            end = network.weights[1] @ np.maximum(network.weights[0] @ end + network.biases[0], 0) + network.biases[1]
            distance = float(np.linalg.norm((end - state.ravel()).astype(float)))  # f is constant there
            assert distance <= linear.enclosure_radius <= distance * 1.01 + 1e-11


def test_nothing_is_factored_or_multiplied_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = constructed()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("not needed")

    monkeypatch.setattr(np.linalg, "qr", refuse)
    monkeypatch.setattr("attrax.certificates._certify.reduced_map", refuse)
    assert ax.certify(memory).all_attractors


@pytest.mark.parametrize("where", ["weight", "column", "bias"])
def test_what_cancels_only_almost_is_looked_at_alone(where: str) -> None:
    """One unit of a pair is changed: then its Jacobian is not 0, and the others' still is."""
    memory = constructed()
    (first, last), (bias, middle) = map(list, (memory.map.weights, memory.map.biases))
    first, last, bias = first.copy(), last.copy(), bias.copy()
    if where == "weight":
        first[7, 0] *= 1 + 1e-9
    elif where == "column":
        last[0, 47] *= 1 + 1e-9
    else:  # a kink at the example
        bias[47] -= bias[47] + first[47] @ POINTS[7].ravel()
    network = replace(memory.map, weights=(first, last), biases=(bias, middle))
    end = network.on_host().rows(POINTS)
    linear = ax.maps.linearizer(network).constant_at(end if where == "column" else POINTS)
    assert [number for number, one in enumerate(linear) if one is None] == [7]
    if where != "bias":
        found = ax.certify(around(network, POINTS))
        assert found.all_attractors
        assert found.upper_bound[7] > 0
        assert (np.delete(found.upper_bound, 7) == 0).all()


LAST_BIT = 2.0**-52
"""Of 1: the smallest difference that makes two weights unequal."""


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
@pytest.mark.parametrize(
    ("first", "last", "bias"),
    [
        ([1, 1 + LAST_BIT], [3 / LAST_BIT, -3 / LAST_BIT], [1, 1]),  # weights, or columns, that differ in the last bit
        ([3 / LAST_BIT, 3 / LAST_BIT], [1 + LAST_BIT, -1], [1, 1]),
        ([1, -1], [1.5, -1.5], [1, 1]),  # signs that are opposite in both layers
        ([3, 3], [3, -3], [1, -1]),  # one unit of two is on; or is on its kink, or not surely away from it
        ([3, 3], [3, -3], [1, 0.0]),
        ([3, 3], [-3, 3], [-1, -0.0]),
        ([3, 3], [3, -3], [5e-324, -5e-324]),
        ([3, 3, 3, 3], [3, 3, 3, -3], [1, 1, 1, 1]),  # of two pairs, one is none
        ([3, 3, 3], [3, -3, 3], [1, 1, 1]),  # a unit without a twin
        ([1, 1], [np.inf, -np.inf], [1, 1]),
    ],
)
def test_networks_that_nearly_cancel_and_are_unstable_are_not_called_stable(
    first: list[float], last: list[float], bias: list[float], activation: str
) -> None:
    """The slope at the fixed point 0 is at least 2, or that of one side is, or the network is no numbers."""
    columns, before = np.array([last]), np.array(bias, float)
    values = np.maximum(before, 0.01 * before if activation == "leaky_relu" else 0)
    value = float((columns[0] * values).sum()) if np.isfinite(columns).all() else 0.0
    network = ax.maps.MLP((np.array(first, float)[:, None], columns), (before, np.array([-value])), (1,), activation)
    found = ax.certify(around(network, np.zeros((1, 1))))
    assert not found.all_attractors
    assert not found.upper_bound[0] < 1
    assert ax.maps.linearizer(network).constant_at(np.zeros((40, 1))) == [None] * 40


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_weights_that_are_no_numbers_count_even_where_they_meet_zeros(layer: int, bad: float) -> None:
    """0·∞ is NaN: what is left out of sums to save time must not hide it."""
    weights = [np.eye(*shape) for shape in ((60, 4), (60, 60), (4, 60))]
    weights[layer][0, -1] = bad
    network = ax.maps.MLP(tuple(weights), (-np.ones(60), -np.ones(60), np.zeros(4)), (4,), "relu")
    points = np.zeros((40, 4))
    assert not np.isfinite(network.on_host().rows(points)).all()
    assert str(ax.certify(around(network, points[:1])).reason[0]) == "not_finite"
    assert ax.maps.linearizer(network).constant_at(points) == [None] * 40


def test_flat_is_said_of_products_that_are_zero_for_all_slopes_within_the_errors() -> None:
    draw = np.random.default_rng(0)
    first, last = draw.integers(-4, 5, (5, 3)).astype(float), draw.integers(-4, 5, (3, 5)).astype(float)
    first[2:4], last[:, 2:4] = first[:2], -last[:, :2]  # 0 with 2, 1 with 3, and one alone
    factors = layer_factors((first, last), (np.zeros(5), np.zeros(3)), "leaky_relu")
    said = 0
    for slopes in itertools.product((0.0, 0.25, 1.0), repeat=5):
        for errors in (np.zeros(5), np.eye(5)[draw.integers(5)]):
            ends = [np.array(slopes) + side * errors for side in (-1, 0, 1)]
            zero = all(not (last @ np.diag(end) @ first).any() for end in ends)
            assert flat(factors, [np.array(slopes)], [errors]) == zero
            said += zero
    assert said > 4


@pytest.mark.parametrize("activation", ["relu", "cosid"])
@pytest.mark.parametrize("uneven", [1.0, 2.0**20])
def test_the_norms_of_rows_are_those_of_the_layers_as_they_are_used(activation: str, uneven: float) -> None:
    draw = np.random.default_rng(0)
    weights = [draw.normal(size=shape) for shape in ((6, 3), (6, 6), (3, 6))]
    weights[0][::2] *= uneven
    factors = layer_factors(weights, [np.zeros(6), np.zeros(6), np.zeros(3)], activation)
    assert (factors.weights[0] is weights[0]) == (activation == "cosid" or uneven == 1)
    for weight, norms in zip(factors.weights, factors.row_norms, strict=False):
        np.testing.assert_allclose(norms, np.linalg.norm(np.asarray(weight), axis=1), rtol=1e-8)
        assert (norms >= np.linalg.norm(np.asarray(weight), axis=1)).all()


@pytest.mark.parametrize("count", [1, 5, 32, 200])
def test_rows_that_are_mostly_zero_and_weights_that_repeat_give_the_same_products(count: int) -> None:
    draw = np.random.default_rng(count)
    weight, rows = draw.normal(size=(6, 50)), draw.normal(size=(count, 50))
    sparse = np.where(draw.uniform(size=rows.shape) < 0.03, rows, 0.0)
    for matrix, given in itertools.product((weight, np.tile(weight, (2, 1)), weight[:0]), (rows, sparse, 0 * rows)):
        np.testing.assert_allclose(rows_through(matrix, given), given @ matrix.T, atol=1e-13)


def test_what_threads_share_is_computed_once() -> None:
    class Slow:
        calls = 0

        @once
        def value(self) -> int:
            started.wait()
            Slow.calls += 1
            return Slow.calls

    started, slow = threading.Event(), Slow()
    threads = [threading.Thread(target=lambda: slow.value) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    assert slow.value == Slow.calls == 1
