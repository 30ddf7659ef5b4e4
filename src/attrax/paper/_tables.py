"""The networks of the paper's Figures 15 and 16: examples stored by activation and optimizer, or initialization."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax.random as jr
import numpy as np
import optax

from attrax import TrainingStatus
from attrax.analysis import wilson_interval
from attrax.extending import HostStates, Record, checks
from attrax.maps import MLP
from attrax.memory import Memory
from attrax.paper._experiment import LIMITS, Records, cell_seed, code_version
from attrax.paper._networks import EDGE, RECIPE, radii_at, recipe
from attrax.paper._paper_tables import ACTIVATIONS, PAPER, PaperRow
from attrax.paper._pictures import data_source, least_distance, pictures
from attrax.paper.sweeps import Cell, CellFound, CellStatus, Work
from attrax.patterns import Patterns
from attrax.training import fit, fit_at_edge, fit_many, optimizer
from attrax.writing import refine_and_certify

WANTED = "cifar10"
LOW_LOSS = 1e-2
"""The loss below which the paper's released example keeps the best network so far, before it stops at 1e-8."""

COUNTS = ("certified", "below_one", "below_one_low_loss")
"""What counts as stored: a certified attractor; a spectral radius below 1 at the example as given, which is the paper's
reading; the same, also for networks that did not reach the requested loss but one below `LOW_LOSS`."""

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "depth": 2, "width": 32, "epochs": 20_000, "seconds": 5, "dtype": "float32"},
    "quick": {"n": 25, "side": 16, "depth": 10, "width": 128, "epochs": 1_000_000, "seconds": 30, "dtype": "float32"},
    "tables": {
        "n": 25,
        "side": None,
        "depth": 10,
        "width": 128,
        "epochs": 1_000_000,
        "seconds": 225,
        "dtype": "float32",
    },
    "full": {
        "n": 100,
        "side": None,
        "depth": 10,
        "width": 1024,
        "epochs": 1_000_000,
        "seconds": 42 * 3600,
        "dtype": "float64",
    },
}
"""`seconds` are those of training, for all networks of a cell. `quick` is meant for 20 minutes on two cores, `tables`
for two and a half hours; `full` has the paper's numbers as far as they are known."""

_NETWORKS = {"smoke": 2, "quick": 2, "tables": 5, "full": 5}
_FASTER = {"quick": {"adam": 1e-3}}
"""Rates that replace the optimizer's default: without this one, hardly any network reaches its loss in time."""

_AT_EDGE: dict[str, dict[str, Any]] = {"smoke": {"epochs": 1500}}
"""What the mode `edge` has in place of `EDGE`; it has no time limit."""
_SLOWER = {"gd": 10, "momentum": 2, "momentum_decay": 2}
"""How many times as many epochs these optimizers have there: their loss falls more slowly."""

_LIKE_WIDTH = {"full": 1024}
"""A row U[−a, a] starts from a·√(like/width), so that signals in the hidden layers are as large as in a network of the
width `like`. The width behind the paper's rows is not known. From a = 0.15 its ReLU networks trained, whose signal
changes by a factor of a·√(width/6) per layer: that is 1 at 267 units, and 2 at 1024, which is eight hundredfold in ten
layers. So narrow networks start like one of width 256; `full` takes the rows as printed."""

_SMOKE = {"fig15": ("rmsprop", "adam"), "fig16": ("uniform:0.05", "pytorch")}
_SMOKE_COLUMNS = ("relu", "cosid")


