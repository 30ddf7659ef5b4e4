"""Fig. 4c: four cycles in the plane."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, judged, repeated, seeds_at_edge
from attrax.paper._networks import network_settings
from attrax.paper._plane import PLANE_RECIPE, basin_drawing, four_circles, plane_cell
from attrax.paper.sweeps import Cell, CellFound, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "width": 48,
        "depth": 5,
        "epochs": 3000,
        "auto_epochs": 150,
        "resolution": 32,
        "length": 3,
        "edge": {"epochs": 1500},
    },
    "quick": {"width": 128, "depth": 15, "epochs": 20_000, "resolution": 72, "length": 5},
    "tables": {"width": 128, "depth": 15, "epochs": 20_000, "resolution": 192, "length": 5},
    "full": {"width": 128, "depth": 15, "epochs": 20_000, "resolution": 256, "length": 5},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains a network on four circles, certifies the cycles, and finds where a grid of starts ends."""
    return plane_cell(four_circles(length=settings["length"]), settings, work)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed; at the edge at least five."""
    settings = network_settings({**_SIZES[scale], "activation": "cosid"}, mode, PLANE_RECIPE)
    return repeated("fig4c", run, settings, scale=scale, mode=mode, seed=seed, seeds=seeds_at_edge(scale, mode))


def summarize(records: Records) -> Summary:
    """Judges whether all four cycles are stable."""
    return judged(
        records,
        lambda record: record.numbers["attractors"],
        lambda record: record.numbers["attractors"] == 4,
        lambda record: record.numbers["attractors"] >= 1,
        "Reproduced where in four networks of five all four are certified stable, partly where one is.",
        share=0.8,
    )


def draw(records: Records) -> Sequence[Drawing]:
    """The basins of the network that stores the most."""
    return basin_drawing(
        records,
        "A color is a cycle; the shade in the middle is the point of the cycle that a start keeps step with.",
    )


EXPERIMENT = Experiment(
    id="fig4c",
    title="Fig. 4c: four cycles in the plane",
    statement="Four sequences of points in the plane are stable cycles, and points are carried along them.",
    paper=4,
    unit="stable cycles of 4",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    notes="The paper's points, depth and width are lost; chosen here: circles of radius 0.3 around (±0.6, ±0.6), "
    "cosid, Adam at 1e-3 falling along a cosine to 0, loss 1e-10.",
)
