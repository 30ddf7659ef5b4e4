"""Networks trained together against the same ones trained alone."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from helpers.training import ADAM, FAST_ADAM, FAST_GD, GD, HUGE, INPUTS, TARGETS, affine, arrays, network, same_bits

import attrax as ax
from attrax.training import OPTIMIZERS, _fit_many, fit, fit_many, optimizer  # its blocks are made short

KEY = jax.random.key(0)


def far(one: Any, other: Any) -> float:
    """The largest difference of two maps' arrays."""
    return max(float(np.abs(a - b).max()) for a, b in zip(arrays(one), arrays(other), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_is_what_it_would_be_alone(name: str) -> None:
    rule = optimizer(name, learning_rate=0.01)
    maps = [network(np.float64, seed=seed) for seed in range(3)]
    run = {"optimizer": rule, "epochs": 60, "tol": None}
    found = fit_many(maps, INPUTS, TARGETS, **run)
    for number, start in enumerate(maps):
        alone = fit(start, INPUTS, TARGETS, key=KEY, **run)
        assert far(found.maps[number], alone.map) < 1e-12
        assert found.loss[number] == pytest.approx(alone.loss, rel=1e-12)
        assert far(start, alone.map) > 1e-3
    assert set(found.status) == {ax.TrainingStatus.REACHED}
    assert found.epochs.tolist() == [60, 60, 60]


def test_each_stops_by_itself_and_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of five, all but one are done one after another, so that the loop goes on with fewer twice.
    exact = affine(9)
    targets = INPUTS @ exact.matrix.T + exact.shift
    maps = [affine(seed) for seed in range(5)]
    run = {"optimizer": FAST_GD, "tol": 1e-3, "epochs": 10_000}
    alone = [fit(start, INPUTS, targets, key=KEY, **run) for start in maps]
    lengths = [one.epochs for one in alone]
    assert len(set(lengths)) == 5
    assert 0 < min(lengths) < max(lengths) < 10_000
    found = fit_many(maps, INPUTS, targets, **run)
    assert found.epochs.tolist() == lengths
    assert set(found.status) == {ax.TrainingStatus.REACHED}
    for one, trained, loss in zip(alone, found.maps, found.loss, strict=True):
        assert loss == pytest.approx(one.loss, rel=1e-12)
        assert far(one.map, trained) < 1e-12
    # Where the loop comes back to the host makes no difference to any bit.
    monkeypatch.setattr(_fit_many, "_BLOCK_SECONDS", 1e-9)
    again = fit_many(maps, INPUTS, targets, **run)
    assert all(same_bits(a, b) for a, b in zip(found.maps, again.maps, strict=True))


def test_a_finished_map_does_not_move() -> None:
    # The second starts where the target is met; the others go on for hundreds of epochs beside it.
    exact = affine()
    targets = INPUTS @ exact.matrix.T + exact.shift
    maps = [affine(1), exact, affine(2)]
    found = fit_many(maps, INPUTS, targets, optimizer=FAST_ADAM, tol=1e-20, epochs=300)
    assert found.epochs.tolist() == [300, 0, 300]
    assert same_bits(found.maps[1], exact)
    assert found.status[1] is ax.TrainingStatus.REACHED
    assert found.status[0] is found.status[2] is ax.TrainingStatus.EPOCHS_OVER
    for trained, loss in zip(found.maps, found.loss, strict=True):
        values = np.stack([np.asarray(trained.matrix @ x + trained.shift) for x in INPUTS])
        assert loss == pytest.approx(np.mean((values - targets) ** 2), rel=1e-9, abs=1e-25)


def test_one_that_diverges_leaves_the_others_alone() -> None:
    maps = [affine(0), network_like(affine(1), np.nan), affine(2)]
    found = fit_many(maps, INPUTS, TARGETS, optimizer=GD, tol=None, epochs=30)
    assert found.status == (
        ax.TrainingStatus.REACHED,
        ax.TrainingStatus.DIVERGED,
        ax.TrainingStatus.REACHED,
    )
    assert found.epochs.tolist() == [30, 1, 30]
    alone = fit(affine(2), INPUTS, TARGETS, optimizer=GD, tol=None, epochs=30, key=KEY)
    assert far(found.maps[2], alone.map) < 1e-12
    lost = fit_many([affine(0), affine(1)], INPUTS, TARGETS, optimizer=HUGE, epochs=2000)
    assert set(lost.status) == {ax.TrainingStatus.DIVERGED}


def network_like(map: Any, value: float) -> Any:
    return jax.tree.map(lambda leaf: np.full_like(leaf, value), map)


def test_time_that_runs_out_is_a_status() -> None:
    maps = [network(seed=seed) for seed in range(2)]
    calls: list[Any] = []
    found = fit_many(
        maps, INPUTS, TARGETS, optimizer=ADAM, tol=0.0, seconds=0.0, progress=lambda *call: calls.append(call)
    )
    assert set(found.status) == {ax.TrainingStatus.TIME_OVER}
    assert found.epochs.tolist() == [1, 1]
    assert [(task, done, total) for task, done, total, _ in calls] == [("training", 1, 1_000_000)]
    assert calls[0][3]["left"] == 2
    # The loss is that of the weights that come back, not that of the step before.
    exact = [ax.training.mean_squared_error(trained, INPUTS, TARGETS) for trained in found.maps]
    assert np.allclose(found.loss, exact, rtol=1e-5)


def test_data_of_its_own_for_each() -> None:
    draw = np.random.default_rng(3)
    inputs, targets = draw.random((2, 4, 3)), draw.random((2, 4, 3))
    maps = [affine(0), affine(1)]
    run = {"optimizer": FAST_GD, "tol": 1e-2, "epochs": 5000}
    found = fit_many(maps, inputs, targets, own_data=True, **run)
    for number, start in enumerate(maps):
        alone = fit(start, inputs[number], targets[number], key=KEY, **run)
        assert far(found.maps[number], alone.map) < 1e-12
        assert found.epochs[number] == alone.epochs
    assert found.epochs[0] != found.epochs[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_is_that_of_the_weights_and_nothing_given_is_changed(dtype: Any) -> None:
    maps = [network(dtype, seed=seed) for seed in range(2)]
    kept = [[leaf.copy() for leaf in arrays(start)] for start in maps]
    found = fit_many(maps, INPUTS, TARGETS, optimizer=ADAM, tol=None, epochs=3)
    assert {leaf.dtype for trained in found.maps for leaf in arrays(trained)} == {np.dtype(dtype)}
    for start, old in zip(maps, kept, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(arrays(start), old, strict=True))
    assert not jax.config.read("jax_enable_x64")


def test_no_epochs_leave_the_maps() -> None:
    start = network(np.float64)
    found = fit_many([start], INPUTS, TARGETS, optimizer=GD, epochs=0)
    assert same_bits(found.maps[0], start)
    assert found.loss[0] == pytest.approx(ax.training.mean_squared_error(start, INPUTS, TARGETS), rel=1e-12)
    assert found.status == (ax.TrainingStatus.EPOCHS_OVER,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": []}, "at least one map"),
        ({"maps": [network(), network(width=9)]}, "map 1 has another structure"),
        ({"maps": [network(), network(activation="relu")]}, "map 1 has another structure"),
        ({"maps": [network(), network(np.float64)]}, "map 1 has another structure"),
        ({"maps": [lambda x: x]}, "trainable arrays of one floating-point dtype"),
        ({"inputs": INPUTS[:2]}, "the same number of rows"),
        ({"inputs": INPUTS[None], "targets": TARGETS[None]}, "maps must take a state of shape"),
        ({"inputs": INPUTS[None], "targets": TARGETS[None], "own_data": True}, "one part for each of the 2 maps"),
        ({"targets": TARGETS[:, :2]}, "shape of a target"),
        ({"epochs": -1}, "epochs must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"seconds": -1.0}, "seconds must be"),
    ],
)
def test_wrong_input_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"maps": [network(), network(seed=1)], "inputs": INPUTS, "targets": TARGETS} | change
    maps, inputs, targets = given.pop("maps"), given.pop("inputs"), given.pop("targets")
    with pytest.raises(ValueError, match=message):
        partial(fit_many, optimizer=GD)(maps, inputs, targets, **given)
