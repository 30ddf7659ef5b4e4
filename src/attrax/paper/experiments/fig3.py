"""Fig. 3: six examples in the plane, and their basins."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrax.paper._experiment import (
    MODES,
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    repeated,
    seeds_at_edge,
    trained,
)
from attrax.paper._networks import network_settings
from attrax.paper._plane import PLANE_RECIPE, SIX_POINTS, basin_drawing, plane_cell
from attrax.paper.sweeps import Cell, CellFound, Work
from attrax.patterns import Patterns

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"width": 64, "depth": 8, "epochs": 3000, "auto_epochs": 150, "resolution": 32, "edge": {"epochs": 1500}},
    "quick": {"width": 128, "depth": 20, "epochs": 20_000, "resolution": 96},
    "tables": {"width": 128, "depth": 20, "epochs": 20_000, "resolution": 192},
    "full": {"width": 128, "depth": 20, "epochs": 20_000, "resolution": 256},
}


_AGREEMENT = 0.95
"""Basins that agree with the Voronoi cells on this fraction of the area count as equal to them."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains a network on the six points, certifies it, and finds where a grid of starts ends."""
    return plane_cell(Patterns.from_examples(SIX_POINTS), settings, work)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed; at the edge at least five, as each takes less than a minute."""
    settings = network_settings({**_SIZES[scale], "activation": "cosid"}, mode, PLANE_RECIPE)
    return repeated("fig3", run, settings, scale=scale, mode=mode, seed=seed, seeds=seeds_at_edge(scale, mode))


def summarize(records: Records) -> Summary:
    """Judges whether there are six attractors, no spurious ones, and basins other than the Voronoi cells."""
    return judged(
        records,
        lambda record: record.numbers["attractors"],
        lambda record: (
            record.numbers["attractors"] == 6
            and record.numbers["spurious"] == 0
            and record.numbers["voronoi_agreement"] < _AGREEMENT
        ),
        lambda record: record.numbers["attractors"] >= 1,
        _told(records),
        share=0.8,
    )


def _told(records: Records) -> str:
    parts = [
        f"{record.numbers['attractors']} of {record.numbers['cycles']} stored, {record.numbers['spurious']} spurious, "
        f"{100 * record.numbers['labeled']:.0f} % of the area ends in what was stored, "
        f"{100 * record.numbers['voronoi_agreement']:.0f} % in its nearest"
        for record in trained(records)
    ]
    rule = (
        "Reproduced where in four networks of five all six are attractors, no attractor is met that was never stored, "
        f"and less than {100 * _AGREEMENT:.0f} % of the area ends in the nearest point; partly where one point is an "
        "attractor."
    )
    return rule + (" Network by network: " + "; ".join(parts) + "." if parts else "")


def draw(records: Records) -> Sequence[Drawing]:
    """The basins of the network that stores the most."""
    return basin_drawing(
        records,
        "A color is an example, paler where it takes more steps; black lines bound the Voronoi cells; arrows show "
        "f(x) − x.",
    )


EXPERIMENT = Experiment(
    id="fig3",
    title="Fig. 3: six examples in the plane",
    statement="All six examples are attractors, there is no spurious one, and the basins are not the Voronoi cells.",
    paper=6,
    unit="attractors of 6",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    notes="The paper's coordinates, depth and width are lost; chosen here: cosid, Adam at 1e-3 falling along a cosine "
    "to 0, loss 1e-10.",
)
