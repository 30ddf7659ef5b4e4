"""What makes radii fall: a network that Adam has trained goes on in several ways, at one rate."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.random as jr
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from attrax.extending import HostStates
from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary, cell, extent, numeric, told
from attrax.paper._figures import BLUE, GRAY, plain_axes
from attrax.paper._networks import radii_at, recipe
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper._sharpness import sharpness
from attrax.paper.experiments.edge import annealed
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellStatus, Work
from attrax.training import Fit, fit, optimizer

_SCALES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "width": 16, "depth": 2, "steps": 320},
    "quick": {"n": 20, "side": 16, "width": 64, "depth": 10, "steps": 6400},
    "tables": {"n": 25, "side": 16, "width": 128, "depth": 10, "steps": 16_000},
    "full": {"n": 100, "side": 32, "width": 1024, "depth": 10, "steps": 64_000},
}
_NETWORKS = {
    "smoke": (("cosid", 0.02, 1),),
    "quick": (("cosid", 0.02, 3),),
    "tables": (("cosid", 0.02, 3), ("selu", 0.05, 3)),
    "full": (("cosid", 0.02, 3), ("selu", 0.05, 3)),
}
"""Activation, rate × width, and the number of seeds."""
_BATCHES = 4
"""Mini-batches of an epoch."""
_COPIES, _LABELS = 32, 0.1
"""Noise on the targets: so many copies of the examples, each with noise of this share of their standard deviation that
is zero on average over the copies. A step takes as many of all of them as there are examples."""
_EARLY = 8
"""RMSprop annealed early has this part of the steps; Adam makes the others."""
_PLAIN, _FULL = 2.0, 38.0
"""Preconditioned sharpness times rate above which a quadratic loss is unstable: 2 without a first moment, and
2 (1 + β₁)/(1 − β₁) with Adam's β₁ = .9 (Cohen et al., Adaptive gradient methods at the edge of stability, 2022)."""
_MOVING = ("noise on the weights", "mini-batches", "noise on the targets")
"""The ways that keep a network moving that Adam has trained."""
_LESS = 0.5


class _Way(NamedTuple):
    """How training goes on: an optimizer, its state, the limit of its sharpness, and steps on data in batches."""

    rule: optax.GradientTransformation
    state: Any
    limit: float
    inputs: HostStates
    targets: HostStates
    batch: int | None = None


