"""Recall: each status on a memory with a known answer."""

import itertools

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import around, linear, logistic, logistic_cycle, newton_cube, straight

import attrax as ax
from attrax.dynamics import _recall  # its room is made small

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
    slow = around(straight(0.9999), [0.0])
    assert ax.recall(slow, np.ones((1, 1)), max_steps=10).status == ("not_converged",)


def test_a_stored_cycle_is_recovered_with_its_period() -> None:
    memory = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle()]))
    answer = ax.recall(memory, np.array([[0.3]]))
    assert answer.status == ("recovered",)
    assert answer.period[0] == 2


def test_a_slow_approach_is_settled_by_the_exact_limit() -> None:
    # Stopping at a change of 1e-8 leaves the distance 1e-8/(1 − 0.999) = 1e-5 to go.
    answer = ax.recall(around(straight(0.999), [0.0]), np.full((1, 1), 0.01))
    assert answer.status == ("recovered",)
    assert answer.distance[0] < 1e-12


def test_the_two_readings() -> None:
    map = straight(0.5, 0.5 * (1 + 1e-4))
    fixed = np.full((1, 4), 1.0 + 1e-4)
    memory = ax.Memory(map, ax.Patterns.from_examples(fixed), np.ones((1, 4)))
    cue = np.zeros((1, 4))
    assert ax.recall(memory, cue).reading == "mean_square"
    assert ax.recall(memory, cue).status == ("recovered",)
    assert ax.recall(memory, cue, reading="literal").status == ("recovered",)
    far = ax.Memory(map, ax.Patterns.from_examples(fixed), np.full((1, 4), 1.01))
    missed = ax.recall(far, cue)
    assert missed.status == ("spurious",)
    # It was stored: its attractor is displaced, as `nearest` and `distance` show.
    assert ax.certify(far).verdict == ("displaced",)
    assert (missed.nearest[0], missed.distance[0]) == (0, pytest.approx(2 * (0.01 - 1e-4)))
    assert "stored example" in missed.status[0].advice
    assert ax.recall(far, cue, recovery_atol=0.1).status == ("recovered",)


def test_a_repeller_is_not_recovered() -> None:
    memory = around(lambda x: x + 1e-6 * x * (1 - x**2), [0.0], [1.0])
    # A step changes .005 by 5e-9, and Newton's method leads to 0, but the orbit goes away from there.
    answer = ax.recall(memory, np.array([[0.005], [0.0]]))
    assert answer.status == ("not_converged", "recovered")
    assert answer.period.tolist() == [0, 1]


def test_what_not_converged_advises_helps_in_both_cases() -> None:
    memory = around(lambda x: x + 0.1 * x * (1 - x**2), [0.0], [1.0])
    cue = np.array([[0.005]])
    # The steps are short beside a repeller: more of them change nothing, but a lower tolerance does.
    for max_steps in (10_000, 20_000):
        stopped = ax.recall(memory, cue, atol=1e-3, max_steps=max_steps)
        assert (stopped.status[0], stopped.num_steps[0]) == ("not_converged", 2)
    assert ax.recall(memory, cue, atol=1e-8).status == ("recovered",)
    assert ax.recall(memory, cue, max_steps=50).status == ("not_converged",)
    assert ax.recall(memory, cue, max_steps=1_000).index[0] == 1
    assert all(name in stopped.status[0].advice for name in ("`max_steps`", "`atol`"))


def test_a_nilpotent_jacobian_of_large_norm_is_no_cycle() -> None:
    u, v = np.array([2.0, 3.0, 1.0]), np.array([3.0, -1.0, -3.0])
    memory = around(linear(1e3 * np.outer(u, v)), np.zeros(3))
    answer = ax.recall(memory, np.random.default_rng(0).normal(size=(20, 3)))
    assert set(answer.status) == {"recovered"}
    assert set(answer.period.tolist()) == {1}


def test_points_to_five_digits_are_judged_as_certify_does() -> None:
    corners = np.array(list(itertools.product((-0.9575040240772688, 0.9575040240772688), repeat=3)))
    memory = around(lambda h: jnp.tanh(2 * h), *corners.round(5))
    assert ax.certify(memory).num_attractors == 8
    answer = ax.recall(memory, np.random.default_rng(0).uniform(-1, 1, (100, 3)))
    assert answer.reading == "mean_square"
    assert answer.recovered.all()
    # A cycle likewise, with its frames and without them.
    memory = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle().round(5)]))
    assert ax.certify(memory).verdict == ("attractor",)
    for path in (False, True):
        assert ax.recall(memory, np.array([[0.3]]), path=path).status == ("recovered",)
    # And beyond the threshold neither does.
    memory = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle() + 1e-3]))
    assert ax.certify(memory).verdict == ("displaced",)
    for path in (False, True):
        assert ax.recall(memory, np.array([[0.3]]), path=path).status == ("cycle",)


def test_a_slow_cycle_is_settled_by_the_exact_one() -> None:
    # Two states that change places while both come nearer by .999 a step: 1e-8 a lap leaves 5e-6 to go.
    def map(x):
        return -jnp.sign(x) * (1 + 0.999 * (jnp.abs(x) - 1))

    memory = ax.Memory(map, ax.Patterns.from_cycles([np.array([[1.0], [-1.0]])]))
    answer = ax.recall(memory, np.array([[1.01]]), path=True)
    assert (answer.reading, answer.status) == ("literal", ("recovered",))
    assert answer.distance[0] < 1e-12


