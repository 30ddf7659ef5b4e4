"""How storing grows with the number of examples: seconds, peak memory, certified examples, and recall beside 1-NN.

Each row is the default writer on the first n pictures, in a process of its own. Recall is from up to a thousand of them
under noise, and the rules see the same cues. Bits are those of all pictures compressed by LZMA, times the fraction
recalled. Needs ATTRAX_DATA. `--full` goes on to 60,000 digits, which takes hours. `--corruptions` adds a table of
recall from other cues.
"""

import argparse
from pathlib import Path

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import RULES, content_bits, nearest_neighbor
from attrax.maps import describe
from benchmarks.measure import Table, exponent, machine, percent, title
from benchmarks.write_runs import RECOVERY_SEED, Bench, Run, Sizes, require

NUMBERS, MORE = (100, 200, 500, 1_000, 2_000), (5_000, 10_000, 20_000, 60_000)
FROM = 2_000
"""From this number on the growth has a bar, an exponent of 1.15."""
CUES, NOISE = 1_000, "gaussian:0.5"
PLOT = Path(__file__).parent / "out" / "scale.png"


def recalled(memory: ax.Memory, kind: str, cues: int, seed: int) -> tuple[float, float]:
    """The share of corrupted cues whose example comes back, and that which the best nearest-neighbor rule finds."""
    points = np.asarray(memory.examples().points)
    chosen = np.random.default_rng(seed).choice(len(points), min(cues, len(points)), replace=False)
    corrupted = ax.corrupt(kind, points[chosen], key=jr.key(seed))
    own = ax.recall(memory, corrupted, expected=chosen).recovery_rate
    assert own is not None  # `expected` was given
    best = max(float((nearest_neighbor(corrupted, points, rule=rule) == chosen).mean()) for rule in RULES)
    return float(own), best


def main(arguments: list[str] | None = None) -> None:
    """Prints one table, row by row, and fitted exponents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="on to 60,000 examples")
    parser.add_argument("--source", default="mnist", help="mnist (the default), or cifar10, in gray")
    parser.add_argument("--numbers", type=int, nargs="+", help="the numbers of examples, if others")
    parser.add_argument("--epochs", type=int, help="epochs of the writer, if others")
    parser.add_argument("--corruptions", nargs="+", default=[], help="other cues to recall from, such as occlude:0.5")
    options = parser.parse_args(arguments)
    require({options.source: "of all numbers"})
    numbers = options.numbers or (NUMBERS + MORE if options.full else NUMBERS)
    title(
        f"Storing the first n pictures of {options.source}",
        f"{machine()}; the default writer; recall at σ = 0.5 from up to {CUES:,} of them, beside the best of the "
        f"rules {', '.join(RULES)}.",
    )
    bench = Bench(Sizes(epochs=options.epochs))
    table = Table(
        "n", "network", "seconds", "training", "making the network", "certifying", "CPU seconds", "peak memory, MB",
        "certified", "recalled, %", "1-NN, %", "bits per weight",
    )  # fmt: skip
    runs: dict[int, Run] = {}
    rates: dict[int, tuple[float, float]] = {}
    others: list[tuple[int, str, float, float]] = []
    for number in numbers:
        pictures = ax.sources.load(options.source, n=number, gray=options.source == "cifar10").values
        run = runs[number] = bench.write(options.source, pictures)
        own, best = rates[number] = recalled(run.memory, NOISE, CUES, RECOVERY_SEED)
        network = describe(run.memory.map)
        phases = (run.fitting, run.training - run.fitting, run.seconds - run.training)
        bits = own * content_bits(pictures) / network.parameters
        table.row(
            f"{number:,}",
            network.text,
            *(f"{seconds:.1f}" for seconds in (run.seconds, *phases, run.cpu)),
            f"{run.peak:,.0f}",
            run.certified,
            percent(own),
            percent(best),
            f"{bits:.2f}",
        )
        for kind in options.corruptions:
            others.append((number, kind, *recalled(run.memory, kind, CUES, RECOVERY_SEED)))
    if others:
        title("Other cues")
        table = Table("n", "corruption", "recalled, %", "1-NN, %")
        for number, kind, own, best in others:
            table.row(f"{number:,}", kind, percent(own), percent(best))
    _growth(runs, "all rows")
    _growth({number: run for number, run in runs.items() if number >= FROM}, f"from {FROM:,} on")
    if len(runs) > 1:
        _plot(runs, rates, options.source, PLOT)


def _growth(runs: dict[int, Run], which: str) -> None:
    if len(runs) > 1:
        fits = {
            name: exponent(list(runs), [getattr(run, name) for run in runs.values()])[0]
            for name in ("seconds", "cpu", "peak")
        }
        print(
            f"\nSeconds grow as n^{fits['seconds']:.2f}, CPU seconds as n^{fits['cpu']:.2f} and peak memory as "
            f"n^{fits['peak']:.2f} ({which}, least squares).",
            flush=True,
        )


def _plot(runs: dict[int, Run], rates: dict[int, tuple[float, float]], source: str, path: Path) -> None:
    """Seconds, peak memory and recall over n."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    numbers = list(runs)
    for axis, heading, values in (
        (axes[0], "seconds", [run.seconds for run in runs.values()]),
        (axes[1], "peak memory, MB", [run.peak for run in runs.values()]),
    ):
        axis.loglog(numbers, values, "o-", color="C0")
        axis.set(title=heading, ylim=(min(values) / 2, 2 * max(values)))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:,.0f}")
    axes[2].semilogx(numbers, [100 * best for _, best in rates.values()], "s--", color="C1", label="best 1-NN rule")
    axes[2].semilogx(numbers, [100 * own for own, _ in rates.values()], "o-", color="C0", label="memory")
    axes[2].set(title="recalled at σ = 0.5, %", ylim=(90, 100.5))
    axes[2].legend(loc="lower left")
    for axis in axes:
        axis.set(xlabel=f"pictures of {source}")
        axis.set_xticks(numbers, [f"{number:,}" for number in numbers])
        axis.minorticks_off()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    print(f"\nPlot: {path.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
