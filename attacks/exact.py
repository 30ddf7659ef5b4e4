"""Networks in arbitrary precision: written anew, so that they share nothing with attrax but the weights.

A network is a chain of operations on vectors. The same chain is evaluated in float64 (to build networks with) and with
50 digits (to judge them).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from mpmath import mp, mpf

DIGITS = 50
_SELU, _ALPHA = 1.0507009873554805, 1.6732632423543772
NEAR = 1e-12
"""How much room proofs in 64 bits are granted beside a kink, in parts of the terms that add up to it."""
_MOST_TRIED = 64

PHI: dict[str, tuple[Any, Any]] = {
    "identity": (lambda z: z, lambda z: mpf(1)),
    "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    "leaky_relu": (lambda z: z if z >= 0 else mpf(0.01) * z, lambda z: mpf(1) if z > 0 else mpf(0.01)),
    "abs": (abs, lambda z: mpf(1) if z > 0 else mpf(-1)),
    "selu": (
        lambda z: mpf(_SELU) * (z if z > 0 else mpf(_ALPHA) * mp.expm1(z)),
        lambda z: mpf(_SELU) * (1 if z > 0 else mpf(_ALPHA) * mp.exp(z)),
    ),
    "tanh": (mp.tanh, lambda z: 1 / mp.cosh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + mp.exp(-z)), lambda z: 1 / (2 + mp.exp(z) + mp.exp(-z))),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), lambda z: 1 / (1 + mp.exp(-z))),
    "swish": (lambda z: z / (1 + mp.exp(-z)), lambda z: (1 + z / (1 + mp.exp(z))) / (1 + mp.exp(-z))),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z)),
    "cosid": (lambda z: mp.cos(z) - z, lambda z: -mp.sin(z) - 1),
    "sinusoid": (lambda z: z + mp.sin(10 * z) / 5, lambda z: 1 + 2 * mp.cos(10 * z)),
    "erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)),
    "arctan": (mp.atan, lambda z: 1 / (1 + z * z)),
    "exp": (mp.exp, mp.exp),
    "z^2": (lambda z: z * z, lambda z: 2 * z),
}
"""Activations and their derivatives with many digits. At a kink the slope is the one from the left."""

PHI64: dict[str, tuple[Any, Any]] = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
    "leaky_relu": (lambda z: np.where(z >= 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "abs": (np.abs, lambda z: np.where(z > 0, 1.0, -1.0)),
    "selu": (
        lambda z: _SELU * np.where(z > 0, z, _ALPHA * np.expm1(np.minimum(z, 0))),
        lambda z: _SELU * np.where(z > 0, 1, _ALPHA * np.exp(np.minimum(z, 0))),
    ),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (scipy.special.expit, lambda z: scipy.special.expit(z) * scipy.special.expit(-z)),
    "softplus": (lambda z: np.logaddexp(z, 0), scipy.special.expit),
    "swish": (
        lambda z: z * scipy.special.expit(z),
        lambda z: scipy.special.expit(z) * (1 + z * scipy.special.expit(-z)),
    ),
    "gelu": (
        lambda z: z * scipy.special.ndtr(z),
        lambda z: scipy.special.ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
    ),
    "cosid": (lambda z: np.cos(z) - z, lambda z: -np.sin(z) - 1),
    "sinusoid": (lambda z: z + np.sin(10 * z) / 5, lambda z: 1 + 2 * np.cos(10 * z)),
    "erf": (scipy.special.erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-z * z)),
    "arctan": (np.arctan, lambda z: 1 / (1 + z * z)),
    "exp": (np.exp, np.exp),
    "z^2": (lambda z: z * z, lambda z: 2 * z),
}
"""The same in float64."""

KINKED = ("relu", "leaky_relu", "abs", "selu")
"""Activations whose slope jumps at 0."""


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of a chain.

    **Fields:** `kind`: `affine`, `phi`, `softmax`, `argmax`, `save` or `join`; `weight`, `bias` of an affine one;
    `name` of the activation, and the `units` that have it (all where it is `None`); for `softmax` and `argmax`, how
    many entries at the `last` end it acts on; `order` of the entries after a `join`, which puts what was saved last
    behind what there is.
    """

    kind: str
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    name: str = ""
    units: np.ndarray | None = None
    last: int = 0
    order: np.ndarray | None = None


