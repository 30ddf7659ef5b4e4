"""Training against PyTorch and NumPy, its stopping and its checkpoints, and the polish of the last layer."""

import errno
import itertools
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from helpers.training import (
    ADAM,
    FAST_ADAM,
    FAST_GD,
    GD,
    INPUTS,
    RNG,
    TARGETS,
    Affine,
    affine,
    arrays,
    loss,
    network,
    same_bits,
)

import attrax as ax
from attrax.training import (  # its clock is replaced
    OPTIMIZERS,
    _fit,
    cosine_decay,
    fit,
    kfac,
    mean_squared_error,
    optimizer,
    polish,
)
from attrax.training._checkpoint import read_checkpoint, write_checkpoint  # a checkpoint without training


def affine_step(matrix: np.ndarray, shift: np.ndarray, rows: list[int], rate: float) -> tuple[np.ndarray, np.ndarray]:
    """One step of gradient descent on the mean squared error over these rows of the inputs."""
    x, y = INPUTS[rows], TARGETS[rows]
    error = 2 * (x @ matrix.T + shift - y) / y.size
    return matrix - rate * error.T @ x, shift - rate * error.sum(axis=0)


# --- optimizers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "torch_name", "torch_options"),
    [
        ("gd", {"learning_rate": 0.3, "weight_decay": 0.02}, "SGD", {"lr": 0.3, "weight_decay": 0.02}),
        ("momentum", {"momentum": 0.5}, "SGD", {"lr": 0.1, "momentum": 0.5}),
        ("momentum_decay", {"weight_decay": 0.1}, "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
        ("rmsprop", {"learning_rate": 0.01, "momentum": 0.8}, "RMSprop", {"lr": 0.01, "momentum": 0.8}),
        ("adam", {"learning_rate": 0.01, "weight_decay": 0.05}, "Adam", {"lr": 0.01, "weight_decay": 0.05}),
    ],
)
def test_fifty_steps_agree_with_pytorch(name: str, options: dict, torch_name: str, torch_options: dict) -> None:
    torch = pytest.importorskip("torch", reason="the comparison is with PyTorch's optimizers")
    start = network(np.float64, activation="relu")
    weights = [torch.tensor(np.array(weight), requires_grad=True) for weight in start.weights]
    biases = [torch.tensor(np.array(bias), requires_grad=True) for bias in start.biases]
    theirs = getattr(torch.optim, torch_name)([*weights, *biases], **torch_options)
    inputs, targets = torch.tensor(INPUTS), torch.tensor(TARGETS)
    for _ in range(50):
        x = inputs
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = torch.relu(x @ weight.T + bias)
        loss = torch.nn.functional.mse_loss(x @ weights[-1].T + biases[-1], targets)
        theirs.zero_grad()
        loss.backward()
        theirs.step()
    ours = fit(start, INPUTS, TARGETS, optimizer=optimizer(name, **options), epochs=50, tol=None, key=jr.key(0))
    assert ours.epochs == 50
    for before, found, tensor in zip(
        arrays(start), [*ours.map.weights, *ours.map.biases], [*weights, *biases], strict=True
    ):
        expected = tensor.detach().numpy()
        moved = np.linalg.norm(expected - before)
        assert moved > 0
        # Small steps would hide a difference behind the weights themselves.
        assert np.linalg.norm(found - expected) <= 1e-5 * min(np.linalg.norm(expected), moved)


def test_the_table_of_optimizers_is_the_papers() -> None:
    assert dict(OPTIMIZERS) == {"gd": 0.1, "momentum": 0.1, "momentum_decay": 0.1, "rmsprop": 1e-4, "adam": 1e-4}
    # By default each is the rule with the paper's numbers, down to being the same object.
    for name, rate in OPTIMIZERS.items():
        momentum, decay = 0.9 if "momentum" in name else 0.0, 1e-5 if name == "momentum_decay" else 0.0
        assert optimizer(name) is optimizer(name, learning_rate=rate, momentum=momentum, weight_decay=decay)


