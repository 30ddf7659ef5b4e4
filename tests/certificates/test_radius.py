"""Radii of basins: no start within a proved ball may go elsewhere, and known basins bound both radii."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import mpmath
import numpy as np
import pytest
from helpers import Logistic, around, logistic, logistic_cycle, newton_cube, straight
from scipy.special import expit

import attrax as ax
from attacks.exact import PHI as EXACT_PHI
from attrax.certificates import basin_radius, contraction
from attrax.extending import cast, float64
from attrax.maps import linearizer, step_bounds
from attrax.maps.mlp._slope_deviation import slope_deviation  # the bound by itself

PHI = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "tanh": np.tanh,
    "cosid": lambda z: np.cos(z) - z,
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0))),
    "swish": lambda z: z * expit(z),
    "sigmoid": expit,
    "sinusoid": lambda z: z + np.sin(10 * z) / 5,
}
"""The activations once more, independent of JAX."""


def random_network(rng: np.random.Generator, sizes: list[int], activation: str, radius: float) -> tuple:
    """Weights, biases and a fixed point of a random network whose Jacobian there has the given spectral radius."""
    pairs = list(zip(sizes, [*sizes[1:], sizes[0]], strict=True))
    weights = [rng.normal(size=(out, into)) * np.sqrt(2 / into) for into, out in pairs]
    biases = [0.3 * rng.normal(size=out) for _, out in pairs]
    x = rng.normal(size=sizes[0])
    step = 1e-6
    ends = np.concatenate([x + step * np.eye(len(x)), x - step * np.eye(len(x))])
    images = apply(weights, biases, activation, ends)
    jacobian = (images[: len(x)] - images[len(x) :]) / (2 * step)
    largest = np.abs(np.linalg.eigvals(jacobian)).max()
    weights[-1] = weights[-1] * (radius / largest if largest > 0 else 1.0)
    biases[-1] = biases[-1] + x - apply(weights, biases, activation, x[None])[0]
    return weights, biases, x


def apply(weights: list, biases: list, activation: str, states: np.ndarray) -> np.ndarray:
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        states = PHI[activation](states @ weight.T + bias)
    return states @ weights[-1].T + biases[-1]


def ball(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Starts in the unit ball, half of them on its surface."""
    steps = rng.normal(size=(count, size))
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    steps[count // 2 :] *= rng.random((count - count // 2, 1)) ** (1 / size)
    return steps


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "cosid"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_start_within_a_proved_ball_converges(activation: str, depth: int) -> None:
    """12 × 3 networks × 300 starts, none of which may go elsewhere; the attack on certificates takes many more."""
    rng = np.random.default_rng(depth)
    proved = 0
    for number in range(3):
        # Also fewer units than entries, where directions outside the row space of W_1 do not matter.
        sizes = [8, *[16] * depth] if number % 3 else [8, 5, *[16] * (depth - 1)]
        weights, biases, x = random_network(rng, sizes, activation, [0.3, 0.8, 0.97][number % 3])
        network = ax.maps.MLP(tuple(weights), tuple(biases), (8,), activation)
        residual = np.linalg.norm(apply(weights, biases, activation, x[None])[0] - x)
        found = contraction(step_bounds(network), linearizer(network), x[None], float(residual))
        if not found.radius[0] > 0:
            continue
        proved += 1
        assert found.factor < 1
        assert found.linear_radius[0] <= found.radius[0] * (1 + 1e-9)
        states = x + found.radius[0] * ball(rng, 300, 8)
        for _ in range(250):
            for _ in range(20):
                states = apply(weights, biases, activation, states)
            if np.abs(states - x).max() < 1e-9:
                break
        assert np.abs(states - x).max() < 1e-9
    assert proved == 3  # the spectral radii are all below 1


@pytest.mark.parametrize("activation", PHI)
def test_slopes_stray_no_farther_than_bounded(activation: str) -> None:
    rng = np.random.default_rng(0)
    z, reach, error = 2 * rng.normal(size=(3, 20_000))
    reach, error = 10.0 ** (reach - 1), 10.0 ** (error - 3)
    step = 1e-6 * np.ones_like(z)
    phi = PHI[activation]
    slope = (phi(z + step) - phi(z - step)) / (2 * step)
    if activation in ("relu", "leaky_relu", "selu"):  # no difference across the kink
        right, left = (phi(z + step) - phi(z)) / step, (phi(z) - phi(z - step)) / step
        slope = np.where(z > 0, right, left)
    curvature = np.abs(phi(z + 1e-4) - 2 * phi(z) + phi(z - 1e-4)) / 1e-8
    bound = slope_deviation(activation, z, slope, curvature, error, reach)
    for _ in range(20):
        start = z + error * rng.uniform(-1, 1, z.size)
        move = reach * rng.choice([-1, 1, *rng.uniform(-1, 1, 4)], z.size)
        found = np.abs((phi(start + move) - phi(start)) / move - slope)
        assert (found <= bound + 1e-5 + 1e-12 / np.abs(move)).all()


def test_a_network_on_a_line_with_its_basin_known() -> None:
    """f(x) = x/2 + 5/2·relu(x − 1) near 0, where x/2 comes from two units far from their kinks.

    It returns to 0 exactly from below its other fixed point, 5/4.
    """
    weights = (np.array([[1.0], [1.0], [-1.0]]), np.array([[0.25, 2.5, -0.25]]))
    network = ax.maps.MLP(weights, (np.array([9.0, -1.0, 9.0]), np.zeros(1)), (1,), "relu")
    found = basin_radius(around(network, [0.0]), key=jr.key(0))
    assert found.linear_radius[0] == pytest.approx(1, rel=1e-4)
    assert 1.2 < found.proved_radius[0] < 1.25
    assert found.proved_radius[0] <= found.sampled_radius[0] < 1.25
    assert found.status[0] == "proved"


@pytest.mark.parametrize("cycle", [False, True])
def test_the_closed_form_of_constructed_networks(cycle: bool) -> None:
    """The linear region of the pseudo-inverse network is the ball of radius min ¼/‖∇aⱼ‖, whatever its targets."""
    points = np.random.default_rng(0).random((5, 12))
    patterns = ax.Patterns.from_cycles([points]) if cycle else ax.Patterns.from_examples(points)
    made = ax.training.pseudoinverse(points, patterns.targets)
    slopes = made.weights[0][:5] / 2
    found = basin_radius(ax.Memory(made, patterns), num_directions=0, key=jr.key(0))
    closed = 0.25 / np.linalg.norm(slopes, axis=1).max()
    assert found.linear_radius.min() == pytest.approx(closed, rel=1e-4)
    assert (found.proved_radius >= closed * (1 - 1e-4)).all()
    assert found.points.tolist() == [0, 1, 2, 3, 4]
    assert found.sampled_radius.tolist() == found.proved_radius.tolist()


def test_cycles_return_in_phase() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(3, 6))
    # Units that tell which point it is, three more for rank, and a last layer that sends each to the next.
    weights = [3 * np.concatenate([np.linalg.pinv(points.T), 0.1 * rng.normal(size=(3, 6))])]
    biases = [-1.5 * np.ones(6), np.zeros(6)]
    hidden = np.tanh(points @ weights[0].T + biases[0])
    weights.append((np.linalg.pinv(hidden) @ np.roll(points, -1, axis=0)).T)
    network = ax.maps.MLP(tuple(weights), tuple(biases), (6,), "tanh")
    memory = ax.Memory(network, ax.Patterns.from_cycles([points]))
    found = basin_radius(memory, num_directions=16, key=jr.key(1))
    assert ax.certify(memory).verdict[0] == "attractor"
    assert (found.proved_radius > 0).all()
    for start in range(3):
        states = points[start] + found.proved_radius[start] * ball(rng, 500, 6)
        for _ in range(900):
            states = apply(weights, biases, "tanh", states)
        assert np.abs(states - points[start]).max() < 1e-9


