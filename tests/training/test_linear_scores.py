"""Scores of many examples: the encoder made of them has the same scores, and never are all computed at once."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.training import values as values_of

import attrax as ax
from attrax.extending import float64
from attrax.training import (
    Coordinates,
    LinearScores,
    _epochs,  # the size of a piece
    cross_entropy,
    encoder,
    fit,
    leading,
    linear_scores,
    winner_take_all_network,
)
from attrax.writing import _winner_take_all as writer  # from how many examples on the scores are linear
from attrax.writing._changed_encoder import changed_scores  # by itself, without training

POINTS = np.random.default_rng(0).random((40, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("exponent", [None, 0.0, 0.5])
def test_the_encoder_has_the_same_scores(exponent: float | None) -> None:
    coordinates = None if exponent is None else Coordinates.of(POINTS, exponent)
    inputs = POINTS if coordinates is None else coordinates.encode(POINTS)
    scores = linear_scores(POINTS, coordinates, units=16, key=jr.key(0))
    made = scores.as_encoder(inputs)
    assert [len(bias) for bias in made.biases] == [inputs[0].size + 16, 40]
    cues = inputs + np.random.default_rng(1).normal(scale=0.8, size=inputs.shape)
    with float64():
        found, expected = (values_of(one, cues[:5]) for one in (made, scores))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    assert leading(made, inputs).all()  # they start as a nearest-neighbor rule
    network = winner_take_all_network(made, POINTS, coordinates=coordinates)
    np.testing.assert_allclose(network.on_host().rows(np.asarray(POINTS, float)), POINTS, atol=1e-6)


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MANY", 30)
    monkeypatch.setattr(writer, "_UNITS", 16)


@pytest.mark.usefixtures("few_are_many")
def test_many_examples_are_stored_and_can_be_changed() -> None:
    memory = ax.store(POINTS, writer=ax.WinnerTakeAll(epochs=2, corruptions=("gaussian:0.2",)), key=jr.key(0))
    record = memory.written
    assert record["encoder_widths"] == [36 + 16]
    assert memory.certificate.all_attractors
    # No unit belongs to one example alone, so all stay when one is forgotten.
    kept = [*range(3), *range(4, 40)]
    fewer = ax.Patterns.from_examples(POINTS[kept])
    made = changed_scores(memory.map, record, ax.WinnerTakeAll().training_data(fewer), kept)
    assert made.linear.shape == (39, 36)
    assert made.outer.shape == (39, 16)
    assert leading(made.as_encoder(POINTS[kept]), POINTS[kept]).all()


@pytest.mark.usefixtures("few_are_many")
def test_scores_of_added_examples_are_as_large_as_those_there() -> None:
    memory = ax.store(POINTS[:36], writer=ax.WinnerTakeAll(epochs=30, corruptions=("gaussian:0.2",)), key=jr.key(0))
    data = ax.WinnerTakeAll().training_data(ax.Patterns.from_examples(POINTS))
    made = changed_scores(memory.map, memory.written, data, [*range(36)])
    table = POINTS.reshape(40, -1) @ made.linear.T + made.bias
    table += np.maximum(POINTS.reshape(40, -1) @ made.inner.T + made.offset, 0) @ made.outer.T
    leads = table.diagonal() - table.mean(axis=1)
    assert leads[:36].mean() / 3 < leads[36:].mean() < 3 * leads[:36].mean()
    assert leading(made.as_encoder(POINTS), POINTS).all()
    change = ax.add(memory, POINTS[36:], key=jr.key(1))
    assert change.accepted
    assert change.memory.map.widths[0] == 52  # no units of their own
    assert ax.forget(change.memory, [3], key=jr.key(2)).accepted


@pytest.mark.usefixtures("few_are_many")
def test_scores_of_very_many_examples_stay_as_they_start_unless_training_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "_UNTRAINED", 40)
    memory = ax.store(POINTS, key=jr.key(0))
    record = memory.written
    assert memory.certificate.all_attractors
    assert (record["epochs"], record["corruptions"], record["encoder_widths"]) == (0, [], [36])
    assert len(record["attempts"]) == 1
    rule = ax.training.nearest_neighbor_scores(POINTS)
    cues = ax.corrupt("gaussian:0.3", POINTS, key=jr.key(1))
    expected = (cues.reshape(40, -1) @ rule[0].T + rule[1]).argmax(axis=1)
    assert (ax.recall(memory, cues).index == expected).mean() > 0.9
    change = ax.add(memory, POINTS[:2, ::-1], key=jr.key(1))
    assert change.accepted
    assert change.memory.written["epochs"] == 0
    patterns = ax.Patterns.from_examples(POINTS)
    assert not ax.WinnerTakeAll().training_corruptions(patterns)
    for asked in ({"epochs": 3}, {"noise": 0.1}, {"corruptions": ("drop:0.5",)}):
        assert ax.WinnerTakeAll(**asked).planned_epochs(patterns) > 0
        assert len(ax.Auto(**asked).attempts(None, patterns)) == 2
    assert len(ax.Auto(tol=1e-6).attempts(None, patterns)) == 1


def test_the_loss_of_many_examples_is_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = linear_scores(POINTS, units=4, key=jr.key(0))
    parameters, static = eqx.partition(scores, eqx.is_inexact_array)
    numbers = np.arange(40, dtype=np.float32)
    problem = _epochs.Problem(POINTS, numbers, np.float32(0), jr.key(0), None, batch=7, copies=1, loss=cross_entropy)
    whole = _epochs.loss_of(static, problem, parameters)
    monkeypatch.setattr(_epochs, "_PIECE", 8)
    monkeypatch.setattr(jnp, "mean", lambda losses: losses)
    each = _epochs.loss_of(static, problem, parameters)
    assert each.shape == (40,)
    np.testing.assert_allclose(np.mean(each), whole, rtol=1e-5, atol=1e-6)


def test_an_encoder_of_another_kind_has_no_linear_scores() -> None:
    made = linear_scores(POINTS, units=4, key=jr.key(0)).as_encoder(POINTS)
    again = LinearScores.of_encoder(made)
    assert again is not None
    cues = POINTS.reshape(40, -1)
    np.testing.assert_allclose(
        again.linear @ cues[0] + again.bias + again.outer @ np.maximum(again.inner @ cues[0] + again.offset, 0),
        values_of(made, POINTS[:1])[0],
        atol=1e-4,
    )
    assert LinearScores.of_encoder(encoder(POINTS, widths=(100,), key=jr.key(0))) is None
    assert LinearScores.of_encoder(encoder(POINTS, widths=(8,), key=jr.key(0))) is None


def test_in_batch_negatives_are_the_scores_of_the_examples_of_a_step() -> None:
    scores = linear_scores(POINTS, units=4, key=jr.key(0))
    numbers, options = np.arange(40, dtype=np.float32), {"tol": None, "loss": cross_entropy, "key": jr.key(2)}
    rate = ax.training.optimizer("gd", learning_rate=0.1)
    # One batch of all examples is the contest of all.
    every, among = (
        fit(scores, POINTS, numbers, optimizer=rate, epochs=3, in_batch=one, **options) for one in (False, True)
    )
    np.testing.assert_allclose(among.map.linear, every.map.linear, atol=1e-5)
    assert among.loss == pytest.approx(every.loss, rel=1e-4)
    # In batches of 15 each is compared with 14 others, in the last with 9; it takes part once an epoch.
    found = fit(scores, POINTS, numbers, optimizer=rate, epochs=1, batch=15, copies=2, in_batch=True, **options)
    table = np.asarray(POINTS.reshape(40, -1) @ found.map.linear.T)
    hidden = np.maximum(POINTS.reshape(40, -1) @ found.map.inner.T + found.map.offset, 0)
    table = table + hidden @ found.map.outer.T + found.map.bias
    losses = []
    for start in (0, 15, 30):
        part = table[start : start + 15, start : start + 15]
        losses += list(np.log(np.exp(part - part.max(axis=1, keepdims=True)).sum(axis=1)) + part.max(axis=1))
        losses[start:] = np.array(losses[start:]) - np.diag(part)
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-4)
    assert (np.abs(np.asarray(found.map.linear) - np.asarray(scores.linear)).max(axis=1) > 0).all()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="units must be"):
        linear_scores(POINTS, units=-1, key=jr.key(0))


def test_a_target_may_be_a_number() -> None:
    outputs, numbers = np.random.default_rng(0).normal(size=(5, 4)), np.array([0, 3, 1, 1, 2])
    compiled = jax.jit(cross_entropy)
    found, expected = (compiled(outputs, one) for one in (numbers.astype(float), np.eye(4)[numbers]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    network = ax.maps.mlp((2,), width=2, depth=1, key=jr.key(0))
    with pytest.raises(ValueError, match="real, with the same number of rows"):
        ax.training.fit(network, np.eye(2), np.arange(2.0), optimizer=ax.training.optimizer("adam"), key=jr.key(0))
