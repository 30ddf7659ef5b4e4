"""Recurrent networks in a closed loop."""

import math

import jax.random as jr
import numpy as np
import optax
import pytest

import attrax as ax
from attrax.extending import cast, float64
from attrax.maps import Recurrent, recurrent
from attrax.training import Fit, fit_recurrent
from attrax.writing import _sentence  # a network that training makes only now and then takes the place of its own

TEXT = "Hopfield networks are able to store binary training patterns as attractive fixed points"
SENTENCE = TEXT.split()


@pytest.fixture(scope="module", params=["argmax", "softmax"])
def memory(request: pytest.FixtureRequest) -> ax.Memory:
    return ax.store_words(SENTENCE, feedback=request.param, key=jr.key(0))


def test_the_sentence_of_the_paper_for_a_thousand_words(memory: ax.Memory) -> None:
    assert memory.status == "stored"
    words = [memory.written["vocabulary"][symbol] for symbol in memory.map.speak(1000)]
    assert words == [SENTENCE[place % 13] for place in range(1000)]
    assert memory.written["repeats"]


def test_the_closed_loop_is_a_certified_cycle(memory: ax.Memory) -> None:
    found = memory.certificate
    assert found is not None
    assert found.verdict == ("attractor",)
    assert found.period.tolist() == [13]
    assert found.residual[0] < 1e-12
    patterns, network = memory.examples(), memory.map
    # The product by hand: of the argmax loop, only diag(1 − h'²) W acts.
    weight = np.asarray(network.recurrent_weight, np.float64)
    product = np.eye(network.width)
    for state in patterns.targets:
        product = (1 - state[: network.width, None] ** 2) * weight @ product
    expected = np.log(np.abs(np.linalg.eigvals(product)).max())
    # The smooth loop differs by what its inputs move, which is little.
    assert found.log_spectral_radius[0] == pytest.approx(expected, abs=1e-6 if network.feedback == "argmax" else 0.01)
    assert memory.written["score_lead"] > 1


def test_it_comes_back_from_elsewhere(memory: ax.Memory) -> None:
    states = memory.examples().points
    cues = states[[3]] + 0.05 * np.random.default_rng(0).normal(size=(1, states.shape[1]))
    found = ax.recall(memory, cues)
    assert found.status == ("recovered",)
    assert found.period.tolist() == [13]


def test_at_the_edge_the_radius_on_the_way_is_that_of_the_closed_loop() -> None:
    memory = ax.store_words(SENTENCE, learning_rate="edge", optimizer="gd", epochs=2000, key=jr.key(0))
    assert memory.status == "stored"
    assert [memory.written["vocabulary"][symbol] for symbol in memory.map.speak(26)] == 2 * SENTENCE
    edge, found = memory.written["edge"], memory.certificate
    assert found is not None
    assert edge["schedule"][0][0] == "gd"
    assert edge["rate"] > 0.1
    assert math.log(10) * edge["history"][-1]["largest"] == pytest.approx(found.log_spectral_radius[0], rel=0.1)


def test_the_optimizer_is_named_or_given() -> None:
    words, key = SENTENCE[:3], jr.key(0)
    quick = {"width": 8, "epochs": 30, "key": key}
    usual = ax.store_words(words, **quick)
    for options in ({"optimizer": "adam", "learning_rate": 1e-2}, {"optimizer": optax.adam(1e-2)}):
        assert ax.store_words(words, **quick, **options).written["loss"] == pytest.approx(
            usual.written["loss"], rel=1e-3
        )
    assert ax.store_words(words, **quick, learning_rate=1e-3).written["loss"] > usual.written["loss"]
    for options, said in (
        ({"optimizer": "kfac"}, "optimizer must be one of"),
        ({"optimizer": optax.adam(1e-2), "learning_rate": "edge"}, "learning_rate does not apply"),
        ({"learning_rate": "edgy"}, "learning_rate must be one of edge"),
    ):
        with pytest.raises(ValueError, match=said):
            ax.store_words(words, **quick, **options)


def test_a_hidden_state_that_returns_after_two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three units lead from word to word; the fourth changes its sign at each, so that it returns after six."""
    ahead = np.roll(np.eye(3), 1, axis=0)
    turning = Recurrent(
        np.diag([0.0, 0, 0, -3]),
        np.concatenate([6 * ahead, [[0.1, 0, 0]]]),
        np.array([-3.0, -3, -3, 0]),
        np.eye(3, 4) * 4,
        np.array([0.5, 0, 0]),
    )
    fitted = Fit(turning, 0.0, 0, 0.0, ax.TrainingStatus.REACHED)
    monkeypatch.setattr(_sentence, "fit_recurrent", lambda *_, **__: fitted)
    memory = ax.store_words(["to", "be", "or"], width=4, key=jr.key(0))
    assert memory.written["repeats"]
    assert memory.status == "stored"
    assert memory.certificate is not None
    assert memory.certificate.period.tolist() == [6]


def test_what_was_not_learned_is_a_status() -> None:
    memory = ax.store_words(SENTENCE, epochs=1, key=jr.key(0))
    assert memory.status == "loss_not_reached"
    assert memory.written["repeats"] is False
    assert memory.certificate is not None
    assert not memory.certificate.all_attractors


def test_the_map_is_the_network_heard_by_itself() -> None:
    network = recurrent(3, width=5, feedback="softmax", key=jr.key(0))
    with float64():
        exact = cast(network, np.float64)
        states = exact.run(4)
        inputs = np.concatenate([np.zeros((1, 3)), states[:-1, 5:]])
        scores = np.asarray(exact.read(inputs))
    powers = np.exp(scores)
    assert np.allclose(states[:, 5:], powers / powers.sum(axis=1, keepdims=True), atol=1e-12)
    assert network.shape == (8,)


def test_wrong_arguments() -> None:
    network = recurrent(3, width=5, key=jr.key(0))
    with pytest.raises(ValueError, match="feedback must be one of"):
        recurrent(3, feedback="sample", key=jr.key(0))
    with pytest.raises(ValueError, match="each of symbols"):
        fit_recurrent(network, np.array([0, 3]), key=jr.key(0))
    with pytest.raises(ValueError, match="at least one symbol"):
        fit_recurrent(network, np.zeros(0, int), key=jr.key(0))
    with pytest.raises(ValueError, match="num_steps"):
        network.run(0)
    for words in ("to be", ["to"], ["to", "to"], [1, 2]):
        with pytest.raises(ValueError, match="words must be"):
            ax.store_words(words, key=jr.key(0))
