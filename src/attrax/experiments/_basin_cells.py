"""Cells of networks in the plane: their basins as numbers and arrays, and back, so that a file is enough to draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax._status import Verdict
from attrax._types import Progress
from attrax.analysis import Basins, Other, Plane, basins
from attrax.experiments._experiment import Drawing, Records
from attrax.experiments._material import reached, stored_numbers, write
from attrax.experiments._plane import train_plane
from attrax.report import basin_map
from attrax.sweeps import CellFound, Work

FRAME = (-1.5, 1.5, -1.5, 1.5)
"""Left, right, bottom and top of what is looked at."""

_GRIDS = ("label", "phase", "other", "outcome", "nearest")


def look(memory: Memory, resolution: int, progress: Progress) -> Basins:
    """The basins of a memory of points in the plane."""
    return basins(memory, extent=FRAME, resolution=resolution, coarse=4, progress=progress)


def num_spurious(found: Basins) -> int:
    """Certified attractors that were met and never stored."""
    return sum(other.verdict is Verdict.ATTRACTOR for other in found.others)


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

    Settings are those of `write`, and `resolution`.
    """
    if settings["mode"] == "paper":
        memory, *_ = train_plane(
            patterns, width=settings["width"], depth=settings["depth"], activation=settings["activation"],
            epochs=settings["epochs"], seed=settings["seed"], progress=work.progress,
        )  # fmt: skip
    else:
        memory = write(patterns, settings, work)
    found = look(memory, settings["resolution"], work.progress)
    assert memory.certificate is not None  # both ways certify
    numbers = stored_numbers(memory) | basin_numbers(found) | {"radii": memory.certificate.spectral_radius}
    return CellFound(numbers, basin_arrays(found), trained=reached(memory))


def basin_drawing(records: Records, caption: str, *, most: str = "attractors") -> Sequence[Drawing]:
    """The basins of the network that has `most` of something, under its name and a caption that goes on from there."""
    there = [record for record in records if record.arrays]
    if not there:
        return ()
    shown = max(there, key=lambda record: record.numbers[most])
    figure = basin_map(unpacked(shown.numbers, shown.arrays))
    return (Drawing(figure, f"Basins of {shown.cell.name}{caption}"),)
