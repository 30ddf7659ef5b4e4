"""The Jacobian of a wide two-layer network before training, in the tangent-kernel parametrization."""

from dataclasses import dataclass

import numpy as np
from scipy import integrate, optimize

from attrax._base import checks
from attrax._base.shown import Record
from attrax.activations import ActivationLike
from attrax.theory._scalar import Scalar, scalar

_REACH = 12.0  # e^−72 of the normal distribution lies beyond


@dataclass(frozen=True, slots=True, eq=False)
class InitialJacobian(Record):
    """The Jacobian at an example of norm ‖x‖ at initialization, in the limit of large dimension and width.

    **Fields:**

    - `activation`, `k`, `dimension`, `norm`: as given.
    - `mean_square_slope`: m = E φ'(h)² for h ~ N(0, ‖x‖²/d).
    - `largest_singular_value`: ‖J‖, the edge of the singular values; 2√m for k ≫ d.
    - `spectral_radius`: √m, the radius of the disk that the eigenvalues fill, whatever k/d is.
    """

    activation: ActivationLike
    k: int
    dimension: int
    norm: float
    mean_square_slope: float
    largest_singular_value: float
    spectral_radius: float


def initial_jacobian(activation: ActivationLike, k: int, dimension: int, norm: float = 1.0) -> InitialJacobian:
    """Norm and spectral radius of J = (kd)^{−1/2}·A·diag φ'(h)·B at x, h = Bx/√d, all entries of A and B from N(0, 1).

    h ~ N(0, ‖x‖²/d), and J Jᵀ has the spectrum of a product of three free matrices: diag φ'(h)², BBᵀ/d and AᵀA/k. By
    multiplying their S-transforms, the upper edge of the singular values is

        ‖J‖² = min over 0 < t < 1/sup φ'² of (1 + cψ(t))²/(ct),  ψ(t) = E tφ'²/(1 − tφ'²),  c = k/d,

    which is 4m for c → ∞ and 27/4·m for c = 1 and constant φ'; the eigenvalues fill a disk of radius √m, m = E φ'(h)².
    For the sigmoid and examples of small norm m = 1/16, so that ‖J‖ is near 1/2, as Jiang and Pehlevan report, and all
    eigenvalues are below about 1/4.

    **Arguments:** `activation` by name or as a callable; `k`, the width; `dimension` d; `norm`, ‖x‖.

    **Returns** an `InitialJacobian`.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> wide = theory.initial_jacobian("sigmoid", 10**6, 32, norm=0.01)
    >>> round(wide.largest_singular_value, 3), round(wide.spectral_radius, 3)
    (0.5, 0.25)

    ```

    Reference: Jiang and Pehlevan (2020), arXiv 2006.16540, whose setting this is; the formula for any k/d is derived
    here.
    """
    phi = scalar(activation)
    k = checks.integer("k", k, least=1)
    dimension = checks.integer("dimension", dimension, least=1)
    norm = checks.real("norm", norm, above=0)
    squares, weights = _slopes(phi, norm / np.sqrt(dimension))
    mean = float(np.sum(weights * squares))
    edge = _edge(squares, weights, k / dimension)
    return InitialJacobian(activation, k, dimension, norm, mean, edge, float(np.sqrt(mean)))


def _slopes(phi: Scalar, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """φ'(h)² at many h, and the weights of these h in the normal distribution."""
    # A fine trapezoidal rule: exact to rounding for analytic φ, and safe where φ' jumps.
    nodes = np.linspace(-_REACH, _REACH, 48_001)
    weights = np.exp(-nodes * nodes / 2)
    with np.errstate(all="ignore"):
        squares = np.asarray(phi.slope(nodes * deviation), float) ** 2
    good = np.isfinite(squares)
    if not good.all() and float(np.sum(weights[~good])) > 1e-9 * float(np.sum(weights)):
        raise ValueError(f"activation must be differentiable everywhere for a random network; {phi.name} is not")
    total = integrate.trapezoid(weights, nodes) / (nodes[1] - nodes[0])
    return squares[good], weights[good] / total


def _edge(squares: np.ndarray, weights: np.ndarray, ratio: float) -> float:
    top = float(squares.max())
    if top == 0:
        return 0.0

    def value(s: float) -> float:
        t = s / top
        psi = float(np.sum(weights * (t * squares / (1 - t * squares))))
        return (1 + ratio * psi) ** 2 / (ratio * t)

    # The minimum may lie at any power of ten of s in (0, 1): searched in the logit of s.
    found = optimize.minimize_scalar(
        lambda z: np.log(value(1 / (1 + np.exp(-z)))), bounds=(-40.0, 30.0), method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(found.fun / 2))
