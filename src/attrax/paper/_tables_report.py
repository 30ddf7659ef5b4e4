"""The experiments of Figures 15 and 16: our tables beside the paper's, as verdict, table and figure."""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary
from attrax.paper._paper_tables import PaperRow
from attrax.paper._pictures import data_note
from attrax.paper._ranks import MOST_READINGS, RankAgreement, rank_agreement
from attrax.paper._tables import COUNTS, LOW_LOSS, WANTED, Entry, Table, real, table_cells, table_of
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellStatus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HIGH = 0.5
_READINGS = {0: "reading 1", 1: "reading 2", None: "cells read in one way only"}
"""The readings of the paper's uncertain entries; the row with fifteen readings is not compared."""


def table_experiment(figure: str, title: str, statement: str, notes: str) -> Experiment:
    """The experiment of one of the two tables.

    **Arguments:** `figure`, `"fig15"` or `"fig16"`; `title`, `statement` and `notes`, see `Experiment`.

    **Returns:** `Experiment`, in the modes `paper` and `edge`.
    """

    return Experiment(
        id=figure,
        title=title,
        statement=statement,
        paper=None,
        unit="rank correlation of the counts with the paper's (Spearman)",
        cells=partial(table_cells, figure),
        summarize=lambda records: _summary(figure, records),
        draw=lambda records: _drawings(figure, records),
        tabulate=lambda records: _tables(figure, records),
        modes=("paper", "edge"),
        notes=notes,
    )


def _summary(figure: str, records: Records) -> Summary:
    """Judges how far the ranking of our counts agrees with the paper's, with the paper's criterion for stored
    examples."""
    failed = sum(record.status is CellStatus.FAILED for record in records)
    if failed or not records:
        text = f"{failed} of {len(records)} cells failed." if failed else "No cell has run."
        return Summary(None, None, None, Outcome.UNFINISHED, text)
    table = table_of(figure, records)
    if table is None:
        return Summary(None, None, None, Outcome.NOT_TRAINED, "No cell got as far as to tell anything.")
    if len(table.entries) < len(table.rows) * len(table.columns):
        return Summary(None, None, None, Outcome.UNFINISHED, "Not all cells have run.")
    found = [rank_agreement(table, reading=reading) for reading in _READINGS]
    trained = sum(entry.trained for entry in table.entries.values())
    total = sum(len(entry.trials) for entry in table.entries.values())
    text = (
        f"{trained} of {total} networks reached the requested loss; only these count. {_compared(found)} Inconclusive "
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
    """How many cells can be compared, and the result for each reading."""
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
    table = table_of(figure, records)
    if table is None:
        return ()
    settings, most = table.settings, table.networks
    rates = {entry.settings["optimizer"]: entry.settings["rate"] for entry in table.entries.values()}
    faster = "".join(f", {name} at a rate of {rate:g}" for name, rate in rates.items() if isinstance(rate, float))
    seconds = settings["seconds"]
    limit = "" if seconds is None else f", {seconds:g} s of training for all seeds of a cell"
    limit = " at the largest stable rate, and an anneal" if "edge" in rates.values() else limit
    caption = (
        f"{settings['n']} pictures, least distance {table.nearest:.2g}; "
        f"{settings['depth']}×{settings['width']}, {most} seed{'s' * (most > 1)}, {settings['dtype']}, at most "
        f"{settings['epochs']:,} epochs{limit}{faster}. " + data_note(WANTED, settings["source"])
    )
    open_rows = [row for row in table.rows if len(table.paper(row).readings) > MOST_READINGS]
    for row in open_rows:
        printed = " and ".join(map(str, table.paper(row).printed))
        caption += f" In the row {row} the paper has {printed}; under which activations is not known."
    return (Drawing(storage_figure(table), caption),)


def _tables(figure: str, records: Records) -> Sequence[PageTable]:
    table = table_of(figure, records)
    if table is None:
        return ()
    rows = []
    for count in COUNTS:
        for reading, words in _READINGS.items():
            rows.append((count, words, *_agreement(rank_agreement(table, count=count, reading=reading))))
    return (
        storage_table(table, "Every cell; – where no seed counts."),
        PageTable(
            "Agreement of the order of the cells with the paper's, with a 95 % interval, by what counts as stored and "
            "by the reading of the uncertain cells.",
            ("count", "reading", "cells compared", "Spearman", "Kendall", "p"),
            tuple(rows),
        ),
    )


def _agreement(found: RankAgreement) -> tuple[str, str, str, str]:
    cells = f"{found.cells} of {found.said}"
    if not np.isfinite(found.spearman):
        return cells, "–", "–", "–"
    low, high = found.spearman_interval
    return (
        cells,
        f"{found.spearman:.2f} ({low:.2f} to {high:.2f})",
        f"{found.kendall:.2f}",
        f"{found.p_value:.2g}",
    )


_NOT_TRAINED = "–"


def storage_table(table: Table, caption: str) -> PageTable:
    """Every entry that was run as a row.

    Counts are over all seeds that reached the requested loss, those under "loss < 0.01" over all seeds below that loss;
    `–` if there is none. The losses are those of all seeds. The paper's number is out of 100. If several readings are
    possible, all are given, the one used first; `lost` means that the row is unknown.
    """
    head = (
        "row",
        "activation",
        "seeds trained",
        "loss",
        "epochs",
        "certified",
        "95 % interval",
        "radius < 1",
        "largest radius",
        f"radius < 1, loss < {LOW_LOSS:g}",
        "paper, of 100",
    )
    rows = [
        (row, column, *_cells(entry), paper_text(table.paper(row), column))
        for row in table.rows
        for column in table.columns
        if (entry := table.entries.get((row, column))) is not None
    ]
    return PageTable(caption, head, tuple(rows))


def _cells(entry: Entry) -> list[str]:
    losses = [real(trial["loss"]) for trial in entry.trials]
    epochs = [trial["epochs"] for trial in entry.trials]
    reached = [trial for trial in entry.trials if trial["certified"] is not None]
    largest = [real(trial["largest_radius"]) for trial in reached]
    interval = entry.interval()
    return [
        f"{entry.trained} of {len(entry.trials)}",
        _range(losses, ".1e"),
        _range(epochs, ",d"),
        _count(entry, "certified"),
        _NOT_TRAINED if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}",
        _count(entry, "below_one"),
        _range(largest, ".3g") if largest else _NOT_TRAINED,
        _count(entry, "below_one_low_loss"),
    ]


