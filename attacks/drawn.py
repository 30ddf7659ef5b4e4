"""Random networks with a fixed point or cycle at a known place, or with none where there seems to be one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from attacks.designs import Design, attention, convolutional, layered, speaking
from attacks.exact import KINKED, Chain

ASKED = ("plain", "critical", "plain", "odd")
"""What is asked of the networks of a shape, in turn; `odd` is a kink, or a gap instead of a fixed point."""


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


SHAPES = (
    *(Shape("mlp", phi, 3, (5,)) for phi in ("tanh", "relu", "selu", "leaky_relu", "cosid", "gelu", "exp", "arctan")),
    *(Shape("mlp", phi, 5, (3,)) for phi in ("relu", "sigmoid", "selu")),
    *(Shape("mlp", phi, 1, (4,)) for phi in ("tanh", "relu", "selu", "sinusoid")),
    *(Shape("mlp", phi, 2, (5, 4)) for phi in ("relu", "leaky_relu", "softplus", "erf", "cosid")),
    *(Shape("mlp", phi, 4, (4, 3, 4)) for phi in ("relu", "tanh", "sinusoid", "selu")),
    *(Shape("mlp", phi, 2, (4, 4, 4, 4)) for phi in ("leaky_relu", "swish")),
    Shape("mlp", "z^2", 2, (3,)),
    *(Shape("mlp", phi, 3, (6,), period=2) for phi in ("relu", "tanh", "selu")),
    *(Shape("mlp", phi, 2, (7,), period=3) for phi in ("leaky_relu", "gelu")),
    *(Shape("conv", phi, 4, (2,), picture=(2, 2)) for phi in ("selu", "relu", "tanh")),
    Shape("conv", "relu", 4, (2,), picture=(2, 2), bias=False),
    Shape("conv", "leaky_relu", 4, (2,), picture=(2, 2), skips=True),
    Shape("conv", "swish", 8, (1,), picture=(2, 4), skips=True, strided=False),
    Shape("conv", "cosid", 8, (2,), picture=(2, 2, 2)),
    Shape("conv", "selu", 16, (1,), picture=(4, 4)),
    *(Shape("argmax", "tanh", 7, (4,), period=period) for period in (1, 2, 3)),
    Shape("argmax", "tanh", 5, (3,)),
    *(Shape("softmax", "tanh", size, (size - 3,)) for size in (5, 8)),
    Shape("foreign", "relu", 1, (4,)),
    *(Shape("foreign", phi, 2, (5,)) for phi in ("tanh", "relu", "abs", "z^2", "cosid")),
    *(Shape("foreign", phi, 4, (5, 4)) for phi in ("leaky_relu", "gelu", "selu")),
    *(Shape("foreign", phi, 3, (6,), period=2) for phi in ("tanh", "relu")),
    *(Shape("attention", "", size, (keys,)) for size, keys in ((2, 3), (4, 6))),
)
assert len(SHAPES) <= 60


@dataclass(frozen=True, slots=True)
class Drawn:
    """A network, the states that stand as its example or cycle, and what it was made to be.

    **Fields:** `made`: `plain`, `critical`, `kink`, `gap` (no fixed point or cycle is there) or `pair` (two, close to
    each other).
    """

    design: Design
    cycle: np.ndarray
    made: str


def draw(shape: Shape, asked: str, rng: np.random.Generator) -> Drawn:
    """A network of this shape."""
    target = 1 + float(rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.01))
    if asked != "critical":
        target = float(rng.uniform(0.05, 1.15))
    if shape.kind == "argmax":
        return _driven(shape, asked, target, rng)
    if shape.kind == "conv" and not shape.bias:
        # A black picture: every unit of every layer stands on its kink.
        design = _random(shape, rng)
        return Drawn(design.scaled(10 ** rng.uniform(-2.5, 0.5)), np.zeros((1, *shape.picture)), "kink")
    folds = asked == "odd"
    kinked = shape.activation in KINKED
    if folds and kinked and len(shape.widths) == 1 and shape.kind in ("mlp", "foreign") and rng.random() < 0.5:
        for _ in range(20):
            folded = _folded_at_kink(shape, rng)
            if folded is not None:
                return folded
    for _ in range(8):
        design = _random(shape, rng)
        if folds and kinked and shape.kind in ("mlp", "foreign") and shape.period == 1:
            return _with_kinks(shape, design, float(rng.uniform(0.05, 1.1)), rng)
        fold, on_kink = folds and not kinked, folds and kinked and shape.period > 1
        found = _placed(shape, design, 1.0 if fold else target, rng, real=fold, on_kink=on_kink)
        if on_kink and found is not None:
            return Drawn(found[0], found[1].reshape(-1, *design.shape), "kink")
        if found is not None and folds:
            found = _with_pixel_on_kink(*found, rng) if kinked else _with_gap(*found, rng)
        elif found is None and folds and shape.kind in ("conv", "softmax"):
            found = _beyond_fold(design, rng)
        if found is not None:
            break
    else:
        return Drawn(*_anyhow(shape, rng), "plain")
    if isinstance(found, Drawn):
        return found
    design, cycle = found
    if shape.kind in ("mlp", "foreign", "attention"):
        miss = 10 ** rng.uniform(-16, -9) * rng.normal(size=shape.size)
        design = design.shifted(design.tuned, miss)
    return Drawn(design, cycle.reshape(-1, *design.shape), "critical" if asked == "critical" else "plain")


def _random(shape: Shape, rng: np.random.Generator) -> Design:
    if shape.kind == "conv":
        flags = {"strided": shape.strided, "skips": shape.skips, "bias": shape.bias}
        return convolutional(rng, shape.picture, shape.widths[0], shape.activation, **flags)
    if shape.kind in ("argmax", "softmax"):
        return speaking(rng, shape.kind, shape.widths[0], shape.size - shape.widths[0])
    if shape.kind == "attention":
        return attention(rng, shape.size, shape.widths[0])
    return layered(rng, shape.kind, shape.size, shape.widths, shape.activation)


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


def _placed(
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
    """The last layer leads each state to the next; what is free in it is scaled. `on_kink` sets one unit on its kink."""
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


class _Branch:
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
    branch = _Branch(design)
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


def _beyond_fold(design: Design, rng: np.random.Generator) -> Drawn | None:
    """A little past the place where the fixed point that is followed meets another one, and both are gone."""
    branch = _Branch(design)
    with np.errstate(all="ignore"):
        low, high = 1e-2, 100.0
        now = branch.settled(low, branch.chain(low)(np.zeros(branch.size)), real=True)
        if now is None:
            return None
        while low * 1.12 < high:
            after = branch.settled(1.12 * low, now[1], real=True)
            if after is None:
                high = 1.12 * low
                break
            low, now = 1.12 * low, after
        else:
            return None
        while high > low * (1 + 1e-14):
            after = branch.settled(0.5 * (low + high), now[1], real=True)
            low, high, now = (low, 0.5 * (low + high), now) if after is None else (0.5 * (low + high), high, after)
    if not 0.9 < now[0] < 1.1:
        return None
    past = design.scaled(low * (1 + 10 ** rng.uniform(-11, -7)))
    return Drawn(past, now[1].reshape(1, *design.shape), "gap")


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


def _anyhow(shape: Shape, rng: np.random.Generator) -> tuple[Design, np.ndarray]:
    """A network as it comes, at a state that it may lead to."""
    design = _random(shape, rng)
    chain = chain64(design)
    x = 0.1 * rng.normal(size=int(np.prod(design.shape)))
    with np.errstate(all="ignore"):
        for _ in range(300):
            after = chain(x)
            if not np.abs(after).max() < 1e6:
                break
            x = after
        x = newton64(chain, x) if newton64(chain, x) is not None else x
    states = [x, *rng.normal(size=(shape.period - 1, len(x)))]
    return design, np.stack(states).reshape(-1, *design.shape)


def _with_gap(design: Design, cycle: np.ndarray, rng: np.random.Generator) -> Drawn | None:
    """A fold: where an eigenvalue is 1, a shift along its left vector leaves no cycle there, or two.

    The p-th iterate F is F(x + tv) − x − tv ≈ (gap + a t²)v along the eigenvector v, which has no zero if a and the gap
    have one sign.
    """
    chain, period = chain64(design), len(cycle)
    flat = cycle.reshape(period, -1)

    def lap(x: np.ndarray, design: Design | None = None) -> np.ndarray:
        step = chain if design is None else chain64(design)
        for _ in range(period):
            x = step(x)
        return x

    values, right = np.linalg.eig(chain.around(list(flat)))
    place = int(np.argmin(np.abs(values - 1)))
    if abs(values[place] - 1) > 1e-6:
        return None
    left_values, left = np.linalg.eig(chain.around(list(flat)).T)
    v = right[:, place].real / np.linalg.norm(right[:, place].real)
    covector = left[:, int(np.argmin(np.abs(left_values - 1)))].real
    covector = covector / (covector @ v)
    h = 1e-4
    a = covector @ (lap(flat[0] + h * v) + lap(flat[0] - h * v) - 2 * lap(flat[0])) / (2 * h * h)
    bias = design.biases[design.tuned]
    assert bias is not None
    answers = np.array(
        [
            covector @ (lap(flat[0], design.shifted(design.tuned, 1e-6 * one)) - lap(flat[0])) / 1e-6
            for one in np.eye(len(bias))
        ]
    )
    if not 1e-2 < abs(a) < 1e3 or not np.abs(answers).max() > 1e-3 or not np.abs(covector).max() < 1e4:
        return None
    gap, exists = 10 ** rng.uniform(-11, -7), rng.random() < 0.25
    change = (-1 if exists else 1) * np.sign(a) * gap * answers / (answers @ answers)
    design = design.shifted(design.tuned, change)
    # On the side where the map contracts along v.
    away = -np.sign(a) * rng.choice([0.0, 1.0, 3.0, 10.0, 30.0]) * np.sqrt(gap / abs(a))
    states = [flat[0] + away * v]
    for _ in range(period - 1):
        states.append(chain64(design)(states[-1]))
    return Drawn(design, np.stack(states).reshape(period, *design.shape), "pair" if exists else "gap")


def _with_kinks(shape: Shape, design: Design, target: float, rng: np.random.Generator) -> Drawn:
    """Some units stand on their kinks at the fixed point, or beside them by as little as rounding."""
    cycle = rng.normal(size=(1, shape.size))
    layer = int(rng.integers(len(shape.widths)))
    chosen = rng.choice(shape.widths[layer], int(rng.integers(1, min(3, shape.widths[layer]) + 1)), replace=False)
    before = Chain(design.ops()[: 2 * layer + 1], digits=False)(cycle[0])
    away = rng.choice([-1, 0, 1], len(chosen)) * 10 ** rng.uniform(-17, -5, len(chosen))
    change = np.zeros(shape.widths[layer])
    change[chosen] = away - before[chosen]
    design = design.shifted(layer, change)
    # The slopes on either side of the kinks: the larger one shall have the radius.
    around = [chain64(design).run(cycle[0] + 1e-4 * rng.normal(size=shape.size), np.eye(shape.size))[1] for _ in "12"]
    largest = max(leading(one, real=False) for one in around)
    if largest > 0:
        design = design.scaled(target / largest)
    design = design.shifted(design.tuned, cycle[0] - chain64(design)(cycle[0]))
    return Drawn(design, cycle, "kink")


def _with_pixel_on_kink(design: Design, cycle: np.ndarray, rng: np.random.Generator) -> Drawn | None:
    """A bias of a convolution is moved until one unit of its channel stands on its kink at the fixed point."""
    layer = int(rng.integers(1, len(design.weights) - 1))
    channel = int(rng.integers(design.weights[layer].shape[-1]))
    units = len(chain64(design).run(cycle[0].ravel(), None)[2])
    unit, away = int(rng.integers(units)), float(rng.choice([-1, 0, 1]) * 10 ** rng.uniform(-17, -6))
    one = np.eye(design.weights[layer].shape[-1])[channel]

    def at(change: float) -> tuple[Design, np.ndarray, float] | None:
        moved = design.shifted(layer, change * one)
        x = newton64(chain64(moved), cycle[0].ravel())
        return None if x is None else (moved, x, float(chain64(moved).run(x, None)[2][unit][1]) - away)

    before, change = at(0.0), 1e-3
    size = 0.0
    for _ in range(30):
        now = at(change)
        if before is None or now is None or now[2] == before[2]:
            break
        size, change = change, change - now[2] * (change - size) / (now[2] - before[2])
        before = now
    if before is None or abs(before[2]) > 1e-15:
        return None
    return Drawn(before[0], before[1].reshape(1, *design.shape), "kink")


def _folded_at_kink(shape: Shape, rng: np.random.Generator) -> Drawn | None:
    """A fold at a kink: the map contracts on one side of it and is turned back on the other, so that a shift of one
    sign leaves no fixed point, and one of the other sign two."""
    placed = _placed(shape, _random(shape, rng), float(rng.uniform(0.3, 0.97)), rng, real=False)
    if placed is None or shape.period > 1:
        return None
    design, cycle = placed
    unit = int(rng.integers(shape.widths[0]))
    weight, bias = design.weights[0], np.asarray(design.biases[0])
    shifted = np.zeros_like(bias)
    shifted[unit] = -(weight[unit] @ cycle[0] + bias[unit])
    design = design.shifted(0, shifted)
    x, eye = cycle[0], np.eye(shape.size)
    step = 1e-6 * weight[unit] / np.linalg.norm(weight[unit])
    off = chain64(design).run(x - step, eye)[1]
    jump = chain64(design).run(x + step, eye)[1] - off
    column = design.weights[1][:, unit]
    if not np.abs(column).max() > 1e-3 or not leading(off, real=False) < 0.98:
        return None
    # jump = c·w_out·w_inᵀ with the jump c of the slope; det(I − J₊) = det(I − J₋)(1 − c·w_inᵀ(I − J₋)⁻¹w_out).
    factor = float((jump @ weight[unit]) @ column) / float((column @ column) * (weight[unit] @ weight[unit]))
    direction = np.linalg.solve(eye - off, rng.normal(size=shape.size))
    turned = float(weight[unit] @ direction)
    if abs(turned) < 1e-3 or abs(factor) < 1e-6:
        return None
    # w_out is replaced by what makes that product `size` > 1; slopes left of the kink that are not 0 change J₋, too.
    left = {"relu": 0.0, "leaky_relu": 0.01, "abs": -1.0}.get(shape.activation)
    if left is None:
        return None
    bare = off - left * np.outer(column, weight[unit])
    push = rng.normal(size=shape.size)
    plain = np.linalg.solve(eye - bare, push)
    along = float(weight[unit] @ plain)
    # Along w_in the response to w_out = b·push is (b·along)/(1 − left·b·along), and that times c is to be `size`.
    size = float(rng.uniform(1.05, 4.0))
    scale = size / (along * (factor + left * size)) if factor + left * size else 0.0
    last = design.weights[1].copy()
    last[:, unit] = scale * push
    design = design.with_weight(1, last)
    off = chain64(design).run(x - step, eye)[1]
    on = chain64(design).run(x + step, eye)[1]
    if not leading(off, real=False) < 0.99 or np.linalg.det(eye - off) * np.linalg.det(eye - on) >= 0:
        return None
    design = design.shifted(1, x - chain64(design)(x))
    gap, exists = 10 ** rng.uniform(-11, -7), rng.random() < 0.25
    change = rng.normal(size=shape.size)
    moved = float(weight[unit] @ np.linalg.solve(eye - off, change))
    change *= (-1 if exists else 1) * gap / moved
    design = design.shifted(1, change)
    start = x - rng.choice([0.0, 1.0, 5.0, 20.0]) * gap * weight[unit] / np.linalg.norm(weight[unit])
    return Drawn(design, start[None], "pair" if exists else "gap")


def _driven(shape: Shape, asked: str, target: float, rng: np.random.Generator) -> Drawn:
    """A recurrent network that says symbols round and round, by a margin that may be as little as rounding."""
    units, period = shape.widths[0], shape.period
    symbols = shape.size - units
    design = speaking(rng, "argmax", units, symbols)
    said = rng.permutation(symbols)[:period]
    own, given = design.weights[0][:, :units], design.weights[0][:, units:]
    offsets = [np.asarray(design.biases[0]) + given[:, symbol] for symbol in said]

    def settled(scale: float) -> tuple[np.ndarray, float]:
        x = np.zeros(units)
        for _ in range(400):
            for offset in offsets:
                x = np.tanh(scale * own @ x + offset)
        states, whole = [], np.eye(units)
        for offset in offsets:
            # A step from the state that was reached while the symbol before was said.
            x = np.tanh(scale * own @ x + offset)
            states.append(x)
            whole = (1 - x**2)[:, None] * (scale * own) @ whole
        return np.stack(states), leading(whole, real=False)

    low, high = 0.0, 0.05
    while settled(high)[1] < target and high < 20:
        low, high = high, 1.3 * high
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if settled(middle)[1] >= target else (middle, high)
    hidden, _ = settled(low)
    margin = 10 ** rng.uniform(-18, -4) if asked == "odd" else 10 ** rng.uniform(-2, 0.5)
    wanted = np.zeros((symbols, period))
    for step in range(period):
        wanted[said[(step + 1) % period], step] = margin
    inverse = np.linalg.pinv(hidden.T)
    bias = np.asarray(design.biases[1])[:, None]
    scored = (wanted - bias) @ inverse + rng.normal(size=(symbols, units)) @ (np.eye(units) - hidden.T @ inverse)
    heard = np.concatenate([low * own, given], axis=1)
    design = design.with_weight(0, heard).with_weight(1, scored)
    cycle = np.stack(
        [np.concatenate([hidden[step], np.eye(symbols)[said[(step + 1) % period]]]) for step in range(period)]
    )
    made = "kink" if asked == "odd" else "critical" if asked == "critical" else "plain"
    return Drawn(design, cycle, made)


def shapes_of(share: float) -> Sequence[int]:
    """The numbers of so many shapes, spread over all kinds."""
    count = max(1, round(share * len(SHAPES)))
    return sorted({int(place) for place in np.linspace(0, len(SHAPES) - 1, count)})
