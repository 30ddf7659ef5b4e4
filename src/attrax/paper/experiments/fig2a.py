"""Fig. 2a: all examples are attractors, and where corrupted ones end."""

from collections.abc import Sequence

from attrax.analysis import wilson_interval
from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, judged, labeled, of_one_network
from attrax.paper._fig2_network import SHOWN, cells, note
from attrax.paper._figures import picture_rows
from attrax.paper.sweeps import CellRecord

_RULE = (
    "Reproduced where all examples are attractors, and cues that went to another example went to one nearer to the "
    "right one than chance has it, or no cue went to another; partly where all are attractors, or cues that went to "
    "another went nearer than chance has it. Nearer than chance: "
    "each example whose cues went elsewhere counts once, and of the fraction for which the median place of those "
    "others, by distance, is before the middle, the lower end of the 95 % interval lies above 1/2."
)
_ENDS = (
    ("other_attractor", "went to another example"),
    ("spurious", "ended at a limit that was never stored"),
    ("cycle", "in a cycle"),
    ("not_converged", "did not converge"),
    ("diverged", "diverged"),
)


def _all_stored(record: CellRecord) -> bool:
    return record.numbers["attractors"] == record.numbers["cycles"]


def _alike(record: CellRecord) -> bool:
    """Whether the examples that cues went to instead are nearer to the right ones than by chance."""
    near, far = (record.numbers["elsewhere_at"][side] for side in ("near", "far"))
    return near + far > 0 and wilson_interval(near, near + far)[0] > 0.5


def _none_elsewhere(record: CellRecord) -> bool:
    return record.numbers["landed"]["other_attractor"] == 0


def summarize(records: Records) -> Summary:
    """Judges whether all examples are attractors, and failing cues end at similar ones."""
    told = "; ".join(_landed(record) for record in records if record.numbers)
    return judged(
        records,
        lambda record: record.numbers["attractors"] / record.numbers["cycles"],
        lambda record: _all_stored(record) and (_alike(record) or _none_elsewhere(record)),
        lambda record: _all_stored(record) or _alike(record),
        _RULE + (f" All cues of Fig. 2c, network by network: {told}." if told else ""),
    )


def _landed(record: CellRecord) -> str:
    numbers = record.numbers
    landed = numbers["landed"]
    parts = [f"of {sum(landed.values())} cues {landed['recovered']} came back"]
    parts += [f"{landed[end]} {words}" for end, words in _ENDS if landed[end]]
    if _none_elsewhere(record):
        parts.append("none went to another example")
    else:
        at, others = numbers["elsewhere_at"], numbers["states"] - 1
        parts.append(
            f"the median place of that other by distance is {at['rank']:g} of {others} (chance {(others + 1) / 2:g}), "
            f"before the middle for {at['near']} examples and behind it for {at['far']}"
        )
    return f"{labeled(record)}: {', '.join(parts)}"


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Corrupted examples during recall, and cues that failed, for one network."""
    arrays, statuses = record.arrays, record.numbers["statuses"]
    rows = [("stored", arrays["examples"]), ("corrupted", arrays["cues"])]
    rows += [(f"after {step} step{'s' * (step != 1)}", arrays["steps"][row]) for row, step in enumerate((1, 2, 5))]
    rows.append(("limit", arrays["limits"]))
    where = "; ".join(
        f"({place + 1}) {name}: {status.replace('_', ' ')}"
        for place, (name, status) in enumerate(zip(SHOWN, statuses, strict=True))
    )
    marks = [status == "recovered" for status in statuses]
    drawings = [Drawing(picture_rows(rows, marks=marks), f"{labeled(record)}: {where}. {note(record)}")]
    return drawings + _failures(record)


def _failures(record: CellRecord) -> list[Drawing]:
    failed, status = record.numbers["failed"]["cues"], record.numbers["failed"]["status"]
    if not failed:
        return []
    arrays, count = record.arrays, record.numbers["landed"][status]
    # The right ones come first, because they set the brightness scale.
    rows = [("right", arrays["failed_right"]), ("cue", arrays["failed_cues"]), ("limit", arrays["failed_limits"])]
    elsewhere = status == "other_attractor"
    which = "went to another example" if elsewhere else "ended at a limit that was never stored (none at another)"
    names = "; ".join(
        f"({place + 1}) {one['name']}" + (f", number {one['rank']} by likeness" if elsewhere else "")
        for place, one in enumerate(failed)
    )
    caption = (
        f"{labeled(record)}: {len(failed)} of the {count} cues of Fig. 2c that {which}, spread over kinds and levels: "
        f"{names}."
    )
    return [Drawing(picture_rows(rows), caption)]


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
    modes=MODES,
    notes="The initialization and the corruptions shown are lost. Chosen are PyTorch's default, at smoke and "
    "quick U[−0.02, 0.02], from which networks this narrow get to their loss, and the corruptions named below.",
)
