"""The network and the patterns, prepared for training: in units of the patterns, and in the coordinates to train in."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import cast, float64
from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates, Map
from attrax.maps import Recipe, Scalable
from attrax.patterns import Patterns
from attrax.training import (
    Augmentation,
    Coordinates,
    Objective,
    in_units,
    objective,
    out_of_units,
    points_in_units,
    takes_coordinates,
    training_divisor,
)
from attrax.writing._network import DEFAULT_NETWORK, checked_network, drawn_once, is_recipe, made_from


@dataclass(frozen=True, slots=True, eq=False)
class Prepared(Record):
    """The network and the patterns as training takes them; `finish` leads back to states.

    **Fields:** `network`, which acts on coordinates if there are `coordinates`, else on states; `inputs` and `targets`,
    the patterns in the form the network takes; `pictures` and `successor`, the points and successors of the patterns;
    `coordinates`; `divisor` of the states (`attrax.training.training_divisor`); `parts` of pairs.
    """

    network: Any
    inputs: HostStates
    targets: HostStates
    pictures: HostStates
    successor: HostIndices
    coordinates: Coordinates | None
    divisor: float = 1.0
    parts: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def objective(self, augmentation: Augmentation) -> Objective | None:
        """The training objective; `None` for training on the clean examples."""
        if not augmentation.changes_inputs:
            return None
        return objective(
            noise=np.asarray(
                (augmentation.noise or 0.0)
                / self.divisor
                / (1.0 if self.coordinates is None else self.coordinates.scale)
            ),
            corruptions=augmentation.parsed(self.pictures.shape[1:] if self.parts is None else self.parts[0]),
            parts=self.parts,
            pictures=self.pictures,
            coordinates=self.coordinates,
            adversarial_deviation=(augmentation.adversarial_deviation or 0.0) / self.divisor,
            jacobian_penalty=(augmentation.jacobian_penalty or 0.0) / self.divisor**2,
            successor=self.successor,
            divisor=self.divisor,
            dtype=next(np.dtype(leaf.dtype) for leaf in jax.tree.leaves(self.network) if eqx.is_inexact_array(leaf)),
        )

    def finish(self, trained: Any) -> Any:
        """Converts the trained network to one that acts on states."""
        trained = trained if self.coordinates is None else self.coordinates.fold(trained)
        return out_of_units(trained, self.divisor)


def prepared(
    network: Map | Recipe | None, patterns: Patterns, exponent: float | None, *, key: PRNGKeyArray
) -> Prepared:
    """`network` and `patterns` prepared for training, in coordinates with this whitening exponent unless `None`.

    **Raises** `ValueError` for a network that does not fit, or for coordinates that it does not take.
    """
    shape, parts = patterns.shape, patterns.parts
    chosen: Any = checked_network(DEFAULT_NETWORK if network is None else network, shape)
    if exponent is None:
        drawn = is_recipe(chosen)
        initial = made_from(chosen, shape, key) if drawn else chosen
        divisor = training_divisor(patterns) if isinstance(initial, Scalable) else 1.0
        # A given network is on states, so it is converted. A new one is drawn for divided states, whatever the divisor.
        initial = initial if drawn else in_units(initial, divisor)
        points = points_in_units(patterns, divisor)
        return Prepared(
            initial, points, points[patterns.successor], patterns.points, patterns.successor, None, divisor, parts
        )
    drawn_network = drawn_once(chosen, shape, key=key)
    if not takes_coordinates(drawn_network):
        raise ValueError(
            "coordinates are centered, which needs a fully connected network with biases in the first and the last "
            "layer; omit coordinates, or allow biases"
        )
    divisor = training_divisor(patterns) if isinstance(drawn_network, Scalable) else 1.0
    points = points_in_units(patterns, divisor)
    coordinates = Coordinates.of(points, exponent)
    if is_recipe(chosen):
        initial = made_from(chosen, (coordinates.rank,), key)
    else:
        with float64():
            initial = jax.tree.map(
                np.asarray, cast(coordinates.unfold(in_units(chosen, divisor)), chosen.weights[0].dtype)
            )
    inputs = coordinates.encode(points)
    after = patterns.successor
    return Prepared(initial, inputs, inputs[after], patterns.points, after, coordinates, divisor, parts)
