"""Certificates of many examples: within a limit of memory, and continued after an interruption."""

import re
import tracemalloc
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from helpers import around, logistic, logistic_cycle
from helpers.commands import record, run

import attrax as ax
from attrax.certificates import _certify  # how often it saves

COUNT, LIMIT = 300, 25_000_000


@pytest.fixture(scope="module")
def digits() -> ax.Memory:
    """A network that is constant around each example; one of the stored points is moved."""
    examples = ax.sources.load("digits", n=COUNT).values
    memory = ax.store(examples, writer=ax.WinnerTakeAll(epochs=1), key=jr.key(0))
    points = np.array(memory.examples().points)
    points[7] += 1e-3
    return ax.Memory(memory.map, ax.Patterns.from_examples(points), memory.originals)


@pytest.fixture(scope="module")
def whole(digits: ax.Memory) -> ax.Certificate:
    return ax.certify(digits)


def check_same(found: ax.Certificate, expected: ax.Certificate, **close: float) -> None:
    for field in fields(ax.Certificate):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if not isinstance(one, np.ndarray):
            assert one == other, field.name
        elif close:
            np.testing.assert_allclose(one, other, **close)
        else:
            np.testing.assert_array_equal(one, other)


def at_work(memory: ax.Memory, **options: Any) -> int:
    """Bytes that NumPy holds at most from the first finished cycle on, beyond what it held then."""
    held: list[int] = []

    def note(*_: Any) -> None:
        if not held:
            held.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        ax.certify(memory, progress=note, **options)
        return tracemalloc.get_traced_memory()[1] - held[0]
    finally:
        tracemalloc.stop()


def test_pieces_within_a_limit_give_the_whole(digits: ax.Memory, whole: ax.Certificate) -> None:
    assert whole.num_attractors == COUNT
    assert whole.moved[7] > 1e-4
    check_same(ax.certify(digits, memory_limit=LIMIT), whole, rtol=1e-9, atol=1e-12)


def test_the_limit_holds(digits: ax.Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, whole = list[int](), _certify._linearized_together

    def counted(task: Any, many: Any, cycles: list[Any]) -> Any:
        sizes.append(len(cycles))
        return whole(task, many, cycles)

    monkeypatch.setattr(_certify, "_linearized_together", counted)
    assert at_work(digits, memory_limit=LIMIT) <= LIMIT
    assert sum(sizes) == COUNT
    assert 2 * max(sizes) < COUNT


@pytest.mark.parametrize("after", [1, 2])
def test_an_interrupted_certificate_goes_on_where_it_was(
    after: int, digits: ax.Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_certify, "_SAVE_EVERY", 0.0)
    file, done = tmp_path / "certificate", []

    def stop(task: str, finished: int, total: int, numbers: dict[str, float]) -> None:
        if finished > after * COUNT // 3:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"memory_limit": LIMIT, "checkpoint": file}
    with pytest.raises(KeyboardInterrupt):
        ax.certify(digits, progress=stop, **options)
    resumed = ax.certify(digits, progress=lambda task, finished, *_: done.append(finished), **options)
    assert 1 < done[0] <= after * COUNT // 3 + 1, "it began anew"
    check_same(resumed, ax.certify(digits, memory_limit=LIMIT))
    # Nothing is left to do.
    done.clear()
    check_same(ax.certify(digits, progress=lambda *_: done.append(0), **options), resumed)
    assert not done


def test_cycles_and_points_that_moved_are_kept_too(tmp_path: Path) -> None:
    memory = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle() + 1e-5, [[0.0]]]))
    first, again = (ax.certify(memory, checkpoint=tmp_path / "certificate") for _ in range(2))
    assert first.moved[0] > 1e-6
    assert [str(verdict) for verdict in first.verdict] == ["attractor", "not_attractor"]
    check_same(again, first)
    check_same(ax.certify(memory), first)


def test_what_is_refined_already_is_not_refined_again(
    digits: ax.Memory, whole: ax.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterns = digits.examples()
    refined = ax.dynamics.refine_each(
        digits.map, [patterns.points[list(cycle)] for cycle in patterns.cycles], unit=patterns.unit
    )
    asked = list[int]()
    each = _certify.refine_each
    monkeypatch.setattr(
        _certify, "refine_each", lambda map, cycles, **o: (asked.append(len(cycles)), each(map, cycles, **o))[1]
    )
    check_same(ax.certify(digits, refined=refined), whole, atol=1e-12)
    assert sum(asked) == 0
    check_same(ax.certify(digits, refined=[*refined[:5], None, *refined[6:]]), whole, atol=1e-12)
    assert sum(asked) == 1
    with pytest.raises(ValueError, match="refined must be one entry for each of the 300 cycles; got 299"):
        ax.certify(digits, refined=refined[1:])


def test_wrong_limits_and_checkpoints_are_refused(digits: ax.Memory, tmp_path: Path) -> None:
    file = tmp_path / "certificate"
    for wrong in (0, 1.5, "4GB"):
        with pytest.raises(ValueError, match="memory_limit must be an integer of at least 1"):
            ax.certify(digits, memory_limit=wrong)  # pyright: ignore[reportArgumentType] - the mistake is the point
    with pytest.raises(ValueError, match=r"memory_limit must be at least \d+ MB, which one example of 64 entries"):
        ax.certify(digits, memory_limit=1000)
    memory = around(logistic, [0.0])
    ax.certify(memory, checkpoint=file)
    with pytest.raises(ValueError, match="another memory, or with another recovery_atol"):
        ax.certify(memory, checkpoint=file, recovery_atol=0.5)
    with pytest.raises(ValueError, match="another memory"):
        ax.certify(around(logistic, [0.1]), checkpoint=file)
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        ax.certify(memory, checkpoint=file)


def test_the_command_has_both(digits: ax.Memory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, checkpoint = ax.save(tmp_path / "digits.attrax", digits), tmp_path / "certified"
    command = ["certify", file, "--memory", "25MB", "--checkpoint", checkpoint]
    assert record(capsys, *command)["attractors"] == COUNT
    status, _, err = run(capsys, *command)
    assert (status, "add --resume to continue" in err) == (2, True), err
    assert record(capsys, *command, "--resume")["attractors"] == COUNT
    status, _, err = run(capsys, "certify", file, "--memory", "1MB")
    assert (status, re.search(r"--memory must be at least \d+ MB, which one example", err) is not None) == (2, True), (
        err
    )


def test_what_is_known_of_other_states_is_refused() -> None:
    memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
    for points in (np.zeros((2, 3)), np.zeros((1, 4))):
        with pytest.raises(ValueError, match=r"refined must have the 1 states of cycle 0"):
            ax.certify(memory, refined=[ax.dynamics.Refined(points, 0.0, 0.0, True)])
    with pytest.raises(ValueError, match="one entry for each of the 1 cycles; got 2"):
        ax.certify(memory, refined=[None, None])
