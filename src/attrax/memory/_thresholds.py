"""The paper's thresholds: when an iteration has converged, and when its limit counts as a stored state."""

import math
from dataclasses import dataclass

from attrax._base.shown import Record
from attrax.patterns import Patterns

READINGS = ("auto", "literal", "mean_square")
"""Ways to read the paper's thresholds. `auto` depends on the memory; see `attrax.dynamics.thresholds_of`."""

_LITERAL_CONVERGENCE, _LITERAL_RECOVERY = 1e-8, 1e-7
_MEAN_SQUARE_CONVERGENCE, _MEAN_SQUARE_RECOVERY = 1e-17, 1e-7


@dataclass(frozen=True, slots=True)
class Thresholds(Record):
    """The paper's two thresholds as Euclidean distances between states.

    **Fields:**

    - `reading`: `literal`, which compares with the refined points of a memory, or `mean_square`, which compares with
      the states as given.
    - `convergence`: an iteration has converged when a step changes the state by less than this.
    - `recovery`: a state counts as a stored one when it is closer than this.
    - `unit`: the unit of the patterns (`Patterns.unit`), by which the paper's numbers were multiplied.
    """

    reading: str
    convergence: float
    recovery: float
    unit: float = 1.0

    @classmethod
    def literal(cls, unit: float = 1.0) -> "Thresholds":
        """The numbers as printed in the paper: converged below 1e-8, recovered below 1e-7, whatever the size of a
        state.

        `unit` is the unit of the patterns (`Patterns.unit`), which multiplies both numbers.
        """
        return cls("literal", _LITERAL_CONVERGENCE * unit, _LITERAL_RECOVERY * unit, unit)

    @classmethod
    def mean_square(cls, size: int, unit: float = 1.0) -> "Thresholds":
        """For states of `size` entries: converged at a mean squared change of 1e-17, recovered at one of 1e-7.

        `unit` is the unit of the patterns (`Patterns.unit`), which multiplies the roots of these numbers.

        ```python
        >>> round(Thresholds.mean_square(1000).recovery, 6)
        0.01

        ```
        """
        convergence, recovery = (size * _MEAN_SQUARE_CONVERGENCE) ** 0.5, (size * _MEAN_SQUARE_RECOVERY) ** 0.5
        return cls("mean_square", convergence * unit, recovery * unit, unit)


def default_recovery_atol(patterns: Patterns, unit: float | None = None) -> float:
    """The paper's recovery threshold, a mean squared distance of 1e-7, in units of the patterns (`unit`, if it is
    known).

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> patterns = ax.Patterns.from_examples(np.eye(4))
    >>> round(ax.memory.default_recovery_atol(patterns) / patterns.unit, 6)  # √(4·1e-7)
    0.000632

    ```
    """
    return Thresholds.mean_square(math.prod(patterns.shape), patterns.unit if unit is None else unit).recovery
