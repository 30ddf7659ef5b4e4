"""Table and plot: how the time to a certified memory grows with the number of examples and of entries."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.write_common import Setting, end, examples, head, heading, row, shape_of, store

NUMBERS = (25, 50, 100, 200, 500, 1000, 2000)
SIDES = ((16, True), (32, True), (64, True), (128, True), (128, False))
"""Side, and whether gray: 256, 1,024, 4,096, 16,384 and 49,152 entries."""
PLOTS = Path(__file__).parent / "out"


def power_law(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Exponent and factor of seconds = factor · size^exponent, by least squares of the logarithms."""
    exponent, offset = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(exponent), float(np.exp(offset))


def resampled(photographs: np.ndarray, side: int, gray: bool) -> np.ndarray:
    """Color photographs brought to a side, smoothed first where that is smaller; their luminance if `gray`."""
    from skimage.transform import resize

    values = photographs @ np.array([0.299, 0.587, 0.114], np.float32) if gray else photographs
    return np.stack([resize(one, (side, side), anti_aliasing=side < one.shape[0]) for one in values]).astype(np.float32)


def scaling(setting: Setting) -> None:
    """Seconds and certificates over n, and over d."""
    heading("Scaling: the default writer over the number of examples, and of entries",
            "Seconds include compilation and certification. The default writer decides epochs, width and coordinates "
            "by the data, which bends the curves.")  # fmt: skip
    numbers = setting.pick(NUMBERS, NUMBERS[:2])
    sides = setting.pick(SIDES, SIDES[:2])
    gray = examples("cifar10", max(numbers), gray=True)
    photographs = examples("imagenet64", setting.pick(100, 20))
    over_n = _study("n, gray CIFAR-10", ((num, gray[:num]) for num in numbers))
    over_d = _study(
        f"d, {len(photographs)} ImageNet-64 photographs resampled; gray but for the last",
        ((side * side * (1 if black else 3), resampled(photographs, side, black)) for side, black in sides),
    )
    name = setting.pick("scaling.png", "scaling-quick.png")
    _plot(PLOTS / name, (("examples n", over_n), ("entries d", over_d)))
    end(f"Plot: benchmarks/out/{name}")


def _study(name: str, cases: Iterable[tuple[int, np.ndarray]]) -> list[tuple[int, float]]:
    head(name, "hidden layers", "seconds", "certified")
    points = []
    for size, values in cases:
        done = store(values)
        points.append((size, done.seconds))
        row(f"{size:,}", shape_of(done.memory.map), f"{done.seconds:.1f}", done.certified)
    exponent, _ = power_law(*zip(*points, strict=True))
    end(f"Fitted: seconds grow as {name.split(',')[0]}^{exponent:.2f}.")
    return points


def _plot(path: Path, studies: Sequence[tuple[str, list[tuple[int, float]]]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (label, points) in zip(figure.subplots(1, len(studies)), studies, strict=True):
        sizes, seconds = (np.array(one, float) for one in zip(*points, strict=True))
        exponent, factor = power_law(sizes, seconds)
        axes.loglog(sizes, seconds, "o", color="black")
        axes.loglog(sizes, factor * sizes**exponent, color="gray", label=f"power {exponent:.2f}")
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(label)
        axes.set_ylabel("seconds to store")
        axes.legend(frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
