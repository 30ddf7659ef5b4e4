"""Training at the largest stable rate: the search, what is kept on the way, the anneal, and what is on record."""

import json
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.paper.experiments.local import FeedbackMLP
from attrax.training import EdgeFit, _edge, fit, fit_at_edge, optimizer  # its search is left out
from attrax.training._edge_log import Log, Snapshot  # decisions that long runs show only now and then
from attrax.training._radii import CycleRadii  # the estimate by itself
from attrax.writing import writer_of
from tests.helpers.commands import run, strict

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(size=(5, 8)).astype(np.float32)
EPOCHS = 1000
ALONE = [(index,) for index in range(len(POINTS))]


class Linear(eqx.Module):
    """x ↦ Wx."""

    weight: Any

    def __call__(self, x: Any) -> Any:
        return self.weight @ x


def network(key: int = 2, **options: Any) -> Any:
    return ax.maps.mlp((8,), **({"width": 32, "depth": 4, "activation": "sinusoid"} | options), key=jr.key(key))


def at_edge(**options: Any) -> EdgeFit[Any]:
    settings = {"cycles": ALONE, "epochs": EPOCHS, "key": jr.key(1)} | options
    return fit_at_edge(network(), POINTS, POINTS, **settings)


@pytest.fixture(scope="module")
def found() -> EdgeFit[Any]:
    return at_edge()


# --- radii ---------------------------------------------------------------------------------------


def test_radii_of_fixed_points_and_cycles_are_those_of_the_products() -> None:
    map, points = network(activation="cosid"), POINTS.astype(np.float32)
    jacobians = np.asarray(jax.jit(jax.vmap(jax.jacobian(map)))(points), float)
    cycles = [(0,), (1, 2, 3), (4,)]
    products = [jacobians[0], jacobians[3] @ jacobians[2] @ jacobians[1], jacobians[4]]
    exact = [np.abs(np.linalg.eigvals(product)).max() for product in products]
    for mixed in (cycles, ALONE):
        radii = CycleRadii(points, mixed)
        logs = [radii(map) for _ in range(4)][-1]
        wanted = exact if mixed is cycles else [np.abs(np.linalg.eigvals(one)).max() for one in jacobians]
        assert np.allclose(np.exp(logs), wanted, rtol=0.1)


def test_radii_of_pairs_of_complex_eigenvalues_and_of_a_map_that_forgets_everything() -> None:
    turn = 0.7 * np.array([[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]])
    states = np.ones((2, 2))
    assert np.exp(CycleRadii(states, [(0,), (1,)])(Linear(turn))) == pytest.approx([0.7, 0.7])
    assert (CycleRadii(states, [(0,)])(Linear(np.zeros((2, 2)))) < -100).all()


# --- the loop goes on -----------------------------------------------------------------------------


def test_training_goes_on_from_the_optimizers_state() -> None:
    train = partial(fit, inputs=POINTS, targets=POINTS, optimizer=optimizer("adam"), tol=None, key=jr.key(0))
    whole, half = train(network(), epochs=20), train(network(), epochs=10)
    rest = train(half.map, epochs=10, optimizer_state=half.optimizer_state)
    again = train(half.map, epochs=10, optimizer_state=half.optimizer_state)  # the state is not used up
    weights = [[np.asarray(weight) for weight in one.map.weights] for one in (whole, rest, again)]
    assert all(
        np.array_equal(one, other) for other in weights[1:] for one, other in zip(weights[0], other, strict=True)
    )


# --- the search ----------------------------------------------------------------------------------


def test_the_rate_of_gradient_descent_is_just_below_two_over_the_sharpness() -> None:
    inputs = (RNG.normal(size=(12, 6)) * np.array([3, 2, 1, 1, 0.5, 0.3])).astype(np.float32)
    # The Hessian of the mean squared error of x ↦ Wx, once for each row of W.
    sharpness = np.linalg.eigvalsh(2 / inputs.size * inputs.T.astype(float) @ inputs).max()
    start = Linear(np.zeros((6, 6), np.float32))
    edge = fit_at_edge(start, inputs, inputs, cycles=[(0,)], optimizer="gd", epochs=5, key=jr.key(0))
    assert 0.8 < edge.rate * sharpness / 2 < 1
    for tried in edge.tried:
        assert tried.stable == (tried.rate * sharpness < 2)
    assert edge.seconds_to_find > 0


