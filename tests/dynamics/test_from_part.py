"""Recall from a part of the cue, on maps where the held iteration has a known answer."""

from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import around, linear, straight

import attrax as ax
from attrax.corruptions import known_mask


def test_the_held_fixed_point_of_a_linear_map_and_what_becomes_of_it() -> None:
    # x₀ is held at 2, so x₁ = 0.5·2 + 0.25·x₁ in the limit. Released, it falls to the only fixed point.
    memory = around(linear([[0.1, 0.3], [0.5, 0.25]]), [0.0, 0.0])
    answer = ax.recall(memory, np.array([[2.0, np.nan]]), known=np.array([True, False]))
    assert answer.held is not None
    np.testing.assert_allclose(answer.held.value, [[2.0, 1.0 / 0.75]], atol=1e-7)
    assert str(answer.held.status[0]) == "converged"
    assert answer.index.tolist() == [0]
    assert min(answer.held.num_steps[0], answer.num_steps[0]) > 1


def test_a_stable_map_can_be_unstable_where_a_part_is_held() -> None:
    # ρ = √0.08 < 1, but the entry that is left free has slope 1.2 by itself.
    matrix = np.array([[-1.1, 1.4], [-1.0, 1.2]])
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(np.sqrt(0.08))
    answer = ax.recall(around(linear(matrix), [0.0, 0.0]), np.array([[0.5, 0.0]]), known=np.array([True, False]))
    assert answer.held is not None
    assert str(answer.held.status[0]) == "diverged"


def test_the_unknown_part_begins_at_the_mean_whatever_the_cue_says_there() -> None:
    def stays(x: Any) -> Any:
        return x

    memory = around(stays, [0.0, 0.0, 2.0], [1.0, 4.0, 4.0])
    cues = np.array([[1.0, 99.0, -7.0], [np.nan, 4.0, np.inf]])
    masks = np.array([[True, False, False], [False, True, False]])
    answer = ax.recall(memory, cues, known=masks)
    assert answer.value.tolist() == [[1.0, 2.0, 3.0], [0.5, 4.0, 3.0]]
    one = ax.recall(memory, cues[:1], known=masks[0])
    assert one.value.tolist() == answer.value[:1].tolist()
    assert ax.recall(memory, cues[:1]).held is None


def test_the_known_part_of_a_cycle_is_put_back_when_the_cycle_comes_round() -> None:
    # Three states of four entries, shifted by one each step; what is lost on the way is lost.
    film = np.eye(4)[:3]
    shift = np.zeros((4, 4))
    shift[[1, 2, 0], [0, 1, 2]] = 1.0
    memory = ax.Memory(lambda x: jnp.asarray(shift) @ (x > 0.6), ax.Patterns.from_cycles([film]))
    cue = np.array([[np.nan, 1.0, np.nan, np.nan]])
    answer = ax.recall(memory, cue, known=~np.isnan(cue))
    assert answer.held is not None
    assert answer.held.num_steps[0] % 3 == 0
    assert (int(answer.entry[0]), int(answer.phase[0]), int(answer.period[0])) == (1, 1, 3)
    # Put back after each step, the entry would make the state all ones.
    np.testing.assert_array_equal(answer.held.value, film[1:2])


def test_what_never_comes_back_is_completed_but_not_held() -> None:
    states = np.eye(3)
    path = np.zeros((3, 3))
    path[[1, 2, 2], [0, 1, 2]] = 1.0
    memory = ax.Memory(linear(path), ax.Patterns.from_sequences([states], end="hold"))
    answer = ax.recall(memory, states[:1], known=np.array([True, True, True]))
    assert answer.held is None
    assert answer.entry.tolist() == [0]
    long = ax.Memory(straight(-1), ax.Patterns.from_cycles([np.array([[1.0], [-1.0]])]))
    assert ax.recall(long, np.ones((1, 1)), known=np.array([True]), max_steps=1).held is None


def test_masks_of_single_frames_and_of_sides() -> None:
    film = np.random.default_rng(0).random((4, 3, 2))
    patterns = ax.Patterns.from_sequences([film], context=2)
    memory = ax.Memory(straight(1), patterns)
    answer = ax.recall(memory, film[:1], known="left:0.5", max_steps=8)
    # The first column of both frames is the cue's, the second one that of the mean.
    middle = patterns.points.mean(axis=0)
    assert answer.held is not None
    np.testing.assert_allclose(answer.held.value[0, :, 0], np.repeat(film[0, :, :1], 2, axis=1))
    np.testing.assert_allclose(answer.held.value[0, :, 1], middle[:, 1])


