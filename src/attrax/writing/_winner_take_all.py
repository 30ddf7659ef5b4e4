"""The writer of winner-take-all networks: it trains scores, and the largest selects the output."""

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import MOST_LAYERS, refuse_beyond_layers
from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import Map, Progress
from attrax.corruptions import Corruption
from attrax.maps import Images, Recipe
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import (
    OPTIMIZERS,
    Augmentation,
    Encoder,
    Fit,
    LinearScores,
    Training,
    carriers,
    cosine_decay,
    cross_entropy,
    default_tol,
    encoder,
    ensure_lead,
    fit,
    from_record,
    given,
    leading,
    linear_scores,
    rounds_for,
    to_record,
    unscaled_network,
    winner_take_all_network,
    with_settings,
)
from attrax.writing._changed_encoder import changed_encoder, changed_scores, check_record
from attrax.writing._default_training import default_corruptions, default_epochs
from attrax.writing._kind import END_TO_END
from attrax.writing._prepared import TrainingData
from attrax.writing._protocol import GROWTH, Written, status_above_tol

_RATE = 6.0
"""The learning rate as a multiple of the optimizer's default. Much larger steps would spoil the good start."""
_CAREFUL = 150
"""Up to this many examples, training uses the full rate. Beyond that the rate is proportional to 1/n, because more
units affect each score. Pairs in coordinates of their span keep the full rate. There the weights start several times
as large as those of pixels, so that a step is a smaller part of them, and a careful one learns too little of occlusion;
of pictures alone it is a little better under damage that training has not seen."""
_FEW = 200
"""Up to this many examples, a second layer is cheap. With it, a network can treat clean cues, where a few pixels
decide, differently from noisy ones, where no single pixel does."""
_MANY, _UNITS = 1_000, 512
"""From so many examples on, the scores are linear but for so many hidden units: see `LinearScores`."""
_LINEAR_RATE = 30.0
"""The same for linear scores."""
_SHARE, _LARGEST = 4, 2_000
"""A step of linear scores compares its examples with each other only. It takes a quarter of all, but no more than so
many: with a smaller part of thousands, few are compared with the ones they are mistaken for."""
_UNTRAINED = 5_000
"""From so many examples on, scores are not trained unless it is asked for: under noise they are as good as the best
nearest-neighbor rule as they are, and training could compare each example with a small part of the others only."""
_ROWS = 200
"""Approximate default of the rows per step if there are fewer examples: a smaller step costs nearly as much."""
_MOVING_EPOCHS, _MOVING_RATE = 4, 2
"""Epochs and learning rate for corruptions that move pixels, as multiples of those for others. No linear score
withstands these corruptions, so the encoder has to be deeper and to train longer."""
_ONSET, _MOVING_ONSET = 5.0, 3.0
"""The first inhibition is this times 1/n. After training on shifted or rotated cues the scores are closer together, and
the right one is not far enough above their mean to survive a stronger inhibition."""
_BATCH = 500
"""The default number of examples per step, at most."""
_PIXELS = 1024
"""States of more entries than this are trained in the span of the data."""