def test_a_schedule_is_a_learning_rate() -> None:
    rates = [0.5, 0.05, 0.2]
    start = affine()
    falling = optimizer("gd", learning_rate=lambda step: jnp.asarray(rates)[step])
    found = fit(start, INPUTS, TARGETS, optimizer=falling, epochs=3, key=jr.key(0))
    matrix, shift = start.matrix, start.shift
    for rate in rates:
        matrix, shift = affine_step(matrix, shift, list(range(5)), rate)
    assert np.allclose(found.map.matrix, matrix, rtol=1e-6)
    assert np.allclose(found.map.shift, shift, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lbfgs", {}, "optimizer must be one of gd, momentum"),
        (3, {}, "optimizer must be one of"),
        ("gd", {"learning_rate": 0.0}, "learning_rate"),
        ("gd", {"learning_rate": -0.1}, "learning_rate"),
        ("gd", {"learning_rate": float("nan")}, "learning_rate"),
        ("adam", {"learning_rate": float("inf")}, "learning_rate"),
        ("adam", {"learning_rate": "fast"}, "learning_rate"),
        ("adam", {"momentum": 0.5}, "momentum does not apply to adam"),
        ("momentum", {"momentum": 1.0}, "momentum must be below 1"),
        ("rmsprop", {"momentum": -0.1}, "momentum"),
        ("momentum_decay", {"weight_decay": -1e-5}, "weight_decay"),
    ],
)
def test_wrong_optimizers_are_refused(name: Any, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        optimizer(name, **options)


# --- the loop ------------------------------------------------------------------------------------


def test_it_stops_at_the_first_step_within_the_tolerance() -> None:
    # On one entry the loss is 2.25·(1 − 2·rate)^(2t) = 2.25·0.36^t, at most 1e-3 from t = 8 on, which is
    # seen at the ninth step.
    start = Affine(np.zeros((1, 1)), np.zeros(1))
    target = np.array([[1.5]])
    found = fit(start, np.zeros((1, 1)), target, optimizer=optimizer("gd", learning_rate=0.2), tol=1e-3, key=jr.key(0))
    assert found.status == ax.TrainingStatus.REACHED
    assert found.epochs == 9
    assert found.loss == pytest.approx(2.25 * 0.36**9, rel=1e-12)
    assert found.seconds > 0
    again = fit(found.map, np.zeros((1, 1)), target, optimizer=GD, tol=1e-3, key=jr.key(0))
    assert again.epochs == 0
    assert same_bits(again.map, found.map)


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"noise": 0.01}, {"batch": 2, "noise": 0.01}])
def test_all_epochs_are_run_and_no_more(options: dict) -> None:
    run = partial(fit, network(np.float64), INPUTS, TARGETS, optimizer=ADAM, epochs=37, key=jr.key(0), **options)
    missed = run(tol=1e-12)
    assert missed.status == ax.TrainingStatus.EPOCHS_OVER
    assert missed.epochs == 37
    unasked = run(tol=None)
    assert unasked.status == ax.TrainingStatus.REACHED
    assert unasked.epochs == 37
    assert same_bits(unasked.map, missed.map)
    assert unasked.loss == missed.loss


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"noise": 0.1}])
def test_no_epochs_leave_the_map_and_report_its_loss(options: dict) -> None:
    start = network(np.float64)
    run = partial(fit, start, INPUTS, TARGETS, optimizer=GD, epochs=0, key=jr.key(0), **options)
    found = run(tol=1e-8)
    assert found.epochs == 0
    assert same_bits(found.map, start)
    assert found.loss == pytest.approx(mean_squared_error(start, INPUTS, TARGETS), rel=1e-12)
    assert found.status == ax.TrainingStatus.EPOCHS_OVER
    assert run(tol=None).status == ax.TrainingStatus.REACHED


@pytest.mark.parametrize("batch", [2, 3])
def test_every_example_counts_once_an_epoch_and_the_last_batch_by_its_own_size(batch: int) -> None:
    start = affine()
    run = partial(fit, start, INPUTS, TARGETS, optimizer=FAST_GD, batch=batch, tol=None)
    matrix, shift = start.matrix, start.shift
    orders = []
    for epochs in (1, 2, 3, 4):
        found = run(epochs=epochs, key=jr.key(7))
        matches = {}
        for order in itertools.permutations(range(5)):
            parts = tuple(tuple(sorted(order[i : i + batch])) for i in range(0, 5, batch))
            if parts in matches:
                continue
            m, s = matrix, shift
            for part in parts:
                m, s = affine_step(m, s, list(part), 0.3)
            matches[parts] = (np.abs(m - found.map.matrix).max() + np.abs(s - found.map.shift).max(), m, s)
        parts, (error, *after) = min(matches.items(), key=lambda item: item[1][0])
        assert error < 1e-12
        assert sorted(error for error, *_ in matches.values())[1] > 1e-6
        matrix, shift = after
        orders.append(parts)
    assert len(set(orders)) > 1, "the order is the same in every epoch"


