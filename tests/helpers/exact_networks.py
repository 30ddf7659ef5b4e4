"""Random networks, and their fixed points in arbitrary precision."""

import itertools
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from mpmath import mp, mpf

import attrax as ax

_DIGITS = 50
_SELU = (mpf(1.0507009873554805), mpf(1.6732632423543772))
PHI: dict[str, tuple[Any, Any]] = {
    "tanh": (mp.tanh, lambda z: 1 - mp.tanh(z) ** 2),
    "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    "leaky_relu": (lambda z: z if z >= 0 else mpf(0.01) * z, lambda z: mpf(1) if z >= 0 else mpf(0.01)),
    "selu": (
        lambda z: _SELU[0] * (z if z > 0 else _SELU[1] * mp.expm1(z)),
        lambda z: _SELU[0] * (1 if z > 0 else _SELU[1] * mp.exp(z)),
    ),
    "cosid": (lambda z: mp.cos(z) - z, lambda z: -mp.sin(z) - 1),
    "sinusoid": (lambda z: z + mp.sin(10 * z) / 5, lambda z: 1 + 2 * mp.cos(10 * z)),
    "swish": (lambda z: z / (1 + mp.exp(-z)), lambda z: (1 + z / (1 + mp.exp(z))) / (1 + mp.exp(-z))),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z)),
}
"""Activations and their derivatives, independent of attrax."""


@dataclass(frozen=True)
class Exact:
    """A fixed point: how far it is from the start, and the spectral radius there."""

    distance: Any
    radius: Any


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

    def build() -> ax.maps.MLP:
        return ax.maps.MLP(tuple(weights), tuple(biases), (size,), activation)

    with jax.enable_x64(True):
        largest = np.abs(np.linalg.eigvals(np.asarray(_jacobian(build(), state)))).max()
        weights[-1] = weights[-1] * (radius / largest if largest > 0 else 1.0)
        biases[-1] = biases[-1] + state - np.asarray(build()(state))
    biases[-1] = biases[-1] + miss * rng.normal(size=size)
    return build(), state


def _jacobian(network: ax.maps.MLP, state: np.ndarray) -> Any:
    return jax.jacfwd(network)(state)


def exact_fixed_point(network: ax.maps.MLP, start: np.ndarray) -> Exact | None:
    """The fixed point that Newton's method finds with 50 digits; `None` where it finds none."""
    value_of, slope_of = PHI[network.activation]
    with mp.workdps(_DIGITS):
        weights = [mp.matrix(np.asarray(weight, float).tolist()) for weight in network.weights]
        biases = [mp.matrix(np.asarray(bias, float).tolist()) for bias in network.biases]
        begin = mp.matrix([mpf(float(entry)) for entry in start])
        x = begin.copy()
        for _ in range(60):
            values, jacobian = x, mp.eye(len(x))
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                z = weight * values + bias
                values = z.apply(value_of)
                jacobian = mp.diag([slope_of(entry) for entry in z]) * weight * jacobian
            gap = weights[-1] * values + biases[-1] - x
            jacobian = weights[-1] * jacobian
            if mp.norm(gap) < mpf(10) ** (8 - _DIGITS):
                radius = max(abs(value) for value in mp.eig(jacobian)[0])
                return Exact(mp.norm(x - begin), radius)
            try:
                x = x + mp.lu_solve(mp.eye(len(x)) - jacobian, gap)
            except ZeroDivisionError:
                return None
            if mp.norm(x) > 1e6:
                return None
    return None