def _range(values: list[Any], form: str) -> str:
    """The range from the least to the largest, followed by the number of values that are not finite."""
    finite = [value for value in values if math.isfinite(value)]
    missing = len(values) - len(finite)
    if not finite:
        return _NOT_TRAINED
    low, high = format(min(finite), form), format(max(finite), form)
    return (low if low == high else f"{low} to {high}") + (f", {missing} not finite" if missing else "")


def _count(entry: Entry, count: str) -> str:
    stored, total = entry.stored(count)
    return f"{stored} of {total}" if total else _NOT_TRAINED


def paper_text(row: PaperRow, activation: str) -> str:
    """What the paper says of a cell: a number, `–` for an empty one, `a / b` for two readings, or `lost`.

    >>> from attrax.paper._paper_tables import PAPER_FIG15
    >>> paper_text(PAPER_FIG15["gd"], "swish"), paper_text(PAPER_FIG15["adam"], "relu")
    ('5 / –', '38')
    """
    found = row.possible(activation)
    return " / ".join(_NOT_TRAINED if value is None else str(value) for value in found) if found else "lost"


def storage_figure(table: Table) -> "Figure":
    """The table as heat maps, one for each of `COUNTS` and one of the paper's numbers.

    Colors are percent of the examples of the seeds that count; a small fraction below a number gives the number of
    these seeds if not all count. Gray with a dash: no seed counts; gray without one: not run. In the panel of the
    paper, the color is that of the first reading, gray is a lost or empty entry, and a question mark stands for a row
    with more than two readings.

    **Arguments:** `table`. **Returns:** a `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    height = 2.4 + 1.0 * len(table.rows)
    figure = Figure(figsize=(3.2 + 1.2 * len(table.columns), height), layout="constrained", facecolor="white")
    grid = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    image: Any = None
    for axes, count, title in zip(grid, (*COUNTS, None), _TITLES, strict=True):
        values, texts = _panel(table, count)
        axes.set_facecolor("#d8d8d8")
        image = axes.imshow(np.ma.masked_invalid(values), cmap="viridis", vmin=0, vmax=100, aspect="auto")
        for place, text in np.ndenumerate(texts):
            dark = np.isfinite(values[place]) and values[place] < 60
            axes.text(
                place[1],
                place[0],
                text,
                ha="center",
                va="center",
                fontsize=8,
                linespacing=0.9,
                color="white" if dark else "black",
            )
        axes.set_xticks(range(len(table.columns)), table.columns, rotation=40, ha="right", fontsize=9)
        axes.set_yticks(range(len(table.rows)), table.rows, fontsize=9)
        axes.set_title(title, fontsize=10)
        axes.set_xlim(-0.5, len(table.columns) - 0.5)
    figure.colorbar(image, ax=list(grid), shrink=0.9, label="stored, % of the examples")
    settings, most = table.settings, table.networks
    figure.suptitle(
        f"{table.figure.replace('fig', 'Figure ')}: {settings['n']} examples ({settings['source']}), "
        f"{settings['depth']}×{settings['width']}, {most} seed{'s' * (most > 1)}",
        fontsize=11,
    )
    return figure


_TITLES = (
    "certified attractors",
    "radius < 1 at the example",
    f"radius < 1, loss < {LOW_LOSS:g} is enough",
    "the paper (100 examples)",
)


def _panel(table: Table, count: str | None) -> tuple[np.ndarray, np.ndarray]:
    shape = (len(table.rows), len(table.columns))
    values, texts = np.full(shape, np.nan), np.full(shape, _NOT_TRAINED, dtype=object)
    for i, row in enumerate(table.rows):
        for j, column in enumerate(table.columns):
            if count is None:
                if len(table.paper(row).readings) > MOST_READINGS:
                    texts[i, j] = "?"
                    continue
                found = table.paper(row).possible(column)
                if found and found[0] is not None:
                    values[i, j] = found[0]
                texts[i, j] = "/".join(_NOT_TRAINED if one is None else str(one) for one in found) if found else "lost"
                continue
            entry = table.entries.get((row, column))
            if entry is None:
                texts[i, j] = ""
                continue
            seeds = entry.stored(count)[1] // entry.settings["n"]
            if seeds:
                values[i, j] = 100 * entry.rate(count)
                part = "" if seeds == len(entry.trials) else f"\n{seeds}/{len(entry.trials)} seeds"
                texts[i, j] = f"{values[i, j]:.0f}{part}"
    return values, texts


def rank_text(found: RankAgreement) -> str:
    """One sentence on how far our ranking of the cells agrees with the paper's."""
    if not np.isfinite(found.spearman):
        return f"{found.cells} cells, too few or too equal to be ordered"
    low, high = found.spearman_interval
    return (
        f"{found.cells} cells: Spearman {found.spearman:.2f} ({low:.2f} to {high:.2f}), Kendall {found.kendall:.2f}, "
        f"p = {found.p_value:.2g}"
    )
