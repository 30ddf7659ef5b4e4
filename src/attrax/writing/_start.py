"""What writers share: what they are given, where training starts, and what they hand back."""

import os
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._numerics import cast, float64
from attrax._patterns import Patterns
from attrax._status import StoreStatus
from attrax._types import HostStates, Progress
from attrax.maps import MLP, Recipe
from attrax.training import Coordinates


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a writer hands to `store`.

    **Fields:** `map`; `loss`, mean squared error on the clean patterns in float64; `epochs`; `seconds`; `status`,
    which tells whether training went as asked; `details`, names and numbers for the record.
    """

    map: MLP
    loss: float
    epochs: int
    seconds: float
    status: StoreStatus
    details: dict[str, Any]


class Writer(Protocol):
    """Anything that turns a network and patterns into a trained network."""

    def __call__(
        self,
        network: MLP | Recipe,
        patterns: Patterns,
        *,
        key: PRNGKeyArray,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> Written:
        """Trains `network`, or a fresh one from a recipe, to send each point of `patterns` to its successor."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where training starts.

    **Fields:** `network`, on coordinates if there are `coordinates`, else on states; `inputs` and `targets`, the
    patterns as the network takes them; `coordinates`.
    """

    network: MLP
    inputs: HostStates
    targets: HostStates
    coordinates: Coordinates | None

    def spread(self, noise: float) -> float | np.ndarray:
        """Standard deviations, as the network takes its input, of isotropic noise on states."""
        return noise if self.coordinates is None else noise / self.coordinates.scale

    def finish(self, trained: MLP) -> MLP:
        """The network on states that belongs to the trained one."""
        return trained if self.coordinates is None else self.coordinates.fold(trained)


def start(network: MLP | Recipe, patterns: Patterns, exponent: float | None, *, key: PRNGKeyArray) -> Start:
    """Where to start training `network` on `patterns`, in coordinates with this whitening exponent unless `None`.

    **Raises** `ValueError` for a network of another shape, or one without biases where there are coordinates.
    """
    shape = patterns.shape
    coordinates = None if exponent is None else Coordinates.of(patterns.points, exponent)
    if not isinstance(network, MLP):
        begun = network(shape if coordinates is None else (coordinates.rank,), key=key)
    else:
        if network.shape != shape:
            raise ValueError(f"network must map states of shape {shape}, as the examples have; got {network.shape}")
        begun = network
        if coordinates is not None:
            dtype = np.asarray(network.weights[0]).dtype
            with float64():
                begun = jax.tree.map(np.asarray, cast(coordinates.unfold(network), dtype))
    if coordinates is None:
        return Start(begun, patterns.points, patterns.targets, None)
    if begun.biases[0] is None or begun.biases[-1] is None:
        raise ValueError("coordinates are centered, which takes biases in the first and the last layer; allow them")
    inputs = coordinates.encode(patterns.points)
    return Start(begun, inputs, inputs[patterns.successor], coordinates)
