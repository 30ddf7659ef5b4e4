"""Bounds that leave out units which are off, beside exact arithmetic, and Newton's method by norms."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers import around

import attrax as ax
from attrax.maps.mlp import _existence, layer_factors, linearize_network  # how often the quick proof counts is recorded
from attrax.maps.mlp._slopes import Evaluation  # bounds that no certificate shows

exact = np.vectorize(Fraction, otypes=[object])


def network(seed: int) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Weights and biases of a ReLU network of which many units are off, and a state that is nearly its fixed point.
    Some networks have wild scales."""
    draw = np.random.default_rng(seed)
    sizes = [int(size) for size in draw.integers(4, 11, 5)]
    sizes[-1] = sizes[0]
    scale = draw.choice([0.5, 1.5, 4.0])
    weights = [draw.normal(size=(out, into)) * scale / np.sqrt(into) for into, out in pairwise(sizes)]
    biases = [0.5 * draw.normal(size=out) - 0.5 for out in sizes[1:]]
    kind = seed % 4
    if kind == 1:
        weights[1][:2] *= 2.0**150
    if kind == 2:
        for weight in weights:
            weight[draw.random(weight.shape) < 0.3] *= 2.0**-1060  # most of these are subnormal
    if kind == 3:
        weights[0][0] *= 2.0**-500
        weights[1][:, 0] *= 2.0**500
    state = draw.random(sizes[0])
    features = state
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        features = np.maximum(weight @ features + bias, 0)
    biases[-1] = state - weights[-1] @ features
    return weights, biases, state


def run(weights: list[Any], biases: list[Any], state: Any) -> tuple[Any, list[Any]]:
    """The exact output and pre-activations."""
    inputs, pre = state, []
    for weight, bias in zip(weights, biases, strict=True):
        pre.append(weight.dot(inputs) + bias)
        inputs = np.where(pre[-1] > 0, pre[-1], 0)
    return pre.pop(), pre


@pytest.mark.parametrize("first", [0, 40])
def test_no_bound_is_below_the_exact_value(first: int) -> None:
    narrower = 0
    for seed in range(first, first + 40):
        weights, biases, state = network(seed)
        factors = layer_factors(weights, biases, "relu")
        evaluation = Evaluation(factors, state[None])
        narrower += evaluation.narrowed is not None
        chain = [exact(weight) for weight in factors.weights], [exact(bias) for bias in factors.biases]
        output, pre = run(*chain, exact(state))
        residual = sum((output - exact(state)) ** 2)
        radius = 10.0 ** (-2 - seed % 12)
        draw = np.random.default_rng(seed)
        step = draw.normal(size=len(state))
        step *= 0.999 * radius / np.linalg.norm(step)
        moved, moved_pre = run(*chain, exact(state) + exact(step))
        errors = evaluation.slope_errors(radius, sharp=False)
        for layer, (here, there) in enumerate(zip(pre, moved_pre, strict=True)):
            slopes = evaluation.slopes[layer][0]
            assert (np.abs((there > 0) - slopes) <= errors[layer][0]).all()
            assert (np.abs((here > 0) - slopes) <= errors[layer][0]).all()
        for sharp in (False, True):
            bound = float(evaluation.residuals(sharp=sharp)[0])
            assert np.isinf(bound) or Fraction(bound) ** 2 >= residual
        # The gain of the map between two states of the ball is at most that of the Jacobians there.
        found = linearize_network(factors, state[None], state_error=radius)
        gain = found.norm_bound()
        if gain < 300:
            largest = Fraction(float(np.exp(gain + 1e-12)))
            assert sum((moved - output) ** 2) <= largest**2 * sum(exact(step) ** 2)
    assert narrower > 20


@pytest.mark.parametrize("seed", range(8))
def test_a_fixed_point_that_is_none_of_the_states_is_in_the_ball(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    quick: list[bool] = []
    known = _existence.newton_by_norms
    monkeypatch.setattr(
        _existence, "newton_by_norms", lambda *given: quick.append(known(*given) is not None) or known(*given)
    )
    draw = np.random.default_rng(seed)
    weights = [draw.normal(size=shape) * np.sqrt(3 / shape[1]) for shape in ((30, 40), (30, 30), (40, 30))]
    biases = [draw.normal(size=30) * 0.1, draw.normal(size=30) * 0.1, np.zeros(40)]
    state = draw.random(40)
    layers = np.maximum(weights[0] @ state + biases[0], 0)
    layers = np.maximum(weights[1] @ layers + biases[1], 0)
    biases[2] = state - weights[2] @ layers + 1e-10 * draw.normal(size=40)
    found = ax.certify(around(ax.maps.MLP(tuple(weights), tuple(biases), (40,), "relu"), state))
    jacobian = np.eye(40)
    factors = layer_factors(weights, biases, "relu")
    evaluation = Evaluation(factors, state[None])
    for weight, slopes in zip(weights, [*(one[0] for one in evaluation.slopes), np.ones(40)], strict=True):
        jacobian = slopes[:, None] * (weight @ jacobian)
    size = np.abs(np.linalg.eigvals(jacobian)).max()
    assert found.spectral_radius[0] == pytest.approx(size, rel=1e-8)
    assert found.upper_bound[0] >= size * (1 - 1e-12)
    linear = linearize_network(factors, state[None])
    assert linear.singular_value() == pytest.approx(np.linalg.norm(jacobian, 2), rel=1e-7)
    residual = weights[2] @ layers + biases[2] - state
    away = np.linalg.norm(np.linalg.solve(np.eye(40) - jacobian, residual))
    assert away * (1 - 1e-3) <= linear.enclosure_radius
    assert any(quick)


@pytest.mark.parametrize("units", [1, 3, 5])
def test_one_hidden_layer_that_stretches(units: int) -> None:
    draw = np.random.default_rng(units)
    weights = [3 * draw.normal(size=(units, 8)), draw.normal(size=(8, units))]
    state = draw.random(8)
    off = 1e-9 * draw.normal(size=8)
    biases = [1.3 - weights[0] @ state, state - 1.3 * weights[1].sum(axis=1) + off]
    jacobian = weights[1] @ weights[0]
    assert np.linalg.norm(jacobian, 2) > 1.1
    found = linearize_network(layer_factors(weights, biases, "relu"), state[None])
    away = np.linalg.norm(np.linalg.solve(np.eye(8) - jacobian, off))
    assert away * (1 - 1e-3) <= found.enclosure_radius < 1e-6


@pytest.mark.parametrize("radius", [0.9375, 0.99902])
def test_one_hidden_layer_with_opposite_outputs(radius: float) -> None:
    # What the two units add to each other's input cancels: J = e₁·(radius, −5, 0) stretches and contracts in the end.
    first = np.array([[4.0, 0.5, 3.0], [4.0 - radius, 5.5, 3.0]])
    last = np.array([[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]])
    state = np.array([0.5, 0.25, 0.125])
    biases = [np.ones(2), state - last @ (first @ state + 1)]
    biases[1][0] += 1e-13
    residual = last @ (first @ state + 1) + biases[1] - state
    away = np.linalg.norm(np.linalg.solve(np.eye(3) - last @ first, residual))
    found = ax.certify(around(ax.maps.MLP((first, last), (biases[0], biases[1]), (3,), "relu"), state))
    assert found.distance[0] + found.distance_error[0] >= away * (1 - 1e-6)
