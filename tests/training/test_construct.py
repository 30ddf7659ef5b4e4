"""Networks that are written down: what they store, how far their basins reach, and what they refuse."""

import jax.random as jr
import numpy as np
import pytest
from sklearn.svm import SVC

import attrax as ax
from attrax.training import (
    CONSTRUCTIONS,
    _construct,  # how many margins are computed is counted
    changed_margin,
    constructed_start,
    margin,
    pseudoinverse,
)

BUILD = {"pseudoinverse": pseudoinverse, "margin": margin}
POINTS = np.random.default_rng(0).uniform(size=(6, 4, 5))


def apply(network: ax.maps.MLP, states: np.ndarray) -> np.ndarray:
    return network.on_host().rows(np.asarray(states, float))


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_every_example_is_an_attractor_with_jacobian_zero(kind: str) -> None:
    memory = ax.store(POINTS, writer=ax.Constructed(kind), key=jr.key(0))
    assert memory.status == "stored"
    assert memory.map.widths == (12,)
    assert memory.certificate.all_attractors
    assert memory.certificate.largest_singular_value.max() < 1e-12
    assert memory.written["writer"] == kind
    assert memory.written["loss"] < 1e-25


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_sequences_are_cycles_with_product_zero(kind: str) -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:4], POINTS[4:]])
    memory = ax.store(patterns, writer=ax.Constructed(kind), key=jr.key(0))
    assert memory.certificate.cycles == ((0, 1, 2, 3), (4, 5))
    assert memory.certificate.all_attractors
    np.testing.assert_allclose(apply(memory.map, POINTS), POINTS[patterns.successor], atol=1e-12)


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_the_ball_promised_goes_to_the_example_in_one_step(kind: str) -> None:
    network = BUILD[kind](POINTS)
    slopes = np.linalg.norm(np.asarray(network.weights[0])[:6] / 2, axis=1)
    draw = np.random.default_rng(1)
    for index, (point, slope) in enumerate(zip(POINTS, slopes.max() * np.ones(6), strict=True)):
        away = draw.normal(size=(50, *point.shape))
        away *= 0.249 / slope / np.linalg.norm(away.reshape(50, -1), axis=1)[:, None, None]
        found = apply(network, point + away)
        np.testing.assert_allclose(found, np.broadcast_to(POINTS[index], found.shape), atol=1e-9)


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_what_is_unknown_is_led_to_a_state_by_way_of_the_rest(kind: str) -> None:
    network = BUILD[kind](POINTS, fallback=POINTS[2])
    assert network.widths == (14,)  # two units each, and two for the rest
    np.testing.assert_allclose(apply(network, POINTS), POINTS, atol=1e-12)
    rest = np.asarray(network.biases[-1]).reshape(POINTS.shape[1:])
    flat = POINTS.reshape(6, -1) - POINTS.reshape(6, -1).mean(axis=0)
    assert np.abs(flat @ (rest - POINTS.mean(axis=0)).ravel()).max() < 1e-10  # outside of the span
    np.testing.assert_allclose(apply(network, rest[None])[0], POINTS[2], atol=1e-12)
    # Nothing is known of what is far away, on either side of the rest.
    far = rest + 20 * (POINTS.mean(axis=0) - rest)
    np.testing.assert_allclose(apply(network, far[None])[0], rest, atol=1e-12)


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_states_that_are_on_together_extinguish_each_other(kind: str) -> None:
    network = BUILD[kind](POINTS, fallback=POINTS[2])
    rest = np.asarray(network.biases[-1]).reshape(POINTS.shape[1:])
    draw = np.random.default_rng(0)
    weights = draw.random((200, 6))
    weights[:20] = 1.0  # all of them at once
    weights[20:26] = np.eye(6) + 0.3 * np.roll(np.eye(6), 1, axis=1)  # one is ahead
    state = rest + np.tensordot(weights, POINTS - rest, 1)
    for _ in range(30):
        state = apply(network, state)
    apart = np.abs(state[:, None] - POINTS[None]).reshape(200, 6, -1).max(axis=2)
    assert apart.min(axis=1).max() < 1e-9
    assert apart[20:26].argmin(axis=1).tolist() == list(range(6))
    plain = BUILD[kind](POINTS)
    both = apply(plain, (POINTS[:1] + POINTS[1:2] - POINTS.mean(axis=0)))
    assert np.abs(both[:, None] - POINTS[None]).reshape(6, -1).max(axis=1).min() > 0.01  # not so without a fallback


