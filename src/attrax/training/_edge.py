"""Training at the largest stable rate, and the anneal that ends it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.digests import digest
from attrax._base.files import alone
from attrax._base.status import TrainingStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.training._checkpoint import read_checkpoint, write_checkpoint
from attrax.training._edge_log import EdgeFit, Log, Snapshot
from attrax.training._fit import Fit, fit
from attrax.training._losses import Loss, squared_error
from attrax.training._objective import Objective
from attrax.training._optimizers import OPTIMIZERS
from attrax.training._optimizers import optimizer as named_optimizer
from attrax.training._radii import CycleRadii
from attrax.training._stable_rate import Rated, RateTried, largest_stable_rate, rated

M = TypeVar("M", bound=Map)

_CHECK = 200
"""Epochs from one check of loss and radii to the next, at most."""
_SAMPLE = 64
"""Cycles whose radii are estimated, at most; evenly spread."""
_LOW, _NEAR = 1e-2, 3.0
"""Weights are candidates for the best if their mean loss is below this share of that of a constant map, or at most so
many times the lowest so far: earlier, radii are small because the map is nearly constant. From there on the anneal
changes the median radius by a few percent; round a cycle these changes add up, and the share is divided by its length.
Nor is a rate compared with smaller ones if its loss is below the share: what is left may be the motion itself, which
grows with the rate."""
_STABLE = 0.9
"""A cycle counts as stable if the estimate of its radius is below this."""
_LOST, _FAR = 5, 10.0
"""The rate is too large after so many checks in a row without a low loss, or if the mean loss exceeds that of a
constant map this many times."""
_LEARNED, _UNLEARNED = 0.1, 0.25
"""The rate is also too large if the loss is not below the first share of that of a constant map, and has not fallen for
the second share of the epochs."""
_OWN_STEPS = "adam", "rmsprop"
"""Optimizers whose steps are as long as their rate, however small the gradient is."""
_FLAT, _LEAVES = 0.9, 0.7
"""Other optimizers hardly move while a network is constant, so any rate seems stable. Where the search ends above the
first share of the loss of a constant map, it is made again as soon as the loss is below the second share."""
_PATIENCE, _WAITED = 15, 1 / 3
"""Without progress for so many checks, and for this share of the epochs so far, training at the edge ends."""
_COOLER = 5.0
"""The rate of the anneal is the last one at the edge divided by this; for an optimizer whose rate means something else
than Adam's, it is Adam's largest stable one, divided by this."""
_PARTS = 20
"""The parts of the anneal, in epochs or in the time left, whichever ends first."""
_DEEPER = 0.01
"""The anneal goes on to this share of the loss to reach: the nearer a radius is to one, the farther the fixed point is
from the example at the same loss."""
_ANNEAL = 0.25
"""The anneal's share of a time limit, and its epochs as a share of those at the edge."""
_FIRST, _ANNEALING = 1000, 2**30
"""Random keys from these numbers on are those of the edge and of the anneal; the first ones are the search's."""
_SAVED, _SAVING = 5.0, 50
"""Seconds between checkpoints, at least; and this many times as long as the last one took."""


