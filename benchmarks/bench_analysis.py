"""Measuring memories: `python -m benchmarks.bench_analysis`, or `make bench-analysis`.

Spectra beside the dense route in PyTorch (`torch.func.jacrev` and `torch.linalg.eigvals`), basins beside a plain grid,
and the time that proved radii take. Each table is Markdown and appears row by row. `--only NAME` picks tables,
`--quick` shows all of them at sizes that mean nothing, to see whether they run.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import util
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import basins as basins_of
from attrax.certificates import basin_radius, spectrum
from attrax.maps import MLP
from attrax.paper import four_circles, train_plane
from benchmarks.measure import Bars, Table, exponent, machine, title


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    **Fields:** for spectra `entries` of the states at which the dense route is measured, `target` entries at which it
    is extrapolated, `width` × `depth` of the network, and how many `examples` the bar speaks of, of which
    `measured` are timed; for radii `faces`, the `radius_width` × `radius_depth` and `epochs` of the network; for basins
    `resolution`, `plane_epochs` and `plane_depth`.
    """

    entries: tuple[int, ...] = (768, 1536, 3072)
    target: int = 12_288
    width: int = 512
    depth: int = 3
    examples: int = 500
    measured: int = 500
    faces: int = 100
    radius_width: int = 512
    radius_depth: int = 5
    epochs: int = 1_500
    resolution: int = 96
    plane_depth: int = 15
    plane_epochs: int = 4_000


QUICK = Sizes(
    entries=(24, 48),
    target=96,
    width=16,
    depth=2,
    examples=6,
    measured=4,
    faces=4,
    radius_width=16,
    radius_depth=2,
    epochs=50,
    resolution=24,
    plane_depth=2,
    plane_epochs=50,
)
"""Sizes for a smoke run: every table appears, and no number in it means anything."""


@dataclass
class Bench:
    """What the tables share: the sizes and the bars."""

    sizes: Sizes
    bars: Bars = field(default_factory=Bars)


def interpolating(size: int, width: int, depth: int, num: int) -> ax.Memory:
    """A random ReLU network whose last layer is solved for exact fixed points: `num` random states of `size` entries.

    Its Jacobians are full, unlike those of networks that are flat around what they store.
    """
    # Around 0, so that their features differ enough to be solved for, and of the size of centered pixels.
    points = 0.2 * np.random.default_rng(0).standard_normal((num, size))
    fresh = ax.maps.mlp((size,), width=width, depth=depth, init="kaiming_uniform", dtype=np.float64, key=jr.key(1))
    weights = [np.asarray(weight) for weight in fresh.weights]
    hidden = points
    for weight, bias in zip(weights[:-1], fresh.biases[:-1], strict=True):
        hidden = np.maximum(hidden @ weight.T + np.asarray(bias), 0)
    inverse = np.linalg.pinv(hidden)
    readout = inverse @ points
    for _ in range(2):  # what rounding left over, so that the points are as exact as those of a stored memory
        readout += inverse @ (points - hidden @ readout)
    weights[-1] = readout.T
    network = MLP(tuple(weights), (*fresh.biases[:-1], np.zeros(size)), (size,), "relu")
    return ax.Memory(network, ax.Patterns.from_examples(points))


