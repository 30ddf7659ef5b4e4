"""Winner-take-all: the assembled network is what its formulas say, and training it makes a memory."""

from dataclasses import replace
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.extending import cast, float64
from attrax.training import (
    Coordinates,
    Encoder,
    _winner_take_all,  # one part of the network by itself
    encoder,
    ensure_lead,
    leading,
    rounds_for,
    winner_take_all_network,
)
from attrax.training._winner_take_all import inhibition  # one part of the network by itself

DRAW = np.random.default_rng(0)
POINTS = DRAW.uniform(size=(12, 5, 6)).astype(np.float32)
# Shared, as are the number of examples and of epochs: training is then compiled once for all tests that have it.
SEEN = ax.WinnerTakeAll(epochs=25, corruptions=("gaussian:0.2",))
OF_VECTORS = ax.WinnerTakeAll(epochs=60, width=128)


@eqx.filter_jit
def together(function: Any, *rows: Any) -> Any:
    """One program: without it, JAX would compile every operation by itself."""
    return jax.vmap(function)(*rows)


def scored(scores: Encoder, states: np.ndarray) -> np.ndarray:
    with float64():
        return np.asarray(together(cast(scores, np.float64), np.asarray(states, np.float64)))


def apply(network: ax.maps.MLP, states: np.ndarray) -> np.ndarray:
    with float64():
        return np.asarray(together(cast(network, np.float64), np.asarray(states, np.float64)))


@pytest.mark.parametrize(
    ("coordinates", "num"),
    [*((None, num) for num in (1, 2, 3, 12)), (0.0, 3), (0.0, 12), (0.5, 1), (0.5, 2), (0.5, 6)],
)
def test_the_largest_score_wins_at_any_scale(num: int, coordinates: float | None) -> None:
    points = POINTS[:num]
    change = None if coordinates is None else Coordinates.of(points, coordinates)
    scores = encoder(points, change, widths=[4 * num + 8], key=jr.key(1))
    network = winner_take_all_network(scores, points, coordinates=change)
    draw = np.random.default_rng(num)
    cues = draw.uniform(size=(200, 5, 6)) * draw.uniform(0.2, 2, size=(200, 1, 1))
    table = scored(scores, cues if change is None else change.encode(cues))
    order = np.sort(table, axis=1)
    # The winner-take-all tells scores apart that differ by a part of what they are above their mean.
    clear = (
        np.ones(len(cues), bool) if num == 1 else (order[:, -1] - order[:, -2]) > 0.2 * (order[:, -1] - order.mean(1))
    )
    assert clear.sum() > 20
    np.testing.assert_allclose(apply(network, cues[clear]), points[table[clear].argmax(axis=1)], atol=1e-9)


def test_the_network_is_a_plain_fully_connected_one() -> None:
    network = winner_take_all_network(encoder(POINTS, widths=[32, 24], key=jr.key(0)), POINTS, rounds=3)
    assert network.activation == "relu"
    assert network.widths == (32, 24, *[12] * 6)
    assert all(bias is not None for bias in network.biases)


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_begin_as_a_nearest_neighbor_rule(layers: int) -> None:
    cues = ax.corrupt("gaussian:0.4", np.repeat(POINTS, 5, axis=0), key=jr.key(2))
    scores = encoder(POINTS, widths=[400] * layers, key=jr.key(0))
    rule = ax.analysis.nearest_neighbor(cues, POINTS, rule="correlation")
    assert np.mean(scored(scores, cues).argmax(axis=1) == rule) > 0.9


@pytest.mark.parametrize("coordinates", [None, 0.0])
@pytest.mark.parametrize("layers", [1, 2])
def test_few_units_begin_as_distance_in_the_leading_directions(layers: int, coordinates: float | None) -> None:
    points = POINTS + 5.0  # far from the origin, where a score without its offset is off
    change = None if coordinates is None else Coordinates.of(points, coordinates)
    cues = ax.corrupt("gaussian:0.4", np.repeat(points, 5, axis=0), key=jr.key(2))
    scores = encoder(points, change, widths=[17] * layers, key=jr.key(0))
    leading = Coordinates.of(points, rank=8)
    rule = ax.analysis.nearest_neighbor(leading.encode(cues), leading.encode(points))
    assert 0.3 < np.mean(rule == np.repeat(np.arange(12), 5)) < 1
    given = cues if change is None else change.encode(cues)
    assert np.mean(scored(scores, given).argmax(axis=1) == rule) > 0.95


