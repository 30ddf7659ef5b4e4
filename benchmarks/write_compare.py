"""Trained beside constructed networks of equal size, and writers by activation."""

from functools import partial
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from benchmarks.measure import Table, percent, title
from benchmarks.write_mnist import network
from benchmarks.write_runs import RECOVERY_SEED, STORE_SEED, Bench, Run, rates, saw

KINDS = (
    "gaussian:0.5",
    "gaussian:1",
    "occlude:0.5",
    "drop:0.5",
    "drop:0.9",
    "uniform:0.5",
    "saltpepper:0.3",
    "block:0.25",
    "blocknoise:0.25",
    "half:right,0.5",
    "shift:2",
    "rotate:10",
    "scale:1.2",
    "elastic:1.5",
    "contrast:0.5",
    "blend:0.35",
)
"""A level for every corruption there is."""

GAINED = ("occlude", "drop")
MARGIN = 0.20
ACTIVATIONS = ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid")
WITHOUT_BIASES = ("cosid", "sinusoid")
NOISE = 0.3


def constructed(bench: Bench) -> None:
    """The margin network beside trained ones, of no more parameters and as large as the default writer likes."""
    sizes = bench.sizes
    title(
        f"Trained against constructed, {sizes.mnist} MNIST",
        f"Means over {sizes.samples} disjoint samples; seeds {STORE_SEED} + s and {RECOVERY_SEED} + s. The margin "
        "network can be padded with units without effect to any size, so what it recovers stands for every larger one.",
    )
    samples = bench.mnist()
    budget = parameters(_margin(bench, samples)[0])
    runs = {
        "margin": _margin(bench, samples),
        "trained, no larger": _small(bench, samples, budget),
        "default": bench.memories(),
    }
    table = Table("network", "hidden layers", "parameters", "certified")
    for name, found in runs.items():
        certified = ", ".join(run.certified for run in found)
        table.row(name, network(found[0]), f"{max(parameters(run) for run in found):,}", certified)
    print("\nDifferences to the margin network in points; what is marked • is of a kind that training saw.\n")
    trained = [name for name in runs if name != "margin"]
    heads = [text for name in trained for text in (name, "difference", "bar")]
    table = Table("cue", "seen", "margin", *heads)
    for kind in KINDS:
        found = {name: rates([run.memory for run in one], kind).mean for name, one in runs.items()}
        cells = []
        for name in trained:
            gain = found[name] - found["margin"]
            cells += [percent(found[name]), f"{100 * gain:+.1f}", _bar(bench, name, kind, gain)]
        seen = "•" if saw(runs["default"][0].memory, kind) else ""
        table.row(kind, seen, percent(found["margin"]), *cells)


def _bar(bench: Bench, name: str, kind: str, gain: float) -> str:
    if kind.startswith(GAINED):
        return bench.bars.check(f"{name} {kind}", "≥ 20 points above margin", gain >= MARGIN - 1e-9)
    return bench.bars.check(f"{name} {kind}", "≤ 2 points below margin", gain >= -0.02 - 1e-9)


def _margin(bench: Bench, samples: list[np.ndarray]) -> list[Run]:
    writer = ax.Constructed("margin")
    return [bench.write("mnist", sample, writer, seed=index) for index, sample in enumerate(samples)]


def _small(bench: Bench, samples: list[np.ndarray], budget: int) -> list[Run]:
    """The default's first writer at the largest width whose network has no more parameters."""
    writer = _fitting(samples[0], budget, bench.sizes.epochs)
    return [bench.write("mnist", sample, writer, seed=index) for index, sample in enumerate(samples)]


def _fitting(examples: np.ndarray, budget: int, epochs: int | None) -> ax.WinnerTakeAll:
    """The widest such network within the budget, with as many rounds as leave room for a pair of units an example.

    Where no number of rounds does, it is the widest one with the usual number.
    """
    usual = None
    for rounds in (None, 3, 2, 1):
        width = _widest(examples, budget, rounds)
        if width is None:
            continue
        usual = usual or (width, rounds)
        if width >= 2 * len(examples):
            usual = (width, rounds)
            break
    if usual is None:
        raise ValueError(f"no winner-take-all network over {len(examples)} examples has at most {budget:,} parameters")
    return ax.WinnerTakeAll(width=usual[0], rounds=usual[1], epochs=epochs)


