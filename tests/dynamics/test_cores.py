"""What is computed at once, kept or divided changes nothing in what is found."""

import dataclasses
import gc
import threading
import time
from typing import Any

import jax
import jax.random as jr
import numpy as np
import pytest
from helpers import around, newton_cube

import attrax as ax
from attrax._base import numerics  # the number of cores that it sees
from attrax._base.threads import in_threads  # what it does with errors is seen nowhere else
from attrax.dynamics import _kept, _recall  # what they keep is looked at, and their room is made small

ROOTS = np.array([[1.0, 0.0], [-0.5, np.sqrt(0.75)], [-0.5, -np.sqrt(0.75)]])


def network(key: int = 0) -> ax.Memory:
    points = np.asarray(jr.normal(jr.key(key), (5, 40)))
    return ax.Memory(
        ax.maps.mlp((40,), width=24, depth=2, activation="tanh", key=jr.key(key)), ax.Patterns.from_examples(points)
    )


def cues_for(memory: ax.Memory, count: int) -> np.ndarray:
    shape = (count, *memory.examples().shape)
    return np.asarray(jr.normal(jr.key(1), shape), np.float64)


def assert_same(one: Any, other: Any) -> None:
    for field in dataclasses.fields(one):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, np.ndarray) and first.dtype != object:
            assert first.tobytes() == second.tobytes(), field.name
        elif isinstance(first, tuple) and len(first) and isinstance(first[0], np.ndarray):
            assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True)), field.name
        elif field.name != "held":
            assert np.array_equal(first, second), field.name


@pytest.mark.parametrize("cores", [2, 3, 7])
@pytest.mark.parametrize("count", [65, 700])
def test_the_number_of_cores_changes_no_bit(cores: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for memory in (network(), around(newton_cube, *ROOTS)):
        cues = cues_for(memory, count)
        found = []
        for number in (1, cores):
            monkeypatch.setattr(numerics, "cores", lambda number=number: number)
            found.append(ax.recall(memory, cues, path=count < 100, max_steps=300))
        assert_same(*found)


def test_the_length_of_the_first_step_is_the_same_in_chunks_of_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where a program has a single block, XLA merges this map with the difference of its value from the start.
    optimized = jax.config.values["jax_disable_most_optimizations"]
    cues, found = np.random.default_rng(0).normal(size=(64, 1)), []
    jax.config.update("jax_disable_most_optimizations", False)
    try:
        for number in (1, 4):
            monkeypatch.setattr(numerics, "cores", lambda number=number: number)
            found.append(ax.iterate(lambda x: 3.2 * x * (1 - x), cues, max_steps=1))
    finally:
        jax.config.update("jax_disable_most_optimizations", optimized)
    assert_same(*found)


def test_several_threads_trace_a_program_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "cores", lambda: 4)
    traced = list[str]()

    def half(x: Any) -> Any:
        traced.append(threading.current_thread().name)
        time.sleep(0.1)
        return x / 2

    starts = np.ones((64, 3)) * np.arange(1, 65)[:, None]
    first = ax.iterate(half, starts)
    once = len(traced)
    # The check of the map, the first step and the others, in four chunks of 16 rows each.
    assert once == 3
    ax.iterate(half, starts)
    assert len(traced) == once + 1  # the check
    assert first.period.tolist() == [1] * 64


def test_threads_have_the_settings_of_the_caller_and_keep_the_order() -> None:
    with jax.enable_x64(True):
        found = list(in_threads(lambda wait: (time.sleep(wait), jax.numpy.ones(1).dtype.name)[1], [0.05, 0.0, 0.02], 3))
    assert found == ["float64"] * 3
    with jax.enable_x64(False):
        assert next(in_threads(lambda _: jax.numpy.ones(1).dtype.name, [0, 0], 2)) == "float32"
    assert list(in_threads(lambda wait: (time.sleep(wait), wait)[1], [0.05, 0.0, 0.02], 3)) == [0.05, 0.0, 0.02]


def test_after_an_error_nothing_is_begun() -> None:
    begun = list[int]()

    def fail(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ArithmeticError("one")
        time.sleep(0.01)
        return item

    with pytest.raises(ArithmeticError, match="one"):
        list(in_threads(fail, range(100), 2))
    assert len(begun) < 10


def test_the_reduced_map_is_kept_with_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[Any]()

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return ax.maps.reduced_map(*arguments)

    monkeypatch.setattr(_kept, "reduced_map", counted)
    memory = network(3)
    cues = cues_for(memory, 3)
    before = ax.recall(memory, cues)
    assert_same(before, ax.recall(memory, cues))
    assert len(made) == 1
    kept = len(_kept._kept)
    del memory
    gc.collect()
    assert len(_kept._kept) == kept - 1


def test_weights_that_were_written_to_count() -> None:
    network_: Any = network(4).map
    weights = tuple(np.array(weight, np.float64) for weight in network_.weights)
    written = dataclasses.replace(network_, weights=weights)
    memory = ax.Memory(written, network(4).patterns)
    cues = cues_for(memory, 3)
    before = ax.recall(memory, cues, max_steps=5)
    weights[0][0, 0] += 1.0
    after = ax.recall(memory, cues, max_steps=5)
    assert not np.array_equal(before.value, after.value)
    assert_same(after, ax.recall(dataclasses.replace(memory), cues, max_steps=5))


def test_what_is_recalled_piece_by_piece_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = around(newton_cube, *ROOTS)
    cues, expected = cues_for(memory, 60), np.arange(60) % 3
    told = list[tuple[str, int, int]]()
    options: dict[str, Any] = {"expected": expected, "path": True, "known": np.array([True, True])}
    whole = ax.recall(memory, cues, **options)
    monkeypatch.setattr(_recall, "_PIECE", 7)
    monkeypatch.setattr(_recall, "_TRACE_BYTES", 1)
    parts = ax.recall(memory, cues, **options, progress=lambda *one: told.append(one[:3]))
    assert_same(whole, parts)
    assert whole.held is not None
    assert parts.held is not None
    assert_same(whole.held, parts.held)
    iterating = [done for task, done, _ in told if task == "iterating"]
    assert {total for _, _, total in told} == {60}
    assert max(iterating) == 60
