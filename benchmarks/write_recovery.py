"""Tables about certified memories and what they recover: digits, photographs, and the constructed network beside."""

import jax.random as jr
import numpy as np

import attrax as ax
from benchmarks.write_common import (
    RATES_HEAD,
    Rates,
    Setting,
    Stored,
    at_least,
    child,
    end,
    examples,
    head,
    heading,
    parameters,
    percent,
    rates,
    row,
    shape_of,
    store,
    verdict,
    within,
)

MNIST_BARS = {"gaussian:0.5": 0.99, "gaussian:1": 0.96, "occlude:0.5": 0.99, "drop:0.5": 0.99, "drop:0.9": 0.85}
MNIST_BESIDE = ("blocknoise:0.25", "half:right,0.5", "shift:2")
UNSEEN = ("half:right,0.5", "block:0.25", "contrast:0.5", "blend:0.35", "elastic:1.5")
IMAGENET_BARS = {"gaussian:1": 0.97, "occlude:0.5": 0.95, "drop:0.5": 0.95}
MOST_BELOW = 0.02
"""How far recovery may lie below the best of the nearest-neighbour rules."""


def mnist(setting: Setting) -> None:
    """Disjoint samples of digits by the default writer: time, certificates, memory, and recovery."""
    samples, num = setting.pick((5, 100), (2, 20))
    values = examples("mnist", samples * num)
    heading(f"MNIST: {samples} disjoint samples of {num}, default writer")
    head("sample", "hidden layers", "seconds", "bar", "certified", "bar")
    memories, times = [], []
    for number in range(samples):
        done = store(values[number * num : (number + 1) * num], seed=number)
        memories.append(done.memory)
        times.append(done.seconds)
        row(number, shape_of(done.memory.map), f"{done.seconds:.1f}", within(done.seconds, 30), done.certified,
            f"all: {verdict(done.attractors == done.count)}")  # fmt: skip
    alone = child("store", source="mnist", n=num)
    end(
        f"Seconds: mean {np.mean(times):.1f}, worst {max(times):.1f}. Sample 0 once more in a process of its own: "
        f"{alone['seconds']:.1f} s, peak memory {alone['peak_mb']:.0f} MB, {alone['loaded_mb']:.0f} MB of it before "
        "storing began."
    )
    _recovery(memories)
    _unseen(memories)


def _recovery(memories: list[ax.Memory]) -> None:
    heading("The same memories: recovery", "Worst is the worst of the samples; the rules' rates are means over them.")
    head(*RATES_HEAD, "bar on the mean", f"at most {100 * MOST_BELOW:g} points below the best 1-NN")
    for corruption in (*MNIST_BARS, *MNIST_BESIDE):
        found = rates(memories, corruption)
        if corruption in MNIST_BARS:
            bars = (at_least(found.mean, MNIST_BARS[corruption]), _near_best(found))
        else:
            bars = ("none", f"none ({'above' if found.gap >= -MOST_BELOW else 'below'})")
        row(*found.cells(), *bars)
    end()


def _unseen(memories: list[ax.Memory]) -> None:
    heading("The same memories: corruptions that training never saw")
    head(*RATES_HEAD, "at or above Euclidean 1-NN")
    reached = 0
    for corruption in UNSEEN:
        found = rates(memories, corruption)
        holds = found.mean >= found.rules["euclidean"]
        reached += holds and not found.trained
        row(*found.cells(), "yes" if holds else "no")
    end(f"Bar: at or above Euclidean 1-NN for at least 3 of {len(UNSEEN)}: {reached}, {verdict(reached >= 3)}.")


def _near_best(found: Rates) -> str:
    return verdict(found.gap >= -MOST_BELOW - 1e-9)


