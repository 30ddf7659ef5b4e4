"""The paper's writer: gradient-based training of any map to near-zero loss."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import Map, Progress
from attrax.maps import Recipe
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import (
    OPTIMIZERS,
    Augmentation,
    Fit,
    Layered,
    Objective,
    Training,
    cosine_decay,
    default_tol,
    fit,
    fit_at_edge,
    from_record,
    mean_squared_error,
    polish,
    to_record,
    with_settings,
)
from attrax.writing._prepared import TrainingData, prepared
from attrax.writing._protocol import GROWTH, Written, status_above_tol

_PAPER_EPOCHS = 1_000_000
_AUGMENTED_EPOCHS = 3_000
_ANY_MAP_EPOCHS = 20_000
"""Epochs for a map that is not fully connected, whose steps may cost a thousand times as much."""
_EDGE_EPOCHS = 10_000
_KFAC_EPOCHS, _KFAC_AUGMENTED_EPOCHS = 1_000, 100
_DECAYING_RATE = 10.0
"""Factor on the optimizer's default rate if the rate falls to zero by the last epoch."""
_CLEAN = 0.25
"""The share of epochs and time in which a module whose last layer can't be solved is trained on the clean examples."""


@dataclass(frozen=True, slots=True, init=False)
class Gradient(Record):
    """Training as in the paper: mean squared error, one of five optimizers, until the loss is at most `tol`.

    With `noise` or another augmentation it trains for all `epochs`, at a rate that falls along a cosine to zero, and
    then solves the last layer for the clean examples (`polish`). With `noise` the loss is the denoising loss E‖f(x +
    σε) − y‖² ≈ ‖f(x) − y‖² + σ²‖J‖².

    With `learning_rate="edge"` it trains at the largest stable rate, keeps that up after the loss has come down, so
    that examples become attractors and their basins grow, and ends in an anneal. See `fit_at_edge`.

    It trains any Equinox module that keeps the shape of a state. For a module that is not fully connected, there are no
    coordinates, and the last layer is not solved: with augmentation, the last quarter of its epochs uses the clean
    examples instead, at a tenth of the rate. Without augmentation it trains for 20,000 epochs at most, with a rate that
    falls to zero by then.

    **Fields:** `training` and `augmentation`, the two records of settings. Single settings can be given directly:
    `Gradient(noise=0.05, epochs=500)`. The defaults are:

    - `optimizer`: Adam; RMSprop at the edge.
    - `learning_rate`: the optimizer's default; ten times that if the rate falls to zero.
    - `batch`: all examples. `copies`: one.
    - `epochs`: 10⁶, with augmentation 3,000, at the edge 10,000; for K-FAC 1,000 and 100.
    - `tol`: 1e-8 in units of the patterns, so 1e-8 for pictures with entries from 0 to 1.
    - `coordinates`: none; training uses the states themselves.
    - `polish`: with augmentation; `False` leaves out the clean epochs of other modules, too.
    - `noise`, `corruptions`, `adversarial_deviation`, `jacobian_penalty`: none.
    """

    training: Training
    augmentation: Augmentation

    def __init__(
        self, training: Training | None = None, augmentation: Augmentation | None = None, **settings: Any
    ) -> None:
        training, augmentation = with_settings("Gradient", training, augmentation, settings)
        object.__setattr__(self, "training", training)
        object.__setattr__(self, "augmentation", augmentation)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Gradient":
        """The writer of a memory with this record."""
        return cls(*from_record(record))

    def epochs_limit(self, network: Any = None) -> int:
        """The maximum number of epochs for `network`; `None` stands for a fully connected one."""
        if self.training.epochs is not None:
            return self.training.epochs
        augmented = self.augmentation.changes_inputs
        if self.training.optimizer_name == "kfac":
            return _KFAC_AUGMENTED_EPOCHS if augmented else _KFAC_EPOCHS
        if self.training.at_edge:
            return _EDGE_EPOCHS
        if augmented:
            return _AUGMENTED_EPOCHS
        return _PAPER_EPOCHS if network is None or isinstance(network, Layered) else _ANY_MAP_EPOCHS

    def write(
        self,
        patterns: Patterns,
        network: Map | Recipe | None = None,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        recovery_atol: float | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Trains `network` to send each point of `patterns` to its successor. See `Writer`."""
        started = time.perf_counter()
        training, augmentation = self.training, self.augmentation
        initial, data = prepared(network, patterns, training.coordinates, key=jr.fold_in(key, 1))
        layered, augmented = isinstance(initial, Layered), augmentation.changes_inputs
        self._check(initial)
        epochs = self.epochs_limit(initial)
        finishing = augmented and not layered and training.polish is not False
        clean_epochs = int(_CLEAN * epochs) if finishing else 0
        limit = None if training.time_limit is None else training.time_limit * (1 - _CLEAN * finishing)
        batch = None if training.batch is None else min(training.batch, len(patterns))
        # At a constant rate Adam does not come to rest, so the rate falls to zero; so it does for an unknown map, for
        # which a rate that is small from the start may take too long.
        given_rate = training.at_edge or callable(training.learning_rate)
        falls = training.takes_rate and not given_rate and (augmented or not layered)
        rate = self._rate(falls)
        schedule: Any = rate
        if falls:
            steps = (epochs - clean_epochs) * (1 if batch is None else -(-len(patterns) // batch))
            schedule = cosine_decay(rate, max(steps, 1))
        tol = default_tol(patterns) if training.tol is None else training.tol
        scaled_tol = tol / data.divisor**2
        common: dict[str, Any] = {
            "batch": batch,
            "seconds": limit,
            "checkpoint": checkpoint,
            "resume": resume,
            "progress": progress,
            "fingerprint": f"{replace(self, time_limit=None)} {epochs}",
            "key": jr.fold_in(key, 0),
        }
        objective = self._objective(initial, data) if augmented else None
        edge = None
        if training.at_edge:
            edge = fit_at_edge(
                initial,
                data.inputs,
                data.targets,
                cycles=patterns.cycles,
                optimizer=training.optimizer_name,
                momentum=training.momentum,
                weight_decay=training.weight_decay,
                epochs=epochs - clean_epochs,
                tol=scaled_tol,
                copies=augmentation.copies or 1,
                objective=objective,
                **common,
            )
            fitted = edge.fit
        else:
            fitted = fit(
                initial,
                data.inputs,
                data.targets,
                optimizer=training.transformation(schedule, int(jr.randint(jr.fold_in(key, 3), (), 0, 2**31 - 1))),
                epochs=epochs - clean_epochs,
                tol=None if augmented else scaled_tol,
                copies=augmentation.copies or 1,
                objective=objective,
                anneal=falls,
                **common,
            )
        if finishing and fitted.status is not TrainingStatus.DIVERGED:
            fitted = _finished(
                fitted,
                data,
                optimizer=training.transformation(rate / _DECAYING_RATE if falls else rate),
                epochs=clean_epochs,
                tol=scaled_tol,
                batch=batch,
                seconds=None
                if training.time_limit is None
                else max(started + training.time_limit - time.perf_counter(), 0),
                progress=progress,
                key=jr.fold_in(key, 4),
            )
        trained = fitted.map
        if fitted.status is not TrainingStatus.DIVERGED:
            if (augmented and layered) if training.polish is None else training.polish:
                trained = polish(trained, data.inputs, data.targets)
            trained = data.finish(trained)
            loss = mean_squared_error(trained, patterns.points, patterns.targets)
            # The float64 loss may differ from that of training in the last digits; a loss that training accepted stays
            # accepted.
            reached = loss <= tol or (not augmented and fitted.status is TrainingStatus.REACHED)
            status = TrainingStatus.REACHED if reached else status_above_tol(fitted)
        else:
            trained, loss, status = data.finish(trained), float("nan"), TrainingStatus.DIVERGED
        details = {
            "writer": "gradient",
            "copies": 1,
            **({"learning_rate": rate} if rate is not None else {}),
            **to_record(training, augmentation),
            "tol": tol,
            "epochs_limit": epochs,
            "time_limited": fitted.time_limited,
            **({} if edge is None else {"edge": edge.record()}),
        }
        return Written(trained, loss, fitted.epochs, time.perf_counter() - started, status, details)

    def grow(
        self,
        memory: Memory,
        patterns: Patterns,
        kept: Sequence[int],
        *,
        key: PRNGKeyArray,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Trains the memory's network further, longer each time, from where the last attempt ended. See `Writer`."""
        network: Any = memory.map
        planned = self.epochs_limit(network)
        for number, share in enumerate(GROWTH):
            shorter = replace(self, epochs=max(1, round(share * planned)))
            written = shorter.write(patterns, _single(network), key=jr.fold_in(key, number), progress=progress)
            network = written.map
            yield replace(written, details={**written.details, "scratch_epochs": planned})

    def _objective(self, network: Any, data: TrainingData) -> Objective:
        patterns = data.patterns
        corruptions = self.augmentation.parsed(patterns.shape if patterns.parts is None else patterns.parts[0])
        dtype = next(np.dtype(leaf.dtype) for leaf in jax.tree.leaves(network) if eqx.is_inexact_array(leaf))
        return data.objective(self.augmentation, corruptions, dtype)

    def _rate(self, falls: bool) -> Any:
        training = self.training
        if not training.takes_rate or training.learning_rate is not None:
            return training.learning_rate
        name = training.optimizer_name
        return OPTIMIZERS[name] * (_DECAYING_RATE if falls and name in ("adam", "rmsprop") else 1)

    def _check(self, network: Any) -> None:
        """**Raises** `ValueError` for settings that do not apply to `network` because it is not fully connected."""
        if isinstance(network, Layered):
            return
        kind = type(network).__name__
        if self.training.optimizer_name == "kfac":
            raise ValueError(f"kfac trains fully connected networks; for {kind} choose another optimizer, such as adam")
        if self.training.polish:
            raise ValueError(
                f"polish solves the last layer of a fully connected network, not of {kind}; leave it out, and the last "
                "epochs are trained on the clean examples instead"
            )


def _finished(fitted: Fit[Any], data: TrainingData, **options: Any) -> Fit[Any]:
    """Trains further on the clean examples; epochs and time count from the beginning."""
    clean = fit(fitted.map, data.inputs, data.targets, **options)
    limited = fitted.time_limited or clean.time_limited
    return replace(clean, epochs=fitted.epochs + clean.epochs, time_limited=limited)


def _single(network: Any) -> Any:
    """The network in the precision of training."""

    def convert(leaf: Any) -> Any:
        real = isinstance(leaf, np.ndarray | jax.Array) and np.issubdtype(leaf.dtype, np.floating)
        return np.asarray(leaf, np.float32) if real else leaf

    return jax.tree.map(convert, network)
