"""What writers share: their inputs, where training starts, and what they return."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import cast, float64
from attrax._base.shown import Record
from attrax._base.status import StoreStatus
from attrax._base.types import HostIndices, HostStates, Map, Progress
from attrax.maps import Recipe, mlp
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import (
    Augmentation,
    Coordinates,
    Layered,
    Objective,
    in_units,
    objective,
    out_of_units,
    points_in_units,
    takes_coordinates,
    training_unit,
)

GROWTH = (0.25, 0.5, 1.0)
"""Epochs of the attempts at a change, as fractions of the epochs for writing from scratch."""
DEFAULT_NETWORK = partial(mlp, width=512, depth=5, init="kaiming_uniform")
"""The network that `Gradient` trains if none is given."""


@dataclass(frozen=True, slots=True, eq=False)
class Written(Record):
    """What a writer returns to `store`.

    **Fields:** `map`; `loss`, mean squared error on the clean patterns in float64; `epochs`; `seconds`; `status`,
    whether training reached its target; `details`, names, numbers and texts for the record, including `writer`, its
    name; `memory`, if the writer has already refined and certified it.
    """

    map: Map
    loss: float
    epochs: int
    seconds: float
    status: StoreStatus
    details: dict[str, Any]
    memory: Memory | None = None


class Writer(Protocol):
    """What turns patterns into a map, and changes one later. Any object with these two methods is a writer."""

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
        """A map that sends each point of `patterns` to its successor.

        **Arguments:** `network`, the map to start from or a recipe for a new one; `None` leaves it to the writer. A
        writer that makes its own network refuses it with a `ValueError`. `recovery_atol` matters only to a writer that
        returns a certified `memory`. The others are those of `store`.
        """
        ...

    def grow(
        self,
        memory: Memory,
        patterns: Patterns,
        kept: Sequence[int],
        *,
        key: PRNGKeyArray,
        progress: Progress | None = None,
    ) -> Iterator[Written]:
        """Attempts to write the changed `patterns`, starting from the memory as it is; the first certified one is used.

        **Arguments:** `patterns`, everything that the changed memory stores; `kept`, the indices in `memory` of the
        patterns that remain, which come first and in this order. `memory.written` holds the details from when it was
        written.
        """
        ...


def checked_writer(writer: Any, verb: str) -> Any:
    """`writer`, if it has the method `verb`. **Raises** `ValueError` otherwise."""
    if isinstance(writer, type) or not callable(getattr(writer, verb, None)):
        raise ValueError(
            f"writer must be an object with the method {verb}, such as Gradient(), see attrax.writing.Writer; "
            f"got {writer!r}"
        )
    return writer


def checked_network(network: Any, shape: tuple[int, ...]) -> Any:
    """`network`, if it is a recipe, or a map that keeps states of `shape` and can be trained.

    **Raises** `ValueError` otherwise.
    """
    if network is None or is_recipe(network):
        return network
    wanted = f"network must be a module from a state of shape {shape} to one of the same shape, or a recipe for one"
    if not callable(network) or isinstance(network, type):
        raise ValueError(f"{wanted}, such as functools.partial(attrax.maps.mlp, width=512, depth=5); got {network!r}")
    if isinstance(network, Layered) and network.shape != shape:
        raise ValueError(f"network must map states of shape {shape}, as the examples have; got {network.shape}")
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(network) if _is_inexact(leaf)}
    if len(dtypes) != 1 or not np.issubdtype(next(iter(dtypes)), np.floating):
        found = f"arrays of {', '.join(sorted(map(str, dtypes)))}" if dtypes else "none"
        raise ValueError(
            f"network must have arrays of one real floating-point type to be trained; {_name(network)} "
            f"has {found}. Give an Equinox module"
        )
    dtype = dtypes.pop()
    module: Any = network
    try:
        with float64():
            found = jax.eval_shape(module, jax.ShapeDtypeStruct(shape, dtype))
    except Exception as error:  # whatever goes wrong, the module is not a map of such states
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{wanted}; {_name(network)} fails on such a state: {reason}. Dropout and the like must be in inference "
            "mode (equinox.nn.inference_mode)"
        ) from error
    if getattr(found, "shape", None) != shape:
        raise ValueError(f"{wanted}; {_name(network)} gives {getattr(found, 'shape', type(found).__name__)}")
    return network


def is_recipe(network: Any) -> bool:
    """Whether `network` is a recipe for a new network. A `jax.tree_util.Partial` may hold arrays and counts as a
    map."""
    return isinstance(network, partial) and not isinstance(network, jax.tree_util.Partial)


def _is_inexact(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | jax.Array) and np.issubdtype(leaf.dtype, np.inexact)


def _name(network: Any) -> str:
    return getattr(network, "__name__", type(network).__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Start(Record):
    """Where training starts.

    **Fields:** `network`, which acts on coordinates if there are `coordinates`, else on states; `inputs` and `targets`,
    the patterns in the form the network takes; `pictures` and `successor`, the points and successors of the patterns;
    `coordinates`; `unit`, by which states are divided first (`attrax.training.training_unit`).
    """

    network: Any
    inputs: HostStates
    targets: HostStates
    pictures: HostStates
    successor: HostIndices
    coordinates: Coordinates | None
    unit: float = 1.0

    def objective(self, augmentation: Augmentation) -> Objective | None:
        """The training objective; `None` for training on the clean examples."""
        if not augmentation.changes_inputs:
            return None
        return objective(
            noise=np.asarray(
                (augmentation.noise or 0.0) / self.unit / (1.0 if self.coordinates is None else self.coordinates.scale)
            ),
            corruptions=augmentation.parsed(self.pictures.shape[1:]),
            pictures=self.pictures,
            coordinates=self.coordinates,
            adversarial_deviation=(augmentation.adversarial_deviation or 0.0) / self.unit,
            jacobian_penalty=(augmentation.jacobian_penalty or 0.0) / self.unit**2,
            successor=self.successor,
            unit=self.unit,
            dtype=next(np.dtype(leaf.dtype) for leaf in jax.tree.leaves(self.network) if _is_inexact(leaf)),
        )

    def finish(self, trained: Any) -> Any:
        """Converts the trained network to one that acts on states."""
        trained = trained if self.coordinates is None else self.coordinates.fold(trained)
        return trained if self.unit == 1 else out_of_units(trained, self.unit)


def start(network: Map | Recipe | None, patterns: Patterns, exponent: float | None, *, key: PRNGKeyArray) -> Start:
    """Where to start training `network` on `patterns`, in coordinates with this whitening exponent unless `None`.

    **Raises** `ValueError` for a network that does not fit, or for coordinates that it does not take.
    """
    shape = patterns.shape
    given: Any = checked_network(DEFAULT_NETWORK if network is None else network, shape)
    if exponent is None:
        drawn = is_recipe(given)
        begun = _made(given, shape, key) if drawn else given
        unit = training_unit(patterns) if isinstance(begun, Layered) else 1.0
        begun = begun if drawn or unit == 1 else in_units(begun, unit)
        points = points_in_units(patterns, unit)
        return Start(begun, points, points[patterns.successor], patterns.points, patterns.successor, None, unit)
    if not takes_coordinates(drawn_once(given, shape, key=key)):
        raise ValueError(
            "coordinates are centered, which needs a fully connected network with biases in the first and the last "
            "layer; omit coordinates, or allow biases"
        )
    unit = training_unit(patterns)
    points = points_in_units(patterns, unit)
    coordinates = Coordinates.of(points, exponent)
    if is_recipe(given):
        begun = _made(given, (coordinates.rank,), key)
    else:
        with float64():
            begun = jax.tree.map(np.asarray, cast(coordinates.unfold(in_units(given, unit)), given.weights[0].dtype))
    inputs = coordinates.encode(points)
    return Start(begun, inputs, inputs[patterns.successor], patterns.points, patterns.successor, coordinates, unit)


def drawn_once(network: Map | Recipe | None, shape: tuple[int, ...], *, key: PRNGKeyArray) -> Any:
    """The network, or the shapes of what a recipe makes, without allocating arrays where possible."""
    given: Any = DEFAULT_NETWORK if network is None else network
    if not is_recipe(given):
        return given
    try:
        return eqx.filter_eval_shape(given, shape, key=key)
    except Exception:  # it draws on the host; any other problem shows when it is called
        return _made(given, shape, key)


def _made(recipe: Any, shape: tuple[int, ...], key: PRNGKeyArray) -> Any:
    """Makes a new network on states of `shape`."""
    try:
        found = recipe(shape, key=key)
    except TypeError as error:
        raise ValueError(f"network must be a recipe that is called as recipe(shape, key=key); {error}") from error
    return checked_network(found, shape)