@dataclass(frozen=True, slots=True, init=False)
class WinnerTakeAll(Record):
    """Trains scores on corrupted examples, and makes a network in which the largest score selects the output.

    See `attrax.training.winner_take_all_network` for the network, which is a plain fully connected ReLU network. Recall
    takes one or two steps; around every example the Jacobian is exactly zero.

    **Fields:**

    - `width`: units of the encoder's hidden layers: a sequence with one number for each layer, or one number for as
      many layers as the data need. `rounds`: rounds of inhibition before the last one. `None` chooses by the data;
      1,000 examples and more then have `LinearScores`.
    - `training`, `augmentation`: the two records of settings. Single settings can be given directly, as in
      `WinnerTakeAll(epochs=500)`. The defaults are:

        - `optimizer`, `learning_rate`: Adam at 6e-4, twice that for corruptions that move pixels, less for more than
          150 examples unless these are large pairs, and 3e-3 for `LinearScores`; the rate falls along a cosine.
        - `batch`: at most 500 examples; for `LinearScores`, which are compared within a step only, a quarter of the
          examples, but at least 500 and at most 2,000. `copies`: up to three, so that a step has about 200 rows.
        - `epochs`: by the number of examples, from 10 to 3,000; four times as many for corruptions that move pixels.
          None for 5,000 examples and more, unless you ask for noise or corruptions.
        - `tol`: 1e-8 in units of the patterns, the loss of the finished network that counts as reached; training runs
          all epochs.
        - `coordinates`: none for states of up to 1,024 entries, else exponent 0.
        - `corruptions`: `default_corruptions`, if there is no `noise` either.

        `polish`, `adversarial_deviation` and `jacobian_penalty` don't apply, nor does K-FAC.
    """

    width: int | Sequence[int] | None
    rounds: int | None
    training: Training
    augmentation: Augmentation

    def __init__(
        self,
        width: int | Sequence[int] | None = None,
        rounds: int | None = None,
        training: Training | None = None,
        augmentation: Augmentation | None = None,
        **settings: Any,
    ) -> None:
        training, augmentation = with_settings("WinnerTakeAll", training, augmentation, settings)
        if isinstance(width, Sequence):
            width = tuple(checks.integer("each entry of width", units, least=1) for units in width)
            if not width:
                raise ValueError("width must name at least one hidden layer; got an empty sequence")
            refuse_beyond_layers(mention("width"), len(width))
        elif width is not None:
            width = checks.integer("width", width, least=1)
        if rounds is not None:
            rounds = checks.integer("rounds", rounds, least=0, most=MOST_LAYERS // 2)
        if training.optimizer_name == "kfac":
            raise ValueError(
                f"optimizer must be one of {', '.join(OPTIMIZERS)}, or an Optax transformation, for winner_take_all; "
                "got 'kfac', which trains by the mean squared error only"
            )
        if training.at_edge:
            raise ValueError("learning_rate='edge' does not apply to winner_take_all; give a number, or use Gradient")
        for name in sorted(END_TO_END & (given(training) | given(augmentation)).keys()):
            raise ValueError(f"{name} does not apply to winner_take_all; leave it out, or train with Gradient")
        for name, value in (
            ("width", width),
            ("rounds", rounds),
            ("training", training),
            ("augmentation", augmentation),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "WinnerTakeAll":
        """The writer of a memory with this record."""
        training, augmentation = from_record(record)
        return cls(tuple(record["encoder_widths"]), record.get("rounds"), training, augmentation)

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
        """Trains an encoder on `patterns` and makes the network. See `Writer`; it takes no network."""
        if network is not None:
            raise ValueError("the writer winner_take_all makes its own network; leave network out, or choose width")
        started = time.perf_counter()
        data = self.training_data(patterns)
        initial: Encoder | LinearScores
        if self._linear(len(patterns)):
            units = _UNITS if self.planned_epochs(patterns) else 0
            initial = linear_scores(data.points, data.coordinates, units=units, key=jr.fold_in(key, 1))
        else:
            widths = self.widths(len(patterns))
            initial = encoder(data.points, data.coordinates, widths=widths, key=jr.fold_in(key, 1))
        fitted = self._train(
            initial, data, key=jr.fold_in(key, 0), checkpoint=checkpoint, resume=resume, progress=progress
        )
        return self._finish(fitted, data, started)

    def grow(
        self,
        memory: Memory,
        patterns: Patterns,
        kept: Sequence[int],
        *,
        key: PRNGKeyArray,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Continues training the memory's encoder, with a score for each new example and without the forgotten ones.

        The units that carried a forgotten score are removed with it. Each attempt trains longer, starting where the
        last one ended. See `Writer`.
        """
        started, record = time.perf_counter(), memory.written
        if not {"encoder_widths", "carriers"} <= record.keys():
            raise ValueError(
                "winner_take_all can change only a memory that it wrote; change this one with the writer that wrote it"
            )
        check_record(memory.map, record, len(memory.examples()))
        data, planned = self.training_data(patterns), self.planned_epochs(patterns)
        initial: Encoder | LinearScores | None = changed_scores(memory.map, record, data, list(kept))
        carrying: list[list[int]] = [[] for _ in range(len(patterns))]
        if initial is None:
            initial, carrying = changed_encoder(memory.map, record, data, list(kept))
        for number, share in enumerate(GROWTH):
            least = 0 if len(patterns) >= _UNTRAINED else 1
            shorter = replace(self, epochs=max(least, round(share * planned)))
            fitted = shorter._train(initial, data, key=jr.fold_in(key, number), progress=progress)
            initial = fitted.map
            # The corruptions on record may be defaults, so they don't determine the onset.
            written = self._finish(fitted, data, started, record.get("onset"))
            yield replace(written, details={**written.details, "carriers": carrying, "scratch_epochs": planned})

    def _linear(self, num: int) -> bool:
        """Whether the scores are linear but for a few units that all share: with many examples, a pair of units for
        each would take too long."""
        return self.width is None and num >= _MANY and not self._moving()

    def widths(self, num: int) -> tuple[int, ...]:
        """Units of each hidden layer of the encoder for `num` examples, unless its scores are linear."""
        if isinstance(self.width, Sequence):
            return tuple(self.width)
        width = self.width
        if width is None:
            # Room for a pair of units per example and, in a small network, for as many free ones.
            width = min(max(128, 1 << math.ceil(math.log2(4 * num))), max(512, 1 << math.ceil(math.log2(2 * num))))
        return (width,) * (2 if self._moving() or num <= _FEW else 1)

    def harder(self, patterns: Patterns) -> "WinnerTakeAll":
        """The same writer with a wider and deeper encoder where that is affordable, and twice as many epochs."""
        longer, num = replace(self, epochs=2 * self.planned_epochs(patterns)), len(patterns)
        widths = self.widths(num)
        return longer if self._linear(num) else replace(longer, width=(2 * widths[0],) * (len(widths) + 1))

    def planned_epochs(self, patterns: Patterns) -> int:
        """Epochs of training on `patterns`."""
        if self.training.epochs is not None:
            return self.training.epochs
        if len(patterns) == 1 or self.untrained(len(patterns)):
            return 0  # the one score there is wins as it is
        return default_epochs(len(patterns)) * (_MOVING_EPOCHS if self._moving() else 1)

    def untrained(self, num: int) -> bool:
        """Whether so many examples keep the scores they start with, as nothing was said about training."""
        said = self.training.epochs is not None or self.augmentation.changes_inputs
        return num >= _UNTRAINED and not said and self._linear(num)

    def training_corruptions(self, patterns: Patterns) -> tuple[Corruption, ...]:
        """The corruptions that training sees."""
        if self.untrained(len(patterns)):
            return ()
        if self.augmentation.corruptions is None and not self.augmentation.noise:
            return Augmentation(corruptions=default_corruptions(patterns)).parsed(patterns.cue_shape)
        return self.augmentation.parsed(patterns.cue_shape)

    def rounds_after(self, trained: Encoder) -> int:
        """Rounds of inhibition; an encoder's further layers take the place of some."""
        layers, num = len(trained.weights) - 1, len(trained.biases[-1])
        return max(3, rounds_for(num) + 1 - layers) if self.rounds is None else self.rounds

    def _rounds_to_try(self, trained: Encoder) -> list[int]:
        """The usual number, and more for examples whose scores lie too close together for it, as in a film."""
        first = self.rounds_after(trained)
        return [first] if self.rounds is not None else [first, first + 3, first + 9, first + 21]

    def _moving(self) -> bool:
        return any(corruption.moves for corruption in self.augmentation.parsed())

    def _rate(self, data: TrainingData, linear: bool) -> Any:
        training = self.training
        if not training.takes_rate or training.learning_rate is not None:
            return training.learning_rate
        name = training.optimizer_name
        if linear:
            return OPTIMIZERS[name] * (_LINEAR_RATE if name in ("adam", "rmsprop") else 1)
        default = OPTIMIZERS[name] * (_RATE if name in ("adam", "rmsprop") else 1)
        default *= _MOVING_RATE if self._moving() else 1
        # Whitened coordinates have other weights at the start.
        bold = data.patterns.parts is not None and data.coordinates is not None and not self.training.coordinates
        return default if bold else default * min(1.0, _CAREFUL / len(data.patterns))

    def training_data(self, patterns: Patterns) -> TrainingData:
        """The patterns as training takes them: on coordinates if those are asked for or states are large."""
        exponent = self.training.coordinates
        if exponent is None and math.prod(patterns.shape) > _PIXELS:
            exponent = 0.0
        return TrainingData.of(patterns, exponent)

    def _train(
        self,
        initial: Any,
        data: TrainingData,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> Fit[Any]:
        """Trains an encoder, or linear scores, as a classifier."""
        patterns, training, augmentation = data.patterns, self.training, self.augmentation
        num, linear = len(patterns), isinstance(initial, LinearScores)
        usual = max(_BATCH, min(num // _SHARE, _LARGEST)) if linear else _BATCH
        batch = min(usual if training.batch is None else training.batch, num)
        epochs, rate = self.planned_epochs(patterns), self._rate(data, linear)
        falls = rate is not None and not callable(rate)
        schedule: Any = cosine_decay(rate, max(epochs * -(-num // batch), 1)) if falls else rate
        return fit(
            initial,
            data.inputs,
            np.arange(num, dtype=np.float32),  # class numbers; `fit` casts them to the weights' dtype, exact up to 2²⁴
            optimizer=training.transformation(schedule),
            epochs=epochs,
            tol=None,
            batch=batch,
            copies=max(1, min(3, round(_ROWS / batch))) if augmentation.copies is None else augmentation.copies,
            objective=data.objective(augmentation, self.training_corruptions(patterns), np.dtype(np.float32)),
            loss=cross_entropy,
            in_batch=linear,
            seconds=training.time_limit,
            anneal=falls,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            fingerprint=f"{replace(self, time_limit=None)} {epochs}",
            key=key,
        )

    def _finish(self, fitted: Fit[Any], data: TrainingData, started: float, onset: float | None = None) -> Written:
        """The network of a trained encoder, with its record; `onset`, if it is already known."""
        patterns, points, inputs, coordinates = data.patterns, data.points, data.inputs, data.coordinates
        linear = isinstance(fitted.map, LinearScores)
        trained = ensure_lead(fitted.map.as_encoder(inputs) if linear else fitted.map, inputs)
        onset = (_MOVING_ONSET if self._moving() else _ONSET) if onset is None else onset
        tol = default_tol(patterns) if self.training.tol is None else self.training.tol
        for rounds in self._rounds_to_try(trained):
            network = winner_take_all_network(
                trained, points, points[patterns.successor], coordinates=coordinates, rounds=rounds, onset=onset
            )
            network = unscaled_network(network, data.divisor)
            images = Images(network, patterns.points)
            loss = float(np.mean((images.values - patterns.targets) ** 2))
            if loss <= tol:
                break
            # More rounds help an example whose score leads by little, but not one whose score does not lead.
            leads = leading(trained, inputs)
            if not leads.any() or (
                not leads.all() and float(np.mean((images.values - patterns.targets)[leads] ** 2)) <= tol
            ):
                break
        if not np.isfinite(fitted.loss):
            status = TrainingStatus.DIVERGED
        else:
            status = TrainingStatus.REACHED if loss <= tol else status_above_tol(fitted)
        rate = self._rate(data, linear)
        details = {
            "writer": "winner_take_all",
            **({} if self.rounds is None else {"rounds": self.rounds}),
            **({"learning_rate": rate} if rate is not None else {}),
            **to_record(self.training, self.augmentation),
            "tol": tol,
            "corruptions": [corruption.name for corruption in self.training_corruptions(patterns)],
            "coordinates": None if coordinates is None else self.training.coordinates or 0.0,
            "encoder_widths": [weight.shape[0] for weight in trained.weights[:-1]],
            "carriers": carriers(len(patterns), 0 if linear else min(len(bias) for bias in trained.biases[:-1])),
            "epochs_limit": self.planned_epochs(patterns),
            "onset": onset,
            "cross_entropy": fitted.loss,
            "time_limited": fitted.time_limited,
        }
        seconds = time.perf_counter() - started
        return Written(network, loss, fitted.epochs, seconds, status, details, images=images)
