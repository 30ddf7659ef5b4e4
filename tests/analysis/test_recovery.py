"""Nearest neighbors and recovery rates on cases with known answers."""

from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import Snap, around, newton_cube, straight

import attrax as ax
from attrax.analysis import RULES, nearest_neighbor, neighbor_rates, recovery
from attrax.corruptions import as_corruption

RNG = np.random.default_rng(0)


# --- nearest neighbors ---------------------------------------------------------------------------


def by_hand(cue: np.ndarray, references: np.ndarray, rule: str) -> int:
    """One cue at a time, in the words of the definitions; −1 for a cue without direction."""
    cue, references = cue.ravel(), references.reshape(len(references), -1)
    if rule == "euclidean":
        return int(np.argmin([np.linalg.norm(cue - reference) for reference in references]))
    if rule == "correlation":
        cue = cue - cue.mean()
        references = references - references.mean(axis=1, keepdims=True)
    if np.allclose(cue, 0, atol=1e-13):
        return -1
    found = []
    for reference in references:
        norms = np.linalg.norm(cue) * np.linalg.norm(reference)
        found.append(cue @ reference / norms if norms > 1e-13 else -np.inf)
    return int(np.argmax(found))


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 3)])
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_by_its_definition(rule: str, shape: tuple) -> None:
    references = RNG.normal(size=(9, *shape)) * RNG.uniform(0.1, 5, size=(9,) + (1,) * len(shape)) + 0.5
    cues = RNG.normal(size=(40, *shape)) + RNG.normal(size=(40,) + (1,) * len(shape))
    found = nearest_neighbor(cues, references, rule=rule)
    assert found.shape == (40,)
    assert found.tolist() == [by_hand(cue, references, rule) for cue in cues]
    assert len(set(found.tolist())) > 3
    assert nearest_neighbor(cues.astype(np.float32), references, rule=rule).tolist() == found.tolist()


def test_correlation_is_pearsons() -> None:
    references, cues = RNG.normal(size=(6, 12)), RNG.normal(size=(20, 12))
    likeness = np.corrcoef(cues, references)[:20, 20:]
    assert nearest_neighbor(cues, references, rule="correlation").tolist() == likeness.argmax(axis=1).tolist()


def test_the_rules_differ_where_they_should() -> None:
    references = np.array([[10.0, 0.0, 0.0], [0.6, 0.7, 0.1], [0.0, 0.0, 3.0]])
    cue = np.array([[1.0, 0.2, 0.1]])
    # Nearest in space is the second, by direction the first; brightness does not count for either likeness.
    assert [nearest_neighbor(cue, references, rule=rule)[0] for rule in RULES] == [1, 0, 0]
    assert nearest_neighbor(cue * 100, references, rule="cosine")[0] == 0
    assert nearest_neighbor(cue + 50, references, rule="correlation")[0] == 0
    assert nearest_neighbor(cue + 50, references, rule="cosine")[0] == 1
    assert nearest_neighbor(-cue, references, rule="cosine")[0] == 2
    assert nearest_neighbor(cue, references)[0] == nearest_neighbor(cue, references, rule="euclidean")[0]


def test_a_stored_point_is_nearest_to_itself() -> None:
    references = RNG.random((30, 5, 5))
    for rule in RULES:
        assert nearest_neighbor(references, references, rule=rule).tolist() == list(range(30))


def test_of_equally_near_ones_the_first_is_taken() -> None:
    references = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert nearest_neighbor(np.array([[0.0, 2.0], [0.5, 0.5]]), references).tolist() == [0, 0]
    assert nearest_neighbor(np.array([[0.0, 2.0]]), references, rule="cosine").tolist() == [0]


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 1e-100, -7e5])
@pytest.mark.parametrize("size", [2, 9, 625])
def test_a_constant_cue_has_no_direction_after_its_mean(level: float, size: int) -> None:
    references = RNG.random((4, size))
    cue = np.full((1, size), level)
    assert nearest_neighbor(cue, references, rule="correlation").tolist() == [-1]
    expected = -1 if level == 0 else by_hand(np.full(size, np.sign(level)), references, "cosine")
    assert nearest_neighbor(cue, references, rule="cosine").tolist() == [expected]
    assert nearest_neighbor(cue, references, rule="euclidean")[0] >= 0


def test_almost_constant_is_not_constant() -> None:
    references = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    cue = np.array([[0.3, 0.3 + 1e-6, 0.3]])
    assert nearest_neighbor(cue, references, rule="correlation").tolist() == [1]


