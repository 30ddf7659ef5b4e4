"""Every record of an activation keeps its word, and a new one needs nothing but its record."""

import importlib
import json
import pickle
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.commands import run, strict
from helpers.named import forgetting
from helpers.slopes import network_slopes
from mpmath import mp
from scipy import integrate

import attrax as ax
from attacks.exact import PHI
from attrax import theory
from attrax.activations import (
    ACTIVATIONS,
    Activation,
    ClosedForms,
    CustomBounds,
    PiecewiseLinear,
    Smooth,
    activation,
    reference,
    register,
)
from attrax.certificates import contraction
from attrax.extending import float64
from attrax.maps._initializers import check_initializer  # the check by itself
from attrax.maps.mlp._factors import network_factors  # slopes and their errors, which a certificate does not show

SINE = Activation("sine", jnp.sin, formula="sin z", about="periodic", bounds=Smooth(second=1.0, third=1.0, width=2.0))
HARD_TANH = Activation(
    "hard_tanh", lambda z: jnp.clip(z, -1.0, 1.0), bounds=PiecewiseLinear(kinks=(-1.0, 1.0), slopes=(0.0, 1.0, 0.0))
)
STAIRS = Activation(
    "stairs",
    lambda z: jnp.maximum(z, 0.0) - 3 * jnp.maximum(z - 0.5, 0.0) + 2.5 * jnp.maximum(z - 2.0, 0.0) + 0.2 * z,
    bounds=PiecewiseLinear(kinks=(0.0, 0.5, 2.0), slopes=(0.2, 1.2, -1.8, 0.7)),
)
QUADRATIC_CORNER = Activation(
    "corner",
    lambda z: jnp.where(z > 0, z**2 / (1 + jnp.abs(z)), 0.0),
    bounds=Smooth(second=2.0, third=np.inf, width=1.0),
)
EVERY = [*ACTIVATIONS.values(), activation("z^2"), SINE, HARD_TANH, STAIRS, QUADRATIC_CORNER]
BOUNDED = [record for record in EVERY if record.bounds is not None]
SMOOTH = [record for record in EVERY if isinstance(record.bounds, Smooth)]
LINEAR = [record for record in EVERY if isinstance(record.bounds, PiecewiseLinear)]
WITH_FORMS = [record for record in EVERY if record.theory is not None]
RNG = np.random.default_rng(0)
# Dense near 0, where most bends are, and far out.
GRID = np.unique(np.concatenate([np.linspace(-4, 4, 40_001), np.linspace(-60, 60, 30_001), RNG.normal(size=5000)]))


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with forgetting():
        yield


@cache
def compiled(record: Activation) -> Any:
    """φ and its derivatives up to the third, or up to the second where that is zero, by one program."""
    functions = [record.function]
    for _ in range(2 if isinstance(record.bounds, PiecewiseLinear) else 3):
        functions.append(jax.grad(functions[-1]))
    return jax.jit(jax.vmap(lambda z: [function(z) for function in functions]))


BLOCK = 8192


