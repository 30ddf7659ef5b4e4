"""How far storing goes: recall, bits per weight, seconds and bytes over the number of examples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import RULES, content_bits, map_bytes, nearest_neighbor
from attrax.corruptions import corrupt
from attrax.dynamics import recall
from attrax.extending import HostStates
from attrax.maps import describe
from attrax.memory import Memory
from attrax.paper._experiment import Drawing, Experiment, Records, Summary, cell, judged, told
from attrax.paper._figures import BLUE, GRAY, GREEN, VERMILION, plain_axes
from attrax.paper._networks import network_settings, write
from attrax.paper._pictures import data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.writing import Auto, Constructed, store

_NUMBERS: dict[str, dict[str, tuple[int, ...]]] = {
    "smoke": {"trained": (4, 8), "default": (4, 8), "constructed": (4, 8)},
    "quick": {
        "trained": (25, 50, 100, 200),
        "default": (100, 300, 1000, 3000, 10_000),
        "constructed": (100, 300, 1000, 3000, 10_000),
    },
    "tables": {
        "trained": (50, 100, 200, 500),
        "default": (100, 300, 1000, 3000, 10_000, 30_000),
        "constructed": (100, 300, 1000, 3000, 10_000, 30_000),
    },
    "full": {
        "trained": (100, 200, 500, 1000),
        "default": (100, 300, 1000, 3000, 10_000, 30_000, 60_000),
        "constructed": (100, 300, 1000, 3000, 10_000, 30_000, 60_000),
    },
}
_TRAINED: dict[str, dict[str, Any]] = {
    "smoke": {"width": 32, "depth": 2, "epochs": 1000},
    "quick": {"width": 256, "depth": 10, "epochs": 10_000},
    "tables": {"width": 512, "depth": 10, "epochs": 10_000},
    "full": {"width": 1024, "depth": 10, "epochs": 20_000},
}
"""The network that is trained as in the paper, at the largest stable rate; the others choose theirs."""
_CUES = 1000
_WITHIN = 0.01
"""How far below the best nearest-neighbor rule recall may be."""
_HOPFIELD = 0.138
"""Patterns per unit that a Hopfield network recalls with few errors: Amit, Gutfreund and Sompolinsky, 1985."""
_COLORS = {"trained": VERMILION, "default": BLUE, "constructed": GREEN}
_LEAST_POINTS = 3
"""Sizes that a growth is fitted to, at least."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores the first n pictures, and recalls some of them from noise."""
    points = pictures(settings)
    memory = _written(points, settings, work)
    chosen = np.random.default_rng(settings["seed"]).choice(len(points), min(len(points), _CUES), replace=False)
    cues = corrupt(settings["corruption"], points[chosen], key=jr.fold_in(jr.key(settings["seed"]), 1))
    found = recall(memory, cues, expected=chosen, progress=work.progress).recovery_rate
    certificate, said = memory.certificate, describe(memory.map)
    assert certificate is not None  # `store` certifies
    assert found is not None  # `expected` was given
    size = int(np.prod(points.shape[1:]))
    numbers = {
        "n": len(points),
        "entries": size,
        "network": said.text,
        "parameters": said.parameters,
        "bytes": map_bytes(memory.map),
        "seconds": memory.written["seconds"],
        "loss": memory.written.get("loss"),
        "certified": certificate.num_attractors,
        "cues": len(cues),
        "recalled": float(found),
        "neighbor": max(float((nearest_neighbor(cues, points, rule=rule) == chosen).mean()) for rule in RULES),
        "content": content_bits(points),
    }
    return CellFound(numbers)