@pytest.mark.parametrize("batch", [None, 5])
def test_the_full_batch_is_plain_gradient_descent(batch: int | None) -> None:
    start = affine()
    found = fit(start, INPUTS, TARGETS, optimizer=FAST_GD, epochs=30, tol=None, batch=batch, key=jr.key(0))
    matrix, shift = start.matrix, start.shift
    for _ in range(30):
        matrix, shift = affine_step(matrix, shift, list(range(5)), 0.3)
    assert np.allclose(found.map.matrix, matrix, rtol=1e-12, atol=1e-14)
    assert np.allclose(found.map.shift, shift, rtol=1e-12, atol=1e-14)
    assert found.loss == pytest.approx(np.mean((INPUTS @ matrix.T + shift - TARGETS) ** 2), rel=1e-12)


@pytest.mark.parametrize("noise", [0.5, np.array([0.0, 0.3, 1.0])])
def test_noise_has_its_standard_deviation_in_each_entry(noise: Any) -> None:
    start, many = affine(), 40_000
    inputs = np.repeat(INPUTS[:1], many, axis=0)
    targets = np.repeat(TARGETS[:1], many, axis=0)
    run = partial(fit, start, inputs, targets, optimizer=GD, epochs=1, tol=None)
    change = (run(key=jr.key(0)).map.matrix - run(noise=noise, key=jr.key(0)).map.matrix) / OPTIMIZERS["gd"]
    # Noise of variance σ² adds 2σ²M/d to the expected gradient of M.
    expected = 2 / 3 * start.matrix * np.broadcast_to(noise, 3) ** 2
    assert np.allclose(change, expected, atol=0.02)


def test_noise_is_drawn_anew_every_step_and_for_every_row() -> None:
    start = affine()
    inputs = np.zeros((2, 3))
    run = partial(fit, start, inputs, inputs, optimizer=optimizer("gd", learning_rate=1e-9), noise=1.0, tol=None)
    states = [start.matrix, *(run(epochs=epochs, key=jr.key(0)).map.matrix for epochs in (1, 2, 3))]
    steps = np.diff(states, axis=0) / 1e-9
    # The map hardly moves, so the same draw would make the same step.
    assert np.abs(steps[0] - steps[1]).max() > 0.1
    assert np.abs(steps[1] - steps[2]).max() > 0.1
    assert np.linalg.matrix_rank(steps[0], tol=1e-3) == 2


@pytest.mark.parametrize(("batch", "rule"), [(None, GD), (2, ADAM)], ids=["full", "batches"])
def test_a_noisy_run_reports_the_clean_loss(batch: int | None, rule: Any) -> None:
    run = partial(fit, network(np.float64), INPUTS, TARGETS, optimizer=rule, epochs=20, tol=None)
    clean, noisy = run(batch=batch, key=jr.key(0)), run(batch=batch, noise=0.3, key=jr.key(0))
    assert not same_bits(clean.map, noisy.map)
    assert noisy.loss == pytest.approx(mean_squared_error(noisy.map, INPUTS, TARGETS), rel=1e-12)
    assert clean.loss == pytest.approx(mean_squared_error(clean.map, INPUTS, TARGETS), rel=1e-12)


def test_a_noisy_run_stops_by_the_clean_loss() -> None:
    found = fit(network(np.float64), INPUTS, TARGETS, optimizer=GD, noise=0.01, tol=0.05, epochs=5000, key=jr.key(0))
    assert found.status == ax.TrainingStatus.REACHED
    assert 0 < found.epochs < 5000
    assert found.loss <= 0.05
    before = fit(
        network(np.float64),
        INPUTS,
        TARGETS,
        optimizer=GD,
        noise=0.01,
        tol=0.05,
        epochs=found.epochs - 1,
        key=jr.key(0),
    )
    assert before.loss > 0.05


@pytest.mark.parametrize("options", [{"noise": 0.1}, {"batch": 2}, {"batch": 2, "noise": 0.1}])
def test_the_key_decides_every_bit(options: dict) -> None:
    run = partial(fit, network(np.float64), INPUTS, TARGETS, optimizer=ADAM, epochs=40, tol=None, **options)
    one, same, other = run(key=jr.key(3)), run(key=jr.key(3)), run(key=jr.key(4))
    assert same_bits(one.map, same.map)
    assert one.loss == same.loss
    assert not same_bits(one.map, other.map)