def poor(points: np.ndarray, targets: np.ndarray | None = None) -> ax.maps.MLP:
    """A winner-take-all network of which nothing but the last stage is any good: its scores are drawn at random."""
    return ax.training.winner_take_all_network(ax.training.encoder(points, widths=[4], key=jr.key(3)), points, targets)


def test_a_map_that_can_complete_states_does_so_from_a_given_part() -> None:
    pictures = np.random.default_rng(0).random((6, 4, 4))
    memory = around(poor(pictures), *pictures)
    # Unless all is known, in which case the map answers alone.
    whole = ax.recall(memory, pictures, known="upper:1")
    assert whole.held is not None
    np.testing.assert_array_equal(whole.held.value, pictures)
    assert whole.value.tolist() == ax.recall(memory, pictures).value.tolist()
    found = ax.recall(memory, pictures, known="left:0.25")
    assert found.held is not None
    np.testing.assert_allclose(found.held.value, pictures, atol=1e-12)
    assert {str(status) for status in found.held.status} == {"converged"}


def test_a_state_of_a_cycle_is_completed_where_it_is_and_goes_on_from_there() -> None:
    film = np.random.default_rng(0).random((6, 4, 4))
    memory = ax.Memory(poor(film, np.roll(film, -1, axis=0)), ax.Patterns.from_cycles([film]))
    found = ax.recall(memory, film, known="lower:0.25", max_steps=5)
    assert found.held is not None
    np.testing.assert_allclose(found.held.value, film, atol=1e-12)


def test_the_cue_of_a_pair_may_be_damaged_so_only_the_map_decides() -> None:
    cues, targets = np.random.default_rng(0).random((2, 6, 4))
    pairs = ax.Patterns.from_pairs(cues, targets)
    memory = ax.Memory(poor(pairs.points), pairs)
    alone, told = ax.recall(memory, cues), ax.recall(memory, pairs.points, known=np.arange(8) < 4)
    assert told.held is not None
    np.testing.assert_allclose(told.held.value, pairs.points, atol=1e-12)
    assert alone.held is not None
    assert np.abs(alone.held.value - pairs.points).max() > 0.01


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ("upper:0.25", slice(0, 1), slice(None)),
        ("lower:0.5", slice(2, 4), slice(None)),
        ("left:0.01", slice(None), slice(0, 1)),
        ("right:1", slice(None), slice(None)),
    ],
)
def test_named_masks(text: str, rows: slice, columns: slice) -> None:
    wanted = np.zeros((4, 6, 3), bool)
    wanted[rows, columns] = True
    np.testing.assert_array_equal(known_mask(text, (4, 6, 3)), wanted)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (np.ones(2), "booleans of the shape of a state, .2,., or one such mask for each of the 3 cues; got float64"),
        (np.ones(3, bool), "got bool of shape .3,"),
        (np.ones((2, 2), bool), "got bool of shape .2, 2"),
        ("auto", "SIDE:F with a side of upper, lower, left, right"),
        ("upper:0", "above 0"),
        ("upper:half", "SIDE:F"),
        ("left:0.5", "no columns"),
    ],
)
def test_wrong_masks_are_refused_in_one_sentence(known: Any, words: str) -> None:
    memory = around(linear(np.eye(2) / 2), [0.0, 0.0])
    with pytest.raises(ValueError, match=words) as refused:
        ax.recall(memory, np.ones((3, 2)), known=known)
    assert str(refused.value).startswith("known")
    with pytest.raises(ValueError, match="where they are known, must be finite"):
        ax.recall(memory, np.full((1, 2), np.nan), known=np.array([True, False]))


def test_recovery_knows_what_the_corruption_left_and_the_rules_see_no_more() -> None:
    pictures = np.random.default_rng(0).random((3, 4, 4))
    flat = pictures.reshape(3, -1)

    def nearest_in_upper_half(x: Any) -> Any:
        gap = ((jnp.ravel(x)[:8] - jnp.asarray(flat)[:, :8]) ** 2).sum(axis=1)
        return jnp.asarray(pictures)[jnp.argmin(gap)]

    memory = around(nearest_in_upper_half, *pictures)
    found = ax.recovery(memory, "occlude:0.5", known="auto", key=jr.key(0))
    assert found.recovery_rate == 1.0
    assert found.told
    assert not ax.recovery(memory, "occlude:0.5", key=jr.key(0)).told
    assert found.recall.held is not None
    np.testing.assert_array_equal(found.recall.held.value, pictures)
    assert set(found.neighbor_rates.values()) == {1.0}
    with pytest.raises(ValueError, match="auto only where the corruption leaves some pixels as they are; gaussian:1"):
        ax.recovery(memory, "gaussian:1", known="auto", key=jr.key(0))
