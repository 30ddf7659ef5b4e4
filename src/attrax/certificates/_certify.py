"""Certificates: is each stored cycle an attractor, and how do we know?"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy
from threadpoolctl import threadpool_limits

from attrax._base.numerics import float64
from attrax._base.status import Verdict
from attrax._base.types import HostStates, Map, Progress
from attrax.certificates._open_sequences import open_sequence_errors
from attrax.dynamics import Refined, refine
from attrax.linalg import leading_eigenvalue, power_bound
from attrax.maps import Linearization, Linearizer, ReducedMap, linearizer, reduced_map
from attrax.memory import Certificate, Memory, Thresholds

_SAME = Thresholds.literal().recovery
"""Distance below which two cycles are one."""


def certify(memory: Memory, *, progress: Progress | None = None) -> Certificate:
    """Certifies every cycle of a memory by the Jacobian product round it (Propositions 1 and 2).

    *attractor*: the points are a cycle of the map to within rounding, and an upper bound on the whole spectrum,
    ‖Mᵐ‖^{1/m} with its rounding error, is below 1. *not_attractor*: an eigenvalue exceeds 1 by more than its error,
    or the points are far from any cycle: the exact one near them lies beyond the paper's recovery threshold (a mean
    squared distance of 1e-7) from the example as it was given, it is another example's too, so that no recall can tell
    the two apart, or it repeats before all of its states have come. *inconclusive*: neither could be shown. A row is
    what it would be alone, save for the comparison with the others.

    The logarithm of the spectral radius is that of the product of all the Jacobians, whose scale is taken out at each
    step, so that a cycle of any length neither over- nor underflows. Of an open sequence the state that it ends in is
    certified as a fixed point. The linearization there says nothing of the states before it, so the sequence is run
    (`open_sequence_error`).

    **Arguments:** `memory`, whose map is any callable written with JAX. **Returns:** `Certificate`.

    **Raises** `ValueError` where the memory holds no patterns.

        >>> import numpy as np
        >>> from attrax import Memory, Patterns
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.zeros((1, 3))))
        >>> certify(memory).verdict[0].value
        'attractor'
    """
    patterns = memory.examples()
    linearize = linearizer(memory.map)
    cycles = [np.asarray(patterns.points[list(cycle)], np.float64) for cycle in patterns.cycles]
    rows: list[_Row] = []
    refined: list[HostStates] = []
    with float64():
        way = reduced_map(memory.map, patterns.shape)
    # One example a thread beats one matrix product over all threads: these matrices are small, and a busy machine
    # makes threads that share one product wait for each other. The limit is lifted again at the end of the block.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, points in pool.map(partial(_certify_cycle, memory.map, linearize, way), cycles):
            rows.append(row)
            refined.append(points)
            if progress is not None:
                largest = max(row.radius for row in rows)
                progress("certifying", len(rows), len(cycles), {"largest_radius": largest})

    given = patterns.points if memory.originals is None else memory.originals
    originals = [np.asarray(given[list(cycle)], np.float64) for cycle in patterns.cycles]
    periods = np.array([_period(points) for points in refined])
    shorter = {number for number, points in enumerate(refined) if periods[number] < len(points)}
    for number in shorter | _not_theirs(refined, originals):
        rows[number] = replace(rows[number], verdict=Verdict.NOT_ATTRACTOR)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows], float)

    return Certificate(
        cycles=patterns.cycles,
        spectral_radius=column("radius"),
        error=column("error"),
        upper_bound=column("upper"),
        log_spectral_radius=column("log_radius"),
        largest_singular_value=column("singular"),
        residual=column("residual"),
        moved=column("moved"),
        verdict=tuple(row.verdict for row in rows),
        method=tuple(row.method for row in rows),
        period=np.where(column("residual") <= Thresholds.mean_square(refined[0][0].size).recovery, periods, 0),
        open_sequence_error=open_sequence_errors(way, patterns, given),
    )


def _period(points: HostStates) -> int:
    """The least number of steps after which the points of a cycle repeat: a divisor of their number."""
    length = len(points)
    for period in range(1, length):
        if length % period == 0:
            apart = (points - np.roll(points, -period, axis=0)).reshape(length, -1)
            if np.linalg.norm(apart, axis=1).max() <= _SAME:
                return period
    return length


@dataclass(frozen=True, slots=True)
class _Row:
    radius: float
    error: float
    upper: float
    log_radius: float
    singular: float
    residual: float
    moved: float
    verdict: Verdict
    method: str


def _not_theirs(refined: list[HostStates], originals: list[HostStates]) -> set[int]:
    """Numbers of the cycles that strayed from their example, or that share a point with another."""
    strayed = {
        number
        for number, (points, given) in enumerate(zip(refined, originals, strict=True))
        if np.linalg.norm((points - given).reshape(len(points), -1), axis=1).max()
        > Thresholds.mean_square(given[0].size).recovery
    }
    points = np.concatenate([cycle.reshape(len(cycle), -1) for cycle in refined])
    owner = np.repeat(np.arange(len(refined)), [len(cycle) for cycle in refined])
    # Equal points have equal projections, so only neighbors on one random line need to be compared.
    direction = np.random.default_rng(0).standard_normal(points.shape[1])
    line = points @ (direction / np.linalg.norm(direction))
    order = np.argsort(line)
    shared: set[int] = set()
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            if not line[other] - line[one] <= 2 * _SAME:
                break
            if owner[one] != owner[other] and np.linalg.norm(points[one] - points[other]) <= _SAME:
                shared |= {int(owner[one]), int(owner[other])}
    return strayed | shared


def _certify_cycle(map: Map, linearize: Linearizer, way: ReducedMap, cycle: HostStates) -> tuple[_Row, HostStates]:
    """The row of one cycle, and its refined points."""
    refined = refine(map, cycle, way=way)
    return _certify_refined(linearize, refined), refined.points


def _certify_refined(linearize: Linearizer, refined: Refined) -> _Row:
    cycle, residual, moved = refined.points, refined.residual, refined.moved
    size = cycle[0].size
    if not np.isfinite(residual):
        nan = float("nan")
        return _Row(nan, float("inf"), float("inf"), nan, nan, residual, moved, Verdict.NOT_ATTRACTOR, "none")
    # Where the points solve f(x) = x to a small residual, the exact solution is about that residual away.
    linear = linearize(cycle, 10 * residual)
    product = linear.product
    if product is None:
        return _matrix_free(linear, residual, moved)
    lead = leading_eigenvalue(product)
    modulus = abs(lead.value)
    log_radius = float(np.log(modulus) + product.log_scale) if modulus > 0 else -np.inf
    log_upper = power_bound(product, target=log_radius if np.isfinite(log_radius) else None)
    if len(cycle) > 1 and not log_upper < 0:
        log_upper = min(log_upper, linear.norm_bound())
        if log_upper < log_radius:
            # What the product still shows is rounding: the exact one is smaller.
            modulus, log_radius = 0.0, -np.inf
    with np.errstate(over="ignore"):
        scale = float(np.exp(product.log_scale))
        radius, upper = float(np.exp(log_radius)), float(np.exp(log_upper))
        # Of a number known to within infinity, and scaled to nothing, the bound is what is left.
        error = lead.error * scale if np.isfinite(lead.error) else max(radius, upper)
        log_lower = np.log(max(modulus - lead.error, 0.0) or np.finfo(float).tiny) + product.log_scale
    verdict = _verdict(residual, size, log_upper, log_lower)
    method = "dense" if lead.complete else "arnoldi"
    return _Row(radius, error, upper, log_radius, linear.singular_value(), residual, moved, verdict, method)


def _verdict(residual: float, size: int, log_upper: float, log_lower: float) -> Verdict:
    thresholds = Thresholds.mean_square(size)
    if residual > thresholds.recovery:
        return Verdict.NOT_ATTRACTOR  # these points are not a cycle of the map
    if log_lower > 0:
        return Verdict.NOT_ATTRACTOR
    # Refined points miss a cycle by rounding only; a larger miss leaves open what the exact cycle is like.
    return Verdict.ATTRACTOR if log_upper < 0 and residual <= thresholds.convergence else Verdict.INCONCLUSIVE


def _matrix_free(linear: Linearization, residual: float, moved: float) -> _Row:
    """Arnoldi's method on Jacobian-vector products. A largest Ritz value bounds nothing from above."""
    size, forward = linear.size, linear.forward

    def matvec(vector: np.ndarray) -> np.ndarray:
        return forward(np.ravel(vector))

    def rmatvec(vector: np.ndarray) -> np.ndarray:
        return linear.backward(np.ravel(vector))

    operator = scipy.sparse.linalg.LinearOperator((size, size), matvec=matvec, rmatvec=rmatvec, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    singular = linear.singular_value()
    try:
        values, vectors = scipy.sparse.linalg.eigs(operator, k=1, tol=1e-8, v0=start, maxiter=200)
        left_values, left = scipy.sparse.linalg.eigs(operator.T, k=1, tol=1e-8, v0=start, maxiter=200)
    except scipy.sparse.linalg.ArpackError:
        nan = float("nan")
        return _Row(
            nan, float("inf"), float("inf"), nan, singular, residual, moved, Verdict.INCONCLUSIVE, "matrix-free"
        )
    value, vector = complex(values[0]), vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    partner = left[:, 0].conj() if abs(left_values[0] - value) <= abs(left_values[0].conj() - value) else left[:, 0]
    overlap = abs(np.vdot(partner, vector)) / np.linalg.norm(partner)
    # A real operator acts on the two parts of a complex vector apart.
    pushed = forward(vector.real) + 1j * forward(vector.imag)
    gap = float(np.linalg.norm(pushed - value * vector)) + 1e-13 * singular
    error = float(2 * gap / overlap) if overlap > 0 else float("inf")
    radius = abs(value)
    with np.errstate(divide="ignore"):
        log_lower, log_radius = float(np.log(max(radius - error, 0.0))), float(np.log(radius))
    verdict = _verdict(residual, size, float("inf"), log_lower)
    return _Row(radius, error, float("inf"), log_radius, singular, residual, moved, verdict, "matrix-free")