@pytest.mark.parametrize("level", [0.0, 0.1, 0.7])
def test_a_reference_without_direction_is_never_the_likest(level: float) -> None:
    # 0.1 and 0.7 leave rounding behind when the mean is taken away.
    references = np.stack([np.full(11, level), -np.arange(11.0), np.arange(11.0)])
    cues = np.stack([np.arange(11.0) ** 2, -(np.arange(11.0) ** 2)])
    assert nearest_neighbor(cues, references, rule="correlation").tolist() == [2, 1]
    if level == 0:
        assert nearest_neighbor(cues, references, rule="cosine").tolist() == [2, 1]


@pytest.mark.parametrize(
    ("cues", "references", "rule", "words"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), "manhattan", "rule must be one of euclidean, cosine, correlation"),
        (np.ones((2, 3)), np.ones((2, 4)), "euclidean", r"one shape; got \(2, 3\) and \(2, 4\)"),
        (np.ones(3), np.ones((2, 3)), "euclidean", "one shape"),
        (np.ones((2, 3)), np.ones((0, 3)), "cosine", "one shape"),
        (np.ones((2, 2, 3)), np.ones((2, 6)), "cosine", "one shape"),
    ],
)
def test_wrong_arguments_are_refused(cues: np.ndarray, references: np.ndarray, rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        nearest_neighbor(cues, references, rule=rule)


def test_rates_are_the_fraction_of_right_answers() -> None:
    references = np.array([[10.0, 0.0, 0.0], [0.6, 0.7, 0.1], [0.0, 0.0, 3.0]])
    cues = np.array([[1.0, 0.2, 0.1], [0.5, 0.8, 0.1], [0.0, 0.1, 2.0], [0.2, 0.2, 0.2]])
    rates = neighbor_rates(cues, references, np.array([0, 1, 2, 1]))
    # The last cue is constant: no correlation with anything, so it counts as wrong.
    assert rates == {"euclidean": 0.75, "cosine": 1.0, "correlation": 0.75}


# --- recovery ------------------------------------------------------------------------------------


def snapping(points: np.ndarray) -> ax.Memory:
    """A memory whose map goes to the nearest point at once: its recovery is the Euclidean nearest neighbor."""
    return around(Snap(points), *points)


def counts(found: ax.analysis.Recovery) -> dict[str, int]:
    statuses = [str(status) for status in found.recall.status]
    return {status: statuses.count(status) for status in sorted(set(statuses))}


@pytest.mark.parametrize("corruption", ["gaussian:0.6", "drop:0.6", "occlude:0.5"])
def test_a_memory_that_snaps_recovers_what_the_nearest_neighbor_does(corruption: str) -> None:
    points = np.random.default_rng(5).random((40, 4, 3))
    found = recovery(snapping(points), corruption, key=jr.key(1))
    right = nearest_neighbor(found.cues, points) == np.arange(40)
    assert 0.05 < right.mean() < 0.98
    assert np.array_equal(found.recall.recovered, right)
    assert found.recovery_rate == found.one_nn_rate == right.mean()
    assert found.expected.tolist() == list(range(40))
    assert counts(found) == {"other_attractor": int((~right).sum()), "recovered": int(right.sum())}
    assert found.recall.index.tolist() == np.where(right, np.arange(40), -1).tolist()
    assert found.best_nn_rate == max(found.neighbor_rates.values()) >= found.one_nn_rate
    assert set(found.neighbor_rates) == set(RULES)
    for rule, rate in found.neighbor_rates.items():
        expected = [by_hand(cue, points, rule) == row for row, cue in enumerate(found.cues)]
        assert rate == np.mean(expected)


def test_cues_are_the_corrupted_examples() -> None:
    points = np.random.default_rng(5).random((6, 4, 3))
    memory = snapping(points)
    found = recovery(memory, "gaussian:0.2", key=jr.key(3))
    assert np.array_equal(found.cues, ax.corrupt("gaussian:0.2", points, key=jr.key(3)))
    assert found.corruption == "gaussian:0.2"
    again = recovery(memory, ax.parse_corruption("gaussian:0.2"), key=jr.key(3))
    assert np.array_equal(again.cues, found.cues)
    assert again.recall.status == found.recall.status
    assert np.array_equal(again.recall.value, found.recall.value)
    other = recovery(memory, "gaussian:0.2", key=jr.key(4))
    assert not np.array_equal(other.cues, found.cues)
    clean = recovery(memory, "none", key=jr.key(0))
    assert np.array_equal(clean.cues, points)
    assert clean.recovery_rate == clean.one_nn_rate == clean.best_nn_rate == 1.0


def test_cues_are_made_from_the_examples_as_given() -> None:
    # The exact fixed point is a little off the example: the cue is made of the example, and meets it by mean square.
    fixed, given = np.full((1, 4), 1.0 + 1e-4), np.ones((1, 4))
    memory = ax.Memory(straight(0.5, 0.5 * (1 + 1e-4)), ax.Patterns.from_examples(fixed), given)
    found = recovery(memory, "none", key=jr.key(0))
    assert np.array_equal(found.cues, given)
    assert found.recall.reading == "mean_square"
    assert found.recovery_rate == 1.0


def test_one_attractor_takes_everything() -> None:
    # x ↦ x/2 + c/2 has one fixed point; of two examples only that one comes back, whatever the cue.
    center = np.array([0.25, 0.75, 0.5])
    memory = around(lambda x: 0.5 * x + 0.5 * jnp.asarray(center, x.dtype), center, [1.0, 0.0, 0.0])
    found = recovery(memory, "gaussian:0.1", key=jr.key(0))
    assert counts(found) == {"other_attractor": 1, "recovered": 1}
    assert found.recovery_rate == 0.5
    assert found.one_nn_rate == 1.0


def test_every_way_to_fail_counts_as_not_recovered() -> None:
    def by_first_entry(x: Any) -> Any:
        # Fixed where the first entry is 0; elsewhere it doubles, is cut in half, turns its sign, or creeps.
        kind = jnp.round(x[0])
        rest = jnp.select(
            [kind == 1, kind == 2, kind == 3, kind == 4], [2 * x[1], x[1] / 2, -x[1], x[1] + 1e-3], default=x[1]
        )
        return jnp.stack([x[0], rest])

    points = np.array([[float(kind), 1.0] for kind in range(5)])
    found = recovery(around(by_first_entry, *points), "none", max_steps=2000, key=jr.key(0))
    statuses = ["recovered", "diverged", "spurious", "cycle", "not_converged"]
    assert [str(status) for status in found.recall.status] == statuses
    assert found.recovery_rate == 0.2
    assert found.recall.period.tolist()[3] == 2
    assert found.best_nn_rate == 1.0


def test_newtons_basins() -> None:
    angles = 2 * np.pi * np.array([0, 1, 2]) / 3
    roots = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    near = recovery(around(newton_cube, *roots), "gaussian:0.05", key=jr.key(0))
    assert near.recovery_rate == 1.0
    assert near.recall.index.tolist() == [0, 1, 2]
    # Turned by a third, each cue lies in the basin of the next root; only two of the three are stored.
    turn = np.array([[np.cos(angles[1]), -np.sin(angles[1])], [np.sin(angles[1]), np.cos(angles[1])]])

    def turned(key: Any, x: Any) -> Any:
        return jnp.asarray(turn) @ x

    two = recovery(around(newton_cube, *roots[:2]), as_corruption(turned), key=jr.key(0))
    assert np.allclose(two.cues, roots[1:], atol=1e-12)
    assert [str(status) for status in two.recall.status] == ["other_attractor", "spurious"]
    assert two.recovery_rate == 0.0
    assert two.corruption == "turned"


def test_options_reach_recall() -> None:
    slow = around(straight(0.99), [0.0, 0.0])
    hurried = recovery(slow, "gaussian:1", max_steps=5, key=jr.key(0))
    assert counts(hurried) == {"not_converged": 1}
    assert recovery(slow, "gaussian:1", key=jr.key(0)).recovery_rate == 1.0
    stopped = recovery(slow, "gaussian:1", atol=10.0, recovery_atol=100.0, reading="literal", key=jr.key(0))
    assert stopped.recall.num_steps[0] < 5
    assert stopped.recovery_rate == 1.0
    calls = []
    recovery(slow, "gaussian:1", progress=lambda *call: calls.append(call), key=jr.key(0))
    assert calls


def test_what_cannot_be_measured_is_refused() -> None:
    points = np.eye(3)
    with pytest.raises(ValueError, match="needs pictures"):
        recovery(snapping(points), "occlude:0.5", key=jr.key(0))
    with pytest.raises(ValueError, match="must be one of"):
        recovery(snapping(points), "blur:1", key=jr.key(0))
    with pytest.raises(ValueError, match="saved without its patterns"):
        recovery(ax.Memory(lambda x: x, None), "none", key=jr.key(0))
    with pytest.raises(ValueError, match="reading"):
        recovery(snapping(points), "none", reading="loose", key=jr.key(0))
    with pytest.raises(ValueError, match="max_steps"):
        recovery(snapping(points), "none", max_steps=0, key=jr.key(0))
