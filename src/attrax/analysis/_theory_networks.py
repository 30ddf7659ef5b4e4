"""The matrices of the network of a theorem: their start, their training, and the numbers read off them afterwards."""

from typing import NamedTuple

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax.analysis._plain_descent import Descent, Matrices, descend, jacobian, sharpness
from attrax.theory import SingleExample, scalar

_RTOL = 2e-14
_MAX_STEPS = 4_000_000
_SHAKE = 1e-7


class Start(NamedTuple):
    """Initial matrices, the example x, and its target y."""

    matrices: Matrices
    x: np.ndarray
    y: np.ndarray


def directions(key: PRNGKeyArray, count: int, dimension: int) -> np.ndarray:
    """Random unit vectors, one per row."""
    draw = np.asarray(jr.normal(key, (count, dimension)), np.float64)
    return draw / np.linalg.norm(draw, axis=1, keepdims=True)


def start(net: SingleExample, directions: np.ndarray, i: int) -> Start:
    """Network `i` at the start that the theorem assumes, from direction i to the next."""
    x = directions[i] * net.norm
    y = directions[(i + 1) % len(directions)] * net.target_norm
    ones = np.ones(net.k)
    middle = np.array([w * np.outer(ones, ones) for w in net.w0]).reshape(net.depth - 1, net.k, net.k)
    return Start(Matrices(np.outer(net.v0 * ones, x), middle, np.outer(y, net.u0 * ones)), x, y)


def steepest(net: SingleExample, start: Start) -> float:
    """The sharpness of the loss at the start or after a first rough training, whichever is larger."""
    matrices, x, y = start
    phi = scalar(net.activation).function
    here = sharpness(phi, matrices, x)
    rate = 0.05 / max(here, 1e-12)
    for _ in range(12):
        end = descend(phi, matrices, x, y, rate=rate, rtol=1e-3, max_steps=100_000)
        if end.residual <= 1e-3:
            return max(here, sharpness(phi, end.matrices, x))
        rate /= 4
    return here


def trained(net: SingleExample, start: Start, rate: float) -> Descent:
    """The network trained to zero error, up to rounding."""
    matrices, x, y = start
    phi = scalar(net.activation).function
    return descend(phi, matrices, x, y, rate=rate, rtol=_RTOL, max_steps=_MAX_STEPS)


def read_off(net: SingleExample, matrices: Matrices, start: Start) -> tuple[list[float], float]:
    """u, w, v as named in `TheoryCheck`, and the distance of the matrices from the form given by these."""
    _, x, y = start
    u, v = matrices.last.T @ y / (y @ y), matrices.first @ x / (x @ x)
    w = [float(weight.mean()) for weight in matrices.middle]
    if np.ndim(net.u) == 0:
        u, v = np.full_like(u, u.mean()), np.full_like(v, v.mean())
        numbers = [float(u[0]), *w, float(v[0])]
    else:
        numbers = [*u.tolist(), *v.tolist()]
    forms = [matrices.first - np.outer(v, x), matrices.last - np.outer(y, u)]
    forms += [weight - mean for weight, mean in zip(matrices.middle, w, strict=True)]
    return numbers, max(float(np.abs(form).max()) for form in forms)


def spectrum(matrix: np.ndarray) -> np.ndarray:
    """All eigenvalues, the largest modulus first."""
    eigenvalues = np.linalg.eigvals(matrix)
    return eigenvalues[np.argsort(-np.abs(eigenvalues))].astype(complex)


def leading(matrix: np.ndarray) -> float:
    """The eigenvalue of largest modulus."""
    return float(spectrum(matrix)[0].real)


def cycle_jacobians(
    nets: tuple[SingleExample, ...], starts: list[Start], ends: list[Descent]
) -> tuple[np.ndarray, float]:
    """The product of the Jacobians around the cycle, and how much a relative rounding of the weights changes its λ₁.

    The change is large near a zero of φ'. It is measured by scaling each of the three parts up a little.
    """
    products = [np.eye(len(starts[0].x))] * 4
    for net, start, end in zip(nets, starts, ends, strict=True):
        phi = scalar(net.activation).function
        for i in range(4):
            larger = Matrices(*(w * (1 + _SHAKE * (i == j)) for j, w in enumerate(end.matrices)))
            products[i] = jacobian(phi, larger, start.x) @ products[i]
    unscaled = products.pop()  # the fourth is not scaled
    return unscaled, sum(abs(leading(product) - leading(unscaled)) for product in products) / _SHAKE
