"""The paper's Figures 15 and 16: how many examples are stored, by activation and optimizer, or initialization."""

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from types import MappingProxyType

import jax.random as jr
import numpy as np
import optax

from attrax._base import checks
from attrax._base.status import StoreStatus, TrainingStatus
from attrax._base.types import HostStates, Progress
from attrax.analysis import wilson_interval
from attrax.maps import MLP, mlp
from attrax.memory import Memory
from attrax.paper.experiments._common import StudyData, radii_at, study_data
from attrax.paper.experiments._paper_tables import ACTIVATIONS, PAPER, PaperRow
from attrax.patterns import Patterns
from attrax.training import fit, fit_many, optimizer
from attrax.writing import settle


@dataclass(frozen=True, slots=True)
class TableCell:
    """The setting of one cell, and all that decides its numbers.

    **Fields:** `activation`; `optimizer`; `init`; `n` examples; `depth` and `width`; `seeds`, a network each; `epochs`
    and `seconds` of training at most, the latter for all seeds; `tol`, the loss that counts as trained; `dtype` of
    training; `side` of the pictures, `None` for their own; `rate` of learning, `None` for the optimizer's default in
    `attrax.training.OPTIMIZERS`.
    """

    activation: str
    optimizer: str = "adam"
    init: str = "pytorch"
    n: int = 100
    depth: int = 10
    width: int = 1024
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: int = 1_000_000
    seconds: float | None = None
    tol: float = 1e-8
    dtype: str = "float64"
    side: int | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class TableTrial:
    """One seed of a cell.

    **Fields:** `seed`; `loss` at the end of training and `epochs`; `status`, a `TrainingStatus`; `certified`, examples
    that are certified attractors, `None` where the loss asked for was not reached, for then nobody looked; `below_one`,
    examples at which, as they are, the Jacobian has a spectral radius below 1 (the paper's reading), looked at whatever
    the loss is; `largest_radius` of these.
    """

    seed: int
    loss: float
    epochs: int
    status: TrainingStatus
    certified: int | None
    below_one: int
    largest_radius: float

    @property
    def trained(self) -> bool:
        """Whether the loss asked for was reached."""
        return self.status is TrainingStatus.REACHED


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell gave: `cell`, a trial for each of its seeds in order, and `seconds` it took."""

    cell: TableCell
    trials: tuple[TableTrial, ...]
    seconds: float

    @property
    def trained(self) -> int:
        """How many of the seeds reached the loss asked for."""
        return sum(trial.trained for trial in self.trials)

    def rate(self, count: str = "certified") -> float:
        """The fraction of the examples of all seeds that count that are stored; NaN where no seed does.

        `count`: of `COUNTS`.
        """
        stored, total = self.stored(count)
        return stored / total if total else float("nan")

    def stored(self, count: str = "certified") -> tuple[int, int]:
        """How many examples of all seeds that count are stored, and how many there are; `count` as in `rate`.

        Those count that were trained; with `"below_one_low_loss"`, those whose loss is below `LOW_LOSS`.
        """
        checks.one_of("count", count, COUNTS)
        if count == "below_one_low_loss":
            found = [trial.below_one for trial in self.trials if trial.loss < LOW_LOSS]
        else:
            found = [getattr(trial, count) for trial in self.trials if trial.trained]
        return sum(found), self.cell.n * len(found)

    def interval(self, count: str = "certified") -> tuple[float, float] | None:
        """Wilson's 95 % interval of that rate; `None` where no seed counts.

        The examples of one network are taken for independent, which they are not quite: it is rather too narrow.
        """
        stored, total = self.stored(count)
        return wilson_interval(stored, total) if total else None


LOW_LOSS = 1e-2
"""The loss below which the paper's released example keeps the best network so far, before it stops at 1e-8."""

COUNTS = ("certified", "below_one", "below_one_low_loss")
"""What counts as stored: a certified attractor; a spectral radius below 1 at the example as it is, which is the paper's
reading; the same of networks that may not have reached the loss asked for, as long as theirs is below `LOW_LOSS`."""


