"""What attrax asks of a map.

A map is a callable from one state to a state of the same shape, written with JAX. Nothing else is required, and no code
outside this package asks what kind of map it is. What a map can do beyond being called is a *capability*: an optional
method of its class, one of the protocols below. Next to each protocol is the function that the rest of attrax calls. It
works for every callable, and uses a general method where the map has no better one.

To add a kind of map: write an `equinox.Module` with `__call__`, and those of the methods below that improve on the
general method. All of them are optional. No other file changes, except for one line in `maps/_kinds.py` if files should
hold the map itself. `tests/maps/test_contract.py` runs one checker over all kinds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np

from attrax._base.numerics import cast
from attrax._base.types import HostStates, Map
from attrax.linalg import Norm
from attrax.maps._description import Description
from attrax.maps._linearization import Linearizer
from attrax.maps._reduced_map import ReducedMap
from attrax.maps.wrapped import general_description, general_linearizer, plain_map


class _Map(Protocol):
    def __call__(self, x: Any, /) -> Any: ...


@runtime_checkable
class Reducible(_Map, Protocol):
    """A map that can be iterated in fewer coordinates than a state has entries."""

    def reduced_map(self) -> ReducedMap | None:
        """The reduced map, or `None` if it would cost more than iterating the state. Called with the weights in
        float64."""
        ...


def reduced_map(map: Map, shape: tuple[int, ...]) -> ReducedMap:
    """The cheapest way to iterate `map` on states of `shape`, in 64 bits. Call it within `float64()`.

    **Raises** `ValueError` if `map` does not take such a state to a state of the same shape and dtype.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> from attrax.extending import float64
    >>> with float64():
    ...     reduced = ax.maps.reduced_map(network, (2,))
    >>> reduced.size
    2

    ```
    """
    map64 = cast(map, np.float64)
    reduced = map64.reduced_map() if isinstance(map64, Reducible) else None
    return plain_map(map64, shape) if reduced is None else reduced


@runtime_checkable
class Linearizable(_Map, Protocol):
    """A map that computes its Jacobian product around a cycle better than automatic differentiation does."""

    def linearizer(self) -> Linearizer:
        """What turns a cycle into its `Linearization`; work that all cycles share is done here, once."""
        ...


def linearizer(map: Map) -> Linearizer:
    """What turns a cycle of `map` into its `Linearization`.

    By default the Jacobians are formed by automatic differentiation for up to 2,048 entries per state; beyond that only
    their products with vectors are computed.

        >>> import numpy as np
        >>> linearize = linearizer(lambda x: x / 2)
        >>> linearize(np.zeros((1, 3)), 0.0).forward(np.ones(3)).tolist()
        [0.5, 0.5, 0.5]
    """
    return map.linearizer() if isinstance(map, Linearizable) else general_linearizer(map)


Completion: TypeAlias = Callable[[Any, Any], Any]
"""Takes a state and a mask, true where the state is known, to a state. What the first one holds elsewhere has no
influence. Written with JAX."""


@runtime_checkable
class Completing(_Map, Protocol):
    """A map that completes a state of which only a part is known better than its own iteration does."""

    def completion(self) -> Completion | None:
        """What completes states; `None` if this particular map has nothing better than its iteration."""
        ...


def completion(map: Map) -> Completion | None:
    """What completes states of which only a part is known; `None` for a map that can only be iterated.

    A winner-take-all network has one: a mask channel, by which its scores take in only what is known.

    ```python
    >>> import equinox as eqx, jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.store(np.eye(3), writer=ax.WinnerTakeAll(epochs=5), key=jr.key(0)).map
    >>> complete = eqx.filter_jit(ax.maps.completion(network))
    >>> np.round(complete(np.array([1.0, 0.0, 0.0]), np.array([True, False, False])), 3).tolist()
    [1.0, 0.0, 0.0]
    >>> ax.maps.completion(np.tanh) is None
    True

    ```
    """
    return map.completion() if isinstance(map, Completing) else None


class BallBounds(Protocol):
    """How much one application of the map stretches deviations within a ball. Deviations are measured in one norm
    before the application and in another after it."""

    contraction: float
    """Bound on the stretching factor for infinitesimal deviations."""
    first_radius: float
    """A radius to start a search from: one at which the bound begins to change."""

    def growth(self, radius: float, away: float = 0.0) -> float:
        """Bound on the stretching factor within `radius` of the exact state, which is within `away` of the given one.

        It never decreases with the radius.
        """
        ...

    def linear_radius(self) -> float:
        """The radius up to which the map is affine; 0 if it is curved or nothing is known."""
        ...


class StepBounds(Protocol):
    """One application of a map at one state, with bounds on what it does to deviations from that state.

    Deviations may be written in fewer coordinates u than a state has entries, provided that ‖u‖₂ is at most the
    Euclidean norm of the deviation, the next u depends only on the current one, and u → 0 implies that the states
    converge.
    """

    jacobian: np.ndarray
    """Jacobian of the next u with respect to the current one, at the state."""
    output_error: float
    """Bound on the rounding error of the computed next state."""

    def thin(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The Jacobian as a product of a tall and a wide matrix, or `None` where this saves no work."""
        ...

    def ball(self, here: Norm, there: Norm) -> BallBounds:
        """The bounds for the norm `here` before the application and the norm `there` after it."""
        ...


BoundSteps: TypeAlias = Callable[[HostStates], Sequence[StepBounds] | None]
"""Called with a cycle, p×state shape. Returns the bounds at each of its states, or `None` where they would cost too
much."""


@runtime_checkable
class Bounded(_Map, Protocol):
    """A map that can bound its slopes over whole balls, so that radii of basins can be proved."""

    def step_bounds(self) -> BoundSteps | None:
        """What turns a cycle into bounds at each of its states; work that all cycles share is done here, once.

        `None` if this particular map has no bounds."""
        ...


def step_bounds(map: Map) -> BoundSteps | None:
    """What turns a cycle into bounds at each of its states; `None` for a map that has no bounds of its own.

    For such a map see `maps.quadratic_bounds`, which takes a bound on its second derivative.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> ax.maps.step_bounds(network) is None, ax.maps.step_bounds(np.tanh) is None
    (False, True)

    ```
    """
    return map.step_bounds() if isinstance(map, Bounded) else None


@runtime_checkable
class Scalable(_Map, Protocol):
    """A map that can be written in other units of its states, so that training does not depend on these."""

    def in_units(self, unit: float) -> Self:
        """The map of the same kind x ↦ f(unit·x)/unit."""
        ...


@runtime_checkable
class Describable(_Map, Protocol):
    """A map that can describe itself by more than the name of its class."""

    def describe(self) -> Description:
        """A short description for people."""
        ...


def describe(map: Map) -> Description:
    """A short description of `map` for people: one line, and the number of its parameters.

    ```python
    >>> import jax.random as jr
    >>> from attrax.maps import mlp
    >>> describe(mlp((28, 28), width=(8, 8, 4), key=jr.key(0))).text
    '3 hidden layers of relu units (2 of 8, 1 of 4)'

    ```
    """
    return map.describe() if isinstance(map, Describable) else general_description(map)


def shapes_of(map: Any) -> tuple[tuple[int, ...], ...]:
    """The shape of the states of `map`, as a tuple of one, if the map has an attribute `shape` that is a tuple of
    integers; else an empty tuple.

    ```python
    >>> import jax.random as jr
    >>> from attrax.maps import mlp
    >>> shapes_of(mlp((28, 28), width=(8, 8, 4), key=jr.key(0))), shapes_of(lambda x: x / 2)
    (((28, 28),), ())

    ```
    """
    shape = getattr(map, "shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
        return ()
    return (shape,)


@runtime_checkable
class Densifiable(_Map, Protocol):
    """A map that may keep matrices as fewer numbers than they have entries."""

    def dense(self) -> Self:
        """The same map with these matrices formed; itself if there are none."""
        ...


def dense_map(map: Map) -> Map:
    """`map` with all its matrices formed, equal to it up to rounding.

    ```python
    >>> from attrax import maps
    >>> halves = lambda x: x / 2
    >>> maps.dense_map(halves) is halves
    True

    ```
    """
    return map.dense() if isinstance(map, Densifiable) else map


@runtime_checkable
class Storable(_Map, Protocol):
    """A map that files can hold. Its class has a name in `maps.KINDS`. For any other map, a file holds everything
    except the map."""

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Everything needed to rebuild the map: arrays by name, and settings that JSON can hold."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The map rebuilt from these. **Raises** `ValueError`, `KeyError` or `TypeError` if they do not fit
        together."""
        ...


class OperatorWriter(Protocol):
    """Takes a map down as operators of ONNX. Values and arrays go by names."""

    def constant(self, array: Any) -> str:
        """The name of an array, for use as an input."""
        ...

    def apply(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of the output of an operator of ONNX, version 17."""
        ...

    def activate(self, activation: Any, x: str) -> str:
        """The name of φ(x), for a name of `attrax.activations`, or a record."""
        ...


@runtime_checkable
class Exportable(_Map, Protocol):
    """A map that can be written as an ONNX file, see `attrax.foreign.export`."""

    def write_operators(self, write: OperatorWriter, x: str) -> str:
        """Writes the map from `x`, a batch of states, n×state shape, and returns the name of the batch of next
        states."""
        ...