def derivatives(record: Activation, z: np.ndarray, orders: int) -> list[np.ndarray]:
    """φ, φ', … by JAX in 64 bits, in blocks of one size, so that each is compiled once."""
    blocks = np.resize(z, (-(-z.size // BLOCK), BLOCK))
    with float64():
        found = zip(*[compiled(record)(block) for block in blocks], strict=True)
    return [np.concatenate(values)[: z.size] for values in found][: orders + 1]


def each(records: list[Activation]) -> Any:
    return pytest.mark.parametrize("record", records, ids=str)


# --- what the records say --------------------------------------------------------------------------


@each(SMOOTH)
def test_bounds_hold_over_the_line(record: Activation) -> None:
    _, slope, second, third = derivatives(record, GRID[GRID != 0], 3)  # JAX has no third derivative of z² at 0
    bounds = record.bounds
    assert isinstance(bounds, Smooth)
    assert np.abs(second).max() <= bounds.second * (1 + 1e-12)
    assert np.abs(third).max() <= bounds.third * (1 + 1e-12)
    assert np.ptp(slope) <= bounds.width * (1 + 1e-12)


@each(LINEAR)
def test_pieces_have_their_slopes(record: Activation) -> None:
    bounds = record.bounds
    assert isinstance(bounds, PiecewiseLinear)
    z = GRID[[all(abs(point - kink) > 1e-6 for kink in bounds.kinks) for point in GRID]]
    slope = derivatives(record, z, 1)[1]
    expected = np.asarray(bounds.slopes)[np.searchsorted(bounds.kinks, z)]
    assert np.allclose(slope, expected, rtol=1e-12, atol=1e-12)


@each(BOUNDED)
def test_kinks_are_where_they_are_said_to_be(record: Activation) -> None:
    assert record.bounds is not None
    for kink in record.bounds.kinks:
        left, right = derivatives(record, np.array([kink - 1e-9, kink + 1e-9]), 1)[1]
        assert abs(right - left) > 1e-3
    # Elsewhere slopes change by no more than a bounded second derivative lets them, between neighbors of the grid.
    z = np.linspace(-5, 5, 200_001)
    slope = derivatives(record, z, 1)[1]
    away = np.all([np.abs(z - kink) > 1e-4 for kink in record.bounds.kinks] or [np.ones(len(z), bool)], axis=0)
    jumps = np.abs(np.diff(slope))[away[1:] & away[:-1]]
    assert jumps.max() <= 200 * (z[1] - z[0])


@each(LINEAR)
def test_units_far_from_a_kink_have_the_bound_of_the_formula(record: Activation) -> None:
    bounds = record.bounds
    assert isinstance(bounds, PiecewiseLinear)
    odd = [-np.inf, -3.0, -1e-17, 0.0, 0.25, 1.0, np.inf, np.nan]
    z, error, reach = (grid.ravel() for grid in np.meshgrid(odd, np.abs(odd), np.abs(odd)))
    slope = np.asarray(bounds.slopes)[np.searchsorted(bounds.kinks, z)]
    with np.errstate(invalid="ignore"):
        found = bounds.deviation(z, slope, 0 * z, error, reach)
        direct = bounds._deviation_near(z, slope, error, reach)  # the formula, of all units
    assert (found == 0).any()
    np.testing.assert_array_equal(found, direct)


@each(BOUNDED)
def test_slopes_stray_no_farther_than_bounded(record: Activation) -> None:
    rng = np.random.default_rng(0)
    z, reach, error = 2 * rng.normal(size=(3, 4000))
    reach, error = 10.0 ** (reach - 1), 10.0 ** (error - 3)
    # Some on a kink, and some beside it by less than their error.
    assert record.bounds is not None
    for number, kink in enumerate(record.bounds.kinks):
        z[number::40] = kink
        z[number + 20 :: 40] = kink + 0.5 * error[number + 20 :: 40]
    with np.errstate(over="ignore", invalid="ignore"):
        _, slope, second = derivatives(record, z, 2)
    curvature = np.zeros_like(z) if record.piecewise_linear else np.abs(second)
    bound = record.bounds.deviation(z, slope, curvature, error, reach)
    farther = record.bounds.deviation(z, slope, curvature, error, 1.5 * reach)
    assert (farther >= bound * (1 - 1e-12)).all(), "a bound that falls with the reach"
    still = record.bounds.deviation(z, slope, curvature, 0 * error, 0 * reach)
    off = ~np.isin(z, record.bounds.kinks)
    assert (still[off] <= 1e-14 * (1 + np.abs(slope[off])) * (1 + np.abs(z[off]))).all()
    for _ in range(20):
        start = z + error * rng.uniform(-1, 1, z.size)
        move = reach * rng.choice([-1, 1, *rng.uniform(-1, 1, 4)], z.size)
        here, there = derivatives(record, start, 0)[0], derivatives(record, start + move, 0)[0]
        with np.errstate(over="ignore", invalid="ignore"):  # of eᶻ far out
            found = np.abs((there - here) / move - slope)
            rounding = 4e-16 * (np.abs(here) + np.abs(there) + np.abs(start) + np.abs(move)) / np.abs(move)
            allowed = bound + 20 * rounding * (1 + np.abs(slope))
        assert ((found <= allowed) | (bound == np.inf)).all()


@each(EVERY)
def test_small_print(record: Activation) -> None:
    check_initializer(record.init)
    assert record.gain in (1.0, 2**0.5)
    z = np.array([0.3, -0.7, 2.5, -4.0])
    doubled, single = (derivatives(record, points, 0)[0] for points in (2 * z, z))
    assert record.homogeneous == np.allclose(doubled, 2 * single, rtol=1e-12)
    assert hash(record) == hash(activation(record))


@each(list(ACTIVATIONS.values()))
def test_the_table_is_complete(record: Activation) -> None:
    assert record.formula
    assert record.about
    assert ACTIVATIONS[record.name] is record
    for place in record.also:
        module, _, name = place.rpartition(".")
        function = getattr(importlib.import_module(module), name)
        assert activation(function) is record
        assert reference(function) == record.name
        with float64():
            assert np.allclose(function(jnp.asarray(GRID[::50])), record(jnp.asarray(GRID[::50])), rtol=1e-14)


@each(WITH_FORMS)
def test_closed_forms_agree_with_jax_and_quadrature(record: Activation) -> None:
    forms = record.theory
    assert forms is not None
    z = np.array([-3.3, -1.7, -0.6, -0.2, 0.15, 0.4, 1.1, 2.7])
    value, slope = derivatives(record, z, 1)
    if forms.value is not None:
        assert np.allclose(forms.value(z), value, rtol=1e-12, atol=1e-14)
    if forms.slope is not None:
        assert np.allclose(forms.slope(z), slope, rtol=1e-12, atol=1e-14)
    good = (value != 0) & np.isfinite(value)
    if forms.factor is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            assert np.allclose(forms.factor(z)[good], (z * slope / value)[good], rtol=1e-12)
    if forms.ratio_integral is not None:
        assert forms.value is not None
        assert forms.slope is not None
        for low, high in ((0.2, 1.4), (1.4, 0.2), (-1.3, -0.4), (-0.5, 0.5)):
            if forms.slope(np.asarray(low)) == 0 or (low < 0 < high and record.name != "selu"):
                continue
            exact = integrate.quad(lambda t: float(forms.value(t) / forms.slope(t)), low, high, points=[0.0])[0]
            assert forms.ratio_integral(low, high) == pytest.approx(exact, rel=1e-9)


@each([record for record in WITH_FORMS if record.theory is not None and record.theory.admissible is not None])
def test_admissible_cases_cover_the_line_and_agree_with_samples(record: Activation) -> None:
    assert record.theory is not None
    cases = record.theory.admissible
    assert cases is not None
    assert (cases[0][0], cases[-1][1]) == (-np.inf, np.inf)
    assert all(one[1] == other[0] for one, other in pairwise(cases))
    answer = theory.admissible_intervals(record, -6, 6)
    assert answer.status == "proved"
    z = np.random.default_rng(1).uniform(-6, 6, 400)
    value, slope = derivatives(record, z, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(z * slope / value)
    for point, holds, clear in zip(z, ratio > 1, np.abs(ratio - 1) > 1e-9, strict=True):
        if clear:
            assert holds == (point in answer), point


# --- new ones --------------------------------------------------------------------------------------


@eqx.filter_jit
def fixed_point(network: ax.maps.MLP) -> Any:
    return jax.lax.fori_loop(0, 400, lambda _, state: network(state), jnp.zeros(network.shape))


def memory_of(given: Any, seed: int = 0, depth: int = 2) -> ax.Memory:
    network = ax.maps.mlp((3,), width=7, depth=depth, activation=given, key=jr.key(seed))
    return ax.Memory(network, ax.Patterns.from_examples(np.asarray(fixed_point(network))[None]))


def test_a_record_needs_no_registration() -> None:
    memory = memory_of(SINE)
    assert memory.map.activation is SINE
    assert ax.certify(memory).verdict == ("attractor",)
    radius = ax.basin_radius(memory, num_directions=0, key=jr.key(0))
    assert radius.proved_radius[0] > 0.1
    assert "sine" not in ACTIVATIONS
    answer = theory.single_example(SINE, 2, 1.0, 0.5)
    assert answer.status == "solved"
    own = theory.single_example(lambda z: jnp.sin(z), 2, 1.0, 0.5)
    assert answer.top_eigenvalue == pytest.approx(own.top_eigenvalue, rel=1e-9)


def test_equal_records_are_compiled_once() -> None:
    traced = []

    def bend(z: Any) -> Any:
        traced.append(None)
        return jnp.sin(z)

    @jax.jit
    def apply(network: Any, x: Any) -> Any:
        return network(x)

    bounds = Smooth(second=1.0, third=1.0, width=2.0)
    networks = [
        ax.maps.mlp((3,), width=4, depth=1, activation=Activation("bend", bend, bounds=bounds), key=jr.key(seed))
        for seed in range(3)
    ]
    traced.clear()
    for network in networks:
        apply(network, jnp.ones(3))
    assert len(traced) == 1
    assert networks[0].activation == networks[1].activation


def test_names_stay_names() -> None:
    for given in ("tanh", jnp.tanh, ACTIVATIONS["tanh"]):
        network = ax.maps.mlp((3,), width=4, depth=1, activation=given, key=jr.key(0))
        assert network.activation == "tanh"
        assert ax.maps.MLP(network.weights, network.biases, (3,), given).activation == "tanh"
    assert ax.maps.mlp((3,), width=4, depth=1, activation="z^2", key=jr.key(0)).activation == "z^2"
    picture = ax.maps.conv_autoencoder((4, 4), channels=2, levels=1, activation=jax.nn.relu, key=jr.key(0))
    assert picture.activation == "relu"
    picture = ax.maps.conv_autoencoder((4, 4), channels=2, levels=1, activation=jnp.sin, key=jr.key(0))
    assert np.isfinite(np.asarray(eqx.filter_jit(picture)(np.ones((4, 4), np.float32)))).all()


@pytest.mark.parametrize(
    "given",
    [jnp.sin, lambda z: jnp.where(z > 0, z, 0.0), Activation("unbounded", jnp.sin), activation("z^3")],
    ids=["sin", "relu by hand", "record without bounds", "cube"],
)
def test_without_bounds_nothing_is_proved_and_nothing_crashes(given: Any) -> None:
    memory = memory_of(given)
    found = ax.certify(memory)
    assert found.verdict == ("inconclusive",)
    assert found.upper_bound[0] == np.inf
    assert np.isfinite(found.spectral_radius[0])
    radius = ax.basin_radius(memory, num_directions=0, key=jr.key(0))
    assert radius.proved_radius[0] == 0
    assert ax.spectrum(memory, key=jr.key(0)).upper_bound[0] == np.inf


def test_a_kink_by_hand_is_no_false_attractor() -> None:
    # From the right the slope at 0 is 3; JAX's derivative there is 0.
    network = ax.maps.MLP(
        (np.array([[3.0]]), np.array([[1.0]])), (None, None), (1,), lambda z: jnp.where(z > 0, z, 0.0)
    )
    memory = ax.Memory(network, ax.Patterns.from_examples(np.zeros((1, 1))))
    assert ax.certify(memory).verdict == ("inconclusive",)


@pytest.mark.parametrize("record", [HARD_TANH, STAIRS, SINE, QUADRATIC_CORNER], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_every_start_within_a_proved_ball_converges(record: Activation, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(12, 5)) * 0.6, rng.normal(size=(12, 12)) * 0.4, rng.normal(size=(5, 12)) * 0.3]
    biases = [rng.normal(size=12), rng.normal(size=12), np.zeros(5)]
    x = rng.normal(size=5)

    def step(states: np.ndarray) -> np.ndarray:
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            states = derivatives(record, (states @ weight.T + bias).ravel(), 0)[0].reshape(-1, 12)
        return states @ weights[-1].T + biases[-1]

    ends = step(np.concatenate([x + 1e-6 * np.eye(5), x - 1e-6 * np.eye(5)]))
    radius = np.abs(np.linalg.eigvals((ends[:5] - ends[5:]) / 2e-6)).max()
    weights[-1] *= 0.8 / max(radius, 0.3)
    biases[-1] = x - step(x[None])[0]
    network = ax.maps.MLP(tuple(weights), tuple(biases), (5,), record)
    residual = float(np.linalg.norm(step(x[None])[0] - x))
    found = contraction(ax.maps.step_bounds(network), ax.maps.linearizer(network), x[None], residual)
    assert found.radius[0] > 0
    assert (found.linear_radius[0] > 0) == record.piecewise_linear
    directions = rng.normal(size=(500, 5))
    states = x + found.radius[0] * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    for _ in range(300):
        states = step(states)
    assert np.abs(states - x).max() < 1e-9


def test_the_rounding_of_units_on_a_flat_piece_counts() -> None:
    # All units of the first layer are at 1, where hard tanh is flat. Their sum in the second one is at its kink but for
    # rounding, which the error of the slope has to allow for.
    draw = np.random.default_rng(0).normal(size=49) * 1e8
    row = np.append(draw, 1 + 1e-8 - draw.sum())[None]
    network = ax.maps.MLP(
        (np.full((50, 1), 5.0), row, np.ones((1, 1))), (np.full(50, 5.0), None, None), (1,), HARD_TANH
    )
    slopes, errors = network_slopes(network_factors(network), np.ones((1, 1)))
    assert not slopes[0].any()
    assert slopes[1][0] + errors[1][0] >= 1
    assert slopes[1][0] - errors[1][0] <= 0


def test_a_new_activation_is_one_record(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In a file of one's own: nothing else is touched."""
    register(SINE)
    memory = memory_of("sine")
    assert ax.certify(memory).verdict == ("attractor",)
    ax.save(tmp_path / "sine.attrax", memory)
    assert ax.load(tmp_path / "sine.attrax").map.activation == "sine"
    options = ["--writer", "gradient", "--width", 32, "--depth", 2, "--activation", "sine", "--noise", "0.05"]
    file = tmp_path / "digits.attrax"
    status, out, err = run(capsys, "store", "digits", "--n", 3, *options, "--epochs", 600, "-o", file, "--json")
    assert status in (0, 1), err  # this one does not attract every digit
    stored = strict(out)
    assert stored["attractors"] >= 1
    assert stored["inconclusive"] == 0
    assert strict(run(capsys, "certify", file, "--json")[1])["attractors"] == stored["attractors"]
    assert run(capsys, "recall", file, "--corrupt", "gaussian:0.1")[0] == 0
    assert '"sine"' in run(capsys, "info", file, "--json")[1]
    status, out, _ = run(capsys, "theory", "lambda", "--activation", "sine", "--k", 2, "--u0", 1, "--v0", 0.5)
    assert status == 0
    assert "solved" in out
    assert "sine" in ax.report.activation_table()
    assert reference(jnp.sin) == "sine", "the function of a record is the record"


def test_of_no_name_there_is_no_file(tmp_path: Path) -> None:
    plain = memory_of(jnp.sin)
    with pytest.raises(ValueError, match=r"only activations that have a name .*register a record of sin,"):
        ax.save(tmp_path / "sine.attrax", plain)
    memory = memory_of(SINE)
    with pytest.raises(ValueError, match="only activations that have a name"):
        ax.save(tmp_path / "sine.attrax", memory)
    register(SINE)
    for one in (plain, memory):  # what the network holds, the function or its record, has a name now
        ax.save(tmp_path / "sine.attrax", one)
    with forgetting():
        from attrax.activations import _named  # its table is put back

        del _named._TABLE["sine"]
        with pytest.raises(ValueError, match=r"needs an activation that has no name here: .*register"):
            ax.load(tmp_path / "sine.attrax")


def test_a_function_is_trained_like_any_other() -> None:
    examples = np.random.default_rng(0).uniform(size=(3, 6)).astype(np.float32)
    network = ax.maps.mlp((6,), width=32, depth=1, activation=jnp.arctan, key=jr.key(0))
    assert network.activation == "arctan"
    own = ax.maps.MLP(network.weights, network.biases, (6,), lambda z: jnp.arctan(z))
    writer = ax.Gradient(epochs=500, noise=0.05)
    named, unnamed = (ax.store(examples, net, writer=writer, key=jr.key(1)) for net in (network, own))
    for one, other in zip(named.map.weights, unnamed.map.weights, strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-5)
    assert ax.certify(unnamed).num_attractors == 0
    assert np.allclose(ax.certify(named).spectral_radius, ax.certify(unnamed).spectral_radius, rtol=1e-3)


def test_what_is_no_activation_is_refused() -> None:
    for given, words in (
        (np.sin, "jax.numpy"),
        (jax.nn.softmax, "each entry"),
        (lambda z: z / (1 + jnp.abs(z).sum()), "each entry by itself; <lambda> mixes them"),
        (lambda z: z.sum(), "each entry|same shape"),
        (jnp.isnan, "jax.numpy"),
        ("Relu", "one of relu, leaky_relu, .*got 'Relu'"),
        (3, "got 3"),
        ("z^p", "exponent"),
        ("z^0", "must not be 0"),
    ):
        with pytest.raises(ValueError, match=words):
            ax.maps.mlp((3,), width=4, depth=1, activation=given, key=jr.key(0))

    class Bend:
        __hash__ = None

        def __call__(self, z: Any) -> Any:
            return jnp.sin(z)

    with pytest.raises(ValueError, match="hashed"):
        ax.maps.mlp((3,), width=4, depth=1, activation=Bend(), key=jr.key(0))


def test_wrong_records_are_refused() -> None:
    with pytest.raises(ValueError, match="function"):
        Activation("bent", "sin")
    with pytest.raises(ValueError, match="name"):
        Activation("", jnp.sin)
    with pytest.raises(ValueError, match="another activation called 'tanh'"):
        register(Activation("tanh", jnp.sin))
    with pytest.raises(ValueError, match="letters, digits"):
        register(Activation("two words", jnp.sin))
    with pytest.raises(ValueError, match=r"activations\.Activation"):
        register(jnp.sin)
    with pytest.raises(ValueError, match="each entry"):
        register(Activation("softmax", jax.nn.softmax))
    with pytest.raises(ValueError, match="second must be a number of at least 0"):
        Smooth(second=-1.0, third=1.0, width=1.0)
    with pytest.raises(ValueError, match="width"):
        Smooth(second=1.0, third=1.0, width=float("nan"))
    with pytest.raises(ValueError, match="ascending"):
        PiecewiseLinear(kinks=(1.0, 0.0), slopes=(0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="2 pieces"):
        PiecewiseLinear(kinks=(1.0,), slopes=(0.0,))
    assert register(SINE) is register(SINE)
    assert SINE.name in ax.theory.names(), "asked when it is used"


def test_custom_bounds_and_partial_forms_of_ones_own() -> None:
    def stray(z: Any, slope: Any, curvature: Any, z_error: Any, reach: Any) -> Any:
        return np.minimum(0.5 * reach + z_error, 2.0) + 1e-14

    record = Activation("sine", jnp.sin, bounds=CustomBounds(stray), theory=ClosedForms(factor=lambda z: z / np.tan(z)))
    assert ax.certify(memory_of(record)).verdict == ("attractor",)
    assert theory.layer_factor(record, 0.5) == pytest.approx(0.5 / np.tan(0.5), rel=1e-15)
    assert theory.ratio_integral(record, 0.2, 0.4) == pytest.approx(np.log(np.cos(0.2) / np.cos(0.4)), rel=1e-12)
    assert theory.admissible_intervals(record, -1, 1).status == "sampled"


def test_records_print_as_their_name() -> None:
    assert f"{SINE}" == "sine"
    assert json.dumps(str(ACTIVATIONS["relu"])) == '"relu"'
    assert repr(SINE).startswith("Activation\n  name: 'sine'")
    assert pickle.loads(pickle.dumps(Smooth(1.0, 1.0, 2.0))) == Smooth(1.0, 1.0, 2.0)


@pytest.mark.parametrize("name", [name for name, one in ACTIVATIONS.items() if not one.piecewise_linear])
def test_values_and_slopes_are_as_exact_as_proofs_assume(name: str) -> None:
    phi, (value_of, slope_of) = ACTIVATIONS[name], PHI[name]
    assert phi.bounds is not None
    draw = np.random.default_rng(0)
    ranges = (1.0, 10.0, 40.0, 700.0) if name == "exp" else (1.0, 10.0, 40.0, 700.0, 1e4)
    z = np.concatenate([size * draw.uniform(-1, 1, 60) ** power for size in ranges for power in (1, 7)])
    values, slopes, curvatures = derivatives(phi, z, 2)
    none = np.zeros_like(z)
    allowed = phi.bounds.deviation(z, slopes, np.abs(curvatures), none, none)
    with mp.workdps(50):
        exact = [mp.mpf(entry) for entry in z.tolist()]

        def off(function: Any, found: np.ndarray) -> np.ndarray:
            return np.array([abs(float(function(x) - mp.mpf(y))) for x, y in zip(exact, found.tolist(), strict=True)])

        assert (off(value_of, values) <= phi.rounding * 2.0**-53 * (1 + np.abs(z) + np.abs(values))).all()
        assert (off(slope_of, slopes) <= allowed).all()


def test_the_jump_of_a_slope_is_not_rounded_down() -> None:
    # 1 − .01 is a little more than the number .99 that float64 has.
    bounds, one = activation("leaky_relu").bounds, np.ones(1)
    assert bounds is not None
    found = bounds.deviation(-1e-9 * one, 0.01 * one, 0 * one, 0 * one, 1e300 * one)
    assert Fraction(found.item()) >= (Fraction(1) - Fraction(0.01)) * (1 - Fraction(1, 10**308))
    relu = activation("relu").bounds
    assert relu is not None
    assert relu.deviation(0 * one, one, 0 * one, one, one).item() == 1
