"""The tables on larger sets: 500 photographs of ImageNet-64, and more gray pictures of CIFAR-10 than entries."""

import attrax as ax
from attrax.analysis import RULES
from benchmarks.measure import Table, percent, title
from benchmarks.write_mnist import network
from benchmarks.write_runs import RECOVERY_SEED, STORE_SEED, Bench, Run, rates, saw

KINDS = {"gaussian:1": 0.97, "occlude:0.5": 0.95, "drop:0.5": 0.95, "drop:0.9": None, "half:right,0.5": None}
"""Corruptions, each with the rate asked of the default writer; of the last one it is more than Euclidean 1-NN's."""

CIFAR_SHARE, CIFAR_SECONDS = 0.99, 1200
CONSTRUCTED_SECONDS, DEFAULT_SECONDS = 60, 360


def imagenet(bench: Bench) -> None:
    """ImageNet-64 by the constructed and by the default writer."""
    number = bench.sizes.imagenet
    title(
        f"{number} ImageNet-64 (64×64×3)",
        f"The first {number} of the file; written with seed {STORE_SEED}, cues drawn with seed {RECOVERY_SEED}.",
    )
    examples = ax.sources.load("imagenet64", n=number).values
    writers = {
        "constructed (margin)": (ax.Constructed("margin"), CONSTRUCTED_SECONDS),
        "default": (bench.default(), DEFAULT_SECONDS),
    }
    table = _written_table()
    runs = {}
    for name, (writer, seconds) in writers.items():
        runs[name] = bench.write("imagenet64", examples, writer)
        _row(bench, table, f"ImageNet-64 {name}", runs[name], seconds=seconds, share=1.0)
    print()
    rules = [f"{name} 1-NN" for name in RULES]
    table = Table("cue", *(f"{name}" for name in runs), *rules, "seen by default", "bar on default")
    for kind, wanted in KINDS.items():
        found = {name: rates([run.memory], kind) for name, run in runs.items()}
        default = found["default"]
        bar = ""
        if wanted is not None:
            bar = bench.bars.check(f"ImageNet-64 {kind}", f"≥ {100 * wanted:g} %", default.mean >= wanted - 1e-9)
        elif kind.startswith("half"):
            higher = default.mean > default.rival("euclidean")
            bar = bench.bars.check(f"ImageNet-64 {kind}", "above Euclidean", higher)
        seen = "•" if saw(runs["default"].memory, kind) else ""
        rivals = [percent(default.rival(rule)) for rule in RULES]
        table.row(kind, *(percent(one.mean) for one in found.values()), *rivals, seen, bar)


def cifar(bench: Bench) -> None:
    """Gray CIFAR-10 by the default writer."""
    number = bench.sizes.cifar
    title(
        f"{number} gray CIFAR-10 (32×32)",
        f"The first {number} of the file, by the default writer, seed "
        f"{STORE_SEED}; the bar is {100 * CIFAR_SHARE:g} % certified.",
    )
    run = bench.write("cifar10", gray_cifar(number))
    _row(bench, _written_table(), f"CIFAR-10 {number}", run, seconds=CIFAR_SECONDS, share=CIFAR_SHARE)


def gray_cifar(number: int):
    """The first pictures of CIFAR-10 in gray."""
    return ax.sources.load("cifar10", n=number, gray=True).values


def _written_table() -> Table:
    return Table("writer", "network", "seconds", "certified", "peak memory, MB", "bar on certified", "bar on seconds")


def _row(bench: Bench, table: Table, name: str, run: Run, *, seconds: float, share: float) -> None:
    wanted = "all certified" if share == 1 else f"≥ {100 * share:g} % certified"
    table.row(
        name,
        network(run),
        f"{run.seconds:.1f}",
        run.certified,
        f"{run.peak:.0f}",
        bench.bars.check(name, wanted, run.attractors >= share * run.num),
        bench.bars.check(name, f"≤ {seconds:g} s", run.seconds <= seconds),
    )
