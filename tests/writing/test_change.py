"""Guarded changes: all or nothing."""

from dataclasses import replace
from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.extending import cast, float64

POINTS = np.random.default_rng(0).uniform(size=(9, 4, 4)).astype(np.float32)
WRITERS = {
    "winner_take_all": (None, ax.WinnerTakeAll(128, epochs=60, corruptions=("gaussian:0.2",))),
    "winner_take_all in coordinates": (
        None,
        ax.WinnerTakeAll(128, epochs=60, corruptions=("gaussian:0.2",), coordinates=0.5),
    ),
    "gradient": (
        partial(ax.maps.mlp, width=64, depth=2, init="kaiming_uniform"),
        ax.Gradient(noise=0.1, coordinates=0.0, epochs=500),
    ),
    "margin": (None, ax.Constructed("margin")),
}

# What it begins with is enough for these examples.
UNTRAINED = ax.WinnerTakeAll(128, epochs=0, corruptions=("gaussian:0.2",))


@cache
def written(name: str) -> ax.Memory:
    network, writer = WRITERS[name]
    return ax.store(POINTS[:6], network, writer=writer, key=jr.key(0))


def with_record(memory: ax.Memory, **facts) -> ax.Memory:
    return replace(memory, written={**memory.written, **facts})


@cache
def changed(name: str) -> tuple[ax.Memory, ax.Change, ax.Change]:
    """A memory, with two examples more, and without one of the old and one of the new."""
    memory = written(name)
    if "epochs_limit" in memory.written:
        # The first attempt takes a quarter of this. As many epochs and examples as before: nothing new to compile.
        memory = with_record(memory, epochs_limit=4 * memory.written["epochs_limit"])
    if "onset" in memory.written:
        memory = with_record(memory, onset=4.0)
    added = ax.add(memory, POINTS[6:8], key=jr.key(1))
    return memory, added, ax.forget(added.memory, [0, 7], key=jr.key(2))


@eqx.filter_jit
def images(map: Any, points: Any) -> Any:
    return jax.vmap(map)(points)


def image(memory: ax.Memory, points: np.ndarray) -> np.ndarray:
    with float64():
        return np.asarray(images(cast(memory.map, np.float64), np.asarray(points, np.float64)))


@pytest.mark.parametrize("name", WRITERS)
def test_added_and_forgotten_and_certified_throughout(name: str) -> None:
    memory, change, smaller = changed(name)
    assert change.accepted
    assert change.memory.certificate.all_attractors
    np.testing.assert_array_equal(change.memory.originals, POINTS[:8])
    assert change.scratch_seconds == memory.written["seconds"]
    assert ax.certify(change.memory).all_attractors
    assert smaller.accepted
    assert smaller.memory.certificate.all_attractors
    np.testing.assert_array_equal(smaller.memory.originals, POINTS[1:7])
    assert smaller.memory.written["changes"] == 2
    # What was forgotten is no fixed point any more; what is left is.
    assert np.linalg.norm((image(smaller.memory, POINTS[:8]) - POINTS[:8]).reshape(8, -1), axis=1)[[0, 7]].min() > 0.1
    assert len(memory.patterns) == 6, "the given memory stays as it was"


def test_winner_take_all_loses_the_units_of_what_it_forgets() -> None:
    memory, added, smaller = changed("winner_take_all")
    assert added.memory.map.widths[0] == memory.map.widths[0] + 4
    assert added.memory.written["carriers"][-2:] == [[128, 130], [129, 131]]
    assert smaller.memory.map.widths[0] == memory.map.widths[0]
    assert smaller.memory.written["carriers"][2] == [2, 7]  # of what was example 3: units 3 and 9 of twelve
    assert smaller.memory.written["carriers"][-1] == [126, 127]  # units 128 and 130


def test_the_first_inhibition_is_that_of_the_memory() -> None:
    """What training saw is on record, and does not tell what was asked for: shifts, among others, are a default."""
    patterns = ax.Patterns.from_examples(POINTS[:6])
    writer = ax.WinnerTakeAll(corruptions=("shift:1",), epochs=0)
    assert writer.write(patterns, key=jr.key(0)).details["onset"] == 3.0
    assert written("winner_take_all").written["onset"] == 5.0
    memory, added, smaller = changed("winner_take_all")
    assert {change.written["onset"] for change in (memory, added.memory, smaller.memory)} == {4.0}


def test_a_change_that_cannot_be_certified_leaves_the_memory() -> None:
    memory = with_record(written("winner_take_all"), epochs_limit=1)
    twin = POINTS[5:6].copy()
    twin[0, 0, 0] = np.nextafter(twin[0, 0, 0], np.float32(1))  # nearer than recall can tell
    change = ax.add(memory, twin, key=jr.key(1))
    assert not change.accepted
    assert change.memory is memory
    assert set(change.failed) & {5, 6}
    assert len(change.attempts) == 3


def test_what_is_stored_already_is_passed_over() -> None:
    memory = written("margin")
    change = ax.add(memory, POINTS[[4, 6, 5, 6]], key=jr.key(1))
    assert len(change.memory.patterns) == 7
    assert change.merged == (("0", "4"), ("2", "5"), ("3", "6"))
    with pytest.raises(ValueError, match="nothing to add"):
        ax.add(memory, POINTS[:2], key=jr.key(1))


