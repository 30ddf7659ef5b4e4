"""Random networks with a fixed point or cycle at a known place, or with none where there seems to be one."""

from dataclasses import replace

import numpy as np

from attacks.designs import Design, attention, convolutional, layered, speaking
from attacks.exact import KINKED
from attacks.odd import beyond_fold, driven, folded_at_kink, with_gap, with_kinks, with_pixel_on_kink
from attacks.placing import Drawn, Shape, chain64, newton64, placed

ASKED = ("plain", "critical", "plain", "odd")
"""What is asked of the networks of a shape, in turn; `odd` is a kink, or a gap instead of a fixed point."""
_UNUSUAL = 0.25
"""The share of networks whose numbers are of unusual sizes."""


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


def draw(shape: Shape, asked: str, rng: np.random.Generator) -> Drawn:
    """A network of this shape."""
    found = _draw(shape, asked, rng)
    return _unusual(found, rng) if shape.kind in ("mlp", "foreign") and rng.random() < _UNUSUAL else found


def _unusual(drawn: Drawn, rng: np.random.Generator) -> Drawn:
    """The same network far from 0, in other units, or with hidden units of other sizes: its rounding is larger."""
    design, cycle = drawn.design, drawn.cycle
    first, last = design.weights[0], design.weights[-1]
    kind = int(rng.integers(3 if design.activation in ("relu", "leaky_relu", "abs") else 2))
    if kind == 0:
        away = 10 ** rng.uniform(0, 8) * rng.normal(size=first.shape[1])
        design = design.shifted(0, -first @ away).shifted(design.tuned, away)
        return replace(drawn, design=design, cycle=cycle + away, unusual=True)
    if kind == 1:
        scale = 10 ** rng.uniform(-6, 6)
        biases = (*design.biases[:-1], np.asarray(design.biases[-1]) * scale)
        design = replace(design, weights=(first / scale, *design.weights[1:-1], last * scale), biases=biases)
        return replace(drawn, design=design, cycle=cycle * scale, unit=scale, unusual=True)
    sizes = 10 ** rng.uniform(-8, 8, len(first))
    design = design.with_weight(0, sizes[:, None] * first).with_weight(1, design.weights[1] / sizes)
    design = replace(design, biases=(np.asarray(design.biases[0]) * sizes, *design.biases[1:]))
    return replace(drawn, design=design, unusual=True)


def _draw(shape: Shape, asked: str, rng: np.random.Generator) -> Drawn:
    target = 1 + float(rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.01))
    if asked != "critical":
        target = float(rng.uniform(0.05, 1.15))
    if shape.kind == "argmax":
        return driven(shape, asked, target, rng)
    if shape.kind == "conv" and not shape.bias:
        # A black picture: every unit of every layer stands on its kink.
        design = _random(shape, rng)
        return Drawn(design.scaled(10 ** rng.uniform(-2.5, 0.5)), np.zeros((1, *shape.picture)), "kink")
    folds = asked == "odd"
    kinked = shape.activation in KINKED
    if folds and kinked and len(shape.widths) == 1 and shape.kind in ("mlp", "foreign") and rng.random() < 0.5:
        for _ in range(20):
            folded = folded_at_kink(shape, _random(shape, rng), rng)
            if folded is not None:
                return folded
    for _ in range(8):
        design = _random(shape, rng)
        if folds and kinked and shape.kind in ("mlp", "foreign") and shape.period == 1:
            return with_kinks(shape, design, float(rng.uniform(0.05, 1.1)), rng)
        fold, on_kink = folds and not kinked, folds and kinked and shape.period > 1
        found = placed(shape, design, 1.0 if fold else target, rng, real=fold, on_kink=on_kink)
        if on_kink and found is not None:
            return Drawn(found[0], found[1].reshape(-1, *design.shape), "kink")
        if found is not None and folds:
            found = with_pixel_on_kink(*found, rng) if kinked else with_gap(*found, rng)
        elif found is None and folds and shape.kind in ("conv", "softmax"):
            found = beyond_fold(design, rng)
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
