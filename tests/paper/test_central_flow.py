"""The central flow of RMSprop on losses whose path is known, and the experiment that compares the two."""

from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.paper import Outcome, planned
from attrax.paper._central_flow import (
    _HORIZON,
    _oscillation,
    central_flow,
    complementary,
    sharpness,
    stable_flow,
)  # one time
from attrax.paper.experiments.flow import EXPERIMENT, run
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, Work
from attrax.training import optimizer

RATE, STEPS = 0.05, 400


def valley(weights: Any) -> Any:
    """½(1 + y²)x²: flat along x = 0, and narrower far from y = 0; both weights see x and y alike."""
    x, y = (weights[0] + weights[1]) / np.sqrt(2), (weights[0] - weights[1]) / np.sqrt(2)
    return (1 + y**2) * x**2 / 2


def turned(x: float, y: float) -> np.ndarray:
    return np.array([x + y, x - y], np.float32) / np.float32(np.sqrt(2))


def place(weights: Any) -> float:
    """y."""
    return float((weights[0] - weights[1]) / np.sqrt(2))


# RMSprop jumps from side to side in x. It stays at the limit of stability, rate · (1 + y²) = 2 √ν, where both mean
# squares are ν; √ν over the rate is (1 + y²)/2. With ⟨x²⟩ = Σ, y then moves by −2 y Σ/(1 + y²) in a step, and ν by
# (½(1 + y²)² Σ − ν)/99. To leave ν at the limit takes Σ = rate²/2 + 198 · rate² · y dy/dt/(1 + y²), and y(t) follows.
SQUARES = np.full(2, RATE**2, np.float32)


def steps_to(y: np.ndarray) -> np.ndarray:
    """The times at which y is reached from y = 1."""
    return (-np.log(y) + (1 - y**2) / 2) / RATE**2 + 198 * np.log(2 / (1 + y**2))


GRID = np.linspace(1, 0.4, 10_001)
PATH = np.interp(np.arange(STEPS + 1), steps_to(GRID), GRID)


def test_the_central_flow_takes_the_path_that_is_known() -> None:
    points = list(islice(central_flow(valley, turned(0.0, 1.0), SQUARES, rate=RATE), STEPS + 1))
    np.testing.assert_allclose([place(point.weights) for point in points[100::100]], PATH[100::100], rtol=3e-3)
    last = points[-1]
    slope = (PATH[-1] - PATH[-2]) * PATH[-1] / (1 + PATH[-1] ** 2)
    assert last.swing == pytest.approx((1 + PATH[-1] ** 2) * RATE**2 * (1 / 4 + 99 * slope), rel=0.01)
    assert last.loss < 1e-3 * last.swing
    assert last.sharpness == pytest.approx(2, rel=1e-3)
    assert last.count == 1


def test_rmsprop_takes_it_too_and_the_stable_flow_does_not() -> None:
    rule = optimizer("rmsprop", learning_rate=RATE)
    weights = jnp.asarray(turned(RATE / np.sqrt(2), 1.0))
    state = jax.tree.map(lambda leaf: jnp.asarray(SQUARES), rule.init(weights))
    step = jax.jit(lambda weights, state: rule.update(jax.grad(valley)(weights), state, weights))
    found = [place(weights)]
    for _ in range(STEPS):
        update, state = step(weights, state)
        weights = weights + update
        found.append(place(weights))
    np.testing.assert_allclose(found[100::100], PATH[100::100], rtol=0.01)
    assert PATH[-1] < 0.65
    still = list(islice(stable_flow(valley, turned(0.01, 1.0), SQUARES, rate=RATE), STEPS + 1))
    assert still[-1].sharpness > 10
    assert place(still[-1].weights) == pytest.approx(1, abs=1e-3)


def test_the_stable_flow_ends_far_above_the_limit() -> None:
    (only,) = stable_flow(valley, turned(0.01, 1.0), SQUARES / 200**2, rate=RATE)
    assert only.sharpness == pytest.approx(400, rel=1e-3)


