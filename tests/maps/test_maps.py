"""Activations, initializations and networks against NumPy."""

import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.special

from attrax.activations import ACTIVATIONS, activation
from attrax.extending import float64
from attrax.maps import INITIALIZERS, MLP, init_linear, mlp
from attrax.maps._initializers import check_initializer  # the check by itself

# λ and α of Klambauer et al. (2017), equation 14.
LAMBDA, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

FORMULAS = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z >= 0, z, 0.01 * z),
    "selu": lambda z: LAMBDA * np.where(z > 0, z, ALPHA * np.expm1(np.minimum(z, 0))),
    "swish": lambda z: z / (1 + np.exp(-z)),
    "cosid": lambda z: np.cos(z) - z,
    "sinusoid": lambda z: z + np.sin(10 * z) / 5,
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "gelu": lambda z: z * (1 + scipy.special.erf(z / np.sqrt(2))) / 2,
    "identity": lambda z: z,
    "exp": np.exp,
    "erf": scipy.special.erf,
    "arctan": np.arctan,
}
RNG = np.random.default_rng(0)
GRID = np.concatenate([np.linspace(-7, 7, 141), RNG.normal(size=60)])


# --- activations ---------------------------------------------------------------------------------


def test_every_activation_has_a_formula_here() -> None:
    assert set(ACTIVATIONS) == set(FORMULAS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_slopes(name: str) -> None:
    formula = FORMULAS[name]
    points = GRID[np.abs(GRID) > 1e-3]  # kinks have no slope to compare with
    function = activation(name)

    @jax.jit
    def three(z: Any) -> Any:
        return function(z), jax.vmap(jax.grad(function))(z), jax.jvp(function, (z,), (jnp.ones_like(z),))[1]

    with float64():
        value = np.asarray(three(GRID)[0])
        slope, by_forward = map(np.asarray, three(points)[1:])
    assert value.dtype == np.float64
    assert np.allclose(value, formula(GRID), rtol=1e-13, atol=1e-14)
    h = 1e-5
    expected = (formula(points + h) - formula(points - h)) / (2 * h)
    assert np.allclose(slope, expected, rtol=1e-8, atol=1e-8)
    assert np.allclose(by_forward, slope, rtol=1e-13, atol=1e-14)
    single = np.asarray(three(GRID.astype(np.float32))[0])
    assert single.dtype == np.float32
    assert np.allclose(single, formula(GRID), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "exp"])
def test_far_out_nothing_overflows(name: str) -> None:
    function = activation(name)
    both = jax.jit(lambda z: jnp.stack([function(z), jax.vmap(jax.grad(function))(z)]))
    with float64():
        assert np.isfinite(np.asarray(both(np.array([-1e4, -800.0, 800.0, 1e4])))).all()


def test_slopes_at_kinks_and_at_zero() -> None:
    with float64():
        at_zero = jax.jit(lambda z: {name: jax.grad(function)(z) for name, function in ACTIVATIONS.items()})
        slopes = {name: float(slope) for name, slope in at_zero(0.0).items()}
    assert slopes["relu"] == 0.0
    assert slopes["cosid"] == -1.0
    assert slopes["sinusoid"] == pytest.approx(3.0)
    assert slopes["swish"] == pytest.approx(0.5)
    assert slopes["tanh"] == slopes["identity"] == 1.0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_piecewise_linear_ones_are_told_apart(name: str) -> None:
    with float64():
        sides = jnp.array([[0.5, 1.0, 1.5], [-0.5, -1.0, -1.5]])
        bends = np.diff(np.asarray(jax.jit(activation(name))(sides)), n=2)
    # SELU is linear on one side only.
    assert (np.abs(bends).max() < 1e-12) == ACTIVATIONS[name].piecewise_linear


@pytest.mark.parametrize("name", ["Relu", "", "relu ", None, 3])
def test_unknown_activations_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=r"activation must be one of relu, leaky_relu, .*got"):
        activation(name)
    with pytest.raises(ValueError, match="activation must be one of"):
        mlp((3,), width=4, depth=1, activation=name, key=jr.key(0))


# --- initializations -----------------------------------------------------------------------------

