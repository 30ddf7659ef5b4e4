"""Training beside the theory, and beyond it: real gradient descent, random starts, the map, wide networks."""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from attrax import analysis, theory
from attrax.analysis._theory_check import extrapolate  # the extrapolation by itself

KEY = jr.key(3)


def single(*arguments, **options):
    return theory.single_example(*arguments, **options)


SETTINGS: dict[str, Callable[[], Any]] = {
    "equal": lambda: single("sigmoid", 2, 1.0, 1.0),
    "unequal": lambda: single("tanh", 3, [0.8, -0.2, 0.3], [0.5, 0.7, -0.1], norm=1.2),
    "deep": lambda: single("sigmoid", 3, 0.5, 0.8, 3, [0.3, -0.2]),
    "trapped": lambda: single("sinusoid", 3, 0.4, 0.1),
    "other branch": lambda: single("swish", 3, -0.4, -0.5),
    "piecewise linear": lambda: single("relu", 2, 0.5, 0.8, 2, [0.6], norm=0.7),
    "callable": lambda: single(lambda z: jnp.arctan(z) + z / 3, 2, 0.5, 0.4),
    "sequence": lambda: [
        single("tanh", 2, 0.7, 0.5, target_norm=2.0),
        single("sigmoid", 3, 0.6, 0.2, 2, [0.4], norm=2.0, target_norm=1.0),
    ],
}


@cache
def setting(name: str) -> Any:
    return SETTINGS[name]()


@pytest.mark.parametrize("name", SETTINGS)
def test_training_meets_theory(name) -> None:
    check = analysis.check_training(setting(name), key=KEY)
    assert check.status == "agrees"
    assert (np.abs(check.difference) <= check.error).all()
    assert np.abs(check.difference).max() < 1e-10  # the errors that are allowed are small themselves
    assert check.error.max() < 1e-9
    assert abs(check.order - 1) < 0.05
    assert check.form_error < 1e-12
    assert check.other_eigenvalues < 1e-12
    assert len(check.eigenvalues) == 5
    # Each rate alone is far from the flow: it is the extrapolation that meets the theory.
    assert np.abs(check.measured[0] - check.theory).max() > 1e5 * np.abs(check.difference).max()
    assert list(check.names)[-1] == "top_eigenvalue"
    assert (np.diff(check.rates) < 0).all()


@pytest.mark.parametrize("field", ["u", "v", "top_eigenvalue"])
def test_a_wrong_theory_is_found_out(field) -> None:
    right = setting("equal")
    wrong = dataclasses.replace(right, **{field: getattr(right, field) * (1 + 1e-9)})
    assert analysis.check_training(wrong, key=KEY).status == "differs"


def test_what_cannot_be_compared_says_so() -> None:
    assert analysis.check_training(single("tanh", 2, 0, 0), key=KEY).status == "no_theory"
    check = analysis.check_training(setting("equal"), rates=[50.0, 40.0, 30.0], key=KEY)
    assert check.status == "not_trained"
    assert np.isnan(check.training).all()


def test_rates_given_are_the_rates_used() -> None:
    coarse = analysis.check_training(setting("equal"), rates=[0.1, 0.05, 0.02], key=KEY)
    assert coarse.rates == (0.1, 0.05, 0.02)
    fine = analysis.check_training(setting("equal"), key=KEY)
    assert fine.error.max() < 1e-3 * coarse.error.max()
    assert coarse.status == "agrees"


def test_corollary_1_as_matrices() -> None:
    check = analysis.check_training(theory.corollary1("cosid", 5, 0.7, norm=1.5), key=KEY)
    assert check.status == "agrees"
    assert check.rates == ()
    assert check.residual < 1e-13
    assert check.other_eigenvalues < 1e-12
    assert analysis.check_training(theory.corollary1("relu", 5, -1.0), key=KEY).status == "no_theory"


def test_extrapolation_is_exact_for_polynomials() -> None:
    rates = np.array([0.3, 0.2, 0.05, 0.01])
    values = np.stack([1 + 2 * rates - rates**2 + 5 * rates**3, 4 + rates], axis=1)
    best, error = extrapolate(rates, values)
    np.testing.assert_allclose(best, [1, 4], rtol=1e-12)
    assert error[0] > 1e-4
    assert error[1] < 1e-12


