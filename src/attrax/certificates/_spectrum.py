"""The largest eigenvalues of the Jacobian at each example, or of the Jacobian product around each cycle, with
errors."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax.random as jr
import numpy as np
import scipy
from jaxtyping import Complex, Float, Int, PRNGKeyArray

from attrax._base import checks
from attrax._base.devices import on_next_device
from attrax._base.numerics import float64
from attrax._base.processes import one_blas_thread
from attrax._base.shown import Rows
from attrax._base.status import SpectrumStatus
from attrax._base.types import HostStates, Progress
from attrax.dynamics import Refined, refine
from attrax.linalg import (
    FORMED,
    POWERS,
    SMALL,
    UNIT_ROUNDOFF,
    LargestEigenvalues,
    basis_bound,
    eigenvector,
    gamma,
    largest_eigenvalues,
    power_bound,
    probable_bound,
)
from attrax.maps import Linearization, Linearizer, linearizer, reduced_map
from attrax.memory import Memory, check_memory

_FEW = 8
"""So many eigenvectors are computed one by one sooner than all of them together."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum(Rows):
    """The largest eigenvalues of each cycle's Jacobian product (of the Jacobian, for an example): one row per cycle.

    **Fields:**

    - `cycles`: the indices of the points of each cycle, in order.
    - `eigenvalues`: c×m, by decreasing modulus. 0 beyond the rank of a small matrix, NaN if not found.
    - `log_modulus`: natural logarithm of their moduli, exact where these under- or overflow; −inf for 0.
    - `residual`: c×m, ‖Mv − λv‖₂/‖v‖₂ for the matrix M in which each was computed; not relative to |λ|.
    - `backward_error`: c×m. λ is an exact eigenvalue of a matrix within this distance (in the 2-norm) of the exact M.
      It is the residual plus a bound on the error of the computed M (an estimate if M was never formed).
    - `condition`: of the leading eigenvalue, 1/|yᴴx| with its left and right eigenvectors: 1 for a normal matrix; to
      first order, the error of the leading eigenvalue is at most `condition`·`backward_error`. Infinite if it is
      defective.
    - `largest_singular_value`: of the product.
    - `upper_bound`: no eigenvalue has a larger modulus; `status` says how certain that is.
    - `dimension`: total number of eigenvalues, which is the number of entries of a state; `rank`: upper bound on the
      number of nonzero ones.
    - `status`: one `SpectrumStatus` per cycle.
    - `method`: `"dense"`, `"arnoldi"` (on a formed matrix) or `"matrix-free"`.
    """

    rows_of: ClassVar[str] = "status"

    cycles: tuple[tuple[int, ...], ...]
    eigenvalues: Complex[np.ndarray, "c m"]
    log_modulus: Float[np.ndarray, "c m"]
    residual: Float[np.ndarray, "c m"]
    backward_error: Float[np.ndarray, "c m"]
    condition: Float[np.ndarray, " c"]
    largest_singular_value: Float[np.ndarray, " c"]
    upper_bound: Float[np.ndarray, " c"]
    dimension: int
    rank: Int[np.ndarray, " c"]
    status: tuple[SpectrumStatus, ...]
    method: tuple[str, ...]