def test_whole_cycles_only() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:3], POINTS[3:5], POINTS[5:6]])
    memory = ax.store(patterns, writer=UNTRAINED, key=jr.key(0))
    with pytest.raises(ValueError, match="all of a cycle or none"):
        ax.forget(memory, [1], key=jr.key(1))
    left = ax.forget(memory, [0, 1, 2], key=jr.key(1))
    assert left.accepted
    assert left.memory.certificate.cycles == ((0, 1), (2,))


def test_what_is_unknown_goes_on_being_led_where_it_was() -> None:
    patterns = ax.Patterns.from_cycles([POINTS[:3], POINTS[3:5], POINTS[5:6]])
    memory = ax.store(patterns, writer=ax.Constructed("margin", fallback=4), key=jr.key(0))
    assert ax.add(memory, POINTS[6:8], key=jr.key(1)).memory.written["fallback"] == 4
    assert ax.forget(memory, [0, 1, 2], key=jr.key(1)).memory.written["fallback"] == 1
    # Records of earlier versions call it `lead`.
    record = {("lead" if name == "fallback" else name): value for name, value in memory.written.items()}
    earlier = replace(memory, written=record)
    assert ax.forget(earlier, [0, 1, 2], key=jr.key(1)).memory.written["fallback"] == 1
    # With the cycle that it was in, the choice is gone too: the film that is left follows.
    assert ax.forget(memory, [3, 4], key=jr.key(1)).memory.written["fallback"] == 0


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([6], "at most 5"),
        ([-1], "at least 0"),
        ([], "at least one"),
        (range(6), "can't forget everything"),
        (1, r"write \[1\]"),
        ("cat.png", r"write \['cat.png'\]"),
    ],
)
def test_wrong_indices(indices, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ax.forget(written("margin"), indices, key=jr.key(0))


def test_wrong_examples_and_unknown_writers() -> None:
    with pytest.raises(ValueError, match="must be states of shape"):
        ax.add(written("margin"), np.zeros((1, 3)), key=jr.key(0))
    foreign = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
    with pytest.raises(ValueError, match="record does not name"):
        ax.add(foreign, np.ones((1, 3)), key=jr.key(0))


@pytest.mark.parametrize("widths", [(14, 24), (24, 6)])
def test_units_of_forgotten_scores_are_found_in_layers_of_any_width(widths: tuple[int, int]) -> None:
    memory = ax.store(POINTS[:6], writer=replace(UNTRAINED, width=widths), key=jr.key(0))
    carried = min(widths) >= 12
    assert [len(units) for units in memory.written["carriers"]] == [2 * carried] * 6
    added = ax.add(memory, POINTS[6:8], key=jr.key(1))
    assert added.accepted
    assert added.memory.map.widths[:2] == (widths[0] + 4, widths[1] + 4)
    every = [unit for row in added.memory.written["carriers"] for unit in row]
    assert len(set(every)) == len(every) == 12 * carried + 4
    assert max(every) < min(widths) + 4
    smaller = ax.forget(added.memory, [0, 7], key=jr.key(2))
    assert smaller.accepted
    lost = 2 * (carried + 1)
    assert smaller.memory.map.widths[:2] == (widths[0] + 4 - lost, widths[1] + 4 - lost)


CONTRADICTIONS = {
    "units that there are none of": {"carriers": [[0, 999]] * 6},
    "units below 0": {"carriers": [[-1, number] for number in range(6)]},
    "a unit for two": {"carriers": [[0, 6]] * 6},
    "carriers of too few": {"carriers": [[0, 6]]},
    "carriers of nobody": {"carriers": None},
    "carriers of texts": {"carriers": ["ab"] * 6},
    "widths of another network": {"encoder_widths": [64, 64]},
    "all layers": {"encoder_widths": [128] * 40},
    "rounds of another network": {"rounds": 400},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_record_that_contradicts_its_network_is_refused_in_a_sentence(name: str) -> None:
    memory = with_record(written("winner_take_all"), **CONTRADICTIONS[name])
    for change in (partial(ax.forget, memory, [1]), partial(ax.add, memory, POINTS[7:8])):
        with pytest.raises(ValueError, match="record of this memory is not that of its network") as refused:
            change(key=jr.key(0))
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 400


def test_a_record_for_another_kind_of_network_is_refused() -> None:
    memory = replace(written("gradient"), written=written("winner_take_all").written)
    with pytest.raises(ValueError, match="is not that of its network"):
        ax.forget(memory, [1], key=jr.key(0))
    of_scores = written("winner_take_all")
    for wrong in (
        with_record(written("gradient"), optimizer="x" * 100_000),
        with_record(of_scores, rounds=10**9),
        with_record(of_scores, encoder_widths=[]),
    ):
        with pytest.raises(ValueError, match="can't be made from its record") as refused:
            ax.forget(wrong, [1], key=jr.key(0))
        assert len(str(refused.value)) < 600


def test_a_record_without_a_count_of_changes_begins_one_and_keeps_where_examples_came_from() -> None:
    memory = with_record(written("margin"), changes=None, media={"kind": "video", "fps": 4.0})
    record = ax.forget(memory, [1], key=jr.key(0)).memory.written
    assert (record["changes"], record["media"]) == (1, {"kind": "video", "fps": 4.0})
