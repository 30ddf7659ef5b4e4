"""The settings that all trained writers share: how a network is trained, and on what."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from attrax._base import checks
from attrax._base.lazy import lazy
from attrax._base.shown import Record
from attrax.corruptions import Corruption, as_corruption
from attrax.training._optimizers import OPTIMIZERS, Schedule, optimizer

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")  # a memory is recalled and certified without it

_CUSTOM, _SCHEDULE = "optax", "schedule"
"""What a record contains in place of an object that has no text."""
_FORMER = {"deviation": "adversarial_deviation", "penalty": "jacobian_penalty"}
"""Names of settings in memory files of version 1, with the current names."""


@dataclass(frozen=True, slots=True)
class Training(Record):
    """How a network is trained. Whatever is `None` is the writer's choice; its documentation says which.

    **Fields:**

    - `optimizer`: a name in `attrax.training.OPTIMIZERS`, `"kfac"`, or any Optax transformation.
    - `learning_rate`: a number, an Optax schedule of the step, or `"edge"`. A schedule is used as it is. For a number,
      the writer decides whether it decays. `"edge"` finds the largest stable rate, trains there, and anneals; see
      `fit_at_edge`.
    - `momentum`, `weight_decay`: for a named optimizer. K-FAC and Optax transformations take neither these nor a rate.
    - `batch`: examples per step.
    - `epochs`: maximum number of passes through the data.
    - `tol`: the loss at which training stops and counts as done, in the square of the units of a state.
    - `time_limit`: seconds after which training stops. It is only a cap: a run that ends earlier is the same as one
      without a limit. If the limit stopped a run, its record says so (`time_limited`).
    - `coordinates`: train in the span of the data, whitened with this exponent from 0 to 1; see `Coordinates`. If a
      given network reads at most 2n directions outside the span, it is trained in those too.
    - `polish`: whether to solve the last layer by least squares at the end.
    """

    optimizer: str | optax.GradientTransformation | None = None
    learning_rate: float | Schedule | Literal["edge"] | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    batch: int | None = None
    epochs: int | None = None
    tol: float | None = None
    time_limit: float | None = None
    coordinates: float | None = None
    polish: bool | None = None

    def __post_init__(self) -> None:
        if self.optimizer is not None and not isinstance(self.optimizer, optax.GradientTransformation):
            checks.one_of("optimizer", self.optimizer, (*OPTIMIZERS, "kfac"))
        if isinstance(self.learning_rate, str):
            checks.one_of("learning_rate", self.learning_rate, ("edge",))
        elif not callable(self.learning_rate):
            self._check("learning_rate", checks.real, above=0)
        for name in ("momentum", "weight_decay", "tol"):
            self._check(name, checks.real, least=0)
        self._check("batch", checks.integer, least=1)
        self._check("epochs", checks.integer, least=0)
        self._check("time_limit", checks.real, above=0)
        self._check("coordinates", checks.real, least=0, most=1)
        if not isinstance(self.polish, bool | None):
            raise ValueError(f"polish must be True, False or None for the writer's choice; got {self.polish!r}")
        self.transformation(self.learning_rate)

    def _check(self, name: str, check: Callable[..., Any], **limits: float) -> None:
        if getattr(self, name) is not None:
            object.__setattr__(self, name, check(name, getattr(self, name), **limits))

    @property
    def optimizer_name(self) -> str:
        """The optimizer's name; if it is left to the writer, RMSprop at the edge, Adam elsewhere; `"optax"` for a
        transformation."""
        if self.optimizer is None:
            return "rmsprop" if self.at_edge else "adam"
        return self.optimizer if isinstance(self.optimizer, str) else _CUSTOM

    @property
    def at_edge(self) -> bool:
        """Whether training uses the largest stable rate."""
        return self.learning_rate == "edge"

    @property
    def takes_rate(self) -> bool:
        """Whether the optimizer uses `learning_rate`; K-FAC and transformations set their own steps."""
        return self.optimizer_name in OPTIMIZERS

    def transformation(self, rate: float | Schedule | str | None, seed: int = 0) -> optax.GradientTransformation:
        """The optimizer with a learning rate. `seed` is used by K-FAC, which samples.

        **Raises** `ValueError` for a setting that does not apply to the optimizer.
        """
        name = self.optimizer_name
        if self.takes_rate:
            rate = None if isinstance(rate, str) else rate
            return optimizer(name, learning_rate=rate, momentum=self.momentum, weight_decay=self.weight_decay)
        for setting in ("learning_rate", "momentum", "weight_decay"):
            if getattr(self, setting) is not None:
                whose = "kfac, which finds its own steps" if name == "kfac" else "an Optax transformation, which has it"
                raise ValueError(f"{setting} does not apply to {whose}; leave it out")
        if isinstance(self.optimizer, optax.GradientTransformation):
            return self.optimizer
        from attrax.training._kfac import kfac  # names of settings are looked up without JAX

        return kfac(seed=seed)


@dataclass(frozen=True, slots=True)
class Augmentation(Record):
    """What a network is trained on in place of the clean examples. Whatever is `None` is the writer's choice.

    Each step splits the examples into equal groups: one for the noise, one for each corruption, and one for the
    adversarial deviations. The target is always the clean example, or its successor in a sequence.

    **Fields:**

    - `noise`: standard deviation of Gaussian noise on the inputs, in the scale of the patterns.
    - `corruptions`: texts such as `"occlude:0.7"` (see `attrax.corrupt`), or functions of a key and a state that return
      a state. The level is drawn up to the given one; a corruption named twice gets twice the examples.
    - `adversarial_deviation`: root mean square of deviations along the direction in which the network contracts least,
      which is found during training; see `Objective`. They reach at most 0.4 of the way to the nearest other example.
    - `jacobian_penalty`: coefficient λ of a penalty λ‖J‖²_F on the clean examples.
    - `copies`: how often each example occurs in a step, each time with a new augmentation.
    """

    noise: float | None = None
    corruptions: Sequence[str | Corruption | Callable[..., Any]] | None = None
    adversarial_deviation: float | None = None
    jacobian_penalty: float | None = None
    copies: int | None = None

    def __post_init__(self) -> None:
        for name in ("noise", "adversarial_deviation", "jacobian_penalty"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.real(name, getattr(self, name), least=0))
        if self.copies is not None:
            object.__setattr__(self, "copies", checks.integer("copies", self.copies, least=1))
        if self.corruptions is None:
            return
        if isinstance(self.corruptions, str) or not isinstance(self.corruptions, Sequence):
            raise ValueError(
                f"corruptions must be a sequence of corruptions, such as ('occlude:0.7',); got {self.corruptions!r}"
            )
        object.__setattr__(self, "corruptions", tuple(self.corruptions))
        self.parsed()

    @property
    def changes_inputs(self) -> bool:
        """Whether training minimizes anything other than the loss on the clean examples."""
        return bool(self.noise or self.corruptions or self.adversarial_deviation or self.jacobian_penalty)

    def parsed(self, shape: tuple[int, ...] | None = None) -> tuple[Corruption, ...]:
        """The corruptions as records. **Raises** `ValueError` if one of them does not fit states of `shape`."""
        corruptions = tuple(as_corruption(given) for given in self.corruptions or ())
        if shape is not None:
            for corruption in corruptions:
                corruption.check_shape(shape)
        return corruptions


_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in (Training, Augmentation)}


def with_settings(
    owner: str, training: Training | None, augmentation: Augmentation | None, settings: Mapping[str, Any]
) -> tuple[Training, Augmentation]:
    """The two records with `settings`, named by their fields, filled in. `Gradient(noise=0.05)` uses this.

    **Raises** `ValueError` if an argument is not such a record, `TypeError` for a name that neither of them has.

    ```python
    >>> from attrax.training import with_settings
    >>> training, augmentation = with_settings("Gradient", None, None, {"epochs": 500, "noise": 0.05})
    >>> training.epochs, augmentation.noise
    (500, 0.05)

    ```
    """
    training = Training() if training is None else training
    augmentation = Augmentation() if augmentation is None else augmentation
    for name, record, kind in (("training", training, Training), ("augmentation", augmentation, Augmentation)):
        if not isinstance(record, kind):
            raise ValueError(f"{name} must be an attrax.{kind.__name__}, or be omitted; got {record!r}")
    names = {name: kind for kind, own in _NAMES.items() for name in own}
    for name in settings:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"{owner} has no setting {name!r}{meant} Its settings are {', '.join(names)}.")
    mine = {name: value for name, value in settings.items() if names[name] is Training}
    rest = {name: value for name, value in settings.items() if name not in mine}
    return replace(training, **mine), replace(augmentation, **rest)


def given(record: Training | Augmentation) -> dict[str, Any]:
    """The settings of a record that are not `None`.

    ```python
    >>> import attrax as ax
    >>> ax.training.given(ax.Training(epochs=500))
    {'epochs': 500}

    ```
    """
    values = {name: getattr(record, name) for name in _NAMES[type(record)]}
    return {name: value for name, value in values.items() if value is not None}


def to_record(training: Training, augmentation: Augmentation) -> dict[str, Any]:
    """The given settings as texts and numbers.

    ```python
    >>> import attrax as ax
    >>> ax.training.to_record(ax.Training(epochs=500), ax.Augmentation(noise=0.05))
    {'epochs': 500, 'noise': 0.05, 'optimizer': 'adam', 'corruptions': []}

    ```
    """
    settings = given(training) | given(augmentation) | {"optimizer": training.optimizer_name}
    if callable(training.learning_rate):
        settings["learning_rate"] = _SCHEDULE
    settings["corruptions"] = [corruption.name for corruption in augmentation.parsed()]
    return settings


def from_record(record: Mapping[str, Any]) -> tuple[Training, Augmentation]:
    """The settings that a memory was written with, from its record. `epochs` are those for writing from scratch.

    **Raises** `ValueError` if the record does not determine them.

    ```python
    >>> from attrax import training
    >>> settings, augmentation = training.from_record({"epochs_limit": 500, "noise": 0.05})
    >>> settings.epochs, augmentation.noise
    (500, 0.05)

    ```
    """
    settings = {_FORMER.get(name, name): value for name, value in record.items() if value is not None}
    for name, value in (("optimizer", _CUSTOM), ("learning_rate", _SCHEDULE)):
        if settings.get(name) == value:
            raise ValueError(f"its {name} was an object, which a record does not keep")
    kept = {
        name: settings[name] for own in _NAMES.values() for name in own if name in settings and name != "time_limit"
    }
    epochs = record.get("scratch_epochs", record.get("epochs_limit"))
    if epochs is None:
        raise ValueError("it has no epochs_limit, the epochs that were allowed")
    kept["epochs"] = epochs
    kept["corruptions"] = tuple(record.get("corruptions") or ())
    if settings.get("optimizer") == "kfac":
        kept.pop("learning_rate", None)
    return with_settings("the record", None, None, kept)
