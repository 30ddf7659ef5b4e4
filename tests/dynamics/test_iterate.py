"""Iteration and refinement on maps with known answers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import Logistic, linear, logistic, logistic_cycle, newton_cube, straight

import attrax as ax
from attrax.dynamics import _refine  # what it does by default is turned off
from attrax.extending import cast, float64
from attrax.maps import reduced_map


def test_convergence_and_its_steps() -> None:
    ends = ax.iterate(straight(0.5), np.ones((1, 1)), atol=1e-8)
    # |2^-t − 2^-(t-1)| = 2^-t first falls below 1e-8 at t = 27.
    assert ends.num_steps[0] == 27
    assert ends.status[0] == ax.IterationStatus.CONVERGED
    assert ends.residual[0] == 2.0**-27
    assert ends.value[0, 0] == 2.0**-27


def test_cycles_have_their_least_period() -> None:
    ends = ax.iterate(logistic, np.array([[0.3]]))
    assert ends.status[0] == ax.IterationStatus.CYCLE
    assert ends.period[0] == 2
    permutation = np.roll(np.eye(7), 1, axis=0)

    def towards(x):
        # Norms tend to 1 while the entries move on: a cycle of seven.
        y = jnp.asarray(permutation) @ x
        return y / (0.5 + 0.5 * jnp.linalg.norm(y))

    start = np.random.default_rng(0).random((1, 7))
    assert ax.iterate(towards, start).period[0] == 7


@pytest.mark.parametrize(("map", "start"), [(straight(3), 1.0), (straight(np.nan), 1.0), (lambda x: x**2 + 1, 2.0)])
def test_divergence(map, start: float) -> None:
    ends = ax.iterate(map, np.full((1, 2), start))
    assert ends.status[0] == ax.IterationStatus.DIVERGED
    assert np.isinf(ends.residual[0])
    assert np.isfinite(ends.value).all()


def test_a_rotation_never_converges_and_says_so() -> None:
    angle = 1.0
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ends = ax.iterate(linear(turn), np.ones((1, 2)), max_steps=500)
    assert ends.status[0] == ax.IterationStatus.NOT_CONVERGED
    assert ends.num_steps[0] == 500


def test_a_slow_approach_along_minus_one_is_no_cycle() -> None:
    # At r = 3 the states hop from side to side of 2/3, ever closer, as 1/√t: two steps apart they are soon within 1e-8.
    ends = ax.iterate(Logistic(np.array(3.0)), np.array([[0.3]]), max_steps=5_000)
    assert ends.status[0] == ax.IterationStatus.NOT_CONVERGED
    assert ends.period[0] == 0
    # A little beyond, there is a cycle, approached slowly as well: by (1 − 2·.01) a lap.
    ends = ax.iterate(Logistic(np.array(3.01)), np.array([[0.3]]))
    assert ends.period[0] == 2


def test_a_cycle_needs_a_second_lap() -> None:
    """A state that comes by once more on its way elsewhere: 0, 1, 2, 3, 4, 5, 4 + 1e-9, 9, 9."""

    def map(x):
        near = [x < 3.5, x <= 4.0, x < 4.5, x < 5.5]
        return jnp.select(near, [x + 1, 5 + 0 * x, 9 + 0 * x, 4 + 1e-9 + 0 * x], x)

    ends = ax.iterate(map, np.zeros((1, 1)))
    assert (ends.status[0], ends.value[0, 0]) == (ax.IterationStatus.CONVERGED, 9.0)


def test_cycles_that_neither_attract_nor_repel() -> None:
    permutation = np.roll(np.eye(5), 1, axis=0)
    assert ax.iterate(linear(permutation), np.random.default_rng(0).random((1, 5))).period[0] == 5
    angle = 2 * np.pi / 9
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert ax.iterate(linear(turn), np.ones((1, 2))).period[0] == 9


def test_trajectories_are_what_the_map_says() -> None:
    network = ax.maps.mlp((6,), width=3, depth=2, activation="tanh", key=jr.key(0))
    with float64():
        reduced = reduced_map(network, (6,))
        step = eqx.filter_jit(jax.vmap(cast(network, np.float64)))
        starts = np.random.default_rng(0).random((20, 6))
        wanted = [jnp.asarray(starts)]
        for _ in range(70):
            wanted.append(step(wanted[-1]))
    found = ax.dynamics.trajectory(reduced, starts, 70)
    np.testing.assert_allclose(np.stack(found), np.stack(wanted[1:], axis=1), atol=1e-12)
    with float64():
        doubling = reduced_map(straight(2), (1,))
    lengths = [len(states) for states in ax.dynamics.trajectory(doubling, np.array([[1e-3], [1e300]]), 400)]
    assert lengths == [342, 0]  # 1e-3·2³⁴² is the last whose square is sure not to overflow, below 1e100


def test_three_basins() -> None:
    starts = np.array([[2.0, 0.1], [-1.0, 1.0], [-1.0, -1.0]])
    roots = np.exp(2j * np.pi * np.array([0, 1, 2]) / 3)
    ends = ax.iterate(newton_cube, starts)
    assert np.allclose(ends.value, np.stack([roots.real, roots.imag], axis=1))


@pytest.mark.parametrize("width", [8, 400])  # features are cheaper for the first, the state itself for the second
def test_a_network_is_iterated_as_numpy_would(width: int) -> None:
    network = ax.maps.mlp((5, 5), width=width, depth=2, activation="selu", key=jr.key(0))
    starts = np.random.default_rng(0).random((3, 5, 5))
    kept = starts.copy()
    ends = ax.iterate(network, starts, atol=1e-8)
    weights = [np.asarray(weight, float) for weight in network.weights]
    biases = [np.asarray(bias, float) for bias in network.biases]

    def apply(x):
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            z = weight @ x + bias
            x = 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
        return weights[-1] @ x + biases[-1]

    for row, start in enumerate(starts):
        x = start.ravel()
        for step in range(1, 10_000):
            y = apply(x)
            change, x = np.linalg.norm(y - x), y
            if change < 1e-8 and step > 1:
                break
        assert step == ends.num_steps[row]
        assert np.allclose(ends.value[row].ravel(), x, atol=1e-12)
    assert np.array_equal(starts, kept)
    assert not jax.config.read("jax_enable_x64")


def test_a_row_is_what_it_would_be_alone() -> None:
    network = ax.maps.mlp((6,), width=16, depth=3, init="kaiming_normal", key=jr.key(3))
    starts = np.random.default_rng(1).normal(size=(40, 6))
    together = ax.iterate(network, starts, max_steps=400)
    for row in (0, 17, 39):
        alone = ax.iterate(network, starts[row : row + 1], max_steps=400)
        assert alone.status[0] == together.status[row]
        assert alone.num_steps[0] == together.num_steps[row]
        assert np.array_equal(alone.value[0], together.value[row])


def test_limits_do_not_compile_anew() -> None:
    traces = []

    def map(x):
        traces.append(1)
        return x * 0.9

    ax.iterate(map, np.ones((2, 3)))
    first = len(traces)
    ax.iterate(map, np.ones((5, 3)), max_steps=77, atol=1e-5)
    # Another shape of the chunks would be traced as often again.
    assert first <= len(traces) < 2 * first


@pytest.mark.parametrize(
    ("starts", "words"),
    [(np.ones(3), "start"), (np.full((1, 2), np.nan), "finite"), (np.zeros((0, 2)), "at least one")],
)
def test_wrong_starts_are_refused(starts: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ax.iterate(lambda x: x, starts)


def test_refine_finds_fixed_points_and_cycles() -> None:
    found = ax.refine(logistic, logistic_cycle() + 1e-3, max_move=1.0)
    assert found.converged
    assert np.allclose(found.points, logistic_cycle(), atol=1e-14)
    single = ax.refine(logistic, np.array([[0.68]]), max_move=1.0)
    assert np.isclose(single.points[0, 0], 1 - 1 / 3.2)


def test_refine_leaves_exact_points_alone_and_reports_failure() -> None:
    exact = np.array([[0.0, 0.0]])
    assert ax.refine(linear(np.eye(2) / 2), exact).moved == 0.0
    shifted = ax.refine(straight(1, 1), exact)  # no fixed point at all
    assert not shifted.converged
    assert np.array_equal(shifted.points, exact)
    far = ax.refine(straight(0.5, 5), exact)  # its fixed point is farther away than is accepted
    assert not far.converged
    assert far.moved == 0.0


def test_refine_follows_the_map_where_newton_loses_its_way() -> None:
    def map(x):
        # A stable cycle 0 → 1 → 0, and on the way to it a sliver whose slope would make it unstable.
        up = 1 + 0.5 * x + 2 * (jnp.clip(x, 0.004, 0.006) - 0.004)
        return jnp.where(x < 0.5, up, 0.5 * (x - 1))

    start = np.array([[0.005], [1.01]])  # one step from here is in the sliver as well
    found = ax.refine(map, start, max_move=1.0)
    assert found.converged
    np.testing.assert_allclose(found.points, [[0.0], [1.0]], atol=1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_refine, "_LAPS", 0)
        assert not ax.refine(map, start, max_move=1.0).converged


def test_refine_without_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_refine, "FORMED", 0)
    found = ax.refine(lambda x: jnp.cos(x), np.full((1, 3), 0.74), max_move=1.0)
    assert found.converged
    assert np.allclose(found.points, 0.7390851332151607)


def test_both_ways_of_iterating_agree() -> None:
    network = ax.maps.mlp((9,), width=4, depth=2, activation="tanh", key=jr.key(0))
    x = np.random.default_rng(0).random(9)
    with float64():
        short = reduced_map(network, (9,))
        plain = reduced_map(lambda s: network(s), (9,))
        assert short.size == 4
        assert plain.size == 9

        @jax.jit
        def both(x: Any) -> Any:
            z, w = short.first_step(x), plain.first_step(x)
            u, v = short.step(z), plain.step(w)
            return short.to_state(u), v, short.distance(u, z), plain.distance(v, w)

        one, other, moved, other_moved = both(x)
        assert np.allclose(one, other, atol=1e-6)
        assert np.isclose(moved, other_moved, atol=1e-6)


def test_a_row_that_is_lost_at_once_keeps_its_start() -> None:
    starts = np.array([[1e300, 1.0], [0.5, 0.5]])
    found = ax.iterate(lambda x: x * x, starts)
    assert str(found.status[0]) == "diverged"
    np.testing.assert_array_equal(found.value[0], starts[0])
    assert str(found.status[1]) == "converged"


def test_strong_attractors_are_refined_by_iterating_and_others_by_newton(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = {slope: lambda x, slope=slope: 1 + slope * jnp.sin(x - 1) for slope in (0.2, 0.9)}
    starts = [np.array([[1 + off]]) for off in (1e-3, -2e-3, 0.0)] + [np.array([[40.0]])]
    solved = list[float]()
    newton = _refine._newton_correction
    monkeypatch.setattr(_refine, "_newton_correction", lambda *a: (solved.append(1), newton(*a))[1])
    for slope, map in maps.items():
        solved.clear()
        found = ax.dynamics.refine_each(map, starts[:3], unit=1.0)
        assert bool(solved) == (slope == 0.9)
        assert all(one.converged and abs(one.points[0, 0] - 1) < 1e-15 for one in found)
        assert [one.moved for one in found] == pytest.approx([1e-3, 2e-3, 0], abs=1e-12)
        # What the iteration leads to, but is farther away than is accepted, is no refinement.
        assert not ax.dynamics.refine_each(map, starts[3:], unit=1.0)[0].converged
