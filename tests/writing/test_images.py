"""What the map does to the stored points is computed once, for the loss and for the certificates."""

import warnings
from dataclasses import fields
from typing import Any

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.dynamics import refine_each
from attrax.maps import Images, each_row, linearizer
from attrax.maps.mlp import _inhibition  # how many states go through all scores

COUNT = 120
POINTS = np.random.default_rng(0).random((COUNT, 12))
SHOWN = ("residual", "moved", "distance", "distance_error", "period", "verdict", "reason", "upper_bound")


def network(targets: np.ndarray | None = None, points: np.ndarray = POINTS) -> ax.maps.MLP:
    scores = ax.training.encoder(points, widths=(2 * COUNT,), key=jr.key(0))
    return ax.training.winner_take_all_network(scores, points, targets)


def found(images: Images, points: np.ndarray) -> list[bool]:
    return [images.linearization(point) is not None for point in points]


def test_they_are_the_values_and_linearizations_that_each_gives_alone() -> None:
    made = network()
    images = Images(made, POINTS)
    np.testing.assert_array_equal(images.values, each_row(made, POINTS))
    for point, expected in zip(POINTS, linearizer(made).constant_at(POINTS), strict=True):
        one = images.linearization(point)
        assert one is not None
        assert one.enclosure_radius == expected.enclosure_radius


def test_states_of_cycles_have_values_but_no_linearization_of_a_fixed_point() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:50], *([one] for one in POINTS[50:])])
    made = network(POINTS[patterns.successor])
    images = Images(made, POINTS)
    np.testing.assert_array_equal(images.values, each_row(made, POINTS))
    assert found(images, POINTS) == [False] * 50 + [True] * (COUNT - 50)


def test_where_another_score_wins_there_is_a_value_all_the_same() -> None:
    """Two examples exchange their pictures, and no longer are fixed points."""
    swapped = POINTS.copy()
    swapped[[3, 7]] = POINTS[[7, 3]]
    images = Images(network(swapped), POINTS)
    np.testing.assert_allclose(images.values, swapped, atol=1e-6)
    assert [number for number, one in enumerate(found(images, POINTS)) if not one] == [3, 7]


@pytest.mark.parametrize("apart", [1e-16, 1e-15, 1e-13])
def test_near_duplicates_are_recorded_as_they_are_without_images(apart: float) -> None:
    """Several scores lead, and there is no linearization."""
    random = np.random.default_rng(5)
    points = random.standard_normal((COUNT, 5))
    points[:5] = points[5:10] + apart * random.standard_normal((5, 5))
    memory = ax.store(points, writer=ax.WinnerTakeAll(epochs=0, width=2 * COUNT), key=jr.key(0))
    assert memory.certificate is not None
    np.testing.assert_array_equal(Images(memory.map, points).values, each_row(memory.map, points))
    alone = ax.writing.refine_and_certify(ax.Memory(memory.map, ax.Patterns.from_examples(points))).certificate
    assert alone is not None
    assert not alone.all_attractors
    for name in SHOWN:
        np.testing.assert_array_equal(getattr(memory.certificate, name), getattr(alone, name), name)


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


def test_images_of_a_map_say_nothing_about_another_one() -> None:
    """x ↦ 2x sends the origin to itself, and all states near it away."""
    eye = np.eye(12)
    away = ax.maps.MLP((np.concatenate([2 * eye, -2 * eye]), np.hstack([eye, -eye])), (None, None), (12,), "relu")
    points = POINTS - POINTS[0]
    sure = Images(network(points=points), points)
    assert found(sure, points[:1]) == [True]
    memory = ax.Memory(away, ax.Patterns.from_examples(points))
    made = refine_each(away, [one[None] for one in points])
    for wrong in (sure, Images(ax.maps.MLP(away.weights, away.biases, (12,), "relu"), points), points):
        with pytest.raises(ValueError, match="the memory's own map"):
            ax.certify(memory, refined=made, images=wrong)  # type: ignore[arg-type]  # what is refused
    assert "linear" not in dir(made[0])
    assert ax.certify(memory, refined=made, images=Images(away, points)).verdict[0].value != "attractor"


def test_what_is_known_of_a_state_is_not_known_of_what_replaced_it() -> None:
    points = POINTS.copy()
    made = network(points=points)
    images = Images(made, points)
    points += 1e-3
    assert images.values_at(points) is None
    assert not any(found(images, points))
    certified = ax.writing.refine_and_certify(ax.Memory(made, ax.Patterns.from_examples(points)), images=images)
    np.testing.assert_allclose(certified.examples().points, POINTS, atol=1e-9)
    assert certified.certificate is not None
    assert {str(one) for one in certified.certificate.verdict} == {"displaced"}


@pytest.mark.parametrize("scale", [1e160, 1e300])
def test_values_beyond_the_range_of_numbers_are_no_warnings(scale: float) -> None:
    made: Any = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = Images(made, scale * POINTS)
        np.testing.assert_array_equal(images.values, each_row(made, scale * POINTS))


def test_nothing_but_numbers_is_kept_of_what_was_linearized() -> None:
    """No linearization holds a table alive: certifying takes no second one of all values."""
    images = Images(network(), POINTS)
    for point in POINTS:
        one = images.linearization(point)
        assert one is not None
        assert one.product is not None
        assert one.product.matrix.size < 12
        assert not any(isinstance(getattr(one, part.name), np.ndarray) for part in fields(one))


@pytest.mark.parametrize("size", [1e-300, 1e155])
def test_examples_whose_squares_are_no_numbers_are_refused(size: float) -> None:
    with pytest.raises(ValueError, match=r"from 1e-150 to 1e\+150 .*Divide them"):
        ax.store(size * POINTS, writer=ax.WinnerTakeAll(epochs=0), key=jr.key(0))
