"""K-FAC: its factors, its inverses, its step, and how fast it interpolates."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

import attrax as ax
from attrax._numerics import float64
from attrax.maps import mlp
from attrax.training import fit, kfac, mean_squared_error, optimizer
from attrax.training._kfac import _matrices, _solve, factor_rows

POINTS = np.random.default_rng(0).random((6, 10))


def basis_draws(n: int, d: int) -> np.ndarray:
    """Draws whose second moment is exactly the identity for every row: E[G] over them is the exact G."""
    return np.sqrt(d) * np.repeat(np.eye(d)[:, None], n, axis=1)


def test_factors_are_the_exact_fisher_blocks_of_a_linear_network() -> None:
    """There g does not depend on the example, so E[āāᵀ ⊗ ggᵀ] = A ⊗ G without approximation."""
    points = np.random.default_rng(1).normal(size=(5, 3))
    network = mlp((3,), width=4, depth=2, activation="identity", dtype=np.float64, key=jr.key(0))
    share = np.full(5, 1 / 5)
    with float64():
        rows = factor_rows(network, jnp.asarray(points), jnp.asarray(basis_draws(5, 3)), jnp.asarray(share))
        for number, (a, g) in enumerate(rows):

            def output(matrix, x, number=number):
                weights = [*network.weights[:number], matrix[:, :-1], *network.weights[number + 1 :]]
                biases = [*network.biases[:number], matrix[:, -1], *network.biases[number + 1 :]]
                return eqx.tree_at(lambda n: (n.weights, n.biases), network, (tuple(weights), tuple(biases)))(x)

            matrix = _matrices(network)[number]
            fisher = 0.0
            for x in points:
                jacobian = np.asarray(jax.jacobian(output)(matrix, x)).reshape(3, -1)
                fisher = fisher + jacobian.T @ jacobian / 5
            kronecker = np.kron(np.asarray(g.T @ g), np.asarray(a.T @ a))  # entries of a matrix in C order: row, column
            np.testing.assert_allclose(kronecker, fisher, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "cosid"])
def test_rows_are_inputs_and_gradients_of_the_layers(activation: str, bias: bool) -> None:
    network = mlp((10,), width=7, depth=2, activation=activation, bias=bias, dtype=np.float64, key=jr.key(0))
    draw = np.random.default_rng(2).normal(size=(1, 6, 10))
    with float64():
        share = jnp.full(6, 1 / 6)
        rows = factor_rows(network, jnp.asarray(POINTS), jnp.asarray(draw), share)
        loss = lambda n: jnp.sum(share[:, None] * jax.vmap(n)(POINTS) * draw[0])  # noqa: E731
        for (a, g), gradient in zip(rows, _matrices(jax.grad(loss)(network)), strict=True):
            np.testing.assert_allclose(g.T @ a, gradient, atol=1e-12)
            assert a.shape[1] == gradient.shape[1]


def test_both_ways_to_solve_agree() -> None:
    draw = np.random.default_rng(3)
    values = draw.normal(size=(8, 3))
    with float64():
        for count in (3, 8, 20):
            rows = draw.normal(size=(count, 8))
            expected = np.linalg.solve(rows.T @ rows + 0.3 * np.eye(8), values)
            np.testing.assert_allclose(_solve(jnp.asarray(rows), 0.3, jnp.asarray(values)), expected, atol=1e-12)


def test_one_step_on_a_quadratic_finds_the_best_step_along_the_direction() -> None:
    """For one linear layer after frozen features h is quadratic: the model is exact and the ratio is 1."""
    network = mlp((10,), width=40, depth=1, activation="tanh", key=jr.key(0))
    rule = kfac(damping=1e-3)
    state = rule.init(network)
    inputs = jnp.asarray(POINTS, jnp.float32)

    def loss(n):
        return jnp.mean((jax.vmap(n)(inputs) - inputs) ** 2)

    @eqx.filter_jit
    def advance(network, state):
        step, state = rule.update(jax.grad(loss)(network), state, network, inputs=inputs, targets=inputs)
        return eqx.apply_updates(network, step), state

    losses = []
    for _ in range(20):
        network, state = advance(network, state)
        losses.append(float(loss(network)))
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 1e-3 * losses[0]


def test_a_step_that_would_not_help_is_not_made() -> None:
    network = mlp((10,), width=12, depth=2, key=jr.key(0))
    rule = kfac(damping=1e-2)
    state = rule.init(network)
    inputs = jnp.asarray(POINTS, jnp.float32)
    uphill = jax.grad(lambda n: -jnp.mean((jax.vmap(n)(inputs) - inputs) ** 2))(network)
    step, after = eqx.filter_jit(rule.update)(uphill, state, network, inputs=inputs, targets=inputs)
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(step))
    assert float(after.damping) > float(state.damping)


@pytest.mark.parametrize(
    ("options", "dtype"),
    [({}, np.float32), ({"samples": 1, "refresh": 3}, np.float32), ({"damping": 10.0}, np.float64)],
)
def test_it_interpolates_in_few_steps(options: dict, dtype: type) -> None:
    network = mlp((10,), width=32, depth=3, init="kaiming_uniform", dtype=dtype, key=jr.key(0))
    run = fit(network, POINTS, POINTS, optimizer=kfac(**options), epochs=200, tol=1e-9, key=jr.key(1))
    assert run.status == ax.StoreStatus.STORED
    slow = fit(network, POINTS, POINTS, optimizer=optimizer("adam"), epochs=run.epochs, tol=1e-9, key=jr.key(1))
    assert slow.loss > 1e3 * run.loss


def test_kept_inverses_change_the_steps_and_every_option_does() -> None:
    network = mlp((10,), width=5, depth=1, init="kaiming_uniform", key=jr.key(0))

    def weights(rule: optax.GradientTransformationExtraArgs) -> np.ndarray:
        run = fit(network, POINTS, POINTS, optimizer=rule, epochs=5, key=jr.key(1))
        return np.asarray(run.map.weights[0])

    usual = kfac()
    plain = weights(usual)
    np.testing.assert_array_equal(weights(usual), plain)
    # Each rule takes seconds to compile.
    for options in ({"refresh": 4, "damping": 1.0}, {"samples": 2, "seed": 1}):
        assert not np.array_equal(weights(kfac(**options)), plain), options


def test_minibatches_and_noisy_copies() -> None:
    network = mlp((10,), width=32, depth=2, init="kaiming_uniform", key=jr.key(0))
    run = fit(
        network, POINTS, POINTS, optimizer=kfac(), epochs=40, tol=None, batch=4, noise=0.1, copies=3, key=jr.key(1)
    )
    assert run.loss < 0.05 * mean_squared_error(network, POINTS, POINTS)


def test_a_network_without_biases() -> None:
    network = mlp((10,), width=32, depth=2, activation="cosid", bias=False, key=jr.key(0))
    run = fit(network, POINTS, POINTS, optimizer=kfac(), epochs=200, key=jr.key(1))
    assert run.status == ax.StoreStatus.STORED


def test_wrong_arguments_are_refused() -> None:
    for wrong in ({"damping": 0}, {"refresh": 0}, {"samples": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            kfac(**wrong)
    with pytest.raises(ValueError, match="MLP"):
        fit(eqx.nn.Linear(3, 3, key=jr.key(0)), np.eye(3), np.eye(3), optimizer=kfac(), key=jr.key(0))
    network = mlp((3,), width=4, depth=1, key=jr.key(0))
    with pytest.raises(ValueError, match="inputs"):
        kfac().update(network, kfac().init(network), network)


def test_the_key_of_a_memory_decides_what_kfac_samples() -> None:
    network = mlp((6,), width=12, depth=2, key=jr.key(0))
    points = np.random.default_rng(0).random((4, 6))

    def first(seed: int) -> np.ndarray:
        writer = ax.Gradient(optimizer="kfac", epochs=3, tol=0.0)
        return np.asarray(ax.store(points, network, writer=writer, key=jr.key(seed)).map.weights[0])

    np.testing.assert_array_equal(first(1), first(1))
    assert np.abs(first(1) - first(2)).max() > 0
