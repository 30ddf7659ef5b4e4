"""Data as states of a network, and states as pictures."""

from dataclasses import dataclass

import numpy as np

from attrax._base.pictures import is_picture
from attrax._base.shown import Record
from attrax._base.types import HostStates


@dataclass(frozen=True, slots=True, eq=False)
class Layout(Record):
    """How data with the shape `data` become states with the shape `state`, and back.

    Pictures are H×W or H×W×C in data; networks mostly take C×H×W, or all entries in a row. Color pictures that become
    rows are put in that order, C×H×W, as PyTorch flattens them. Data with three axes that are no such pictures, as
    those that are C×H×W already, keep their order.
    """

    data: tuple[int, ...]
    state: tuple[int, ...]

    @property
    def _moved(self) -> bool:
        """Whether channels come last in data, and first in states."""
        if self.data == self.state or len(self.data) != 3:
            return False
        return is_picture(self.data) or self.state == (self.data[-1], *self.data[:-1])

    def states(self, values: HostStates) -> HostStates:
        """The states of data."""
        values = np.asarray(values)
        if self._moved:
            values = np.moveaxis(values, -1, 1)
        return values.reshape(len(values), *self.state)

    def pictures(self, states: HostStates) -> HostStates:
        """The data of states."""
        states = np.asarray(states)
        if self._moved:
            height, width, channels = self.data
            return np.moveaxis(states.reshape(len(states), channels, height, width), 1, -1)
        return states.reshape(len(states), *self.data)


def layout_of(state: tuple[int, ...], data: tuple[int, ...] | None = None) -> Layout:
    """The layout for states of a shape, and data of a shape where there are some.

    Without data, C×H×W with one or three channels are pictures. **Raises** `ValueError` where data have another number
    of entries than a state, or other axes.

        >>> layout_of((3, 8, 8)).data, layout_of((784,), (28, 28)).states(np.zeros((2, 28, 28))).shape
        ((8, 8, 3), (2, 784))
    """
    if data is None:
        channels_first = len(state) == 3 and state[0] in (1, 3) and not is_picture(state)
        return Layout((*state[1:], state[0]) if channels_first else state, state)
    moved = (data[-1], *data[:-1]) if len(data) == 3 else data
    fits = data == state or (len(state) == 1 and int(np.prod(data)) == state[0])
    fits = fits or moved == state or (len(data) == 2 and state in ((1, *data), (*data, 1)))
    if not fits:
        raise ValueError(
            f"the data have the shape {data}, and the network takes states of shape {state}; prepare them so that they "
            "fit (--size HxW, --gray), or save them as a .npy file with the shape of the states"
        )
    return Layout(data, state)