@pytest.mark.parametrize("blocks", ["short", "long"])
def test_where_the_host_looks_in_makes_no_difference(blocks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"optimizer": ADAM, "batch": 2, "noise": 0.1, "epochs": 60}
    run = partial(fit, network(np.float64), INPUTS, TARGETS, **options, key=jr.key(0))
    plain = run(tol=None)
    monkeypatch.setattr(_fit, "_PROGRESS_SECONDS", 1e-9 if blocks == "short" else 1e9)
    calls = []
    found = run(tol=None, progress=lambda *call: calls.append(call))
    assert same_bits(plain.map, found.map)
    assert len(calls) == 60 if blocks == "short" else len(calls) < 10


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"noise": 0.1}])
@pytest.mark.parametrize("tol", [1e-8, None])
def test_a_diverging_run_says_so(options: dict, tol: float | None) -> None:
    # So large inputs make any rate too high.
    run = partial(fit, affine(), 1e3 * INPUTS, TARGETS, optimizer=FAST_GD, epochs=2000, tol=tol, key=jr.key(0))
    found = run(**options)
    assert found.status == ax.TrainingStatus.DIVERGED
    assert not np.isfinite(found.loss)
    assert 0 < found.epochs <= 2000


def test_a_loss_that_is_no_number_ends_the_run_at_once() -> None:
    start = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), network())
    found = fit(start, INPUTS, TARGETS, optimizer=GD, epochs=1_000_000, key=jr.key(0))
    assert found.status == ax.TrainingStatus.DIVERGED
    assert found.epochs <= 1