Sides = Mapping[tuple[int, int], int]
"""For units (number of the operation, number of the unit) on their kinks: the side whose slope they shall have."""


class Chain:
    """Operations one after the other, as a map of flat vectors; `digits` chooses between many of them and float64."""

    def __init__(self, ops: Sequence[Op], *, digits: bool) -> None:
        self.ops, self.digits = tuple(ops), digits
        self.rows = [self._rows(op) for op in self.ops]

    def _rows(self, op: Op) -> Any:
        if op.kind != "affine" or not self.digits:
            return None
        assert op.weight is not None
        bias = np.zeros(len(op.weight)) if op.bias is None else op.bias
        places = [np.flatnonzero(row) for row in op.weight]
        return [
            (place, numbers(row[place]), mpf(float(offset)))
            for place, row, offset in zip(places, op.weight, bias, strict=True)
        ]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """f(x)."""
        return self.run(x, None)[0]

    def run(
        self, x: np.ndarray, jacobian: np.ndarray | None, sides: Sides | None = None
    ) -> tuple[np.ndarray, Any, list[tuple[tuple[int, int], Any]]]:
        """f(x), the Jacobian times `jacobian` where that is given, and the pre-activations of all kinked units."""
        saved: list[Any] = []
        kinked: list[tuple[tuple[int, int], Any]] = []
        for number, (op, rows) in enumerate(zip(self.ops, self.rows, strict=True)):
            if op.kind == "affine":
                x, jacobian = self._affine(op, rows, x, jacobian)
            elif op.kind == "phi":
                units = np.arange(len(x)) if op.units is None else op.units
                if op.name in KINKED:
                    kinked += [((number, int(unit)), x[unit]) for unit in units]
                if jacobian is not None:
                    slopes = self._slopes(op.name, x[units])
                    for place, unit in enumerate(units):
                        side = (sides or {}).get((number, int(unit)))
                        if side is not None:
                            slopes[place] = _one_sided(op.name, side)
                    jacobian = jacobian.copy()
                    jacobian[units] = slopes[:, None] * jacobian[units]
                x = x.copy()
                x[units] = self._values(op.name, x[units])
            elif op.kind == "softmax":
                x, jacobian = _softmax(op.last, x, jacobian)
            elif op.kind == "argmax":
                x = x.copy()
                largest = len(x) - op.last + int(np.argmax(x[-op.last :]))
                x[-op.last :] = 0 * x[-op.last :]
                x[largest] = x[largest] + 1
                if jacobian is not None:
                    jacobian = jacobian.copy()
                    jacobian[-op.last :] = 0 * jacobian[-op.last :]
            elif op.kind == "save":
                saved.append((x, jacobian))
            else:
                before, before_jacobian = saved.pop()
                order = slice(None) if op.order is None else op.order
                x = np.concatenate([x, before])[order]
                jacobian = None if jacobian is None else np.concatenate([jacobian, before_jacobian])[order]
        return x, jacobian, kinked

    def _affine(self, op: Op, rows: Any, x: np.ndarray, jacobian: Any) -> tuple[np.ndarray, Any]:
        if rows is None:
            value = op.weight @ x if op.bias is None else op.weight @ x + op.bias
            return value, None if jacobian is None else op.weight @ jacobian
        value = np.array([sum(row * x[place], offset) for place, row, offset in rows], object)
        if jacobian is not None:
            width = jacobian.shape[1]
            zeros = np.array([mpf(0)] * width, object)
            jacobian = np.array([sum(row[:, None] * jacobian[place], zeros) for place, row, _ in rows], object)
        return value, jacobian

    def _values(self, name: str, z: np.ndarray) -> np.ndarray:
        return numbers([PHI[name][0](one) for one in z]) if self.digits else PHI64[name][0](z)

    def _slopes(self, name: str, z: np.ndarray) -> np.ndarray:
        return numbers([PHI[name][1](one) for one in z]) if self.digits else np.array(PHI64[name][1](z), float)

    def blurred(self, x: np.ndarray) -> tuple[list[tuple[int, int]], bool]:
        """Units that are on their kinks, and whether a choice is a tie, up to a part `NEAR` of the terms of the sum and
        of the way to the kink. Only in float64."""
        units: list[tuple[int, int]] = []
        tied, terms, pushed, away = False, np.abs(x), np.eye(len(x)), float(np.linalg.norm(x))
        for number, op in enumerate(self.ops):
            if op.kind == "phi" and op.name in KINKED:
                value, jacobian, _ = Chain(self.ops[:number], digits=False).run(x, pushed)
                room = NEAR * np.maximum(terms, np.linalg.norm(jacobian, axis=1) * away)
                chosen = np.arange(len(value)) if op.units is None else op.units
                units += [(number, int(unit)) for unit in chosen if abs(value[unit]) <= room[unit]]
            if op.kind == "argmax":
                value, jacobian, _ = Chain(self.ops[:number], digits=False).run(x, pushed)
                room = NEAR * np.maximum(terms, np.linalg.norm(jacobian, axis=1) * away)[-op.last :].max()
                least, most = np.sort(value[-op.last :])[-2:]
                tied |= bool(most - least <= 2 * room)
            if op.kind == "affine":
                assert op.weight is not None
                before = Chain(self.ops[:number], digits=False)(x)
                terms = np.abs(op.weight) @ np.abs(before) + (0 if op.bias is None else np.abs(op.bias))
        return units, tied

    def around(self, cycle: Sequence[np.ndarray], sides: Sequence[Sides] | None = None) -> np.ndarray:
        """The Jacobian product round a cycle; `sides` for each of its states."""
        size = len(cycle[0])
        whole = numbers(np.eye(size)) if self.digits else np.eye(size)
        for number, x in enumerate(cycle):
            whole = self.run(x, whole, None if sides is None else sides[number])[1]
        return whole


