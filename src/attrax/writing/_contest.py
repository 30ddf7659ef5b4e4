"""The writer of contests: trained scores, and the winner takes it all."""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax.random as jr
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.status import StoreStatus
from attrax._base.types import Progress
from attrax.corruptions import Corruption, as_corruption
from attrax.maps import MLP, Recipe
from attrax.patterns import Patterns
from attrax.training import (
    OPTIMIZERS,
    Coordinates,
    Encoder,
    carriers,
    contest_network,
    cosine_decay,
    cross_entropy,
    encoder,
    fit,
    lead_at_home,
    leading,
    mean_squared_error,
    objective,
    optimizer,
    rounds_for,
)
from attrax.writing._budget import affordable
from attrax.writing._start import Written

_RATE = 6.0
"""Times the optimizer's default: the start is a good one, which much larger steps would spoil."""
_CAREFUL = 150
"""Up to this many examples the rate is that; beyond, it falls with their number, as more units move a score."""
_FEW = 200
"""Up to this many examples a second layer costs little. It tells clean cues, of which the last few pixels decide,
from noisy ones, of which none does."""
_ROWS = 200
"""About as many rows a step, where nobody said and there are fewer examples: a smaller step wastes its overhead."""
_MOVING = ("shift", "rotate", "scale", "elastic")
"""Corruptions that move pixels: no linear score survives them, so the encoder has to be deeper, and to train longer."""
_MOVING_EPOCHS, _MOVING_RATE = 4, 2
_ONSET, _MOVING_ONSET = 5.0, 3.0
"""Times 1/n, the first inhibition. What training moved leaves the scores closer together, and the right one is then not
far enough above their mean to survive a stronger one."""
_BATCH = 500
"""Examples a step, at most, where nobody said."""
_PIXELS = 1024
"""States of more entries than this are trained in the span of the data."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Trains scores on corrupted examples, and makes a network of them in which the largest score wins.

    See `attrax.training.contest_network` for the network, which is a plain fully connected ReLU network. Recall takes
    one or two steps; around every example the Jacobian is exactly zero.

    **Fields:**

    - `width`, `layers`: units and number of the encoder's hidden layers; `None` chooses by the data. `rounds` of
      inhibition before the last one; `None` for about log₂ n.
    - `corruptions`: as for `Gradient`; `None` chooses `default_corruptions`.
    - `noise`, `coordinate_noise`: as for `Gradient`.
    - `coordinates`: whitening exponent of the coordinates to train in; `None` trains on states of up to 1,024 entries
      as they are, and on larger ones in coordinates with exponent 0.
    - `optimizer`, `learning_rate`, `momentum`, `weight_decay`: `None` for Adam at 6e-4, twice that for corruptions
      that move pixels, less for more than 150 examples; the rate falls along a cosine.
    - `batch`: examples a step; `None` for at most 500. `copies`: as for `Gradient`; `None` for as many, up to three,
      as make about 200 rows a step.
    - `epochs`: `None` chooses by the data.
    - `time_limit`: seconds that training may take; it lowers the number of epochs. A run that is resumed goes on to the
      number that its first call chose.
    - `tol`: loss of the finished network that counts as reached.
    """

    width: int | None = None
    layers: int | None = None
    rounds: int | None = None
    corruptions: Sequence[str | Callable[..., Any]] | None = None
    noise: float = 0.0
    coordinate_noise: float = 0.0
    coordinates: float | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    batch: int | None = None
    copies: int | None = None
    epochs: int | None = None
    time_limit: float | None = None
    tol: float = 1e-8

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("layers", 1), ("rounds", 0), ("batch", 1), ("copies", 1), ("epochs", 0)):
            if getattr(self, name) is not None:
                checks.integer(name, getattr(self, name), least=least)
        for name in ("noise", "coordinate_noise", "tol"):
            checks.real(name, getattr(self, name), least=0)
        for corruption in self.corruptions or ():
            as_corruption(corruption)
        if self.coordinates is not None:
            checks.real("coordinates", self.coordinates, least=0, most=1)
        if self.time_limit is not None:
            checks.real("time_limit", self.time_limit, above=0)
        self._rule(self._rate())

    def _rate(self, num: int = 1) -> float:
        checks.one_of("optimizer", self.optimizer, OPTIMIZERS)
        if self.learning_rate is not None:
            return checks.real("learning_rate", self.learning_rate, above=0)
        default = OPTIMIZERS[self.optimizer] * (_RATE if self.optimizer in ("adam", "rmsprop") else 1)
        default *= _MOVING_RATE if self._moving() else 1
        return default * min(1.0, _CAREFUL / num)

    def _rule(self, rate: Any) -> optax.GradientTransformation:
        return optimizer(self.optimizer, learning_rate=rate, momentum=self.momentum, weight_decay=self.weight_decay)

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
        """Trains an encoder on `patterns` and makes the network. See `Writer`; it takes no network."""
        if network is not None:
            raise ValueError("the writer contest makes its own network; leave network out, or choose width and layers")
        begun = time.perf_counter()
        coordinates = self.in_coordinates(patterns)
        width, layers = self.size(len(patterns))
        start = encoder(patterns.points, coordinates, widths=[width] * layers, key=jr.fold_in(key, 1))
        trained, epochs, loss = self.train(
            start,
            patterns,
            coordinates,
            key=jr.fold_in(key, 0),
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
        )
        return self.finish(trained, patterns, coordinates, epochs, loss, begun)

    def size(self, num: int) -> tuple[int, int]:
        """Units and number of the encoder's hidden layers for `num` examples."""
        width = self.width
        if width is None:
            # Room for a pair of units an example, and for as many free ones where the network is small.
            width = min(max(128, 1 << math.ceil(math.log2(4 * num))), max(512, 1 << math.ceil(math.log2(2 * num))))
        return width, self.layers or (2 if self._moving() or num <= _FEW else 1)

    def _moving(self) -> bool:
        given = [as_corruption(one).kind for one in self.corruptions or ()]
        return any(kind.split("+")[0] in _MOVING or kind.split("+")[-1] in _MOVING for kind in given)

    def rounds_after(self, trained: Encoder) -> int:
        """Rounds of inhibition; an encoder's further layers take the place of some."""
        layers, num = len(trained.weights) - 1, len(trained.biases[-1])
        return max(3, rounds_for(num) + 1 - layers) if self.rounds is None else self.rounds

    def _rounds_to_try(self, trained: Encoder) -> list[int]:
        """The usual number, and more for examples whose scores lie too close together for it, as in a film."""
        first = self.rounds_after(trained)
        return [first] if self.rounds is not None else [first, first + 3, first + 9, first + 21]

    def in_coordinates(self, patterns: Patterns) -> Coordinates | None:
        """The coordinates to train in; `None` for states as they are."""
        exponent = self.coordinates
        if exponent is None:
            if math.prod(patterns.shape) <= _PIXELS:
                return None
            exponent = 0.0
        return Coordinates.of(patterns.points, exponent)

    def seen_corruptions(self, patterns: Patterns) -> tuple[Corruption, ...]:
        """The corruptions that training sees."""
        given = default_corruptions(patterns) if self.corruptions is None and not self.noise else self.corruptions or ()
        found = tuple(as_corruption(one) for one in given)
        for corruption in found:
            corruption.check_shape(patterns.shape)
        return found

    def planned_epochs(self, patterns: Patterns) -> int:
        """Epochs without a time limit."""
        if self.epochs is not None:
            return self.epochs
        if len(patterns) == 1:
            return 0  # the one score there is wins as it is
        return default_epochs(len(patterns)) * (_MOVING_EPOCHS if self._moving() else 1)

    def train(
        self,
        start: Encoder,
        patterns: Patterns,
        coordinates: Coordinates | None,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> tuple[Encoder, int, float]:
        """Trains `start` as a classifier; the trained encoder, the epochs, and the last cross-entropy."""
        num = len(patterns)
        inputs = patterns.points if coordinates is None else coordinates.encode(patterns.points)
        scale = 1.0 if coordinates is None else coordinates.scale
        seen = objective(
            noise=np.hypot(self.noise / scale, self.coordinate_noise),
            corruptions=self.seen_corruptions(patterns),
            pictures=patterns.points,
            coordinates=coordinates,
            dtype=np.dtype(np.float32),
        )
        batch = min(_BATCH if self.batch is None else self.batch, num)
        copies = max(1, min(3, round(_ROWS / batch))) if self.copies is None else self.copies

        def run(epochs: int, rate: Any, **options: Any) -> Any:
            return fit(
                start,
                inputs,
                np.eye(num, dtype=np.float32),
                optimizer=self._rule(rate),
                epochs=epochs,
                tol=None,
                batch=batch,
                copies=copies,
                seen=seen,
                loss=cross_entropy,
                key=key,
                **options,
            )

        epochs = self.planned_epochs(patterns)
        if self.time_limit is not None:
            limit = max(self.time_limit, 0.0)
            epochs = affordable(
                lambda count, note: run(count, self._rate(num), progress=note, seconds=limit),
                epochs,
                limit,
                checkpoint=checkpoint if resume else None,
            )
        steps = epochs * -(-num // batch)
        rate = cosine_decay(self._rate(num), max(steps, 1))
        fitted = run(
            epochs,
            rate,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            fingerprint=repr(replace(self, time_limit=None)) + f" {epochs}",
        )
        return fitted.map, fitted.epochs, fitted.loss

    def finish(
        self,
        trained: Encoder,
        patterns: Patterns,
        coordinates: Coordinates | None,
        epochs: int,
        cross_entropy: float,
        begun: float,
        onset: float | None = None,
    ) -> Written:
        """The network of a trained encoder, and what is to be told of it; `onset`, where it is known from before."""
        inputs = patterns.points if coordinates is None else coordinates.encode(patterns.points)
        trained = lead_at_home(trained, inputs)
        leads = leading(trained, inputs)
        onset = (_MOVING_ONSET if self._moving() else _ONSET) if onset is None else onset
        for rounds in self._rounds_to_try(trained):
            made = contest_network(
                trained, patterns.points, patterns.targets, coordinates=coordinates, rounds=rounds, onset=onset
            )
            loss = mean_squared_error(made, patterns.points, patterns.targets)
            # More rounds help an example that leads by little, and none that does not lead.
            if not leads.any() or mean_squared_error(made, patterns.points[leads], patterns.targets[leads]) <= self.tol:
                break
        if not np.isfinite(cross_entropy):
            status = StoreStatus.DIVERGED
        else:
            status = StoreStatus.STORED if loss <= self.tol else StoreStatus.LOSS_NOT_REACHED
        settings = {name: value for name, value in asdict(self).items() if value is not None}
        details = {
            "writer": "contest",
            **settings,
            "corruptions": [corruption.name for corruption in self.seen_corruptions(patterns)],
            "learning_rate": self._rate(len(patterns)),
            "coordinates": None if coordinates is None else self.coordinates or 0.0,
            "encoder_widths": [weight.shape[0] for weight in trained.weights[:-1]],
            "carriers": carriers(len(patterns), trained.weights[0].shape[0]),
            "epochs_limit": epochs,
            "onset": onset,
            "cross_entropy": cross_entropy,
        }
        return Written(made, loss, epochs, time.perf_counter() - begun, status, details)


def default_corruptions(patterns: Patterns) -> tuple[str, ...]:
    """What training sees where nobody said: noise; for pictures also occlusion, drops, salt and pepper, small shifts.

    The noise goes as far as it can for examples still to be told apart: a fifth of the typical distance to the nearest
    other example, and no more than 1.2 times the range of the values (1.2 for pixels).
    """
    flat = np.asarray(patterns.points, np.float64).reshape(len(patterns), -1)
    span = float(flat.max() - flat.min()) or 1.0
    level = 1.2 * span
    if len(flat) > 1:
        squares = (flat**2).sum(axis=1)
        distances = squares[:, None] + squares - 2 * flat @ flat.T
        np.fill_diagonal(distances, np.inf)
        level = min(level, 0.2 * math.sqrt(max(float(np.median(distances.min(axis=1))), 0.0)) or level)
    noise = f"gaussian:{level:.3g}"
    if len(patterns.shape) < 2:
        return (noise,)
    # Of the dropped pixels there are three shares, two of which drop twice and so more often reach the last few per
    # cent, the hardest of all. Pixels made black or white teach not to trust any single one, which helps against
    # disturbances that training does not see; with a shift by a pixel in one of two cases, against warps as well.
    dropped = ("drop:0.97", "drop:0.9+drop:0.9", "drop:0.9+drop:0.9")
    return (noise, noise, "occlude:0.7", *dropped, "saltpepper:0.7", "saltpepper:0.7+shift:1")


def default_epochs(num: int) -> int:
    """Epochs by the number of examples: enough rows to learn from for few, enough passes for many."""
    return int(np.clip(600_000 / num, 200, 3_000))
