"""How spectral radii fall while training goes on at a fixed rate: by rate, epochs, width and depth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import jax.random as jr
import numpy as np

from attrax.extending import Record
from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary, cell, told
from attrax.paper._figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, plain_axes
from attrax.paper._networks import radii_at, recipe
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, Work
from attrax.training import fit, optimizer

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "epochs": [100, 200, 400]},
    "quick": {"n": 20, "side": 16, "epochs": [500, 1000, 2000, 4000, 8000]},
    "tables": {"n": 25, "side": 16, "epochs": [500, 1000, 2000, 4000, 8000, 16_000]},
    "full": {"n": 100, "side": 32, "epochs": [500, 1000, 2000, 4000, 8000, 16_000, 32_000]},
}
_GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "smoke": {
        "optimizer": ("rmsprop",),
        "activation": ("cosid",),
        "speed": (0.05, 0.1),
        "size": ((24, 2), (32, 2)),
        "held": ((28, 2),),
        "number": (0,),
    },
    "quick": {
        "optimizer": ("rmsprop", "adam"),
        "activation": ("cosid", "selu"),
        "speed": (0.025, 0.05, 0.1),
        "size": ((64, 5), (64, 10), (128, 5), (128, 10), (256, 5), (256, 10)),
        "held": ((180, 7),),
        "number": (0,),
    },
    "tables": {
        "optimizer": ("rmsprop", "adam"),
        "activation": ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid"),
        "speed": (0.0125, 0.025, 0.05, 0.1),
        "size": tuple(product((64, 128, 256, 512), (3, 10, 20))),
        "held": ((180, 7), (360, 14)),
        "number": (0, 1, 2),
    },
    "full": {
        "optimizer": ("rmsprop", "adam"),
        "activation": ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid"),
        "speed": (0.0125, 0.025, 0.05, 0.1),
        "size": tuple(product((64, 128, 256, 512, 1024), (3, 10, 20))),
        "held": ((180, 7), (360, 14), (720, 10)),
        "number": (0, 1, 2),
    },
}
"""`speed` is the rate times the width; `size` are widths and depths of the networks that the formula is fitted to,
`held` those of the networks that it has to predict, which have seeds of their own."""
_LOW = 1e-2
"""Radii count where the loss is below this share of that of a constant map, whose radii are small as well."""
_TERMS = ("rate × width", "epochs", "width", "depth")
_WITHIN, _MOST, _HALF = 2.0, 0.9, 0.5
_COLORS = (BLUE, VERMILION, GREEN, ORANGE, GRAY)


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network at a fixed rate, and measures loss and radii after each number of epochs."""
    examples = pictures(settings)
    key = jr.key(settings["seed"])
    network = recipe(settings)(examples.shape[1:], key=jr.fold_in(key, 1))
    rule, state = optimizer(settings["optimizer"], learning_rate=settings["speed"] / settings["width"]), None
    done, rows = 0, list[list[float]]()
    for total in settings["epochs"]:
        found = fit(
            network,
            examples,
            examples,
            optimizer=rule,
            optimizer_state=state,
            epochs=total - done,
            tol=None,
            progress=work.progress,
            key=key,
        )
        network, state, done = found.map, found.optimizer_state, total
        radii = radii_at(network, examples)
        rows.append([done, found.loss, float(np.median(radii)), float(np.max(radii)), int(np.sum(radii < 1))])
        if not np.isfinite(found.loss):
            break
    constant = float(np.var(examples, axis=0, dtype=float).mean())
    numbers = {"rate": settings["speed"] / settings["width"], "constant": constant, "rows": rows}
    return CellFound(numbers, trained=any(row[1] <= _LOW * constant for row in rows))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network for each optimizer, activation, rate, size and repetition."""
    grid = _GRIDS[scale]
    shared = limited({**_SIZES[scale], "source": data_source("cifar10"), "gray": True})
    shared |= {"init": "pytorch", "bias": True, "dtype": "float32"}
    sizes = [(size, held) for held in (False, True) for size in grid["held" if held else "size"]]
    names = ("optimizer", "activation", "speed")
    return [
        cell(
            "edge",
            f"{rule}-{activation}-{depth}x{width}-{speed:g}-{number}",
            run,
            {**shared, **dict(zip(names, (rule, activation, speed), strict=True)), "width": width, "depth": depth}
            | {"held": held},
            scale=scale,
            mode=mode,
            seed=seed,
            number=number + 1000 * held,
        )
        for rule, activation, speed in product(*(grid[name] for name in names))
        for (width, depth), held in sizes
        for number in grid["number"]
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Law(Record):
    """log₁₀ of the median radius, as a constant for each optimizer and activation plus powers of `_TERMS`.

    **Fields:** `kinds`; `constants`, one for each; `powers`; `measured` and `predicted`, of the networks held back;
    `factor`, the root mean square error of the fit, as a factor.
    """

    kinds: tuple[str, ...]
    constants: np.ndarray
    powers: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray
    factor: float

    @property
    def within(self) -> float:
        """The fraction of the predictions within a factor of two."""
        return float(np.mean(np.abs(self.measured - self.predicted) <= np.log10(_WITHIN)))


def law(records: Records) -> Law | None:
    """Fits the formula by least squares; `None` where there is too little to fit it to, or nothing to predict."""
    points = [point for record in records for point in _points(record)]
    kinds = tuple(dict.fromkeys(kind for kind, held, _, _ in points if not held))
    points = [point for point in points if point[0] in kinds]
    design = np.array([[*(kind == one for one in kinds), *terms] for kind, _, terms, _ in points], float)
    values = np.array([value for _, _, _, value in points], float)
    held = np.array([held for _, held, _, _ in points], bool)
    if not held.any() or (~held).sum() <= len(kinds) + len(_TERMS):
        return None
    found = np.linalg.lstsq(design[~held], values[~held], rcond=None)[0]
    error = float(np.sqrt(np.mean((design[~held] @ found - values[~held]) ** 2)))
    return Law(kinds, found[: len(kinds)], found[len(kinds) :], values[held], design[held] @ found, float(10**error))


def _points(record: CellRecord) -> list[tuple[str, bool, list[float], float]]:
    """Kind, whether it is held back, logarithms of the terms, and of the median radius, where the loss is low."""
    settings, numbers = record.cell.settings, record.numbers
    kind = f"{settings['optimizer']}, {settings['activation']}"
    found = []
    for epochs, loss, median, *_ in numbers.get("rows", ()):
        if None not in (loss, median) and loss <= _LOW * numbers["constant"] and median > 0:
            terms = np.log10([settings["speed"], epochs, settings["width"], settings["depth"]]).tolist()
            found.append((kind, settings["held"], terms, float(np.log10(median))))
    return found


def summarize(records: Records) -> Summary:
    """Judges whether the formula predicts the radii of networks that it was not fitted to."""
    rule = (
        f"Reproduced where it predicts the median radius within a factor of {_WITHIN:g} in {100 * _MOST:.0f} % of the "
        f"measurements held back, partly where in {100 * _HALF:.0f} %."
    )
    if any(record.status is CellStatus.FAILED for record in records) or not records:
        return Summary(None, None, None, Outcome.UNFINISHED, rule)
    found = law(records)
    if found is None:
        return Summary(None, None, None, Outcome.INCONCLUSIVE, f"There is too little to fit it to. {rule}")
    powers = ", ".join(f"{name} to the {power:+.2f}" for name, power in zip(_TERMS, found.powers, strict=True))
    low, high = 10 ** found.measured.min(), 10 ** found.measured.max()
    text = (
        f"The median radius goes as {powers}; the fit is off by a factor of {found.factor:.2f} (root mean square). "
        f"The {len(found.measured)} measurements held back have medians from {low:.2g} to {high:.2g}, and "
        f"{np.mean(found.measured < np.log10(0.3)):.0%} of them are below .3. {rule}"
    )
    outcome = Outcome.REPRODUCED if found.within >= _MOST else Outcome.PARTLY if found.within >= _HALF else Outcome.NOT
    return Summary(found.within, None, None, outcome, text)


def draw(records: Records) -> Sequence[Drawing]:
    """Median radii on the way, and the predictions beside the measurements."""
    points = [(record, _points(record)) for record in records]
    if not any(rows for _, rows in points):
        return ()
    figure, grid = plain_axes(4.6, 3.6, 2)
    colors: dict[str, str] = {}
    for _, rows in points:
        for kind, *_ in rows[:1]:
            color = colors.setdefault(kind, _COLORS[len(colors) % len(_COLORS)])
            moved, radii = zip(*((10 ** (terms[0] + terms[1]), 10**value) for _, _, terms, value in rows), strict=True)
            grid[0, 0].loglog(moved, radii, ".-", color=color, linewidth=0.7, markersize=4)
    for kind, color in colors.items():
        grid[0, 0].plot([], [], ".-", color=color, label=kind)
    grid[0, 0].legend(fontsize=8, frameon=False)
    grid[0, 0].set(xlabel="rate × width × epochs", ylabel="median radius")
    found = law(records)
    if found is not None:
        ends = 10 ** np.array([min(found.measured.min(), found.predicted.min()), 0.3])
        for factor, style in ((1, "-"), (_WITHIN, ":"), (1 / _WITHIN, ":")):
            grid[0, 1].loglog(ends, factor * ends, style, color=GRAY, linewidth=0.8)
        grid[0, 1].loglog(10**found.predicted, 10**found.measured, "o", color=BLUE, markersize=4)
    grid[0, 1].set(xlabel="predicted", ylabel="measured, networks held back")
    settings = records[0].cell.settings
    note = data_note("cifar10", settings["source"])
    return (Drawing(figure, f"{settings['n']} gray pictures of {settings['side']}×{settings['side']}. {note}"),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The formula, and every measurement."""
    found, tables = law(records), list[PageTable]()
    if found is not None:
        rows = [
            (f"constant, {kind}", f"{value:+.3f}") for kind, value in zip(found.kinds, found.constants, strict=True)
        ]
        rows += [(f"power of {name}", f"{value:+.3f}") for name, value in zip(_TERMS, found.powers, strict=True)]
        tables.append(PageTable("log₁₀ of the median radius, by least squares.", ("term", "value"), tuple(rows)))
    rows = [
        (record.cell.name, "yes" if record.cell.settings["held"] else "", *_texts(record, row))
        for record in records
        for row in record.numbers.get("rows", ())
    ]
    head = ("network", "held back", "rate", "epochs", "loss", "median radius", "largest", "below 1")
    caption = "Radii at the examples as given, after each number of epochs at the rate."
    return [*tables, PageTable(caption, head, tuple(rows))] if rows else tables


def _texts(record: CellRecord, row: Sequence[Any]) -> tuple[str, ...]:
    epochs, loss, median, largest, below = row
    rate = told(record.numbers["rate"])
    return rate, str(epochs), told(loss, ".1e"), told(median, ".3g"), told(largest, ".3g"), str(below)


EXPERIMENT = Experiment(
    id="edge",
    title="The law: radii against rate and epochs",
    statement="While training goes on at a fixed rate, the spectral radii at the examples fall as powers of rate, "
    "epochs, width and depth.",
    paper=None,
    unit="fraction of the predictions within a factor of two",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    group="own",
    notes="A question of this project, not of the paper. The networks are trained as in the paper, with more rates.",
)
