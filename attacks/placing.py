"""Fixed points and cycles at known places, with a leading eigenvalue as it is asked for."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attacks.designs import Design
from attacks.exact import Chain


@dataclass(frozen=True, slots=True)
class Shape:
    """What JAX compiles for: networks of one shape differ in their numbers only."""

    kind: str
    activation: str
    size: int
    widths: tuple[int, ...] = ()
    period: int = 1
    bias: bool = True
    strided: bool = True
    skips: bool = False
    picture: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A network, the states that stand as its example or cycle, and what it was made to be.

    **Fields:** `made`: `plain`, `critical`, `kink`, `gap` (no fixed point or cycle is there) or `pair` (two, close to
    each other); `unit`, in which its distances are ordinary numbers; `unusual`: its numbers are large, small, or far
    from 0.
    """

    design: Design
    cycle: np.ndarray
    made: str
    unit: float = 1.0
    unusual: bool = False


def chain64(design: Design) -> Chain:
    """In float64."""
    return Chain(design.ops(), digits=False)


def leading(matrix: np.ndarray, *, real: bool) -> float:
    """The spectral radius, or the largest real eigenvalue."""
    if not np.isfinite(matrix).all():
        return float("inf")
    values = np.linalg.eigvals(matrix)
    if real:
        values = values[np.abs(values.imag) < 1e-9 * (1 + np.abs(values))].real
        return float(values.max(initial=-np.inf))
    return float(np.abs(values).max())


def placed(
    shape: Shape, design: Design, target: float, rng: np.random.Generator, *, real: bool, on_kink: bool = False
) -> tuple[Design, np.ndarray] | None:
    """The network with a cycle whose leading eigenvalue is `target`, and that cycle; `None` where that can't be had."""
    with np.errstate(all="ignore"):
        if shape.kind in ("conv", "softmax"):
            return _along(design, target, real=real)
        return _interpolated(shape, design, target, rng, real=real, on_kink=on_kink)


def _interpolated(
    shape: Shape, design: Design, target: float, rng: np.random.Generator, *, real: bool, on_kink: bool
) -> tuple[Design, np.ndarray] | None:
    """The last layer leads each state to the next; what is free in it is scaled. `on_kink` puts a unit on its kink."""
    cycle = rng.normal(size=(shape.period, shape.size))
    number = design.tuned
    if on_kink:
        unit = int(rng.integers(shape.widths[0]))
        away = float(rng.choice([-1, 0, 1]) * 10 ** rng.uniform(-17, -6))
        change = np.zeros(shape.widths[0])
        change[unit] = away - Chain(design.ops()[:1], digits=False)(cycle[0])[unit]
        design = design.shifted(0, change)
    before = Chain(design.ops()[:-1], digits=False)
    features = np.stack([before(state) for state in cycle], axis=1)
    following = np.roll(cycle, -1, axis=0).T
    weight = design.weights[number]
    if shape.period == 1:
        fixed, free = 0 * weight, weight
    else:
        bias = np.asarray(design.biases[number])[:, None]
        inverse = np.linalg.pinv(features)
        fixed, free = (following - bias) @ inverse, weight - weight @ features @ inverse

    def made(scale: float) -> Design:
        found = design.with_weight(number, fixed + scale * free)
        if shape.period == 1:
            found = found.shifted(number, cycle[0] - chain64(found)(cycle[0]))
        return found

    def value(scale: float) -> float:
        return leading(chain64(made(scale)).around(list(cycle)), real=real)

    scale = _solve(value, target)
    return None if scale is None else (made(scale), cycle)


def _solve(value: Any, target: float) -> float | None:
    """A scale at which `value` reaches `target` from below."""
    low, high = 0.0, 1e-3
    if not value(low) < target:
        return None
    while not value(high) >= target:
        low, high = high, 1.5 * high
        if high > 1e4:
            return None
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if value(middle) >= target else (middle, high)
    return low


class Branch:
    """The fixed points of a network whose tuned weight grows from 0."""

    def __init__(self, design: Design) -> None:
        self.ops, self.size = design.ops(), int(np.prod(design.shape))
        self.place = 0 if design.kind == "softmax" else len(self.ops) - 1

    def chain(self, scale: float) -> Chain:
        """The network with that weight times `scale`."""
        before, op, after = self.ops[: self.place], self.ops[self.place], self.ops[self.place + 1 :]
        return Chain([*before, replace(op, weight=np.asarray(op.weight) * scale), *after], digits=False)

    def settled(self, scale: float, start: np.ndarray, *, real: bool) -> tuple[float, np.ndarray] | None:
        """The leading eigenvalue and the fixed point near `start`."""
        chain = self.chain(scale)
        x = newton64(chain, start)
        return None if x is None else (leading(chain.run(x, np.eye(self.size))[1], real=real), x)


def _along(design: Design, target: float, *, real: bool) -> tuple[Design, np.ndarray] | None:
    """The fixed point is followed while a weight grows from 0, until the leading eigenvalue reaches `target`."""
    branch = Branch(design)
    low = 1e-2
    before = branch.settled(low, branch.chain(low)(np.zeros(branch.size)), real=real)
    if before is None or not before[0] < target:
        return None
    x, high = before[1], low
    for _ in range(80):
        high = 1.12 * low
        now = branch.settled(high, x, real=real)
        if now is None:
            return None
        if now[0] >= target:
            break
        low, x = high, now[1]
    else:
        return None
    for _ in range(52):
        middle = 0.5 * (low + high)
        now = branch.settled(middle, x, real=real)
        if now is None:
            return None
        if now[0] >= target:
            high = middle
        else:
            low, x = middle, now[1]
    return design.scaled(low), x[None]


def newton64(chain: Chain, x: np.ndarray) -> np.ndarray | None:
    """A fixed point near x in float64."""
    eye = np.eye(len(x))
    for _ in range(30):
        image, jacobian, _ = chain.run(x, eye)
        gap = image - x
        if not np.isfinite(jacobian).all() or not np.isfinite(gap).all():
            return None
        if np.linalg.norm(gap) <= 1e-14 * (1 + np.linalg.norm(x)):
            return x
        try:
            x = x + np.linalg.solve(eye - jacobian, gap)
        except np.linalg.LinAlgError:
            return None
    return x if np.linalg.norm(chain(x) - x) <= 1e-12 * (1 + np.linalg.norm(x)) else None
