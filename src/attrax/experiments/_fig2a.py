"""Fig. 2a: all examples are attractors, and where corrupted ones land."""

from collections.abc import Sequence

from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, trained
from attrax.experiments._fig2_network import SHOWN, cells, note
from attrax.experiments._figures import picture_rows


def summarize(records: Records) -> Summary:
    """All examples are attractors."""
    places = [place for record in trained(records) for place in record.numbers["ranks"]]
    landed = sum(status == "other_attractor" for record in records for status in record.numbers.get("statuses", ()))
    text = f"Of the corrupted examples shown, {landed} went to another example"
    if places:
        text += f", by likeness to the right one number {', '.join(map(str, sorted(places)))} among the others"
    return judged(
        records,
        lambda record: record.numbers["attractors"] / record.numbers["cycles"],
        lambda record: record.numbers["attractors"] == record.numbers["cycles"],
        lambda record: record.numbers["attractors"] >= 1,
        text + ".",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Corrupted examples on their way, for the first network."""
    shown = next((record for record in records if record.arrays), None)
    if shown is None:
        return ()
    arrays, statuses = shown.arrays, shown.numbers["statuses"]
    rows = [("stored", arrays["examples"]), ("corrupted", arrays["cues"])]
    rows += [(f"after {step} step{'s' * (step != 1)}", arrays["steps"][row]) for row, step in enumerate((1, 2, 5))]
    rows.append(("limit", arrays["limits"]))
    where = "; ".join(
        f"({place + 1}) {name}: {status.replace('_', ' ')}"
        for place, (name, status) in enumerate(zip(SHOWN, statuses, strict=True))
    )
    marks = [status == "recovered" for status in statuses]
    return (Drawing(picture_rows(rows, marks=marks), f"{shown.cell.name}: {where}. {note(shown)}"),)


EXPERIMENT = Experiment(
    id="fig2a",
    title="Fig. 2a: 500 pictures as attractors",
    statement="All 500 training pictures are attractors (500 of 500). Of six corrupted ones shown, two go to another, "
    "similar-looking picture.",
    paper=1.0,
    unit="attractors, fraction of the examples",
    cells=cells,
    summarize=summarize,
    draw=draw,
    notes="The initialization and the corruptions shown are lost; PyTorch's default and those named below are chosen.",
)