def spectra(bench: Bench) -> None:
    """The largest eigenvalues of one example beside all of them by the dense route, and of many examples together."""
    sizes = bench.sizes
    title(
        f"Spectra of a network with {sizes.depth}×{sizes.width} ReLU units",
        "attrax: the largest percent of the eigenvalues with their residuals and a proved bound on the rest, float64. "
        "Dense: `torch.func.jacrev` and `torch.linalg.eigvals`, float64, with all threads. Seconds for one example, "
        "attrax in a batch of eight.",
    )
    table = Table("entries", "attrax, s", "dense, s", "ratio", "largest difference of the radii")
    dense = []
    for size in sizes.entries:
        memory = interpolating(size, sizes.width, sizes.depth, 8)
        ours, found = _spectrum_seconds(memory)
        theirs, radius = _dense(memory)
        dense.append(theirs)
        table.row(
            f"{size:,}",
            f"{ours / 8:.3f}",
            f"{theirs:.2f}",
            f"{8 * theirs / ours:.1f}",
            f"{abs(abs(found.eigenvalues[0, 0]) - radius):.1e}",
        )
    power, factor = exponent(sizes.entries, dense)
    theirs = factor * sizes.target**power
    memory = interpolating(sizes.target, sizes.width, sizes.depth, sizes.measured)
    ours, _ = _spectrum_seconds(memory)
    each = ours / sizes.measured
    note = f"{theirs:,.0f} (extrapolated, entries^{power:.2f})"
    table.row(f"{sizes.target:,}", f"{each:.3f}", note, f"{theirs / each:,.0f}")
    whole = each * sizes.examples
    how = "" if sizes.measured == sizes.examples else f", from {sizes.measured}"
    print(
        f"\n{sizes.examples} examples of {sizes.target:,} entries: {whole:.1f} s{how}; "
        + bench.bars.check("spectra of all examples", "≤ 60 s", whole <= 60)
    )


def _spectrum_seconds(memory: ax.Memory) -> tuple[float, Any]:
    few = ax.Memory(memory.map, ax.Patterns.from_examples(memory.examples().points[:1]))
    spectrum(few, key=jr.key(0))  # compiles
    begun = time.perf_counter()
    found = spectrum(memory, key=jr.key(0))
    return time.perf_counter() - begun, found


def _dense(memory: ax.Memory) -> tuple[float, float]:
    import torch

    network: Any = memory.map
    layers = [
        (torch.tensor(np.asarray(weight)), torch.tensor(np.asarray(bias)))
        for weight, bias in zip(network.weights, network.biases, strict=True)
    ]

    def apply(x: Any) -> Any:
        for weight, bias in layers[:-1]:
            x = torch.relu(weight @ x + bias)
        return layers[-1][0] @ x + layers[-1][1]

    point = torch.tensor(memory.examples().points[0])
    torch.func.jacrev(apply)(point)  # warm
    begun = time.perf_counter()
    values = torch.linalg.eigvals(torch.func.jacrev(apply)(point))
    return time.perf_counter() - begun, float(values.abs().max())


def radii(bench: Bench) -> None:
    """Seconds that proved radii take, and how large they are."""
    sizes = bench.sizes
    title(
        f"Proved radii of {sizes.faces} faces in {sizes.radius_depth}×{sizes.radius_width} ReLU units",
        f"Trained with noise (σ = 0.3) for {sizes.epochs:,} epochs in the coordinates of the data. No rival proves "
        "radii, so there is no ratio; sampling is left out.",
    )
    recipe = partial(ax.maps.mlp, width=sizes.radius_width, depth=sizes.radius_depth, init="kaiming_uniform")
    writer = ax.Gradient(noise=0.3, coordinates=0.0, epochs=sizes.epochs)
    memory = ax.store(ax.sources.load("faces", n=sizes.faces).values, recipe, writer=writer, key=jr.key(0))
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    begun = time.perf_counter()
    found = basin_radius(memory, num_directions=0, key=jr.key(0))
    seconds = time.perf_counter() - begun
    table = Table("examples", "certified", "with a proved radius", "median radius", "nearest other", "seconds", "bar")
    proved = found.proved_radius[found.proved_radius > 0]
    median = f"{np.median(proved):.3g}" if len(proved) else "–"
    table.row(
        sizes.faces,
        certificate.num_attractors,
        len(proved),
        median,
        f"{np.median(found.distance):.3g}",
        f"{seconds:.1f}",
        bench.bars.check("proved radii", "≤ 120 s", seconds <= 120),
    )