def test_momentum_is_taken_to_its_edge() -> None:
    edge = at_edge(optimizer="momentum", epochs=4)
    rates = {tried.rate: tried.stable for tried in edge.tried}
    assert rates[edge.rate]
    assert not all(rates.values())
    assert edge.rate < min(rate for rate, stable in rates.items() if not stable) < 1.2 * edge.rate
    assert edge.history[0].rate == edge.rate
    assert edge.schedule[-1][0] == "adam"


def test_gradient_descent_searches_again_once_a_deep_network_is_no_longer_constant() -> None:
    points = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32) / 2
    start = ax.maps.mlp((6,), width=24, depth=10, activation="relu", key=jr.key(0))
    settings: dict[str, Any] = {"optimizer": "momentum", "epochs": 2600, "key": jr.key(0)}
    edge = fit_at_edge(start, points, points, cycles=ALONE[:4], **settings)
    default = edge.tried[0].rate
    again = next(place for place, tried in enumerate(edge.tried) if place and tried.rate == default)
    constant = np.var(points, axis=0).mean()
    assert min(tried.loss for tried in edge.tried[:again] if tried.stable) > 0.9 * constant
    assert edge.tried[again].loss < 0.7 * constant
    assert edge.history[0].rate == default
    assert edge.rate in {tried.rate for tried in edge.tried[again:] if tried.stable}
    assert edge.fit.loss < 1e-4


# --- at the edge ---------------------------------------------------------------------------------


def test_what_goes_on_at_the_edge_contracts_where_plain_training_does_not(found: EdgeFit[Any]) -> None:
    plain = fit(network(), POINTS, POINTS, optimizer=optimizer("adam", learning_rate=1e-3), tol=1e-10, key=jr.key(1))
    radii = [np.exp(CycleRadii(POINTS, ALONE)(one)) for one in (plain.map, found.fit.map)]
    assert plain.loss < 1e-8
    assert found.fit.loss < 1e-8
    assert radii[1].max() < 0.6 < 1 < radii[0].max()


def test_the_record_accounts_for_every_epoch_and_for_the_radii(found: EdgeFit[Any]) -> None:
    last = found.history[-1]
    assert last.epoch == found.fit.epochs
    stay = [look for look in found.history if look.rate == found.rate]
    assert [look.epoch for look in stay] == list(range(50, EPOCHS + 1, 50))[: len(stay)]
    assert sum(epochs for name, _, epochs in found.schedule if name == "adam") == last.epoch - stay[-1].epoch
    at_edge = [epochs for name, _, epochs in found.schedule if name == "rmsprop"]
    assert sum(at_edge) in {look.epoch for look in found.history}
    assert 10**last.largest == pytest.approx(np.exp(CycleRadii(POINTS, ALONE)(found.fit.map)).max(), rel=0.1)
    assert all(look.highest >= look.loss > 0 for look in found.history)
    assert strict(json.dumps(found.record())).keys() == {"rate", "tried", "seconds_to_find", "schedule", "history"}


def test_radii_are_those_of_the_map_inside_a_rule_of_learning() -> None:
    start = network(depth=1)
    rule = FeedbackMLP(start, tuple(np.asarray(weight).T for weight in start.weights))
    settings: dict[str, Any] = {"cycles": ALONE, "epochs": 20, "key": jr.key(1)}
    with pytest.raises(TypeError, match="forward-mode"):  # its derivative is defined in one direction only
        fit_at_edge(rule, POINTS, POINTS, **settings)
    edge = fit_at_edge(rule, POINTS, POINTS, examined=lambda map: map.network, **settings)
    plain = fit_at_edge(start, POINTS, POINTS, **settings)  # fed back through its own weights at the start
    assert edge.history[0].median == pytest.approx(plain.history[0].median, abs=0.05)
    assert edge.tried[0].loss == pytest.approx(plain.tried[0].loss, rel=0.2)


