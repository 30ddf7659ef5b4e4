"""Coordinates in the span of the data, in which the cost of training does not depend on the number of pixels."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import scipy
from jaxtyping import Float

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.training._layered import Layered

L = TypeVar("L", bound=Layered)

EXACT_RANK = 4096
"""Up to this many coordinates, the basis comes from an exact singular value decomposition."""
_ROUNDING = 1e-3
"""The share of the largest singular value below which a direction outside the span is not added."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates(Record):
    """The change of variables x = μ + U diag(σᵖ) c, with inverse c = diag(σ⁻ᵖ) Uᵀ (x − μ) on the span of the data.

    μ is the mean of the examples, U their r principal directions, σ the standard deviations along them and p the
    whitening exponent: p = 0 is an orthonormal change of basis, p = 1 gives every coordinate unit variance (n centered
    examples in general position become a regular simplex), p = ½ lies between.

    A network g on coordinates is the plain network f(x) = μ + U diag(σᵖ) g(c(x)) on states (`fold`): the linear maps
    go into its first and last layer. The two are conjugate on the span, and f ignores what is orthogonal to it, so the
    Jacobians of f and of g have the same eigenvalues apart from zeros.

    **Fields:** `center`, μ, d values; `basis`, U, d×r, orthonormal columns; `scale`, σᵖ, r values; `shape` of a state.
    """

    center: Float[np.ndarray, " d"]
    basis: Float[np.ndarray, "d r"]
    scale: Float[np.ndarray, " r"]
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls, points: HostStates, exponent: float = 0.0, *, center: bool = True, rank: int | None = None, seed: int = 0
    ) -> "Coordinates":
        """The coordinates of n points.

        Directions in which the points differ by no more than the rounding of their dtype are dropped, so rank-deficient
        data, more points than entries and constant entries are all fine. For equal points (or a single one) no
        direction is left; then one arbitrary direction is kept, because a network needs at least one entry.

        **Arguments:**

        - `points`: n×state shape.
        - `exponent`: p, from 0 to 1.
        - `center`: `False` sets μ = 0, for networks without biases.
        - `rank`: keep only this many principal directions. Above `EXACT_RANK`, exact directions are too expensive, and
          the leading `EXACT_RANK` come from randomized subspace iteration; the network does not see the components of
          the points outside them.
        - `seed`: seed of the randomized decomposition.

        **Raises** `ValueError` for an exponent outside 0 … 1 or a rank below 1.
        """
        exponent = checks.real("coordinates", exponent, least=0, most=1)
        if rank is not None:
            rank = checks.integer("rank", rank, least=1)
        vectors = np.asarray(points, np.float64).reshape(len(points), -1)
        middle = vectors.mean(axis=0) if center else np.zeros(vectors.shape[1])
        moved = vectors - middle
        most = min(moved.shape) if rank is None else min(rank, *moved.shape)
        if min(moved.shape) > EXACT_RANK:
            from sklearn.utils.extmath import randomized_svd  # slow to import, and rarely needed

            most = min(most, EXACT_RANK)
            _, values, rows = randomized_svd(moved, most, n_iter="auto", random_state=seed)
        else:
            _, values, rows = scipy.linalg.svd(moved, full_matrices=False, check_finite=False)
        dtype = np.asarray(points).dtype
        rounding = np.finfo(dtype if dtype.kind == "f" else np.float64).eps
        # If the points are far from the origin, their size limits the precision of their differences.
        size = np.sqrt(np.mean(vectors**2) * vectors.size)
        kept = min(most, int(np.sum(values > rounding * max(size, np.finfo(np.float64).tiny))))
        if kept == 0:
            basis, deviations = np.zeros((vectors.shape[1], 1)), np.ones(1)
            basis[0] = 1.0
        else:
            basis, deviations = np.ascontiguousarray(rows[:kept].T), values[:kept] / np.sqrt(len(vectors))
        return cls(middle, basis, deviations**exponent, tuple(np.asarray(points).shape[1:]))

    @property
    def rank(self) -> int:
        """Number of coordinates, r."""
        return len(self.scale)

    def with_directions(self, rows: Float[np.ndarray, "k d"], *, most: int | None = None) -> "Coordinates":
        """The same coordinates, and others along what the rows have outside the span.

        The examples are 0 there; cues are not. What is a thousandth of the largest or less counts as rounding.

        **Arguments:** `rows`, such as the weights of a first layer; `most`, directions to add at most: if there are
        more, none is added.

        ```python
        >>> import numpy as np
        >>> from attrax import training
        >>> line = training.Coordinates.of(np.array([[0.0, 0, 0], [1, 0, 0]]))
        >>> line.rank, line.with_directions(np.array([[3.0, 4, 0]])).rank
        (1, 2)

        ```
        """
        rows = np.asarray(rows, np.float64)
        outside = rows - (rows @ self.basis) @ self.basis.T
        _, values, directions = scipy.linalg.svd(outside, full_matrices=False, check_finite=False)
        new = directions[values > _ROUNDING * float(np.linalg.norm(rows, 2))].T
        if most is not None and new.shape[1] > most:
            return self
        scale = np.full(new.shape[1], self.scale.min())
        return replace(self, basis=np.concatenate([self.basis, new], axis=1), scale=np.append(self.scale, scale))

    def encode(self, states: HostStates) -> Float[np.ndarray, "n r"]:
        """The coordinates c of each of n states; the part orthogonal to the span is dropped."""
        vectors = np.asarray(states, np.float64).reshape(len(states), -1)
        return (vectors - self.center) @ self.basis / self.scale

    def decode(self, coordinates: Float[np.ndarray, "n r"]) -> HostStates:
        """The state x of each row of coordinates, n×state shape."""
        vectors = self.center + (np.asarray(coordinates, np.float64) * self.scale) @ self.basis.T
        return vectors.reshape(len(vectors), *self.shape)

    def fold(self, network: L) -> L:
        """The network on states, in float64, that acts as `network` does on coordinates.

        **Raises** `ValueError` if `network` has another size, or no biases to absorb the center.
        """
        if network.shape != (self.rank,):
            raise ValueError(f"network must map {self.rank} coordinates; it maps states of shape {network.shape}")
        weights, biases = _exact(network)
        weights[0] = (weights[0] / self.scale) @ self.basis.T
        weights[-1] = (self.basis * self.scale) @ weights[-1]
        if biases[-1] is not None:
            biases[-1] = (self.basis * self.scale) @ biases[-1]
        if self.center.any():
            first, last = _needed(biases)
            biases[0], biases[-1] = first - weights[0] @ self.center, last + self.center
        return _rebuilt(network, weights, biases, self.shape)

    def unfold(self, network: L) -> L:
        """The network on coordinates, in float64, that acts as `network` does on the span: c ↦ c(f(x(c))). Inverts
        `fold`.

        **Raises** `ValueError` if `network` has another shape, or no biases to absorb the center.
        """
        if network.shape != self.shape:
            raise ValueError(f"network must map states of shape {self.shape}; it maps {network.shape}")
        weights, biases = _exact(network)
        if self.center.any():
            first, last = _needed(biases)
            biases[0], biases[-1] = first + weights[0] @ self.center, last - self.center
        weights[0] = (weights[0] @ self.basis) * self.scale
        weights[-1] = (self.basis.T @ weights[-1]) / self.scale[:, None]
        if biases[-1] is not None:
            biases[-1] = (self.basis.T @ biases[-1]) / self.scale
        return _rebuilt(network, weights, biases, (self.rank,))


def _rebuilt(network: L, weights: list[np.ndarray], biases: list[np.ndarray | None], shape: tuple[int, ...]) -> L:
    fresh = {"weights": tuple(weights), "biases": tuple(biases), "shape": shape}
    return replace(network, **fresh)


def _exact(network: Layered) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    weights = [np.asarray(weight, np.float64) for weight in network.weights]
    return weights, [None if bias is None else np.asarray(bias, np.float64) for bias in network.biases]


def _needed(biases: list[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    first, last = biases[0], biases[-1]
    if first is None or last is None:
        raise ValueError("centered coordinates need biases in the first and the last layer of network; it has none")
    return first, last
