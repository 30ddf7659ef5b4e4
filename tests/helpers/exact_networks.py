"""Random networks, and their fixed points in arbitrary precision."""

import itertools

import numpy as np
from mpmath import mp

import attrax as ax
from attacks.exact import DIGITS, Chain, Found, Op, exact_cycle
from attrax.maps.mlp._factors import network_factors  # slopes, which a certificate does not show
from helpers.slopes import Evaluation


def random_network(
    rng: np.random.Generator, size: int, widths: tuple[int, ...], activation: str, radius: float, miss: float
) -> tuple[ax.maps.MLP, np.ndarray]:
    """A network that maps a random state nearly to itself, with about the given spectral radius there."""
    sizes = [size, *widths, size]
    weights = [
        rng.normal(size=(out, into)) / np.sqrt(into) * 10 ** rng.uniform(-0.3, 0.5)
        for into, out in itertools.pairwise(sizes)
    ]
    biases = [0.5 * rng.normal(size=out) for out in sizes[1:]]
    state = rng.normal(size=size)

    # The slopes in NumPy: JAX would compile every operation for each shape. What comes out is checked with 50 digits.
    found = Evaluation(network_factors(ax.maps.MLP(tuple(weights), tuple(biases), (size,), activation)), state[None])
    jacobian = np.eye(size)
    for weight, slope in zip(weights[:-1], found.slopes, strict=True):
        jacobian = slope[0][:, None] * (weight @ jacobian)
    largest = np.abs(np.linalg.eigvals(weights[-1] @ jacobian)).max()
    weights[-1] = weights[-1] * (radius / largest if largest > 0 else 1.0)
    biases[-1] = state - weights[-1] @ found.hidden[-1][0] + miss * rng.normal(size=size)
    return ax.maps.MLP(tuple(weights), tuple(biases), (size,), activation), state


def exact_fixed_point(network: ax.maps.MLP, start: np.ndarray) -> Found | None:
    """The fixed point that Newton's method finds with 50 digits; `None` where it finds none."""
    ops: list[Op] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        ops += [Op("affine", np.asarray(weight, float), np.asarray(bias, float)), Op("phi", name=network.activation)]
    with mp.workdps(DIGITS):
        return exact_cycle(Chain(ops[:-1], digits=True), [start], np.random.default_rng(0))