@dataclass(frozen=True, slots=True)
class TableScale:
    """How large the networks of a table are, and which rows and columns there are.

    **Fields:** `cell`, whose sizes, seeds and limits all cells have; `activations`, the columns; `fig15` and `fig16`,
    the rows; `rates`, pairs of an optimizer and its rate of learning where that is not its default; `like_width`: a
    row U[−a, a] starts from a·√(`like_width`/width), which leaves a signal that goes through the hidden layers as large
    as in a network of that width; `together`: the seeds of a cell are trained by one loop, otherwise each by itself,
    going on from a checkpoint after a kill.
    """

    cell: TableCell
    activations: tuple[str, ...] = ACTIVATIONS
    fig15: tuple[str, ...] = tuple(PAPER["fig15"])
    fig16: tuple[str, ...] = tuple(PAPER["fig16"])
    rates: tuple[tuple[str, float], ...] = ()
    like_width: int = 256
    together: bool = True


TABLE_SCALES = MappingProxyType(
    {
        "smoke": TableScale(
            TableCell("relu", n=4, depth=2, width=32, seeds=(0, 1), epochs=20_000, seconds=5, dtype="float32", side=8),
            ("relu", "cosid"),
            ("rmsprop", "adam"),
            ("uniform:0.05", "pytorch"),
        ),
        "small": TableScale(TableCell("relu", n=10, width=64, seeds=(0, 1), seconds=60, dtype="float32", side=16)),
        "quick": TableScale(
            TableCell("relu", n=25, width=128, seeds=(0, 1), seconds=30, dtype="float32", side=16),
            rates=(("adam", 1e-3),),
        ),
        "tables": TableScale(TableCell("relu", n=25, width=128, seconds=225, dtype="float32")),
        "full": TableScale(TableCell("relu", seconds=42 * 3600), like_width=1024, together=False),
    }
)
"""Scales by name. `small` is for busy machines; `quick` is meant for 20 minutes on two cores, with smaller pictures and
a larger rate of Adam, without which hardly a network gets to its loss in that time; `tables` is meant for two and a
half hours; `full` has the paper's numbers as far as they are known, and 42 hours for each seed of a cell.

The width behind the paper's rows U[−a, a] is not known. From a = 0.15 its ReLU networks trained, whose signal changes
by a·√(width/6) a layer: that is 1 at 267 units, and 2, eight hundredfold in ten layers, at 1024. So narrow networks
start like one of 256; `full` takes the rows as they are printed."""


@dataclass(frozen=True, slots=True, eq=False)
class StorageTable:
    """A table like the paper's.

    **Fields:** `figure`, `"fig15"` or `"fig16"`; `rows`, names of optimizers or initializations, and `columns`, names
    of activations; `cells`, a `CellResult` for each (row, column) that was run; `data`, what the examples were;
    `seconds`.
    """

    figure: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[tuple[str, str], CellResult]
    data: StudyData
    seconds: float

    def grid(self, count: str = "certified") -> np.ndarray:
        """Rates, rows×columns; NaN where no seed counts, and where the cell was not run."""
        found = np.full((len(self.rows), len(self.columns)), np.nan)
        for (row, column), result in self.cells.items():
            found[self.rows.index(row), self.columns.index(column)] = result.rate(count)
        return found

    def paper(self, row: str) -> PaperRow:
        """The paper's row of this name."""
        return PAPER[self.figure][row]


def join_cells(parts: Sequence[CellResult]) -> CellResult:
    """The results of one cell whose seeds were trained apart as one. **Raises** `ValueError` where there are none."""
    if not parts:
        raise ValueError("parts must hold at least one result; got none")
    seeds = tuple(seed for part in parts for seed in part.cell.seeds)
    trials = tuple(trial for part in parts for trial in part.trials)
    return CellResult(replace(parts[0].cell, seeds=seeds), trials, sum(part.seconds for part in parts))