def test_the_callers_map_and_arrays_stay_as_they_were() -> None:
    start = network(np.float64)
    host = jax.tree.map(np.array, start)
    for given in (start, host):
        kept, inputs, targets = [leaf.copy() for leaf in arrays(given)], INPUTS.copy(), TARGETS.copy()
        found = fit(given, inputs, targets, optimizer=ADAM, epochs=20, noise=0.1, key=jr.key(0))
        assert all(np.array_equal(a, b) for a, b in zip(arrays(given), kept, strict=True))
        assert not any(np.shares_memory(a, b) for a, b in zip(arrays(given), arrays(found.map), strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(arrays(found.map), kept, strict=True))
        assert np.array_equal(inputs, INPUTS)
        assert np.array_equal(targets, TARGETS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_is_that_of_the_weights(dtype: Any) -> None:
    found = fit(network(dtype), INPUTS, TARGETS, optimizer=GD, epochs=5, tol=None, key=jr.key(0))
    assert {leaf.dtype for leaf in arrays(found.map)} == {np.dtype(dtype)}
    exact = mean_squared_error(found.map, INPUTS, TARGETS)
    assert abs(found.loss - exact) <= 8 * np.finfo(dtype).eps * exact
    assert not jax.config.read("jax_enable_x64")


def test_float64_goes_where_float32_cannot() -> None:
    run = partial(fit, inputs=INPUTS, targets=TARGETS, epochs=3000, tol=1e-20, key=jr.key(0))
    found = run(network(np.float64, width=64), optimizer=optimizer("momentum", learning_rate=0.3))
    assert found.status == ax.TrainingStatus.REACHED
    assert found.loss <= 1e-20


def test_any_module_is_trained() -> None:
    class Gated(eqx.Module):
        inner: Any
        gate: Any
        order: Any
        name: str = eqx.field(static=True)

        def __call__(self, x: Any) -> Any:
            return self.inner(jax.nn.sigmoid(self.gate) * x)[self.order] + x

    inner = eqx.nn.MLP(3, 3, 8, 1, key=jr.key(0))
    start = Gated(inner, jnp.zeros(3), jnp.array([2, 0, 1]), "gated")
    found = fit(start, INPUTS, TARGETS, optimizer=FAST_ADAM, epochs=500, key=jr.key(0))
    assert isinstance(found.map, Gated)
    assert found.map.name == "gated"
    assert np.array_equal(found.map.order, start.order)
    assert not np.array_equal(found.map.gate, start.gate)
    assert found.loss == pytest.approx(loss(found.map), rel=1e-4)
    assert found.loss < loss(start) / 3


def test_a_plain_number_is_no_weight() -> None:
    class Scaled(eqx.Module):
        matrix: Any
        scale: float

        def __call__(self, x: Any) -> Any:
            return self.scale * (self.matrix @ x)

    found = fit(Scaled(np.eye(3, dtype=np.float32), 0.5), INPUTS, TARGETS, optimizer=GD, epochs=3, key=jr.key(0))
    assert found.map.scale == 0.5
    assert found.map.matrix.dtype == np.float32


def test_a_map_to_another_shape_is_refused() -> None:
    # Its outputs of shape (1,) could be subtracted from targets of shape (3,), which is not what was asked.
    narrow = Affine(np.ones((1, 3)), np.zeros(1))
    with pytest.raises(ValueError, match=r"map .*shape"):
        fit(narrow, INPUTS, TARGETS, optimizer=GD, epochs=1, key=jr.key(0))


def test_states_of_any_shape() -> None:
    pictures = RNG.random((4, 3, 2, 3))
    start = network(shape=(3, 2, 3), width=32, depth=1)
    found = fit(start, pictures, pictures[::-1], optimizer=FAST_ADAM, tol=1e-4, key=jr.key(0))
    assert found.status == ax.TrainingStatus.REACHED
    assert np.abs(found.map.on_host().rows(pictures) - pictures[::-1]).max() < 0.1


@pytest.mark.parametrize("options", [{}, {"batch": 2, "noise": 0.1}])
def test_progress_is_reported(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fit, "_PROGRESS_SECONDS", 1e-9)
    calls = []
    run = partial(fit, network(np.float64), INPUTS, TARGETS, optimizer=ADAM, epochs=25, key=jr.key(0))
    found = run(progress=lambda *call: calls.append(call), **options)
    tasks, done, totals, numbers = zip(*calls, strict=True)
    assert set(tasks) == {"training"}
    assert list(done) == sorted(set(done))
    assert done[-1] == 25
    assert set(totals) == {25}
    losses = [entry["loss"] for entry in numbers]
    assert losses[-1] == found.loss
    assert losses[-1] < losses[0]
    seconds = [entry["seconds"] for entry in numbers]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": -1}, "epochs must be an integer of at least 0"),
        ({"epochs": 2.5}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"batch": 0}, "batch must be an integer of at least 1 and at most 5; got 0"),
        ({"batch": 6}, "batch must be an integer of at least 1 and at most 5; got 6"),
        ({"batch": 2.0}, "batch"),
        ({"tol": -1e-9}, "tol"),
        ({"tol": float("nan")}, "tol"),
        ({"tol": "small"}, "tol"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("inf")}, "noise"),
        ({"noise": np.array([0.1, 0.2])}, "noise"),
        ({"noise": np.array([0.1, 0.2, -0.3])}, "noise"),
        ({"noise": np.array([0.1, 0.2, np.nan])}, "noise"),
        ({"targets": TARGETS[:4]}, r"inputs and targets .*\(5, 3\) and \(4, 3\)"),
        ({"targets": TARGETS[:, :2]}, "map must give the shape of a target"),
        ({"inputs": INPUTS[0], "targets": TARGETS[0]}, "inputs and targets"),
        ({"inputs": INPUTS[:0], "targets": TARGETS[:0]}, "inputs and targets"),
        ({"map": lambda x: x}, "map must have trainable arrays"),
        ({"map": Affine(np.eye(3, dtype=np.float32), np.zeros(3))}, "float32, float64"),
        ({"map": Affine(np.eye(3, dtype=int), np.zeros(3, int))}, "map must have trainable arrays"),
    ],
)
def test_wrong_arguments_are_refused(options: dict, words: str) -> None:
    given = {"map": network(), "inputs": INPUTS, "targets": TARGETS, "optimizer": GD, "epochs": 1}
    with pytest.raises(ValueError, match=words):
        fit(**(given | options), key=jr.key(0))


# --- checkpoints ---------------------------------------------------------------------------------