def test_the_logistic_map_is_never_overstated() -> None:
    r = 2.5  # fixed point 0.6, whose basin is the interval from 0 to 1
    memory = around(Logistic(np.array(r)), [0.6])
    found = basin_radius(memory, second_derivative=2 * r, key=jr.key(0))
    assert 0.15 < found.proved_radius[0] <= found.sampled_radius[0] < 0.4
    unproved = basin_radius(memory, key=jr.key(0))
    assert unproved.status[0] == "sampled"
    assert unproved.proved_radius[0] == 0
    assert 0.3 < unproved.sampled_radius[0] < 0.4
    assert 0.85 < unproved.share[0] < 1
    pair = ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle()]))
    both = basin_radius(pair, second_derivative=6.4, num_directions=0, key=jr.key(0))
    assert (both.proved_radius > 0.005).all()
    for point, radius in zip(logistic_cycle(), both.proved_radius, strict=True):
        states = np.linspace(point - radius, point + radius, 1001)
        for _ in range(200):
            states = logistic(states)
        assert np.abs(states - point).max() < 1e-9


def test_newtons_map_of_the_cube_roots_is_never_overstated() -> None:
    """Newton's map has the derivative 2(z³ − 1)/(3z³), so |f''| = 2/|z|⁴; holomorphic, it is the norm in the plane."""
    roots = np.array([[1.0, 0.0], [-0.5, np.sqrt(0.75)]])
    memory = around(newton_cube, *roots)
    found = basin_radius(memory, second_derivative=lambda r: 2 / (1 - r) ** 4 if r < 1 else np.inf, key=jr.key(0))
    assert (found.proved_radius > 0.2).all()

    def returned(root: np.ndarray, radius: float, inside: np.ndarray) -> np.ndarray:
        angle = np.linspace(0, 2 * np.pi, 4001)
        z = root[0] + 1j * root[1] + radius * inside * np.exp(1j * angle)
        for _ in range(100):
            z = z - (z**3 - 1) / (3 * z**2)
        return np.abs(z - (root[0] + 1j * root[1])) < 1e-9

    rng = np.random.default_rng(0)
    for number, root in enumerate(roots):
        assert returned(root, found.proved_radius[number], np.sqrt(rng.random(4001))).all()
        assert returned(root, found.proved_radius[number], np.ones(4001)).all()
        share = returned(root, found.sampled_radius[number], np.ones(4001)).mean()
        assert share >= found.share[number]


