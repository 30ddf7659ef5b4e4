"""Cells of networks in the plane: their basins as numbers and arrays, and back, so that a file is enough to draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax._base.status import Verdict
from attrax._base.types import Progress
from attrax.analysis import Basins, Other, Plane, basins
from attrax.memory import Memory
from attrax.paper.experiments._experiment import Drawing, Records, labelled, trained
from attrax.paper.experiments._material import reached, stored_numbers, write
from attrax.paper.experiments._plane import FRAME, PLANE_RECIPE, num_spurious, train_plane
from attrax.paper.sweeps import CellFound, Work
from attrax.patterns import Patterns
from attrax.report import basin_map

_GRIDS = ("label", "phase", "other", "outcome", "nearest")


def look(memory: Memory, resolution: int, progress: Progress) -> Basins:
    """The basins of a memory of points in the plane."""
    return basins(memory, extent=FRAME, resolution=resolution, coarse=4, progress=progress)


def basin_numbers(found: Basins) -> dict[str, Any]:
    """What a cell says of basins, and what `unpacked` needs beside the arrays."""
    return {
        "labelled": found.labelled_fraction,
        "voronoi_agreement": found.voronoi_agreement,
        "spurious": num_spurious(found),
        "basins": {
            "extent": found.extent,
            "cycles": found.cycles,
            "certified": None if found.certified is None else found.certified.tolist(),
            "others": [[str(o.verdict), o.spectral_radius, len(o.points)] for o in found.others],
            "others_complete": found.others_complete,
            "num_evaluations": found.num_evaluations,
        },
    }


def basin_arrays(found: Basins) -> dict[str, np.ndarray]:
    """The grids and points of basins in the plane."""
    arrays = {name: getattr(found, name).astype(np.int16) for name in _GRIDS}
    arrays["num_steps"] = found.num_steps.astype(np.float32)
    arrays["evaluated"] = found.evaluated.astype(np.uint8)
    for name in ("points", "distances", "arrows_at", "arrows"):
        arrays[name] = getattr(found, name)
    at = [other.coordinates for other in found.others]
    arrays["others_at"] = np.concatenate(at) if at else np.zeros((0, 2))
    return arrays


def unpacked(numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Basins:
    """The basins again."""
    facts = numbers["basins"]
    others, begin = [], 0
    for verdict, radius, count in facts["others"]:
        at = arrays["others_at"][begin : begin + count]
        others.append(Other(at, at, Verdict(verdict), float("nan") if radius is None else radius))
        begin += count
    certified = facts["certified"]
    return Basins(
        plane=Plane(np.zeros(2), np.eye(2)),
        extent=tuple(facts["extent"]),
        **{name: arrays[name].astype(int) for name in _GRIDS},
        num_steps=arrays["num_steps"].astype(float),
        evaluated=arrays["evaluated"].astype(bool),
        cycles=tuple(tuple(cycle) for cycle in facts["cycles"]),
        points=arrays["points"],
        distances=arrays["distances"],
        certified=None if certified is None else np.array(certified, bool),
        others=tuple(others),
        others_complete=facts["others_complete"],
        arrows_at=arrays["arrows_at"],
        arrows=arrays["arrows"],
        num_evaluations=facts["num_evaluations"],
    )


def plane_cell(patterns: Patterns, settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains a network on patterns in the plane as the mode says, certifies it, and looks where a grid of starts ends.

    Settings are those of `write`, with the names of `PLANE_RECIPE` in the mode `paper`, and `resolution`.
    """
    if settings["mode"] == "paper":
        names = ("width", "depth", "activation", "epochs", "seed", *PLANE_RECIPE)
        memory, *_ = train_plane(
            patterns, **{name: settings[name] for name in names}, checkpoint=work.checkpoint, progress=work.progress
        )
    else:
        memory = write(patterns, settings, work)
    found = look(memory, settings["resolution"], work.progress)
    assert memory.certificate is not None  # both ways certify
    numbers = stored_numbers(memory) | basin_numbers(found) | {"radii": memory.certificate.spectral_radius}
    return CellFound(numbers, basin_arrays(found), trained=reached(memory))


def basin_drawing(
    records: Records, caption: str, *, most: str = "attractors", told: str = "stores most"
) -> Sequence[Drawing]:
    """The basins of the network that has `most` of something, of the trained ones where there are any.

    Under them stand its name, how it was chosen (`told`, in words), and the caption.
    """
    there = [record for record in records if record.arrays]
    if not there:
        return ()
    good = trained(there)
    best = max(good or there, key=lambda record: record.numbers[most])
    count, kind = len(good or there), "trained" if good else "untrained"
    chosen = "" if count == 1 else f", of {count} {kind} networks the one that {told}"
    figure = basin_map(unpacked(best.numbers, best.arrays))
    return (Drawing(figure, f"Basins of {labelled(best)}{chosen}. {caption}"),)