def _written(points: HostStates, settings: Mapping[str, Any], work: Work) -> Memory:
    if settings["writer"] == "trained":
        return write(points, {**settings, "mode": "edge"}, work)
    writer = Auto() if settings["writer"] == "default" else Constructed()
    return store(points, writer=writer, progress=work.progress, key=jr.key(settings["seed"]))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One memory for each writer and number."""
    shared = {"source": data_source("mnist"), "corruption": "gaussian:0.5"}
    found = list[Cell]()
    for writer, numbers in _NUMBERS[scale].items():
        own = network_settings({**_TRAINED[scale], "activation": "cosid"}, "edge") if writer == "trained" else {}
        for n in dict.fromkeys(limited({**shared, "n": number})["n"] for number in numbers):
            settings = {**shared, **own, "writer": writer, "n": n}
            found.append(cell("capacity", f"{writer}-{n}", run, settings, scale=scale, mode=mode, seed=seed))
    return found


def _lead(record: CellRecord) -> float:
    return record.numbers["recalled"] - record.numbers["neighbor"]


def summarize(records: Records) -> Summary:
    """Judges whether recall keeps up with the nearest neighbor, however many there are."""
    growth = ", ".join(
        f"n^{power:.2f} ({writer})"
        for writer, rows in _series(records).items()
        if (power := _power(rows, "seconds")) is not None
    )
    return judged(
        records,
        _lead,
        lambda record: _lead(record) >= -_WITHIN,
        lambda record: record.numbers["recalled"] > 0.5,
        (f"Seconds grow as {growth}. " if growth else "")
        + f"Reproduced where every memory recalls no more than {100 * _WITHIN:g} point less than the best "
        "nearest-neighbor rule, partly where one does, or recalls more than half.",
    )


def _series(records: Records) -> dict[str, list[Mapping[str, Any]]]:
    """The numbers of the finished cells by writer, in the order of n."""
    found: dict[str, list[Mapping[str, Any]]] = {writer: [] for writer in _COLORS}
    for record in records:
        if record.numbers:
            found[record.cell.settings["writer"]].append(record.numbers)
    return {writer: sorted(rows, key=lambda row: row["n"]) for writer, rows in found.items() if rows}


def _power(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The exponent of n by which a number grows, by least squares of logarithms; `None` for too few sizes."""
    if len(rows) < _LEAST_POINTS:
        return None
    return float(np.polyfit(np.log([row["n"] for row in rows]), np.log([row[name] for row in rows]), 1)[0])


def _bits(row: Mapping[str, Any]) -> float:
    return row["recalled"] * row["content"] / row["parameters"]


def draw(records: Records) -> Sequence[Drawing]:
    """Recall, bits per weight, seconds and bytes over n, with the laws of other memories."""
    found = _series(records)
    if not found:
        return ()
    figure, grid = plain_axes(3.6, 3.0, 4)
    panels: Sequence[tuple[str, Callable[[Mapping[str, Any]], float]]] = (
        ("fraction recalled", lambda row: row["recalled"]),
        ("bits per weight", _bits),
        ("seconds", lambda row: row["seconds"]),
        ("bytes", lambda row: row["bytes"]),
    )
    every = sorted({row["n"]: row for rows in found.values() for row in rows}.items())
    numbers, size = np.array([n for n, _ in every]), every[0][1]["entries"]
    for axes, (label, value) in zip(grid[0], panels, strict=True):
        for writer, rows in found.items():
            places = [row["n"] for row in rows]
            axes.plot(places, [value(row) for row in rows], "o-", color=_COLORS[writer], markersize=3, label=writer)
        axes.set(xlabel="examples", ylabel=label, xscale="log")
    recalled, bits, seconds, sizes = grid[0]
    content = [row["content"] / (n * size) for n, row in every]
    recalled.plot(numbers, [row["neighbor"] for _, row in every], ":", color=GRAY, label="1-NN")
    edge = _HOPFIELD * size
    recalled.plot(
        [numbers[0], edge, edge, numbers[-1]], [1, 1, 0, 0], "--", color=GRAY, label=f"Hopfield, {size} units"
    )
    recalled.set_ylim(-0.03, 1.05)
    bits.axhline(_HOPFIELD, linestyle="--", color=GRAY, label="Hopfield")
    bits.plot(numbers, content, "-.", color=GRAY, label="modern Hopfield")
    bits.axhline(0.5, linestyle=":", color=GRAY, label="Vector-HaSH, at most")
    bits.set_ylim(0, None)
    sizes.plot(numbers, 4 * (numbers / _HOPFIELD) ** 2, "--", color=GRAY, label="Hopfield")
    sizes.plot(numbers, 4 * numbers * size, "-.", color=GRAY, label="modern Hopfield")
    sizes.plot(numbers, 8 * numbers * size, ":", color=GRAY, label="Vector-HaSH")
    for axes in (seconds, sizes):
        axes.set_yscale("log")
    for axes in (recalled, bits, sizes):
        axes.legend(fontsize=6, frameon=False)
    return (Drawing(figure, _CAPTION.format(corruption=records[0].cell.settings["corruption"], size=size)),)


