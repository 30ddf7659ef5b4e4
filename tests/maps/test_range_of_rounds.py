"""Rounds of inhibition with numbers near the ends of the range of float64: nothing is certified that is not so."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.maps import MLP, DiagonalPlusRankOne
from attrax.maps.mlp import _inhibition  # which scores are looked at again

COUNT = 40


def same(value: float, count: int = COUNT) -> np.ndarray:
    return np.full(count, value)


def rounds(diagonal: float, left: float = 0.0, right: float = 1.0, count: int = COUNT) -> DiagonalPlusRankOne:
    return DiagonalPlusRankOne(same(diagonal, count), same(left, count), same(right, count))


def exact(network: MLP, state: np.ndarray) -> list[Fraction]:
    """The network's value in rational numbers."""
    values = [Fraction(float(entry)) for entry in state]
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        if isinstance(weight, DiagonalPlusRankOne):
            diagonal, left, right = (
                [Fraction(float(entry)) for entry in part] for part in (weight.diagonal, weight.left, weight.right)
            )
            total = sum((r * value for r, value in zip(right, values, strict=True)), Fraction(0))
            values = [d * value + lead * total for d, lead, value in zip(diagonal, left, values, strict=True)]
        else:
            values = [
                sum((Fraction(float(w)) * value for w, value in zip(row, values, strict=True) if w), Fraction(0))
                for row in np.asarray(weight)
            ]
        if bias is not None:
            values = [value + Fraction(float(b)) for value, b in zip(values, np.asarray(bias), strict=True)]
        if number < len(network.weights) - 1:
            values = [max(value, Fraction(0)) for value in values]
    return values


