"""Pairs: how they are made of cues and targets, and how recall takes one part for the other."""

from pathlib import Path

import equinox as eqx
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.sources import decode_words, encode_words
from attrax.training import objective

RNG = np.random.default_rng(0)
PICTURES = RNG.random((3, 4, 5)).astype(np.float32)
WORDS = ("one", "two", "three")


@pytest.fixture(scope="module")
def pairs() -> ax.Patterns:
    return ax.Patterns.from_pairs(PICTURES, encode_words(WORDS).values, names=WORDS)


@pytest.fixture(scope="module")
def memory(pairs: ax.Patterns) -> ax.Memory:
    return ax.store(pairs, writer=ax.Constructed("margin"), key=jr.key(0))


def test_a_pair_is_the_cue_and_then_the_target(pairs: ax.Patterns) -> None:
    letters = encode_words(WORDS)
    assert pairs.parts == ((4, 5), letters.values.shape[1:])
    assert pairs.cue_shape == (4, 5)
    first, second = pairs.split(pairs.points)
    np.testing.assert_array_equal(first, PICTURES)
    assert decode_words(second, letters.letters) == WORDS
    np.testing.assert_array_equal(pairs.as_states(PICTURES)[:, :20], PICTURES.reshape(3, -1))
    np.testing.assert_allclose(pairs.as_states(PICTURES)[1, 20:], pairs.points[:, 20:].mean(axis=0))
    np.testing.assert_array_equal(pairs.as_states(second)[:, 20:], second.reshape(3, -1))
    assert "pairs" in repr(pairs)


def test_equal_pairs_are_merged_and_contradictions_refused() -> None:
    twice = np.stack([PICTURES[0], PICTURES[1], PICTURES[0]])
    assert len(ax.Patterns.from_pairs(twice, np.array([[1.0], [2.0], [1.0]]))) == 2
    with pytest.raises(ValueError, match="pair c has the cue of pair a and another target"):
        ax.Patterns.from_pairs(twice, np.array([[1.0], [2.0], [3.0]]), names=["a", "b", "c"])
    with pytest.raises(ValueError, match="targets must be one for each of the 3 cues; got 2"):
        ax.Patterns.from_pairs(twice, np.zeros((2, 1)))
    with pytest.raises(ValueError, match="targets must be finite"):
        ax.Patterns.from_pairs(twice, np.full((3, 1), np.nan))
    with pytest.raises(ValueError, match="parts must be the two shapes"):
        ax.Patterns(np.zeros((2, 5)), np.arange(2), parts=((2,), (2,)))
    with pytest.raises(ValueError, match="not pairs"):
        ax.Patterns.from_examples(twice).split(twice)


def test_either_part_recalls_the_other(memory: ax.Memory, pairs: ax.Patterns) -> None:
    assert memory.certificate is not None
    assert memory.certificate.all_attractors
    noisy = PICTURES[::-1] + 0.02
    answer = ax.recall(memory, noisy, expected=np.array([2, 1, 0]))
    assert answer.recovered.all()
    assert answer.held is not None
    assert decode_words(pairs.split(answer.value)[1], encode_words(WORDS).letters) == WORDS[::-1]
    back = ax.recall(memory, encode_words(WORDS).values)
    np.testing.assert_allclose(pairs.split(back.value)[0], PICTURES, atol=1e-6)
    # A part of the cue: the rest of it is unknown as well.
    part = ax.recall(memory, np.where(np.arange(5) < 4, PICTURES, np.nan), known="left:0.8")
    assert part.index.tolist() == [0, 1, 2]


def test_corruptions_are_those_of_the_cue(memory: ax.Memory) -> None:
    found = ax.recovery(memory, "occlude:0.25", known="auto", key=jr.key(0))
    assert found.cues.shape == PICTURES.shape
    assert found.recovery_rate == 1.0
    assert set(found.neighbor_rates.values()) == {1.0}


def test_a_file_of_pairs_and_a_pair_added_later(memory: ax.Memory, tmp_path: Path) -> None:
    assert memory.patterns is not None
    loaded = ax.load(ax.save(tmp_path / "pairs.attrax", memory))
    assert loaded.patterns is not None
    assert loaded.patterns.parts == memory.patterns.parts
    fresh = np.concatenate([RNG.random(20), memory.patterns.points[0, 20:]])[None]
    change = ax.add(memory, fresh, names=["uno"], key=jr.key(1))
    assert change.accepted
    assert change.memory.patterns is not None
    assert change.memory.patterns.parts == memory.patterns.parts
    assert ax.forget(change.memory, ["two"], key=jr.key(2)).memory.examples().parts == memory.patterns.parts


def test_training_corrupts_the_cue_and_hides_the_target(pairs: ax.Patterns) -> None:
    goal = objective(
        corruptions=ax.Augmentation(corruptions=("occlude:1",)).parsed((4, 5)),
        pictures=pairs.points,
        parts=pairs.parts,
        dtype=np.dtype(np.float32),
    )
    rows = np.repeat(np.arange(3), 100)
    middle, stored = pairs.points.mean(axis=0), pairs.points[rows]
    disturb = eqx.filter_jit(type(goal).disturb)
    drawn = np.asarray(disturb(goal, None, stored.astype(np.float32), rows, jr.key(0))[0])
    backwards = np.isclose(drawn[:, 20:], stored[:, 20:]).all(axis=1)
    assert 10 < backwards.sum() < 60  # of 300, a tenth
    np.testing.assert_allclose(drawn[backwards, :20], np.broadcast_to(middle[:20], (backwards.sum(), 20)), rtol=1e-6)
    there = drawn[~backwards]
    np.testing.assert_allclose(there[:, 20:], np.broadcast_to(middle[20:], there[:, 20:].shape), rtol=1e-6)
    changed = there[:, :20] != stored[~backwards, :20]
    np.testing.assert_array_equal(there[:, :20][changed], 0.0)
    assert 0.3 < changed.mean() < 0.7
