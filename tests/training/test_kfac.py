"""K-FAC: its factors, its inverses, its step, and how fast it interpolates."""

import itertools
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.training import network as drawn

import attrax as ax
from attrax.extending import float64
from attrax.maps import MLP, mlp
from attrax.training import fit, kfac, mean_squared_error, optimizer
from attrax.training._checkpoint import first_state  # of an optimizer by itself
from attrax.training._kfac import _matrices, _solve, factor_rows  # one step by itself

POINTS = np.random.default_rng(0).random((6, 10))
compiled_rows = eqx.filter_jit(factor_rows)


def basis_draws(n: int, d: int) -> np.ndarray:
    """Draws whose second moment is exactly the identity for every row: E[G] over them is the exact G."""
    return np.sqrt(d) * np.repeat(np.eye(d)[:, None], n, axis=1)


def test_factors_are_the_exact_fisher_blocks_of_a_linear_network() -> None:
    """There g does not depend on the example, so E[āāᵀ ⊗ ggᵀ] = A ⊗ G without approximation."""
    points = np.random.default_rng(1).normal(size=(5, 3))
    network = drawn(np.float64, width=4, activation="identity")
    share = np.full(5, 1 / 5)
    with float64():
        rows = compiled_rows(network, points, basis_draws(5, 3), share)
        for number, (a, g) in enumerate(rows):

            @jax.jit
            @jax.jacobian
            def slope_of(matrix, x, number=number):
                weights = [*network.weights[:number], matrix[:, :-1], *network.weights[number + 1 :]]
                biases = [*network.biases[:number], matrix[:, -1], *network.biases[number + 1 :]]
                return eqx.tree_at(lambda n: (n.weights, n.biases), network, (tuple(weights), tuple(biases)))(x)

            matrix = np.column_stack([network.weights[number], network.biases[number]])
            fisher = 0.0
            for x in points:
                jacobian = np.asarray(slope_of(matrix, x)).reshape(3, -1)
                fisher = fisher + jacobian.T @ jacobian / 5
            a, g = np.asarray(a), np.asarray(g)
            kronecker = np.kron(g.T @ g, a.T @ a)  # entries of a matrix in C order: row, column
            np.testing.assert_allclose(kronecker, fisher, atol=1e-12)


@pytest.mark.parametrize(("activation", "bias"), [("relu", True), ("cosid", False)])
def test_rows_are_inputs_and_gradients_of_the_layers(activation: str, bias: bool) -> None:
    network = drawn(np.float64, shape=(10,), width=7, activation=activation, bias=bias)
    draw = np.random.default_rng(2).normal(size=(1, 6, 10))
    with float64():
        share = np.full(6, 1 / 6)
        rows = compiled_rows(network, POINTS, draw, share)
        loss = lambda n: jnp.sum(share[:, None] * jax.vmap(n)(POINTS) * draw[0])  # noqa: E731
        gradients = jax.jit(lambda n: _matrices(jax.grad(loss)(n)))(network)
        for (a, g), gradient in zip(rows, gradients, strict=True):
            np.testing.assert_allclose(np.asarray(g).T @ np.asarray(a), gradient, atol=1e-12)
            assert a.shape[1] == gradient.shape[1]


def test_both_ways_to_solve_agree() -> None:
    draw = np.random.default_rng(3)
    values = draw.normal(size=(8, 3))
    with float64():
        for count in (3, 8, 20):
            rows = draw.normal(size=(count, 8))
            expected = np.linalg.solve(rows.T @ rows + 0.3 * np.eye(8), values)
            found = jax.jit(_solve)(rows, 0.3, values)
            np.testing.assert_allclose(found, expected, atol=1e-12)


SHALLOW = drawn(shape=(10,), width=12, depth=1)
INPUTS = POINTS.astype(np.float32)


@jax.jit
def slope(network: MLP) -> tuple[jax.Array, MLP]:
    """The loss and its gradient."""
    return jax.value_and_grad(lambda n: jnp.mean((jax.vmap(n)(INPUTS) - INPUTS) ** 2))(network)


compiled = cache(jax.jit)