def test_a_rate_that_breaks_out_is_halved_from_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_edge, "largest_stable_rate", lambda *_: (0.1, (), 0.0))
    edge = at_edge()
    rates = [look.rate for look in edge.history if look.epoch <= EPOCHS]
    assert rates[0] == 0.1
    assert rates[-1] < 0.02
    assert all(after in (before, before / 2) for before, after in pairwise(rates))
    assert edge.fit.loss < 1e-6


def test_a_run_goes_on_from_its_checkpoint_bit_by_bit(
    found: EdgeFit[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_edge, "_SAVED", 0.0)
    file = tmp_path / "run"

    def stop_in(name: str, epoch: int) -> Callable[..., None]:
        def stop(task: str, done: int, *_: Any) -> None:
            if task == name and done > epoch:
                raise KeyboardInterrupt

        return stop

    with pytest.raises(KeyboardInterrupt):
        at_edge(checkpoint=file, progress=stop_in("training at the edge", EPOCHS // 5))
    with pytest.raises(KeyboardInterrupt):
        at_edge(checkpoint=file, resume=True, progress=stop_in("annealing", EPOCHS // 80))
    tasks = list[str]()
    again = at_edge(checkpoint=file, resume=True, progress=lambda task, *_: tasks.append(task))
    assert set(tasks) == {"annealing"}
    for one, other in zip(jax.tree.leaves(found.fit.map), jax.tree.leaves(again.fit.map), strict=True):
        assert not eqx.is_array(one) or np.array_equal(one, other)
    assert again.history == found.history
    assert again.schedule == found.schedule
    with pytest.raises(ValueError, match="other data or settings"):
        at_edge(checkpoint=file, resume=True, epochs=EPOCHS + 1)


def test_slow_progress_counts_once_it_adds_up() -> None:
    log, progress = Log(), list[int]()
    for log.epoch in range(1, 30):
        log.lower(0.96**log.epoch)
        log.better((0, -0.006 * log.epoch))
        progress.append(log.progressed)
    still = log.progressed
    for log.epoch in range(30, 60):
        log.lower(0.96**29 * 0.95)
        log.better((0, -0.006 * 29 - 0.01))
    assert max(after - before for before, after in pairwise(progress)) <= 4
    assert log.progressed == still
    assert log.score == (0, -0.006 * 29 - 0.01)


def annealing(*parts: tuple[float, float]) -> float:
    """The next rate of an anneal whose parts had these rates and mean losses."""
    log = Log(cool=parts[-1][0], annealed=[(rate, 50) for rate, _ in parts])
    log.history = [Snapshot(epoch, rate, loss, loss, 0.0, 0.0) for epoch, (rate, loss) in enumerate(parts)]
    return log.cooler()


def test_an_anneal_halves_its_rate_where_that_helps() -> None:
    fast, motion, long_way = [(1.0, 1.0), (1.0, 0.5)], [(1.0, 1.0), (1.0, 0.9)], [(1.0, 1.0), (1.0, 0.8)]
    assert annealing(*fast) == 1
    assert annealing(*motion) == 0.5
    assert annealing(*motion, (0.5, 0.4)) == 0.5
    assert annealing(*motion, (0.5, 0.7)) == 0.25
    assert annealing(*long_way, (0.5, 0.72)) == 1
    assert annealing((1.0, 0.8)) == 1


def test_a_time_limit_caps_everything() -> None:
    short = at_edge(seconds=0.3, epochs=10**6)
    assert short.fit.time_limited
    assert short.fit.epochs < 10**6


def test_the_rate_of_an_anneal_is_found_though_the_time_for_the_edge_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, asked = 1e6, list[float]()

    def spied(*arguments: Any, seconds: float | None = None, **options: Any) -> Any:
        asked.append(math.inf if seconds is None else seconds)
        return fit(*arguments, seconds=seconds, **options)

    monkeypatch.setattr(_edge._Run, "seconds", property(lambda _: 0.8 * limit))
    monkeypatch.setattr(_edge, "fit", spied)
    edge = at_edge(optimizer="gd", seconds=limit, epochs=200)
    assert edge.fit.time_limited
    left = [seconds for seconds in asked if seconds < limit]
    assert left[0] == 0  # that of the edge is over
    assert left.count(pytest.approx(0.075 * limit)) > 10  # in parts, for several rates


def test_wrong_arguments_are_refused() -> None:
    for options, words in (
        ({"optimizer": "kfac"}, "optimizer must be one of"),
        ({"epochs": 0}, "epochs must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"key": 3}, "key"),
    ):
        with pytest.raises(ValueError, match=words):
            at_edge(**options)


# --- as a writer ---------------------------------------------------------------------------------


def test_a_cycle_in_doubles_is_stored_and_its_record_gives_the_writer_back() -> None:
    film = ax.Patterns.from_cycles([POINTS])
    recipe = partial(ax.maps.mlp, width=32, depth=2, activation="sinusoid", dtype="float64")
    written = ax.Gradient(learning_rate="edge", optimizer="adam", epochs=EPOCHS).write(film, recipe, key=jr.key(0))
    assert written.loss < 1e-8
    assert CycleRadii(POINTS.astype(float), film.cycles)(written.map) < 0
    assert written.details["optimizer"] == "adam"
    assert written.details["learning_rate"] == "edge"
    assert written.details["edge"]["schedule"][0][0] == "adam"
    writer = writer_of(written.details)
    assert isinstance(writer, ax.Gradient)
    assert writer.training.learning_rate == "edge"
    assert writer.epochs_limit() == EPOCHS


def test_corruptions_at_the_edge() -> None:
    faces = ax.sources.load("faces", n=8, size=(12, 12)).values
    recipe = partial(ax.maps.mlp, width=96, depth=3, init="kaiming_uniform")
    cues = np.concatenate([ax.corrupt("gaussian:0.4", faces, key=jr.key(seed)) for seed in range(5)])
    recovered = {}
    for kinds in ((), ("gaussian:0.5",)):
        writer = ax.Gradient(learning_rate="edge", epochs=1500, corruptions=kinds or None, coordinates=0)
        memory = ax.store(faces, recipe, writer=writer, key=jr.key(0))
        edge = memory.written["edge"]
        assert memory.status == "stored" or not kinds
        assert edge["schedule"][0][0] == "rmsprop"
        last = edge["history"][-1]
        assert last["loss"] < 1e-2  # that of the clean pictures
        recovered[kinds] = ax.recall(memory, cues, expected=np.tile(np.arange(8), 5)).recovery_rate
    assert recovered["gaussian:0.5",] > recovered[()]


def test_the_writers_say_what_goes_with_it() -> None:
    for make, words in (
        (lambda: ax.Training(learning_rate="edgy"), "learning_rate must be one of edge"),
        (lambda: ax.Training(learning_rate="edge", optimizer="kfac"), "learning_rate does not apply to kfac"),
        (lambda: ax.WinnerTakeAll(learning_rate="edge"), "learning_rate='edge' does not apply to winner_take_all"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
    auto = ax.Auto(learning_rate="edge", epochs=7)
    assert auto.attempts(None, ax.Patterns.from_examples(POINTS)) == (ax.Gradient(learning_rate="edge", epochs=7),)


def test_the_command_line_says_which_rates_were_tried(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", POINTS)
    options = ["--writer", "gradient", "--width", 32, "--depth", 2, "--activation", "sinusoid", "--epochs", EPOCHS]
    store = ["store", tmp_path / "points.npy", *options, "--lr", "edge", "-o", tmp_path / "m.attrax"]
    status, out, err = run(capsys, *store)
    assert status == 0, err
    assert "learning rates tried in" in out
    assert "unstable" in out
    assert "schedule: rmsprop at" in out
    record = strict(run(capsys, "info", tmp_path / "m.attrax", "--json")[1])["written"]
    assert record["edge"]["tried"][0].keys() == {"rate", "loss", "highest", "stable"}
    status, _, err = run(capsys, *store[:-4], "--lr", "fast", "-o", tmp_path / "m.attrax")
    assert status == 2
    assert "'fast' is neither a number nor edge" in err


def test_an_anneal_that_diverges_ends(found: EdgeFit[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_edge, "_COOLER", 1e-30)
    edge = at_edge()
    assert edge.fit.status is ax.TrainingStatus.DIVERGED
    assert edge.fit.epochs <= found.fit.epochs + EPOCHS // 80
