"""The central flow of RMSprop: the path of its weights averaged over oscillations, as a differential equation.

J. Cohen, A. Damian, A. Talwalkar, J. Z. Kolter and J. D. Lee, Understanding optimization in deep learning with central
flows, ICLR 2025. RMSprop divides the gradient by P = (√ν + ε)/η, where ν is the mean square of the gradient and η the
rate. A direction u with Hu = λPu, H the Hessian, is stable while λ < 2. Beyond, the weights oscillate in it, and the
cubic term of the loss drives them to where λ is smaller. With a covariance Σ of the oscillations,

    dw/dt = −P⁻¹ [∇L + ½ ∇⟨H, Σ⟩],    dν/dt = (1 − β)/β · [(∇L)² + diag(HΣH) − ν].

Σ = UXUᵀ lies in the span of the directions at the limit, and X ⪰ 0 is what keeps A = Uᵀ(2P − H)U from becoming
indefinite: A/τ + dA/dt ⪰ 0, and its product with X is zero. Without Σ, the equations are those of the stable flow.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

Loss = Callable[[Any], Any]
"""A loss of all weights in one array."""
Rows = Float[np.ndarray, "k d"]

_DECAY, _TINY = 0.99, 1e-8
"""β and ε of `training.optimizer("rmsprop")`."""
_NEAR = 1.95
"""Directions from here on may have a share in Σ; they oscillate at 2."""
_SPARE = 8
"""Further directions that are followed."""
_HORIZON = 4.0
"""τ: in about so many steps a direction that is above the limit comes back to it. The authors take one substep."""
_SUBSTEPS = 4
"""Euler steps for a step of RMSprop, each with a gradient of its own; Σ and ∇⟨H, Σ⟩ stay the same."""
_STIFF = 20.0
"""The largest λ that the stable flow is followed to."""
_CHUNK = 16
"""Directions that are differentiated at once."""
_ACCURATE, _ROUNDS, _FIRST_ROUNDS = 0.02, 4, 60
"""Residual of the eigenvectors, and rounds of improving them at most: from step to step, and at the start."""
_TURNS, _CLOSE = 2000, 1e-6
"""Iterations for X at most, and when it is found, relative to its problem."""


class Point(NamedTuple):
    """The flow at one time.

    `weights` and `squares`, w and ν, d numbers each; `loss` at the weights; `swing`, ½⟨H, Σ⟩, what oscillations add to
    it; `sharpness`, the largest λ, stable below 2; `count`, the number of directions in which the weights oscillate.
    """

    weights: Float[np.ndarray, " d"]
    squares: Float[np.ndarray, " d"]
    loss: float
    swing: float
    sharpness: float
    count: int


class _Oscillation(NamedTuple):
    """½∇⟨H, Σ⟩, (1 − β)/β diag(HΣH) and ½⟨H, Σ⟩; X, and U in rows."""

    force: Any
    stir: Any
    swing: float
    shares: Float[np.ndarray, "k k"]
    rows: Rows


def central_flow(loss: Loss, weights: Any, squares: Any, *, rate: float) -> Iterator[Point]:
    """The central flow of RMSprop from these weights and mean squares, after 0, 1, 2, … steps.

    It goes on as long as the loss is finite; a last point then has NaN.

    **Arguments:** `loss` of all weights; `weights` and `squares`, d numbers each; `rate`.
    """
    weights, squares = np.asarray(weights), np.asarray(squares)
    directions, found = _Directions(len(weights)), _still(weights)
    while np.isfinite((value := _value(loss, weights))[0]):
        divisor, gradient = _divisor(squares, rate), value[1]
        values, vectors = directions.at(loss, weights, divisor, _NEAR)
        near = int(np.sum(values > _NEAR))
        rows = vectors[:near] / np.sqrt(divisor)
        start = rows * divisor @ found.rows.T  # the shares of the step before, in the directions of this one
        start = start @ found.shares @ start.T
        found = _oscillation(loss, (weights, squares, gradient), rate, values[:near], rows, start)
        count = int(np.sum(np.linalg.eigvalsh(found.shares) > _CLOSE * np.trace(found.shares)))
        yield Point(weights, squares, float(value[0]), found.swing, float(values[0]), count)
        weights, squares = _forward(loss, weights, squares, rate, _SUBSTEPS, found)
    yield _lost(weights, squares)


def stable_flow(loss: Loss, weights: Any, squares: Any, *, rate: float) -> Iterator[Point]:
    """The same without oscillations. It ends where λ is above 20: there the loss has come down, with ν and P."""
    weights, squares = np.asarray(weights), np.asarray(squares)
    directions, still = _Directions(len(weights)), _still(weights)
    while np.isfinite((value := _value(loss, weights))[0]):
        leading = float(directions.at(loss, weights, _divisor(squares, rate), np.inf)[0][0])
        yield Point(weights, squares, float(value[0]), 0.0, leading, 0)
        if leading > _STIFF:
            return
        weights, squares = _forward(loss, weights, squares, rate, max(_SUBSTEPS, int(np.ceil(2 * leading))), still)
    yield _lost(weights, squares)


def sharpness(loss: Loss, weights: Any, squares: Any, *, rate: float) -> float:
    """The largest λ, stable below 2; NaN where the weights are not finite."""
    weights = np.asarray(weights)
    if not np.isfinite(weights).all():
        return float("nan")
    divisor = _divisor(np.asarray(squares), rate)
    return float(_Directions(len(weights)).at(loss, weights, divisor, np.inf)[0][0])


def complementary(
    alpha: Float[np.ndarray, "k k"], beta: Float[np.ndarray, "m m"], start: Float[np.ndarray, "k k"]
) -> Float[np.ndarray, "k k"]:
    """X ⪰ 0 with α + β[X] ⪰ 0 and ⟨X, α + β[X]⟩ = 0.

    It is the minimum of ½⟨X, β[X]⟩ + ⟨α, X⟩, found by the alternating direction method of multipliers.

    **Arguments:** `alpha`, symmetric; `beta`, positive semidefinite, on the m = k(k + 1)/2 entries of the upper
    triangle, those off the diagonal times √2; `start`, from where to look.
    """
    k = len(alpha)
    if not k or np.linalg.eigvalsh(alpha)[0] >= 0:
        return np.zeros_like(alpha)
    linear, found = _flat(alpha), _flat(start)
    scale = np.trace(beta) / len(beta)
    inverse = np.linalg.inv(beta / scale + np.eye(len(beta)))
    linear = linear / scale
    rest = -linear - beta @ found / scale
    dual = rest - _projected(rest, k)
    for _ in range(_TURNS):
        free = inverse @ (found - dual - linear)
        before, found = found, _projected(free + dual, k)
        dual = dual + free - found
        if max(np.linalg.norm(free - found), np.linalg.norm(found - before)) <= _CLOSE * np.linalg.norm(linear):
            break
    return _square(found, k)


def _oscillation(
    loss: Loss, at: tuple[Any, Any, Any], rate: float, values: np.ndarray, rows: Rows, start: np.ndarray
) -> _Oscillation:
    """Σ and what it does, where `at` are weights, squares and gradient, and `rows` the directions, with UᵀPU = 1."""
    weights, squares, gradient = at
    if not len(rows):
        return _still(weights)
    divisor, gain = _divisor(squares, rate), (1 - _DECAY) / _DECAY
    one, other, weight = _entries(len(rows))
    thirds = _thirds(loss, weights, rows[one], rows[other]) * weight[:, None]
    both = rows[one] * rows[other] * weight[:, None]
    slope = 1 / (2 * rate * np.sqrt(np.maximum(squares, np.finfo(squares.dtype).tiny)))  # dP/dν
    alpha = np.diag(2 - values) / _HORIZON
    alpha = alpha + _square(
        2 * both @ (slope * gain * (gradient**2 - squares)) + thirds @ (gradient / divisor), len(rows)
    )
    # Of dA/dt, what is linear in X: ½ ∇H P⁻¹ ∇H by the weights, and by P, where HU = 2PU at the limit.
    roots = np.concatenate([thirds / np.sqrt(2 * divisor), both * divisor * np.sqrt(8 * gain * slope)], axis=1)
    shares = complementary(np.asarray(alpha, np.float64), np.asarray(roots @ roots.T, np.float64), start)
    images = rows * divisor * values[:, None]
    force = 0.5 * _flat(shares) @ thirds
    stir = gain * np.sum((shares @ images) * images, axis=0)
    dtype = weights.dtype
    return _Oscillation(force.astype(dtype), stir.astype(dtype), 0.5 * float(np.diag(shares) @ values), shares, rows)


def _still(weights: Any) -> _Oscillation:
    none = np.zeros_like(weights)
    return _Oscillation(none, none, 0.0, np.empty((0, 0)), np.empty((0, len(weights)), weights.dtype))


def _lost(weights: Any, squares: Any) -> Point:
    """Where a flow has left the finite numbers."""
    return Point(weights, squares, float("nan"), 0.0, float("nan"), 0)


def _forward(
    loss: Loss, weights: Any, squares: Any, rate: float, substeps: int, oscillation: _Oscillation
) -> tuple[Any, Any]:
    """Weights and squares one step later."""
    length, gain = 1 / substeps, (1 - _DECAY) / _DECAY
    for _ in range(substeps):
        gradient = _value(loss, weights)[1]
        weights = weights - length * (gradient + oscillation.force) / _divisor(squares, rate)
        squares = squares + length * (gain * (gradient**2 - squares) + oscillation.stir)
    return weights, squares


def _divisor(squares: np.ndarray, rate: float) -> np.ndarray:
    return (np.sqrt(squares) + _TINY) / rate


class _Directions:
    """The leading eigenvectors of P^(−½) H P^(−½), kept from one time to the next: each call improves them.

    Where the search begins is drawn, with one seed: it decides how long it takes, and not what is found.
    """

    def __init__(self, size: int) -> None:
        self._size, self._draw, self._rows = size, np.random.default_rng(0), np.empty((0, size))

    def at(self, loss: Loss, weights: np.ndarray, divisor: np.ndarray, near: float) -> tuple[np.ndarray, Rows]:
        """Eigenvalues, falling, and eigenvectors in rows: those above `near`, and some more.

        Each round adds the residuals to the space in which they are sought, as LOBPCG does.
        """
        scale = 1 / np.sqrt(divisor)

        def images(rows: Rows) -> Rows:
            return scale * _products(loss, weights, scale * rows)

        first = not len(self._rows)
        rows = _orthonormal(self._wider(self._rows, _SPARE).astype(weights.dtype) if first else self._rows)
        values, rows, turned = _ritz(rows, images(rows), len(rows))
        for _ in range(_FIRST_ROUNDS if first else _ROUNDS):
            rest, count = turned - values[:, None] * rows, int(np.sum(values > near))
            wanted = min(self._size, max(len(rows), count + _SPARE))
            accurate = np.linalg.norm(rest[: count + 1], axis=1).max() <= _ACCURATE
            if len(rows) == self._size or (accurate and len(rows) >= count + _SPARE // 2):
                break
            if wanted > len(rows):
                rest = self._wider(rest, wanted - len(rows)).astype(weights.dtype)
            more = _orthonormal(rest[: self._size - len(rows)], rows)
            values, rows, turned = _ritz(np.concatenate([rows, more]), np.concatenate([turned, images(more)]), wanted)
        self._rows = rows
        return values, rows

    def _wider(self, rows: Rows, count: int) -> Rows:
        more = self._draw.normal(size=(min(count, self._size - len(rows)), self._size))
        return np.concatenate([rows, more])


def _orthonormal(rows: Rows, to: Rows | None = None) -> Rows:
    for _ in range(1 if to is None else 2):  # once more, where little was left
        if to is not None:
            rows = rows - (rows @ to.T) @ to
        rows = np.linalg.qr(rows.T)[0].T
    return rows


def _ritz(rows: Rows, images: Rows, kept: int) -> tuple[np.ndarray, Rows, Rows]:
    """The best eigenvalues, eigenvectors and their images in the span of the rows."""
    inner = rows @ images.T
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    chosen = vectors[:, ::-1][:, :kept].T
    return values[::-1][:kept], chosen @ rows, chosen @ images


def _value(loss: Loss, weights: Any) -> tuple[Any, Any]:
    value, gradient = _value_and_gradient(loss, weights)
    return value, np.asarray(gradient)


@eqx.filter_jit
def _value_and_gradient(loss: Loss, weights: Any) -> Any:
    return jax.value_and_grad(loss)(weights)


def _products(loss: Loss, weights: Any, rows: Rows) -> Rows:
    """Hessian times each row."""
    return _chunked(_chunk_of_products, loss, weights, rows)


def _thirds(loss: Loss, weights: Any, ones: Rows, others: Rows) -> Rows:
    """The gradient of uᵀHv for each pair of rows."""
    return _chunked(_chunk_of_thirds, loss, weights, ones, others)


def _chunked(function: Callable[..., Any], loss: Loss, weights: Any, *rows: Rows) -> Rows:
    found = np.empty_like(rows[0])
    for first in range(0, len(found), _CHUNK):
        parts = [part[first : first + _CHUNK] for part in rows]
        missing = _CHUNK - len(parts[0])
        padded = [np.pad(part, ((0, missing), (0, 0))) for part in parts]  # one shape, compiled once
        found[first : first + _CHUNK] = np.asarray(function(loss, weights, *padded))[: _CHUNK - missing]
    return found


@eqx.filter_jit
def _chunk_of_products(loss: Loss, weights: Any, rows: Any) -> Any:
    return jax.vmap(lambda one: jax.jvp(jax.grad(loss), (weights,), (one,))[1])(rows)


@eqx.filter_jit
def _chunk_of_thirds(loss: Loss, weights: Any, ones: Any, others: Any) -> Any:
    def second(weights: Any, one: Any, other: Any) -> Any:
        return jax.jvp(lambda point: jax.jvp(loss, (point,), (one,))[1], (weights,), (other,))[1]

    return jax.vmap(jax.grad(second), (None, 0, 0))(weights, ones, others)


@cache
def _entries(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and weights of the entries of the upper triangle: their products are those of the matrices."""
    one, other = np.triu_indices(k)
    return one, other, np.where(one == other, 1.0, np.sqrt(2)).astype(np.float32)


def _flat(matrix: np.ndarray) -> np.ndarray:
    one, other, weight = _entries(len(matrix))
    return matrix[one, other] * weight


def _square(entries: np.ndarray, k: int) -> np.ndarray:
    one, other, weight = _entries(k)
    found = np.zeros((k, k))
    found[one, other] = found[other, one] = entries / weight
    return found


def _projected(entries: np.ndarray, k: int) -> np.ndarray:
    """The nearest positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(_square(entries, k))
    return _flat((vectors * np.maximum(values, 0)) @ vectors.T)
