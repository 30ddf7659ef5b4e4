"""Recall: each status on a memory with a known answer."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import around, logistic, logistic_cycle, newton_cube

import attrax as ax

ROOTS = np.array([[1.0, 0.0], [-0.5, np.sqrt(0.75)], [-0.5, -np.sqrt(0.75)]])


def test_recovered_other_and_spurious() -> None:
    memory = around(newton_cube, *ROOTS[:2])
    answer = ax.recall(memory, np.array([[2.0, 0.1], [-1.0, 1.0], [-1.0, -1.0]]), expected=np.array([0, 0, 1]))
    assert answer.status == ("recovered", "other_attractor", "spurious")
    assert answer.index.tolist() == [0, -1, -1]
    assert answer.nearest.tolist()[:2] == [0, 1]
    assert answer.reading == "literal"
    unasked = ax.recall(memory, np.array([[-1.0, 1.0]]))
    assert unasked.status == ("recovered",)
    assert unasked.index[0] == 1


def test_cycle_diverged_and_not_converged() -> None:
    memory = around(logistic, [0.0])
    answer = ax.recall(memory, np.array([[0.3], [2.0]]))
    assert answer.status == ("cycle", "diverged")
    assert answer.period.tolist() == [2, 0]
    slow = around(lambda x: x * 0.9999, [0.0])
    assert ax.recall(slow, np.ones((1, 1)), max_steps=10).status == ("not_converged",)


def test_a_stored_cycle_is_recovered_with_its_period() -> None:
    memory = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle()]))
    answer = ax.recall(memory, np.array([[0.3]]))
    assert answer.status == ("recovered",)
    assert answer.period[0] == 2


def test_a_slow_approach_is_settled_by_the_exact_limit() -> None:
    # Stopping at a change of 1e-8 leaves the distance 1e-8/(1 − 0.999) = 1e-5 to go.
    answer = ax.recall(around(lambda x: 0.999 * x, [0.0]), np.full((1, 1), 0.01))
    assert answer.status == ("recovered",)
    assert answer.distance[0] < 1e-12


def test_the_two_readings() -> None:
    def map(x):
        return 0.5 * x + 0.5 * (jnp.ones(4) + 1e-4)

    fixed = np.full((1, 4), 1.0 + 1e-4)
    memory = ax.Memory(map, ax.Patterns.from_examples(fixed), np.ones((1, 4)))
    cue = np.zeros((1, 4))
    assert ax.recall(memory, cue).reading == "mean_square"
    assert ax.recall(memory, cue).status == ("recovered",)
    assert ax.recall(memory, cue, reading="literal").status == ("recovered",)
    far = ax.Memory(map, ax.Patterns.from_examples(fixed), np.full((1, 4), 1.01))
    assert ax.recall(far, cue).status == ("spurious",)
    assert ax.recall(far, cue, recovery_atol=0.1).status == ("recovered",)


@pytest.mark.parametrize(
    ("cues", "options", "words"),
    [
        (np.zeros((1, 3)), {}, "shape"),
        (np.zeros((0, 2)), {}, "shape"),
        (np.full((1, 2), np.inf), {}, "finite"),
        (np.zeros((1, 2)), {"reading": "loose"}, "literal"),
        (np.zeros((1, 2)), {"expected": np.array([7])}, "expected"),
        (np.zeros((1, 2)), {"max_steps": 0}, "max_steps"),
        (np.zeros((1, 2)), {"atol": -1.0}, "atol"),
    ],
)
def test_wrong_arguments_are_refused(cues: np.ndarray, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ax.recall(around(newton_cube, *ROOTS), cues, **options)