TOTAL = 1000
TRAIN = """
import sys
import jax.random as jr, numpy as np, attrax as ax
from attrax.training import _fit

draw = np.random.default_rng(1)
inputs, targets = draw.random((7, 3)), draw.random((7, 3))
weights = tuple(draw.normal(size=size).astype("float32") / 4 for size in ((32, 3), (32, 32), (3, 32)))
network = ax.maps.MLP(weights, tuple(np.zeros(len(weight), "float32") for weight in weights), (3,), "tanh")
options = dict(noise=0.1, batch=3)
optimizer = ax.training.optimizer("adam", learning_rate=1e-3)

def run(checkpoint=None, resume=False, progress=None):
    return _fit.fit(network, inputs, targets, optimizer=optimizer, epochs={total}, tol=None, checkpoint=checkpoint,
                    resume=resume, progress=progress, key=jr.key(5), **options)
"""
SLOWLY = """
# One epoch a block and a checkpoint after each: hardly a moment without a file being written.
_fit._PROGRESS_SECONDS, _fit._CHECKPOINT_SECONDS, _fit._WRITING_TIMES = 1e-9, 0.0, 0.0
run(sys.argv[1], progress=lambda task, done, total, numbers: print(done, flush=True))
"""


def test_a_killed_run_continues_to_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    code = TRAIN.format(total=TOTAL)
    child = subprocess.Popen([sys.executable, "-c", code + SLOWLY, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 50:
                break
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == -9
    names: dict[str, Any] = {}
    exec(code, names)  # the very lines that the child ran
    run = names["run"]
    whole = run()
    calls = []
    resumed = run(path, resume=True, progress=lambda *call: calls.append(call[1]))
    assert 40 < calls[0] < TOTAL
    assert resumed.epochs == whole.epochs == TOTAL
    assert same_bits(resumed.map, whole.map)
    assert resumed.loss == whole.loss
    # Another resumption finds nothing left to do; without `resume` the run begins anew and ends the same.
    assert same_bits(run(path, resume=True).map, whole.map)
    assert same_bits(run(path).map, whole.map)


def checkpointed(path: Path, **options: Any) -> Any:
    settings: dict[str, Any] = {"optimizer": ADAM, "epochs": 10, "tol": None, "key": jr.key(0)}
    return fit(
        options.pop("map", None) or network(np.float64),
        options.pop("inputs", INPUTS),
        options.pop("targets", TARGETS),
        checkpoint=path,
        **(settings | options),
    )


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"noise": 0.2}])
def test_a_run_in_parts_is_the_run_in_one(options: dict, tmp_path: Path) -> None:
    whole = checkpointed(tmp_path / "whole", epochs=30, **options)
    for epochs in (0, 1, 13, 30):
        part = checkpointed(tmp_path / "parts", epochs=epochs, resume=True, **options)
        assert part.epochs == epochs
    assert same_bits(part.map, whole.map)
    assert part.loss == whole.loss


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    path = tmp_path / "run"
    first = checkpointed(path, tol=0.5, epochs=1000)
    assert first.status == ax.TrainingStatus.REACHED
    again = checkpointed(path, tol=0.5, epochs=2000, resume=True)
    assert again.epochs == first.epochs
    assert same_bits(again.map, first.map)


def test_to_resume_without_a_file_is_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "run"
    assert same_bits(checkpointed(path, resume=True).map, checkpointed(tmp_path / "other").map)
    assert path.exists()
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


