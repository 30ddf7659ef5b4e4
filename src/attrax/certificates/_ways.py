"""Open sequences: whether the map, started at the first state, takes the way that was stored."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from attrax._base.numerics import float64
from attrax._base.types import HostStates
from attrax.maps import ReducedMap
from attrax.patterns import Patterns

_STAY = 64
"""Steps for which the state at the end has to stay what it is."""


def way_errors(way: ReducedMap, patterns: Patterns, originals: HostStates) -> Float[np.ndarray, " w"]:
    """For each open sequence, the largest mean squared distance from the states that were given.

    The sequence is run from its first state as given, in 64 bits, to the state it ends in, round the cycle that this
    state is on, and on for 64 steps. Infinite where a state is not finite.
    """
    found = []
    for path in patterns.ways:
        index = list(path[1:])
        for _ in range(_STAY):
            index.append(int(patterns.successor[index[-1]]))
        first = np.asarray(originals[path[0]], np.float64)
        wanted = np.asarray(originals[index], np.float64).reshape(len(index), -1)
        with float64():
            states = np.asarray(_run(way, first, len(index))).reshape(len(index), -1)
        error = float(np.mean((states - wanted) ** 2, axis=1).max())
        found.append(error if np.isfinite(error) else np.inf)
    return np.array(found, float)


@eqx.filter_jit
def _run(way: ReducedMap, first: Any, count: int) -> Any:
    """The `count` states after `first`."""

    def advance(z: Any, _: Any) -> tuple[Any, Any]:
        return way.step(z), way.leave(z)

    return jax.lax.scan(advance, way.enter(first), None, length=count)[1]