def fit_at_edge(
    map: M,
    inputs: HostStates,
    targets: HostStates,
    *,
    cycles: Sequence[Sequence[int]],
    examined: Callable[[M], Map] = lambda map: map,
    points: HostStates | None = None,
    loss: Loss = squared_error,
    optimizer: str = "rmsprop",
    momentum: float | None = None,
    weight_decay: float | None = None,
    epochs: int = 10_000,
    tol: float = 1e-8,
    batch: int | None = None,
    copies: int = 1,
    objective: Objective | None = None,
    seconds: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    fingerprint: str = "",
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> EdgeFit[M]:
    """Trains `map` at the largest stable rate, continues there after the loss has come down, and
    ends with an anneal to the loss `tol`.

    A network that interpolates goes on changing as long as the steps are large, and its Jacobians at the examples
    shrink: examples become attractors, and their basins grow. This stops where the optimizer converges.

    1. *Search.* Short runs from the start double the rate (or halve it) until one is unstable, then bisect. A rate is
       stable if the mean loss of the run's last part is at most that of its first part and at most a quarter above that
       of a smaller stable rate, and if the loss never exceeds ten times that of the start. For gradient descent, a
       network that is still constant after these runs is trained at the default rate until it is not, and the search
       is made from there.
    2. *The edge.* Training at that rate. At least every 200 epochs the spectral radii of a sample of the cycles are
       estimated, and the weights with the best ones are kept. If the loss stays high for five checks, training goes
       back to these weights and halves the rate. This phase ends when neither the loss nor the radii have improved for
       a long time, or after `epochs`.
    3. *Anneal.* Adam from the best weights at a fifth of the rate (after gradient descent, of Adam's own largest
       stable rate), halved where the loss stands still and doubled again where half the rate is slower, until the loss
       is a hundredth of `tol`, or for a quarter of `epochs`.

    **Arguments:**

    - `map`, `inputs`, `targets`, `batch`, `checkpoint`, `resume`, `fingerprint`, `progress`, `key`: as in `fit`.
    - `copies`, `objective`: as in `fit`; by default it trains on the clean examples. With an objective, the best of the
      weights with the fewest unstable cycles are those where it is lowest, and losses are those of the clean examples.
    - `cycles`: the rows of `inputs` in each cycle, such as `Patterns.cycles`; a fixed point is a cycle of length one.
    - `examined`: gives the map whose radii are estimated, where a rule of learning is a map around it; `points`, its
      states at which they are, in place of `inputs`.
    - `loss`: as in `fit`. With any but the squared error, losses are compared with that of `map` instead of a constant
      map's.
    - `optimizer`, `momentum`, `weight_decay`: as in `attrax.training.optimizer`.
    - `epochs`: maximum number of passes through the data at the edge.
    - `tol`: loss at which the map counts as trained.
    - `seconds`: a cap, of which a quarter is kept for the anneal.

    **Returns:** `EdgeFit`. **Raises** `ValueError` for a wrong argument or a checkpoint of another run.

        >>> from attrax import training
        >>> found = training.fit_at_edge(network, points, points, cycles=[[0], [1]], key=key)  # doctest: +SKIP
    """
    checks.random_key(key)
    checks.one_of("optimizer", optimizer, OPTIMIZERS)
    epochs = checks.integer("epochs", epochs, least=1, most=2**29)
    tol = checks.real("tol", tol, least=0)
    limit = math.inf if seconds is None else checks.real("seconds", seconds, least=0)
    started = time.perf_counter()
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    rule = rated(named_optimizer(optimizer, learning_rate=1.0, momentum=momentum, weight_decay=weight_decay))
    train = partial(fit, inputs=inputs, targets=targets, batch=batch, copies=copies, objective=objective, loss=loss)
    before = _before(train, rule, map, key)
    start, constant = (map, before.optimizer_state), before.loss
    if loss is squared_error:
        constant = float(np.var(targets, axis=0, dtype=float).mean() or np.mean(targets**2, dtype=float))
    points = inputs if points is None else np.asarray(points)
    sample = np.linspace(0, len(cycles) - 1, min(len(cycles), _SAMPLE)).astype(int)
    run = _Run(
        train=train,
        name=optimizer,
        rule=rule,
        constant=constant,
        epochs=epochs,
        tol=tol,
        started=started,
        limit=limit,
        progress=progress,
        key=key,
        radii=CycleRadii(points.astype(start[1].total.dtype), [cycles[index] for index in sample]),
        examined=examined,
        clean=objective is None,
        start=start,
        now=start,
        best=start,
        log=Log(),
    )
    if checkpoint is None:
        return run.all(lambda: None)
    # The number changes with the rules, so that no run goes on by other rules than it began with.
    settings = f"edge 3 {fingerprint} {optimizer} {momentum} {weight_decay} {epochs} {batch} {copies} {tol}"
    own = digest(settings, inputs, targets, objective, map, key)
    with alone(checkpoint):
        if resume and Path(checkpoint).exists():
            (run.now, run.best, run.radii.directions), facts = read_checkpoint(checkpoint, run.arrays_of, own)
            run.log = Log.of(facts)
        return run.all(lambda: write_checkpoint(checkpoint, run.arrays, asdict(run.log), own))


def _before(train: Callable[..., Fit[Any]], rule: Any, map: Any, key: PRNGKeyArray) -> Fit[Any]:
    """The map before the first step, with its loss and the state of the optimizer."""
    return _on_host(train(map, optimizer=rule, epochs=0, tol=None, key=key))


def _on_host(fitted: Fit[Any]) -> Fit[Any]:
    return replace(fitted, optimizer_state=jax.tree.map(np.asarray, fitted.optimizer_state))


@dataclass(slots=True)
class _Run:
    """Search, edge and anneal of one training."""

    train: Callable[..., Fit[Any]]
    name: str
    rule: Any
    constant: float
    """The loss of the best constant map, or of the start."""
    epochs: int
    tol: float
    started: float
    limit: float
    progress: Progress | None
    key: PRNGKeyArray
    radii: CycleRadii
    examined: Callable[[Any], Map]
    clean: bool
    """Whether it trains on the clean examples."""
    start: tuple[Any, Rated]
    now: tuple[Any, Rated]
    best: tuple[Any, Rated]
    log: Log

    @property
    def arrays(self) -> Any:
        """What a checkpoint holds."""
        return self.now, self.best, self.radii.directions

    def arrays_of(self, facts: dict[str, Any]) -> Any:
        """Arrays like those in a checkpoint with these facts."""
        now = (self.start[0], self.cold(self.start[0])) if facts.get("annealed") else self.now
        return now, self.best, self.radii.directions

    def cold(self, map: Any) -> Rated:
        """The state of the anneal's optimizer before its first step."""
        return _before(self.train, rated(named_optimizer("adam", learning_rate=1.0)), map, self.key).optimizer_state

    @property
    def check(self) -> int:
        """Epochs until the next check."""
        return max(1, min(_CHECK, self.epochs // 20))

    @property
    def seconds(self) -> float:
        """Since the beginning of this call."""
        return time.perf_counter() - self.started

    def all(self, save: Callable[[], None]) -> EdgeFit[Any]:
        """Whatever is left to do."""
        save()
        log = self.log
        if not log.found:
            self.search()
        due = 0.0
        while not log.annealed and not self.over():
            if (started := time.perf_counter()) > due:
                save()
                due = time.perf_counter() + max(_SAVED, _SAVING * (time.perf_counter() - started))
            self.stay()
        save()
        return self.anneal(save)

    def search(self) -> None:
        """Finds the rate from the present weights; where nothing is learned, it is the default until something is."""
        log, default = self.log, OPTIMIZERS[self.name]
        log.found, tried = self.largest_rate(*self.now, log.rate or default)
        lowest = min((one.loss for one in tried if one.stable), default=0.0)
        log.tried += tried
        log.constant = self.name not in _OWN_STEPS and log.rate == 0 and lowest > _FLAT * self.constant
        log.rate = log.found = default if log.constant else log.found

    def largest_rate(
        self, map: Any, state: Rated, first: float, share: float = 1 - _ANNEAL
    ) -> tuple[float, tuple[RateTried, ...]]:
        """The largest stable rate from these weights, and the rates tried, within this share of the time limit."""
        segment, low = partial(self.segment, share=share), _LOW * self.constant
        rate, tried, seconds = largest_stable_rate(segment, map, state, first, low, self.report)
        self.log.seconds_to_find += seconds
        return rate, tried

    def segment(
        self, map: Any, state: Rated, rate: float, epochs: int, number: int, share: float = 1 - _ANNEAL, **options: Any
    ) -> Fit[Any]:
        """Some epochs at a rate; fewer if this share of the time limit is over."""
        left = None if self.limit == math.inf else max(share * self.limit - self.seconds, 0.0)
        settings = {"epochs": epochs, "seconds": left, "tol": None, "key": jr.fold_in(self.key, number)} | options
        return _on_host(self.train(map, optimizer=self.rule, optimizer_state=state.at(rate), **settings))

    def report(self, task: str, done: int, total: int, **numbers: float) -> None:
        """Tells whoever watches."""
        if self.progress is not None:
            self.progress(task, done, total, numbers | {"seconds": self.seconds})

    def reporting(self, task: str, before: int, total: int, **numbers: float) -> Progress:
        """The progress of a segment as a part of the whole."""
        return lambda _, done, __, more: self.report(task, before + done, total, loss=more["loss"], **numbers)

    def over(self) -> bool:
        """Whether it is time for the anneal."""
        log = self.log
        patience = self.epochs // 2 if log.constant else max(_PATIENCE * self.check, _WAITED * log.epoch)
        waited = log.epoch - log.progressed >= patience
        done = log.epoch >= self.epochs or waited
        log.late = not done and self.seconds >= (1 - _ANNEAL) * self.limit
        return done or log.late

    def stay(self) -> None:
        """Trains until the next check, and checks."""
        log, epochs = self.log, min(self.check, self.epochs - self.log.epoch)
        known = {"largest_radius": 10 ** min(log.history[-1].largest, 99)} if log.history else {}
        progress = self.reporting("training at the edge", log.epoch, self.epochs, rate=log.rate, **known)
        fitted = self.segment(*self.now, log.rate, epochs, _FIRST + log.epoch, progress=progress)
        self.now = (fitted.map, fitted.optimizer_state)
        log.epoch += max(fitted.epochs, 1)
        log.path.append((log.rate, fitted.epochs))
        self.judge(*self.measure(fitted, log.rate))

    def measure(self, fitted: Fit[Any], rate: float) -> tuple[float, tuple[int, float]]:
        """The mean loss of a segment, and how many cycles are not stable after it, with the mean logarithm of all
        radii, or of what is minimized in place of the clean loss."""
        state: Rated = fitted.optimizer_state
        loss = state.mean if self.clean else fitted.loss
        finite = bool(np.isfinite([state.mean, fitted.loss]).all())
        logs = self.radii(self.examined(fitted.map)) if finite else np.full(1, np.inf)
        median, largest = (float(value) / math.log(10) for value in (np.median(logs), logs.max()))
        self.log.history.append(Snapshot(self.log.epoch, rate, loss, float(state.highest), median, largest))
        trained = float(np.mean(logs)) if self.clean else math.log(max(state.mean, 1e-99))
        score = (int(np.sum(logs >= math.log(_STABLE))), trained)
        return loss if finite else math.inf, score

    def judge(self, loss: float, score: tuple[int, float]) -> None:
        """Keeps the weights if they are the best; goes back to the best ones if the rate is too large."""
        log, floor = self.log, max(loss, self.tol)
        log.lower(floor)
        share = _LOW / self.radii.lengths.max()
        low = max(share * self.constant, min(_NEAR * log.lowest, self.constant))
        settled, learned = loss <= low, log.lowest <= _LEARNED * self.constant
        if settled and (score < log.score or log.best_loss > low):
            log.better(score)
            self.best, log.best_loss, log.best_path = self.now, loss, len(log.path)
        log.lost = log.lost + 1 if learned and not settled else 0
        stuck = not (learned or log.constant) and log.epoch - max(log.since, log.progressed) >= _UNLEARNED * self.epochs
        lost = not loss <= _FAR * self.constant or log.lost >= _LOST
        if lost:
            self.now, log.path = self.best, log.path[: log.best_path]
        if lost or stuck:
            log.rate, log.since, log.lost = log.rate / 2, log.epoch, 0
        if log.constant and log.lowest < _LEAVES * self.constant:
            self.search()
            log.since = log.epoch

    def anneal(self, save: Callable[[], None]) -> EdgeFit[Any]:
        """Adam at low rates from the best weights, until the loss is reached."""
        log = self.log
        limit = max(_PARTS, int(_ANNEAL * self.epochs))
        part = (self.limit - self.seconds) / _PARTS
        self.rule = rated(named_optimizer("adam", learning_rate=1.0))
        if not log.annealed:
            self.now = (self.best[0], self.cold(self.best[0]))
            rate = log.path[log.best_path - 1][0] if log.best_path else log.rate
            if self.name not in _OWN_STEPS:
                rate, _ = self.largest_rate(*self.now, OPTIMIZERS["adam"], 1 - _ANNEAL / 2)
            log.cool = rate / _COOLER
        while True:
            done = sum(epochs for _, epochs in log.annealed)
            settings: dict[str, Any] = {
                "tol": _DEEPER * self.tol,
                "progress": self.reporting("annealing", done, limit, rate=log.cool),
            }
            if self.limit < math.inf:
                settings["seconds"] = max(min(part, self.limit - self.seconds), 0.0)
            count = min(limit // _PARTS, limit - done)
            fitted = self.segment(*self.now, log.cool, count, _ANNEALING + done, 1.0, **settings)
            if fitted.epochs:
                self.now = (fitted.map, fitted.optimizer_state)
                log.annealed.append((log.cool, fitted.epochs))
                log.epoch += fitted.epochs
                self.measure(fitted, log.cool)
                log.cool = log.cooler()
                save()
            late = fitted.status is TrainingStatus.TIME_OVER and self.seconds >= self.limit
            ended = fitted.status in (TrainingStatus.REACHED, TrainingStatus.DIVERGED)
            if ended or late or done + fitted.epochs >= limit:
                break
        whole = replace(
            fitted,
            status=TrainingStatus.REACHED if fitted.loss <= self.tol else fitted.status,
            epochs=log.epoch,
            seconds=self.seconds,
            time_limited=log.late or late,
            optimizer_state=None,
        )
        path = [(self.name, rate, epochs) for rate, epochs in log.path[: log.best_path]]
        path += [("adam", rate, epochs) for rate, epochs in log.annealed]
        schedule = tuple((*key, sum(row[2] for row in rows)) for key, rows in groupby(path, lambda row: row[:2]))
        return EdgeFit(whole, log.found, tuple(log.tried), log.seconds_to_find, schedule, tuple(log.history))
