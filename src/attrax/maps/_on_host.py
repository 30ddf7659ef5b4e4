"""Functions that NumPy can compute: a few evaluations do not justify compiling a program."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np

from attrax._base.numerics import apply_rows, cast, float64
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


def host_function(function: Any, dtype: Any = None) -> HostFunction | None:
    """`function` for NumPy; `None` if only JAX can compute it. Its arrays are cast to `dtype`, if one is given; those
    that have it are not copied.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> host = host_function(network)
    >>> host.rows(np.zeros((5, 2))).shape, host.push(np.zeros(2), None).shape
    ((5, 2), (2, 2))

    ```
    """
    if not isinstance(function, OnHost):
        return None
    return (function if dtype is None else jax.tree.map(partial(_on_host, dtype), function)).on_host()


def _on_host(dtype: Any, leaf: Any) -> Any:
    real = eqx.is_inexact_array(leaf) and not np.iscomplexobj(leaf)
    return np.asarray(leaf, dtype) if real else leaf


def each_row(function: Any, rows: np.ndarray) -> np.ndarray:
    """`function`, in float64, of each of n rows, n×state shape, computed by NumPy if it can be.

    **Raises** what `function` raises for such a row.

    ```python
    >>> import numpy as np
    >>> each_row(lambda x: x / 2, np.ones((2, 1))).tolist()
    [[0.5], [0.5]]

    ```
    """
    host = host_function(function, np.float64)
    with float64():
        rows = np.asarray(rows, np.float64)
        return apply_rows(cast(function, np.float64), rows) if host is None else host.rows(rows)
