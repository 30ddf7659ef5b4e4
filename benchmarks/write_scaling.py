"""How the default writer's time grows with the number of examples and with their size."""

import math
from pathlib import Path

import numpy as np

import attrax as ax
from benchmarks.measure import Table, exponent, title
from benchmarks.write_large import gray_cifar
from benchmarks.write_mnist import network
from benchmarks.write_runs import STORE_SEED, Bench, Run

PLOT = Path(__file__).parent / "out" / "scaling.png"


def scaling(bench: Bench) -> None:
    """Two tables with fitted exponents, and a plot of both."""
    by_number, by_entries = _numbers(bench), _entries(bench)
    _plot(by_number, by_entries, PLOT, bench.sizes.photographs)
    print(f"\nPlot: {PLOT.relative_to(Path(__file__).parents[1])}")


def photographs(number: int, shape: tuple[int, ...]) -> np.ndarray:
    """The first photographs of ImageNet-64, in gray where `shape` has two axes, resampled to it."""
    from skimage.transform import resize

    values = ax.sources.load("imagenet64", n=number, gray=len(shape) == 2).values
    if values.shape[1:] == shape:
        return values
    return np.stack([resize(value, shape, anti_aliasing=True) for value in values]).astype(np.float32)


def _numbers(bench: Bench) -> dict[float, Run]:
    title(
        "Scaling with the number n of examples",
        f"Gray CIFAR-10, the first n of the file, default writer, seed {STORE_SEED}.",
    )
    return _table("n", {number: ("cifar10", gray_cifar(number)) for number in bench.sizes.numbers}, bench)


def _entries(bench: Bench) -> dict[float, Run]:
    number = bench.sizes.photographs
    title(
        "Scaling with the number d of entries",
        f"The first {number} photographs of ImageNet-64, resampled; default writer, seed {STORE_SEED}. Shapes of two "
        "axes are gray.",
    )
    sets = {math.prod(shape): ("photographs", photographs(number, shape)) for shape in bench.sizes.pixels}
    return _table("d", sets, bench)


def _table(symbol: str, sets: dict[int, tuple[str, np.ndarray]], bench: Bench) -> dict[float, Run]:
    table = Table(symbol, "shape", "network", "seconds", "certified", "peak memory, MB")
    runs: dict[float, Run] = {}
    for size, (name, examples) in sets.items():
        run = runs[size] = bench.write(name, examples)
        shape = "×".join(str(side) for side in examples.shape[1:])
        table.row(f"{size:,}", shape, network(run), f"{run.seconds:.1f}", run.certified, f"{run.peak:.0f}")
    power, _ = exponent(list(runs), [run.seconds for run in runs.values()])
    print(f"\nSeconds grow as {symbol}^{power:.2f} (least squares in the logarithms, all rows).")
    return runs


def _plot(by_number: dict[float, Run], by_entries: dict[float, Run], path: Path, photographs: int) -> None:
    """Seconds over n and over d, each with its fit; hollow where not all were certified."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    panels = (
        ("examples n", "gray CIFAR-10, d = 1,024", by_number),
        ("entries d", f"{photographs} photographs, resampled", by_entries),
    )
    for axis, (label, heading, runs) in zip(axes, panels, strict=True):
        sizes, seconds = np.array(list(runs), float), np.array([run.seconds for run in runs.values()])
        power, factor = exponent(sizes, seconds)
        axis.loglog(sizes, factor * sizes**power, color="0.6", lw=1, label=f"∝ {label[-1]}$^{{{power:.2f}}}$")
        for run, size in zip(runs.values(), sizes, strict=True):
            axis.loglog(size, run.seconds, "o", color="C0", mfc="C0" if run.complete else "white")
        axis.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], fontsize=8)
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.minorticks_off()
        axis.set(xlabel=label, title=heading)
        axis.legend(frameon=False)
    axes[0].set_ylabel("seconds")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
