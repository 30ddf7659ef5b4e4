"""Functions that NumPy can compute: a few evaluations do not justify compiling a program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from attrax._base.numerics import apply_rows
from attrax._base.shown import Record


@dataclass(frozen=True, slots=True, eq=False)
class HostFunction(Record):
    """A function of one row, computed by NumPy in float64. A row alone gets the same arithmetic as among a few others.

    **Fields:**

    - `rows`: takes p rows to p rows.
    - `push`: takes a row of n entries and tangents, n×m, to the Jacobian at the row times the tangents; with `None`
      for tangents, to the Jacobian.
    """

    rows: Callable[[np.ndarray], np.ndarray]
    push: Callable[[np.ndarray, np.ndarray | None], np.ndarray]


def quietly(function: Any) -> Any:
    """`function` with overflow warnings off; a diverging iteration may overflow."""
    return np.errstate(over="ignore", invalid="ignore")(function)


@runtime_checkable
class OnHost(Protocol):
    """A map, or a part of a reduced map, that NumPy can compute."""

    def on_host(self) -> HostFunction | None:
        """Its `HostFunction`, or `None` if there is none for what it holds."""
        ...


def host_function(function: Any) -> HostFunction | None:
    """`function` for NumPy; `None` if only JAX can compute it.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> host = host_function(network)
    >>> host.rows(np.zeros((5, 2))).shape, host.push(np.zeros(2), None).shape
    ((5, 2), (2, 2))

    ```
    """
    return function.on_host() if isinstance(function, OnHost) else None


def each_row(function: Any, rows: np.ndarray) -> np.ndarray:
    """`function` of each of n rows, n×state shape in float64, computed by NumPy if it can be.

    Call it within `float64()`.

    **Raises** what `function` raises for such a row.

    ```python
    >>> import numpy as np
    >>> from attrax.extending import float64
    >>> with float64():
    ...     found = each_row(lambda x: x / 2, np.ones((2, 1)))
    >>> found.tolist()
    [[0.5], [0.5]]

    ```
    """
    host = host_function(function)
    return apply_rows(function, rows) if host is None else host.rows(rows)
