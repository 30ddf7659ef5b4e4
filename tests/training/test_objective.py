"""What training sees: noise, corruptions, adversarial deviations, the Jacobian penalty."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.corruptions import CorruptionKind, as_corruption, parse_corruption
from attrax.training import Coordinates, Objective, fit, objective, optimizer

POINTS = np.random.default_rng(0).uniform(0.2, 1, (12, 6, 5)).astype(np.float32)
ROWS = np.arange(len(POINTS))


def disturbed(made: Objective, inputs: Any, rows: Any, key: Any) -> np.ndarray:
    """What one step sees."""
    step = eqx.filter_jit(lambda made, inputs, rows, key: made.disturb(made.start(inputs), inputs, rows, key)[0])
    return np.asarray(step(made, inputs, rows, key))


def seen(*names: str, key: int = 0, **options) -> np.ndarray:
    made = objective(
        corruptions=tuple(parse_corruption(name) for name in names),
        pictures=POINTS,
        dtype=np.dtype("float32"),
        **options,
    )
    return disturbed(made, POINTS, ROWS, jr.key(key))


def drawn(name: str, points: np.ndarray, *, keys: int, **options) -> np.ndarray:
    """What steps with the keys 0, 1, … see of the points, compiled at once."""
    made = objective(corruptions=(parse_corruption(name),), pictures=points, dtype=np.dtype("float32"), **options)

    @eqx.filter_jit
    def steps(made: Objective, inputs: Any, rows: Any, seeds: Any) -> jax.Array:
        return jax.vmap(lambda seed: made.disturb(made.start(inputs), inputs, rows, jr.key(seed))[0])(seeds)

    return np.asarray(steps(made, points, np.arange(len(points)), np.arange(keys)))


def test_examples_are_dealt_into_equal_groups() -> None:
    blackened = []
    for found in drawn("occlude:1", POINTS, keys=20, noise=0.1):
        dark = (found[:, -1] == 0).all(axis=1)
        noisy = (found != POINTS).all(axis=(1, 2)) & ~dark
        assert noisy.sum() == 6
        blackened.append(dark)
    # Levels are drawn from 0: some of the other six are hardly touched. Who is chosen changes from step to step.
    assert 1 < np.sum(blackened, axis=1).mean() <= 6
    assert np.any(blackened, axis=0).all()


def on_line(vector: np.ndarray, along: np.ndarray) -> bool:
    product = np.sum(vector * along)
    return product > (1 - 1e-4) * np.linalg.norm(vector) * np.linalg.norm(along)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("half:left,0.7", 0.0, 0.7), ("contrast:3", 1.0, 3.0), ("contrast:0.5", 0.5, 1.0), ("blend:0.4", 0.0, 0.4)],
)
def test_levels_are_drawn_up_to_the_given_one(name: str, least: float, most: float) -> None:
    levels = []
    for found in drawn(name, POINTS, keys=40):
        for row, x in zip(found, POINTS, strict=True):
            if name.startswith("half"):
                levels.append(row[0, 0])
            elif name.startswith("contrast"):
                levels.append(np.std(row) / np.std(x))
            else:
                mates = [mate - x for mate in POINTS if not np.array_equal(mate, x)]
                levels.append(
                    min(np.linalg.norm(row - x) / np.linalg.norm(mate) for mate in mates if on_line(row - x, mate))
                )
    assert least - 1e-4 <= min(levels)
    assert max(levels) <= most + 1e-4
    assert np.ptp(levels) > 0.9 * (most - least)


def test_shifts_go_in_all_directions_and_rotations_in_both() -> None:
    points = np.zeros((1, 9, 9), np.float32)
    points[0, 4, 4] = 1
    shifts = {tuple(np.argwhere(picture)[0] - 4) for picture in drawn("shift:2", points, keys=200)[:, 0]}
    assert shifts == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    line = np.zeros((1, 9, 9), np.float32)
    line[0, 4] = 1
    turned = drawn("rotate:20", line, keys=40)[:, 0]
    assert np.mean(turned[:, :4, 8].sum(axis=1) > 0.1) > 0.2
    assert np.mean(turned[:, 5:, 8].sum(axis=1) > 0.1) > 0.2


def test_corruptions_are_encoded_in_the_coordinates() -> None:
    frame = Coordinates.of(POINTS, 0.7)
    codes = frame.encode(POINTS).astype(np.float32)
    made = objective(
        corruptions=(parse_corruption("half:top,0.4"),), pictures=POINTS, coordinates=frame, dtype=np.dtype("float32")
    )
    found = disturbed(made, codes, ROWS, jr.key(3))
    plain = seen("half:top,0.4", key=3)
    np.testing.assert_allclose(found, frame.encode(plain), atol=1e-4)


def test_functions_of_ones_own_are_corruptions() -> None:
    def darker(key, x):
        return x * jr.uniform(key, (), x.dtype)

    writer = ax.Gradient(corruptions=(darker,), epochs=20)
    patterns = ax.Patterns.from_examples(POINTS[:3])
    written = writer.write(patterns, partial(ax.maps.mlp, width=16, depth=1), key=jr.key(0))
    assert written.details["corruptions"] == ["darker"]
    found = ax.corrupt(darker, POINTS, key=jr.key(0))
    ratios = (found / POINTS).reshape(len(POINTS), -1)
    np.testing.assert_allclose(ratios, ratios[:, :1].repeat(30, axis=1), rtol=1e-5)
    assert np.ptp(ratios[:, 0]) > 0.3


def test_deviations_find_the_leading_direction() -> None:
    """On a linear map the deviations are the power iteration."""
    draw = np.random.default_rng(5)
    basis, _ = np.linalg.qr(draw.normal(size=(8, 8)))
    matrix = (basis * np.array([0.9, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1])) @ basis.T
    points = draw.normal(size=(1, 8))
    shift = points[0] - matrix @ points[0] + 1e-3 * draw.normal(size=8)
    made = objective(adversarial_deviation=0.3, dtype=np.dtype("float32"))
    inputs = jax.device_put(points.astype(np.float32))
    carry = np.zeros(inputs.shape, np.float32)

    @jax.jit
    def step(carry: Any) -> Any:
        return made(lambda x: matrix @ x + shift, carry, inputs, inputs, jnp.ones(1), jnp.arange(1), jr.key(0))[1][0]

    for _ in range(60):
        carry = step(carry)
    found = np.asarray(carry)[0]
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.3, rel=1e-4)
    assert abs(found @ basis[:, 0]) / np.linalg.norm(found) > 0.99


def test_deviations_travel_round_a_cycle() -> None:
    made = objective(adversarial_deviation=0.1, successor=np.array([1, 2, 0]), dtype=np.dtype("float32"))
    inputs = jax.device_put(np.eye(3, dtype=np.float32))
    targets = np.eye(3, dtype=np.float32)[[1, 2, 0]]
    error = np.array([0.0, 0.0, 1.0], np.float32)
    rows = jnp.array([0])
    carry = np.zeros((3, 3), np.float32)

    @jax.jit
    def step(carry: Any) -> Any:
        return made(lambda x: targets[0] + error, carry, inputs[:1], targets[:1], jnp.ones(1), rows, jr.key(0))[1][0]

    carry = step(carry)
    assert not np.asarray(carry)[[0, 2]].any()
    np.testing.assert_allclose(np.asarray(carry)[1], np.sqrt(3) * 0.1 * error, rtol=1e-5)


def test_each_example_may_have_a_deviation_of_its_own_size() -> None:
    inputs, rows = jnp.zeros((3, 4), jnp.float32), jnp.arange(3)
    made = objective(adversarial_deviation=np.array([0.1, 0.0, 0.3]), dtype=np.dtype("float32"))
    _, (carry, _) = made(lambda x: x + 1, made.start(inputs), inputs, inputs, jnp.ones(3), rows, jr.key(0))
    np.testing.assert_allclose(np.sqrt((np.asarray(carry) ** 2).mean(axis=1)), [0.1, 0.0, 0.3], rtol=1e-5)


def test_deviations_do_not_reach_the_middle_between_two_examples() -> None:
    points = np.array([[0.0, 0.0], [0.0, 0.2], [3.0, 0.0]])
    data = ax.WinnerTakeAll().training_data(ax.Patterns.from_examples(points))
    made = data.objective(ax.Augmentation(adversarial_deviation=0.5), (), np.dtype("float32"))
    lengths = np.asarray(made.deviation) * np.sqrt(data.inputs.shape[1])
    apart = np.linalg.norm(data.inputs[0] - data.inputs[1])
    assert (lengths[:2] < apart / 2).all()
    assert (lengths[:2] > apart / 4).all()
    assert made.deviation[2] == pytest.approx(0.5 / data.divisor)


def test_the_penalty_is_the_squared_norm_of_the_jacobian() -> None:
    matrix = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    inputs, ones, rows = np.zeros((400, 4), np.float32), np.ones(400, np.float32), np.arange(400)
    made = objective(jacobian_penalty=2.0, dtype=np.dtype("float32"))
    loss, _ = eqx.filter_jit(made)(lambda x: matrix @ x, None, inputs, inputs, ones, rows, jr.key(0))
    # The loss averages over the four entries, and so does the penalty.
    assert float(loss) == pytest.approx(2 * np.sum(matrix**2) / 4, rel=0.1)


def test_a_penalty_lowers_the_jacobian() -> None:
    start = ax.maps.mlp((6, 5), width=40, depth=2, init="kaiming_uniform", key=jr.key(0))

    def norm(penalty: float) -> float:
        made = objective(jacobian_penalty=penalty, dtype=np.dtype("float32")) if penalty else None
        adam = optimizer("adam", learning_rate=1e-3)
        run = fit(start, POINTS, POINTS, optimizer=adam, epochs=400, tol=None, objective=made, key=jr.key(0))
        assert run.loss < 0.02
        return float(np.linalg.norm(run.map.on_host().push(POINTS[0].astype(float), None)))

    assert norm(0.01) < 0.9 * norm(0.0)


def test_wrong_arguments_are_refused() -> None:
    for name in ("noise", "adversarial_deviation", "jacobian_penalty"):
        with pytest.raises(ValueError, match=name):
            ax.Gradient(**{name: -1.0})
    with pytest.raises(ValueError, match="corruption"):
        ax.Gradient(corruptions=("dropp:0.5",))
    with pytest.raises(ValueError, match="pictures"):
        ax.store(np.eye(3), writer=ax.Gradient(corruptions=("occlude:0.5",)), key=jr.key(0))
    made = objective(noise=0.1, dtype=np.dtype("float32"))
    start = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    with pytest.raises(ValueError, match="noise must be omitted"):
        fit(start, np.eye(2), np.eye(2), optimizer=optimizer("gd"), noise=0.1, objective=made, key=jr.key(0))


def test_a_function_from_elsewhere_may_draw_what_only_jaxs_own_generator_can() -> None:
    def photons(key: Any, x: Any) -> Any:
        return jr.poisson(key, 30 * jnp.abs(x)) / 30

    kind = CorruptionKind("photons", lambda key, x, level, partner: photons(key, level * x))
    given = (as_corruption(photons), kind.at(0.5))
    made = objective(corruptions=given, pictures=POINTS, dtype=np.dtype("float32"))
    start = ax.maps.mlp(POINTS.shape[1:], width=8, depth=1, key=jr.key(0))
    rule = optimizer("adam", learning_rate=1e-3)
    found = fit(start, POINTS, POINTS, optimizer=rule, epochs=2, tol=None, objective=made, key=jr.key(0))
    assert np.isfinite(found.loss)