@pytest.mark.parametrize(("alpha", "wanted"), [(-3.0, 1.5), (0.0, 0.0), (1.0, 0.0)])
def test_one_direction_has_a_formula(alpha: float, wanted: float) -> None:
    found = complementary(np.array([[alpha]]), np.array([[2.0]]), np.array([[0.3]]))
    assert found[0, 0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("k", [2, 5, 12])
def test_shares_are_complementary(k: int) -> None:
    draw = np.random.default_rng(k)
    size = k * (k + 1) // 2
    beta = draw.normal(size=(size, size + 3))
    beta, basis = beta @ beta.T / size, np.linalg.qr(draw.normal(size=(k, k)))[0]
    alpha = (basis * np.linspace(-1, 2, k)) @ basis.T
    found = complementary(alpha, beta, np.zeros((k, k)))
    rows, columns = np.triu_indices(k)
    weights = np.where(rows == columns, 1, np.sqrt(2))
    image = np.zeros((k, k))
    image[rows, columns] = image[columns, rows] = beta @ (found[rows, columns] * weights) / weights
    slack, size_of = alpha + image, np.linalg.norm(alpha)
    assert np.linalg.eigvalsh(found)[0] >= -1e-9
    assert np.linalg.eigvalsh(slack)[0] >= -1e-4 * size_of
    assert np.linalg.norm(found @ slack) <= 1e-4 * size_of * np.linalg.norm(found)
    assert 0 < np.sum(np.linalg.eigvalsh(found) > 1e-6) < k
    np.testing.assert_allclose(complementary(alpha, beta, found), found, atol=1e-4)


def test_oscillations_in_several_directions_are_those_of_the_formulas() -> None:
    draw, rate, gain = np.random.default_rng(1), 0.1, 0.01 / 0.99
    squares = draw.uniform(0.05, 0.2, 7).astype(np.float32)
    divisor = (np.sqrt(squares) + 1e-8) / rate
    basis = np.linalg.qr(draw.normal(size=(7, 7)))[0] * np.sqrt(divisor)[:, None]
    second = (basis * [2, 2, 2, 1, 0.5, 0.2, -0.1]) @ basis.T
    third = draw.normal(size=(7, 7, 7))

    def loss(w: Any) -> Any:
        return w @ second @ w / 2 + jnp.einsum("abc,a,b,c", third, w, w, w) / 20

    weights = draw.normal(size=7).astype(np.float32) * np.float32(0.02)
    gradient, hessian = (np.asarray(of(loss)(weights)) for of in (jax.grad, jax.hessian))
    slopes = np.asarray(jax.jacobian(jax.hessian(loss))(weights))
    values, vectors = np.linalg.eigh(hessian / np.sqrt(np.outer(divisor, divisor)))
    values, rows = values[:-4:-1], vectors.T[:-4:-1] / np.sqrt(divisor)
    found = _oscillation(loss, (weights, squares, gradient), rate, values, rows, np.zeros((3, 3)))
    spread = rows.T @ found.shares @ rows
    force, stir = np.einsum("abc,ab->c", slopes, spread) / 2, gain * np.diag(hessian @ spread @ hessian)
    np.testing.assert_allclose(found.force, force, rtol=1e-3, atol=1e-4 * np.abs(force).max())
    np.testing.assert_allclose(found.stir, stir, rtol=1e-3)
    assert found.swing == pytest.approx(np.sum(hessian * spread) / 2, rel=1e-4)
    moved = -(gradient + force) / divisor
    widened = (gain * (gradient**2 - squares) + stir) / (2 * rate * np.sqrt(squares))
    change = rows @ (2 * np.diag(widened) - slopes @ moved) @ rows.T
    slack = np.diag(2 - values) / _HORIZON + change
    assert np.abs(found.shares[0, 1]) > 0.1 * found.shares[0, 0] > 0
    assert np.linalg.eigvalsh(slack)[0] >= -0.02 * np.abs(slack).max()
    assert np.linalg.norm(found.shares @ slack) <= 0.02 * np.linalg.norm(found.shares) * np.linalg.norm(slack)


def test_the_sharpness_is_the_largest_eigenvalue_of_the_scaled_hessian() -> None:
    draw = np.random.default_rng(0)
    hessian = draw.normal(size=(60, 60)).astype(np.float32)
    hessian, squares = hessian + hessian.T, draw.uniform(0.5, 2, 60).astype(np.float32)
    found = sharpness(lambda w: w @ jnp.asarray(hessian) @ w / 2, np.zeros(60, np.float32), squares, rate=0.1)
    roots = squares**0.25
    assert found == pytest.approx(0.1 * np.linalg.eigvalsh(hessian / np.outer(roots, roots))[-1], rel=1e-3)
    assert np.isnan(sharpness(valley, np.full(2, np.nan), SQUARES, rate=RATE))


def test_a_flow_that_leaves_the_finite_numbers_ends_with_nan() -> None:
    for flow in (central_flow, stable_flow):
        points = list(islice(flow(valley, np.full(2, np.inf, np.float32), SQUARES, rate=RATE), 3))
        assert len(points) == 1
        assert np.isnan(points[0].loss)


def record(*, central: float = 1.0, stable: float = 2.0, late: float = 1.0) -> CellRecord:
    """Radii of RMSprop that halve, those of the flows times a factor; `late` is one of the central flow's last row."""
    steps = list(range(5, 85, 10))
    radii = np.geomspace(1.0, 0.5, len(steps))
    factors = np.where(np.arange(len(steps)) == len(steps) - 1, late, central)
    paths = {"RMSprop": radii, "central flow": radii * factors, "stable flow": radii * stable}
    ways = {name: [[float(radius), 1e-3, 1.0] for radius in path] for name, path in paths.items()}
    settings = {"n": 3, "side": 4, "width": 8, "depth": 2, "start": 200, "window": 10, "source": "natural"}
    numbers = {"rate": 1e-3, "steps": steps, "directions": [2] * len(steps), "ways": ways}
    return CellRecord(Cell("flow", "x", "m:f", settings), CellStatus.DONE, numbers, {}, 1.0)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"central": 1.2, "late": 0.85}, Outcome.REPRODUCED),
        ({"central": 1.3, "late": 1.2}, Outcome.PARTLY),
        ({"central": 1.2, "late": 0.75}, Outcome.NOT),
        ({"stable": 1.2}, Outcome.INCONCLUSIVE),
    ],
)
def test_every_checkpoint_counts_and_the_stable_flow_must_be_elsewhere(
    changed: dict[str, float], wanted: Outcome
) -> None:
    records = [record(**changed), record(**changed)]
    summary = EXPERIMENT.summarize(records)
    assert summary.outcome is wanted
    factors = [max(value, 1 / value) for value in {"central": 1.0, "late": 1.0, **changed}.values()]
    if "stable" not in changed:
        assert summary.here == pytest.approx(max(factors))
    (drawing,) = EXPERIMENT.draw(records)
    assert "2×8, 3 gray pictures" in drawing.caption
    (table,) = EXPERIMENT.tabulate(records)
    assert [row[1] for row in table.rows] == ["15", "35", "55", "75"] * 2