def table_cells(figure: str, scale: str | TableScale = "quick") -> dict[tuple[str, str], TableCell]:
    """The settings of every cell of a table, by (row, activation).

    **Arguments:** `figure`, `"fig15"` or `"fig16"`; `scale`, a name in `TABLE_SCALES` or a scale. **Raises**
    `ValueError` for unknown names.

        >>> cell = table_cells("fig16", "smoke")["uniform:0.05", "cosid"]
        >>> cell.optimizer, cell.init
        ('adam', 'uniform:0.141421')
    """
    checks.one_of("figure", figure, PAPER)
    if not isinstance(scale, TableScale):
        scale = TABLE_SCALES[checks.one_of("scale", scale, TABLE_SCALES)]
    rows = scale.fig15 if figure == "fig15" else scale.fig16
    for row in rows:
        checks.one_of(f"each row of {figure}", row, PAPER[figure])
    cells = {}
    for row in rows:
        for activation in scale.activations:
            name = {"optimizer": row} if figure == "fig15" else {"init": _start(row, scale)}
            cell = replace(scale.cell, activation=activation, **name)
            cells[row, activation] = replace(cell, rate=dict(scale.rates).get(cell.optimizer))
    return cells


def _start(row: str, scale: TableScale) -> str:
    kind, colon, half_width = row.partition(":")
    if not colon:
        return kind
    return f"{kind}:{float(half_width) * math.sqrt(scale.like_width / scale.cell.width):.6g}"