def test_a_lead_where_the_examples_leave_no_room() -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    network = margin(corners, fallback=corners[2])
    assert network.widths == (8,)
    np.testing.assert_allclose(apply(network, corners), corners, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(network.biases[-1]), corners[2])


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_a_rest_takes_one_dimension_that_the_examples_leave(kind: str) -> None:
    """As many examples as entries, whose affine span is a hyperplane; and more than entries, all of them in a plane."""
    simplex = np.eye(5)
    network = BUILD[kind](simplex, fallback=simplex[1])
    assert network.widths == (12,)
    np.testing.assert_allclose(apply(network, simplex), simplex, atol=1e-9)
    rest = np.asarray(network.biases[-1])
    np.testing.assert_allclose(apply(network, rest[None])[0], simplex[1], atol=1e-9)
    circle = np.zeros((7, 4))
    angle = 2 * np.pi * np.arange(7) / 7
    circle[:, 1], circle[:, 2] = 0.5 + np.cos(angle), np.sin(angle)
    network = BUILD[kind](circle, fallback=circle[1])
    assert network.widths == (16,)
    rest = np.asarray(network.biases[-1])
    np.testing.assert_allclose((circle - circle.mean(axis=0)) @ (rest - circle.mean(axis=0)), 0, atol=1e-10)
    alone = BUILD[kind](simplex[:1], fallback=simplex[0])
    assert alone.widths == (4,)
    np.testing.assert_allclose(apply(alone, simplex[:1]), simplex[:1], atol=1e-12)


def test_noise_leads_into_a_film_and_not_to_an_example() -> None:
    cues = np.random.default_rng(2).uniform(size=(20, *POINTS.shape[1:]))
    film = ax.store(ax.Patterns.from_cycles([POINTS[:2], POINTS[2:]]), writer=ax.Constructed(), key=jr.key(0))
    assert film.written["fallback"] == 2  # the longest cycle begins there
    assert ax.recall(film, cues).recovered.all()
    way = ax.Patterns.from_sequences([POINTS], end="hold")
    held = ax.store(way, writer=ax.Constructed(), key=jr.key(0))
    assert held.written["fallback"] == 0
    assert ax.recall(held, cues).recovered.all()
    examples = ax.store(POINTS, writer=ax.Constructed(), key=jr.key(0))
    assert examples.written["fallback"] is None
    assert not ax.recall(examples, np.full((1, *POINTS.shape[1:]), 0.5)).recovered.any()
    chosen = ax.store(POINTS, writer=ax.Constructed("pseudoinverse", fallback=4), key=jr.key(0))
    assert ax.recall(chosen, POINTS.mean(axis=0)[None]).index[0] == 4


def test_a_fallback_that_is_no_state() -> None:
    with pytest.raises(ValueError, match="fallback must be one finite state"):
        margin(POINTS, fallback=POINTS)
    with pytest.raises(ValueError, match="fallback must be an integer of at least 0 and at most 5; got 6"):
        ax.store(POINTS, writer=ax.Constructed(fallback=6), key=jr.key(0))
    with pytest.raises(ValueError, match="fallback must be"):
        ax.Constructed(fallback=-1)


def test_the_pseudoinverse_has_the_least_functions_that_tell_examples_apart() -> None:
    network = pseudoinverse(POINTS)
    slopes, offsets = np.asarray(network.weights[0])[:6] / 2, (np.asarray(network.biases[0])[:6] + 0.5) / 2
    flat = POINTS.reshape(6, -1)
    np.testing.assert_allclose(slopes @ flat.T + offsets[:, None], np.eye(6), atol=1e-10)
    # Least: no part of a gradient lies outside the span of the differences.
    differences = flat - flat.mean(axis=0)
    rest = slopes - slopes @ np.linalg.pinv(differences) @ differences
    assert np.abs(rest).max() < 1e-10


def test_margins_are_wider() -> None:
    narrow, wide = pseudoinverse(POINTS), margin(POINTS)
    norms = [np.linalg.norm(np.asarray(network.weights[0])[:6], axis=1) for network in (narrow, wide)]
    assert (norms[1] <= norms[0] * (1 + 1e-3)).all()
    assert norms[1].mean() < norms[0].mean()
    # Hard margins: 1 at the example itself, at most 0 at the others.
    flat = POINTS.reshape(6, -1)
    values = (flat @ np.asarray(wide.weights[0])[:6].T + np.asarray(wide.biases[0])[:6] + 0.5) / 2
    np.testing.assert_allclose(np.diagonal(values), 1, atol=1e-3)
    assert (values - 2 * np.eye(6)).max() < 1e-3


MANY = np.random.default_rng(1).normal(size=(80, 60))
"""More than a margin is computed for at first."""


def test_margins_among_many_are_as_wide_as_of_the_whole_problem() -> None:
    network = margin(MANY)
    slopes, offsets = np.asarray(network.weights[0])[:80] / 2, (np.asarray(network.biases[0])[:80] + 0.5) / 2
    values = MANY @ slopes.T + offsets
    np.testing.assert_allclose(np.diagonal(values), 1, atol=1e-3)
    assert (values - 2 * np.eye(len(MANY))).max() < 1e-3
    for index in range(0, len(MANY), 10):
        whole = SVC(C=1e6, kernel="linear", tol=1e-5).fit(MANY, np.arange(len(MANY)) == index)
        assert np.linalg.norm(slopes[index]) == pytest.approx(np.linalg.norm(whole.coef_) / 2, rel=1e-3)


