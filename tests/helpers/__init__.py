"""Maps whose answers are known."""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import attrax as ax

Map = Callable[[Any], Any]

PATIENCE = 300.0
"""Seconds after which a test that waits fails, so that it does not wait forever. Nothing is timed: this is far more
than anything takes, however busy the machine is."""


def wait_until(condition: Callable[[], Any]) -> Any:
    """What the condition gives as soon as it holds, or what it gave last when patience is at an end."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < limit:
        time.sleep(0.02)
    return found


# The numbers of these maps are arrays: what is compiled for one serves all others on states of its shape, as it would
# not if they were constants.


class Linear(eqx.Module):
    """x ↦ Mx."""

    matrix: Any

    def __call__(self, x: Any) -> Any:
        return self.matrix @ x


def linear(matrix: Any) -> Map:
    """x ↦ Mx: the only isolated fixed point is 0, with the spectrum of M."""
    return Linear(np.asarray(matrix, float))


class Straight(eqx.Module):
    """x ↦ slope·x + lift."""

    slope: Any
    lift: Any

    def __call__(self, x: Any) -> Any:
        return self.slope * x + self.lift


def straight(slope: float, lift: float = 0.0) -> Map:
    """x ↦ slope·x + lift, in each entry."""
    return Straight(np.array(slope, float), np.array(lift, float))


class Snap(eqx.Module):
    """Goes to the nearest point at once."""

    points: Any

    def __call__(self, x: Any) -> Any:
        gaps = jnp.sum((self.points - x).reshape(len(self.points), -1) ** 2, axis=1)
        return jnp.asarray(self.points)[jnp.argmin(gaps)]


class Logistic(eqx.Module):
    """x ↦ r x (1 − x)."""

    r: Any

    def __call__(self, x: Any) -> Any:
        return self.r * x * (1 - x)


logistic = Logistic(np.array(3.2))
"""With a 2-cycle, whose multiplier is 4 + 2r − r² = 0.16."""


def logistic_cycle() -> np.ndarray:
    """The two points of that cycle, from its quadratic equation."""
    r = 3.2
    root = np.sqrt((r + 1) * (r - 3))
    return np.array([[(r + 1 - root) / (2 * r)], [(r + 1 + root) / (2 * r)]])


def newton_cube(z: Any) -> Any:
    """Newton's map of z³ − 1 in the plane: three superattracting fixed points, the cube roots of 1."""
    value = z[0] + 1j * z[1]
    moved = value - (value**3 - 1) / (3 * value**2)
    return jnp.stack([moved.real, moved.imag])


SPECTRA = {
    "complex": ([[0.3, -0.8], [0.8, 0.3]], np.hypot(0.3, 0.8)),
    "non-normal": ([[0.5, 40.0], [0.0, 0.6]], 0.6),
    "defective": ([[0.9, 1.0, 0.0], [0.0, 0.9, 1.0], [0.0, 0.0, 0.9]], 0.9),
    "zero": ([[0.0, 0.0], [0.0, 0.0]], 0.0),
    "nilpotent": ([[0.0, 5.0], [0.0, 0.0]], 0.0),
    "saddle": ([[0.2, 0.0], [0.0, 1.5]], 1.5),
    "expanding": ([[1.2, -0.7], [0.7, 1.2]], np.hypot(1.2, 0.7)),
}
"""Matrices and their spectral radii."""


def around(map: Map, *points: Any) -> ax.Memory:
    """A memory built by hand: the given points as examples of `map`."""
    return ax.Memory(map, ax.Patterns.from_examples(np.asarray(points, float)))