@pytest.mark.parametrize(
    ("records", "options", "message"),
    [
        (lambda: [], {}, "records"),
        (lambda: "sigmoid", {}, "records"),
        (lambda: setting("equal"), {"rates": [0.1, 0.2, 0.3]}, "decreasing"),
        (lambda: setting("equal"), {"rates": [0.1, 0.05]}, "at least three"),
        (lambda: setting("equal"), {"num_rates": 2}, "num_rates"),
        (lambda: setting("sequence"), {"dimension": 1}, "dimension"),
        (lambda: setting("sequence")[0], {}, "target_norm"),
        (lambda: [theory.corollary1("sigmoid", 2, -2.0)] * 2, {}, "single_example"),
    ],
)
def test_wrong_arguments(records, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        analysis.check_training(records(), key=KEY, **options)


def test_every_activation_and_theorem_is_among_the_settings() -> None:
    settings = analysis.theory_settings()
    singles = [record for record in settings if isinstance(record, theory.SingleExample)]
    for name in (*(set(theory.names()) - {"z^p"}), "z^0.5"):
        assert {1, 2, 3} <= {record.depth for record in singles if record.activation == name}, name
    assert {record.norm for record in singles} > {1.0}
    assert any(np.ndim(record.u0) for record in singles)
    assert any(isinstance(record, list) for record in settings)
    assert any(isinstance(record, theory.InterpolatingNetwork) for record in settings)
    with pytest.raises(ValueError, match="activations"):
        analysis.verify_theory(["sigmoidal"], key=KEY)


def test_without_randomness_a_random_start_is_the_theorem() -> None:
    record = single("sigmoid", 4, 0.3, 0.8, 2, [0.3])
    exact = analysis.simulate_random_start(record, spread=0, rate=0.002, trials=6, key=KEY)
    np.testing.assert_allclose(exact.spectral_radius, record.top_eigenvalue, rtol=1e-3)
    np.testing.assert_allclose(exact.along, record.top_eigenvalue, rtol=1e-3)
    mild = analysis.simulate_random_start(record, spread=0.05, rate=0.02, trials=6, key=KEY)
    free = analysis.simulate_random_start(record, spread=1, rate=0.02, trials=6, key=KEY)
    far = [np.abs(found.along - record.top_eigenvalue).max() for found in (exact, mild, free)]
    assert far[0] < far[1] < far[2]
    again = analysis.simulate_random_start(record, spread=1, rate=0.02, trials=6, key=KEY)
    np.testing.assert_array_equal(again.spectral_radius, free.spectral_radius)
    assert len(set(free.spectral_radius)) == 6


def test_random_starts_have_the_scale_of_the_theorem() -> None:
    from attrax.analysis._random_start import _random  # the same draw, to compare with

    record = analysis.scaled_start("tanh", 256, 3, 20)
    matrices, x = _random(record, 1.0, 20, KEY)
    for weight in (matrices.first, *matrices.middle, matrices.last):
        assert weight.std() == pytest.approx(1 / np.sqrt(weight.shape[1]), rel=0.05)
    assert np.linalg.norm(x) == pytest.approx(1)


def test_untrained_networks_are_not_counted() -> None:
    # Signals that vanish with depth: plain gradient descent does not get there.
    record = analysis.simulate_random_start(analysis.scaled_start("relu", 16, 32, 10, 0.5), trials=6, key=KEY)
    assert not record.trained.all()
    assert np.isnan(record.spectral_radius[~record.trained]).all()


def test_confidence_interval_of_a_median() -> None:
    rng = np.random.default_rng(0)
    for n in (6, 9, 20):
        draws = rng.exponential(size=(4000, n))
        hits = [low <= np.log(2) <= high for _, low, high in map(analysis.median_interval, draws)]
        assert np.mean(hits) > 0.94, n
    assert np.isnan(analysis.median_interval(np.arange(5.0))[1])
    assert analysis.median_interval([np.nan, *range(6)])[0] == 2.5
    assert np.isnan(analysis.median_interval(np.full(8, np.nan))).all()


def test_map_over_width_and_depth() -> None:
    found = analysis.eigenvalue_map("sigmoid", widths=(1, 4, 128), depths=(1, 9), trials=6, key=KEY)
    assert set(found.trained) == {(1, 1), (1, 4), (1, 128), (9, 1), (9, 4)}  # depth 9 only up to width 64
    assert found.trained[9, 4].trained.all()
    assert 10 ** found.log10_theory[0, 1] == pytest.approx(abs(found.theory[0][1].top_eigenvalue))
    deep = analysis.eigenvalue_map("sigmoid", widths=(1024,), depths=(1024,), train=False, key=KEY)
    assert deep.theory[0][0].top_eigenvalue == 0  # below the smallest number
    assert deep.log10_theory[0, 0] < -600
    with pytest.raises(ValueError, match="widths"):
        analysis.eigenvalue_map("sigmoid", widths=(4, 2048), key=KEY)


@pytest.mark.parametrize("activation", [name for name in theory.names() if name not in ("z^p", "exp")])
def test_theory_for_a_width_and_depth_of_1024(activation) -> None:
    assert analysis.scaled_start(activation, 1024, 1, 10).status == "solved"
    # One smooth, one piecewise linear, one unbounded; of swish, gelu and selu signals vanish or explode.
    if activation in ("tanh", "relu", "cosid"):
        deep = analysis.scaled_start(activation, 1024, 1024, 10, 1.0)
        assert deep.status == "solved"
        assert deep.residual < 1e-9


def test_initial_jacobian_formula() -> None:
    square = theory.initial_jacobian("identity", 50, 50)
    assert square.largest_singular_value == pytest.approx(np.sqrt(27 / 4), rel=1e-6)
    wide = theory.initial_jacobian("sigmoid", 10**7, 10, 1e-3)
    assert wide.largest_singular_value == pytest.approx(0.5, abs=1e-3)
    assert wide.spectral_radius == pytest.approx(0.25, abs=1e-6)
    assert theory.initial_jacobian("relu", 10**7, 10).mean_square_slope == pytest.approx(0.5, abs=1e-4)
    for arguments in (("sigmoid", 0, 5), ("sigmoid", 5, 0), ("sigmoid", 5, 5, 0.0), ("sigmoidal", 5, 5)):
        with pytest.raises(ValueError, match=r"k must|dimension|norm|activation"):
            theory.initial_jacobian(*arguments)


@pytest.mark.parametrize(("k", "dimension", "norm"), [(200, 200, 20.0), (600, 150, 5.0)])
def test_initial_jacobian_as_measured(k, dimension, norm) -> None:
    found = analysis.measure_initial_jacobian("tanh", k, dimension, norm, trials=6, key=KEY)
    assert found.norm_before.mean() == pytest.approx(found.theory.largest_singular_value, rel=0.03)
    assert found.radius_before.mean() == pytest.approx(found.theory.spectral_radius, rel=0.08)
    assert np.isfinite(found.norm_after).all()


def test_in_double_precision_whatever_the_default() -> None:
    before = dict(jax.config.values)
    record = analysis.simulate_random_start(setting("equal"), spread=0.1, trials=6, rtol=1e-12, key=KEY)
    assert record.trained.all()
    assert dict(jax.config.values) == before
