"""The writer of the paper: gradient-based training to near-zero loss, with noise and polish as options."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax.random as jr
import optax
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.status import StoreStatus
from attrax._base.types import Progress
from attrax.corruptions import Corruption, as_corruption
from attrax.maps import MLP, Recipe
from attrax.patterns import Patterns
from attrax.training import (
    CONSTRUCTIONS,
    OPTIMIZERS,
    constructed_start,
    cosine_decay,
    fit,
    kfac,
    mean_squared_error,
    optimizer,
    polish,
)
from attrax.writing._budget import affordable
from attrax.writing._start import Written, start

_PAPER_EPOCHS = 1_000_000
_NOISY_EPOCHS = 3_000
_NOISY_RATE = 10.0
_KFAC_EPOCHS, _KFAC_NOISY_EPOCHS = 1_000, 100


@dataclass(frozen=True, slots=True)
class Gradient:
    """Training as in the paper: mean squared error, one of five optimizers, until the loss is at most `tol`.

    With `noise` it minimizes the denoising loss E‖f(x + σε) − y‖² ≈ ‖f(x) − y‖² + σ²‖J‖² instead, for all `epochs`
    at a rate that falls along a cosine to zero, and then solves the last layer for the clean examples (`polish`). So it
    does with any other disturbance below.

    **Fields:**

    - `optimizer`: a name in `attrax.training.OPTIMIZERS`, or `"kfac"` (`attrax.training.kfac`), which finds its own
      step sizes and takes no rate, momentum or decay.
    - `learning_rate`: `None` for the optimizer's default, ten times that with noise, where it decays (not from a
      constructed `start`, which so large a rate destroys).
    - `momentum`, `weight_decay`: `None` for the optimizer's default.
    - `batch`: examples a step; `None` for all. `copies`: how often each stands in a step, each time disturbed anew.
    - `noise`: standard deviation σ of the Gaussian noise on the inputs, in the patterns' own scale.
    - `coordinate_noise`: the same on what the network takes, which differs where `coordinates` are whitened.
    - `corruptions`: texts such as `"occlude:0.7"` (see `attrax.corrupt`), or functions of a key and a state that return
      a state. Each step deals the examples into groups, one for each corruption and one for the noise; the level is
      drawn up to the given one.
    - `deviation`: root mean square of self-made deviations; see `attrax.training.Objective`.
    - `penalty`: coefficient λ of a Jacobian penalty λ‖J‖²_F on the clean examples.
    - `coordinates`: train in the span of the data with this whitening exponent, 0 … 1, and fold the change of
      variables into the network afterwards; see `attrax.training.Coordinates`. `None` trains on states as they are.
    - `polish`: whether to solve the last layer by least squares at the end; `None` means with noise only.
    - `tol`: loss at which to stop (without noise), and that counts as reached.
    - `start`: train the constructed network of this name further, `"margin"` or `"pseudoinverse"`, in place of a
      fresh one; `network` is then left out. `spare`: hidden units beside its two an example. A rate much above 3e-4
      destroys such a start.
    - `epochs`: `None` for 10⁶ without noise, 3,000 with it; for K-FAC 1,000 and 100.
    - `time_limit`: seconds that training may take. Where the rate falls along a cosine it lowers the number of epochs,
      and a run that is resumed goes on to the number that its first call chose; elsewhere training stops when the time
      is over.
    """

    optimizer: str = "adam"
    learning_rate: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    batch: int | None = None
    copies: int = 1
    noise: float = 0.0
    coordinate_noise: float = 0.0
    corruptions: Sequence[str | Callable[..., Any]] = ()
    deviation: float = 0.0
    penalty: float = 0.0
    coordinates: float | None = None
    polish: bool | None = None
    start: str | None = None
    spare: int = 0
    tol: float = 1e-8
    epochs: int | None = None
    time_limit: float | None = None

    def __post_init__(self) -> None:
        checks.one_of("optimizer", self.optimizer, (*OPTIMIZERS, "kfac"))
        checks.integer("copies", self.copies, least=1)
        for name in ("noise", "coordinate_noise", "deviation", "penalty"):
            checks.real(name, getattr(self, name), least=0)
        self._corruptions(None)
        if self.coordinates is not None:
            checks.real("coordinates", self.coordinates, least=0, most=1)
        if self.start is not None:
            checks.one_of("start", self.start, CONSTRUCTIONS)
        checks.integer("spare", self.spare, least=0)
        if self.spare and self.start is None:
            raise ValueError(
                f"spare counts units beside those of a constructed start, got {self.spare} without start; "
                f"give start, one of {', '.join(CONSTRUCTIONS)}"
            )
        checks.real("tol", self.tol, least=0)
        if self.epochs is not None:
            checks.integer("epochs", self.epochs, least=0)
        if self.batch is not None:
            checks.integer("batch", self.batch, least=1)
        if self.time_limit is not None:
            checks.real("time_limit", self.time_limit, above=0)
        self._rule(self._rate())

    @property
    def _noisy(self) -> bool:
        return bool(self.noise or self.coordinate_noise or self.corruptions or self.deviation or self.penalty)

    def _corruptions(self, shape: tuple[int, ...] | None) -> tuple[Corruption, ...]:
        found = tuple(as_corruption(given) for given in self.corruptions)
        if shape is not None:
            for corruption in found:
                corruption.check_shape(shape)
        return found

    @property
    def epochs_limit(self) -> int:
        """Epochs at most, without a time limit."""
        if self.epochs is not None:
            return self.epochs
        if self.optimizer == "kfac":
            return _KFAC_NOISY_EPOCHS if self._noisy else _KFAC_EPOCHS
        return _NOISY_EPOCHS if self._noisy else _PAPER_EPOCHS

    def _rule(self, rate: Any, seed: int = 0) -> optax.GradientTransformation:
        if self.optimizer != "kfac":
            return optimizer(self.optimizer, learning_rate=rate, momentum=self.momentum, weight_decay=self.weight_decay)
        given = [name for name in ("learning_rate", "momentum", "weight_decay") if getattr(self, name) is not None]
        if given:
            raise ValueError(f"{given[0]} does not apply to kfac, which finds its own steps; leave it out")
        return kfac(seed=seed)

    def _rate(self) -> float | None:
        if self.optimizer == "kfac":
            return None
        if self.learning_rate is not None:
            return checks.real("learning_rate", self.learning_rate, above=0)
        return OPTIMIZERS[self.optimizer] * (
            _NOISY_RATE if self._noisy and self.start is None and self.optimizer in ("adam", "rmsprop") else 1
        )

    def __call__(
        self,
        network: MLP | Recipe | None,
        patterns: Patterns,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> Written:
        """Trains `network` to send each point of `patterns` to its successor. See `Writer`."""
        begun = time.perf_counter()
        noisy = self._noisy
        if self.start is not None:
            if network is not None:
                raise ValueError(f"start={self.start!r} makes the network to begin with; leave network out, or start")
            network = constructed_start(
                self.start, patterns.points, patterns.targets, spare=self.spare, key=jr.fold_in(key, 2)
            )
        begin = start(network, patterns, self.coordinates, key=jr.fold_in(key, 1))
        seen = begin.seen(
            noise=self.noise,
            coordinate_noise=self.coordinate_noise,
            corruptions=self._corruptions(patterns.shape),
            deviation=self.deviation,
            penalty=self.penalty,
        )
        epochs = self.epochs_limit
        batch = None if self.batch is None else min(self.batch, len(patterns))

        seed = int(jr.randint(jr.fold_in(key, 3), (), 0, 2**31 - 1))

        def run(epochs: int, rate: Any, **options: Any) -> Any:
            return fit(
                begin.network,
                begin.inputs,
                begin.targets,
                optimizer=self._rule(rate, seed),
                epochs=epochs,
                tol=None if noisy else self.tol,
                batch=batch,
                copies=self.copies,
                seen=seen,
                key=jr.fold_in(key, 0),
                **options,
            )

        rate: Any = self._rate()
        limit = self.time_limit
        if noisy and rate is not None:
            if limit is not None:
                epochs, limit = (
                    affordable(
                        lambda count, note: run(count, rate, progress=note, seconds=limit),
                        epochs,
                        limit,
                        checkpoint=checkpoint if resume else None,
                    ),
                    None,
                )
            steps = epochs * (1 if batch is None else -(-len(patterns) // batch))
            rate = cosine_decay(rate, max(steps, 1))
        fitted = run(
            epochs,
            rate,
            seconds=limit,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            fingerprint=repr(replace(self, time_limit=None)) + f" {epochs}",
        )
        trained, status = fitted.map, fitted.status
        if status is not StoreStatus.DIVERGED:
            if self.polish if self.polish is not None else noisy:
                trained = polish(trained, begin.inputs, begin.targets)
            trained = begin.finish(trained)
            loss = mean_squared_error(trained, patterns.points, patterns.targets)
            # The float64 loss may differ from training's in the last digits; what training accepted stays accepted.
            reached = loss <= self.tol or (not noisy and status is StoreStatus.STORED)
            status = StoreStatus.STORED if reached else StoreStatus.LOSS_NOT_REACHED
        else:
            trained, loss = begin.finish(trained), float("nan")
        settings = {name: value for name, value in asdict(self).items() if value is not None}
        settings["corruptions"] = [corruption.name for corruption in self._corruptions(None)]
        name = "kfac" if self.optimizer == "kfac" else "gradient"
        details = {"writer": name, **settings, "learning_rate": self._rate(), "epochs_limit": epochs}
        return Written(trained, loss, fitted.epochs, time.perf_counter() - begun, status, details)