def numbers(values: Any) -> np.ndarray:
    """An array of numbers with many digits."""
    values = np.asarray(values, object)
    flat = [mpf(one) if not isinstance(one, mpf) else one for one in values.ravel().tolist()]
    found = np.empty(len(flat), object)
    found[:] = flat
    return found.reshape(values.shape)


def _one_sided(name: str, side: int) -> Any:
    left = {"relu": 0, "leaky_relu": 0.01, "abs": -1, "selu": mpf(_SELU) * mpf(_ALPHA)}[name]
    right = mpf(_SELU) if name == "selu" else 1
    return mpf(right if side > 0 else left)


def _softmax(last: int, x: np.ndarray, jacobian: Any) -> tuple[np.ndarray, Any]:
    scores = x[-last:]
    exponential = np.array([mp.exp(one) for one in scores - max(scores)], object) if x.dtype == object else None
    exponential = np.exp(scores - scores.max()) if exponential is None else exponential
    share = exponential / sum(exponential)
    x = np.concatenate([x[:-last], share])
    if jacobian is not None:
        pushed = jacobian[-last:]
        mean = sum(share[:, None] * pushed)
        jacobian = np.concatenate([jacobian[:-last], share[:, None] * (pushed - mean)])
    return x, jacobian


def length(vector: np.ndarray) -> Any:
    """The Euclidean norm."""
    return mp.sqrt(sum(one * one for one in vector))


@dataclass(frozen=True, slots=True)
class Found:
    """The exact cycle near a start.

    **Fields:** `cycle`, its states; `distance`, the largest from a given state; `radius`, the largest spectral radius
    over the slopes that were tried; `kinks`, how many units stand on a kink exactly; `near`, the number of the state
    and the place of each unit whose kink is nearer than floating point can tell apart for certain; `tied`, whether the
    same holds of the largest score and another one.
    """

    cycle: list[np.ndarray]
    distance: Any
    radius: Any
    kinks: int
    near: list[tuple[int, tuple[int, int]]]
    tied: bool


def exact_cycle(chain: Chain, start: Sequence[np.ndarray], rng: np.random.Generator) -> Found | None:
    """The cycle that Newton's method finds from `start` with 50 digits, or the map itself where that loses its way."""
    begin = [numbers(state) for state in start]
    cycle = _newton(chain, begin) or _followed(chain, begin)
    if cycle is None:
        return None
    distance = max(length(one - other) for one, other in zip(cycle, begin, strict=True))
    places = [
        (number, place)
        for number, x in enumerate(cycle)
        for place, z in chain.run(x, None)[2]
        if abs(z) < mpf(10) ** -35
    ]
    radius = max(spectral_radius(chain.around(cycle, sides)) for sides in all_sides(places, len(cycle), rng))
    double = Chain(chain.ops, digits=False)
    blurred = [double.blurred(x.astype(float)) for x in cycle]
    near = [(number, place) for number, (units, _) in enumerate(blurred) for place in units]
    return Found(cycle, distance, radius, len(places), near, any(tied for _, tied in blurred))


