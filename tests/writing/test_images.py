"""What the map does to the stored points is computed once, for the loss and for the certificates."""

from dataclasses import replace

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.maps import each_row, linearizer
from attrax.maps.mlp import _inhibition  # how many states go through all scores
from attrax.writing import refine_and_certify
from attrax.writing._images import images_at  # what of it is linearized

COUNT = 90
POINTS = np.random.default_rng(0).random((COUNT, 12))


def network(targets: np.ndarray | None = None) -> ax.maps.MLP:
    scores = ax.training.encoder(POINTS, widths=(2 * COUNT,), key=jr.key(0))
    return ax.training.winner_take_all_network(scores, POINTS, targets)


def test_they_are_the_values_and_linearizations_that_each_gives_alone() -> None:
    made = network()
    images, found = images_at(made, ax.Patterns.from_examples(POINTS))
    np.testing.assert_array_equal(images, each_row(made, POINTS))
    expected = linearizer(made).constant_at(POINTS)
    assert [one.enclosure_radius for one in found] == [one.enclosure_radius for one in expected]


def test_states_of_cycles_have_values_but_no_linearization_of_a_fixed_point() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:50], *([one] for one in POINTS[50:])])
    made = network(POINTS[patterns.successor])
    images, found = images_at(made, patterns)
    np.testing.assert_array_equal(images, each_row(made, POINTS))
    assert found[:50] == [None] * 50
    assert None not in found[50:]


def test_where_another_score_wins_there_is_a_value_all_the_same() -> None:
    """Two examples exchange their pictures, and no longer are fixed points."""
    swapped = POINTS.copy()
    swapped[[3, 7]] = POINTS[[7, 3]]
    images, found = images_at(network(swapped), ax.Patterns.from_examples(POINTS))
    np.testing.assert_allclose(images, swapped, atol=1e-6)
    assert [number for number, one in enumerate(found) if one is None] == [3, 7]


def test_storing_compares_each_example_with_all_scores_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    inhibited = _inhibition._Scores.inhibited

    def counted(scores: object, inputs: np.ndarray, *rest: object) -> object:
        seen.append(len(inputs))
        return inhibited(scores, inputs, *rest)

    monkeypatch.setattr(_inhibition._Scores, "inhibited", counted)
    memory = ax.store(POINTS, writer=ax.WinnerTakeAll(epochs=0), key=jr.key(0))
    assert memory.certificate is not None
    assert memory.certificate.all_attractors
    assert sum(seen) == COUNT
    assert (ax.certify(memory).distance_error == memory.certificate.distance_error).all()
    assert sum(seen) == 2 * COUNT


def test_a_linearization_says_nothing_about_a_point_that_moves() -> None:
    """The points are 1e-6 away from the fixed points, and what is claimed of them is wrong."""
    made = network()
    patterns = ax.Patterns.from_examples(POINTS + 1e-6)
    wrong = [replace(one, enclosure_radius=1e9) for one in linearizer(made).constant_at(POINTS)]
    found = refine_and_certify(ax.Memory(made, patterns), linearizations=wrong, recovery_atol=1e-3)
    assert found.certificate is not None
    assert found.certificate.all_attractors
    assert found.certificate.moved.max() == 0
    assert (found.certificate.distance > 1e-6).all()
    assert found.certificate.distance_error.max() < 1e-6