def spectrum(
    memory: Memory,
    *,
    top: int | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Spectrum:
    """The `top` largest eigenvalues at every stored cycle, each with its residual and backward error.

    For fully connected networks they are computed from a small matrix with the same nonzero spectrum, with a bound
    ‖Mᵐ‖^{1/m} on all eigenvalues that includes rounding and holds throughout the ball in which `certify` proves that
    the exact cycle lies. For other maps with up to 2,048 entries per state they are those of the full Jacobian, whose
    own error is unknown and assumed to be 64 units in the last place, and whose change over the ball is estimated. For
    larger maps, Arnoldi's method is applied to Jacobian-vector products; it may miss an eigenvalue. These products
    prove no bound on the whole spectrum, but with 10 Gaussian vectors ω they give one that fails with a probability of
    1e-10: ρ(M) ≤ (10·√(2/π)·maxᵢ‖Mᵐωᵢ‖)^{1/m} (Halko, Martinsson and Tropp 2011, Lemma 4.1, applied to Mᵐ with
    m = 128).

    **Arguments:**

    - `memory`, whose map is any callable written with JAX.
    - `top`: how many eigenvalues; by default one percent of the entries of a state, rounded up.
    - `progress`: called with the number of finished cycles.
    - `key`: random key for the vectors of the probable bound; networks do not use it.

    **Returns:** `Spectrum`. **Raises** `ValueError` for a wrong argument, and if the memory holds no patterns.

        >>> import jax.numpy as jnp, jax.random as jr, numpy as np
        >>> from attrax import Memory, Patterns
        >>> from attrax.certificates import spectrum
        >>> matrix = jnp.array([[0.5, 4.0], [0.0, -0.25]])
        >>> memory = Memory(lambda x: matrix @ x, Patterns.from_examples(np.zeros((1, 2))))
        >>> found = spectrum(memory, top=2, key=jr.key(0))
        >>> found.eigenvalues.real.tolist(), str(found.status[0])
        ([[0.5, -0.25]], 'bounded')
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    size = math.prod(patterns.shape)
    top = math.ceil(size / 100) if top is None else checks.integer("top", top, least=1, most=size)
    linearize = linearizer(memory.map)
    cycles = [np.asarray(patterns.points[list(cycle)], np.float64) for cycle in patterns.cycles]
    seeds = [int(part) for part in np.asarray(jr.key_data(key)).ravel()]
    with float64():
        reduced = reduced_map(memory.map, patterns.shape)
    refine_one = partial(refine, memory.map, reduced=reduced, unit=patterns.unit)
    rows: list[_Row] = []
    # One cycle per thread, as in `certify`.
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        work = on_next_device(partial(_cycle_spectrum, refine_one, linearize, top, seeds))
        for row in pool.map(work, cycles, [cycle[0] for cycle in patterns.cycles]):
            rows.append(row)
            if progress is not None:
                largest = max((abs(row.values[0]) for row in rows), default=0.0)
                progress("eigenvalues", len(rows), len(cycles), {"largest_radius": float(largest)})

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows], float)

    return Spectrum(
        cycles=patterns.cycles,
        eigenvalues=np.stack([row.values for row in rows]),
        log_modulus=np.stack([row.logs for row in rows]),
        residual=np.stack([row.residuals for row in rows]),
        backward_error=np.stack([row.backward for row in rows]),
        condition=column("condition"),
        largest_singular_value=column("singular"),
        upper_bound=column("upper"),
        dimension=size,
        rank=np.array([row.rank for row in rows]),
        status=tuple(row.status for row in rows),
        method=tuple(row.method for row in rows),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    values: np.ndarray
    logs: np.ndarray
    residuals: np.ndarray
    backward: np.ndarray
    condition: float
    singular: float
    upper: float
    rank: int
    status: SpectrumStatus
    method: str


def _cycle_spectrum(
    refine_one: Callable[[HostStates], Refined],
    linearize: Linearizer,
    top: int,
    seeds: list[int],
    cycle: HostStates,
    number: int,
) -> _Row:
    refined = refine_one(cycle)
    size = cycle[0].size
    if not np.isfinite(refined.residual):
        return _nothing(top, size, SpectrumStatus.NOT_FINITE)
    # In a ball that was shown to hold the exact cycle; where none was, near the points. Of maps so large that no matrix
    # is formed, only the points are looked at: the bound rests on draws there, and a ball would take as many again.
    linear = linearize(refined.points, None if size <= FORMED else 0.0)
    if size > FORMED and linear.product is not None:
        linear = linearize(refined.points)
    product = linear.product
    if product is None:
        return _matrix_free(linear, len(cycle), top, np.random.default_rng([*seeds, number]))
    matrix = product.matrix
    if not np.isfinite(matrix).all():
        return _nothing(top, size, SpectrumStatus.NOT_FINITE)
    eigenvalues, method = _eigenvalues(matrix, min(top, len(matrix)))
    largest = float(np.abs(eigenvalues.values).max(initial=0.0))
    log_largest = math.log(largest) + product.log_scale if largest else None
    log_upper = power_bound(product, target=log_largest)
    # The last term covers the rounding of `eig` or of the products with v.
    error = product.error + 4 * gamma(len(matrix) + 1) * float(np.linalg.norm(matrix))
    with np.errstate(over="ignore"):
        scale = float(np.exp(product.log_scale))
        # As in `certify`: bases of large matrices take time.
        reached = (largest + eigenvalues.condition * error) * scale if len(matrix) > SMALL else 0.0
        if log_largest is not None and not log_upper < 0 and reached < 1:
            log_upper = min(log_upper, basis_bound(product, log_largest))
    singular, rank, status = linear.singular_value(), len(matrix), SpectrumStatus.BOUNDED
    return _row(eigenvalues, error, product.log_scale, log_upper, singular, top, rank, status, method)


def _row(
    eigenvalues: LargestEigenvalues,
    error: float,
    log_scale: float,
    log_upper: float,
    singular: float,
    top: int,
    rank: int,
    status: SpectrumStatus,
    method: str,
) -> _Row:
    rest = top - len(eigenvalues.values)
    values = np.pad(eigenvalues.values, (0, rest))
    # An eigenvalue beyond the rank is 0, whatever the error of the small matrix.
    residuals, backward = np.pad(eigenvalues.residuals, (0, rest)), np.pad(eigenvalues.residuals + error, (0, rest))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        logs = np.where(values != 0, np.log(np.abs(values)) + log_scale, -np.inf)
        scale, upper = float(np.exp(log_scale)), float(np.exp(log_upper))
        values, residuals, backward = values * scale, residuals * scale, backward * scale
    return _Row(values, logs, residuals, backward, eigenvalues.condition, singular, upper, rank, status, method)


def _nothing(top: int, size: int, status: SpectrumStatus) -> _Row:
    nan = np.full(top, np.nan)
    return _Row(nan + 0j, nan, nan, nan, float("nan"), float("nan"), float("inf"), size, status, "none")


def _eigenvalues(matrix: np.ndarray, count: int) -> tuple[LargestEigenvalues, str]:
    """The `count` largest eigenvalues of a matrix, and the method; all are computed unless it is large and they are
    few."""
    size = len(matrix)
    if not matrix.any():
        return LargestEigenvalues(np.zeros(count, complex), np.zeros(count), 1.0), "dense"
    if size > SMALL and 8 * count <= size:
        leading = largest_eigenvalues(lambda x: matrix @ x, lambda x: matrix.T @ x, size, count)
        if len(leading.values) == count:
            return leading, "arnoldi"
    if size > SMALL and count <= _FEW:
        values = np.linalg.eigvals(matrix)
        values = values[np.argsort(-np.abs(values), kind="stable")[:count]].astype(complex)
        vectors = np.stack([eigenvector(matrix, value) for value in values], axis=1)
    else:
        decomposition: Any = scipy.linalg.eig(matrix)
        values, vectors = decomposition
        order = np.argsort(-np.abs(values), kind="stable")[:count]
        values, vectors = values[order], vectors[:, order]
    residuals = np.linalg.norm(matrix @ vectors - vectors * values, axis=0) / np.linalg.norm(vectors, axis=0)
    return LargestEigenvalues(values, residuals, _condition(matrix, values[0], vectors[:, 0])), "dense"


def _condition(matrix: np.ndarray, value: complex, vector: np.ndarray) -> float:
    """1/|yᴴx| with the left eigenvector y. yᴴM = λyᴴ is Mᵀȳ = λȳ."""
    overlap = abs(eigenvector(matrix.T, value) @ vector) / np.linalg.norm(vector)
    return float(1 / overlap) if overlap > 0 else float("inf")


def _matrix_free(linear: Linearization, period: int, top: int, rng: np.random.Generator) -> _Row:
    size, forward = linear.size, linear.forward
    if not np.isfinite(forward(rng.standard_normal(size))).all():
        return _nothing(top, size, SpectrumStatus.NOT_FINITE)
    log_upper = probable_bound(forward, size, max(1, POWERS // period), rng)
    if log_upper > -np.inf:
        count = min(top, size - 2)
        eigenvalues = largest_eigenvalues(forward, linear.backward, size, count, max_steps=200)
    else:
        # Almost surely, only a nilpotent matrix maps Gaussian vectors to zero eventually.
        count, eigenvalues = top, LargestEigenvalues(np.zeros(top, complex), np.zeros(top), 1.0)
    singular = linear.singular_value()
    status = SpectrumStatus.PROBABLE if len(eigenvalues.values) == count else SpectrumStatus.NOT_CONVERGED
    missing = top - len(eigenvalues.values)
    eigenvalues = replace(
        eigenvalues,
        values=np.pad(eigenvalues.values, (0, missing), constant_values=np.nan),
        residuals=np.pad(eigenvalues.residuals, (0, missing), constant_values=np.nan),
    )
    return _row(eigenvalues, 64 * UNIT_ROUNDOFF * singular, 0.0, log_upper, singular, top, size, status, "matrix-free")