def overflowing_sums() -> tuple[MLP, np.ndarray]:
    """Half of the products of the first score are -2.5e308, the other half, a little more, is positive."""
    size = 16
    scores = np.zeros((COUNT, size))
    scores[0] = np.where(np.arange(size) < size // 2, -1e300, 1.001e300)
    scores[1] = 1e294 / size
    last = np.zeros((size, COUNT))
    last[:, 1] = -2.5e8
    weights = (scores, *[rounds(2.0, -1.0)] * 4, rounds(-1e-285, 0.0, 0.0), last)
    return MLP(weights, (*[None] * 5, same(1.0), same(2.5e8, size)), (size,), "relu"), same(2.5e8, size)


def underflowing_rounds() -> tuple[MLP, np.ndarray]:
    """What underflows in the second round is multiplied by 1e70 there, and by 1e69 in each of the next."""
    scores = np.zeros((COUNT, COUNT))
    scores[0, 0] = 2.7e-254
    inner = [rounds(1.0), rounds(1.4, -9.9e69, 1.1e-70), *[rounds(1e69)] * 3]
    weights = (scores, *inner, rounds(-1e300, 0.0, 0.0), np.eye(COUNT))
    return MLP(weights, (*[None] * 6, same(1.0), None), (COUNT,), "relu"), same(1.0)


def underflowing_sizes() -> tuple[MLP, np.ndarray]:
    """The bound on the error of the sum of all scores, 1e-258 times 1.1e-70, would be 0; the states are large."""
    size, right = 1e150, 1.1e-70
    scores = np.tile([1e-260, 1e-258], (COUNT, 1))
    scores[0] = [1e-258, 0.0]
    last = np.zeros((2, COUNT))
    last[0, 0] = size
    weights = (scores, rounds(2 * (1 - 6e-10), -1 / right, right), *[rounds(1e50)] * 3, rounds(-1e-30, 0, 0), last)
    return MLP(weights, (*[None] * 5, same(1.0), np.zeros(2)), (2,), "relu"), np.array([size, 0.0])


@pytest.mark.parametrize("make", [overflowing_sums, underflowing_rounds, underflowing_sizes])
def test_a_state_that_is_no_fixed_point_is_not_certified(make: object) -> None:
    assert callable(make)
    network, state = make()
    off = [value - Fraction(float(entry)) for value, entry in zip(exact(network, state), state, strict=True)]
    others = np.random.default_rng(0).random((COUNT - 1, len(state))) * state.max()
    certificate = ax.certify(ax.Memory(network, ax.Patterns.from_examples(np.concatenate([state[None], others]))))
    if certificate.verdict[0] is ax.Verdict.ATTRACTOR:
        assert max(map(abs, off)) <= Fraction(certificate.distance_error[0] + certificate.moved[0])
    linear = ax.maps.linearizer(network).constant_at(np.tile(state, (COUNT, 1)))[0]
    assert linear is None or max(map(abs, off)) <= Fraction(linear.enclosure_radius)


def test_images_of_large_states_do_not_depend_on_how_many_there_are() -> None:
    examples = np.random.default_rng(0).random((120, 6))
    encoder = ax.training.encoder(examples, widths=(240,), dtype=np.float64, key=jr.key(0))
    network = ax.training.winner_take_all_network(encoder, examples)
    compute = network.on_host().rows
    for scale in (1.0, 1e100, 1e160, 1e250):
        states = examples * scale
        pieces = np.concatenate([compute(states[start:end]) for start, end in pairwise(range(0, 121, 40))])
        np.testing.assert_allclose(compute(states), pieces, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("apart", [1e-4, 1e-5, 3e-6])
def test_near_duplicates_without_mended_scores_are_certified(apart: float) -> None:
    draw = np.random.default_rng(0)
    points = draw.standard_normal((COUNT, 20))
    away = draw.standard_normal((4, 20))
    points[4:8] = points[:4] + apart * away / np.linalg.norm(away, axis=1, keepdims=True)
    encoder = ax.training.encoder(points, widths=(2 * COUNT,), dtype=np.float64, key=jr.key(0))
    network = ax.training.winner_take_all_network(encoder, points)
    memory = ax.Memory(network, ax.Patterns.from_examples(points))
    assert ax.certify(memory, recovery_atol=apart / 100).all_attractors


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_a_score_below_the_bar_is_less_than_what_is_wanted(size: float) -> None:
    """Also next to it, and where products underflow; the bar is high enough to leave most scores out."""
    draw = np.random.default_rng(0)
    count = 2000
    diagonal, left = 1 + draw.random(), -draw.random() / 100
    total = size * 10.0 ** draw.uniform(-3, 3, count)
    wanted = -total * 10.0 ** draw.uniform(-16, -3, count)
    with np.errstate(over="ignore", invalid="ignore"):
        bar = _inhibition._bar(diagonal, left, total, wanted)
        for score in (np.nextafter(bar, 0.0), bar * (1 - 1e-15), bar * draw.random(count)):
            inside = score < bar
            assert (diagonal * score + left * total < wanted)[inside].all()
            # Other units of the layer are inhibited more, or have a smaller slope.
            assert (diagonal / 2 * score + 2 * left * total < wanted)[inside].all()
    if 1e-200 < size < 1e200:
        exactly = (wanted - left * total) / diagonal
        usual = exactly > 1e-9 * total
        assert usual.sum() > count / 2
        assert (bar > (1 - 1e-8) * exactly)[usual].all()


@pytest.mark.parametrize("diagonal", [-1.0, 0.0])
def test_units_that_do_not_grow_with_their_scores_stay_below_the_bar(diagonal: float) -> None:
    """Where nothing is known of the sum of all scores, each is looked at."""
    total, wanted = np.array([1.0, 1e300, 0.0, np.nan]), np.array([-1e-9, -1.0, -1e-9, -1.0])
    with np.errstate(invalid="ignore"):
        bar = _inhibition._bar(diagonal, -1.0, total, wanted)
    assert (bar[2:] == 0).all()
    for score in (0.0, np.nextafter(bar[:2], 0.0)):
        assert (diagonal * score - total[:2] < wanted[:2]).all()


def test_candidates_are_sifted_a_few_at_a_time() -> None:
    """One unit is not inhibited, so that scores alone rule none out: of a million, one of each state is on."""
    count = 1000
    random = np.random.default_rng(0)
    weight, states = random.random((count, 50)), random.random((count, 50))
    left = np.full(count, -0.01)
    left[0] = 0.0
    rounds = DiagonalPlusRankOne(np.full(count, 1.01), left, np.ones(count))
    scores = _inhibition._Scores(weight, None, np.linalg.norm(weight, axis=1) * (1 + 1e-9))
    tracemalloc.start()
    few, sure = scores.inhibited(states, np.full((count, 1), 1e-10), rounds, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sure.all()
    assert few.kept.sum(axis=1).max() < 10
    assert peak < 3 * 8 * count**2