OTHERS = {
    "inputs": {"inputs": INPUTS + 1e-6},
    "targets": {"targets": TARGETS * 2},
    "fewer examples": {"inputs": INPUTS[:4], "targets": TARGETS[:4]},
    "order of the examples": {"inputs": INPUTS[::-1], "targets": TARGETS[::-1]},
    "batch": {"batch": 2},
    "noise": {"noise": 0.1},
    "tolerance": {"tol": 1e-8},
    "key": {"key": jr.key(1)},
    "fingerprint": {"fingerprint": "something else"},
    "weights": {"map": network(np.float64, seed=9)},
    "width": {"map": network(np.float64, width=9)},
    "depth": {"map": network(np.float64, depth=3)},
    "biases": {"map": network(np.float64, bias=False)},
    "dtype": {"map": network(np.float32)},
    "activation": {"map": network(np.float64, activation="relu")},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_the_checkpoint_of_another_run_is_refused(other: dict, tmp_path: Path) -> None:
    path = tmp_path / "run"
    checkpointed(path)
    kept = path.read_bytes()
    with pytest.raises(ValueError, match="other data or settings") as refusal:
        checkpointed(path, resume=True, **other)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == kept


def test_another_optimizers_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    checkpointed(path, optimizer=GD)
    with pytest.raises(ValueError, match="leaf") as refusal:
        checkpointed(path, resume=True, optimizer=ADAM)
    assert str(path) in str(refusal.value)


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "half":
        path.write_bytes(content[: len(content) // 2])
    elif how == "one byte short":
        path.write_bytes(content[:-1])
    elif how == "start":
        path.write_bytes(content[:5])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("not a checkpoint\n" * 50)
    elif how == "numpy":
        with path.open("wb") as file:
            np.save(file, INPUTS)
    elif how == "other safetensors":
        path.write_bytes(safetensors.numpy.save({"leaf 0": INPUTS}))
    else:
        ax.save(path, ax.Memory(network(), ax.Patterns.from_examples(INPUTS)))


@pytest.mark.parametrize(
    "how",
    ["folder", "half", "one byte short", "start", "empty", "text", "numpy", "other safetensors", "a memory"],
)
def test_what_is_no_checkpoint_is_refused(how: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    checkpointed(path)
    damage(path, how)
    kept = None if how == "folder" else path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint") as refusal:
        checkpointed(path, resume=True)
    assert str(path) in str(refusal.value)
    assert kept is None or path.read_bytes() == kept


def test_a_checkpoint_with_a_wrong_or_missing_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    state = {"weight": np.ones((2, 3), np.float32), "step": np.asarray(4)}
    write_checkpoint(path, state, {"loss": 0.5}, "print")
    found, numbers = read_checkpoint(path, jax.tree.map(np.zeros_like, state), "print")
    assert np.array_equal(found["weight"], state["weight"])
    assert found["step"] == 4
    assert numbers == {"loss": 0.5}
    for like in (
        state | {"weight": np.ones((3, 2), np.float32)},
        state | {"weight": np.ones((2, 3))},
        state | {"further": np.ones(1)},
    ):
        with pytest.raises(ValueError, match="leaf") as refusal:
            read_checkpoint(path, like, "print")
        assert str(path) in str(refusal.value)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_write_leaves_the_old_checkpoint_whole(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    checkpointed(path, epochs=10)
    kept = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, full)
        with pytest.raises(ValueError, match="No space left") as refusal:
            checkpointed(path, epochs=20, resume=True)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [path]
    whole = checkpointed(tmp_path / "other", epochs=20)
    assert same_bits(checkpointed(path, epochs=20, resume=True).map, whole.map)


def test_a_place_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "run"
    calls = []
    with pytest.raises(ValueError, match="can't be written") as refusal:
        checkpointed(path, progress=lambda *call: calls.append(call))
    assert str(path) in str(refusal.value)
    assert calls == []


# --- polish --------------------------------------------------------------------------------------


def last_layer(map: ax.maps.MLP) -> np.ndarray:
    weight, bias = np.asarray(map.weights[-1], float), map.biases[-1]
    return weight if bias is None else np.column_stack([weight, np.asarray(bias, float)])


def features(map: ax.maps.MLP, inputs: np.ndarray) -> np.ndarray:
    """Activations of the last hidden layer with tanh, and a column of ones if the last layer has a bias."""
    x = np.asarray(inputs, float).reshape(len(inputs), -1)
    for weight, bias in zip(map.weights[:-1], map.biases[:-1], strict=True):
        x = np.tanh(x @ np.asarray(weight, float).T + (0.0 if bias is None else np.asarray(bias, float)))
    return x if map.biases[-1] is None else np.column_stack([x, np.ones(len(x))])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("width", [5, 40])
def test_polish_interpolates_with_the_least_change(width: int, bias: bool) -> None:
    start = network(width=width, bias=bias)
    kept = [leaf.copy() for leaf in arrays(start)]
    found = polish(start, INPUTS, TARGETS)
    assert {leaf.dtype for leaf in arrays(found)} == {np.dtype(np.float64)}
    assert mean_squared_error(found, INPUTS, TARGETS) < 1e-20
    phi = features(start, INPUTS)
    change = last_layer(found) - last_layer(start)
    expected = (np.linalg.pinv(phi) @ (TARGETS - phi @ last_layer(start).T)).T
    assert np.allclose(change, expected, atol=1e-8 * max(1, np.abs(expected).max()))
    # The least change lies in the row space of the features.
    assert np.linalg.norm(change @ (np.eye(phi.shape[1]) - np.linalg.pinv(phi) @ phi)) < 1e-8 * np.linalg.norm(change)
    for before, after in zip(start.weights[:-1], found.weights[:-1], strict=True):
        assert np.array_equal(before, after)
    for before, after in zip(start.biases[:-1], found.biases[:-1], strict=True):
        assert (before is None and after is None) or np.array_equal(before, after)
    assert (found.shape, found.activation) == (start.shape, start.activation)
    assert (found.biases[-1] is not None) == bias
    assert all(np.array_equal(a, b) for a, b in zip(arrays(start), kept, strict=True))


@pytest.mark.parametrize("bias", [True, False])
def test_polish_fits_as_well_as_can_be_where_it_cannot_interpolate(bias: bool) -> None:
    narrow = network(width=2, depth=1, bias=bias)
    found = polish(narrow, INPUTS, TARGETS)
    phi = features(narrow, INPUTS)
    # What is left over is what lies outside the span of the features.
    rest = TARGETS - phi @ np.linalg.pinv(phi) @ TARGETS
    assert np.abs(rest).max() > 0.01
    assert mean_squared_error(found, INPUTS, TARGETS) == pytest.approx(np.mean(rest**2), rel=1e-9)
    assert mean_squared_error(narrow, INPUTS, TARGETS) > np.mean(rest**2)


def test_polish_of_equal_inputs_meets_their_mean_target() -> None:
    inputs = np.concatenate([INPUTS[:2], INPUTS[:1]])
    targets = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1.0, 1.0, 4.0]])
    start = network(width=30)
    found = polish(start, inputs, targets)
    outputs = features(found, inputs) @ last_layer(found).T
    assert np.allclose(outputs, [[0.5, 0.5, 2.0], [1.0, 2.0, 3.0], [0.5, 0.5, 2.0]], atol=1e-10)
    phi = features(start, inputs)
    expected = (np.linalg.pinv(phi, rcond=1e-12) @ (targets - phi @ last_layer(start).T)).T
    assert np.allclose(last_layer(found) - last_layer(start), expected, atol=1e-9)


def test_polish_of_an_exact_network_changes_nothing_much() -> None:
    once = polish(network(width=20), INPUTS, TARGETS)
    twice = polish(once, INPUTS, TARGETS)
    assert np.allclose(last_layer(once), last_layer(twice), atol=1e-12)


def test_polish_and_loss_of_pictures() -> None:
    pictures = RNG.random((4, 2, 2, 3))
    start = network(shape=(2, 2, 3), width=16, depth=1)
    outputs = (features(start, pictures) @ last_layer(start).T).reshape(pictures.shape)
    assert mean_squared_error(start, pictures, pictures[::-1]) == pytest.approx(
        np.mean((outputs - pictures[::-1]) ** 2)
    )
    assert mean_squared_error(polish(start, pictures, pictures[::-1]), pictures, pictures[::-1]) < 1e-20


def test_equal_settings_are_the_same_rule() -> None:
    for make in (partial(optimizer, "adam", learning_rate=0.1), partial(kfac, seed=3)):
        assert make() is make()
    assert optimizer("adam", learning_rate=cosine_decay(0.1, 10)) is optimizer(
        "adam", learning_rate=cosine_decay(0.1, 10)
    )
    assert optimizer("adam", learning_rate=0.1) is not optimizer("adam", learning_rate=0.2)
    # A schedule that can't be compared is taken as it is.
    rule = optimizer("gd", learning_rate=Falling(jnp.ones(2)))
    first = jax.jit(lambda one: rule.update(one, rule.init(one))[0])
    assert first(np.ones(1, np.float32)) == pytest.approx(-1)


class Falling(eqx.Module):
    """A schedule with an array in it."""

    rates: Any

    def __call__(self, step: Any) -> Any:
        return self.rates[step]


@pytest.mark.parametrize(
    "writer", [ax.Gradient(noise=0.1, epochs=3), ax.WinnerTakeAll(epochs=3)], ids=["gradient", "winner_take_all"]
)
def test_storing_the_same_again_compiles_nothing(writer: Any, caplog: pytest.LogCaptureFixture) -> None:
    recipe = partial(ax.maps.mlp, width=8, depth=1) if isinstance(writer, ax.Gradient) else None
    with jax.log_compiles():
        for again in (False, True):
            caplog.clear()
            ax.store(np.eye(3), recipe, writer=writer, key=jr.key(0))
            assert any("XLA compilation" in line for line in caplog.messages) is not again