def run_cell(
    cell: TableCell,
    values: HostStates | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> CellResult:
    """Trains the networks of one cell, all seeds together, and counts what they store.

    Examples are certified at the exact fixed points nearest to them, and only where the loss was reached: a network
    that sends everything to one point has small radii too.

    **Arguments:** `cell`; `values`, n×state shape, by default the first examples of gray CIFAR-10 or its substitute;
    `checkpoint`, of a cell of one seed: a file to go on from where it exists; `progress`. **Returns** `CellResult`.
    **Raises** `ValueError` for wrong arguments, before any training.

        >>> points = np.eye(3, dtype=np.float32)
        >>> cell = TableCell("relu", n=3, depth=1, width=16, seeds=(0,), epochs=2, dtype="float32")
        >>> run_cell(cell, points).trials[0].status.value
        'epochs_over'
    """
    begun = time.perf_counter()
    if values is None:
        values = study_data("cifar10", cell.n, side=cell.side).values
    values = np.asarray(values)
    if len(values) != cell.n:
        raise ValueError(f"values must hold the n = {cell.n} examples of the cell; got {len(values)}")
    if not cell.seeds:
        raise ValueError("seeds must hold at least one number; got none")
    if checkpoint is not None and len(cell.seeds) > 1:
        raise ValueError(f"checkpoint needs a cell of one seed; got {len(cell.seeds)}, which are trained together")
    networks = [
        mlp(
            values.shape[1:],
            width=cell.width,
            depth=cell.depth,
            activation=cell.activation,
            init=cell.init,
            dtype=cell.dtype,
            key=jr.key(checks.integer("each of seeds", seed, most=2**32 - 1)),
        )
        for seed in cell.seeds
    ]
    trained_all = (
        _together(networks, values, cell, progress)
        if checkpoint is None
        else [_alone(networks[0], values, cell, checkpoint, progress)]
    )
    trials = []
    for seed, (trained, loss, epochs, status) in zip(cell.seeds, trained_all, strict=True):
        below_one, largest = 0, float("nan")
        if status is not TrainingStatus.DIVERGED:
            radii = radii_at(trained, values)
            below_one, largest = int((radii < 1).sum()), float(np.max(radii))
        certified = _certified(trained, values) if status is TrainingStatus.REACHED else None
        trials.append(TableTrial(seed, loss, epochs, status, certified, below_one, largest))
    return CellResult(cell, tuple(trials), time.perf_counter() - begun)


_Trained = tuple[MLP, float, int, TrainingStatus]


def _together(networks: list[MLP], values: HostStates, cell: TableCell, progress: Progress | None) -> list[_Trained]:
    train = partial(fit_many, networks, values, values, optimizer=_rule(cell.optimizer, cell.rate), tol=cell.tol)
    if cell.seconds is not None:
        train(epochs=min(cell.epochs, 1))  # compiles, so that the time is all for training
    found = train(epochs=cell.epochs, seconds=cell.seconds, progress=progress)
    return [
        (trained, float(loss), int(epochs), status)
        for trained, loss, epochs, status in zip(found.maps, found.loss, found.epochs, found.status, strict=True)
    ]


def _alone(
    network: MLP, values: HostStates, cell: TableCell, checkpoint: str | os.PathLike[str], progress: Progress | None
) -> _Trained:
    """The same for one network, kept every few seconds; `fit` goes the way of `fit_many`."""
    found = fit(
        network,
        values,
        values,
        optimizer=_rule(cell.optimizer, cell.rate),
        tol=cell.tol,
        epochs=cell.epochs,
        seconds=cell.seconds,
        checkpoint=checkpoint,
        resume=True,
        fingerprint=_named(cell),
        progress=progress,
        key=jr.key(0),
    )
    missed = TrainingStatus.EPOCHS_OVER if found.epochs >= cell.epochs else TrainingStatus.TIME_OVER
    status = {StoreStatus.STORED: TrainingStatus.REACHED, StoreStatus.DIVERGED: TrainingStatus.DIVERGED}
    return found.map, found.loss, found.epochs, status.get(found.status, missed)


@cache
def _rule(name: str, rate: float | None) -> optax.GradientTransformation:
    """One object for each, so that cells of one shape share compiled code."""
    return optimizer(name, learning_rate=rate)


def _named(cell: TableCell) -> str:
    return cell.optimizer if cell.rate is None else f"{cell.optimizer} at {cell.rate:g}"


def _certified(network: MLP, values: HostStates) -> int:
    certificate = settle(Memory(network, Patterns.from_examples(values))).certificate
    assert certificate is not None  # `settle` certifies
    return certificate.num_attractors


def storage_table(
    figure: str,
    scale: str | TableScale = "quick",
    *,
    data: StudyData | None = None,
    known: Iterable[CellResult] = (),
    each: Callable[[str, CellResult], None] | None = None,
    progress: Progress | None = None,
) -> StorageTable:
    """Runs all cells of Figure 15 or 16, one after another.

    **Arguments:**

    - `figure`: `"fig15"` (activation × optimizer) or `"fig16"` (activation × initialization, with Adam).
    - `scale`: a name in `TABLE_SCALES`, or a scale.
    - `data`: the examples; by default the first ones of gray CIFAR-10, or its substitute.
    - `known`: results of cells that need not be run again; the two tables share a row, Adam from PyTorch's start.
    - `each`: called with the row and the result of each cell as soon as it is there.
    - `progress`: called with the cells done.

    **Returns** `StorageTable`. **Raises** `ValueError` for wrong arguments, before any training.

    Source: Radhakrishnan, Belkin, Uhler (2020), Figs. 15 and 16; their depth, width and rates are not known.
    """
    begun = time.perf_counter()
    cells = table_cells(figure, scale)
    together = (scale if isinstance(scale, TableScale) else TABLE_SCALES[scale]).together
    first = next(iter(cells.values()))
    if data is None:
        data = study_data("cifar10", first.n, side=first.side)
    there = {result.cell: result for result in known}
    results = {}
    for number, ((row, activation), cell) in enumerate(cells.items(), start=1):
        parts = [cell] if together else [replace(cell, seeds=(seed,)) for seed in cell.seeds]
        result = there.get(cell) or join_cells([run_cell(part, data.values) for part in parts])
        results[row, activation] = result
        if each is not None:
            each(row, result)
        if progress is not None:
            progress("cells", number, len(cells), {"stored": result.stored()[0], "trained": result.trained})
    rows, columns = (tuple(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    return StorageTable(figure, rows, columns, results, data, time.perf_counter() - begun)