# Bound of the uniform ones, for a layer from `fan_in` to `fan_out`.
BOUNDS = {
    "pytorch": lambda fan_in, fan_out: 1 / math.sqrt(fan_in),
    "uniform:0.05": lambda fan_in, fan_out: 0.05,
    "uniform:2": lambda fan_in, fan_out: 2.0,
    "xavier_uniform": lambda fan_in, fan_out: math.sqrt(6 / (fan_in + fan_out)),
    "kaiming_uniform": lambda fan_in, fan_out: math.sqrt(6 / fan_in),
}
VARIANCES = {
    "xavier_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "kaiming_normal": lambda fan_in, fan_out: 2 / fan_in,
}
FANS = [(300, 500), (500, 300)]


def draw(name: str, fan_in: int, fan_out: int, **options: Any) -> tuple[np.ndarray, np.ndarray | None]:
    settings = {"bias": True, "dtype": jnp.float32, "key": jr.key(0)} | options
    weight, bias = init_linear(name, fan_in, fan_out, **settings)
    return np.asarray(weight), None if bias is None else np.asarray(bias)


def test_every_initialization_is_tested_here() -> None:
    assert {*BOUNDS, *VARIANCES} - {"uniform:0.05", "uniform:2"} | {"uniform:A"} == set(INITIALIZERS)


@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
@pytest.mark.parametrize("name", BOUNDS)
def test_uniform_ones_fill_their_interval(name: str, fan_in: int, fan_out: int) -> None:
    weight, bias = draw(name, fan_in, fan_out)
    bound = BOUNDS[name](fan_in, fan_out)
    assert weight.shape == (fan_out, fan_in)
    assert np.abs(weight).max() <= bound * (1 + 1e-6)
    # Of 150,000 values the extremes are nearly at the ends, and the quantiles where they belong to 5 deviations.
    assert weight.max() > 0.999 * bound
    assert weight.min() < -0.999 * bound
    quantiles = np.quantile(weight / bound, [0.1, 0.25, 0.5, 0.75, 0.9])
    assert np.allclose(quantiles, [-0.8, -0.5, 0, 0.5, 0.8], atol=5 * 2 * 0.5 / math.sqrt(weight.size))
    assert bias.shape == (fan_out,)
    if name == "pytorch" or name.startswith("uniform"):
        assert 0.95 * bound < np.abs(bias).max() <= bound * (1 + 1e-6)
        assert bias.min() < -0.9 * bound
        assert not np.array_equal(bias, weight.ravel()[:fan_out]), "bias and weight come from one draw"
    else:
        assert not bias.any()


@pytest.mark.parametrize(("fan_in", "fan_out"), FANS)
@pytest.mark.parametrize("name", VARIANCES)
def test_normal_ones_have_their_variance(name: str, fan_in: int, fan_out: int) -> None:
    weight, bias = draw(name, fan_in, fan_out)
    scaled = weight.ravel() / math.sqrt(VARIANCES[name](fan_in, fan_out))
    many = weight.size
    assert abs(scaled.mean()) < 5 / math.sqrt(many)
    assert abs(scaled.var() - 1) < 5 * math.sqrt(2 / many)
    assert abs(np.mean(scaled**4) - 3) < 5 * math.sqrt(96 / many)
    # A normal variable that was cut off would not get this far.
    assert np.abs(scaled).max() > 3.9
    assert not bias.any()


@pytest.mark.parametrize("name", [*BOUNDS, *VARIANCES])
def test_weights_do_not_depend_on_whether_there_are_biases(name: str) -> None:
    with_bias, _ = draw(name, 5, 7)
    without, bias = draw(name, 5, 7, bias=False)
    assert bias is None
    assert np.array_equal(with_bias, without)
    assert np.array_equal(without, draw(name, 5, 7, bias=False)[0])
    assert not np.array_equal(without, draw(name, 5, 7, bias=False, key=jr.key(1))[0])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("orthogonal", "init must be one of pytorch, .*uniform:A; got 'orthogonal'"),
        ("", "init must be one of"),
        (None, "init must be one of"),
        ("uniform", "init must be one of"),
        ("pytorch:0.1", "init must be one of"),
        ("uniform:A", "A in the initialization 'uniform:A'"),
        ("uniform:", "A in the initialization"),
        ("uniform:0", "above 0"),
        ("uniform:-0.1", "above 0"),
        ("uniform:nan", "A in the initialization"),
        ("uniform:inf", "finite"),
    ],
)
def test_wrong_initializations_are_refused(name: Any, words: str) -> None:
    for refused in (check_initializer, lambda n: mlp((3,), width=4, depth=1, init=n, key=jr.key(0))):
        with pytest.raises(ValueError, match=words):
            refused(name)


