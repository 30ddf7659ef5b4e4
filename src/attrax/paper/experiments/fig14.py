"""Fig. 14: recovery compared with the nearest neighbor."""

from collections.abc import Sequence

import numpy as np

from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, judged, labeled, of_one_network
from attrax.paper._fig2_network import KINDS, cells, curve_points, note, rate_table
from attrax.paper._figures import BLUE, GRAY, plain_axes
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellRecord

_CLOSE, _NEAR = 0.1, 0.15
"""Mean differences up to which rates count as remarkably similar, and as similar in part; the paper gives no number."""


def _gap(record: CellRecord) -> float:
    return float(np.mean([abs(point.rate - point.one_nn_rate) for point in curve_points(record)]))


def _below(record: CellRecord) -> float:
    return float(np.mean([point.one_nn_rate - point.rate for point in curve_points(record)]))


def summarize(records: Records) -> Summary:
    """The mean difference between the two rates, whichever is larger."""
    told = "; ".join(
        f"{labeled(record)}: {_gap(record):.3f}, on average {abs(_below(record)):.3f} "
        f"{'below' if _below(record) > 0 else 'above'} the nearest neighbor"
        for record in records
        if record.numbers
    )
    return judged(
        records,
        _gap,
        lambda record: _gap(record) <= _CLOSE,
        lambda record: _gap(record) <= _NEAR,
        f"Reproduced up to a mean difference of {_CLOSE}, partly up to {_NEAR}."
        + (f" Network by network: {told}." if told else ""),
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
    modes=MODES,
    tabulate=tabulate,
)
