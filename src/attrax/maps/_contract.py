"""What attrax asks of a map.

A map is a callable from one state to a state of the same shape, written with JAX. Nothing else is required, and nobody
outside this package asks for its kind. What a map can do beyond being called is a *capability*: an optional method of
its class, one of the protocols below. Beside each stands the function that the rest of attrax calls; it answers for
every callable, in a general way where the map has no better one.

To add a kind of map: write an `equinox.Module` with `__call__`, and those of the methods below that it does better than
the general way. No method has to be there, and no other file changes, save for one line in `maps/_kinds.py` where files
shall hold the map itself. `tests/maps/test_contract.py` runs one checker over all kinds.
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
        """These coordinates, or `None` where they would cost more. Called with the weights in float64."""
        ...


def reduced_map(map: Map, shape: tuple[int, ...]) -> ReducedMap:
    """The cheapest way of iterating `map` on states of `shape`, in 64 bits. Call it within `float64()`."""
    exact = cast(map, np.float64)
    reduced = exact.reduced_map() if isinstance(exact, Reducible) else None
    return plain_map(exact, shape) if reduced is None else reduced


@runtime_checkable
class Linearizable(_Map, Protocol):
    """A map that knows its Jacobian product round a cycle better than automatic differentiation does."""

    def linearizer(self) -> Linearizer:
        """What turns a cycle into its `Linearization`; work that all cycles share is done here, once."""
        ...


def linearizer(map: Map) -> Linearizer:
    """What turns a cycle of `map` into its `Linearization`.

    In general the Jacobians are formed by automatic differentiation, up to 2,048 entries per state; beyond that there
    are only products with vectors.

        >>> import numpy as np
        >>> linearize = linearizer(lambda x: x / 2)
        >>> linearize(np.zeros((1, 3)), 0.0).forward(np.ones(3)).tolist()
        [0.5, 0.5, 0.5]
    """
    return map.linearizer() if isinstance(map, Linearizable) else general_linearizer(map)


class BallBounds(Protocol):
    """How much one application stretches deviations within a ball in one norm, measured in another norm after it."""

    contraction: float
    """Bound on the factor for infinitely small deviations."""
    start: float
    """A radius to begin a search with: one at which the bound begins to change."""

    def growth(self, radius: float, away: float = 0.0) -> float:
        """Bound on the factor within `radius` of the exact state, which lies within `away` of the given one.

        It never decreases with the radius.
        """
        ...

    def linear_radius(self) -> float:
        """The radius up to which the map is affine; 0 where it is curved or nothing is known."""
        ...


class StepBounds(Protocol):
    """One application of a map at one state, with bounds on what it does to deviations from that state.

    Deviations may be written in fewer coordinates u than a state has entries, where ‖u‖₂ is at most the Euclidean norm
    of the deviation, the next u depends on this one alone, and u → 0 means that the states converge.
    """

    jacobian: np.ndarray
    """Of the next u by this one, at the state."""
    output_error: float
    """Bound on the rounding error of the next state as computed."""

    def thin(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The Jacobian as a product of a tall and a wide matrix, where this saves work."""
        ...

    def ball(self, here: Norm, there: Norm) -> BallBounds:
        """The bounds in a norm before the application and one after it."""
        ...


BoundSteps: TypeAlias = Callable[[HostStates], Sequence[StepBounds] | None]
"""Called with a cycle, p×state shape: the bounds at each of its states, or `None` where they would cost too much."""


@runtime_checkable
class Bounded(_Map, Protocol):
    """A map that bounds its slopes over whole balls, so that radii of basins can be proved."""

    def step_bounds(self) -> BoundSteps | None:
        """What turns a cycle into bounds at each of its states; work that all cycles share is done here, once.

        `None` where this one of the maps bounds nothing after all."""
        ...


def step_bounds(map: Map) -> BoundSteps | None:
    """What turns a cycle into bounds at each of its states; `None` for a map that bounds nothing by itself.

    For such a map see `maps.quadratic_bounds`, which takes a bound on its second derivative.
    """
    return map.step_bounds() if isinstance(map, Bounded) else None


@runtime_checkable
class Describable(_Map, Protocol):
    """A map that can say more of itself than the name of its class."""

    def describe(self) -> Description:
        """The map for people."""
        ...


def describe(map: Map) -> Description:
    """What people are told of `map`: one line, and the number of its parameters.

    >>> import jax.random as jr
    >>> from attrax.maps import mlp
    >>> describe(mlp((28, 28), width=(512, 512, 100), key=jr.key(0))).text
    '2×512+1×100 relu units'
    """
    return map.describe() if isinstance(map, Describable) else general_description(map)


def shapes_of(map: Any) -> tuple[tuple[int, ...], ...]:
    """The one shape of the states of `map` where it has a `shape`, which is a tuple of numbers; else none.

    >>> import jax.random as jr
    >>> from attrax.maps import mlp
    >>> shapes_of(mlp((28, 28), width=8, depth=1, key=jr.key(0))), shapes_of(lambda x: x / 2)
    (((28, 28),), ())
    """
    shape = getattr(map, "shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
        return ()
    return (shape,)


@runtime_checkable
class Storable(_Map, Protocol):
    """A map that files hold. Its class has a name in `maps.KINDS`; of any other map a file holds all but the map."""

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """All that makes the map: arrays by name, and settings that JSON can hold."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """The map made of these. **Raises** `ValueError`, `KeyError` or `TypeError` where they do not fit together."""
        ...
