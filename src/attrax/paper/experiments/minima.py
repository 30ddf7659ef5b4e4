"""Why networks store that are trained with large steps: the bound that a stable step puts on the Jacobian."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary, cell, numeric, told
from attrax.paper._figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, plain_axes
from attrax.paper._networks import radii_at, recipe
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper._sharpness import sharpness
from attrax.paper._smoothness import jacobian_norms, largest_stable_norms
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, Work
from attrax.training import fit, optimizer

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "epochs": [100, 400], "apart": 5, "networks": 1},
    "quick": {"n": 20, "side": 16, "epochs": [400, 1000, 2000, 4000, 8000, 16_000], "apart": 50, "networks": 3},
    "tables": {"n": 50, "side": 16, "epochs": [1000, 2000, 4000, 8000, 16_000, 32_000], "apart": 50, "networks": 5},
    "full": {"n": 100, "side": 32, "epochs": [1000, 2000, 4000, 8000, 16_000, 32_000], "apart": 50, "networks": 5},
}
_WIDTHS = {"smoke": (16, 16), "quick": (64, 128), "tables": (128, 256), "full": (512, 1024)}
_KINDS = {
    "rmsprop-cosid": ("rmsprop", "cosid", 10, 0, 0.02),
    "rmsprop-cosid-wide": ("rmsprop", "cosid", 6, 1, 0.02),
    "rmsprop-selu": ("rmsprop", "selu", 10, 0, 0.02),
    "adam-cosid": ("adam", "cosid", 10, 0, 0.02),
    "gd-selu": ("gd", "selu", 3, 0, None),
}
"""Optimizer, activation, depth, which of the two widths, and rate × width. Without it the rate is `_PLAIN`."""
_PLAIN = 0.3
"""The rate of gradient descent, not far below its largest stable one."""
_INSTANTS = 5
"""A measurement is the median of so many, as all numbers go up and down with the loss."""
_LIMITS = {"rmsprop": 2.0, "gd": 2.0, "adam": 38.0}
"""Sharpness times rate above which a quadratic loss is unstable: 2 without a first moment, and 2 (1 + β₁)/(1 − β₁) with
Adam's β₁ = .9 (Cohen et al., Adaptive gradient methods at the edge of stability, 2022)."""
_AT_EDGE = 0.8
"""A network is at the edge from this share of the limit on."""
_SPREAD, _SPAN, _FACTOR = 3.0, 10.0, 15.0
"""Over all measurements at the edge, the bound over the norm may differ by so many times, where the norms differ by at
least so many times; and it is nowhere larger than the last number."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network at a fixed rate, and measures norms, their bounds and radii after each number of epochs."""
    examples = pictures(settings).astype(np.float32)
    key, name = jr.key(settings["seed"]), settings["optimizer"]
    rate = _PLAIN if settings["speed"] is None else settings["speed"] / settings["width"]
    limit = _LIMITS[name] / rate
    network = recipe(settings)(examples.shape[1:], key=jr.fold_in(key, 1))
    rule, state, done, rows = optimizer(name, learning_rate=rate), None, 0, list[list[float]]()
    for total in settings["epochs"]:
        instants = []
        for until in range(total - (_INSTANTS - 1) * settings["apart"], total + 1, settings["apart"]):
            found = fit(
                network,
                examples,
                examples,
                optimizer=rule,
                optimizer_state=state,
                epochs=until - done,
                tol=None,
                progress=work.progress,
                key=key,
            )
            network, state, done = found.map, found.optimizer_state, until
            if not np.isfinite(found.loss):
                return CellFound({"rate": rate, "rows": rows}, trained=False)
            share = sharpness(network, examples, state, key=jr.fold_in(key, 2)) / limit
            norms = jacobian_norms(network, examples)
            bounds = largest_stable_norms(network, examples, state, limit)
            typical = [
                float(np.median(values)) for values in (radii_at(network, examples), norms, bounds, bounds / norms)
            ]
            instants.append([found.loss, share, *typical, float(np.min(bounds / norms))])
        rows.append([total, *map(float, np.median(instants, axis=0)[:-1]), min(instant[-1] for instant in instants)])
    return CellFound({"rate": rate, "rows": rows}, trained=True)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """Some networks of each kind."""
    size = {name: value for name, value in _SIZES[scale].items() if name != "networks"}
    shared = limited({**size, "source": data_source("cifar10"), "gray": True})
    shared |= {"init": "pytorch", "bias": True, "dtype": "float32"}
    found = list[Cell]()
    for kind, (rule, activation, depth, wide, speed) in _KINDS.items():
        own = {"optimizer": rule, "activation": activation, "depth": depth, "width": _WIDTHS[scale][wide]}
        settings = {**shared, **own, "speed": speed, "kind": kind}
        for number in range(_SIZES[scale]["networks"]):
            place = {"scale": scale, "mode": mode, "seed": seed, "number": number}
            found.append(cell("minima", f"{kind}-{number}", run, settings, **place))
    return found


