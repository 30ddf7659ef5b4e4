"""Where starts end: every kind of end, and that neither ends nor their number depend on when the iteration stops."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.audited import memory

from attrax.audit import EndKind, Motion, find_ends

STARTS = np.random.default_rng(0).uniform(0.2, 0.8, size=(6, 1))


def test_two_attractors_and_the_saddle_between_them() -> None:
    found = find_ends(lambda x: jnp.tanh(2 * x), np.array([[-1.0], [0.0], [0.3], [2.0], [0.5]]))
    assert [(str(end.kind), str(end.verdict), end.count) for end in found.ends] == [
        ("fixed_point", "attractor", 3),
        ("fixed_point", "attractor", 1),
        ("fixed_point", "not_attractor", 1),
    ]
    assert found.num_attractors == 2
    assert found.elsewhere == 1
    assert np.abs(np.tanh(2 * found.ends[0].states) - found.ends[0].states).max() < 1e-15
    slope = 2 / np.cosh(2 * found.ends[0].states[0, 0]) ** 2
    assert found.ends[0].time_constant == pytest.approx(-1 / math.log(slope), rel=1e-6)
    assert found.label.tolist() == [1, 2, 0, 0, 0]
    assert found.last[2, 0] == found.ends[0].states[0, 0]
    assert len(found.as_rows()) == 3


def test_a_cycle_is_one_end_whatever_state_is_met_first() -> None:
    found = find_ends(lambda x: 3.2 * x * (1 - x), STARTS)
    (end,) = found.ends
    assert (end.kind, end.period, end.attracts, end.count) == (EndKind.CYCLE, 2, True, 6)


def test_a_line_of_fixed_points_is_one_end() -> None:
    starts = np.random.default_rng(1).normal(size=(6, 2))
    (end,) = find_ends(lambda x: x * jnp.array([1.0, 0.5]), starts).ends
    assert (end.kind, end.marginal, end.points, end.count) == (EndKind.LINE, 1, 6, 6)
    assert not end.attracts


def test_where_there_is_no_fixed_point_there_is_a_slow_point_or_none() -> None:
    # The narrow gap between x + x² + 1e-12 and the diagonal takes 3e6 steps.
    found = find_ends(lambda x: x + x**2 + 1e-12, np.array([[-0.5], [-1e-6]]), max_steps=1000)
    assert found.num_attractors == 0
    assert found.elsewhere == 2
    assert [(end.kind, end.marginal, end.count) for end in found.ends] == [(EndKind.SLOW_POINT, 0, 1)]


def test_what_repels_on_one_side_of_a_kink_is_no_attractor_by_estimate() -> None:
    found = find_ends(lambda x: 3 * jax.nn.relu(x), np.array([[-0.5], [0.5]]), max_steps=100)
    (end,) = found.ends
    assert (str(end.reason), end.spectral_radius, end.estimated) == ("kink", 0, False)
    assert found.label.tolist() == [0, -1]


def test_a_drift_names_the_entries_that_grow() -> None:
    found = find_ends(
        lambda x: 0.5 * x + jnp.array([0.0, 0.0, 1.0]) * (0.5 * x + 0.25), np.zeros((3, 3)), max_steps=300
    )
    (moving,) = found.moving[:1]
    assert found.not_converged == 3
    assert moving.motion is Motion.DRIFT
    assert moving.count == 3
    assert moving.growing[0] == ((2,), pytest.approx(0.25))
    assert moving.growing_share == pytest.approx(1.0)
    assert moving.rate == pytest.approx(0.25)
    assert moving.slowing == pytest.approx(1.0)


def test_chaos_has_a_positive_exponent() -> None:
    found = find_ends(lambda x: 4 * x * (1 - x), STARTS[:2], max_steps=500)
    moving = found.moving[0]
    assert moving.motion is Motion.CHAOS
    mean, low, high = moving.lyapunov
    assert low < math.log(2) < high
    assert high - low < 0.1
    assert mean == pytest.approx(math.log(2), abs=0.05)


def test_quasi_periodic_motion_is_not_called_chaos() -> None:
    turn = jnp.array([[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]])
    found = find_ends(lambda x: turn @ x, np.ones((1, 2)), max_steps=300)
    assert found.moving[0].motion is Motion.WANDERING


def test_divergence_says_how_fast_and_where() -> None:
    found = find_ends(lambda x: x * jnp.array([3.0, 0.5]), np.ones((2, 2)))
    assert found.diverged == 2
    (lost,) = found.moving
    assert (lost.motion, lost.rate) == (Motion.DIVERGENCE, pytest.approx(3.0))
    assert lost.growing[0][0] == (0,)


def slow(x: jnp.ndarray) -> jnp.ndarray:
    """Attractors at multiples of 0.1, with a slope of 0.98."""
    return x - 0.02 / (20 * math.pi) * jnp.sin(20 * math.pi * x)


def close(x: jnp.ndarray) -> jnp.ndarray:
    """Attractors at 0 and 0.01."""
    return x - 10 * x * (x - 0.005) * (x - 0.01)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-8])
def test_the_count_does_not_depend_on_the_tolerance(tolerance: float) -> None:
    """Slow attractors close to each other, where distances to a tolerance decide nothing."""
    starts = np.linspace(-0.28, 0.28, 24)[:, None]
    found = find_ends(slow, starts, unit=1.0, tolerance=tolerance)
    assert found.num_attractors == len(found.ends) == 7
    expected = np.round(starts / 0.1) * 0.1
    assert np.abs(found.last - expected).max() < 1e-9


@pytest.mark.parametrize("tolerance", [1e-3, 1e-8])
def test_an_attractor_beside_a_slow_one_is_found(tolerance: float) -> None:
    """A path to the second one comes nearer to the first one as well."""
    found = find_ends(
        close,
        np.array([[-0.1], [-0.01], [0.0105], [0.012]]),
        unit=1.0,
        tolerance=tolerance,
        max_steps=100_000,
    )
    assert found.num_attractors == 2
    assert np.abs(found.last.ravel() - [0, 0, 0.01, 0.01]).max() < 1e-6


def test_ends_of_a_network_are_its_examples_at_every_tolerance() -> None:
    stored = memory()
    rng = np.random.default_rng(0)
    starts = np.clip(np.repeat(stored.originals, 3, axis=0) + 0.2 * rng.normal(size=(18, 8, 8)), 0, 1)
    labels = []
    for tolerance in (1e-3, 1e-8):
        found = find_ends(stored.map, starts, tolerance=tolerance)
        labels.append(
            (found.num_attractors, [round(float(end.states.sum()), 6) for end in found.ends], found.label.tolist())
        )
        assert {str(end.evidence) for end in found.ends if end.attracts} == {"bound"}
    assert labels[0] == labels[1]
    assert labels[0][0] >= 6


def test_wrong_arguments_are_refused() -> None:
    for wrong in ({"tolerance": 0.0}, {"max_steps": 0}, {"unit": -1.0}, {"confidence": 2.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            find_ends(lambda x: x / 2, np.ones((1, 2)), **wrong)
    with pytest.raises(ValueError, match="finite"):
        find_ends(lambda x: x / 2, np.full((1, 2), np.nan))