def test_one_step_on_a_quadratic_finds_the_best_step_and_a_step_that_would_not_help_is_not_made() -> None:
    """For one linear layer after frozen features h is quadratic: the model is exact and the ratio is 1."""
    rule = kfac(damping=1e-3)
    update = compiled(rule.update)
    network, state = SHALLOW, first_state(rule, SHALLOW)
    losses = []
    for _ in range(21):
        loss, gradient = slope(network)
        losses.append(float(loss))
        step, state = update(gradient, state, network, inputs=INPUTS, targets=INPUTS)
        network = jax.tree.map(np.add, network, step)
    assert all(after <= before for before, after in itertools.pairwise(losses))
    assert losses[-1] < 1e-3 * losses[0]

    begun = first_state(rule, SHALLOW)
    uphill = jax.tree.map(np.negative, slope(SHALLOW)[1])
    step, after = update(uphill, begun, SHALLOW, inputs=INPUTS, targets=INPUTS)
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(step))
    assert float(after.damping) > float(begun.damping)


def test_kept_inverses_change_the_steps_and_every_option_does() -> None:
    def weights(**options) -> np.ndarray:
        rule = kfac(**options)
        network, state, update = SHALLOW, first_state(rule, SHALLOW), compiled(rule.update)
        for _ in range(5):
            step, state = update(slope(network)[1], state, network, inputs=INPUTS, targets=INPUTS)
            network = jax.tree.map(np.add, network, step)
        return np.asarray(network.weights[0])

    plain = weights()
    np.testing.assert_array_equal(weights(), plain)
    # The compiler has to work for each `refresh` and `samples`, not for the others.
    for options in ({"refresh": 4}, {"samples": 2}, {"damping": 1.0}, {"seed": 1}):
        assert not np.array_equal(weights(**options), plain), options


@pytest.mark.parametrize("options", [{}, {"samples": 1, "refresh": 3, "damping": 10.0}])
def test_it_interpolates_in_few_steps(options: dict) -> None:
    network = mlp((10,), width=32, depth=1, init="kaiming_uniform", key=jr.key(0))
    run = fit(network, POINTS, POINTS, optimizer=kfac(**options), epochs=200, tol=1e-9, key=jr.key(1))
    assert run.status == ax.TrainingStatus.REACHED
    slow = fit(network, POINTS, POINTS, optimizer=optimizer("adam"), epochs=run.epochs, tol=1e-9, key=jr.key(1))
    assert slow.loss > 1e3 * run.loss


def test_minibatches_and_noisy_copies() -> None:
    network = mlp((10,), width=32, depth=1, init="kaiming_uniform", key=jr.key(0))
    run = fit(
        network, POINTS, POINTS, optimizer=kfac(), epochs=40, tol=None, batch=4, noise=0.1, copies=3, key=jr.key(1)
    )
    assert run.loss < 0.05 * mean_squared_error(network, POINTS, POINTS)


def test_two_layers_without_biases_in_double_precision() -> None:
    network = mlp((10,), width=32, depth=2, activation="cosid", bias=False, dtype=np.float64, key=jr.key(0))
    run = fit(network, POINTS, POINTS, optimizer=kfac(), epochs=200, key=jr.key(1))
    assert run.status == ax.TrainingStatus.REACHED


def test_wrong_arguments_are_refused() -> None:
    for wrong in ({"damping": 0}, {"refresh": 0}, {"samples": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            kfac(**wrong)
    with pytest.raises(ValueError, match="MLP"):
        fit(eqx.nn.Linear(3, 3, key=jr.key(0)), np.eye(3), np.eye(3), optimizer=kfac(), key=jr.key(0))
    with pytest.raises(ValueError, match="inputs"):
        kfac().update(SHALLOW, first_state(kfac(), SHALLOW), SHALLOW)


def test_the_key_of_a_memory_decides_what_kfac_samples_and_compiles_nothing(caplog: pytest.LogCaptureFixture) -> None:
    network = mlp((10,), width=32, depth=1, init="kaiming_uniform", key=jr.key(0))

    def first(seed: int) -> np.ndarray:
        writer = ax.Gradient(optimizer="kfac", epochs=3, tol=0.0)
        return np.asarray(ax.store(POINTS, network, writer=writer, key=jr.key(seed)).map.weights[0])

    one, same = first(1), first(1)
    with jax.log_compiles():
        other = first(2)
    assert not any("XLA compilation of jit(run)" in line for line in caplog.messages), "another key, the same program"
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0
