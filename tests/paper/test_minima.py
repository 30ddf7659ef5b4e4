"""The bound that a stable step puts on the Jacobian, and the two experiments on why networks store."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from attrax.maps import MLP, mlp
from attrax.paper import Outcome, planned
from attrax.paper._sharpness import mean_squares, sharpness
from attrax.paper._smoothness import jacobian_norms, largest_stable_norms
from attrax.paper.experiments import causes, minima
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, Work
from attrax.training import optimizer

KINDS = ("rmsprop-cosid", "rmsprop-selu", "gd-selu")


def small(width: int, seed: int = 0) -> tuple[MLP, np.ndarray]:
    """A network of random weights, and three states."""
    network: Any = mlp((2,), width=width, depth=2, activation="tanh", init="xavier_uniform", key=jr.key(seed))
    return network, np.array([[0.0, 1.0], [1.0, 0.5], [0.3, -0.2]])


def scaled_hessian(network: MLP, points: np.ndarray, squares: Any) -> np.ndarray:
    """That of the mean squared error where the points are reproduced, as the optimizer scales it."""
    parameters, static = eqx.partition(network, eqx.is_inexact_array)
    weights, unravel = ravel_pytree(parameters)

    def outputs(weights: Any) -> Any:
        return jnp.ravel(jax.vmap(eqx.combine(unravel(weights), static))(jnp.asarray(points, weights.dtype)))

    slopes = np.asarray(jax.jacobian(outputs)(weights), float)
    roots = np.sqrt(np.sqrt(np.asarray(ravel_pytree(squares)[0], float)) + 1e-8)
    return 2 / points.size * slopes.T @ slopes / np.outer(roots, roots)


def squares_of(network: MLP, seed: int) -> Any:
    """Mean squares of a gradient, over six decades."""
    parameters = eqx.filter(network, eqx.is_inexact_array)
    flat, unravel = ravel_pytree(parameters)
    return unravel(10.0 ** jr.uniform(jr.key(seed), flat.shape, flat.dtype, -6, 0))


def state_of(squares: Any) -> Any:
    return (optax.ScaleByRmsState(nu=squares), optax.EmptyState())


@pytest.mark.parametrize("seed", range(4))
def test_no_jacobian_is_larger_than_the_sharpness_allows(seed: int) -> None:
    network, points = small(3, seed)
    squares = squares_of(network, seed)
    largest = float(np.linalg.eigvalsh(scaled_hessian(network, points, squares))[-1])
    bounds = largest_stable_norms(network, points, state_of(squares), largest)
    assert (bounds >= jacobian_norms(network, points)).all()


def test_the_bound_is_met_where_only_one_unit_of_the_first_layer_moves() -> None:
    network, points = small(1)
    points = points[1:2]
    squares = jax.tree.map(lambda leaf: jnp.full_like(leaf, 1e20), squares_of(network, 0))
    first = (jnp.full_like(network.weights[0], 1e-4), jnp.full_like(network.biases[0], 1e-2))
    squares = eqx.tree_at(lambda tree: (tree.weights[0], tree.biases[0]), squares, first)
    largest = float(np.linalg.eigvalsh(scaled_hessian(network, points, squares))[-1])
    bounds = largest_stable_norms(network, points, state_of(squares), largest)
    assert bounds == pytest.approx(jacobian_norms(network, points), rel=1e-4)
    assert largest_stable_norms(network, points, state_of(squares), 4 * largest) == pytest.approx(2 * bounds)


def test_the_bound_counts_every_entry_and_the_steps_of_each_unit() -> None:
    network, points = small(3)
    squares = squares_of(network, 5)
    weight, bias = (1 / (np.sqrt(np.asarray(part, float)) + 1e-8) for part in (squares.weights[0], squares.biases[0]))
    first = np.asarray(network.weights[0])
    wanted = [np.linalg.norm(first / np.sqrt(weight @ x**2 + bias)[:, None], 2) for x in points]
    bounds = largest_stable_norms(network, points, state_of(squares), 0.7)
    assert bounds == pytest.approx(np.sqrt(points.size * 0.7 / 2) * np.array(wanted), rel=1e-4)


@pytest.mark.parametrize("rule", ["adam", "rmsprop"])
def test_mean_squares_are_those_that_steps_are_divided_by(rule: str) -> None:
    weights, gradient = jnp.zeros(2), jnp.array([2.0, 0.5])
    steps = optimizer(rule, learning_rate=0.1)
    state = steps.init(weights)
    for _ in range(5):
        change, state = steps.update(gradient, state, weights)
    squares = np.asarray(mean_squares(state))
    np.testing.assert_allclose(-np.asarray(change), 0.1 * np.asarray(gradient) / np.sqrt(squares), rtol=1e-4)


def test_norms_are_those_of_the_jacobian_and_plain_steps_are_not_scaled() -> None:
    network, points = small(3)
    wanted = [np.linalg.norm(np.asarray(jax.jacobian(network)(jnp.asarray(one, jnp.float32))), 2) for one in points]
    assert jacobian_norms(network, points) == pytest.approx(np.array(wanted), rel=1e-5)
    plain = optimizer("gd", learning_rate=0.1).init(eqx.filter(network, eqx.is_inexact_array))
    ones = jax.tree.map(jnp.ones_like, eqx.filter(network, eqx.is_inexact_array))
    assert largest_stable_norms(network, points, plain, 3.0) == pytest.approx(
        largest_stable_norms(network, points, state_of(ones), 3.0), rel=1e-5
    )


def test_the_sharpness_of_plain_steps_is_that_of_the_hessian() -> None:
    network, points = small(3)
    plain = optimizer("gd", learning_rate=0.1).init(eqx.filter(network, eqx.is_inexact_array))
    parameters, static = eqx.partition(network, eqx.is_inexact_array)
    weights, unravel = ravel_pytree(parameters)

    def loss(weights: Any) -> Any:
        outputs = jax.vmap(eqx.combine(unravel(weights), static))(jnp.asarray(points, weights.dtype))
        return jnp.mean((outputs - points) ** 2)

    wanted = np.abs(np.linalg.eigvalsh(np.asarray(jax.hessian(loss)(weights)))).max()
    assert sharpness(network, points, plain, key=jr.key(2)) == pytest.approx(wanted, rel=1e-3)


def measured(*rows: tuple[float, float, float, float]) -> list[CellRecord]:
    """Networks with one measurement each: sharpness, norm, bound, and the least bound over a norm."""
    settings = {"n": 4, "side": 8, "source": "natural"}
    records = []
    for kind, (sharp, norm, bound, least) in zip(KINDS, rows, strict=False):
        row = [100, 1e-3, sharp, norm / 2, norm, bound, bound / norm, least]
        cell = Cell("minima", f"{kind}-0", "m:f", {**settings, "kind": kind})
        records.append(CellRecord(cell, CellStatus.DONE, {"rows": [row]}, {}, 1.0))
    return records


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (((1.0, 2.0, 14.0, 3.0), (1.1, 0.1, 0.9, 4.0)), Outcome.REPRODUCED),
        (((1.0, 2.0, 14.0, 3.0), (1.1, 0.1, 0.2, 1.1)), Outcome.PARTLY),  # the factor is 7, and 2
        (((1.0, 2.0, 14.0, 3.0), (1.1, 1.0, 7.0, 4.0)), Outcome.PARTLY),  # norms that hardly differ
        (((1.0, 2.0, 40.0, 3.0), (1.1, 0.1, 2.0, 4.0)), Outcome.PARTLY),  # a factor of 20
        (((1.0, 2.0, 14.0, 0.9), (1.1, 0.1, 0.9, 4.0)), Outcome.NOT),
        (((0.5, 2.0, 14.0, 0.9), (1.1, 2.0, 14.0, 4.0)), Outcome.PARTLY),  # the first is not at the edge
        (((0.5, 2.0, 14.0, 3.0),), Outcome.INCONCLUSIVE),
        ((), Outcome.UNFINISHED),
    ],
)
def test_the_bound_must_hold_and_explain_the_norms(rows: Any, wanted: Outcome) -> None:
    records = measured(*rows)
    assert minima.EXPERIMENT.summarize(records).outcome is wanted
    tables = minima.EXPERIMENT.tabulate(records)
    assert sum(len(table.rows) for table in tables) == len(rows)
    assert len(minima.EXPERIMENT.draw(records)) == (wanted not in (Outcome.UNFINISHED, Outcome.INCONCLUSIVE))


def trained_by(**medians: float) -> list[CellRecord]:
    """Networks of both activations with these median radii, by way of training."""
    settings = {"n": 4, "side": 8, "width": 16, "depth": 2, "source": "natural"}
    numbers = {"start": 0.2, "loss": 1e-4, "annealed": 1e-9, "largest": 2.0, "below_one": 3}
    return [
        CellRecord(
            Cell("causes", f"{one}-{way}-0", "m:f", {**settings, "activation": one, "way": way.replace("_", "-")}),
            CellStatus.DONE,
            {**numbers, "median": median},
            {},
            1.0,
        )
        for one in ("cosid", "selu")
        for way, median in medians.items()
    ]


@pytest.mark.parametrize(
    ("plain", "expanding", "wanted"),
    [(0.1, 0.4, Outcome.REPRODUCED), (0.1, 0.6, Outcome.PARTLY), (0.6, 0.1, Outcome.NOT)],
)
def test_radii_must_fall_from_either_start(plain: float, expanding: float, wanted: Outcome) -> None:
    others = {"adam": 1.0, "adam_expanding": 1.1, "adam_decay": 0.9, "adam_noise": 0.7}
    records = trained_by(**others, rmsprop=plain, rmsprop_expanding=expanding)
    summary = causes.EXPERIMENT.summarize(records)
    assert summary.outcome is wanted
    assert summary.here == pytest.approx(max(plain, expanding))
    assert len(causes.EXPERIMENT.draw(records)) == 1
    assert len(causes.EXPERIMENT.tabulate(records)[0].rows) == 12
    assert causes.EXPERIMENT.summarize(trained_by(**others)).outcome is Outcome.UNFINISHED
    assert causes.EXPERIMENT.summarize([]).outcome is Outcome.UNFINISHED


def test_cells_measure_what_they_train() -> None:
    ((_, _, found),) = planned(["minima"], scale="smoke")
    tiny = {"n": 2, "side": 2, "width": 3, "depth": 1, "epochs": [10, 20], "apart": 2, "source": "natural"}
    for cell in found[:1] + found[-2:]:
        rows = minima.run({**cell.settings, **tiny}, Work(lambda *_: None)).numbers["rows"]
        assert [row[0] for row in rows] == [10, 20]
        assert all(np.isfinite(row).all() for row in rows)
    ((_, _, found),) = planned(["causes"], scale="smoke")
    assert len({cell.name for cell in found}) == len(found) == 12
    way = {cell.settings["way"]: cell.settings for cell in found}
    assert way["adam-expanding"]["init"] != way["adam"]["init"]
    numbers = causes.run({**way["adam-noise"], **tiny, "epochs": 16}, Work(lambda *_: None)).numbers
    assert numbers["median"] > 0
    assert numbers["loss"] != causes.run({**way["adam"], **tiny, "epochs": 16}, Work(lambda *_: None)).numbers["loss"]