def permuted() -> tuple[ax.Memory, np.ndarray]:
    """A film of four states, an open sequence that leads into it, and cues of both and of nothing stored."""
    states = np.eye(6)
    patterns = ax.Patterns(states, np.array([1, 2, 3, 0, 5, 2]))
    network = ax.training.pseudoinverse(states, states[patterns.successor])
    cues = states[[0, 2, 4, 5]] + 0.05 * np.random.default_rng(0).normal(size=(4, 6))
    return ax.Memory(network, patterns), np.concatenate([cues, states[4:5], np.full((1, 6), 1 / 6)])


def test_where_the_path_meets_what_is_stored() -> None:
    memory, cues = permuted()
    answer = ax.recall(memory, cues, path=True)
    assert memory.patterns.open_sequences == ((4, 5, 2),)
    assert answer.cycle.tolist() == [0] * 5 + [-1]
    # One step brings the state after the cue's.
    assert answer.transient.tolist()[:5] == [1, 1, 1, 1, 0]
    assert answer.entry.tolist() == [1, 3, 5, 2, 4, -1]
    assert answer.phase.tolist() == [1, 3, 1, 2, 0, -1]
    for row, frames in enumerate(answer.path[:5]):
        wanted = [answer.entry[row]]
        while len(wanted) + answer.transient[row] < len(frames):
            wanted.append(memory.patterns.successor[wanted[-1]])
        np.testing.assert_allclose(frames[answer.transient[row] :], memory.patterns.points[wanted], atol=1e-9)
        np.testing.assert_array_equal(frames[0], cues[row])
    # The state that `value` is lies `num_steps` − `transient` after the entry.
    for row in range(5):
        index = answer.entry[row]
        for _ in range(answer.num_steps[row] - answer.transient[row]):
            index = memory.patterns.successor[index]
        assert index == answer.index[row] == answer.nearest[row]


def test_a_cue_gets_the_same_bits_alone_and_among_many() -> None:
    network = ax.maps.mlp((9, 9), width=40, depth=2, init="kaiming_uniform", key=jr.key(0))
    memory = ax.Memory(network, ax.Patterns.from_examples(np.random.default_rng(0).uniform(size=(12, 9, 9))))
    cues = np.random.default_rng(1).normal(size=(1100, 9, 9))
    whole = ax.recall(memory, cues, max_steps=90)
    assert len(set(whole.num_steps.tolist())) > 1
    for first, last in ((0, 1), (17, 18), (1099, 1100), (0, 65), (500, 800)):
        part = ax.recall(memory, cues[first:last], max_steps=90)
        for name in ("value", "residual", "distance", "num_steps", "nearest", "transient", "status"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first:last], name)


def test_cues_that_become_the_same_state_are_told_apart_all_the_same() -> None:
    memory = around(jnp.round, [0.0, 0.0], [1.0, 0.0])
    cues = np.array([[1.2, 0.1], [1.0, 0.0], [0.9, -0.2], [0.2, 0.0], [0.0, 3.1], [5e30, 0.0], [4e30, 0.0]])
    counts = []
    found = ax.recall(
        memory, cues, expected=np.array([1, 1, 0, 0, 0, 0, 0]), progress=lambda *told: counts.append(told)
    )
    assert found.status[:5] == ("recovered", "recovered", "other_attractor", "recovered", "spurious")
    assert found.transient.tolist()[:4] == [1, 0, 1, 1]
    assert found.entry.tolist()[:4] == [1, 1, -1, 0]
    assert found.num_steps.tolist()[:5] == [2] * 5
    # What diverges at once has no state but its own.
    assert found.status[5:] == ("diverged", "diverged")
    np.testing.assert_array_equal(found.value[5:], cues[5:])
    assert counts[-1][1:3] == (7, 7)
    once = ax.recall(memory, cues, max_steps=1)
    np.testing.assert_allclose(once.residual[:3], np.linalg.norm(cues[:3] - [1.0, 0.0], axis=1))


def test_frames_and_company_change_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, cues = permuted()
    whole = ax.recall(memory, cues, path=True, cycles=2)
    alone = [ax.recall(memory, cue[None], path=True, cycles=2) for cue in cues]
    plain = ax.recall(memory, cues)
    monkeypatch.setattr(_recall, "_TRACE_BYTES", 1)  # nothing is held, so rows are run again one by one
    again = ax.recall(memory, cues, path=True, cycles=2)
    names = ("value", "index", "nearest", "distance", "num_steps", "period", "cycle", "transient", "entry", "phase")
    for name in names:
        np.testing.assert_array_equal(getattr(whole, name), getattr(plain, name))
        np.testing.assert_array_equal(getattr(whole, name), getattr(again, name))
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(one, name) for one in alone]))
    assert whole.status == plain.status == again.status == tuple(one.status[0] for one in alone)
    for row, frames in enumerate(whole.path):
        np.testing.assert_array_equal(frames, again.path[row])
        np.testing.assert_array_equal(frames, alone[row].path[0])
    assert plain.path is None
    with pytest.raises(ValueError, match="path=True"):
        _ = plain.psnr_min
    with pytest.raises(ValueError, match="path=True"):
        ax.phase_errors(memory, plain)


def test_what_was_expected_of_a_cycle() -> None:
    memory, cues = permuted()
    assert ax.recall(memory, cues[:1], expected=np.array([4])).status == ("recovered",)  # it leads into the film
    apart = around(jnp.round, [0.0], [1.0])
    cues = np.array([[0.1], [0.2]])
    answer = ax.recall(apart, cues, expected=np.array([0, 1]))
    assert answer.status == ("recovered", "other_attractor")
    assert answer.recovery_rate == 0.5
    # Where nothing was expected it is the rate of reaching any of what is stored.
    unasked = ax.recall(apart, cues)
    assert unasked.expected is None
    assert unasked.recovery_rate == 1.0


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
