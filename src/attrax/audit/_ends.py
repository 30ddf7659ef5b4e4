"""Where starts end, as a record."""

import math
from dataclasses import replace
from typing import Any

import jax.random as jr
import numpy as np

from attrax._base import checks
from attrax._base.states import state_batch
from attrax._base.status import IterationStatus, Reason, Verdict
from attrax._base.types import HostStates, Map, Progress
from attrax.analysis import upper_confidence_bound
from attrax.audit._kinds import DIVERGED, NOT_CONVERGED, End, EndKind, Ends, Moving
from attrax.audit._motion import divergence_of, motion_of
from attrax.audit._search import FINEST, SIZES, Candidate, Search
from attrax.certificates import spectrum
from attrax.dynamics import run, states_of, trajectory
from attrax.maps import linearizer, shapes_of
from attrax.memory import Memory, default_recovery_atol
from attrax.patterns import Patterns

_MARGINAL = 1e-6
_EIGENVALUES = 16
_DECAYED = 256
"""Products with the Jacobian after which only directions are left that don't decay."""
_BESIDE, _RESTING = 1e-3, 5000
"""How far beside a point of a line, in each entry and in units, a path should come to rest, and within how many
steps."""
_LOOKED_AT = 2
"""Starts without an end that are followed further."""


def find_ends(
    map: Map,
    starts: HostStates,
    *,
    unit: float | None = None,
    tolerance: float = 1e-5,
    max_steps: int = 10_000,
    confidence: float = 0.95,
    spectra: int = 6,
    progress: Progress | None = None,
) -> Ends:
    """Iterates `map` from every start, refines and certifies what they come to, and counts that.

    The iteration stops where the state changes by less than `tolerance`. Newton's method goes on from there in 64 bits,
    and its result is certified. It counts as the end of a start if it attracts, certified or by the estimate of its
    largest eigenvalue, and the path gets nearer to it; else the iteration goes on with a finer tolerance, down to
    1e-10. Ends are told apart after refinement. So neither the ends nor their number depend on `tolerance`, which only
    decides how long the iteration takes.

    What is certified is the end. That a start comes to it is computed, not proved.

    **Arguments:**

    - `map`: any callable from a state to a state of the same shape, written with JAX.
    - `starts`: n×state shape, finite.
    - `unit`: the unit of distances; by default `Patterns.unit` of the starts.
    - `tolerance`: change per step, in units, at which Newton's method is tried first.
    - `max_steps`: maximum number of applications of the map for each start.
    - `confidence`: that of the bound on the probability to end elsewhere.
    - `spectra`: for how many ends the leading eigenvalues are kept.
    - `progress`: called as `progress(task, done, total, numbers)`.

    **Returns:** `Ends`. **Raises** `ValueError` for a wrong argument.

        >>> import jax.numpy as jnp, numpy as np
        >>> found = find_ends(lambda x: jnp.tanh(2 * x), np.array([[-1.0], [0.3], [2.0]]))
        >>> found.num_attractors, found.label.tolist(), round(found.ends[0].time_constant, 2)
        (2, [1, 0, 0], 0.56)
    """
    starts = state_batch("starts", starts, *shapes_of(map)).astype(np.float64)
    if not np.isfinite(starts).all():
        raise ValueError("starts must be finite; got NaN or an infinity")
    patterns = Patterns.from_examples(starts)
    unit = patterns.unit if unit is None else checks.real("unit", unit, above=0)
    tolerance = checks.real("tolerance", tolerance, above=0, most=0.1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    upper_confidence_bound(0, 1, confidence=confidence)  # which checks it
    search = Search(map, starts.shape[1:], unit, default_recovery_atol(patterns) / patterns.unit * unit)
    found = search.run(starts, tolerance, max_steps, progress)
    ends, label = _in_order(search, found.candidates, found.label, len(starts), spectra)
    moving: list[Moving] = []
    going, lost = np.flatnonzero(label == NOT_CONVERGED), np.flatnonzero(label == DIVERGED)
    for row in going[:_LOOKED_AT].tolist():
        seen = motion_of(map, search.reduced, found.last[row], row, len(going))
        moving += [] if seen.motion in [one.motion for one in moving] else [seen]
    for row in lost[:1].tolist():
        path = trajectory(search.reduced, starts[row : row + 1], max(int(found.num_steps[row]) - 1, 1))[0]
        path = np.concatenate([starts[row : row + 1], path])
        moving.append(divergence_of(path, row, len(lost)))
    return Ends(ends, label, found.num_steps, found.last, tuple(moving), unit, confidence)


def _in_order(
    search: Search, candidates: tuple[Candidate, ...], label: np.ndarray, total: int, spectra: int
) -> tuple[tuple[End, ...], np.ndarray]:
    """The ends that starts came to, certified attractors first, with labels that fit."""
    groups: dict[object, list[int]] = {}
    eigenvalues: dict[int, np.ndarray] = {}
    reached = np.unique(label[label >= 0]).tolist()
    marginal = dict.fromkeys(reached, 0)
    for number in reached:
        one = candidates[number]
        if one.reason in (Reason.BOUND_STRADDLES_ONE, Reason.EXISTENCE_NOT_SHOWN) and one.period == 1:
            eigenvalues[number] = _leading(search.map, one)
            marginal[number] = int((np.abs(eigenvalues[number] - 1) <= _MARGINAL).sum())
    alone = [number for number in reached if marginal[number]]
    for number, rests in zip(alone, _on_lines(search, [candidates[number] for number in alone]), strict=True):
        marginal[number] = marginal[number] if rests else 0
    for number in reached:
        # The points of a line are one end.
        group: object = ("line", marginal[number]) if marginal[number] else number
        groups.setdefault(group, []).append(number)
    ends: list[tuple[End, list[int]]] = []
    for members in groups.values():
        counts = [int((label == number).sum()) for number in members]
        first = members[int(np.argmax(counts))]
        end = _end(candidates[first], sum(counts), total, marginal[first], len(members))
        ends.append((replace(end, eigenvalues=eigenvalues.get(first, end.eigenvalues)), members))
    ends.sort(key=lambda pair: (not pair[0].attracts, -pair[0].count, pair[1][0]))
    renamed = label.copy()
    for number, (_, members) in enumerate(ends):
        renamed[np.isin(label, members)] = number
    listed = [end for end, _ in ends]
    for number, (end, members) in enumerate(ends[:spectra]):
        if not len(end.eigenvalues):
            listed[number] = replace(end, eigenvalues=_leading(search.map, candidates[members[0]]))
    return tuple(listed), renamed


def _on_lines(search: Search, points: list[Candidate]) -> list[bool]:
    """For each point, whether paths that begin beside it, in directions that don't decay and in both senses, come to
    rest there.

    Beside a point where an eigenvalue is 1 there need not be another fixed point, nor at the point itself: x + x² + gap
    has none. The state is slow there, but it moves on, and faster the farther away it is.
    """
    if not points:
        return []
    draw = np.random.default_rng(0)
    far = _BESIDE * search.unit * math.sqrt(math.prod(search.shape))
    starts: list[np.ndarray] = []
    for one in points:
        linear = linearizer(search.map)(one.states, 0.0)
        vectors = draw.standard_normal((2, linear.size))
        for _ in range(_DECAYED):
            vectors = linear.forward(vectors)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        starts.append(one.states[0] + far * np.concatenate([vectors, -vectors]).reshape(-1, *search.shape))
    options: dict[str, Any] = {"max_steps": _RESTING, "atol": FINEST * search.unit, "unit": search.unit, "sizes": SIZES}
    found = run(search.reduced, np.concatenate(starts), **options)
    last = states_of(search.reduced, found.z, SIZES)
    rests = found.status == IterationStatus.CONVERGED
    return [
        bool((rests[rows] & (one.distance(last[rows]) > far / 4)).all())
        for one, rows in zip(points, np.arange(len(last)).reshape(len(points), -1), strict=True)
    ]


def _end(one: Candidate, count: int, total: int, marginal: int, points: int) -> End:
    kind = EndKind.CYCLE if one.period > 1 else EndKind.FIXED_POINT
    if marginal:
        kind = EndKind.LINE
    elif not one.converged and one.verdict is not Verdict.ATTRACTOR:
        kind = EndKind.SLOW_POINT
    radius = one.spectral_radius
    constant = -one.period / math.log(radius) if 0 < radius < 1 else math.inf
    if radius == 0:
        constant = 0.0
    return End(
        kind,
        count,
        count / total,
        one.period,
        one.verdict,
        one.reason,
        one.evidence,
        radius,
        one.error,
        one.upper_bound,
        constant,
        one.residual,
        marginal,
        points,
        one.states,
    )


def _leading(map: Map, one: Candidate) -> np.ndarray:
    memory = Memory(map, Patterns.from_sequences([one.states]))
    return spectrum(memory, top=min(_EIGENVALUES, one.states[0].size), key=jr.key(0)).eigenvalues[0]
