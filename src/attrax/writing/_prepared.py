"""The network and the patterns, prepared for training: divided, and in the coordinates to train in."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import cast, float64
from attrax._base.shown import Record
from attrax._base.types import HostStates, Map
from attrax.corruptions import Corruption
from attrax.maps import Recipe, Scalable
from attrax.patterns import Patterns
from attrax.training import (
    Augmentation,
    Coordinates,
    Objective,
    objective,
    scaled_network,
    scaled_points,
    takes_coordinates,
    training_divisor,
    unscaled_network,
)
from attrax.writing._default_training import nearest_others
from attrax.writing._network import DEFAULT_NETWORK, checked_network, drawn_once, is_recipe, made_from

_TOWARD = 0.4
"""Adversarial deviations reach so far toward the nearest other example, at most."""
_OUTSIDE = 2
"""At most so many directions for each example are added to the span because a given network reads them."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData(Record):
    """Patterns as training takes them.

    **Fields:** `patterns`; `divisor` of the states (`attrax.training.training_divisor`); `points`, the divided ones,
    n×state shape; `coordinates` to train in, `None` for training on the divided states themselves; `inputs`, the points
    or their coordinates.
    """

    patterns: Patterns
    divisor: float
    points: HostStates
    coordinates: Coordinates | None
    inputs: HostStates

    @classmethod
    def of(cls, patterns: Patterns, exponent: float | None, divisor: float | None = None) -> "TrainingData":
        """`patterns` divided by `divisor`, by default their `training_divisor`, and in coordinates with this whitening
        exponent unless `None`."""
        divisor = training_divisor(patterns) if divisor is None else divisor
        points = scaled_points(patterns, divisor)
        coordinates = None if exponent is None else Coordinates.of(points, exponent)
        inputs = points if coordinates is None else coordinates.encode(points)
        return cls(patterns, divisor, points, coordinates, inputs)

    @property
    def targets(self) -> HostStates:
        """What each input is to be sent to."""
        return self.inputs[self.patterns.successor]

    def objective(self, augmentation: Augmentation, corruptions: tuple[Corruption, ...], dtype: np.dtype) -> Objective:
        """The training objective with these corruptions and what else `augmentation` asks for."""
        spread = 1.0 if self.coordinates is None else self.coordinates.scale
        return objective(
            noise=np.asarray((augmentation.noise or 0.0) / self.divisor / spread),
            corruptions=corruptions,
            parts=self.patterns.parts,
            pictures=self.patterns.points,
            coordinates=self.coordinates,
            adversarial_deviation=self._deviations((augmentation.adversarial_deviation or 0.0) / self.divisor),
            jacobian_penalty=(augmentation.jacobian_penalty or 0.0) / self.divisor / self.divisor,
            successor=self.patterns.successor,
            divisor=self.divisor,
            dtype=dtype,
        )

    def _deviations(self, wanted: float) -> float | np.ndarray:
        """The root mean square of the adversarial deviation of each example: `wanted`, but not so much that it would
        reach the middle between the example and another one, where nothing says which of them is meant."""
        if not wanted or len(self.inputs) < 2:
            return wanted
        vectors = np.asarray(self.inputs, np.float64).reshape(len(self.inputs), -1)
        nearest = np.sqrt(nearest_others(vectors)[0] / vectors.shape[1])
        return np.minimum(wanted, _TOWARD * nearest)

    def finish(self, trained: Any) -> Any:
        """Converts a trained network to one that acts on states."""
        trained = trained if self.coordinates is None else self.coordinates.fold(trained)
        return unscaled_network(trained, self.divisor)


def prepared(
    network: Map | Recipe | None, patterns: Patterns, exponent: float | None, *, key: PRNGKeyArray
) -> tuple[Any, TrainingData]:
    """The network to train, which acts on the inputs of the data, and the data: `patterns`, in coordinates with this
    whitening exponent unless `None`.

    **Raises** `ValueError` for a network that does not fit, or for coordinates that it does not take.
    """
    shape = patterns.shape
    chosen: Any = checked_network(DEFAULT_NETWORK if network is None else network, shape)
    if exponent is None:
        drawn = is_recipe(chosen)
        initial = made_from(chosen, shape, key) if drawn else chosen
        data = TrainingData.of(patterns, None, training_divisor(patterns) if isinstance(initial, Scalable) else 1.0)
        # A given network is on states, so it is converted. A new one is drawn for divided states, whatever the divisor.
        return initial if drawn else scaled_network(initial, data.divisor), data
    drawn_network = drawn_once(chosen, shape, key=key)
    if not takes_coordinates(drawn_network):
        raise ValueError(
            "coordinates are centered, which needs a fully connected network with biases in the first and the last "
            "layer; omit coordinates, or allow biases"
        )
    data = TrainingData.of(
        patterns, exponent, training_divisor(patterns) if isinstance(drawn_network, Scalable) else 1.0
    )
    coordinates = data.coordinates
    assert coordinates is not None  # there is an exponent
    if is_recipe(chosen):
        return made_from(chosen, (coordinates.rank,), key), data
    with float64():
        scaled = scaled_network(chosen, data.divisor)
        # What the network reads outside the span is kept where that takes few coordinates.
        coordinates = coordinates.with_directions(np.asarray(scaled.weights[0]), most=_OUTSIDE * len(patterns))
        data = replace(data, coordinates=coordinates, inputs=coordinates.encode(data.points))
        unfolded = coordinates.unfold(scaled)
        return jax.tree.map(np.asarray, cast(unfolded, chosen.weights[0].dtype)), data
