"""Fig. 2b: more corrupted examples and the recalled pictures."""

from collections.abc import Sequence

from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, judged, labeled, of_one_network
from attrax.paper._fig2_network import MORE, cells, note
from attrax.paper._figures import picture_rows
from attrax.paper.sweeps import CellRecord


def _rate(record: CellRecord) -> float:
    statuses = record.numbers["more_statuses"]
    return statuses.count("recovered") / len(statuses)


def summarize(records: Records) -> Summary:
    """Judges whether all corrupted examples shown are recovered."""
    return judged(
        records,
        _rate,
        lambda record: _rate(record) == 1,
        lambda record: _rate(record) > 0,
        "Reproduced where all that are shown come back, partly where one does.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Examples, cues and limits, without selection, for one network."""
    arrays = record.arrays
    marks = [status == "recovered" for status in record.numbers["more_statuses"]]
    rows = [("stored", arrays["more"]), (f"cue: {MORE}", arrays["more_cues"]), ("limit", arrays["more_limits"])]
    return (
        Drawing(
            picture_rows(rows, marks=marks), f"{labeled(record)}: the first examples, none left out. " + note(record)
        ),
    )


EXPERIMENT = Experiment(
    id="fig2b",
    title="Fig. 2b: more recoveries",
    statement="Further corrupted pictures come back to the right example.",
    paper=None,
    unit="fraction of those shown that come back",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    notes="Which pictures and corruptions the paper shows is lost; here they are the first, with 30 % of the pixels "
    "noise.",
)