def test_one_network_that_is_not_predicted_decides() -> None:
    assert EXPERIMENT.summarize([record(), record(central=2.0, late=2.0)]).outcome is Outcome.PARTLY
    assert EXPERIMENT.summarize([]).outcome is Outcome.UNFINISHED
    assert not EXPERIMENT.draw([])
    assert not EXPERIMENT.tabulate([])


def test_a_cell_follows_all_three_from_the_same_start() -> None:
    ((_, mode, (cell,)),) = planned(["flow"], scale="smoke")
    assert mode == "paper"
    small = {"n": 2, "side": 2, "width": 3, "depth": 1, "start": 300, "steps": 16, "window": 4, "source": "natural"}
    found = run({**cell.settings, **small}, Work(lambda *_: None))
    assert found.trained
    assert found.numbers["steps"] == [2, 6, 10, 14]
    ways = {name: np.array(rows) for name, rows in found.numbers["ways"].items()}
    assert [rows.shape for rows in ways.values()] == [(4, 3)] * 3
    assert min(found.numbers["directions"]) > 0
    first, last = (np.array([rows[place] for rows in ways.values()]) for place in (0, -1))
    assert np.ptp(first[:, 0]) < 1e-3
    assert len({*last[:, 0]}) == 3
    assert last[2, 1] < 0.1 * last[1, 1]  # what oscillations add to the loss is most of it
    assert last[1, 1] == pytest.approx(last[0, 1], rel=0.6)
    assert last[2, 2] > 1.05 > last[1, 2]