@cache
def untrained() -> ax.maps.MLP:
    """Nothing but the last stage of this network is any good; and each state goes to another one."""
    return winner_take_all_network(encoder(POINTS, widths=[1], key=jr.key(0)), POINTS, np.roll(POINTS, -1, axis=0))


def completed(network: ax.maps.MLP, states: np.ndarray, known: np.ndarray) -> np.ndarray:
    complete = ax.maps.completion(network)
    assert complete is not None
    with float64():
        return np.asarray(together(cast(complete, np.float64), np.asarray(states, np.float64), np.asarray(known)))


def test_masked_states_are_completed_by_the_output_that_fits_best_where_they_are_known() -> None:
    known = DRAW.random((60, 5, 6)) < 0.2
    known[:, 0, 0] = True
    cues = np.repeat(POINTS, 5, axis=0) + DRAW.normal(scale=0.3, size=(60, 5, 6))
    rule = ax.analysis.nearest_neighbor(cues, POINTS, known=known)
    assert 0.3 < np.mean(rule == np.repeat(np.arange(12), 5)) < 1
    np.testing.assert_allclose(completed(untrained(), np.where(known, cues, np.nan), known), POINTS[rule], atol=1e-9)
    other = completed(untrained().in_units(3.0), cues / 3, known)
    np.testing.assert_allclose(other, POINTS[rule] / 3, atol=1e-9)


def test_where_nothing_tells_the_outputs_apart_their_mean_is_the_answer() -> None:
    last = np.array(untrained().weights[-1])
    # The outputs 1 and 2, which are the states 2 and 3, share their first row.
    last[:6, 1:3] = last[:6, 1:3].mean(axis=1, keepdims=True)
    network = replace(untrained(), weights=(*untrained().weights[:-1], last))
    known = np.zeros((60, 5, 6), bool)
    known[:2, 0] = True
    shared = np.where(known, 0.5 * (POINTS[2] + POINTS[3]), np.nan)
    shared[1, 0] = POINTS[4, 0]
    found, mean = completed(network, shared, known), POINTS.mean(axis=0)
    np.testing.assert_allclose(found[1], POINTS[4], atol=1e-6)
    np.testing.assert_allclose(np.delete(found, 1, axis=0), np.broadcast_to(mean, (59, 5, 6)), atol=1e-6)


def test_matrices_have_the_same_mask_channel_as_layers_of_rank_one() -> None:
    network = untrained()
    assert any(isinstance(weight, ax.maps.DiagonalPlusRankOne) for weight in network.weights)
    known = DRAW.random(POINTS.shape) < 0.3
    same = completed(network.dense(), POINTS, known)
    np.testing.assert_allclose(completed(network, POINTS, known), same, atol=1e-9)


@pytest.mark.parametrize("spoiled", [-2, -3])
def test_only_a_winner_take_all_stage_makes_a_mask_channel(spoiled: int) -> None:
    weights = [np.array(weight) for weight in untrained().weights]
    weights[spoiled][0, 1] += 1e-3
    assert ax.maps.completion(replace(untrained(), weights=tuple(weights))) is None
    assert ax.maps.completion(replace(untrained(), activation="selu")) is None
    assert ax.maps.completion(ax.maps.mlp((2,), width=4, depth=4, key=jr.key(0))) is None


def test_templates_of_pixels_tell_cues_of_few_pixels_better_than_correlation_does() -> None:
    """Of 40 bright pixels among 400 a tenth is left: what is dark in an example counts against it."""
    points = (DRAW.uniform(size=(60, 20, 20)) < 0.1) * DRAW.uniform(0.3, 1, size=(60, 20, 20))
    cues = ax.corrupt("drop:0.9", np.repeat(points, 20, axis=0), key=jr.key(4))
    expected = np.repeat(np.arange(60), 20)
    begun = scored(encoder(points, widths=[120], key=jr.key(0)), cues).argmax(axis=1)
    rule = ax.analysis.nearest_neighbor(cues, points, rule="correlation")
    assert np.mean(begun == expected) > np.mean(rule == expected) + 0.01


