"""Certificates: whether each stored cycle is an attractor, and on what evidence."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np

from attrax._base import checks
from attrax._base.devices import on_next_device
from attrax._base.digests import digest
from attrax._base.files import alone
from attrax._base.lazy import once
from attrax._base.lengths import largest_distance
from attrax._base.numerics import float64
from attrax._base.processes import one_blas_thread
from attrax._base.status import Evidence, Reason, Verdict
from attrax._base.types import HostStates, Map, Progress
from attrax.certificates._kinks import contradicted
from attrax.certificates._open_sequences import open_sequence_errors
from attrax.certificates._pieces import known_ends, sizes_within
from attrax.certificates._repeated import period_of, shared_points
from attrax.certificates._rows import Row, SpectralRadius, read_rows, write_rows
from attrax.dynamics import Refined, refine, refine_each
from attrax.linalg import SMALL, Product, basis_bound, gamma, largest_eigenvalues, leading_eigenvalue, power_bound
from attrax.maps import ConstantLinearizer, Images, Linearization, Linearizer, ReducedMap, linearizer, reduced_map
from attrax.memory import Certificate, Memory, Thresholds, check_memory, default_recovery_atol

_TOGETHER = 32
"""The least number of cycles for which many are processed at once."""
_SAVE_EVERY = 10.0
"""Seconds between two saves of a checkpoint, at least."""


def certify(
    memory: Memory,
    *,
    recovery_atol: float | None = None,
    memory_limit: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    refined: Sequence[Refined | None] | None = None,
    images: Images | None = None,
    progress: Progress | None = None,
) -> Certificate:
    """Certifies every cycle of a memory by the Jacobian product around it.

    *attractor*: an exact cycle of the map exists within `recovery_atol` of the originals, and an upper bound on its
    whole spectrum, ‖Mᵐ‖^{1/m} with all errors, is below 1. *displaced*: the same, but farther away; both hold with
    the error of that distance. *not_attractor*: an eigenvalue exceeds 1 by more than its error, the map moves the
    stored points by more than `recovery_atol`, another example has the same cycle, so that recall cannot tell the two
    apart, or the cycle repeats before it has visited all its states. *inconclusive*: none of these could be shown.
    `reason` says which case applies. Each row is what it would be alone up to rounding, except for the comparison with
    the others and the unit of the thresholds.

    The `evidence` says what a verdict rests on. For maps that bound their own slopes (attrax's networks) it is a proof,
    rounding included. For other callables, rounding and the change of the Jacobian nearby are estimated, and
    *attractor* is withheld where difference quotients contradict the Jacobian.

    The product of the Jacobians is rescaled at each step, so the logarithm of the spectral radius neither overflows nor
    underflows, however long the cycle is. For an open sequence, the state that it ends in is certified as a fixed
    point. The linearization there says nothing about the states before it, so the sequence is run instead
    (`open_sequence_error`).

    **Arguments:**

    - `memory`, whose map is any callable written with JAX.
    - `recovery_atol`: the Euclidean distance up to which a cycle counts as that of an example; by default the one that
      the memory was certified with before, or else the paper's recovery threshold, a mean squared distance of 1e-7, in
      units of the patterns (`Patterns.unit`).
    - `memory_limit`: bytes that the cycles at work take together at most, in pieces as large as that allows; the
      memory itself and what is computed once from its weights come on top. By default 64 cycles a core.
    - `checkpoint`: a file to save the finished cycles to from time to time. If it exists, they are not computed again,
      unless `resume` is `False`: then it is replaced.
    - `refined`: what `attrax.dynamics.refine_each` made of each cycle, in the order of `Patterns.cycles`; `None` for
      those, by default all, that are to be refined here.
    - `images`: `attrax.maps.Images` of the memory's map, if there are any; what is known of a stored state from them is
      not computed again.
    - `progress`: called with the number of finished cycles.

    **Returns:** `Certificate`.

    **Raises** `ValueError` for a wrong argument, a limit that one cycle exceeds, a memory without patterns,
    refined cycles of another number or shape, images of another map, or the checkpoint of another certificate.

    Source: Propositions 1 and 2 of Radhakrishnan, Belkin and Uhler (2020).

        >>> import numpy as np
        >>> from attrax import Memory, Patterns
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.zeros((1, 3))))
        >>> certify(memory).verdict[0].value
        'attractor'
    """
    check_memory(memory)
    patterns = memory.examples()
    recovery_atol, unit = memory.recovery_atol if recovery_atol is None else recovery_atol, patterns.unit
    recovery_atol = default_recovery_atol(patterns, unit) if recovery_atol is None else recovery_atol
    recovery_atol = checks.real("recovery_atol", recovery_atol, above=0)
    task = _Task(memory.map, patterns.shape, linearizer(memory.map), unit, recovery_atol, images)
    originals = np.asarray(memory.originals)
    cycles = patterns.cycles
    known = known_ends(memory, refined, images)
    many = task.linearize if len(cycles) >= _TOGETHER and isinstance(task.linearize, ConstantLinearizer) else None
    # One example per thread is faster than one matrix product over all threads: these matrices are small, and on a busy
    # machine threads that share a product wait for each other. The limit ends with the block.
    workers, piece = sizes_within(memory_limit, memory, many)
    prepare = partial(_linearized_together, task, many)
    certify_one = on_next_device(partial(_certify_cycle, task))

    def stored(number: int) -> HostStates:
        return np.asarray(patterns.points[list(cycles[number])], np.float64)

    def points_of(number: int) -> HostStates:
        points = rows[number].points
        return stored(number) if points is None else points

    same = Thresholds.literal(unit).recovery
    with (
        _saving(checkpoint, memory, recovery_atol, resume) as (rows, save),
        one_blas_thread(),
        ThreadPoolExecutor(workers) as pool,
    ):
        largest = max((row.spectral.radius for row in rows), default=float("nan"))
        while len(rows) < len(cycles):
            batch = range(len(rows), min(len(rows) + piece * workers, len(cycles)))
            given = [_Prepared(stored(number), known[number]) for number in batch]
            pieces = [given[at : at + piece] for at in range(0, len(batch), piece)]
            prepared = [cycle for found in pool.map(prepare, pieces) for cycle in found]
            for number, row in zip(batch, pool.map(certify_one, prepared), strict=True):
                original = np.asarray(originals[list(cycles[number])], np.float64)
                rows.append(_finished(row, prepared[number - batch[0]].cycle, original, same))
                if progress is not None:
                    largest = np.fmax(largest, row.spectral.radius)
                    progress("certifying", len(rows), len(cycles), {"largest_radius": float(largest)})
            save(len(rows) == len(cycles))

    shared = shared_points(points_of, len(cycles), same)
    errors = np.array([_distance_error(row, math.prod(patterns.shape)) for row in rows])
    for number, row in enumerate(rows):
        if row.verdict is Verdict.ATTRACTOR:
            row = _placed(row, float(errors[number]), recovery_atol)
        if row.period < len(cycles[number]):
            row = replace(row, verdict=Verdict.NOT_ATTRACTOR, reason=Reason.SHORTER_PERIOD)
        elif number in shared:
            row = replace(row, verdict=Verdict.NOT_ATTRACTOR, reason=Reason.SHARED)
        rows[number] = row

    def column(name: str) -> np.ndarray:
        return np.array([attrgetter(name)(row) for row in rows], float)

    return Certificate(
        cycles=cycles,
        spectral_radius=column("spectral.radius"),
        error=column("spectral.error"),
        upper_bound=column("spectral.upper"),
        log_spectral_radius=column("spectral.log_radius"),
        largest_singular_value=column("singular"),
        residual=column("residual"),
        moved=column("moved"),
        verdict=tuple(row.verdict for row in rows),
        method=tuple(row.spectral.method for row in rows),
        period=np.where(column("residual") <= recovery_atol, [row.period for row in rows], 0),
        open_sequence_error=open_sequence_errors(lambda: task.reduced, patterns, originals),
        reason=tuple(row.reason for row in rows),
        evidence=tuple(row.evidence for row in rows),
        distance=column("distance"),
        distance_error=errors,
        recovery_atol=recovery_atol,
    )


@contextlib.contextmanager
def _saving(
    checkpoint: str | os.PathLike[str] | None, memory: Memory, recovery_atol: float, resume: bool
) -> Iterator[tuple[list[Row], Callable[[bool], None]]]:
    """The rows of the cycles that an earlier run has finished, to which more are added, and what saves them from time
    to time, and at the end."""
    rows: list[Row] = []
    if checkpoint is None:
        yield rows, lambda _: None
        return
    path, patterns, saved = Path(checkpoint), memory.examples(), time.monotonic()
    fingerprint = digest(repr(recovery_atol), memory.map, patterns.points, patterns.successor, memory.originals)

    def save(end: bool) -> None:
        nonlocal saved
        if end or time.monotonic() - saved > _SAVE_EVERY:
            write_rows(path, rows, fingerprint)
            saved = time.monotonic()

    with alone(path):
        if resume and path.exists():
            rows += read_rows(path, fingerprint)
        yield rows, save


def _finished(row: Row, stored: HostStates, originals: HostStates, same: float) -> Row:
    """The row of a cycle with its distance from the originals and its period; without the points that are stored."""
    points = stored if row.points is None else row.points
    moved = not np.array_equal(points, stored)
    distance = largest_distance(points, originals)
    return replace(row, points=points if moved else None, distance=distance, period=period_of(points, same))


def _distance_error(row: Row, size: int) -> float:
    """How far the exact distance may be from the computed one: by where the cycle lies, and by the rounding."""
    if not np.isfinite(row.enclosure_radius):
        return float("inf")  # whatever the distance is, which may be no number
    return row.enclosure_radius + gamma(size + 4) * row.distance


def _placed(row: Row, error: float, recovery_atol: float) -> Row:
    """The row of an attractor, by whether the exact cycle is certainly within the threshold, certainly outside it, or
    neither."""
    if row.distance + error <= recovery_atol:
        return row
    if row.distance - error > recovery_atol:
        return replace(row, verdict=Verdict.DISPLACED, reason=Reason.DISPLACED)
    return replace(row, verdict=Verdict.INCONCLUSIVE, reason=Reason.DISTANCE_STRADDLES_THRESHOLD)


@dataclass(frozen=True, eq=False)
class _Task:
    """What all cycles of a memory have in common: its map, and what is made of it."""

    map: Map
    shape: tuple[int, ...]
    linearize: Linearizer
    unit: float
    recovery_atol: float
    images: Images | None

    @once
    def reduced(self) -> ReducedMap:
        """The `reduced_map` of the map. Where the points are exact, nothing needs it."""
        with float64():
            return reduced_map(self.map, self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """The stored points of a cycle and, where that was done for many at once, what they were refined to, and its
    linearization."""

    cycle: HostStates
    refined: Refined | None = None
    linear: Linearization | None = None


@np.errstate(over="ignore", invalid="ignore")
def _linearized_together(task: _Task, linearize: ConstantLinearizer | None, given: list[_Prepared]) -> list[_Prepared]:
    """Refines and linearizes at once those fixed points around which the map is constant; the others, and all without a
    linearizer that does this, are left to `_certify_cycle`."""
    if linearize is None:
        return given
    rough = [one.cycle for one in given if one.refined is None]
    made = iter(refine_each(task.map, rough, reduced=lambda: task.reduced, unit=task.unit))
    refined = [next(made) if one.refined is None else one.refined for one in given]
    alone = [number for number, one in enumerate(refined) if len(one.points) == 1 and np.isfinite(one.residual)]
    linear = {} if task.images is None else {at: task.images.linearization(refined[at].points[0]) for at in alone}
    rest = [number for number in alone if linear.get(number) is None]
    if rest:
        states = np.concatenate([refined[number].points for number in rest])
        linear |= zip(rest, linearize.constant_at(states), strict=True)
    return [_Prepared(one.cycle, refined[number], linear.get(number)) for number, one in enumerate(given)]


@np.errstate(over="ignore", invalid="ignore")
def _certify_cycle(task: _Task, prepared: _Prepared) -> Row:
    """The row of one cycle, before it is compared with the other cycles and with the originals."""
    refined = prepared.refined
    if refined is None:
        refined = refine(task.map, prepared.cycle, reduced=lambda: task.reduced, unit=task.unit)
    points, residual = refined.points, refined.residual
    if not np.isfinite(residual):
        inf = float("inf")
        return Row(points, residual, refined.moved, inf, Evidence.NONE, Verdict.NOT_ATTRACTOR, Reason.NOT_FINITE)
    linear = task.linearize(points) if prepared.linear is None else prepared.linear
    spectral = _matrix_free(linear) if linear.product is None else _with_matrix(linear, linear.product)
    verdict, reason = _verdict(residual, task.recovery_atol, linear.enclosure_radius, spectral)
    # A map that does not know its own kinks may contradict its Jacobian, so this is tested.
    put_to_test = linear.evidence is not Evidence.BOUND and reason in (Reason.CONTRACTS, Reason.EXPANDS)
    margin = 1 - spectral.upper if reason is Reason.CONTRACTS else None
    if put_to_test and contradicted(task.map, points, linear, task.unit, margin=margin):
        verdict, reason = Verdict.INCONCLUSIVE, Reason.KINK
    return Row(
        points,
        residual,
        refined.moved,
        linear.enclosure_radius,
        linear.evidence,
        verdict,
        reason,
        spectral,
        linear.singular_value(),
    )


def _verdict(
    residual: float, recovery_atol: float, enclosure_radius: float, spectral: SpectralRadius
) -> tuple[Verdict, Reason]:
    if residual > recovery_atol:
        return Verdict.NOT_ATTRACTOR, Reason.NO_FIXED_POINT_NEAR
    if spectral.log_radius == np.inf:
        return Verdict.INCONCLUSIVE, Reason.NOT_FINITE
    if spectral.log_lower > 0:
        return Verdict.NOT_ATTRACTOR, Reason.EXPANDS
    if spectral.method != "dense" and spectral.radius + spectral.error < 1 <= spectral.upper:
        return Verdict.INCONCLUSIVE, Reason.PARTIAL_SPECTRUM
    if not np.isfinite(enclosure_radius):
        return Verdict.INCONCLUSIVE, Reason.EXISTENCE_NOT_SHOWN
    if spectral.upper < 1:
        return Verdict.ATTRACTOR, Reason.CONTRACTS
    return Verdict.INCONCLUSIVE, Reason.BOUND_STRADDLES_ONE


def _with_matrix(linear: Linearization, product: Product) -> SpectralRadius:
    leading = leading_eigenvalue(product)
    modulus = abs(leading.value)
    log_radius = float(np.log(modulus) + product.log_scale) if modulus > 0 else -np.inf
    log_upper = power_bound(product, target=log_radius if np.isfinite(log_radius) else None)
    outside = log_radius > 0 and modulus > leading.error and log_radius + np.log1p(-leading.error / modulus) > 0
    if not log_upper < 0 and not outside:  # nothing could bring the bound below 1
        log_upper = min(log_upper, linear.norm_bound())
        if log_upper < log_radius:
            # What remains of the product is rounding: the exact one is smaller.
            modulus, log_radius = 0.0, -np.inf
    with np.errstate(over="ignore"):
        scale = float(np.exp(product.log_scale))
        # To first order, eigenvalues of matrices within the error may be that large, and bases of large ones take time.
        reached = (modulus + leading.error / 2) * scale if len(product.matrix) > SMALL else 0.0
        if not log_upper < 0 and reached < 1:
            log_upper = min(log_upper, basis_bound(product, log_radius))
        radius, upper = float(np.exp(log_radius)), float(np.exp(log_upper))
        # The exact radius lies between 0 and the bound, so the estimate is off by no more than this. It also replaces
        # an infinite error, which times a scale of 0 is NaN.
        error = min(leading.error * scale if np.isfinite(leading.error) else np.inf, max(radius, upper))
        log_lower = float(np.log(max(modulus - leading.error, 0.0) or np.finfo(float).tiny) + product.log_scale)
    return SpectralRadius("dense" if leading.complete else "arnoldi", radius, error, upper, log_radius, log_lower)


def _matrix_free(linear: Linearization) -> SpectralRadius:
    """Arnoldi's method on Jacobian-vector products for the radius. The largest Ritz value is no upper bound; the bound
    comes from randomized norms."""
    size, forward = linear.size, linear.forward
    log_upper = linear.norm_bound()
    with np.errstate(over="ignore"):
        upper = float(np.exp(log_upper))
    start = np.random.default_rng(0).standard_normal(size)
    if upper < 1e-100 or not forward(start).any():
        return SpectralRadius("matrix-free", 0.0, upper, upper, -np.inf, -np.inf)
    eigenvalues = largest_eigenvalues(forward, linear.backward, size, tol=1e-8)
    sure = len(eigenvalues.values) > 0
    if not sure:  # it begins again: ARPACK keeps nothing of a run that found none, and the first rounds are few of 200
        eigenvalues = largest_eigenvalues(forward, linear.backward, size, tol=1e-8, max_steps=200)
    if not len(eigenvalues.values):
        return SpectralRadius("matrix-free", upper=upper)
    value = complex(eigenvalues.values[0])
    gap = float(eigenvalues.residuals[0]) + 1e-13 * linear.singular_value()
    error = 2 * gap * eigenvalues.condition if np.isfinite(eigenvalues.condition) else float("inf")
    radius = abs(value)
    error = min(error, max(radius, upper))  # the exact radius lies between 0 and the bound
    with np.errstate(divide="ignore"):
        log_lower, log_radius = float(np.log(max(radius - error, 0.0))), float(np.log(radius))
    if not sure:  # a larger eigenvalue may have been missed
        error = max(error, upper - radius)
    return SpectralRadius("matrix-free", radius, error, upper, log_radius, log_lower)