# --- networks ------------------------------------------------------------------------------------


def drawn(shape: tuple[int, ...], widths: tuple[int, ...], activation: str, bias: bool = True) -> MLP:
    """A float64 network drawn by NumPy, which compiles nothing."""
    sides = [math.prod(shape), *widths, math.prod(shape)]
    weights = tuple(RNG.normal(size=(k, d)) / math.sqrt(d) for d, k in itertools.pairwise(sides))
    biases = tuple(RNG.normal(size=k) if bias else None for k in sides[1:])
    return MLP(weights, biases, shape, activation)


apply = eqx.filter_jit(lambda map, x: map(x))
apply_parts = eqx.filter_jit(lambda map, flat: map.readout(map.features(flat)))


def sizes(shape: Any, **options: Any) -> MLP:
    """The network with shapes in place of its arrays."""
    return jax.eval_shape(lambda key: mlp(shape, **options, key=key), jr.key(0))


def by_numpy(network: MLP, x: np.ndarray) -> np.ndarray:
    phi = FORMULAS[network.activation]
    z = np.asarray(x, float).ravel()
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        z = np.asarray(weight, float) @ z + (0.0 if bias is None else np.asarray(bias, float))
        if number < len(network.weights) - 1:
            z = phi(z)
    return z.reshape(network.shape)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("shape", "widths", "name"),
    [
        ((28, 28), (20, 20), "relu"),
        ((4, 4, 3), (11,), "cosid"),
        ((7,), 4 * (5,), "sinusoid"),
        ((2, 3), (6, 4, 9), "selu"),
    ],
)
def test_a_network_is_what_numpy_says(shape: tuple, widths: tuple, name: str, bias: bool) -> None:
    x, network = RNG.normal(size=shape), drawn(shape, widths, name, bias)
    with float64():
        found, parts = np.asarray(apply(network, x)), np.asarray(apply_parts(network, x.ravel()))
    assert found.shape == shape
    assert found.dtype == np.float64
    assert np.allclose(found, by_numpy(network, x), rtol=1e-12, atol=1e-13)
    assert np.allclose(parts.reshape(shape), found, rtol=1e-13, atol=1e-14)


def test_a_map_of_mixed_biases() -> None:
    draw = np.random.default_rng(3)
    weights = (draw.normal(size=(4, 2)), draw.normal(size=(3, 4)), draw.normal(size=(2, 3)))
    network = MLP(weights, (None, draw.normal(size=3), None), (2,), "tanh")
    x = draw.normal(size=2)
    with float64():
        assert np.allclose(jax.jit(lambda map, x: map(x))(network, x), by_numpy(network, x), rtol=1e-13)


def test_sizes() -> None:
    network = sizes((4, 4, 3), width=(7, 5))
    assert (network.size, network.depth, network.widths, network.shape) == (48, 2, (7, 5), (4, 4, 3))
    assert [weight.shape for weight in network.weights] == [(7, 48), (5, 7), (48, 5)]
    assert [bias.shape for bias in network.biases] == [(7,), (5,), (48,)]
    assert sizes([3, 2], width=[7, 5], depth=2).shape == (3, 2)
    assert sizes((6,), width=np.int64(9), depth=3).widths == (9, 9, 9)
    assert sizes((6,), width=4, depth=1, bias=False).biases == (None, None)


def test_every_layer_has_its_own_draw_with_its_own_fans() -> None:
    network = mlp((400,), width=(100, 100, 100), init="pytorch", key=jr.key(0))
    for weight, bias, fan_in in zip(network.weights, network.biases, (400, 100, 100, 100), strict=True):
        bound = 1 / math.sqrt(fan_in)
        assert 0.99 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)
        assert 0.9 * bound < np.abs(bias).max() <= bound * (1 + 1e-6)
    square = mlp((5,), width=5, depth=3, key=jr.key(0))
    firsts = {float(np.asarray(weight)[0, 0]) for weight in square.weights}
    assert len(firsts) == 4


