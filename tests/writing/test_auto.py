"""The writer that chooses: what it tries, what binds it, and what it says when it fails."""

from functools import partial

import jax.random as jr
import numpy as np
import pytest

import attrax as ax

POINTS = np.random.default_rng(0).uniform(size=(8, 4, 4)).astype(np.float32)
PATTERNS = ax.Patterns.from_examples(POINTS)
# What is tried is tested here, not how long it trains: with four examples and one epoch, all tests compile it once.
SHORT = {"epochs": 1, "corruptions": ("gaussian:0.2",)}


def with_twin(points: np.ndarray) -> np.ndarray:
    """The points, and the last of them once more with one value changed in its last bit: recall can't tell the two."""
    twin = points[-1:].copy()
    twin[0, 0, 0] = np.nextafter(twin[0, 0, 0], np.float32(1))
    return np.concatenate([points, twin])


def kinds(writer: ax.Auto, network=None) -> list[str]:
    return [type(attempt).__name__ for attempt in writer.attempts(network, PATTERNS)]


def test_it_stops_at_the_first_attempt_that_holds() -> None:
    memory = ax.store(POINTS[:4], writer=ax.Auto(**SHORT), key=jr.key(0))
    assert memory.certificate.all_attractors
    assert [attempt["writer"] for attempt in memory.written["attempts"]] == ["winner_take_all"]
    assert memory.written["attempts"][0]["attractors"] == 4
    assert memory.written["chosen_by"] == "auto"
    assert "failed" not in memory.written


def test_kfac_binds_it_like_any_other_optimizer() -> None:
    assert kinds(ax.Auto(optimizer="kfac")) == ["Gradient", "Gradient"]
    chosen = ax.Auto(optimizer="kfac").attempts(None, PATTERNS)
    assert [attempt.training.optimizer for attempt in chosen] == ["kfac"] * 2


def test_it_is_the_default() -> None:
    memory = ax.store(POINTS[:1], key=jr.key(0))  # a single example takes no training
    assert memory.written["chosen_by"] == "auto"
    assert memory.certificate.all_attractors


def test_what_is_given_binds_every_attempt() -> None:
    assert kinds(ax.Auto()) == ["WinnerTakeAll", "WinnerTakeAll", "Constructed"]
    assert kinds(ax.Auto(noise=0.1)) == ["WinnerTakeAll", "WinnerTakeAll"]
    assert kinds(ax.Auto(adversarial_deviation=0.1)) == ["Gradient", "Gradient", "Gradient"]
    assert kinds(ax.Auto(adversarial_deviation=0.1, optimizer="adam")) == ["Gradient", "Gradient"]
    recipe = partial(ax.maps.mlp, width=32, depth=2)
    writer = ax.Auto(corruptions=("drop:0.3",), epochs=7, coordinates=0.5)
    for attempt in writer.attempts(recipe, PATTERNS):
        assert attempt.augmentation.corruptions == ("drop:0.3",)
        assert attempt.training.coordinates == 0.5
    bare = partial(ax.maps.mlp, width=32, depth=2, bias=False)
    assert ax.Auto().attempts(bare, PATTERNS)[0].training.coordinates is None


@pytest.mark.parametrize("recipe", [None, partial(ax.maps.mlp, width=32, depth=2)])
def test_the_second_attempt_trains_for_longer(recipe) -> None:
    first, second, *_ = ax.Auto().attempts(recipe, PATTERNS)
    assert 0 < planned(first) < planned(second)
    attempts = ax.Auto(epochs=7).attempts(recipe, PATTERNS)
    assert [attempt.training.epochs for attempt in attempts] == [7, 14, 7][: len(attempts)]
    listed = ax.Auto([first, second], epochs=7).attempts(recipe, PATTERNS)
    assert [attempt.training.epochs for attempt in listed] == [7, 7]


def planned(writer) -> int:
    return writer.planned_epochs(PATTERNS) if isinstance(writer, ax.WinnerTakeAll) else writer.epochs_limit()


def test_deviations_that_are_given_bind_the_second_attempt_too() -> None:
    chosen = ax.Auto(adversarial_deviation=0.1).attempts(None, PATTERNS)
    assert [attempt.augmentation.adversarial_deviation for attempt in chosen] == [0.1] * 3
    first, second, third = ax.Auto().attempts(partial(ax.maps.mlp, width=32, depth=2), PATTERNS)
    assert first.augmentation.adversarial_deviation is third.augmentation.adversarial_deviation is None
    assert second.augmentation.adversarial_deviation > 0


def test_a_given_network_is_trained_itself() -> None:
    recipe = partial(ax.maps.mlp, width=64, depth=2, activation="tanh", init="kaiming_uniform")
    memory = ax.store(POINTS[:4], recipe, writer=ax.Auto(epochs=400, noise=0.1), key=jr.key(0))
    assert memory.map.widths == (64, 64)
    assert memory.map.activation == "tanh"
    assert memory.written["attempts"][0]["writer"] == "gradient"


def test_when_it_cannot_it_names_who_failed_and_the_closest_pair() -> None:
    twins = with_twin(POINTS[:3])
    memory = ax.store(twins, writer=ax.Auto(**SHORT), key=jr.key(0))
    assert memory.status == "not_all_certified"
    assert len(memory.written["attempts"]) > 1
    assert set(memory.written["failed"]) <= {2, 3}
    assert memory.written["failed"]
    assert memory.written["closest_pair"]["examples"] == [2, 3]
    assert memory.written["closest_pair"]["distance"] == pytest.approx(np.linalg.norm(twins[3] - twins[2]), rel=1e-6)


def test_no_attempt_starts_after_the_time_limit() -> None:
    twins = with_twin(POINTS[:3])
    memory = ax.store(twins, writer=ax.Auto(time_limit=0.01, **SHORT), key=jr.key(0))
    assert len(memory.written["attempts"]) == 1
    assert memory.written["time_limit"] == 0.01


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="time_limit must be"):
        ax.Auto(time_limit=-1)
    with pytest.raises(ValueError, match="noise must be"):
        ax.Auto(noise=-1.0)
