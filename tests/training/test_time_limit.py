"""A time limit is a cap: it changes nothing in a run that ends before it, and is on record where it ended one."""

import itertools
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.training import _fit, cosine_decay, fit, optimizer  # its clock is replaced

POINTS = np.random.default_rng(0).uniform(size=(4, 6)).astype(np.float32)


def network() -> ax.maps.MLP:
    return ax.maps.mlp((6,), width=16, depth=1, key=jr.key(0))


def trained(**options: Any) -> Any:
    rule = optimizer("adam", learning_rate=cosine_decay(1e-2, 4000))
    return fit(network(), POINTS, POINTS, optimizer=rule, epochs=4000, tol=None, noise=0.1, key=jr.key(1), **options)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second with every look at it."""
    ticks = itertools.count()
    monkeypatch.setattr(_fit, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.map.weights, other.map.weights, strict=True))


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    plain, capped = trained(), trained(seconds=1e6, anneal=True)
    assert same(plain, capped)
    assert not any(run.time_limited for run in (plain, capped))


@pytest.mark.usefixtures("clock")
def test_the_clock_ends_a_run_and_the_result_says_so() -> None:
    short = trained(seconds=10.0)
    assert short.time_limited
    assert 0 < short.epochs < 4000


@pytest.mark.usefixtures("clock")
def test_the_loss_is_that_of_the_weights_where_the_time_ended() -> None:
    rule = optimizer("adam", learning_rate=1e-2)
    short = fit(network(), POINTS, POINTS, optimizer=rule, epochs=4000, tol=None, seconds=10.0, key=jr.key(1))
    assert short.time_limited
    outputs = np.asarray(jax.vmap(short.map)(POINTS))
    assert short.loss == pytest.approx(np.mean((outputs - POINTS) ** 2), rel=1e-5)


@pytest.mark.usefixtures("clock")
def test_the_last_quarter_of_the_time_lowers_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run = _fit.run

    def last_step(anneal: bool) -> float:
        """How far the weights moved an epoch in the last block, beside the largest such step of all blocks."""
        states: list[tuple[int, np.ndarray]] = []

        def watched(fixed: Any, state: Any) -> Any:
            state = run(fixed, state)
            states.append((int(state.epoch), np.array(state.parameters.weights[0])))
            return state

        monkeypatch.setattr(_fit, "run", watched)
        assert trained(seconds=400.0, anneal=anneal).time_limited
        # The last call makes no epoch, only the loss.
        steps = [np.linalg.norm(w - v) / (b - a) for (a, v), (b, w) in pairwise(states) if b > a]
        return float(steps[-1] / np.median(steps))

    assert last_step(True) < 0.2 < last_step(False)


@pytest.mark.usefixtures("clock")
def test_an_annealed_run_is_resumed_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "c"
    short = trained(seconds=400.0, anneal=True, checkpoint=file)
    assert short.time_limited
    monkeypatch.undo()
    assert same(trained(anneal=True, checkpoint=file, resume=True), trained())


@pytest.mark.parametrize("kind", [ax.Gradient, ax.WinnerTakeAll, ax.Auto])
def test_every_writer_has_it_on_record(kind: Any) -> None:
    settings = {"corruptions": ("gaussian:0.2",), "epochs": 40}
    recipe = partial(ax.maps.mlp, width=16, depth=1) if kind is ax.Gradient else None
    store = partial(ax.store, POINTS, recipe, key=jr.key(0))
    short = store(writer=kind(time_limit=1e-3, **settings))
    assert short.written["time_limited"]
    assert short.written["epochs"] < short.written["epochs_limit"] == 40
    long = store(writer=kind(time_limit=1e6, **settings))
    assert not long.written["time_limited"]
    free = store(writer=kind(**settings))
    for one, other in zip(long.map.weights, free.map.weights, strict=True):
        np.testing.assert_array_equal(one, other)