def test_the_key_decides_the_weights() -> None:
    def leaves(seed: int, dtype: Any = jnp.float32) -> list[np.ndarray]:
        network = mlp((5,), width=5, depth=2, dtype=dtype, key=jr.key(seed))
        return [np.asarray(leaf) for leaf in jax.tree.leaves(network)]

    assert all(np.array_equal(a, b) for a, b in zip(leaves(0), leaves(0), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(leaves(0), leaves(1), strict=True))
    assert {leaf.dtype for leaf in leaves(0)} == {np.dtype(np.float32)}
    assert {leaf.dtype for leaf in leaves(0, np.float64)} == {np.dtype(np.float64)}
    with float64():
        assert {leaf.dtype for leaf in leaves(0, jnp.float64)} == {np.dtype(np.float64)}
        assert {leaf.dtype for leaf in leaves(0)} == {np.dtype(np.float32)}
    assert not jax.config.read("jax_enable_x64")


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "identity"])
def test_homogeneous_without_biases(name: str) -> None:
    x, network = RNG.random((3, 4)), drawn((3, 4), (20, 20, 20), name, bias=False)
    with float64():
        value = np.asarray(apply(network, x))
        for c in (0.03, 2.0, 1e4):
            assert np.allclose(apply(network, c * x), c * value, rtol=1e-12)
        assert not apply(network, np.zeros((3, 4))).any()
        assert name == "identity" or not np.allclose(apply(network, -x), -value, rtol=1e-3)
        # f(x) = J(x)·x, so x is an eigenvector to the eigenvalue 1 as soon as it is a fixed point.
        features = np.asarray(jax.jit(lambda flat: network.features(flat))(x.ravel()))
        last = np.asarray(network.weights[-1])
        last = last + np.outer(x.ravel() - last @ features, features) / (features @ features)
        stored = MLP((*network.weights[:-1], last), network.biases, (3, 4), name)
        assert np.allclose(apply(stored, x), x, rtol=1e-12)
        jacobian = np.asarray(jax.jit(jax.jacfwd(lambda x: stored(x)))(x)).reshape(12, 12)
    assert np.allclose(jacobian @ x.ravel(), x.ravel(), rtol=1e-11)
    assert np.abs(np.linalg.eigvals(jacobian) - 1).min() < 1e-10


def test_biases_break_homogeneity() -> None:
    x, network = RNG.random(3), drawn((3,), (9, 9), "relu")
    with float64():
        assert not np.allclose(apply(network, 2 * x), 2 * apply(network, x), rtol=1e-3)


def test_transformations() -> None:
    states = RNG.random((4, 2, 3))
    x, h = states[0], 1e-6
    network = drawn((2, 3), (8, 8), "tanh")
    with float64():
        rows = np.stack([by_numpy(network, state) for state in states])
        assert np.allclose(network(x), rows[0], rtol=1e-12)
        assert np.allclose(jax.jit(jax.vmap(lambda x: network(x)))(states), rows, rtol=1e-12)
        assert np.allclose(jax.jit(lambda map, x: map(x))(network, x), rows[0], rtol=1e-12)
        jacobians = jax.jit(lambda map, x: (jax.jacfwd(map)(x), jax.jacrev(map)(x)))
        forward, reverse = map(np.asarray, jacobians(network, x))
        assert forward.shape == (2, 3, 2, 3)
        assert np.allclose(forward, reverse, rtol=1e-10, atol=1e-14)
        direction = RNG.normal(size=(2, 3))
        finite = (by_numpy(network, x + h * direction) - by_numpy(network, x - h * direction)) / (2 * h)
        assert np.allclose(np.tensordot(forward, direction, 2), finite, atol=1e-8)
        gradient = jax.jit(jax.grad(lambda map: jnp.sum(map(x) ** 2)))(network)
        assert isinstance(gradient, MLP)
        host = jax.tree.map(np.array, network)
        host.weights[1][2, 5] += h
        change = np.sum(by_numpy(host, x) ** 2) - np.sum(by_numpy(network, x) ** 2)
        assert float(gradient.weights[1][2, 5]) == pytest.approx(change / h, rel=1e-4)
    stacked = jax.eval_shape(jax.vmap(lambda key: mlp((3,), width=2, depth=1, key=key)), jr.split(jr.key(0), 5))
    assert stacked.weights[0].shape == (5, 2, 3)


