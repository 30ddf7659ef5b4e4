"""Tables of stored examples as text and as a figure, the paper's numbers beside ours."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.paper.experiments._paper_tables import PaperRow
from attrax.paper.experiments._ranks import MOST_READINGS, RankAgreement
from attrax.paper.experiments._tables import COUNTS, LOW_LOSS, CellResult, StorageTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_TRAINED = "–"


def storage_text(table: StorageTable) -> str:
    """Every cell that was run as a row of a Markdown table.

    Counts are over all seeds that reached the loss asked for, those under "loss < 0.01" over all seeds below that one;
    `–` where there is none. The losses are of all seeds. The paper's number is of 100; where several readings are
    possible all are given, the one taken first, and `lost` where the row is not known.

    **Arguments:** `table`. **Returns:** lines of text, without a line break at the end.
    """
    lines = [
        "| row | activation | seeds trained | loss | epochs | certified | 95 % interval | radius < 1 | largest radius "
        f"| radius < 1, loss < {LOW_LOSS:g} | paper, of 100 |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in table.rows:
        for column in table.columns:
            if (result := table.cells.get((row, column))) is not None:
                lines.append(f"| {row} | {column} | {_cells(result)} | {paper_text(table.paper(row), column)} |")
    return "\n".join(lines)


def _cells(result: CellResult) -> str:
    losses = [trial.loss for trial in result.trials]
    epochs = [trial.epochs for trial in result.trials]
    largest = [trial.largest_radius for trial in result.trials if trial.trained]
    interval = result.interval()
    cells = [
        f"{result.trained} of {len(result.trials)}",
        _range(losses, ".1e"),
        _range(epochs, ",d"),
        _count(result, "certified"),
        _NOT_TRAINED if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}",
        _count(result, "below_one"),
        _range(largest, ".3g") if largest else _NOT_TRAINED,
        _count(result, "below_one_low_loss"),
    ]
    return " | ".join(cells)


def _range(values: list[Any], form: str) -> str:
    """From the least to the largest; how many are not finite, behind it."""
    finite = [value for value in values if math.isfinite(value)]
    missing = len(values) - len(finite)
    if not finite:
        return _NOT_TRAINED
    low, high = format(min(finite), form), format(max(finite), form)
    return (low if low == high else f"{low} to {high}") + (f", {missing} not finite" if missing else "")


def _count(result: CellResult, count: str) -> str:
    stored, total = result.stored(count)
    return f"{stored} of {total}" if total else _NOT_TRAINED


def paper_text(row: PaperRow, activation: str) -> str:
    """What the paper says of a cell: a number, `–` for an empty one, `a / b` for two readings, or `lost`.

    >>> from attrax.paper.experiments import PAPER_FIG15
    >>> paper_text(PAPER_FIG15["gd"], "swish"), paper_text(PAPER_FIG15["adam"], "relu")
    ('5 / –', '38')
    """
    found = row.possible(activation)
    return " / ".join(_NOT_TRAINED if value is None else str(value) for value in found) if found else "lost"


def storage_figure(table: StorageTable) -> "Figure":
    """The table as heat maps, one for each of `COUNTS` and one of the paper's numbers.

    Colors are per cent of the examples of the seeds that count; a small fraction below a number says how many seeds
    those are where not all are. Gray with a dash: no seed counts; gray without one: not run. In the
    panel of the paper the color is that of the first reading, gray is a lost or an empty cell, and a question mark one
    of a row that can be read in more ways than two.

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
    cell = next(iter(table.cells.values())).cell
    most = max(len(result.trials) for result in table.cells.values())
    figure.suptitle(
        f"{table.figure.replace('fig', 'Figure ')}: {cell.n} examples ({table.data.source}), "
        f"{cell.depth}×{cell.width}, {most} seed{'s' * (most > 1)}",
        fontsize=11,
    )
    return figure


_TITLES = (
    "certified attractors",
    "radius < 1 at the example",
    f"radius < 1, loss < {LOW_LOSS:g} is enough",
    "the paper (100 examples)",
)


def _panel(table: StorageTable, count: str | None) -> tuple[np.ndarray, np.ndarray]:
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
            result = table.cells.get((row, column))
            if result is None:
                texts[i, j] = ""
                continue
            seeds = result.stored(count)[1] // result.cell.n
            if seeds:
                values[i, j] = 100 * result.rate(count)
                part = "" if seeds == len(result.trials) else f"\n{seeds}/{len(result.trials)} seeds"
                texts[i, j] = f"{values[i, j]:.0f}{part}"
    return values, texts


def rank_text(found: RankAgreement) -> str:
    """One sentence on how far our order of the cells agrees with the paper's."""
    if not np.isfinite(found.spearman):
        return f"{found.cells} cells, too few or too equal to be ordered"
    (low, high), (least, most) = found.spearman_interval, found.kendall_interval
    return (
        f"{found.cells} cells: Spearman {found.spearman:.2f} ({low:.2f} to {high:.2f}), Kendall {found.kendall:.2f} "
        f"({least:.2f} to {most:.2f}), p = {found.p_value:.2g}"
    )
