"""Fig. 14: recovery compared with the nearest neighbor."""

from collections.abc import Sequence

import numpy as np

from attrax.paper._experiment import Drawing, Experiment, Records, Summary, judged, labeled, of_one_network
from attrax.paper._fig2_network import KINDS, cells, curve_points, note, rate_table
from attrax.paper._figures import BLUE, GRAY, plain_axes
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellRecord


def _gap(record: CellRecord) -> float:
    return float(np.mean([abs(point.rate - point.one_nn_rate) for point in curve_points(record)]))


def summarize(records: Records) -> Summary:
    """The mean difference between the two rates."""
    return judged(
        records,
        _gap,
        lambda record: _gap(record) <= 0.05,
        lambda record: _gap(record) <= 0.15,
        "Reproduced up to a mean difference of 0.05, partly up to 0.15.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Two curves per corruption, for one network."""
    figure, grid = plain_axes(2.5, 2.4, len(KINDS))
    points = curve_points(record)
    for axes, kind in zip(grid[0], KINDS, strict=True):
        mine = [point for point in points if point.corruption == kind]
        levels = [point.level for point in mine]
        axes.plot(levels, [point.rate for point in mine], "o-", color=BLUE, label="memory")
        axes.plot(levels, [point.one_nn_rate for point in mine], "s--", color=GRAY, label="1-NN")
        axes.set(title=kind, ylim=(-0.03, 1.05), xlabel="level")
    grid[0, 0].set_ylabel("fraction recovered")
    grid[0, 0].legend(fontsize=8, frameon=False)
    return (
        Drawing(
            figure,
            f"{labeled(record)}: the memory beside the Euclidean nearest neighbor on the same cues. " + note(record),
        ),
    )


def tabulate(records: Records) -> Sequence[PageTable]:
    """Both rates."""
    return rate_table(
        records,
        "Rates at which examples come back, of each memory and of the Euclidean nearest neighbor (1-NN) on the same "
        "cues.",
        (("", lambda point: f"{point.rate:.3f}"), (": 1-NN", lambda point: f"{point.one_nn_rate:.3f}")),
    )


EXPERIMENT = Experiment(
    id="fig14",
    title="Fig. 14: the memory beside the nearest neighbor",
    statement="Recovery rates and those of the nearest neighbor are remarkably similar.",
    paper=None,
    unit="mean difference of the rates",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
)
