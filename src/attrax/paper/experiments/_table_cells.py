"""The paper's Figures 15 and 16 as cells: one a row and activation, or at the paper's size one a seed of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from attrax._base.status import TrainingStatus
from attrax.paper.experiments._common import StudyData, data_note, data_source
from attrax.paper.experiments._experiment import (
    LIMITS,
    Drawing,
    Experiment,
    Outcome,
    Records,
    Summary,
    cell_seed,
    code_version,
)
from attrax.paper.experiments._figures import markdown_table
from attrax.paper.experiments._paper_tables import ACTIVATIONS, PAPER
from attrax.paper.experiments._ranks import MOST_READINGS, RankAgreement, rank_agreement
from attrax.paper.experiments._table_run import run, table_cell
from attrax.paper.experiments._tables import (
    COUNTS,
    TABLE_SCALES,
    CellResult,
    StorageTable,
    TableTrial,
    join_cells,
    table_cells,
)
from attrax.paper.experiments._tables_report import rank_text, storage_figure, storage_text
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellStatus

_HIGH = 0.5
_READINGS = {0: "reading 1", 1: "reading 2", None: "cells read in one way only"}
"""Of the paper's uncertain cells; the row that has fifteen is not compared."""


def table_experiment(figure: str, title: str, statement: str, notes: str) -> Experiment:
    """The experiment of one of the two tables.

    **Arguments:** `figure`, `"fig15"` or `"fig16"`; `title`, `statement` and `notes`, see `Experiment`.

    **Returns:** `Experiment`, in the paper's mode only.
    """

    def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
        found, version, source = [], code_version(run.__module__), data_source("cifar10")
        for (row, activation), wanted in table_cells(figure, scale).items():
            # The tables share a row, Adam from PyTorch's start: it is named after neither and runs once.
            seeds = tuple(cell_seed(seed, "tables", mode, number) for number in range(len(wanted.seeds)))
            name = _name(row, activation)
            parts = {name: seeds}
            if not TABLE_SCALES[scale].together:
                parts = {f"{name}-{number}": (one,) for number, one in enumerate(seeds)}
            for part, own in parts.items():
                settings = {**asdict(replace(wanted, seeds=own)), "mode": mode, "source": source}
                found.append(Cell(figure, part, f"{run.__module__}:{run.__name__}", settings, version, LIMITS[scale]))
        return found

    return Experiment(
        id=figure,
        title=title,
        statement=statement,
        paper=None,
        unit="rank correlation of the counts with the paper's (Spearman)",
        cells=cells,
        summarize=lambda records: _summary(figure, records),
        draw=lambda records: _drawings(figure, records),
        tabulate=lambda records: _tables(figure, records),
        modes=("paper",),
        notes=notes,
    )


def _name(row: str, activation: str) -> str:
    return f"{row.replace(':', '-')}-{activation}"


def _table(figure: str, records: Records) -> StorageTable | None:
    """The table of these records, those that failed left out; `None` where there are none."""
    results: dict[tuple[str, str], CellResult] = {}
    for record in records:
        if record.status is CellStatus.FAILED:
            continue
        wanted = table_cell(record.cell.settings)
        # The name tells the row: initializations are scaled to the width, so the settings hold another number. Of a
        # cell a seed it has a number at its end.
        names = {_name(row, wanted.activation): row for row in PAPER[figure]}
        row = names.get(record.cell.name) or names[record.cell.name.rpartition("-")[0]]
        trials = record.numbers.get("trials") or [_nothing(seed) for seed in wanted.seeds]
        found = CellResult(wanted, tuple(map(_trial, trials)), record.seconds)
        known = results.get((row, wanted.activation))
        results[row, wanted.activation] = found if known is None else join_cells([known, found])
    rows = tuple(row for row in PAPER[figure] if any(row == key[0] for key in results))
    columns = tuple(name for name in ACTIVATIONS if any(name == key[1] for key in results))
    known = next((record.numbers for record in records if record.numbers), None)
    if known is None:
        return None
    data = StudyData(np.zeros(0), known["data"], known["substitute"], known["nearest"])
    return StorageTable(figure, rows, columns, results, data, sum(result.seconds for result in results.values()))


def _trial(numbers: Mapping[str, Any]) -> TableTrial:
    # What JSON could not hold, infinities and NaN, came back as null.
    found = {name: float("nan") if value is None and name in _REAL else value for name, value in numbers.items()}
    return TableTrial(**{**found, "status": TrainingStatus(found["status"])})


_REAL = ("loss", "largest_radius")


def _nothing(seed: int) -> dict[str, Any]:
    """A seed of a cell that ran out of time before it could tell anything."""
    return {
        "seed": seed,
        "loss": None,
        "epochs": 0,
        "status": str(TrainingStatus.TIME_OVER),
        "certified": None,
        "below_one": 0,
        "largest_radius": None,
    }


