"""Guarded changes: all or nothing."""

from dataclasses import replace
from functools import partial

import jax
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax._numerics import cast, float64

POINTS = np.random.default_rng(0).uniform(size=(9, 4, 4)).astype(np.float32)
WRITERS = {
    "contest": (None, ax.Contest(epochs=200, corruptions=("gaussian:0.2",))),
    "contest in coordinates": (None, ax.Contest(epochs=200, corruptions=("gaussian:0.2",), coordinates=0.5, layers=2)),
    "gradient": (
        partial(ax.maps.mlp, width=64, depth=3, init="kaiming_uniform"),
        ax.Gradient(noise=0.1, coordinates=0.0, epochs=800),
    ),
    "margin": (None, ax.Constructed("margin")),
}


def written(name: str, points: np.ndarray = POINTS[:6]) -> ax.Memory:
    network, writer = WRITERS[name]
    return ax.store(points, network, writer=writer, key=jr.key(0))


def image(memory: ax.Memory, points: np.ndarray) -> np.ndarray:
    with float64():
        return np.asarray(jax.vmap(cast(memory.map, np.float64))(np.asarray(points, np.float64)))


@pytest.mark.parametrize("name", WRITERS)
def test_added_and_forgotten_and_certified_throughout(name: str) -> None:
    memory = written(name)
    change = ax.add(memory, POINTS[6:], key=jr.key(1))
    assert change.accepted
    assert change.memory.certificate.all_attractors
    np.testing.assert_array_equal(change.memory.originals, POINTS)
    assert change.scratch_seconds == memory.written["seconds"]
    assert ax.certify(change.memory).all_attractors
    smaller = ax.forget(change.memory, [0, 7], key=jr.key(2))
    assert smaller.accepted
    assert smaller.memory.certificate.all_attractors
    np.testing.assert_array_equal(smaller.memory.originals, POINTS[[1, 2, 3, 4, 5, 6, 8]])
    assert smaller.memory.written["changes"] == 2
    # What was forgotten is no fixed point any more; what is left is.
    assert np.linalg.norm((image(smaller.memory, POINTS) - POINTS).reshape(9, -1), axis=1)[[0, 7]].min() > 0.1
    assert len(memory.patterns) == 6, "the given memory stays as it was"


def test_a_contest_loses_the_units_of_what_it_forgets() -> None:
    memory = written("contest")
    smaller = ax.forget(memory, [2], key=jr.key(1)).memory
    assert smaller.map.widths[0] == memory.map.widths[0] - 2
    assert smaller.written["carriers"][2] == [2, 7]  # of what was example 3: units 3 and 9 of twelve
    larger = ax.add(smaller, POINTS[6:8], key=jr.key(1)).memory
    assert larger.map.widths[0] == memory.map.widths[0] + 2
    assert larger.written["carriers"][-2:] == [[126, 128], [127, 129]]


def test_a_change_that_cannot_be_certified_leaves_the_memory() -> None:
    memory = written("contest")
    twin = POINTS[5:6].copy()
    twin[0, 0, 0] = np.nextafter(twin[0, 0, 0], np.float32(1))  # nearer than recall can tell
    change = ax.add(memory, twin, key=jr.key(1))
    assert not change.accepted
    assert change.memory is memory
    assert set(change.failed) & {5, 6}
    assert len(change.attempts) == 3


def test_what_is_stored_already_is_passed_over() -> None:
    memory = written("margin")
    change = ax.add(memory, POINTS[4:7], key=jr.key(1))
    assert len(change.memory.patterns) == 7
    with pytest.raises(ValueError, match="nothing to add"):
        ax.add(memory, POINTS[:2], key=jr.key(1))


def test_whole_cycles_only() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:3], POINTS[3:5], POINTS[5:6]])
    memory = ax.store(patterns, writer=ax.Contest(epochs=100, corruptions=("gaussian:0.2",)), key=jr.key(0))
    with pytest.raises(ValueError, match="all of a cycle or none"):
        ax.forget(memory, [1], key=jr.key(1))
    left = ax.forget(memory, [0, 1, 2], key=jr.key(1))
    assert left.accepted
    assert left.memory.certificate.cycles == ((0, 1), (2,))


def test_the_first_inhibition_is_that_of_the_memory() -> None:
    """What training saw is on record, and does not tell what was asked for: shifts, among others, are a default."""
    memory = ax.store(POINTS[:3], writer=ax.Contest(epochs=0, corruptions=("shift:1",)), key=jr.key(0))
    assert memory.written["onset"] == 3.0  # of shifts that were asked for
    default = replace(memory, written={**memory.written, "onset": 5.0})
    assert ax.forget(default, [0], key=jr.key(1)).memory.written["onset"] == 5.0


def test_what_is_unknown_goes_on_being_led_where_it_was() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:3], POINTS[3:5], POINTS[5:6]])
    memory = ax.store(patterns, writer=ax.Constructed("margin", lead=4), key=jr.key(0))
    assert ax.add(memory, POINTS[6:8], key=jr.key(1)).memory.written["lead"] == 4
    assert ax.forget(memory, [0, 1, 2], key=jr.key(1)).memory.written["lead"] == 1
    # With the cycle that it was in, the choice is gone too: the film that is left follows.
    assert ax.forget(memory, [3, 4], key=jr.key(1)).memory.written["lead"] == 0


@pytest.mark.parametrize(
    ("indices", "message"),
    [([6], "at most 5"), ([-1], "at least 0"), ([], "at least one"), (range(6), "can't forget all")],
)
def test_wrong_indices(indices, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ax.forget(written("margin"), list(indices), key=jr.key(0))


def test_wrong_examples_and_unknown_writers() -> None:
    with pytest.raises(ValueError, match="must have the shape"):
        ax.add(written("margin"), np.zeros((1, 3)), key=jr.key(0))
    foreign = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
    with pytest.raises(ValueError, match="not on record"):
        ax.add(foreign, np.ones((1, 3)), key=jr.key(0))
