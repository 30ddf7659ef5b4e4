"""Fig. 2c: recovery against corruption."""

from collections.abc import Sequence

from attrax.analysis import wilson_interval
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged
from attrax.experiments._fig2_network import cells, curve_points, note
from attrax.report import curve_figure
from attrax.sweeps import CellRecord

_HARD = "uniform:0.8"


def _row(record: CellRecord, name: str) -> dict:
    return next(row for row in record.numbers["curves"] if row["name"] == name)


def _rate(record: CellRecord, name: str) -> float:
    return _row(record, name)["recovered"] / _row(record, name)["cues"]


def _above(record: CellRecord, name: str) -> bool:
    """Whether the lower end of the rate's interval is above twice what chance gives."""
    row = _row(record, name)
    return wilson_interval(row["recovered"], row["cues"])[0] > 2 / record.numbers["cycles"]


def summarize(records: Records) -> Summary:
    """The rate where 80 % of the pixels are noise stays above chance."""
    return judged(
        records,
        lambda record: _rate(record, _HARD),
        lambda record: _above(record, _HARD),
        lambda record: _above(record, "uniform:0.5"),
        "Reproduced where the lower end of the 95 % interval exceeds twice the rate of chance with 80 % of the pixels "
        "noise, partly with 50 %.",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """The curves of every network."""
    return [
        Drawing(curve_figure(curve_points(record)), f"{record.cell.name}. {note(record)}")
        for record in records
        if record.numbers
    ]


EXPERIMENT = Experiment(
    id="fig2c",
    title="Fig. 2c: recovery of corrupted examples",
    statement="Even heavily corrupted examples come back far more often than by chance. The percentage is lost.",
    paper=None,
    unit="rate recovered, 80 % of the pixels noise",
    cells=cells,
    summarize=summarize,
    draw=draw,
    notes="The kinds of corruption are lost; four are chosen, each example once at each level.",
)
