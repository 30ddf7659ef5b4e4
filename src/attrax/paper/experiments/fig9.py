"""Fig. 9: attractors that were never stored."""

from collections.abc import Sequence

from attrax.paper._experiment import Drawing, Experiment, Records, Summary, judged, repeated, seeds_at_edge
from attrax.paper._networks import network_settings
from attrax.paper._plane import PLANE_RECIPE, basin_drawing
from attrax.paper.experiments.fig3 import run
from attrax.paper.sweeps import Cell

_SIZES = {
    "smoke": {"width": 48, "depth": 5, "epochs": 3000, "resolution": 32, "edge": {"epochs": 1500}},
    "quick": {"width": 128, "depth": 10, "epochs": 20_000, "resolution": 96},
    "tables": {"width": 128, "depth": 10, "epochs": 20_000, "resolution": 192},
    "full": {"width": 128, "depth": 10, "epochs": 20_000, "resolution": 256},
}


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed."""
    settings = network_settings({**_SIZES[scale], "activation": "sinusoid"}, mode, PLANE_RECIPE)
    return repeated("fig9", run, settings, scale=scale, mode=mode, seed=seed, seeds=seeds_at_edge(scale, mode))


def summarize(records: Records) -> Summary:
    """Judges whether there is a certified attractor that was never stored; one network suffices."""
    return judged(
        records,
        lambda record: record.numbers["spurious"],
        lambda record: record.numbers["spurious"] >= 1,
        lambda record: False,
        "Reproduced where one network has a certified attractor that was never stored.",
        share=0,
    )


def draw(records: Records) -> Sequence[Drawing]:
    """The basins of the network with most attractors that were never stored."""
    return basin_drawing(
        records,
        "A cross is a limit that was never stored, white where it is a certified attractor; hatched is what ends in "
        "none of the examples.",
        most="spurious",
        told="has most attractors that were never stored",
    )


EXPERIMENT = Experiment(
    id="fig9",
    title="Fig. 9: spurious attractors",
    statement="In general there are attractors beside the examples, as some network shows.",
    paper=None,
    unit="spurious attractors",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper", "edge"),
    notes="The paper's network is lost; chosen here: sinusoid on the six points of Fig. 3, trained as there.",
)