def _edge_rows(records: Records) -> list[list[float]]:
    """The measurements of networks at the edge."""
    rows = (list(map(numeric, row)) for record in records for row in record.numbers.get("rows", ()))
    return [row for row in rows if row[2] >= _AT_EDGE]


def summarize(records: Records) -> Summary:
    """Judges whether the bound explains the norms: it holds, and it is the same number of times as large."""
    rule = (
        f"At the edge is a sharpness of at least {_AT_EDGE:g} of its limit. Reproduced where there the median of "
        f"bound over norm is nowhere above {_FACTOR:g} and differs by at most {_SPREAD:g} times over all networks "
        f"and epochs, while the norms differ by at least {_SPAN:g} times, and no norm of an example exceeds its bound; "
        "partly where no norm exceeds its bound."
    )
    if not records or any(record.status is CellStatus.FAILED for record in records):
        return Summary(None, None, None, Outcome.UNFINISHED, rule)
    rows = np.array(_edge_rows(records)).reshape(-1, 8)
    if not len(rows):
        return Summary(None, None, None, Outcome.INCONCLUSIVE, f"No network was at the edge. {rule}")
    norms, factors = rows[:, 4], rows[:, 6]
    low, here, high = (float(value) for value in np.quantile(factors, [0.0, 0.5, 1.0]))
    span = float(norms.max() / norms.min())
    holds = bool(rows[:, 7].min() >= 1)
    explains = high <= _FACTOR and high <= _SPREAD * low and span >= _SPAN
    outcome = Outcome.NOT if not holds else Outcome.REPRODUCED if explains else Outcome.PARTLY
    text = (
        f"{len(rows)} measurements at the edge: the bound is {low:.3g} to {high:.3g} times the norm, the norms are "
        f"{norms.min():.3g} to {norms.max():.3g}. {rule}"
    )
    return Summary(here, low, high, outcome, text)


def draw(records: Records) -> Sequence[Drawing]:
    """Bound against norm for each measurement at the edge."""
    rows = {kind: np.array(_edge_rows([one for one in records if _kind(one) == kind])) for kind in _KINDS}
    rows = {kind: found for kind, found in rows.items() if len(found)}
    if not rows:
        return ()
    figure, ((axes,),) = plain_axes(5.0, 3.6)
    colors = dict(zip(_KINDS, (BLUE, "black", GREEN, ORANGE, VERMILION), strict=True))
    for kind, found in rows.items():
        axes.loglog(found[:, 4], found[:, 5], "o", color=colors[kind], markersize=4, label=kind)
    ends = np.array(
        [min(found[:, 4].min() for found in rows.values()), max(found[:, 4].max() for found in rows.values())]
    )
    axes.loglog(ends, ends, color=GRAY, linewidth=0.8)
    axes.set(xlabel="Jacobian norm, median of the examples", ylabel="what a stable step allows")
    axes.legend(fontsize=8, frameon=False)
    settings = records[0].cell.settings
    text = f"{settings['n']} gray pictures of {settings['side']}×{settings['side']}; on the gray line both are equal."
    return (Drawing(figure, f"{text} {data_note('cifar10', settings['source'])}"),)


def _kind(record: CellRecord) -> str:
    return record.cell.settings["kind"]


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every measurement."""
    forms = ("g", ".1e", ".2f", ".3g", ".3g", ".3g", ".1f", ".1f")
    rows = [
        (record.cell.name, *(told(value, form) for value, form in zip(numbers, forms, strict=True)))
        for record in records
        for numbers in record.numbers.get("rows", ())
    ]
    head = ("network", "epochs", "loss", "sharpness", "median radius", "median norm", "median bound", "bound / norm")
    caption = (
        "Sharpness: the largest eigenvalue of the loss's Hessian as the optimizer scales it, times the rate, over the "
        "limit of a stable step: 2 without a first moment, 38 with Adam's. The norm is the largest singular value of "
        f"the Jacobian; its bound is the one at the limit. Medians of {_INSTANTS} instants; the last column is the "
        "least of all examples at all instants."
    )
    return [PageTable(caption, (*head, "least of all"), tuple(rows))] if rows else []


EXPERIMENT = Experiment(
    id="minima",
    title="Why networks store: stable steps need smooth networks",
    statement="With steps of a given size, training is stable only where the Jacobian at the examples is small: the "
    "bound that follows explains its norm up to one factor, whatever the optimizer.",
    paper=None,
    unit="bound over Jacobian norm, median of the measurements",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    group="own",
    notes="A question of this project, not of the paper. The networks are trained as in the paper, with larger rates. "
    "Kinds, rates and the rule were set after one network of each kind with another seed had been seen. In a first run "
    "each measurement had one instant; the bound was 17 to 54 times the norm in four of 83 at the edge, and 5 to 11 "
    "times in the others.",
)