def entry_settings(figure: str, scale: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The training settings of each entry of a table, by row and activation, without seeds.

    >>> found = entry_settings("fig16", "smoke")["uniform:0.05", "cosid"]
    >>> found["optimizer"], found["init"]
    ('adam', 'uniform:0.141421')
    """
    small = scale == "smoke"
    found = {}
    for row in _SMOKE[figure] if small else PAPER[figure]:
        for activation in _SMOKE_COLUMNS if small else ACTIVATIONS:
            rule = row if figure == "fig15" else "adam"
            found[row, activation] = {
                **_SIZES[scale],
                "activation": activation,
                "optimizer": rule,
                "rate": _FASTER.get(scale, {}).get(rule),
                "init": RECIPE["init"] if figure == "fig15" else _start(row, scale),
                "bias": RECIPE["bias"],
                "tol": RECIPE["tol"],
                "gray": True,
            }
    return found


def _start(row: str, scale: str) -> str:
    kind, colon, half_width = row.partition(":")
    if not colon:
        return kind
    like = _LIKE_WIDTH.get(scale, 256)
    return f"{kind}:{float(half_width) * math.sqrt(like / _SIZES[scale]['width']):.6g}"


def table_cells(figure: str, scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One cell for each row and activation; at the paper's size and at the edge, one for each seed, with its own
    checkpoint."""
    found, version, source = [], code_version(__name__), data_source(WANTED)
    at_edge = {**EDGE, "seconds": None, **_AT_EDGE.get(scale, {})}
    del at_edge["optimizer"]  # that of the row
    for (row, activation), settings in entry_settings(figure, scale).items():
        if mode == "edge":
            settings |= at_edge | {"epochs": at_edge["epochs"] * _SLOWER.get(settings["optimizer"], 1)}
        # The tables share a row, Adam with PyTorch's initialization: it is named after neither table and runs once.
        seeds = [cell_seed(seed, "tables", mode, number) for number in range(_NETWORKS[scale])]
        name = _name(row, activation)
        alone = scale == "full" or mode == "edge"
        parts = {f"{name}-{number}": [one] for number, one in enumerate(seeds)} if alone else {name: seeds}
        for part, own in parts.items():
            every = {**settings, "seeds": own, "mode": mode, "source": source}
            found.append(Cell(figure, part, f"{__name__}:run", every, version, LIMITS[scale]))
    return found


def _name(row: str, activation: str) -> str:
    return f"{row.replace(':', '-')}-{activation}"


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the networks of one cell, all seeds together, and counts what they store.

    Examples are certified at the refined fixed points nearest to them, and only if the loss was reached, because a
    network that sends everything to one point has small radii too. The numbers contain a trial for each seed: `loss`,
    `epochs` and `status` of its training; `certified`, examples that are certified attractors, `None` if not computed;
    `below_one`, examples as given at which the Jacobian has a spectral radius below 1 (the paper's reading), computed
    whatever the loss is; `largest_radius` of these; at the edge, `edge_rate`, the rate that was found.
    """
    examples, seeds = pictures(settings), settings["seeds"]
    networks = [recipe(settings)(examples.shape[1:], key=jr.key(seed)) for seed in seeds]
    at_edge = settings["rate"] == "edge"
    if at_edge or (len(seeds) == 1 and work.checkpoint is not None):
        train = _at_edge if at_edge else _alone
        found = [train(network, examples, settings, work) for network in networks]
    else:
        found = _together(networks, examples, settings, work)
    trials = []
    for seed, (network, loss, epochs, status, rate) in zip(seeds, found, strict=True):
        below_one, largest, certified = 0, float("nan"), None
        if status is not TrainingStatus.DIVERGED:
            radii = radii_at(network, examples)
            below_one, largest = int((radii < 1).sum()), float(np.max(radii))
        if status is TrainingStatus.REACHED:
            certificate = refine_and_certify(Memory(network, Patterns.from_examples(examples))).certificate
            assert certificate is not None  # `refine_and_certify` certifies
            certified = certificate.num_attractors
        trials.append(
            {
                "seed": seed,
                "loss": loss,
                "epochs": epochs,
                "status": str(status),
                "certified": certified,
                "below_one": below_one,
                "largest_radius": largest,
                **({"edge_rate": rate} if at_edge else {}),
            }
        )
    entry = Entry(settings, trials)
    numbers: dict[str, Any] = {"trained": entry.trained, "networks": len(trials)}
    for count in COUNTS:
        numbers[count], numbers[f"{count}_of"] = entry.stored(count)
    return CellFound(numbers | {"nearest": least_distance(examples), "trials": trials}, trained=entry.trained > 0)


_Trained = tuple[MLP, float, int, TrainingStatus, float | None]
"""A trained network, its loss, epochs and status, and the rate that was found, if it was to be found."""


def _together(networks: list[MLP], values: HostStates, settings: Mapping[str, Any], work: Work) -> list[_Trained]:
    rule = _rule(settings["optimizer"], settings["rate"])
    train = partial(fit_many, networks, values, values, optimizer=rule, tol=settings["tol"])
    epochs, seconds = settings["epochs"], settings["seconds"]
    if seconds is not None:
        train(epochs=min(epochs, 1))  # compiles first, so that the time limit covers only training
    found = train(epochs=epochs, seconds=seconds, progress=work.progress)
    return [
        (network, float(loss), int(epochs), status, None)
        for network, loss, epochs, status in zip(found.maps, found.loss, found.epochs, found.status, strict=True)
    ]


def _alone(network: MLP, values: HostStates, settings: Mapping[str, Any], work: Work) -> _Trained:
    """The same for one network, saved every few seconds; `fit` takes the same steps as `fit_many`."""
    name, rate = settings["optimizer"], settings["rate"]
    found = fit(
        network,
        values,
        values,
        optimizer=_rule(name, rate),
        tol=settings["tol"],
        epochs=settings["epochs"],
        seconds=settings["seconds"],
        checkpoint=work.checkpoint,
        resume=True,
        fingerprint=f"{name} {rate}",
        progress=work.progress,
        key=jr.key(0),
    )
    return found.map, found.loss, found.epochs, found.status, None


def _at_edge(network: MLP, values: HostStates, settings: Mapping[str, Any], work: Work) -> _Trained:
    """The same at the largest stable rate of its optimizer."""
    (seed,) = settings["seeds"]
    found = fit_at_edge(
        network,
        values,
        values,
        cycles=[[row] for row in range(len(values))],
        optimizer=settings["optimizer"],
        tol=settings["tol"],
        epochs=settings["epochs"],
        seconds=settings["seconds"],
        checkpoint=work.checkpoint,
        resume=work.checkpoint is not None,
        progress=work.progress,
        key=jr.key(seed),
    )
    return found.fit.map, found.fit.loss, found.fit.epochs, found.fit.status, found.rate


@cache
def _rule(name: str, rate: float | None) -> optax.GradientTransformation:
    """One object per setting, so that cells of one shape share compiled code."""
    return optimizer(name, learning_rate=rate)


@dataclass(frozen=True, slots=True, eq=False)
class Entry(Record):
    """One entry of a table: the results of its networks.

    **Fields:** `settings` of its cell, or of one of them; `trials`, the numbers of `run` for each network.
    """

    settings: Mapping[str, Any]
    trials: Sequence[Mapping[str, Any]]

    @property
    def trained(self) -> int:
        """How many of the networks reached the requested loss."""
        return sum(_reached(trial) for trial in self.trials)

    def stored(self, count: str = "certified") -> tuple[int, int]:
        """The number of stored examples over all networks that count, and the number of examples.

        Trained networks count; with `"below_one_low_loss"`, those whose loss is below `LOW_LOSS`. `count`: one of
        `COUNTS`.
        """
        checks.one_of("count", count, COUNTS)
        if count == "below_one_low_loss":
            found = [trial["below_one"] for trial in self.trials if real(trial["loss"]) < LOW_LOSS]
        else:
            found = [trial[count] for trial in self.trials if _reached(trial)]
        return sum(found), self.settings["n"] * len(found)

    def rate(self, count: str = "certified") -> float:
        """`stored` as a fraction; NaN if no network counts."""
        stored, total = self.stored(count)
        return stored / total if total else float("nan")

    def interval(self, count: str = "certified") -> tuple[float, float] | None:
        """Wilson's 95 % interval of that rate; `None` if no network counts.

        The examples of one network are treated as independent, which is not quite true, so it is somewhat too narrow.
        """
        stored, total = self.stored(count)
        return wilson_interval(stored, total) if total else None


def _reached(trial: Mapping[str, Any]) -> bool:
    return trial["status"] == TrainingStatus.REACHED


@dataclass(frozen=True, slots=True, eq=False)
class Table(Record):
    """A table like the paper's.

    **Fields:** `figure`, `"fig15"` or `"fig16"`; `rows`, names of optimizers or initializations, and `columns`, names
    of activations; `entries`, for each (row, column) that was run; `nearest`, the least distance of two examples.
    """

    figure: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: Mapping[tuple[str, str], Entry]
    nearest: float

    def grid(self, count: str = "certified") -> np.ndarray:
        """Rates, rows×columns; NaN if no network counts or the cell was not run."""
        found = np.full((len(self.rows), len(self.columns)), np.nan)
        for (row, column), entry in self.entries.items():
            found[self.rows.index(row), self.columns.index(column)] = entry.rate(count)
        return found

    def paper(self, row: str) -> PaperRow:
        """The paper's row of this name."""
        return PAPER[self.figure][row]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of one of its cells, for values that are the same in all."""
        return next(iter(self.entries.values())).settings

    @property
    def networks(self) -> int:
        """The maximum number of networks in an entry."""
        return max(len(entry.trials) for entry in self.entries.values())


def table_of(figure: str, records: Records) -> Table | None:
    """The table of these records, without those that failed; `None` if none has results.

    Networks of one entry that were trained in separate cells are combined.
    """
    entries: dict[tuple[str, str], Entry] = {}
    for record in records:
        if record.status is CellStatus.FAILED:
            continue
        settings = record.cell.settings
        # The row is taken from the name: initializations are scaled to the width, so the settings contain another
        # number. The name of a cell for a single seed ends with a number.
        names = {_name(row, settings["activation"]): row for row in PAPER[figure]}
        row = names.get(record.cell.name) or names[record.cell.name.rpartition("-")[0]]
        place = row, settings["activation"]
        trials = record.numbers.get("trials") or [{**_NOTHING, "seed": seed} for seed in settings["seeds"]]
        before = entries[place].trials if place in entries else ()
        entries[place] = Entry(settings, [*before, *trials])
    nearest = next((record.numbers["nearest"] for record in records if record.numbers), None)
    if nearest is None:
        return None
    rows = tuple(row for row in PAPER[figure] if any(row == key[0] for key in entries))
    columns = tuple(name for name in ACTIVATIONS if any(name == key[1] for key in entries))
    return Table(figure, rows, columns, entries, nearest)


_NOTHING = {
    "loss": None,
    "epochs": 0,
    "status": str(TrainingStatus.TIME_OVER),
    "certified": None,
    "below_one": 0,
    "largest_radius": None,
}
"""A network of a cell that ran out of time without results."""


def real(value: float | None) -> float:
    """A number of a trial; infinities and NaN, which JSON cannot hold, were stored as null."""
    return float("nan") if value is None else value
