"""Corollary 1: which intervals are admissible, and that what is proved is true."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.theory_reference import ACTIVATIONS
from mpmath import mp, mpf

from attrax import theory
from attrax.activations import intervals as interval

KNOWN = {
    "sigmoid": [(-10, -1.27846)],
    "softplus": [(-10, -1.14455)],
    "swish": [(-10, -2.21772), (0, 10)],
    "cosid": [(-10, -9.31787), (-6.12125, -2.79839), (0.38892, 0.73909), (0.73909, 2.79839), (6.12125, 9.31787)],
    "exp": [(-10, -1), (1, 10)],
    "gelu": [(-10, -1.19060), (0, 10)],
    "z^2": [(-10, 0), (0, 10)],
    "z^1.5": [(0, 10)],
    "z^0.5": [],
    **{name: [] for name in ("tanh", "erf", "arctan", "selu", "relu", "leaky_relu", "identity")},
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_intervals(name) -> None:
    answer = theory.admissible_intervals(name, -10, 10)
    assert answer.status == "proved"
    np.testing.assert_allclose(np.ravel(answer.intervals), np.ravel(KNOWN[name]), atol=6e-6)


def test_sinusoid_intervals() -> None:
    answer = theory.admissible_intervals("sinusoid", 0, 1)
    np.testing.assert_allclose(
        answer.intervals, [(0.314159, 0.367319), (0.449341, 0.772525), (0.942478, 0.963168)], atol=1e-6
    )


@pytest.mark.parametrize("name", [name for name in KNOWN if name in ACTIVATIONS] + ["sinusoid"])
def test_intervals_hold_in_arbitrary_precision(name) -> None:
    answer = theory.admissible_intervals(name, -6, 6)
    value, slope = ACTIVATIONS[name]

    def admissible(z) -> bool:
        z = mpf(z)
        return abs(z * slope(z, mp)) > abs(value(z, mp)) > 0

    with mp.workdps(40):
        if name != "z^0.5":
            for z in np.random.default_rng(0).uniform(-6, 6, 150):
                assert admissible(z) == (z in answer), z
        for low, high in answer.intervals:  # right up to the ends
            assert admissible(low + (high - low) * 1e-9)
            assert admissible(high - (high - low) * 1e-9)
    assert all(high - low < 1e-8 for low, high in answer.undecided)


def test_callables_are_sampled_and_say_so() -> None:
    own = theory.admissible_intervals(lambda z: jnp.cos(z) - z, -10, 10)
    assert own.status == "sampled"
    np.testing.assert_allclose(np.ravel(own.intervals), np.ravel(KNOWN["cosid"]), atol=6e-6)
    assert theory.admissible_intervals(lambda z: jnp.tanh(z), -10, 10).intervals == ()


def test_statuses_of_corollary_1() -> None:
    assert theory.corollary1("tanh", 2, 0.7).status == "inadmissible"
    assert theory.corollary1("tanh", 2, 0.7).attractor is True
    assert theory.corollary1("relu", 2, -1.0).status == "impossible"
    assert theory.corollary1("z^0.5", 2, -1.0).status == "nonfinite"
    network = theory.corollary1("sigmoid", 3, -0.75, norm=2.0)
    assert network.h == -3.0
    assert theory.is_interpolating("sigmoid", [network.u] * 3, [network.v] * 3, norm=2.0)
    assert theory.sequence([network, network]).top_eigenvalue == pytest.approx(network.top_eigenvalue**2)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, np.inf), (-2e4, 0)])
def test_wrong_ranges(low, high) -> None:
    with pytest.raises(ValueError, match=r"low|high"):
        theory.admissible_intervals("sigmoid", low, high)


FUNCTIONS = {
    "exp": (interval.exp, lambda z: mp.exp(z)),
    "sigmoid": (interval.sigmoid, lambda z: 1 / (1 + mp.exp(-z))),
    "softplus": (interval.softplus, lambda z: mp.log(1 + mp.exp(z))),
    "normal": (interval.normal_distribution, lambda z: mp.ncdf(z)),
    "sin": (interval.sin, lambda z: mp.sin(z)),
    "cos": (interval.cos, lambda z: mp.cos(z)),
    "sinc": (interval.sinc, lambda z: mp.sinc(z)),
    "square": (interval.square, lambda z: z * z),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_enclosures(name) -> None:
    function, exact = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    middle, width = rng.uniform(-8, 8, 200), 10.0 ** rng.uniform(-12, 0.7, 200)
    middle[:40] *= 1e-3
    boxes = interval.Boxes(middle - width, middle + width)
    image = function(boxes)
    with mp.workdps(30):
        for low, high, a, b in zip(image.low, image.high, boxes.low, boxes.high, strict=True):
            for part in (0, 0.3, 0.77, 1):
                z = mpf(float(a)) + mpf(part) * (mpf(float(b)) - mpf(float(a)))
                assert low <= exact(z) <= high