def test_examples_alike_up_to_contrast_begin_by_distance() -> None:
    points = np.stack([POINTS[0], 0.5 * POINTS[0], POINTS[1]])
    scores = encoder(points, widths=[64], key=jr.key(0))
    np.testing.assert_array_equal(scored(scores, points).argmax(axis=1), [0, 1, 2])


def test_an_example_that_training_gave_up_leads_at_home_again_and_nothing_else_moves() -> None:
    scores = encoder(POINTS, widths=[64], key=jr.key(0))
    weights = [np.array(weight) for weight in scores.weights]
    weights[-1][3] = weights[-1][4]  # example 3 now scores as example 4 does
    broken = Encoder((*weights,), scores.biases)
    assert scored(broken, POINTS)[3].argmax() != 3
    mended = ensure_lead(broken, POINTS)
    np.testing.assert_array_equal(scored(mended, POINTS).argmax(axis=1), np.arange(12))
    others = np.delete(np.arange(12), [3, 4])  # of these two the scores were equal, so both had to move
    np.testing.assert_allclose(scored(mended, POINTS)[others], scored(broken, POINTS)[others], atol=1e-3)


def test_a_double_costs_no_other_example_its_basin() -> None:
    points = POINTS[:8].reshape(8, -1).copy()
    points[7] = points[6]
    points[7, 0] += 1e-5
    memory = ax.store(points, writer=OF_VECTORS, key=jr.key(0))
    cues = np.repeat(points[:6], 20, axis=0) + DRAW.normal(scale=1e-3, size=(120, 30))
    assert ax.recall(memory, cues, expected=np.repeat(np.arange(6), 20)).recovery_rate == 1.0


def test_a_single_example_takes_no_training() -> None:
    assert len(ax.WinnerTakeAll().training_corruptions(ax.Patterns.from_examples(POINTS[:1]))) > 1
    memory = ax.store(POINTS[:1], writer=replace(SEEN, epochs=None), key=jr.key(0))
    assert memory.written["epochs"] == 0
    assert memory.certificate.all_attractors


@pytest.mark.parametrize("span", [1e-6, 1e6])
def test_noise_goes_with_the_size_of_the_values(span: float) -> None:
    memory = ax.store(span * POINTS[:8].reshape(8, -1), writer=OF_VECTORS, key=jr.key(0))
    assert memory.certificate.all_attractors
    assert float(memory.written["corruptions"][0].split(":")[1]) == pytest.approx(1.2 * span, rel=0.9)


def test_rounds_and_strengths() -> None:
    assert [rounds_for(num) for num in (1, 2, 16, 100, 500, 2000)] == [3, 3, 3, 4, 6, 8]
    strengths = inhibition(100, 4)
    assert len(strengths) == 5
    assert strengths[-1] == 1.0
    assert (np.diff(strengths) > 0).all()
    assert inhibition(2, 5).tolist() == [1.0]


def test_one_score_an_example_is_demanded() -> None:
    with pytest.raises(ValueError, match="one score for each of the 3 examples; it has 12"):
        winner_take_all_network(encoder(POINTS, widths=[24], key=jr.key(0)), POINTS[:3])
    with pytest.raises(ValueError, match="at least one hidden layer"):
        encoder(POINTS, widths=[], key=jr.key(0))


def test_trained_scores_certify_all_and_beats_distance_under_occlusion() -> None:
    digits = ax.sources.load("digits", n=24).values
    memory = ax.store(digits, writer=ax.WinnerTakeAll(epochs=150), key=jr.key(0))
    assert memory.status == "stored"
    assert memory.certificate.all_attractors
    assert memory.certificate.spectral_radius.max() == 0
    assert memory.certificate.moved.max() < 1e-9
    hidden = ax.recovery(memory, "occlude:0.5", key=jr.key(1))
    assert hidden.recovery_rate >= hidden.one_nn_rate + 0.2
    assert ax.recovery(memory, "none", key=jr.key(1)).recovery_rate == 1.0
    assert "occlude:0.7" in memory.written["corruptions"]


MANY = np.random.default_rng(2).uniform(size=(300, 4))
PAIRED = ax.Patterns.from_pairs(MANY[:, :2], MANY[:, 2:])