@pytest.mark.parametrize("shape", [(4,), (3, 2), (6, 1, 1), (2, 2)])
def test_a_state_of_another_shape_is_refused(shape: tuple) -> None:
    network = drawn((2, 3), (4,), "relu")
    if math.prod(shape) != 6:
        with pytest.raises(TypeError):
            network(jnp.zeros(shape))
    else:
        # A state is raveled, so any shape of six entries is that state; the answer has the network's own shape.
        assert network(jnp.zeros(shape)).shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((), {}, "shape must be a sequence"),
        (28, {}, "shape must be a sequence"),
        ((3, 0), {}, "each entry of shape must be an integer of at least 1; got 0"),
        ((3.0,), {}, "each entry of shape"),
        ((-2,), {}, "each entry of shape"),
        ("33", {}, "shape"),
        ((3,), {"width": 0}, "width must be an integer of at least 1"),
        ((3,), {"width": 2.5}, "width"),
        ((3,), {"width": True}, "width"),
        ((3,), {"width": None}, "width"),
        ((3,), {"depth": 0}, "depth must be an integer of at least 1"),
        ((3,), {"depth": None}, "depth .* must be given if width is one number"),
        ((3,), {"depth": 1.5}, "depth"),
        ((3,), {"width": [4, 0]}, "each entry of width"),
        ((3,), {"width": [4, 5], "depth": 3}, "depth must be the number of widths, 2"),
        ((3,), {"width": [], "depth": None}, "width must name at least one hidden layer"),
    ],
)
def test_wrong_sizes_are_refused(shape: Any, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mlp(shape, **({"width": 4, "depth": 2} | options), key=jr.key(0))


@pytest.mark.parametrize(
    ("weights", "biases", "words"),
    [
        ([(3, 2), (2, 4)], [3, 2], "weight 2 must take 3 values; its shape is"),
        ([(3, 5), (2, 3)], [3, 2], "weight 1 must take 2 values"),
        ([(3, 2), (4, 3)], [3, 4], "the last weight must have 2 rows, one per entry of a state; it has 4"),
        ([(3, 2), (2, 3)], [3, 3], "bias 2 must have 2 values"),
        ([(3, 2), (2, 3)], [2, None], "bias 1 must have 3 values"),
        ([(3, 2), (2, 3)], [None], "as many biases"),
        ([(2, 2)], [2], "at least two weights"),
        ([(2,), (2, 3)], [2, 2], "weight 1 must take 2 values"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(weights: list, biases: list, words: str) -> None:
    arrays = tuple(np.zeros(shape) for shape in weights)
    shifts = tuple(None if size is None else np.zeros(size) for size in biases)
    with pytest.raises(ValueError, match=words):
        MLP(arrays, shifts, (2,), "relu")


def test_a_network_of_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="activation must be one of"):
        MLP((np.eye(2), np.eye(2)), (None, None), (2,), "square")


@pytest.mark.parametrize("name", ["pytorch", "uniform:0.1", "kaiming_normal"])
def test_weights_are_the_same_drawn_alone_and_within_a_program(name: str) -> None:
    def layer(key: Any) -> Any:
        return init_linear(name, 7, 13, bias=True, dtype=np.float32, key=key)

    for alone, within in zip(layer(jr.key(3)), jax.jit(layer)(jr.key(3)), strict=True):
        assert np.allclose(alone, within, rtol=1e-6, atol=0)


def test_weights_are_the_plain_draw() -> None:
    weight, _ = init_linear("uniform:0.1", 7, 13, bias=True, dtype=np.float32, key=jr.key(3))
    assert np.array_equal(weight, jr.uniform(jr.split(jr.key(3))[0], (13, 7), np.float32, -0.1, 0.1))