def _widest(examples: np.ndarray, budget: int, rounds: int | None) -> int | None:
    """Parameters grow with the width, so that the widest is found by bisection."""
    if _parameters(examples, 1, rounds) > budget:
        return None
    low, high = 1, 2
    while _parameters(examples, high, rounds) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _parameters(examples, middle, rounds) <= budget else (low, middle)
    return low


def _parameters(examples: np.ndarray, width: int, rounds: int | None) -> int:
    """Of the network as it is before training, which does not change its size."""
    patterns = ax.Patterns.from_examples(examples)
    writer = ax.WinnerTakeAll(width=width, rounds=rounds)
    coordinates = writer.training_data(patterns).coordinates
    start = ax.training.encoder(patterns.points, coordinates, widths=writer.widths(len(patterns)), key=jr.key(0))
    made = ax.training.winner_take_all_network(
        start, patterns.points, coordinates=coordinates, rounds=writer.rounds_after(start)
    )
    return _count(made)


def parameters(run: Run) -> int:
    """Weights and biases of the network of a memory."""
    return _count(run.memory.map)


def _count(made: Any) -> int:
    return sum(np.size(array) for array in (*made.weights, *made.biases) if array is not None)


def activations(bench: Bench) -> None:
    """Certified examples by writer and activation, in the class of networks that the paper's example is of."""
    sizes = bench.sizes
    number, depth, width = sizes.activation_examples, sizes.activation_depth, sizes.activation_width
    title(
        f"Certified of {number} MNIST by writer and activation, {depth}×{width}",
        f"At most {sizes.activation_seconds:g} s of training each, seed {STORE_SEED}. Biases in every layer, save for "
        "the last two columns. The paper's recipe starts from PyTorch's initialization, and so do cosid and sinusoid "
        "throughout; the other activations start from Kaiming's.",
        "In brackets the loss, where it is above 1e-8.",
    )
    examples = bench.mnist()[0][:number] if number <= sizes.mnist else ax.sources.load("mnist", n=number).values
    columns = [(name, True) for name in ACTIVATIONS] + [(name, False) for name in WITHOUT_BIASES]
    table = Table("writer", *(name if bias else f"{name}, no biases" for name, bias in columns))
    for name in writers(1.0, sizes.activation_seconds, bias=True):
        cells = []
        for activation, bias in columns:
            writer = writers(float(np.std(examples)), sizes.activation_seconds, bias=bias)[name]
            init = "pytorch" if name == PAPER or activation in WITHOUT_BIASES else "kaiming_uniform"
            recipe = partial(ax.maps.mlp, width=width, depth=depth, activation=activation, init=init, bias=bias)
            cells.append(_cell(bench.write("mnist", examples, writer, network=recipe, apart=False)))
        table.row(name, *cells)


PAPER = "Adam, the paper's recipe"


def writers(spread: float, seconds: float, *, bias: bool) -> dict[str, Any]:
    """The writers to compare. Without biases a network can't take up the center of coordinates."""
    options: dict[str, Any] = {"time_limit": seconds} | ({"coordinates": 0.0} if bias else {})
    return {
        PAPER: ax.Gradient(time_limit=seconds),
        "denoising Adam": ax.Gradient(noise=NOISE, **options),
        "K-FAC": ax.Gradient(optimizer="kfac", **options),
        "K-FAC, noise": ax.Gradient(optimizer="kfac", noise=NOISE, **options),
        "denoising Adam, adversarial deviations": ax.Gradient(
            noise=NOISE, adversarial_deviation=NOISE * spread, **options
        ),
        "default, given the network": ax.Auto(time_limit=seconds),
    }


def _cell(run: Run) -> str:
    return f"{run.attractors}" if run.loss <= 1e-8 else f"{run.attractors} ({run.loss:.0e})"
