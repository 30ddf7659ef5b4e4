"""A hundred random settings against the same theory in arbitrary precision, to 1e-9."""

import numpy as np
import pytest
from helpers.theory_reference import ACTIVATIONS, deep, equal_units, unequal_units
from mpmath import mp

from attrax import theory

NUM_EQUAL, NUM_UNEQUAL, NUM_DEEP = 60, 20, 20
SMOOTH = [name for name in ACTIVATIONS if name != "selu"]
"""The extrapolation of the reference needs smoothness; SELU is covered with equal units."""


def close(value, expected) -> None:
    expected = np.array([float(x) for x in np.ravel(expected)])
    np.testing.assert_allclose(np.ravel(value), expected, rtol=1e-9, atol=1e-13)


def start(rng: np.random.Generator, name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial u and v. Powers need v > 0, and a flow that does not run into v = 0."""
    u, v = rng.uniform(-1, 1, size), rng.uniform(-1.2, 1.2, size)
    return (np.abs(u), np.abs(v) + 0.1) if name.startswith("z^") else (u, v)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("a", "b"), [(0.22, 0.4), (-0.4, -0.22), (0.22, 0.21000001)])
def test_integral_and_factor(name, a, b) -> None:
    if name.startswith("z^"):  # roots are real for z > 0 only
        a, b = abs(a), abs(b)
    value, slope = ACTIVATIONS[name]
    with mp.workdps(25):
        integral = mp.quad(lambda z: value(z, mp) / slope(z, mp), [mp.mpf(a), mp.mpf(b)])
        factor = mp.mpf(a) * slope(mp.mpf(a), mp) / value(mp.mpf(a), mp)
    assert theory.ratio_integral(name, a, b) == pytest.approx(float(integral), rel=1e-12)
    assert theory.layer_factor(name, a) == pytest.approx(float(factor), rel=1e-12)


@pytest.mark.parametrize("seed", range(NUM_EQUAL))
def test_equal_units(seed) -> None:
    rng = np.random.default_rng(seed)
    name = list(ACTIVATIONS)[seed % len(ACTIVATIONS)]
    (u0,), (v0,) = start(rng, name, 1)
    k, norm = int(rng.integers(1, 9)), float(rng.uniform(0.6, 1.6))
    answer = theory.single_example(name, k, u0, v0, norm=norm)
    with mp.workdps(22):
        u, h, top = equal_units(name, k, u0, float(v0 * norm**2), norm**4)
    assert answer.status in ("solved", "trapped")
    close([answer.u, answer.h, answer.top_eigenvalue], [u, h, top])


@pytest.mark.parametrize("seed", range(NUM_UNEQUAL))
def test_unequal_units(seed) -> None:
    rng = np.random.default_rng(1000 + seed)
    name = SMOOTH[seed % len(SMOOTH)]
    k, norm = int(rng.integers(2, 4)), float(rng.uniform(0.6, 1.4))
    u0, v0 = start(rng, name, k)
    u0 = np.abs(u0)
    answer = theory.single_example(name, k, u0, v0, norm=norm)
    with mp.workdps(20):
        u, h, top = unequal_units(name, list(u0), list(v0 * norm**2), norm**4)
    assert answer.status == "solved"
    close([*answer.u, *answer.h, answer.top_eigenvalue], [*u, *h, top])


@pytest.mark.parametrize("seed", range(NUM_DEEP))
def test_depth(seed) -> None:
    rng = np.random.default_rng(2000 + seed)
    # Sinusoid's deep flows brush past many zeros of φ'; see the test of ill-conditioned settings.
    name = [name for name in SMOOTH if name != "sinusoid"][seed % (len(SMOOTH) - 1)]
    k, depth, norm = int(rng.integers(1, 4)), int(rng.integers(2, 4)), float(rng.uniform(0.7, 1.2))
    (u0,), (v0,) = start(rng, name, 1)
    u0, v0, w0 = abs(u0) + 0.2, abs(v0), rng.uniform(0.2, 0.6, depth - 1)
    answer = theory.single_example(name, k, u0, v0, depth, w0, norm)
    with mp.workdps(20):
        u, w, h, top = deep(name, k, u0, list(w0), float(v0 * norm**2), norm**2)
    assert answer.status == "solved"
    close([answer.u, *answer.w, answer.h, answer.top_eigenvalue], [u, *w, h, top])
