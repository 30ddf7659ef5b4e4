"""States divided by a power of 64 for training, so that faint patterns are learned as bright ones are."""

import math
from typing import TypeVar

from attrax._base.types import HostStates
from attrax.maps import Scalable
from attrax.patterns import Patterns

S = TypeVar("S", bound=Scalable)

TOL = 1e-8
"""The loss that counts as reached where none is given, in units of the patterns."""
_LEAST = 1e-150
"""Squares of numbers from this to its inverse are numbers of 64 bits."""


def default_tol(patterns: Patterns) -> float:
    """The loss that counts as reached where none is given: 1e-8 units squared, the unit rounded to a power of 4.

    So it is the paper's 1e-8 for pictures with entries from 0 to 1.

        >>> import numpy as np
        >>> pictures = np.array([[0.0, 0.5], [0.5, 0.0]])
        >>> default_tol(Patterns.from_examples(pictures)), default_tol(Patterns.from_examples(64 * pictures))
        (1e-08, 4.096e-05)
    """
    return TOL * 16.0 ** round(math.log2(patterns.unit) / 2)


def training_divisor(patterns: Patterns) -> float:
    """What states are divided by for training: the power of 64 nearest to the unit of the patterns.

    Powers of two change no digit of a state, and their steps are so wide that it is 1 for data of ordinary size, such
    as from 0 to 1 or ±1.

        >>> import numpy as np
        >>> [training_divisor(Patterns.from_examples(s * np.eye(2))) for s in (1.0, 1e-6)]
        [1.0, 3.814697265625e-06]

    **Raises** `ValueError` for patterns so small or large that squares of their values leave the range of float64.
    """
    if not _LEAST < patterns.unit < 1 / _LEAST:
        raise ValueError(
            f"the unit of the examples must be from {_LEAST:g} to {1 / _LEAST:g} to be trained on; it is "
            f"{patterns.unit:.3g}. Divide them by that"
        )
    return 64.0 ** round(math.log2(patterns.unit) / 6)


def scaled_points(patterns: Patterns, divisor: float | None = None) -> HostStates:
    """The points divided by `divisor`, by default their `training_divisor`, in their own dtype.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> patterns = ax.Patterns.from_examples(np.array([[200.0, 0.0], [0.0, 100.0]]))
    >>> ax.training.scaled_points(patterns, 100.0).tolist()
    [[2.0, 0.0], [0.0, 1.0]]

    ```
    """
    return patterns.points / patterns.points.dtype.type(training_divisor(patterns) if divisor is None else divisor)


def scaled_network(network: S, divisor: float) -> S:
    """The network that acts on divided states as `network` does on states: x ↦ f(divisor·x)/divisor.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> scaled = ax.training.scaled_network(network, 10.0)
    >>> state = np.array([0.1, 0.2], np.float32)
    >>> np.allclose(scaled(state), np.asarray(network(10 * state)) / 10)
    True

    ```
    """
    return network if divisor == 1 else network.in_units(divisor)


def unscaled_network(network: S, divisor: float) -> S:
    """The network that acts on states as `network` does on divided states. Inverts `scaled_network`.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> back = ax.training.unscaled_network(ax.training.scaled_network(network, 10.0), 10.0)
    >>> state = np.array([0.1, 0.2], np.float32)
    >>> np.allclose(back(state), network(state))
    True

    ```
    """
    return scaled_network(network, 1 / divisor)
