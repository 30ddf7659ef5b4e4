"""Fig. 2c: recovery against corruption."""

from collections.abc import Sequence

from attrax.analysis import CurvePoint, wilson_interval
from attrax.paper._experiment import MODES, Drawing, Experiment, Outcome, Records, Summary, judged, labeled, trained
from attrax.paper._fig2_network import cells, curve_points, note, rate_table
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellRecord
from attrax.report import curve_figure

_HARD = "uniform:0.8"


def _row(record: CellRecord) -> dict | None:
    """The measured rate at the level that the statement is about, `None` if it was not measured."""
    return next((row for row in record.numbers["curves"] if row["name"] == _HARD), None)


def _rate(record: CellRecord) -> float | None:
    row = _row(record)
    return None if row is None else row["recovered"] / row["cues"]


def _above(record: CellRecord, times: int) -> bool:
    """Whether the lower end of the rate's interval is above `times` the chance rate, or above one half."""
    row = _row(record)
    if row is None:
        return False
    return wilson_interval(row["recovered"], row["cues"])[0] > min(times / record.numbers["cycles"], 0.5)


def summarize(records: Records) -> Summary:
    """Judges whether the rate with 80 % of the pixels noise stays far above chance."""
    summary = judged(
        records,
        _rate,
        lambda record: _above(record, 10),
        lambda record: _above(record, 2),
        "Reproduced where with 80 % of the pixels noise the lower end of the 95 % interval exceeds ten times the rate "
        "of chance, one over the number of examples, or 0.5 where that is less; partly where it exceeds twice that "
        "rate.",
    )
    if any(_row(record) is None for record in trained(records)) and summary.outcome is not Outcome.UNFINISHED:
        text = f"Not judged: the rate with {_HARD} was not measured. Add 0.8 to the levels."
        return Summary(None, None, None, Outcome.INCONCLUSIVE, text)
    return summary


def draw(records: Records) -> Sequence[Drawing]:
    """The curves of every network."""
    return [
        Drawing(curve_figure(curve_points(record)), f"{labeled(record)}. {note(record)}")
        for record in records
        if record.numbers
    ]


def tabulate(records: Records) -> Sequence[PageTable]:
    """The rates with their intervals."""
    return rate_table(records, "Rates at which examples come back, with Wilson's 95 % intervals.", (("", _told),))


def _told(point: CurvePoint) -> str:
    return f"{point.rate:.3f} ({point.interval[0]:.3f} to {point.interval[1]:.3f})"


EXPERIMENT = Experiment(
    id="fig2c",
    title="Fig. 2c: recovery of corrupted examples",
    statement="Even heavily corrupted examples come back far more often than by chance. The percentage is lost.",
    paper=None,
    unit="rate recovered, 80 % of the pixels noise",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    tabulate=tabulate,
    notes="The kinds of corruption are lost; four are chosen, each example once at each level.",
)
