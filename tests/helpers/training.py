"""Small maps, optimizers and data that tests of training share."""

import itertools
from typing import Any

import equinox as eqx
import jax
import numpy as np

import attrax as ax
from attrax.training import optimizer

RNG = np.random.default_rng(0)
INPUTS = RNG.random((5, 3))
TARGETS = RNG.random((5, 3))
# Shared, for each new one would have the loop compiled again.
GD, ADAM = optimizer("gd"), optimizer("adam")
HUGE = optimizer("gd", learning_rate=1e6)
FAST_GD, FAST_ADAM = optimizer("gd", learning_rate=0.3), optimizer("adam", learning_rate=0.01)


class Affine(eqx.Module):
    """x ↦ Mx + s: its loss has a gradient that is one line of NumPy."""

    matrix: Any
    shift: Any

    def __call__(self, x: Any) -> Any:
        return self.matrix @ x + self.shift


def affine(seed: int = 0, size: int = 3) -> Affine:
    draw = np.random.default_rng(seed)
    return Affine(draw.normal(size=(size, size)), draw.normal(size=size))


def network(
    dtype: Any = np.float32,
    *,
    shape: tuple[int, ...] = (3,),
    width: int = 8,
    depth: int = 2,
    activation: str = "tanh",
    bias: bool = True,
    seed: int = 0,
) -> ax.maps.MLP:
    """Drawn by NumPy, which compiles nothing."""
    draw = np.random.default_rng(seed)
    sizes = [int(np.prod(shape)), *depth * [width], int(np.prod(shape))]
    weights = [draw.uniform(-1, 1, (k, d)) / np.sqrt(d) for d, k in itertools.pairwise(sizes)]
    biases = [draw.uniform(-0.5, 0.5, k).astype(dtype) if bias else None for k in sizes[1:]]
    return ax.maps.MLP(tuple(weight.astype(dtype) for weight in weights), tuple(biases), shape, activation)


def arrays(map: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(map, eqx.is_array))]


@eqx.filter_jit
def values(map: Any, inputs: Any) -> Any:
    """The map of each row, by one program; eagerly, each operation would be one for each shape."""
    return jax.vmap(map)(inputs)


def loss(map: Any) -> float:
    return float(np.mean((np.asarray(values(map, INPUTS)) - TARGETS) ** 2))


def same_bits(one: Any, other: Any) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(arrays(one), arrays(other), strict=True))
