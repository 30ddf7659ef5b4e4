"""Maps whose answers are known."""

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


class Linear(eqx.Module):
    """x ↦ Mx. What is compiled serves every matrix of this size, as it would not where M were a constant."""

    matrix: Any

    def __call__(self, x: Any) -> Any:
        return self.matrix @ x


def linear(matrix: Any) -> Map:
    """x ↦ Mx: the only isolated fixed point is 0, with the spectrum of M."""
    return Linear(np.asarray(matrix, float))


def logistic(x: Any) -> Any:
    """r x (1 − x) with r = 3.2: a 2-cycle with multiplier 4 + 2r − r² = 0.16."""
    return 3.2 * x * (1 - x)


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