def test_single_examples_and_pairs() -> None:
    for count in (1, 2):
        for kind in CONSTRUCTIONS:
            memory = ax.store(POINTS[:count], writer=ax.Constructed(kind), key=jr.key(0))
            assert memory.certificate.all_attractors
            np.testing.assert_allclose(memory.examples().points, POINTS[:count], atol=1e-9)


def test_what_cannot_be_told_apart_is_reported() -> None:
    """The middle of three points on a line lies inside the hull of the others."""
    line = np.array([[0.0, 0.0], [0.3, 0.3], [1.0, 1.0]])
    for kind in CONSTRUCTIONS:
        memory = ax.store(line, writer=ax.Constructed(kind), key=jr.key(0))
        assert memory.status in ("loss_not_reached", "not_all_certified")
        assert not memory.certificate.all_attractors


def test_more_examples_than_entries() -> None:
    """Points on a circle are corners of their hull, so margins exist where affine independence does not."""
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert ax.store(circle, writer=ax.Constructed("margin"), key=jr.key(0)).certificate.all_attractors
    assert not ax.store(circle, writer=ax.Constructed("pseudoinverse"), key=jr.key(0)).certificate.all_attractors


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_spare_units_change_nothing_at_first(kind: str) -> None:
    made = (margin if kind == "margin" else pseudoinverse)(POINTS)
    start = constructed_start(kind, POINTS, spare=7, key=jr.key(0))
    assert start.widths == (2 * len(POINTS) + 7,)
    assert {np.asarray(array).dtype for array in (*start.weights, *start.biases)} == {np.dtype(np.float32)}
    cues = ax.corrupt("gaussian:0.3", POINTS, key=jr.key(1))
    np.testing.assert_allclose(apply(start, cues), apply(made, cues), atol=1e-4)


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_a_construction_is_a_start_for_training(kind: str) -> None:
    begin = constructed_start(kind, POINTS, spare=4, key=jr.key(0))
    memory = ax.store(POINTS, begin, writer=ax.Gradient(noise=0.05, epochs=50, learning_rate=1e-4), key=jr.key(0))
    assert memory.certificate.all_attractors
    assert memory.map.widths == (2 * len(POINTS) + 4,)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="kind must be"):
        ax.Constructed("svm")
    with pytest.raises(ValueError, match="start must be one of"):
        constructed_start("svm", POINTS, key=jr.key(0))
    with pytest.raises(ValueError, match="makes its own network"):
        ax.store(POINTS, margin(POINTS), writer=ax.Constructed(), key=jr.key(0))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    solved = list[int]()
    separated = _construct._separated
    monkeypatch.setattr(_construct, "_separated", lambda *a: (solved.append(a[1]), separated(*a))[1])
    return solved


def test_a_changed_margin_is_that_of_all_examples_and_only_what_changed_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(0)
    points = draw.normal(size=(90, 30)) * np.linspace(0.1, 3, 30)
    before = margin(points[:80])
    solved = counted(monkeypatch)
    for kept, changed in (
        (range(80), points[:81]),
        ([0, *range(2, 80)], np.delete(points[:80], 1, axis=0)),
        (range(40, 80), points[40:]),
        ([], points[80:]),
    ):
        solved.clear()
        found = changed_margin(before, points[:80], list(kept), changed)
        if len(changed) in (79, 81):
            assert len(solved) < 60
        assert len(solved) >= len(changed) - len(list(kept))
        whole = margin(changed)
        for one, other in zip((*found.weights, *found.biases), (*whole.weights, *whole.biases), strict=True):
            np.testing.assert_allclose(one, other, atol=5e-3 * np.abs(other).max())


def test_of_another_network_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    before, solved = margin(POINTS, fallback=POINTS[0]), counted(monkeypatch)
    others = (before, margin(POINTS[::-1]), margin(POINTS[:4]), ax.maps.mlp((4, 5), width=12, depth=1, key=jr.key(0)))
    for network in others:
        solved.clear()
        found = changed_margin(network, POINTS, range(6), POINTS)
        assert ax.certify(ax.Memory(found, ax.Patterns.from_examples(POINTS))).all_attractors
    assert sorted(solved) == [*range(6)]


def test_nothing_of_another_construction_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    before, solved = ax.store(POINTS, writer=ax.Constructed("pseudoinverse"), key=jr.key(0)), counted(monkeypatch)
    ax.forget(before, [0], writer=ax.Constructed("margin"), key=jr.key(0))
    assert sorted(solved) == [*range(5)]


def test_margins_are_those_after_many_changes() -> None:
    draw = np.random.default_rng(3)
    points = draw.normal(size=(24, 12))
    memory = ax.store(points[:12], writer=ax.Constructed("margin"), key=jr.key(0))
    for number, point in enumerate(points[12:]):
        memory = ax.add(memory, point[None], key=jr.key(number)).memory
        memory = ax.forget(memory, [0], key=jr.key(number)).memory
    whole = margin(points[12:])
    np.testing.assert_allclose(memory.map.weights[0], whole.weights[0], atol=1e-2 * np.abs(whole.weights[0]).max())
    assert len(memory.examples()) == 12
