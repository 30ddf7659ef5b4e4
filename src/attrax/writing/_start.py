"""What writers share: what they are given, where training starts, and what they hand back."""

import os
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import cast, float64
from attrax._base.status import StoreStatus
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.corruptions import Corruption
from attrax.maps import MLP, Recipe, mlp
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import Coordinates, Objective, objective


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What a writer hands to `store`.

    **Fields:** `map`; `loss`, mean squared error on the clean patterns in float64; `epochs`; `seconds`; `status`,
    which tells whether training went as asked; `details`, names and numbers for the record; `memory`, where the writer
    has refined and certified it already.
    """

    map: MLP
    loss: float
    epochs: int
    seconds: float
    status: StoreStatus
    details: dict[str, Any]
    memory: Memory | None = None


class Writer(Protocol):
    """Anything that turns a network and patterns into a trained network."""

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
        """Trains `network`, or a fresh one from a recipe, to send each point of `patterns` to its successor.

        `None` leaves the network to the writer.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where training starts.

    **Fields:** `network`, on coordinates if there are `coordinates`, else on states; `inputs` and `targets`, the
    patterns as the network takes them; `pictures` and `successor`, the patterns' own points and order; `coordinates`.
    """

    network: MLP
    inputs: HostStates
    targets: HostStates
    pictures: HostStates
    successor: HostIndices
    coordinates: Coordinates | None

    def seen(
        self,
        *,
        noise: float = 0.0,
        coordinate_noise: float = 0.0,
        corruptions: tuple[Corruption, ...] = (),
        deviation: float = 0.0,
        penalty: float = 0.0,
    ) -> Objective | None:
        """What training sees; `None` where that is the clean examples.

        `noise` is the standard deviation of isotropic noise on states, `coordinate_noise` of isotropic noise on what
        the network takes, `deviation` the root mean square over the entries of a deviation as the network takes it.
        """
        if not (noise or coordinate_noise or corruptions or deviation or penalty):
            return None
        scale = 1.0 if self.coordinates is None else self.coordinates.scale
        return objective(
            noise=np.hypot(noise / scale, coordinate_noise),
            corruptions=corruptions,
            pictures=self.pictures,
            coordinates=self.coordinates,
            deviation=deviation,
            penalty=penalty,
            successor=self.successor,
            dtype=np.asarray(self.network.weights[0]).dtype,
        )

    def finish(self, trained: MLP) -> MLP:
        """The network on states that belongs to the trained one."""
        return trained if self.coordinates is None else self.coordinates.fold(trained)


def start(network: MLP | Recipe | None, patterns: Patterns, exponent: float | None, *, key: PRNGKeyArray) -> Start:
    """Where to start training `network` on `patterns`, in coordinates with this whitening exponent unless `None`.

    **Raises** `ValueError` for a network of another shape, or one without biases where there are coordinates.
    """
    shape = patterns.shape
    if network is None:
        network = partial(mlp, width=512, depth=5, init="kaiming_uniform")
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
        return Start(begun, patterns.points, patterns.targets, patterns.points, patterns.successor, None)
    if begun.biases[0] is None or begun.biases[-1] is None:
        raise ValueError("coordinates are centered, which takes biases in the first and the last layer; allow them")
    inputs = coordinates.encode(patterns.points)
    return Start(begun, inputs, inputs[patterns.successor], patterns.points, patterns.successor, coordinates)
