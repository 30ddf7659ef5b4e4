"""Where Corollary 1 applies: the open intervals on which |zφ'(z)/φ(z)| > 1, proved if φ's record allows it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from attrax._base import checks
from attrax._base.shown import Record
from attrax.activations import ActivationLike, Case
from attrax.activations.intervals import Boxes
from attrax.theory._scalar import Scalar, bracketed_root, scalar
from attrax.theory._status import TheoryStatus

Span: TypeAlias = tuple[float, float]

_START = 0.05
_SAMPLES = 40_001
_LIMIT = 1e4


@dataclass(frozen=True, slots=True)
class AdmissibleIntervals(Record):
    """The part of [low, high] where an interpolating network is not an attractor.

    **Fields:**

    - `low`, `high`: the range that was searched.
    - `intervals`: open intervals with |zφ'/φ| > 1, φ ≠ 0, φ' finite. If proved, their ends lie inside the true
      interval, by less than `atol`.
    - `undecided`: short intervals (about `atol`) around the true ends, where neither > 1 nor ≤ 1 was proved. Zeros of φ
      between two admissible intervals are enclosed here too.
    - `status`: a `TheoryStatus`, proved or sampled.
    """

    low: float
    high: float
    intervals: tuple[Span, ...]
    undecided: tuple[Span, ...]
    status: TheoryStatus

    def __contains__(self, z: float) -> bool:
        return any(low < z < high for low, high in self.intervals)


# |zφ'/φ| > 1 as a comparison of moduli, first above second.
_Comparison: TypeAlias = Callable[[Boxes], tuple[Boxes, Boxes]]


def admissible_intervals(
    activation: ActivationLike, low: float, high: float, *, atol: float = 1e-10
) -> AdmissibleIntervals:
    """The open intervals within [low, high] on which |zφ'(z)/φ(z)| > 1, where Corollary 1 applies.

    If the activation's record has `admissible` cases, each interval is proved, by interval arithmetic with outward
    rounding and bisection, or by exact cases (z^p; none for tanh, erf, arctan, SELU and the piecewise linear ones). For
    other activations they are found on a grid and refined, and the status says so.

    **Arguments:** `activation` by name or as a callable; `low` < `high`, at most 10,000 in modulus; `atol`, how
    closely the ends are enclosed.

    **Returns** an `AdmissibleIntervals`; `z in answer` says whether z lies in one of them.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> answer = theory.admissible_intervals("swish", -5, 5)
    >>> [(round(a, 5), round(b, 5)) for a, b in answer.intervals], str(answer.status)
    ([(-5.0, -2.21772), (0.0, 5.0)], 'proved')

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Corollary 1.
    """
    phi = scalar(activation)
    low = checks.real("low", low, least=-_LIMIT, most=_LIMIT)
    high = checks.real("high", high, least=-_LIMIT, most=_LIMIT, above=low)
    atol = checks.real("atol", atol, above=0)
    with np.errstate(all="ignore"):
        if phi.admissible is None:
            inside, undecided = _sampled(phi, low, high), []
            status = TheoryStatus.SAMPLED
        else:
            inside, undecided = _by_cases(phi.admissible, low, high, atol)
            status = TheoryStatus.PROVED
    return AdmissibleIntervals(low, high, tuple(inside), tuple(undecided), status)


def _by_cases(cases: tuple[Case, ...], low: float, high: float, atol: float) -> tuple[list[Span], list[Span]]:
    inside: list[Span] = []
    undecided: list[Span] = []
    for start, stop, verdict in cases:
        a, b = max(low, start), min(high, stop)
        if a >= b:
            continue
        if isinstance(verdict, bool):
            inside += [(a, b)] * verdict
        else:
            proved, open_ = _proved(verdict, a, b, atol)
            inside += proved
            undecided += open_
    return _merged(inside, apart={start for start, stop, _ in cases if start == stop}), _merged(undecided)


def _merged(spans: list[Span], apart: Collection[float] = ()) -> list[Span]:
    joined: list[Span] = []
    for a, b in sorted(spans):
        if joined and joined[-1][1] == a and a not in apart:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return joined


def _proved(compare: _Comparison, low: float, high: float, atol: float) -> tuple[list[Span], list[Span]]:
    edges = np.linspace(low, high, max(2, int(np.ceil((high - low) / _START)) + 1))
    a, b = edges[:-1], edges[1:]
    inside: list[Span] = []
    undecided: list[Span] = []
    while len(a):
        first, second = compare(Boxes(a, b))
        above = first.least() > second.most()
        below = first.most() <= second.least()
        # With these comparisons, NaN and infinite bounds decide nothing.
        inside += list(zip(a[above].tolist(), b[above].tolist(), strict=True))
        open_ = ~(above | below)
        a, b = a[open_], b[open_]
        middle = (a + b) / 2
        short = (b - a <= atol) | (middle <= a) | (middle >= b)
        undecided += list(zip(a[short].tolist(), b[short].tolist(), strict=True))
        a, b, middle = a[~short], b[~short], middle[~short]
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
    merged = _merged(inside)
    parts: list[Span] = []
    for span, hole in zip(merged, _zeros(compare, merged), strict=True):
        if hole is None:
            parts.append(span)
        else:
            parts += [(span[0], hole[0]), (hole[1], span[1])]
            undecided.append(hole)
    return parts, undecided


def _zeros(compare: _Comparison, spans: list[Span]) -> list[Span | None]:
    """For each span, a short interval around the zero of φ in it, if there is one.

    Throughout a span zφ' ≠ 0 is proved (its modulus exceeds that of φ), so φ is monotone and has at most one zero.
    """

    def signs(points: list[float]) -> np.ndarray:
        box = compare(Boxes(np.array(points), np.array(points)))[1]
        return (box.low > 0).astype(int) - (box.high < 0).astype(int)

    def second(z: float) -> float:
        return float(compare(Boxes(np.array([z]), np.array([z])))[1].low[0])

    changes = signs([a for a, _ in spans]) * signs([b for _, b in spans])
    holes: list[Span | None] = []
    for (a, b), change in zip(spans, changes, strict=True):
        if change >= 0:
            holes.append(None)
            continue
        zero = bracketed_root(second, a, b)
        width = 1e-15 * max(1.0, abs(zero))
        while np.prod(signs([zero - width, zero + width])) >= 0:
            width *= 2
        holes.append((zero - width, zero + width))
    return holes


def _sampled(phi: Scalar, low: float, high: float) -> list[Span]:
    grid = np.linspace(low, high, _SAMPLES)
    value = np.asarray(phi.value(grid))
    excess = np.abs(np.asarray(phi.factor(grid))) - 1
    good = np.isfinite(excess) & (value != 0) & (excess > 1e-12)

    def end(a: float, b: float) -> float:
        """Where the condition changes between a and b, by bisection: it need not be continuous."""
        first = holds(a)
        for _ in range(60):
            middle = (a + b) / 2
            a, b = (middle, b) if holds(middle) == first else (a, middle)
        return float((a + b) / 2)

    def holds(z: float) -> bool:
        return bool(abs(phi.factor(np.float64(z))) - 1 > 1e-12)

    breaks = np.flatnonzero(good[1:] != good[:-1])
    points = [low, *(end(grid[i], grid[i + 1]) for i in breaks), high]
    spans = [(points[i], points[i + 1]) for i in range(len(points) - 1) if good[0] == (i % 2 == 0)]
    crossings = np.flatnonzero(good[1:] & good[:-1] & (np.sign(value[1:]) != np.sign(value[:-1])))
    zeros = [
        bracketed_root(lambda z: float(phi.value(np.float64(z))), float(grid[i]), float(grid[i + 1])) for i in crossings
    ]
    parts: list[Span] = []
    for a, b in spans:
        cuts = [a, *(zero for zero in zeros if a < zero < b), b]
        parts += [(c, d) for c, d in pairwise(cuts) if c < d]
    return parts
