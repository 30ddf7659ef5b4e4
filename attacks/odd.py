"""Networks made to deceive: kinks at the fixed point, and gaps where a fixed point seems to be."""

import numpy as np

from attacks.designs import Design, speaking
from attacks.exact import Chain
from attacks.placing import Branch, Drawn, Shape, chain64, leading, newton64, placed


def with_gap(design: Design, cycle: np.ndarray, rng: np.random.Generator) -> Drawn | None:
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


def beyond_fold(design: Design, rng: np.random.Generator) -> Drawn | None:
    """A little past the place where the fixed point that is followed meets another one, and both are gone."""
    branch = Branch(design)
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


def with_kinks(shape: Shape, design: Design, target: float, rng: np.random.Generator) -> Drawn:
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


def with_pixel_on_kink(design: Design, cycle: np.ndarray, rng: np.random.Generator) -> Drawn | None:
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


def folded_at_kink(shape: Shape, design: Design, rng: np.random.Generator) -> Drawn | None:
    """A fold at a kink: the map contracts on one side of it and is turned back on the other, so that a shift of one
    sign leaves no fixed point, and one of the other sign two."""
    begun = placed(shape, design, float(rng.uniform(0.3, 0.97)), rng, real=False)
    if begun is None or shape.period > 1:
        return None
    design, cycle = begun
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


def driven(shape: Shape, asked: str, target: float, rng: np.random.Generator) -> Drawn:
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
    # Of units that are all but saturated the states are all but equal, and only huge scores tell them apart.
    return Drawn(design, cycle, made, unusual=bool(np.abs(scored).max() > 1e4))
