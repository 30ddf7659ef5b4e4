"""The nearest-neighbor rule as a start for training an autoencoder."""

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.maps import each_row
from attrax.training import Coordinates, nearest_neighbor_scores, winner_take_all_start

POINTS = np.random.default_rng(0).uniform(size=(8, 6, 6))
SPARE = 24


def start() -> ax.maps.MLP:
    return winner_take_all_start(POINTS, spare=SPARE, key=jr.key(0))


def outside(network: ax.maps.MLP) -> np.ndarray:
    """What the first layer reads outside the span of the examples: singular values as shares of the largest of all."""
    basis = Coordinates.of(POINTS).basis
    first = np.asarray(network.weights[0], np.float64)
    return np.linalg.svd(first - first @ basis @ basis.T, compute_uv=False) / np.linalg.norm(first, 2)


def nearest(states: np.ndarray) -> np.ndarray:
    return ((states[:, None] - POINTS) ** 2).reshape(len(states), len(POINTS), -1).sum(axis=-1).argmin(axis=1)


def test_it_gives_what_the_rule_chooses() -> None:
    """Before training, the output is nearest to the example that the nearest-neighbor rule chooses, mostly."""
    network = start()
    assert {np.asarray(array).dtype for array in (*network.weights, *network.biases)} == {np.dtype(np.float32)}
    assert (nearest(each_row(network, POINTS)) == np.arange(len(POINTS))).all()
    cues = np.concatenate([ax.corrupt("gaussian:0.3", POINTS, key=jr.key(draw)) for draw in range(20)])
    weights, biases = nearest_neighbor_scores(POINTS)
    chosen = (cues.reshape(len(cues), -1) @ weights.T + biases).argmax(axis=1)
    assert (nearest(each_row(network, cues)) == chosen).mean() > 0.9


def test_spare_units_reach_the_output_little() -> None:
    without = winner_take_all_start(POINTS, spare=0, key=jr.key(0))
    assert without.widths == (16, 16, 8, 8, 8, 8)
    assert start().widths == (2 * (8 + SPARE),) * 2 + (8 + SPARE,) * 4
    assert (nearest(each_row(without, POINTS)) == np.arange(len(POINTS))).all()


def test_targets_are_what_it_shows() -> None:
    later = np.roll(POINTS, -1, axis=0)
    network = winner_take_all_start(POINTS, later, key=jr.key(0))
    assert (nearest(each_row(network, POINTS)) == np.roll(np.arange(len(POINTS)), -1)).all()


def test_a_single_example_is_the_output() -> None:
    network = winner_take_all_start(POINTS[:1], spare=2, key=jr.key(0))
    np.testing.assert_allclose(network(POINTS[0] + 1), POINTS[0], atol=1e-6)


def test_it_reads_only_in_what_the_examples_and_their_logarithms_differ() -> None:
    logarithms = np.log(POINTS.reshape(len(POINTS), -1) - POINTS.min() + 0.3 * np.ptp(POINTS))
    basis = Coordinates.of(POINTS).with_directions(logarithms - logarithms.mean(axis=0)).basis
    noise = np.random.default_rng(1).normal(size=POINTS.shape)
    rows = noise.reshape(len(noise), -1)
    unread = (rows - rows @ basis @ basis.T).reshape(POINTS.shape)
    assert np.abs(unread).max() > 0.5
    network = start()
    np.testing.assert_allclose(each_row(network, POINTS + unread), each_row(network, POINTS), atol=1e-3)


def test_it_is_trained_in_what_it_reads() -> None:
    """With coordinates, what the network reads outside the span of the examples stays, and nothing else joins it."""
    before = (outside(start()) > 1e-3).sum()
    assert before == len(POINTS) - 1
    writer = ax.Gradient(
        corruptions=("gaussian:0.3", "drop:0.5"),
        coordinates=0,
        epochs=200,
        learning_rate=1e-3,
        adversarial_deviation=0.1,
    )
    memory = ax.store(POINTS, start(), writer=writer, key=jr.key(0))
    assert memory.certificate.all_attractors
    assert (outside(memory.map) > 1e-3).sum() == before
    assert ax.recovery(memory, "gaussian:0.1", key=jr.key(1)).recovery_rate == 1
    smaller = ax.forget(memory, [0], key=jr.key(2)).memory
    assert smaller.certificate.all_attractors
    assert (outside(smaller.map) > 1e-3).sum() == before


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="spare must be"):
        winner_take_all_start(POINTS, spare=-1, key=jr.key(0))
    with pytest.raises(ValueError, match="spare"):
        winner_take_all_start(POINTS, spare=10**15, key=jr.key(0))