def _ways(start: Fit[Any], examples: HostStates, rate: float, key: PRNGKeyArray) -> dict[str, _Way]:
    adam, rmsprop = (optimizer(name, learning_rate=rate) for name in ("adam", "rmsprop"))
    before, n = start.optimizer_state, len(examples)
    noise = optax.add_noise(rate**2, 0.0, key=jr.fold_in(key, 2))
    bare = optax.chain(optax.scale_by_adam(b1=0.0), optax.scale_by_learning_rate(rate))
    draws = np.array(jr.normal(jr.fold_in(key, 3), (_COPIES, *examples.shape)))
    noisy = examples + _LABELS * np.std(examples) * (draws - draws.mean(axis=0))
    copies = np.broadcast_to(examples, noisy.shape).reshape(-1, *examples.shape[1:])
    weights = _Way(optax.chain(adam, noise), (before, noise.init(())), _FULL, examples, examples)
    return {
        "Adam": _Way(adam, before, _FULL, examples, examples),
        "noise on the weights": weights,
        "mini-batches": _Way(adam, before, _FULL, examples, examples, max(1, n // _BATCHES)),
        "noise on the targets": _Way(adam, before, _FULL, copies, noisy.reshape(copies.shape), n),
        "Adam without its first moment": _Way(bare, None, _PLAIN, examples, examples),
        "RMSprop": _Way(rmsprop, None, _PLAIN, examples, examples),
    }


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network by Adam, goes on from there in each of the ways, and measures before and after."""
    examples = pictures(settings)
    key, rate, steps = jr.key(settings["seed"]), settings["speed"] / settings["width"], settings["steps"]
    network = recipe(settings)(examples.shape[1:], key=jr.fold_in(key, 1))

    def train(map: Any, way: _Way, steps: int) -> Fit[Any]:
        each = -(-len(way.inputs) // (way.batch or len(way.inputs)))
        return fit(
            map,
            way.inputs,
            way.targets,
            optimizer=way.rule,
            optimizer_state=way.state,
            epochs=max(1, steps // each),
            tol=None,
            batch=way.batch,
            progress=work.progress,
            key=key,
        )

    rows = list[list[Any]]()

    def measure(name: str, found: Fit[Any], limit: float) -> None:
        cool = annealed(found.map, examples, rate, key)
        moving, radii = radii_at(found.map, examples), radii_at(cool.map, examples)
        sharp = sharpness(found.map, examples, found.optimizer_state, key=jr.fold_in(key, 4))
        row = [name, found.loss, float(np.median(moving)), cool.loss, float(np.median(radii)), float(np.max(radii))]
        rows.append([*row, int(np.sum(radii < 1)), rate * sharp / limit])

    adam = _Way(optimizer("adam", learning_rate=rate), None, _FULL, examples, examples)
    start = train(network, adam, steps)
    measure("the start of all", start, _FULL)
    for name, way in _ways(start, examples, rate, key).items():
        measure(name, train(start.map, way, steps), way.limit)
        if name == "RMSprop":
            early = train(start.map, way, steps // _EARLY)
            measure("RMSprop, then Adam", train(early.map, adam, steps - steps // _EARLY), _FULL)
    return CellFound({"rate": rate, "rows": rows}, trained=all(np.isfinite(row[3]) for row in rows))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network for each activation and seed."""
    shared = limited({**_SCALES[scale], "source": data_source("cifar10"), "gray": True})
    shared |= {"init": "pytorch", "bias": True, "dtype": "float32"}
    return [
        cell(
            "motion",
            f"{activation}-{number}",
            run,
            {**shared, "activation": activation, "speed": speed},
            scale=scale,
            mode=mode,
            seed=seed,
            number=number,
        )
        for activation, speed, count in _NETWORKS[scale]
        for number in range(count)
    ]


def _medians(records: Records) -> dict[str, list[float]]:
    """The median radii after the anneal, for each way those of all networks; NaN where a network has none."""
    names = dict.fromkeys(row[0] for record in records for row in record.numbers.get("rows", ()))
    return {
        name: [numeric(row[4]) for record in records for row in record.numbers.get("rows", ()) if row[0] == name]
        for name in names
    }


def summarize(records: Records) -> Summary:
    """Judges whether each kind of motion makes the radii fall."""
    rule = (
        f"Reproduced where the median radius ends at {_LESS:g} of that of Adam kept on, or less, in every network and "
        f"with each of {', '.join(_MOVING)}; partly where it does in every network with one of them."
    )
    if not records or any(record.status is CellStatus.FAILED for record in records):
        return Summary(None, None, None, Outcome.UNFINISHED, rule)
    found = _medians(records)
    still = np.array(found["Adam"])
    shares = {name: np.array(found[name]) / still for name in _MOVING}
    whole = [bool(np.all(share <= _LESS)) for share in shares.values()]
    outcome = Outcome.REPRODUCED if all(whole) else Outcome.PARTLY if any(whole) else Outcome.NOT
    told_all = "; ".join(f"{name} {extent(list(values), '.2g')}" for name, values in found.items())
    here = [float(np.median(share)) for share in shares.values()]
    return Summary(max(here), None, None, outcome, f"Median radii of {len(records)} networks: {told_all}. {rule}")


def draw(records: Records) -> Sequence[Drawing]:
    """The median radius of each network after each way of going on."""
    found = _medians(records)
    if not found:
        return ()
    figure, ((axes,),) = plain_axes(6.4, 3.2)
    names = list(found)[::-1]
    for place, name in enumerate(names):
        values = [value for value in found[name] if value > 0]
        axes.semilogx(values, [place] * len(values), "o", color=BLUE, markersize=5)
    axes.axvline(1.0, color=GRAY, linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="median radius, one dot for each network")
    settings = records[0].cell.settings
    note = data_note("cifar10", settings["source"])
    size = f"{settings['depth']}×{settings['width']}"
    text = f"{size}, {settings['n']} gray pictures of {settings['side']}×{settings['side']}. {note}"
    return (Drawing(figure, text),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every measurement."""
    forms = (".1e", ".3g", ".1e", ".3g", ".3g", "g", ".2f")
    rows = [
        (record.cell.name, name, *(told(value, form) for value, form in zip(numbers, forms, strict=True)))
        for record in records
        for name, *numbers in record.numbers.get("rows", ())
    ]
    head = ("network", "way", "loss", "median radius", "loss after the anneal", "median radius", "largest", "below 1")
    caption = (
        "Equal numbers of steps at one rate. Sharpness: the largest eigenvalue of the loss's Hessian as the optimizer "
        "scales it, times the rate, over the limit of a stable step: 2 without a first moment, 38 with Adam's."
    )
    return [PageTable(caption, (*head, "sharpness"), tuple(rows))] if rows else []


EXPERIMENT = Experiment(
    id="motion",
    title="What makes radii fall: motion, or the limit of sharpness",
    statement="A network that Adam has trained moves on where noise, mini-batches or RMSprop keep it moving, and with "
    "each of them its spectral radii fall.",
    paper=None,
    unit="median radius over that of Adam kept on, the largest of three kinds of motion",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    group="own",
    notes="A question of this project, not of the paper. All ways start from the same weights and have the same rate; "
    "the noise on the weights has the size of a step. A radius is that after a short anneal.",
)
