"""Patterns: what they keep, what they merge and what they refuse."""

from typing import Any

import numpy as np
import pytest

import attrax as ax
from attrax import Patterns

RNG = np.random.default_rng(0)


# --- examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (4, 6, 5), (3, 4, 4, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_examples_are_cycles_of_length_one(shape: tuple, dtype: Any) -> None:
    examples = RNG.random(shape).astype(dtype)
    patterns = Patterns.from_examples(examples)
    assert len(patterns) == shape[0]
    assert patterns.shape == shape[1:]
    assert patterns.points.dtype == dtype
    assert np.array_equal(patterns.points, examples)
    assert np.array_equal(patterns.targets, examples)
    assert patterns.successor.tolist() == list(range(shape[0]))
    assert patterns.cycles == tuple((index,) for index in range(shape[0]))
    assert patterns.merged == ()


def test_duplicates_are_merged_into_the_first_and_reported() -> None:
    a, b, c = RNG.random((3, 2, 2))
    patterns = Patterns.from_examples(np.stack([a, b, a, c, b, a]))
    assert np.array_equal(patterns.points, np.stack([a, b, c]))
    assert patterns.successor.tolist() == [0, 1, 2]
    # Both are positions in what was given: c, the fourth there, is the third point.
    assert patterns.merged == ((2, 0), (4, 1), (5, 0))


def test_minus_zero_is_zero() -> None:
    patterns = Patterns.from_examples(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]]))
    assert len(patterns) == 2
    assert patterns.merged == ((1, 0),)
    with pytest.raises(ValueError, match="states 0 and 1"):
        Patterns.from_cycles([np.array([[0.0, 1.0], [-0.0, 1.0]])])


def test_next_to_equal_is_not_equal() -> None:
    one = np.array([0.5, 0.25])
    near = np.nextafter(one, 1.0)
    assert Patterns.from_examples(np.stack([one, near])).merged == ()
    assert Patterns.from_examples(np.stack([one, near]).astype(np.float32)).merged == ((1, 0),)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_whole_numbers_become_float32(dtype: Any) -> None:
    given = np.array([[0, 1, 1], [1, 0, 1], [0, 1, 1]], dtype)
    patterns = Patterns.from_examples(given)
    assert patterns.points.dtype == np.float32
    assert patterns.points.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    assert patterns.merged == ((2, 0),)
    assert given.dtype == dtype


def test_lists_and_strided_arrays_are_taken() -> None:
    assert Patterns.from_examples([[0.25, 0.5], [1.0, 0.0]]).points.dtype == np.float64
    wide = RNG.random((4, 6))
    for view in (wide[::2, ::-1], np.asfortranarray(wide), wide.T):
        patterns = Patterns.from_examples(view)
        assert np.array_equal(patterns.points, view)
        assert patterns.points.flags.c_contiguous


def test_the_callers_array_is_neither_changed_nor_kept() -> None:
    for given in (RNG.random((3, 2)), np.array([[0.5, -0.0], [0.5, 0.0]])):
        kept = given.copy()
        patterns = Patterns.from_examples(given)
        assert given.tobytes() == kept.tobytes()
        points = patterns.points.copy()
        given[:] = 7.0
        assert np.array_equal(patterns.points, points)
    cycle = RNG.random((3, 2))
    kept = cycle.copy()
    patterns = Patterns.from_cycles([cycle])
    assert np.array_equal(cycle, kept)
    cycle[:] = 7.0
    assert np.array_equal(patterns.points, kept)