def _summary(figure: str, records: Records) -> Summary:
    """How far the order of our counts agrees with the paper's; which of ours count as stored is the paper's reading."""
    failed = sum(record.status is CellStatus.FAILED for record in records)
    if failed or not records:
        text = f"{failed} of {len(records)} cells failed." if failed else "No cell has run."
        return Summary(None, None, None, Outcome.UNFINISHED, text)
    table = _table(figure, records)
    if table is None:
        return Summary(None, None, None, Outcome.NOT_TRAINED, "No cell got as far as to tell anything.")
    if len(table.cells) < len(table.rows) * len(table.columns):
        return Summary(None, None, None, Outcome.UNFINISHED, "Not all cells have run.")
    found = [rank_agreement(table, reading=reading) for reading in _READINGS]
    trained = sum(result.trained for result in table.cells.values())
    total = sum(len(result.trials) for result in table.cells.values())
    text = (
        f"{trained} of {total} networks reached the loss asked for; only these count. {_compared(found)} Inconclusive "
        f"where these are fewer than half for any reading, or have no order; else reproduced where, for each reading "
        f"of the paper's uncertain cells and for the certain ones alone, the 95 % interval of the rank correlation "
        f"lies above {_HIGH}; else partly where it lies above 0; else not where it never reaches beyond {_HIGH}, and "
        f"inconclusive where it does."
    )
    if not trained:
        return Summary(None, None, None, Outcome.NOT_TRAINED, text)
    if any(one.cells < one.said / 2 or not np.isfinite(one.spearman) for one in found):
        return Summary(None, None, None, Outcome.INCONCLUSIVE, text)
    lows, highs = zip(*(one.spearman_interval for one in found), strict=True)
    if min(lows) > 0:
        outcome = Outcome.REPRODUCED if min(lows) > _HIGH else Outcome.PARTLY
    else:
        outcome = Outcome.NOT if max(highs) <= _HIGH else Outcome.INCONCLUSIVE
    return Summary(found[0].spearman, lows[0], highs[0], outcome, text)


def _compared(found: Sequence[RankAgreement]) -> str:
    """How many cells can be compared, and what each reading says."""
    first = found[0]
    return (
        f"Of {first.said} cells with a number in the paper {first.cells} have such a network: "
        + "; ".join(
            f"{_READINGS[one.reading]}{f', {one.cells} of {one.said}' if one.reading is None else ''}: {rank_text(one)}"
            for one in found
        )
        + "."
    )


def _drawings(figure: str, records: Records) -> Sequence[Drawing]:
    table = _table(figure, records)
    if table is None:
        return ()
    cell = next(iter(table.cells.values())).cell
    rates = {result.cell.optimizer: result.cell.rate for result in table.cells.values()}
    faster = "".join(f", {name} at a rate of {rate:g}" for name, rate in rates.items() if rate is not None)
    limit = "" if cell.seconds is None else f", {cell.seconds:g} s of training for all seeds of a cell"
    most = max(len(result.trials) for result in table.cells.values())
    caption = (
        f"{cell.n} pictures, least distance {table.data.nearest:.2g}; "
        f"{cell.depth}×{cell.width}, {most} seed{'s' * (most > 1)}, {cell.dtype}, at most {cell.epochs:,} epochs"
        f"{limit}{faster}. " + data_note(table.data.substitute or table.data.source, table.data.source)
    )
    open_rows = [row for row in table.rows if len(table.paper(row).readings) > MOST_READINGS]
    for row in open_rows:
        printed = " and ".join(map(str, table.paper(row).printed))
        caption += f" In the row {row} the paper has {printed}; under which activations is not known."
    return (Drawing(storage_figure(table), caption),)


def _tables(figure: str, records: Records) -> Sequence[PageTable]:
    table = _table(figure, records)
    if table is None:
        return ()
    rows = []
    for count in COUNTS:
        for reading, words in _READINGS.items():
            rows.append((count, words, *_agreement(rank_agreement(table, count=count, reading=reading))))
    return (
        markdown_table("Every cell; – where no seed counts.", storage_text(table)),
        PageTable(
            "Agreement of the order of the cells with the paper's, with 95 % intervals, by what counts as stored and "
            "by the reading of the uncertain cells.",
            ("count", "reading", "cells compared", "Spearman", "Kendall", "p"),
            tuple(rows),
        ),
    )


def _agreement(found: RankAgreement) -> tuple[str, str, str, str]:
    cells = f"{found.cells} of {found.said}"
    if not np.isfinite(found.spearman):
        return cells, "–", "–", "–"
    (low, high), (least, most) = found.spearman_interval, found.kendall_interval
    return (
        cells,
        f"{found.spearman:.2f} ({low:.2f} to {high:.2f})",
        f"{found.kendall:.2f} ({least:.2f} to {most:.2f})",
        f"{found.p_value:.2g}",
    )
