"""A convolutional autoencoder as a chain of fully connected layers, so that all its slopes can be bounded."""

from collections.abc import Callable
from typing import Any

import numpy as np

from attrax._base.types import HostStates
from attrax.maps.mlp import Factors, layer_factors

_MANY = 64
"""One-hot pictures that go through a layer at once."""


class Chain:
    """A chain of fully connected layers, built by adding one layer after another to the picture so far.

    Channels that skip connections need later are carried along by linear units that pass their input on unchanged.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape: tuple[int, ...] = shape
        self.carried = 0
        self.weights: list[np.ndarray] = []
        self.biases: list[np.ndarray | None] = []
        self.linear: list[np.ndarray] = []

    def carry(self) -> None:
        """From here on, a copy of the current channels is carried along, in front of those already carried."""
        size = int(np.prod(self.shape))
        everything = np.eye(size + self.carried)
        weight = np.concatenate([everything[:size], everything])
        self._add(weight, None, np.ones(len(weight), bool))
        self.carried += size

    def meet(self) -> None:
        """Joins the channels that were carried last to the current ones."""
        height, width, channels = self.shape
        size = height * width * channels
        # In a picture as one vector, the channels of each pixel are adjacent.
        first = np.arange(size).reshape(height * width, channels)
        order = np.concatenate([first, size + first], axis=1).ravel()
        rest = np.arange(2 * size, size + self.carried)
        weight = np.eye(size + self.carried)[np.concatenate([order, rest])]
        self._add(weight, None, np.ones(len(weight), bool))
        self.shape, self.carried = (height, width, 2 * channels), self.carried - size

    def apply(self, operation: Callable[[HostStates], HostStates], bias: Any, *, activated: bool) -> None:
        """Adds a linear operation on n×H×W×C pictures with one bias per channel, followed by the activation if
        `activated`."""
        size = int(np.prod(self.shape))
        # Exact for one-hot pictures: every sum has a single nonzero term.
        pictures = np.eye(size).reshape(size, *self.shape)
        columns = np.concatenate([operation(pictures[row : row + _MANY]) for row in range(0, size, _MANY)])
        self.shape = columns.shape[1:]
        into = columns.reshape(size, -1).T
        weight = np.zeros((len(into) + self.carried, size + self.carried))
        weight[: len(into), :size] = into
        weight[len(into) :, size:] = np.eye(self.carried)
        full = None
        if bias is not None:
            full = np.zeros(len(weight))
            full[: len(into)] = np.broadcast_to(np.asarray(bias, np.float64), self.shape).ravel()
        linear = np.ones(len(weight), bool)
        linear[: len(into)] = not activated
        self._add(weight, full, linear)

    def _add(self, weight: np.ndarray, bias: np.ndarray | None, linear: np.ndarray) -> None:
        self.weights.append(weight)
        self.biases.append(bias)
        self.linear.append(linear)

    def factors(self, activation: Any) -> Factors:
        """`Factors` of the whole chain."""
        return layer_factors(self.weights, self.biases, activation, self.linear[:-1])
