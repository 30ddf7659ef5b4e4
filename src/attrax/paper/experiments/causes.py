"""Other explanations of attractors, switched on and off: a contracting start, weight decay, corrupted inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary, cell, extent, numeric, told
from attrax.paper._figures import BLUE, GRAY, VERMILION, plain_axes
from attrax.paper._networks import radii_at, recipe
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.experiments.edge import annealed
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, Work
from attrax.training import fit, optimizer

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "width": 16, "depth": 2, "epochs": 400},
    "quick": {"n": 20, "side": 16, "width": 64, "depth": 10, "epochs": 16_000},
    "tables": {"n": 25, "side": 16, "width": 128, "depth": 10, "epochs": 32_000},
    "full": {"n": 100, "side": 32, "width": 1024, "depth": 10, "epochs": 32_000},
}
_NETWORKS = {"smoke": 1, "quick": 3, "tables": 3, "full": 3}
_ACTIVATIONS = {"cosid": 0.02, "selu": 0.05}
"""Rate × width."""
_PLAIN = {"init": "pytorch", "weight_decay": 0.0, "noise": 0.0}
_WAYS: dict[str, dict[str, Any]] = {
    "adam": {"optimizer": "adam"},
    "adam-expanding": {"optimizer": "adam", "init": "xavier_uniform"},
    "adam-decay": {"optimizer": "adam", "weight_decay": 1e-5},
    "adam-noise": {"optimizer": "adam", "noise": 0.1},
    "rmsprop": {"optimizer": "rmsprop"},
    "rmsprop-expanding": {"optimizer": "rmsprop", "init": "xavier_uniform"},
}
"""PyTorch's initialization makes deep networks that contract everything to a point, Xavier's at this depth such that
expand."""
_MOVING = ("rmsprop", "rmsprop-expanding")
_LESS = 0.5


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network at a fixed rate, and measures its radii at the start and after an anneal."""
    examples = pictures(settings)
    key, rate = jr.key(settings["seed"]), settings["speed"] / settings["width"]
    network = recipe(settings)(examples.shape[1:], key=jr.fold_in(key, 1))
    found = fit(
        network,
        examples,
        examples,
        optimizer=optimizer(settings["optimizer"], learning_rate=rate, weight_decay=settings["weight_decay"]),
        epochs=settings["epochs"],
        tol=None,
        noise=settings["noise"],
        progress=work.progress,
        key=key,
    )
    cool = annealed(found.map, examples, rate, key)
    start, radii = radii_at(network, examples), radii_at(cool.map, examples)
    numbers = {
        "start": float(np.median(start)),
        "loss": found.loss,
        "annealed": cool.loss,
        "median": float(np.median(radii)),
        "largest": float(np.max(radii)),
        "below_one": int(np.sum(radii < 1)),
    }
    return CellFound(numbers, trained=bool(np.isfinite(cool.loss)))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """Every way for each activation and seed; the same seeds for all ways."""
    shared = limited({**_SIZES[scale], "source": data_source("cifar10"), "gray": True})
    shared |= {"bias": True, "dtype": "float32", **_PLAIN}
    return [
        cell(
            "causes",
            f"{activation}-{way}-{number}",
            run,
            {**shared, **own, "activation": activation, "speed": speed, "way": way},
            scale=scale,
            mode=mode,
            seed=seed,
            number=number,
        )
        for activation, speed in _ACTIVATIONS.items()
        for way, own in _WAYS.items()
        for number in range(_NETWORKS[scale])
    ]


def _radii(records: Records, activation: str, way: str) -> np.ndarray:
    """The median radii of all networks of a kind."""
    return np.array([numeric(record.numbers.get("median")) for record in records if _kind(record) == (activation, way)])


def _kind(record: CellRecord) -> tuple[str, str]:
    return record.cell.settings["activation"], record.cell.settings["way"]


def summarize(records: Records) -> Summary:
    """Judges whether the radii fall under RMSprop without any of the three."""
    rule = (
        f"Reproduced where RMSprop, from either start, ends at {_LESS:g} of the median radius of Adam in the same "
        "number of epochs from the usual start, or less, in every network; partly where it does from the usual start."
    )
    if not records or any(record.status is CellStatus.FAILED for record in records):
        return Summary(None, None, None, Outcome.UNFINISHED, rule)
    activations = dict.fromkeys(_kind(record)[0] for record in records)
    found = {(one, way): _radii(records, one, way) for one in activations for way in _WAYS}
    if any(not len(values) for values in found.values()):
        return Summary(None, None, None, Outcome.UNFINISHED, rule)
    shares = {way: max(float(np.max(found[one, way] / found[one, "adam"])) for one in activations) for way in _MOVING}
    usual, expanding = (shares[way] <= _LESS for way in _MOVING)
    outcome = Outcome.REPRODUCED if usual and expanding else Outcome.PARTLY if usual else Outcome.NOT
    told_all = "; ".join(f"{one}, {way}: {extent(list(values), '.2g')}" for (one, way), values in found.items())
    return Summary(max(shares.values()), None, None, outcome, f"Median radii: {told_all}. {rule}")


def draw(records: Records) -> Sequence[Drawing]:
    """The median radius of each network, by the way it was trained."""
    done = [record for record in records if record.numbers]
    if not done:
        return ()
    figure, ((axes,),) = plain_axes(6.0, 2.8)
    names = list(_WAYS)[::-1]
    for (activation, color), shift in zip(
        zip(_ACTIVATIONS, (BLUE, VERMILION), strict=True), (0.12, -0.12), strict=True
    ):
        of_it = [record for record in done if _kind(record)[0] == activation]
        values = [numeric(record.numbers["median"]) for record in of_it]
        places = [names.index(_kind(record)[1]) + shift for record in of_it]
        axes.semilogx(values, places, "o", color=color, markersize=4, label=activation)
    axes.axvline(1.0, color=GRAY, linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="median radius, one dot for each network")
    axes.legend(fontsize=8, frameon=False)
    settings = done[0].cell.settings
    size = f"{settings['depth']}×{settings['width']}"
    text = (
        f"{size}, {settings['n']} gray pictures of {settings['side']}×{settings['side']}, as many epochs in every way."
    )
    return (Drawing(figure, f"{text} {data_note('cifar10', settings['source'])}"),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every network."""
    forms = {"start": ".3g", "loss": ".1e", "annealed": ".1e", "median": ".3g", "largest": ".3g", "below_one": "g"}
    rows = [
        (record.cell.name, *(told(record.numbers[name], form) for name, form in forms.items()))
        for record in records
        if record.numbers
    ]
    head = ("network", "median radius at the start", "loss", "loss after the anneal", "median radius", "largest")
    caption = "Equal numbers of epochs, and the same rate for all networks of one activation."
    return [PageTable(caption, (*head, "below 1"), tuple(rows))] if rows else []


EXPERIMENT = Experiment(
    id="causes",
    title="Other explanations: start, weight decay, corrupted inputs",
    statement="Radii fall at the largest stable rate without a contracting start, without weight decay, and without "
    "corrupted inputs.",
    paper=None,
    unit="median radius over that of Adam, the largest with RMSprop",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    group="own",
    notes="A question of this project, not of the paper. Fumero et al. (Navigating the latent space dynamics of neural "
    "models, 2025) trace attractors of autoencoders to these three. Decay is 1e-5 times the weights, added to the "
    "gradient; the noise on the inputs has σ = 0.1.",
)