def test_attractors_of_a_fitted_memory_have_a_proved_radius() -> None:
    draw = np.random.default_rng(0)
    points = draw.random((6, 10))
    # Random features, and a last layer that is solved for: fixed points with all kinds of Jacobians.
    weights = (0.7 * draw.normal(size=(14, 10)), 0.1 * draw.normal(size=(10, 14)))
    begun = ax.maps.MLP(weights, (draw.normal(size=14), np.zeros(10)), (10,), "tanh")
    memory = around(ax.training.polish(begun, points, points), *points)
    found = basin_radius(memory, num_directions=20, key=jr.key(0))
    attractors = np.array([verdict == "attractor" for verdict in ax.certify(memory).verdict])
    assert attractors.any()
    assert (found.proved_radius[attractors] > 0).all()
    assert (found.proved_radius[~attractors] == 0).all()
    assert (found.sampled_radius >= found.proved_radius).all()
    assert (found.contraction[attractors] < 1).all()
    # The same key gives the same numbers, and the nearest other example is where it is.
    again = basin_radius(memory, num_directions=20, key=jr.key(0))
    assert again.sampled_radius.tolist() == found.sampled_radius.tolist()
    assert memory.patterns is not None
    flat = memory.patterns.points
    gaps = np.linalg.norm(flat[:, None] - flat[None], axis=2) + 1e9 * np.eye(6)
    np.testing.assert_allclose(found.distance, gaps.min(axis=1), rtol=1e-6)