def basins(bench: Bench) -> None:
    """Basins refined at their boundaries beside iterating from every point of the grid."""
    sizes = bench.sizes
    title(
        f"Basins of four cycles in the plane, {sizes.resolution}×{sizes.resolution} points",
        f"cosid {sizes.plane_depth}×128, trained for {sizes.plane_epochs:,} epochs. Every point: the same with all of "
        "them iterated. Plain grid: PyTorch, float64, all points in one batch for 1,000 steps, and the nearest stored "
        "point.",
    )
    memory, _, _, _ = train_plane(four_circles(), depth=sizes.plane_depth, epochs=sizes.plane_epochs, seed=0)
    table = Table("way", "seconds", "ratio", "points iterated", "labels that differ from every point's")
    frame = (-1.5, 1.5, -1.5, 1.5)
    run = partial(basins_of, memory, extent=frame, resolution=sizes.resolution, arrows=0)
    basins_of(memory, extent=frame, resolution=16, arrows=0)  # compiles
    timed = []
    for coarse in (8, 1):
        begun = time.perf_counter()
        timed.append((run(coarse=coarse), time.perf_counter() - begun))
    (refined, ours), (every, all_points) = timed
    differ = int((refined.label != every.label).sum())
    table.row("attrax, refined", f"{ours:.1f}", "1", refined.num_evaluations, differ)
    table.row("attrax, every point", f"{all_points:.1f}", f"{all_points / ours:.1f}", every.num_evaluations, 0)
    begun = time.perf_counter()
    _plain_grid(memory, frame, sizes.resolution)
    plain = time.perf_counter() - begun
    table.row("plain grid in PyTorch", f"{plain:.1f}", f"{plain / ours:.1f}", sizes.resolution**2)
    bench.bars.check("basins", "faster than a plain grid", plain > ours)


def _plain_grid(memory: ax.Memory, frame: tuple[float, ...], resolution: int) -> np.ndarray:
    import torch

    network: Any = memory.map
    layers = [
        (torch.tensor(np.asarray(weight)), torch.tensor(np.asarray(bias)))
        for weight, bias in zip(network.weights, network.biases, strict=True)
    ]
    left, right, bottom, top = frame
    across = left + (torch.arange(resolution, dtype=torch.float64) + 0.5) * (right - left) / resolution
    up = bottom + (torch.arange(resolution, dtype=torch.float64) + 0.5) * (top - bottom) / resolution
    x = torch.stack(torch.meshgrid(across, up, indexing="xy"), dim=-1).reshape(-1, 2)
    with torch.no_grad():
        for _ in range(1_000):
            for weight, bias in layers[:-1]:
                z = x @ weight.T + bias
                x = torch.cos(z) - z
            x = x @ layers[-1][0].T + layers[-1][1]
        stored = torch.tensor(memory.examples().points)
        return torch.cdist(x, stored).argmin(dim=1).numpy()


TABLES: dict[str, Callable[[Bench], None]] = {"spectra": spectra, "radii": radii, "basins": basins}
"""Each table, in the order they are printed."""


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables that were asked for, and at the end which bars were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        action="append",
        choices=list(TABLES),
        metavar="NAME",
        help=f"a table to print, repeatable: {', '.join(TABLES)}",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see whether everything runs")
    options = parser.parse_args(arguments)
    names = [name for name in TABLES if options.only is None or name in options.only]
    if set(names) != {"radii"} and util.find_spec("torch") is None:
        print(
            "the tables spectra and basins compare with PyTorch, which is not installed: run `make torch` first, or "
            "take --only radii",
            file=sys.stderr,
        )
        raise SystemExit(2)
    bench = Bench(QUICK if options.quick else Sizes())
    print(machine(), flush=True)
    if options.quick:
        print("\nA smoke run at tiny sizes: no number and no bar below means anything.")
    for name in names:
        TABLES[name](bench)
    print(f"\n{bench.bars.summary()}")


if __name__ == "__main__":
    main()