@pytest.mark.parametrize(
    ("patterns", "settings", "rate"),
    [
        (ax.Patterns.from_examples(MANY), {}, 3e-4),
        (ax.Patterns.from_examples(MANY), {"coordinates": 0.0}, 3e-4),
        (ax.Patterns.from_examples(MANY[:150]), {}, 6e-4),
        (PAIRED, {}, 3e-4),
        (PAIRED, {"coordinates": 0.0}, 6e-4),
        (PAIRED, {"coordinates": 0.5}, 3e-4),
        (PAIRED, {"coordinates": 0.0, "learning_rate": 1e-3}, 1e-3),
    ],
)
def test_many_examples_lower_the_rate_but_not_that_of_pairs_in_their_span(
    patterns: ax.Patterns, settings: dict, rate: float
) -> None:
    writer = ax.WinnerTakeAll(epochs=0, width=2, corruptions=("gaussian:0.1",), **settings)
    assert writer.write(patterns, key=jr.key(0)).details["learning_rate"] == pytest.approx(rate)


def test_the_cues_of_pairs_are_occluded_twice_as_often() -> None:
    def occluded(patterns: ax.Patterns) -> int:
        names = [corruption.name for corruption in ax.WinnerTakeAll().training_corruptions(patterns)]
        return names.count("occlude:0.7")

    targets = np.arange(12.0)[:, None]
    assert occluded(ax.Patterns.from_examples(POINTS)) == 1
    assert occluded(ax.Patterns.from_pairs(POINTS, targets)) == 2
    assert occluded(ax.Patterns.from_pairs(1000 * POINTS, targets)) == 2  # in another scale
    assert occluded(ax.Patterns.from_pairs(POINTS[:, 0], targets)) == 0  # vectors have no lower rows


def test_sequences_are_cycles_of_the_exact_period() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:7], POINTS[7:11], POINTS[11:]])
    memory = ax.store(patterns, writer=SEEN, key=jr.key(0))
    assert memory.certificate.all_attractors
    assert memory.certificate.cycles == (tuple(range(7)), (7, 8, 9, 10), (11,))
    answer = ax.recall(memory, ax.corrupt("gaussian:0.05", POINTS, key=jr.key(1)))
    assert answer.period.tolist() == [7] * 7 + [4] * 4 + [1]


def test_no_example_falls_to_a_first_inhibition_that_is_too_strong(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.eye(60)
    table = np.where((np.add.outer(np.arange(60), np.arange(60)) % 2) == 1, 0.9, 0.0) + np.eye(
        60
    )  # half of all are near
    scores = Encoder((np.eye(60), table.T), (np.zeros(60), np.zeros(60)))
    assert leading(scores, points).all()
    kept = apply(winner_take_all_network(scores, points, rounds=6, onset=60.0), points)
    np.testing.assert_allclose(kept, points, atol=1e-9)
    monkeypatch.setattr(_winner_take_all, "_SAFE", 1e9)
    lost = apply(winner_take_all_network(scores, points, rounds=6, onset=60.0), points)
    assert np.abs(lost - points).max() > 0.1


def test_vectors_in_the_plane() -> None:
    points = np.array([[-0.8, -0.6], [0.1, -0.9], [0.9, -0.4], [-0.6, 0.5], [0.2, 0.2], [0.7, 0.9]])
    memory = ax.store(points, writer=ax.WinnerTakeAll(epochs=100), key=jr.key(0))
    assert memory.certificate.all_attractors
    assert [name.split(":")[0] for name in memory.written["corruptions"]] == ["gaussian"]


def test_the_same_key_gives_the_same_network() -> None:
    one, other = (ax.store(POINTS, writer=SEEN, key=jr.key(3)) for _ in range(2))
    for a, b in zip(one.map.weights, other.map.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width must be"),
        ({"time_limit": 0.0}, "time_limit must be"),
        ({"corruptions": ["smear:1"]}, "smear"),
        ({"optimizer": "kfac"}, "optimizer must be one of"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"coordinates": 2.0}, "coordinates must be"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ax.WinnerTakeAll(**settings)


def test_it_takes_no_network_and_no_occlusion_of_vectors() -> None:
    with pytest.raises(ValueError, match="makes its own network"):
        ax.store(POINTS, ax.maps.mlp((5, 6), width=8, depth=1, key=jr.key(0)), writer=ax.WinnerTakeAll(), key=jr.key(0))
    with pytest.raises(ValueError, match="needs pictures"):
        ax.store(POINTS.reshape(12, -1), writer=ax.WinnerTakeAll(corruptions=["occlude:0.5"]), key=jr.key(0))
