"""The paper's test for spurious attractors, on the network of Fig. 2."""

from collections.abc import Sequence

from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, judged, labeled, of_one_network
from attrax.paper._fig2_network import ENDS, cells, note
from attrax.paper._figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, plain_axes
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellRecord

_WORDS = ("at an example", "spurious attractor", "other limit", "not converged", "diverged")
_COLORS = (BLUE, VERMILION, ORANGE, GRAY, GREEN)


def summarize(records: Records) -> Summary:
    """Judges whether there is no limit that was never stored."""
    told = "; ".join(_told(record) for record in records if record.numbers)
    return judged(
        records,
        lambda record: record.numbers["spurious_certified"],
        lambda record: record.numbers["elsewhere"] == 0,
        lambda record: record.numbers["spurious_certified"] == 0,
        "Reproduced where every start ends at an example, partly where some do not but none at a certified attractor."
        + (f" Network by network: {told}." if told else ""),
    )


def _told(record: CellRecord) -> str:
    numbers = record.numbers
    kinds = ", ".join(f"{row['starts']} {kind}" for kind, row in numbers["by_start"].items())
    certified = numbers["spurious_certified"]
    ends = (
        ("starts_spurious", f"at certified spurious attractors ({certified})"),
        ("starts_other_limit", f"at other limits ({numbers['spurious'] - certified})"),
        ("starts_not_converged", "did not converge"),
        ("starts_diverged", "diverged"),
    )
    parts = [f"{numbers[name]} {words}" for name, words in ends if numbers[name]]
    return (
        f"{labeled(record)}: of {numbers['starts']} starts ({kinds}) "
        + (f"{numbers['elsewhere']} ended elsewhere, {', '.join(parts)}" if parts else "none ended elsewhere")
        + f"; with 95 % confidence at most {100 * numbers['elsewhere_bound']:.3g} % of such starts do"
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Where the starts of each kind ended, for one network."""
    kinds = record.numbers["by_start"]
    figure, grid = plain_axes(5.6, 1.0 + 0.45 * len(kinds))
    axes = grid[0, 0]
    left = [0.0] * len(kinds)
    for end, words, color in zip(ENDS, _WORDS, _COLORS, strict=True):
        parts = [row[end] / row["starts"] for row in kinds.values()]
        axes.barh(list(kinds), parts, left=left, color=color, label=words)
        left = [begin + part for begin, part in zip(left, parts, strict=True)]
    axes.set(xlim=(0, 1), xlabel="fraction of the starts")
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=3, fontsize=9, frameon=False)
    return (Drawing(figure, f"{labeled(record)}: where starts of each kind end. {note(record)}"),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """For each network and kind of start, the number of each outcome."""
    rows = [
        (labeled(record), kind, str(row["starts"]), *(str(row[end]) for end in ENDS), f"{row['upper_bound']:.3g}")
        for record in records
        for kind, row in record.numbers.get("by_start", {}).items()
    ]
    caption = (
        "How the starts ended. Test starts are pictures that were not stored, each once; derived ones are crops, "
        "mirror images and blends of these, as many as are lacking. A spurious attractor is certified; another limit "
        "is not, or was not examined. The bound is that on the probability to end elsewhere, at 95 %."
    )
    head = ("network", "starts", "number", *_WORDS, "bound")
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="spurious",
    title="Test for spurious attractors",
    statement="From many test pictures, uniform and Gaussian noise no spurious attractor is found.",
    paper=0,
    unit="certified spurious attractors",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    tabulate=tabulate,
    notes="How many starts there were is only recollected: 40,000 test pictures, 10,000 uniform and 10,000 Gaussian "
    "noise. Two thirds of the starts are pictures that were not stored at every scale; where the data have fewer, each "
    "is taken once, and crops, mirror images and blends of them (derived) fill up.",
)