def all_sides(
    places: Sequence[tuple[int, tuple[int, int]]], period: int, rng: np.random.Generator
) -> Iterator[list[dict[tuple[int, int], int]]]:
    """All choices of one-sided slopes, or so many at random where there are more."""
    if 2 ** len(places) <= _MOST_TRIED:
        choices: Any = itertools.product((-1, 1), repeat=len(places))
    else:
        drawn = [rng.choice([-1, 1], len(places)) for _ in range(_MOST_TRIED // 2)]
        choices = [np.ones(len(places), int), -np.ones(len(places), int), *drawn]
    for choice in choices:
        sides: list[dict[tuple[int, int], int]] = [{} for _ in range(period)]
        for (number, place), side in zip(places, choice, strict=True):
            sides[number][place] = int(side)
        yield sides


def _newton(chain: Chain, start: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    cycle, size = list(start), len(start[0])
    scale = 1 + max(length(one) for one in start)
    eye = numbers(np.eye(size))
    for _ in range(40):
        jacobians, gaps = [], []
        for number, x in enumerate(cycle):
            image, jacobian, _ = chain.run(x, eye)
            jacobians.append(jacobian)
            gaps.append(image - cycle[(number + 1) % len(cycle)])
        if max(length(gap) for gap in gaps) < scale * mpf(10) ** (6 - DIGITS):
            return cycle
        # One lap of the linearized map from δ is Πδ + c, so (I − Π)δ = c.
        whole, constant = eye, 0 * gaps[0]
        for jacobian, gap in zip(jacobians, gaps, strict=True):
            whole, constant = jacobian @ whole, jacobian @ constant + gap
        try:
            solved = mp.lu_solve(mp.matrix((eye - whole).tolist()), mp.matrix(constant.tolist()))
        except ZeroDivisionError:
            return None
        steps = [np.array(list(solved), object)]
        for jacobian, gap in zip(jacobians[:-1], gaps[:-1], strict=True):
            steps.append(jacobian @ steps[-1] + gap)
        cycle = [x + step for x, step in zip(cycle, steps, strict=True)]
        if not max(length(x) for x in cycle) < 1e6 * scale:
            return None
    return None


def _followed(chain: Chain, start: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Where the map itself leads, in case that is a cycle of this length."""
    x, scale = start[0], 1 + length(start[0])
    for _ in range(600):
        lap = [x]
        for _ in start:
            lap.append(chain(lap[-1]))
        if length(lap[-1] - lap[0]) < scale * mpf(10) ** (6 - DIGITS):
            return lap[:-1]
        x = lap[-1]
        if not length(x) < 1e6 * scale:
            return None
    return None


def spectral_radius(matrix: np.ndarray) -> Any:
    """The largest modulus of an eigenvalue, right to about 20 digits."""
    size = max((abs(one) for one in matrix.ravel()), default=mpf(0))
    if size == 0:
        return mpf(0)
    if len(matrix) == 1:
        return size
    values = mp.eig(mp.matrix((matrix / size).tolist()), left=False, right=False)
    return size * max(abs(value) for value in values)


def comes_back(chain: Chain, found: Found, start: float, rate: float, rng: np.random.Generator) -> bool | None:
    """Whether deviations of so tiny a size are smaller after as many laps as `rate` says it takes; `None` if too many.

    They are followed with all digits, so that neither rounding nor kinks nearby matter.
    """
    if not rate < 0.97:
        return None
    laps = int(np.ceil(np.log(1e-4) / np.log(max(rate, 1e-3))))
    for _ in range(4):
        direction = numbers(rng.standard_normal(len(found.cycle[0])))
        x = found.cycle[0] + mpf(start) * direction / length(direction)
        # Far from normal ones grow a good deal before they shrink.
        for _ in range(4):
            for _ in range(laps * len(found.cycle)):
                x = chain(x)
            if length(x - found.cycle[0]) < mpf(start) / 2:
                break
        else:
            return False
    return True