def test_what_is_not_attracting_has_no_radius() -> None:
    saddle = around(lambda x: jnp.array([0.2, 1.5]) * x, np.zeros(2))
    found = basin_radius(saddle, second_derivative=0.0, key=jr.key(0))
    assert found.proved_radius[0] == 0
    assert found.sampled_radius[0] == 0
    assert found.status[0] == "none"
    lost = basin_radius(around(straight(np.nan), np.zeros(2)), num_directions=4, key=jr.key(0))
    assert lost.status[0] == "none"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_directions": -1}, "num_directions"),
        ({"confidence": 1.0}, "confidence"),
        ({"max_steps": 0}, "max_steps"),
        ({"second_derivative": -1.0}, "second_derivative"),
    ],
)
def test_wrong_arguments(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        basin_radius(around(lambda x: x / 2, np.zeros(2)), **options, key=jr.key(0))


def test_a_second_derivative_is_not_for_networks() -> None:
    network = ax.training.pseudoinverse(np.eye(3))
    with pytest.raises(ValueError, match="second_derivative"):
        basin_radius(around(network, np.eye(3)[0]), second_derivative=1.0, key=jr.key(0))


@pytest.mark.parametrize("activation", ["relu", "tanh", "swish"])
def test_rounding_is_bounded(activation: str) -> None:
    """Of pre-activations and of the output, in a network whose layers cancel, against arbitrary precision."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) * 30 for shape in ((7, 4), (6, 7), (4, 6))]
    biases = [1e3 * rng.normal(size=len(weight)) for weight in weights]
    network = ax.maps.MLP(tuple(weights), tuple(biases), (4,), activation)
    state = rng.normal(size=4)
    step = ax.maps.step_bounds(network)(state[None])[0]
    with mpmath.workdps(50):
        phi = EXACT_PHI[activation][0]
        values = mpmath.matrix(state.tolist())
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            values = mpmath.matrix(weight.tolist()) * values + mpmath.matrix(bias.tolist())
            if layer < 2:
                off = values - mpmath.matrix(step.z[layer].tolist())
                gaps = [abs(float(gap)) for gap in off]
                assert (np.array(gaps) <= step.z_errors[layer]).all()
                assert (step.z_errors[layer] <= 1e6 * max(max(gaps), 1e-13)).all()
                values = values.apply(phi)
    with float64():
        computed = np.asarray(eqx.filter_jit(cast(network, np.float64))(state))
    off = mpmath.norm(values - mpmath.matrix(computed.tolist()))
    assert float(off) <= step.output_error <= 1e6 * max(float(off), 1e-12)


def test_a_sampled_radius_without_an_end_is_the_farthest_that_is_tried() -> None:
    """Without biases f(cx) = c·f(x): one that brings a small sphere back brings back every one, however far.

    Nothing is proved where all units are on their kink, and 100 units for each root of an entry is as far as one looks.
    """
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) * 0.35 for shape in ((16, 2), (16, 16), (2, 16))]
    network = ax.maps.MLP(tuple(weights), (None, None, None), (2,), "relu")
    memory = around(network, np.zeros(2), np.ones(2))
    found = basin_radius(memory, num_directions=32, key=jr.key(0))
    assert found.proved_radius[0] == 0
    assert found.sampled_radius[0] == pytest.approx(100 * np.sqrt(2) * memory.examples().unit)
    with mpmath.workdps(30):
        layers = [mpmath.matrix(weight.tolist()) for weight in weights]
        for angle in np.linspace(0, 2 * np.pi, 7):
            state = mpmath.matrix([float(found.sampled_radius[0]) * turn for turn in (np.cos(angle), np.sin(angle))])
            for _ in range(60):
                for layer in layers[:-1]:
                    state = (layer * state).apply(lambda z: max(z, mpmath.mpf(0)))
                state = layers[-1] * state
            assert mpmath.norm(state) < 1e-6


def tripled(x: Any) -> Any:
    return 3 * jax.nn.relu(x)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e140])
def test_what_grows_comes_back_at_no_scale(scale: float) -> None:
    memory = ax.Memory(tripled, ax.Patterns.from_examples(np.array([[0.0, 0.0], [scale, scale]])))
    assert basin_radius(memory, num_directions=32, key=jr.key(0)).sampled_radius[0] == 0


def test_starts_whose_next_state_is_no_number_do_not_come_back() -> None:
    memory = ax.Memory(
        lambda x: jnp.where(jnp.abs(x) < 1, x / 2, jnp.nan), ax.Patterns.from_examples(np.array([[0.0], [9.0]]))
    )
    found = basin_radius(memory, num_directions=32, key=jr.key(0))
    assert 0.5 < found.sampled_radius[0] <= 1


def test_distances_far_from_zero_and_beyond_the_root_of_the_largest_number() -> None:
    for points, apart in ((1e9 + np.array([[0.0, 0.0], [3.0, 4.0]]), 5.0), (1e200 * np.eye(2), 2**0.5 * 1e200)):
        memory = ax.Memory(straight(0.5), ax.Patterns.from_examples(points))
        found = basin_radius(memory, num_directions=2, key=jr.key(0))  # warnings are errors here
        assert ax.certify(memory).num_attractors == 0
        assert found.distance == pytest.approx([apart, apart])
        assert (found.proved_radius == 0).all()
