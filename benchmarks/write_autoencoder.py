"""A trained autoencoder beside the default writer: what it recalls, and how smooth it is."""

from dataclasses import replace
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from benchmarks.measure import Table, percent, title
from benchmarks.write_compare import KINDS, parameters
from benchmarks.write_runs import RECOVERY_SEED, STORE_SEED, Bench, Run, rates, saw

SPARE = 156
"""Units beside those of the nearest-neighbor rule that training starts from. For a hundred digits the first two layers
then have 512, like the default writer's."""
TRAINED: dict[str, Any] = {
    "coordinates": 0.0,
    "epochs": 10_000,
    "learning_rate": 1e-3,
    "adversarial_deviation": 0.2,
}
"""How it is trained, beside the default writer's corruptions."""
SECONDS = 60
"""Seconds of two cores in which it is to be done."""
UNSEEN_BAR = 3
STEPS = 20
"""Steps from one digit to the next."""


def autoencoder(bench: Bench) -> None:
    """An autoencoder, trained on what the default writer trains on, beside the default writer."""
    sizes = bench.sizes
    title(
        f"A trained autoencoder beside the default writer, {sizes.mnist} MNIST",
        f"Means over {sizes.samples} disjoint samples; seeds {STORE_SEED} + s and {RECOVERY_SEED} + s. The autoencoder "
        "starts as a nearest-neighbor rule with six hidden layers, and the squared error trains all of it on the "
        "corruptions of the default writer and on adversarial deviations. CPU seconds are those of all cores, "
        "compilation and certificates included.",
    )
    runs = _runs(bench)
    table = Table("network", "parameters", "certified", "CPU seconds", "bar")
    for name, found in runs.items():
        certified, slowest = ", ".join(run.certified for run in found), max(run.cpu for run in found)
        reached = all(run.complete for run in found) and slowest <= 2 * SECONDS
        bar = bench.bars.check(name, f"all certified, ≤ {2 * SECONDS} CPU s", reached)
        table.row(name, f"{max(parameters(run) for run in found):,}", certified, f"{slowest:.0f}", bar)
    print("\nWhat is marked • is of a kind that training saw.\n")
    table = Table("cue", "seen", "default", "autoencoder", "worst", "difference", "bar")
    above = 0
    for kind in KINDS:
        found = {name: rates([run.memory for run in one], kind) for name, one in runs.items()}
        gain = found["autoencoder"].mean - found["default"].mean
        seen = saw(runs["default"][0].memory, kind)
        above += gain > 0 and not seen
        bar = bench.bars.check(f"autoencoder {kind}", "≤ 2 points below default", gain >= -0.02 - 1e-9)
        numbers = (
            percent(found["default"].mean),
            percent(found["autoencoder"].mean),
            percent(found["autoencoder"].worst),
        )
        table.row(kind, "•" if seen else "", *numbers, f"{100 * gain:+.1f}", bar)
    reached = bench.bars.check("autoencoder", "above the default from three unseen kinds", above >= UNSEEN_BAR)
    print(f"\n{reached} ({above})")


def _runs(bench: Bench) -> dict[str, list[Run]]:
    """The memories of both, one of each sample."""
    runs = {"default": bench.memories()}
    writer = ax.Gradient(corruptions=runs["default"][0].memory.written["corruptions"], **TRAINED)
    writer = writer if bench.sizes.epochs is None else replace(writer, epochs=bench.sizes.epochs)
    runs["autoencoder"] = []
    for index, sample in enumerate(bench.mnist()):
        start = ax.training.winner_take_all_start(sample, spare=SPARE, key=jr.key(STORE_SEED + index))
        runs["autoencoder"].append(bench.write("mnist", sample, writer, network=start, seed=index))
    return runs


def walks(bench: Bench) -> None:
    """How far the output jumps where the input moves evenly from one stored digit to the next."""
    sizes = bench.sizes
    title(
        f"From one digit to the next, {sizes.mnist} MNIST",
        f"The input moves in {STEPS} equal steps from each digit to the next one of its sample, and the map is applied "
        "once. *Largest step*: how far the output moves in one step at most, in percent of the whole way; even steps "
        f"have {100 / STEPS:g} %. *In between*: outputs farther than a tenth of the way from both digits.",
    )
    table = Table("network", "largest step, mean", "smallest", "largest", "in between")
    for name, found in _runs(bench).items():
        largest, between = zip(*(_walk(run.memory) for run in found), strict=True)
        every = np.concatenate(largest)
        table.row(name, *(percent(float(one(every))) for one in (np.mean, np.min, np.max)), percent(np.mean(between)))


def _walk(memory: ax.Memory) -> tuple[np.ndarray, float]:
    """For each digit the largest step of the output on the way to the next digit, as a share of the whole way, and the
    share of outputs that are near neither of the two."""
    here = np.asarray(memory.originals, np.float64)
    there = np.roll(here, -1, axis=0)
    shares = np.linspace(0, 1, STEPS + 1).reshape(-1, 1, *(1,) * (here.ndim - 1))
    inputs = here + shares * (there - here)
    outputs = ax.maps.each_row(memory.map, inputs.reshape(-1, *here.shape[1:])).reshape(inputs.shape)

    def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.linalg.norm((one - other).reshape(*np.broadcast_shapes(one.shape, other.shape)[:2], -1), axis=-1)

    way = apart(here[None], there[None])
    near = np.minimum(apart(outputs, here[None]), apart(outputs, there[None])) <= 0.1 * way
    return (apart(outputs[1:], outputs[:-1]) / way).max(axis=0), float(1 - near[1:-1].mean())
