"""Certificates against known spectra and against the full Jacobian."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import SPECTRA, around, linear, logistic, logistic_cycle, straight
from helpers.slopes import Evaluation, network_slopes, step_by_step

import attrax as ax
from attrax.extending import cast, float64
from attrax.linalg import Product, eigenvector, leading_eigenvalue, power_bound
from attrax.maps.mlp._factors import network_factors  # slopes and their errors, which a certificate does not show
from attrax.maps.mlp._product import network_product  # the product by itself


@eqx.filter_jit
def image_and_jacobian(map: Any, x: Any) -> Any:
    """By JAX, in one program."""
    return map(x), jax.jacfwd(map)(x)


def shift_to_fixed(network: ax.maps.MLP, x: np.ndarray) -> ax.maps.MLP:
    """The network with its last bias changed so that x is a fixed point, in float64."""
    with float64():
        exact = cast(network, np.float64)
        gap = x - np.asarray(image_and_jacobian(exact, np.asarray(x, np.float64))[0])
        last = np.zeros(x.size) if exact.biases[-1] is None else np.asarray(exact.biases[-1])
    weights = tuple(np.asarray(weight) for weight in exact.weights)
    biases = tuple(None if bias is None else np.asarray(bias) for bias in exact.biases[:-1])
    return ax.maps.MLP(weights, (*biases, last + gap.ravel()), network.shape, network.activation)


def jacobian(map, x: np.ndarray) -> np.ndarray:
    with float64():
        _, full = image_and_jacobian(cast(map, np.float64), np.asarray(x, np.float64))
    return np.asarray(full).reshape(x.size, x.size)


@pytest.mark.parametrize("name", SPECTRA)
def test_known_spectra(name: str) -> None:
    matrix, radius = SPECTRA[name]
    found = ax.certify(around(linear(matrix), np.zeros(len(matrix))))
    assert found.spectral_radius[0] == pytest.approx(radius, abs=1e-4 if name == "defective" else 1e-9)
    assert found.upper_bound[0] >= radius * (1 - 1e-12)
    assert found.verdict[0] == ("attractor" if radius < 1 else "not_attractor")
    assert found.largest_singular_value[0] == pytest.approx(np.linalg.norm(matrix, 2), abs=1e-9)


@pytest.mark.parametrize("matrix", [np.eye(2), [[0.0, -1.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]], [[1.0, 0], [0, 0]]])
def test_modulus_one_is_undecided(matrix) -> None:
    assert ax.certify(around(linear(matrix), np.zeros(2))).verdict[0] == "inconclusive"


@pytest.mark.parametrize(
    ("activation", "width", "depth"),
    [*((name, 30, 3) for name in ax.activations.ACTIVATIONS), ("relu", 6, 1), ("tanh", 6, 1)],
)
def test_networks_against_the_full_jacobian(activation: str, width: int, depth: int) -> None:
    x = np.random.default_rng(depth).random((3, 4))
    network = shift_to_fixed(ax.maps.mlp((3, 4), width=width, depth=depth, activation=activation, key=jr.key(1)), x)
    found = ax.certify(around(network, x))
    full = jacobian(network, x)
    radius = np.abs(np.linalg.eigvals(full)).max()
    assert found.residual[0] < 1e-13
    assert abs(found.spectral_radius[0] - radius) <= found.error[0] + 1e-9
    assert found.upper_bound[0] >= radius * (1 - 1e-9)
    assert found.verdict[0] == ("attractor" if radius < 1 else "not_attractor")
    assert found.largest_singular_value[0] == pytest.approx(np.linalg.norm(full, 2), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
@pytest.mark.parametrize("sign", [-1, 1])
def test_verdicts_close_to_one(gap: float, sign: int) -> None:
    x = np.full((4,), 0.3)
    network = shift_to_fixed(ax.maps.mlp((4,), width=9, depth=2, activation="tanh", key=jr.key(2)), x)
    radius = np.abs(np.linalg.eigvals(jacobian(network, x))).max()
    last = np.asarray(network.weights[-1]) * (1 + sign * gap) / radius
    scaled = shift_to_fixed(ax.maps.MLP((*network.weights[:-1], last), network.biases, (4,), "tanh"), x)
    verdict = ax.certify(around(scaled, x)).verdict[0]
    assert verdict in ("attractor" if sign < 0 else "not_attractor", "inconclusive")
    if gap > 1e-4:
        assert verdict != "inconclusive"


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_without_biases_nothing_is_certified(activation: str) -> None:
    # A homogeneous network with an exact fixed point: the identity on one ray.
    weight = np.array([[1.0, 0.0], [0.0, -0.5]])
    network = ax.maps.MLP((weight, np.eye(2)), (None, None), (2,), activation)
    found = ax.certify(around(network, [2.0, 0.0]))
    assert found.spectral_radius[0] == pytest.approx(1.0)
    assert found.verdict[0] == "inconclusive"


def test_a_unit_on_its_kink_counts_with_both_slopes() -> None:
    # At 0 the slope of ReLU from above is 3: not an attractor, though JAX's derivative there is 0.
    network = ax.maps.MLP((np.array([[3.0]]), np.array([[1.0]])), (np.zeros(1), np.zeros(1)), (1,), "relu")
    assert ax.certify(around(network, [0.0])).verdict[0] != "attractor"


def test_selu_has_a_kink_too() -> None:
    # To the right of 0 the slope is 0.84, to the left 1.41. A hair to the right of it both count.
    network = ax.maps.MLP((np.array([[0.8]]), np.array([[1.0]])), (None, None), (1,), "selu")
    found = ax.certify(around(network, [1e-20], [1.0]))  # the other point gives the thresholds their unit
    assert found.upper_bound[0] > 1.4
    assert found.verdict[0] == "inconclusive"


def test_swish_far_to_the_right_is_not_evaluated_better_than_it_is() -> None:
    z = 36.73675  # φ' = σ(z)(1 + z(1 − σ(z))), where 1 − σ(z) is e⁻ᶻ to within its square
    network = ax.maps.MLP((np.eye(1), np.eye(1)), (None, None), (1,), "swish")
    slopes, errors = network_slopes(network_factors(network), np.array([[z]]))
    beyond = (slopes[0][0] - 1) - (z - 1) * np.exp(-z)
    assert 3e-15 < abs(beyond) <= errors[0][0]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_of_no_number_no_slope_is_known(activation: str) -> None:
    network = ax.maps.mlp((3,), width=4, depth=1, activation=activation, key=jr.key(0))
    _, errors = network_slopes(network_factors(network), np.array([[np.nan, 1.0, 2.0]]))
    assert np.isinf(errors[0]).all()


@pytest.mark.parametrize("radius", [1e-9, 1e-6])
@pytest.mark.parametrize("activation", ["selu", "swish", "cosid", "sinusoid", "tanh"])
def test_errors_of_slopes_hold_and_are_close_in_a_deep_network(activation: str, radius: float) -> None:
    # By the norms of ten layers alone these errors would be overstated by up to five orders of magnitude.
    network = ax.maps.mlp((20,), width=40, depth=10, activation=activation, key=jr.key(0))
    factors, draw = network_factors(network), np.random.default_rng(0)
    state = draw.normal(size=(1, 20))
    slopes, errors = network_slopes(factors, state, radius)
    met = np.zeros(10)
    for _ in range(50):
        step = draw.normal(size=(1, 20))
        moved = step_by_step(Evaluation(factors, state + radius * step / np.linalg.norm(step)).slopes)
        apart = [np.abs(one - other) for one, other in zip(moved, slopes, strict=True)]
        assert all((gap <= error).all() for gap, error in zip(apart, errors, strict=True))
        met = np.maximum(met, [gap.max() for gap in apart])
    assert (np.array([error.max() for error in errors]) < 10 * met).all()


def test_points_that_are_not_fixed() -> None:
    found = ax.certify(around(straight(0.5, 1), np.zeros(3)))
    assert found.verdict[0] == "not_attractor"
    assert found.residual[0] > 1


def test_cycles_are_certified_by_their_product() -> None:
    memory = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle()]))
    found = ax.certify(memory)
    assert found.cycles == ((0, 1),)
    assert found.spectral_radius[0] == pytest.approx(0.16, abs=1e-12)
    assert found.verdict[0] == "attractor"


def test_the_product_round_a_cycle_does_not_depend_on_where_it_starts() -> None:
    network = ax.maps.mlp((3,), width=7, depth=2, activation="selu", init="kaiming_normal", key=jr.key(0))
    states = np.random.default_rng(0).normal(size=(5, 3))
    dense = np.eye(3)
    for state in states:
        dense = jacobian(network, state) @ dense
    radius = np.abs(np.linalg.eigvals(dense)).max()
    for start in range(5):
        factors = network_factors(network)
        product = network_product(factors, *network_slopes(factors, np.roll(states, -start, axis=0)))
        found = abs(leading_eigenvalue(product).value) * np.exp(product.log_scale)
        assert found == pytest.approx(radius, rel=1e-9)


def test_eigenvalues_of_one_modulus_which_arnoldi_cannot_tell_apart() -> None:
    # A rotation of the entries, in a skewed basis: 200 eigenvalues of modulus .9.
    basis = np.eye(200) + np.triu(np.random.default_rng(0).normal(size=(200, 200)), 1) / 200
    matrix = basis @ np.roll(0.9 * np.eye(200), 1, axis=0) @ np.linalg.inv(basis)
    found = leading_eigenvalue(Product(matrix, 0.0, 0.0))
    assert found.complete
    assert abs(abs(found.value) - 0.9) <= found.error < 1e-10
    assert (
        np.linalg.norm(matrix @ eigenvector(matrix, found.value) / found.value - eigenvector(matrix, found.value))
        < 1e-9
    )


@pytest.mark.parametrize("seed", [0, 10])  # where Arnoldi's method converges to the second largest, after 100 rounds
def test_eigenvalues_of_nearly_one_modulus(seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((400, 400)) / 20
    found = leading_eigenvalue(Product(matrix, 0.0, 0.0))
    assert abs(abs(found.value) - np.abs(np.linalg.eigvals(matrix)).max()) <= found.error < 1e-8


def test_without_a_matrix_a_slowly_found_radius_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrax.maps.wrapped._jacobian.FORMED", 1)
    matrix = 0.8 * np.random.default_rng(10).standard_normal((400, 400)) / 20
    found = ax.certify(ax.Memory(lambda x: matrix @ x, ax.Patterns.from_examples(np.zeros((1, 400)))))
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    assert found.method == ("matrix-free",)
    assert abs(found.spectral_radius[0] - radius) <= found.error[0]
    assert found.upper_bound[0] >= radius


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_long_products_neither_overflow_nor_underflow(factor: float) -> None:
    network = ax.maps.MLP((np.eye(2) * factor, np.diag([1.0, 0.5])), (None, None), (2,), "identity")
    factors = network_factors(network)
    product = network_product(factors, *network_slopes(factors, np.zeros((400, 2))))
    log_radius = np.log(abs(leading_eigenvalue(product).value)) + product.log_scale
    assert log_radius == pytest.approx(400 * np.log(factor), rel=1e-12)
    assert power_bound(product) >= log_radius - 1e-6


def test_without_a_matrix_there_is_a_probable_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrax.maps.wrapped._jacobian.FORMED", 1)
    contracting = np.diag(np.linspace(0.1, 0.8, 8))
    found = ax.certify(around(linear(contracting), np.zeros(8)))
    assert found.method[0] == "matrix-free"
    assert found.spectral_radius[0] == pytest.approx(0.8)
    assert 0.8 < found.upper_bound[0] < 1
    assert (found.verdict[0], found.evidence[0], found.failure_probability[0]) == ("attractor", "probable", 1e-10)
    assert ax.certify(around(linear(2 * contracting), np.zeros(8))).verdict[0] == "not_attractor"
    found = ax.certify(around(linear(1.24 * contracting), np.zeros(8)))
    assert found.spectral_radius[0] + found.error[0] < 1 < found.upper_bound[0]
    assert (found.verdict[0], found.reason[0]) == ("inconclusive", "partial_spectrum")


def test_arnoldi_and_dense_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(4).random(20)
    network = shift_to_fixed(ax.maps.mlp((20,), width=18, depth=2, activation="swish", key=jr.key(5)), x)
    dense = ax.certify(around(network, x))
    monkeypatch.setattr("attrax.linalg._bounds.SMALL", 4)
    arnoldi = ax.certify(around(network, x))
    assert arnoldi.method == ("arnoldi",)
    assert arnoldi.spectral_radius[0] == pytest.approx(dense.spectral_radius[0], rel=1e-8)


def test_a_row_is_what_it_would_be_alone() -> None:
    points = np.random.default_rng(0).random((4, 6))
    fresh = ax.maps.mlp((6,), width=12, depth=2, activation="tanh", key=jr.key(0))
    network = ax.training.polish(fresh, points, points)
    together = ax.certify(around(network, *points))
    alone = ax.certify(around(network, points[2]))
    assert alone.spectral_radius[0] == together.spectral_radius[2]
    assert alone.verdict[0] == together.verdict[2]


def test_examples_that_share_a_fixed_point_are_not_attractors() -> None:
    """A constant map has one attractor, and it is nobody's who lies elsewhere or shares it."""
    here = np.full((1, 25), 0.5)

    def verdicts(*examples: np.ndarray) -> list[str]:
        patterns = ax.Patterns.from_examples(np.concatenate(examples))
        return [str(verdict) for verdict in ax.certify(ax.Memory(straight(0, 0.5), patterns)).verdict]

    assert verdicts(here) == ["attractor"]
    # The paper's recovery threshold is 3.2e-4 an entry in pictures of unit 1; the unit of these is 2.
    assert verdicts(here + 5e-4) == ["attractor"]
    assert verdicts(here + 8e-4) == ["displaced"]
    # A third point gives the thresholds a unit that two so close ones don't.
    assert verdicts(here, here + 2e-4, here - 0.4) == 3 * ["not_attractor"]
    assert verdicts(here, here + 0.1) == ["attractor", "not_attractor"]


def test_the_error_of_a_radius_is_no_more_than_its_bounds_say() -> None:
    """Rounding leaves a large first-order error of a small eigenvalue; the bound on the spectrum says more."""
    points = np.array([[0.0, 3.0], [3.0, 0.0]])
    found = ax.store(points, writer=ax.Constructed(), key=jr.key(0)).certificate
    assert found is not None
    assert (found.upper_bound < 1e-6).all()
    assert (found.error <= np.maximum(found.upper_bound, found.spectral_radius)).all()


def test_a_jacobian_that_is_not_finite_has_no_norm() -> None:
    found = ax.certify(around(jnp.sqrt, np.zeros(2)))
    assert found.reason[0] == "not_finite"
    assert not np.isfinite(found.largest_singular_value[0])


def test_what_refines_a_state_of_any_map_also_certifies_it() -> None:
    """Each trace is a program to compile, or a check of the map's shapes."""
    traces: list[Any] = []

    def halve(x: Any) -> Any:
        traces.append(x)
        return jnp.tanh(x) / 2

    ax.certify(ax.Memory(halve, ax.Patterns.from_examples(np.stack([np.full((2, 2), 1e-3), np.ones((2, 2))]))))
    assert len(traces) <= 8