_CAPTION = (
    "From left to right: the fraction of up to 1,000 examples that come back from {corruption}, beside the best of the "
    "nearest-neighbor rules; the bits of all pictures as compressed by LZMA, times that fraction, over the number of "
    "weights and biases; seconds of storing, certificates included; bytes of the network. Gray: laws of other "
    "memories, for random patterns. A Hopfield network of N units recalls 0.138 N patterns of N bits, with N² weights. "
    "A modern Hopfield network holds the n·{size} numbers themselves, and can tell a number of patterns apart that is "
    "exponential in {size}. Vector-HaSH with H hidden units recalls up to H patterns of {size} bits, with about "
    "2·H·{size} weights: half a bit per weight. Of n > H patterns it recalls the fraction H/n of the bits."
)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every memory, and the fitted growth."""
    found = _series(records)
    rows = [
        (
            f"{row['n']:,}",
            writer,
            row["network"],
            f"{row['parameters']:,}",
            f"{row['bytes'] / 1e6:,.1f}",
            f"{row['seconds']:.1f}",
            f"{row['certified']:,}",
            f"{100 * row['recalled']:.1f}",
            f"{100 * row['neighbor']:.1f}",
            f"{_bits(row):.3f}",
        )
        for writer, some in found.items()
        for row in some
    ]
    if not rows:
        return ()
    head = (
        "n",
        "writer",
        "network",
        "parameters",
        "MB",
        "seconds",
        "certified",
        "recalled, %",
        "1-NN, %",
        "bits per weight",
    )
    powers = [
        (writer, *(told(_power(some, name), ".2f") for name in ("seconds", "bytes", "parameters")))
        for writer, some in found.items()
    ]
    return (
        PageTable("Every memory. The default writer trains up to 4,999 examples, and none beyond.", head, tuple(rows)),
        PageTable(
            "Exponents of n, by least squares of the logarithms over all rows of a writer.",
            ("writer", "seconds", "bytes", "parameters"),
            tuple(powers),
        ),
    )


EXPERIMENT = Experiment(
    id="capacity",
    title="How far storing goes",
    statement="However many examples there are, the memory recalls as many of them from noise as the best "
    "nearest-neighbor rule.",
    paper=None,
    unit="recalled beyond the best nearest-neighbor rule, fraction of the cues",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("attrax",),
    group="own",
    notes="A question of this project, not of the paper. “Trained” is the paper’s recipe at the largest stable rate, "
    "in a network of one size; “default” and “constructed” choose networks that grow with the number of examples. The "
    "laws in the figure are those of Amit, Gutfreund and Sompolinsky (Phys. Rev. Lett. 55, 1985) for Hopfield’s "
    "network, of Ramsauer et al. (ICLR 2021) for modern ones, and of Sharma, Chandra and Fiete (ICML 2022) and Chandra "
    "et al. (Nature 638, 2025) for Vector-HaSH, whose weights are counted from its construction.",
)
