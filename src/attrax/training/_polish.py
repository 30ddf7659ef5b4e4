"""Solves the last layer by least squares, so that an almost interpolating network interpolates."""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.types import HostStates, Map
from attrax.maps import each_row
from attrax.training._layered import Layered

L = TypeVar("L", bound=Layered)


def polish(network: L, inputs: HostStates, targets: HostStates) -> L:
    """The network in float64, with its last layer changed as little as possible so that it fits `targets` best.

    With features Φ (n×k, with a column of ones added if the last layer has a bias) and the misfit R of the outputs it
    adds RᵀΦ⁺ᵀ, the least change in the Frobenius norm. The fit is exact if Φ has full row rank, which needs k ≥ n.

    **Arguments:** `network`; `inputs`, `targets`, n×state shape.

    **Returns:** a network of the same kind with float64 arrays on the host.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> points = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> polished = ax.training.polish(network, points, points)
    >>> ax.training.mean_squared_error(polished, points, points) < 1e-20
    True

    ```
    """
    _check(inputs, targets)
    with float64():
        map64 = cast(network, np.float64)
        vectors = np.asarray(inputs, np.float64).reshape(len(inputs), -1)
        features = apply_rows(map64.features, vectors)
        outputs = apply_rows(map64.readout, features)
        weights = [np.asarray(weight) for weight in map64.weights]
        biases = [None if bias is None else np.asarray(bias) for bias in map64.biases]
    misfit = np.asarray(targets, np.float64).reshape(len(targets), -1) - outputs
    design = features if biases[-1] is None else np.column_stack([features, np.ones(len(features))])
    change = np.linalg.lstsq(design, misfit, rcond=None)[0]
    if biases[-1] is not None:
        change, shift = change[:-1], change[-1]
        biases[-1] = biases[-1] + shift
    weights[-1] = weights[-1] + change.T
    fresh = {"weights": tuple(weights), "biases": tuple(biases)}
    return replace(network, **fresh)


def mean_squared_error(network: Map, inputs: HostStates, targets: HostStates) -> float:
    """Mean over all entries of (f(x) − target)², in float64. `inputs` and `targets` are n×state shape. **Raises**
    `ValueError` if their shapes differ.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> training.mean_squared_error(lambda x: x / 2, np.ones((1, 2)), np.ones((1, 2)))
    0.25

    ```
    """
    _check(inputs, targets)
    return float(np.mean((each_row(network, inputs) - np.asarray(targets, np.float64)) ** 2))


def _check(inputs: HostStates, targets: HostStates) -> None:
    if np.shape(inputs) != np.shape(targets):
        raise ValueError(
            f"inputs and targets must have one shape, one state per row; got {np.shape(inputs)} and {np.shape(targets)}"
        )
