"""The paper's test for spurious attractors, on the network of Fig. 2."""

from collections.abc import Sequence

from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, trained
from attrax.experiments._fig2_network import cells, note
from attrax.experiments._figures import BLUE, VERMILION, plain_axes


def summarize(records: Records) -> Summary:
    """No limit that was never stored."""
    told = "; ".join(
        f"{record.numbers['elsewhere']} of {record.numbers['starts']} starts ended elsewhere (with 95 % confidence at "
        f"most {100 * record.numbers['elsewhere_bound']:.3g} % of such starts do), at "
        f"{record.numbers['spurious_certified']} certified attractors"
        for record in trained(records)
    )
    return judged(
        records,
        lambda record: record.numbers["spurious"],
        lambda record: record.numbers["elsewhere"] == 0,
        lambda record: record.numbers["spurious_certified"] == 0,
        f"Network by network: {told}." if told else "",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """For each kind of start where it ended, for the first network."""
    shown = next((record for record in records if record.numbers), None)
    if shown is None:
        return ()
    kinds = shown.numbers["by_start"]
    figure, grid = plain_axes(5.6, 0.8 + 0.45 * len(kinds))
    axes = grid[0, 0]
    home = [row["recovered"] / row["starts"] for row in kinds.values()]
    axes.barh(list(kinds), home, color=BLUE, label="at an example")
    axes.barh(list(kinds), [1 - share for share in home], left=home, color=VERMILION, label="elsewhere")
    axes.set(xlim=(0, 1), xlabel="fraction of the starts")
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return (Drawing(figure, f"{shown.cell.name}: where starts of each kind end. {note(shown)}"),)


EXPERIMENT = Experiment(
    id="spurious",
    title="Test for spurious attractors",
    statement="From many test pictures, uniform and Gaussian noise no spurious attractor is found.",
    paper=0,
    unit="limits that were never stored",
    cells=cells,
    summarize=summarize,
    draw=draw,
    notes="How many starts there were is only recollected: 40,000 test pictures, 10,000 uniform and 10,000 Gaussian "
    "noise. Where fewer pictures are there than starts, each is taken once.",
)