def imagenet(setting: Setting) -> None:
    """Photographs of 12,288 entries: the margin network and the default writer."""
    num = setting.pick(500, 20)
    values = examples("imagenet64", num)
    heading(f"ImageNet-64: {num} photographs, {values[0].size:,} entries")
    head("writer", "hidden layers", "parameters", "seconds", "bar", "certified", "bar")
    made: dict[str, Stored] = {}
    for name, writer, bar in (("margin", ax.Constructed("margin"), 60), ("default", None, 360)):
        done = made[name] = store(values, writer=writer)
        row(name, shape_of(done.memory.map), f"{parameters(done.memory.map):,}", f"{done.seconds:.1f}",
            within(done.seconds, bar), done.certified, f"all: {verdict(done.attractors == num)}")  # fmt: skip
    end()
    head("writer", *RATES_HEAD, "bar")
    for name, done in made.items():
        for corruption in (*IMAGENET_BARS, "drop:0.9", "half:right,0.5"):
            found = rates([done.memory], corruption)
            bar = "none"
            if name == "default" and corruption in IMAGENET_BARS:
                bar = at_least(found.mean, IMAGENET_BARS[corruption])
            elif name == "default" and corruption == "half:right,0.5":
                bar = f"above Euclidean, unseen: {verdict(found.mean > found.rules['euclidean'] and not found.trained)}"
            row(name, *found.cells(), bar)
    end()


def cifar(setting: Setting) -> None:
    """More examples than entries: gray photographs by the default writer."""
    num = setting.pick(2000, 40)
    values = examples("cifar10", num, gray=True)
    heading(f"Gray CIFAR-10: {num} photographs of {values[0].size:,} entries, default writer")
    head("hidden layers", "seconds", "bar", "certified", "bar")
    done = store(values)
    row(shape_of(done.memory.map), f"{done.seconds:.1f}", within(done.seconds, 1200), done.certified,
        at_least(done.attractors / num, 0.99))  # fmt: skip
    end()
    head(*RATES_HEAD)
    for corruption in ("occlude:0.5", "drop:0.5"):
        row(*rates([done.memory], corruption).cells())
    end()


def constructed(setting: Setting) -> None:
    """Trained against constructed at equal size: the contest gets no more parameters than the margin network."""
    num = setting.pick(100, 20)
    values = examples("mnist", num)
    margin = store(values, writer=ax.Constructed("margin"))
    most = parameters(margin.memory.map)
    trained = store(values, writer=no_larger(values, most))
    heading(
        f"Trained against constructed at equal size: {num} MNIST digits",
        "The margin network has two units an example, and more would change nothing; so the trained network is held "
        "to its number of parameters instead.",
    )
    head("writer", "hidden layers", "parameters", "seconds", "certified")
    for name, done in (("margin", margin), ("contest", trained)):
        count = parameters(done.memory.map)
        row(name, shape_of(done.memory.map), f"{count:,}", f"{done.seconds:.1f}", done.certified)
    end(f"Equal size: {verdict(parameters(trained.memory.map) <= most)}.")
    head("corruption", "trained network", "margin network", "difference, points", "bar")
    for corruption in (*MNIST_BARS, *MNIST_BESIDE, *UNSEEN[1:]):
        ours, theirs = (rates([done.memory], corruption) for done in (trained, margin))
        ahead = ours.mean - theirs.mean
        bar = 0.2 if corruption.split(":")[0] in ("occlude", "drop") else -MOST_BELOW
        mark = " (trained)" if ours.trained else ""
        row(f"{corruption}{mark}", percent(ours.mean), percent(theirs.mean), f"{100 * ahead:+.1f}",
            f"≥ {100 * bar:+.0f}: {verdict(ahead >= bar - 1e-9)}")  # fmt: skip
    end()


def no_larger(values: np.ndarray, most: int) -> ax.Contest:
    """The contest whose network has at most so many parameters.

    Their number grows linearly with the width. Rounds of inhibition are given up where otherwise no two units an
    example would be left, which the start needs.
    """
    patterns = ax.Patterns.from_examples(values)
    least = 2 * len(patterns)

    def count(width: int, rounds: int | None) -> int:
        return untrained_size(ax.Contest(width=width, rounds=rounds), patterns)

    width = 1
    for rounds in (None, 3, 2, 1):
        one, two = count(least, rounds), count(least + 1, rounds)
        width = least + (most - one) // (two - one)
        if width >= least:
            return ax.Contest(width=width, rounds=rounds)
    return ax.Contest(width=max(width, 1), rounds=1)


def untrained_size(writer: ax.Contest, patterns: ax.Patterns) -> int:
    """Parameters of the network that a contest would write; training does not change them."""
    coordinates = writer.in_coordinates(patterns)
    width, layers = writer.size(len(patterns))
    start = ax.training.encoder(patterns.points, coordinates, widths=[width] * layers, key=jr.key(0))
    return parameters(
        ax.training.contest_network(start, patterns.points, coordinates=coordinates, rounds=writer.rounds)
    )
