"""The Jacobian product of any callable, by automatic differentiation: formed if it is small enough, else only applied
to vectors."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from attrax._base.differentiation import differentiating
from attrax._base.numerics import cast, device_array, float64
from attrax._base.status import Evidence
from attrax._base.types import HostStates, Map
from attrax.linalg import (
    FORMED,
    SMALL,
    Product,
    RunningProduct,
    dense_norm,
    frobenius_bound,
    largest_singular_value,
    power_norms,
)
from attrax.maps._linearization import Linearization, Linearizer
from attrax.maps._reduced_map import formed
from attrax.maps.wrapped._estimates import ROUNDING, Ball, Sampler, enclose_formed, enclose_sums
from attrax.maps.wrapped._plain_map import VectorMap


def general_linearizer(map: Map) -> Linearizer:
    """What turns a cycle of any callable into its `Linearization`.

    A given `state_error` is ignored, because nothing is known about the second derivative. Without one, the change of
    the Jacobian over a ball is estimated.

    ```python
    >>> import jax.numpy as jnp, numpy as np
    >>> from attrax.maps.wrapped import general_linearizer
    >>> found = general_linearizer(lambda x: 0.5 * jnp.sin(x))(np.zeros((1, 2)))
    >>> found.size, found.evidence.value
    (2, 'dense')

    ```
    """
    with float64():
        return partial(_linearize, cast(map, np.float64))


def _linearize(map: Map, cycle: HostStates, state_error: float | None = None) -> Linearization:
    """The product at a cycle. Without a `state_error`, an exact cycle is searched for with estimates."""
    size = cycle[0].size
    with float64():
        states = [device_array(state, np.float64) for state in cycle]
    if size > FORMED:
        forward = partial(_applied, map, states, _push, _push_all)
        backward = partial(_applied, map, states[::-1], _pull, _pull_all)
        return _without_matrix(map, cycle, states, forward, backward, state_error)
    jacobians = [state_jacobian(map, state) for state in cycle]
    forward = partial(_multiplied, [jacobian.T for jacobian in jacobians])
    backward = partial(_multiplied, jacobians[::-1])
    ball = Ball(float("inf"), np.zeros(len(cycle)))
    if state_error is None and all(np.isfinite(jacobian).all() for jacobian in jacobians):
        ball = enclose_formed(Sampler(map, cycle, _leading(jacobians)), jacobians)
    running, log_norm = RunningProduct(size), 0.0
    for jacobian, change in zip(jacobians, ball.changes, strict=True):
        norm = frobenius_bound(jacobian)
        error = ROUNDING * norm + float(change)
        running.multiply(jacobian, norm, error)
        with np.errstate(divide="ignore"):
            log_norm += float(np.log(norm + error))
    product = running.product()
    singular = partial(_formed_singular_value, product)
    return Linearization(
        size, ball.enclosure_radius, Evidence.DENSE, product, forward, backward, singular, lambda: log_norm
    )


def _leading(jacobians: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The direction that the first Jacobian stretches most, and the leading eigenvector of the product around the
    cycle."""
    start = np.random.default_rng(0).standard_normal(len(jacobians[0]))
    stretched, eigen = start, start
    for _ in range(20):
        stretched = jacobians[0].T @ (jacobians[0] @ stretched)
        for jacobian in jacobians:
            eigen = jacobian @ eigen
            # Scaled at each step: around a long cycle the product itself may overflow.
            eigen = eigen / (float(np.abs(eigen).max()) or 1.0)
        stretched, eigen = (vector / (float(np.abs(vector).max()) or 1.0) for vector in (stretched, eigen))
    return [stretched, eigen]


def _without_matrix(
    map: Map,
    cycle: HostStates,
    states: list[Any],
    forward: Callable[[np.ndarray], np.ndarray],
    backward: Callable[[np.ndarray], np.ndarray],
    state_error: float | None,
) -> Linearization:
    size, log_norm, enclosure_radius = cycle[0].size, float("inf"), float("inf")
    if state_error is None:
        powers = power_norms([partial(_applied, map, [state], _push, _push_all) for state in states], size)
        sampler = Sampler(map, cycle, [])
        ball = enclose_sums(sampler, powers)
        enclosure_radius = ball.enclosure_radius
        change = float(ball.changes.max()) + ROUNDING * float(powers.norms[1:2].max(initial=0.0))
        log_norm = powers.log_radius_bound(len(cycle), change)
    singular = partial(largest_singular_value, forward, backward, size)
    return Linearization(size, enclosure_radius, Evidence.PROBABLE, None, forward, backward, singular, lambda: log_norm)


def _formed_singular_value(product: Product) -> float:
    matrix, value = product.matrix, float("nan")
    if len(matrix) > SMALL and np.isfinite(matrix).all():  # all singular values would take ten times as long
        value = largest_singular_value(lambda v: matrix @ v, lambda v: matrix.T @ v, len(matrix))
    if not np.isfinite(value):
        value = dense_norm(matrix)
    with np.errstate(over="ignore"):
        return value * float(np.exp(product.log_scale))


def state_jacobian(map: Map, state: np.ndarray) -> Float[np.ndarray, "d d"]:
    """The full d×d Jacobian at one state, of any map whose arrays are already cast to float64."""
    with float64(), differentiating(map):
        # The program that Newton's method has compiled.
        return np.asarray(formed(VectorMap(map, state.shape), device_array(state.ravel(), np.float64)))


def _multiplied(matrices: Sequence[np.ndarray], vectors: np.ndarray) -> np.ndarray:
    """One vector, or several, one per row, times each of the matrices in turn."""
    vectors = np.asarray(vectors, np.float64)
    # Around a long expanding cycle the products may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        for matrix in matrices:
            vectors = vectors @ matrix
    return vectors


def _applied(
    map: Map, states: Sequence[Any], one: Callable[..., Any], several: Callable[..., Any], vectors: np.ndarray
) -> np.ndarray:
    """Products of the Jacobians at `states`, in order, with one vector or with several, one per row."""
    vectors = np.asarray(vectors, np.float64)
    shape = vectors.shape
    product = one if vectors.ndim == 1 else several
    with float64(), differentiating(map):
        for state in states:
            shaped = device_array(vectors.reshape(*shape[:-1], *state.shape), np.float64)
            vectors = np.asarray(product(map, state, shaped))
    return vectors.reshape(shape)


@eqx.filter_jit
def _push(map: Map, state: Any, tangent: Any) -> Any:
    return jax.jvp(map, (state,), (tangent,))[1]


@eqx.filter_jit
def _push_all(map: Map, state: Any, tangents: Any) -> Any:
    return jax.vmap(jax.linearize(map, state)[1])(tangents)


@eqx.filter_jit
def _pull(map: Map, state: Any, cotangent: Any) -> Any:
    return jax.vjp(map, state)[1](cotangent)[0]


@eqx.filter_jit
def _pull_all(map: Map, state: Any, cotangents: Any) -> Any:
    pull = jax.vjp(map, state)[1]
    return jax.vmap(lambda cotangent: pull(cotangent)[0])(cotangents)