WRONG = {
    "nan": (np.array([[0.0, 1.0], [np.nan, 0.0]]), "must be finite; state 1 holds NaN"),
    "infinity": (np.array([[np.inf, 1.0], [0.0, 0.0]]), "must be finite; state 0"),
    "minus infinity": (np.array([[0.0, 1.0], [0.0, 0.0], [0.0, -np.inf]], np.float32), "finite; state 2"),
    "no states": (np.zeros((0, 3)), r"at least one state.*\(0, 3\)"),
    "no entries": (np.zeros((3, 0)), r"at least one entry.*\(3, 0\)"),
    "no picture": (np.zeros((2, 0, 3)), "at least one state"),
    "one state": (np.zeros(3), r"states, one per row.*\(3,\).*write (examples|values)\[None\]"),
    "one number": (np.float64(3.0), "one per row"),
    "complex": (np.zeros((2, 2), complex), "real numbers; got dtype complex128"),
    "strings": (np.array([["a", "b"]]), "real numbers; got dtype <U1"),
    "objects": (np.array([[1, None]], object), "real numbers; got dtype object"),
    "dates": (np.zeros((2, 2), "datetime64[s]"), "real numbers; got dtype datetime64"),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
def test_wrong_states_are_refused_by_name(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match="examples .*" + words):
        Patterns.from_examples(given)
    with pytest.raises(ValueError, match="cycle 1 .*" + words):
        Patterns.from_cycles([np.ones((1, 2)), given])


# --- cycles --------------------------------------------------------------------------------------


def test_a_film_is_one_cycle() -> None:
    film = RNG.random((5, 2, 3))
    patterns = Patterns.from_cycles([film])
    assert patterns.successor.tolist() == [1, 2, 3, 4, 0]
    assert np.array_equal(patterns.targets, np.roll(film, -1, axis=0))
    assert patterns.cycles == ((0, 1, 2, 3, 4),)
    assert patterns.shape == (2, 3)


def test_cycles_of_several_lengths() -> None:
    given = [RNG.random((length, 4)).astype(np.float32) for length in (2, 1, 3)]
    patterns = Patterns.from_cycles(given)
    assert np.array_equal(patterns.points, np.concatenate(given))
    assert patterns.points.dtype == np.float32
    assert patterns.successor.tolist() == [1, 0, 2, 4, 5, 3]
    assert patterns.cycles == ((0, 1), (2,), (3, 4, 5))
    assert len(patterns) == 6
    for cycle in patterns.cycles:
        assert [int(patterns.successor[index]) for index in cycle] == [*cycle[1:], cycle[0]]


def test_cycles_of_one_state_are_examples() -> None:
    examples = RNG.random((3, 2))
    one, other = Patterns.from_examples(examples), Patterns.from_cycles(examples[:, None])
    assert np.array_equal(one.points, other.points)
    assert np.array_equal(one.successor, other.successor)
    assert one.cycles == other.cycles


def test_a_state_with_two_successors_is_refused() -> None:
    a, b, c = RNG.random((3, 2))
    for cycles, pair in (
        ([[a, b, a, c]], "states 0 and 2"),
        ([[a, b], [c, b]], "states 1 and 3"),
        ([[a, a]], "states 0 and 1"),
        ([[a], [a]], "states 0 and 1"),
    ):
        with pytest.raises(ValueError, match=pair):
            Patterns.from_cycles([np.array(cycle) for cycle in cycles])


def test_cycles_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="cycles must hold at least one sequence"):
        Patterns.from_cycles([])
    with pytest.raises(ValueError, match=r"got an array of shape \(5, 8\). For a single sequence write \[sequences\]"):
        Patterns.from_sequences(np.zeros((5, 8)))
    with pytest.raises(ValueError, match=r"one shape; got the shapes \[\(2,\), \(3,\)\]"):
        Patterns.from_cycles([np.ones((1, 2)), np.zeros((1, 3))])


@pytest.mark.parametrize(
    ("successor", "cycles"),
    [
        ([0], ((0,),)),
        ([2, 0, 1], ((0, 2, 1),)),
        # 1 and 3 lead into the cycle of 2 and 4 without being on it.
        ([0, 3, 4, 2, 2], ((0,), (2, 4))),
        ([1, 1, 1], ((1,),)),
        ([3, 2, 1, 0], ((0, 3), (1, 2))),
        ([4, 3, 5, 2, 1, 5], ((5,),)),
        ([5, 0, 1, 2, 3, 1], ((0, 5, 1),)),
    ],
)
def test_cycles_are_found_in_any_successor(successor: list[int], cycles: tuple) -> None:
    patterns = Patterns(RNG.random((len(successor), 2)), np.array(successor))
    assert patterns.cycles == cycles
    assert np.array_equal(patterns.targets, patterns.points[successor])


def test_random_successors() -> None:
    for seed in range(50):
        draw = np.random.default_rng(seed)
        size = int(draw.integers(1, 30))
        successor = draw.integers(0, size, size)
        # After `size` steps every state is on its cycle.
        ends = np.arange(size)
        for _ in range(size):
            ends = successor[ends]
        found = Patterns(np.zeros((size, 1)), successor).cycles
        assert sorted(index for cycle in found for index in cycle) == sorted(set(ends.tolist()))
        assert all(cycle[0] == min(cycle) for cycle in found)
        assert [cycle[0] for cycle in found] == sorted(cycle[0] for cycle in found)


def test_a_memory_reads_them() -> None:
    patterns = Patterns.from_cycles([np.array([[0.0], [1.0]])])
    memory = ax.Memory(lambda x: 1 - x, patterns)
    assert memory.examples() is patterns
    assert np.array_equal([memory.map(point) for point in patterns.points], patterns.targets)
