"""The paper's Figures 5, 12 and 13 as cells: one network each, shared by the three."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from attrax._status import StoreStatus
from attrax.experiments._common import StudyData, data_note, study_data
from attrax.experiments._efficiency import (
    EFFICIENCY_SCALES,
    EfficiencyScale,
    EfficiencyStudy,
    EfficiencyTrial,
    efficiency_trial,
)
from attrax.experiments._experiment import LIMITS, Drawing, Records, cell_seed, code_version
from attrax.sweeps import Cell, CellFound, Work

_ARRAYS = ("radii", "eigenvalues")


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network and certifies what it stores."""
    scale = _scale(settings)
    data = study_data("mnist", scale.n, side=scale.side)
    trial = efficiency_trial(
        data.values, scale, mode=settings["mode"], length=settings["length"], depth=settings["depth"],
        width=settings["width"], seed=settings["seed"], progress=work.progress,
    )  # fmt: skip
    numbers = {
        field.name: getattr(trial, field.name)
        for field in fields(trial)
        if field.name not in (*_ARRAYS, "seconds")
    }  # fmt: skip
    numbers |= {"data": data.source, "substitute": data.substitute, "nearest": data.nearest}
    return CellFound(numbers, {name: getattr(trial, name) for name in _ARRAYS}, trained=trial.trained)


def _scale(settings: Mapping[str, Any]) -> EfficiencyScale:
    given: dict[str, Any] = dict(settings["scale"])
    # Tuples came back from JSON as lists.
    given.update({name: tuple(value) for name, value in given.items() if isinstance(value, list)})
    return EfficiencyScale(**given)


def efficiency_cells(scale: str, mode: str, seed: int, *, alone: bool = False) -> Sequence[Cell]:
    """A cell for each network of the study; with `alone` only those that store the examples one by one."""
    size = EFFICIENCY_SCALES[scale]
    # What a single network looks at; the grid and the arrangements around it decide nothing.
    shared = asdict(EfficiencyScale()) | {
        name: getattr(size, name) for name in ("n", "epochs", "seconds", "tol", "activation", "dtype", "side")
    }
    shared |= {"lengths": (1,), "depths": (1,), "widths": (1,), "seeds": (0,)}
    found = []
    for length in size.lengths:
        if alone and length != 1:
            continue
        for depth in size.depths:
            for width in size.widths:
                for number in range(len(size.seeds)):
                    settings = {"scale": shared, "mode": mode, "length": length, "depth": depth, "width": width,
                                "seed": cell_seed(seed, "efficiency", mode, number)}  # fmt: skip
                    name = f"{length}-{depth}x{width}-{mode}-{number}"
                    found.append(
                        Cell("efficiency", name, f"{__name__}:run", settings, code_version(__name__), LIMITS[scale])
                    )
    return found


def study(records: Records) -> EfficiencyStudy | None:
    """The study that these cells are of; `None` where none of them has numbers."""
    known = [record for record in records if record.numbers]
    if not known:
        return None
    settings = [record.cell.settings for record in known]

    def values(name: str) -> tuple[Any, ...]:
        return tuple(sorted({setting[name] for setting in settings}))

    size = {**settings[0]["scale"], "lengths": values("length"), "depths": values("depth"), "widths": values("width"),
            "seeds": values("seed")}  # fmt: skip
    trials = tuple(_trial(record.numbers, record.arrays, record.seconds) for record in known)
    first = known[0].numbers
    data = StudyData(np.zeros(0), first["data"], first["substitute"], first["nearest"])
    return EfficiencyStudy(_scale({"scale": size}), values("mode"), trials, data, sum(t.seconds for t in trials))


def _trial(numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray], seconds: float) -> EfficiencyTrial:
    plain: dict[str, Any] = {f.name: numbers[f.name] for f in fields(EfficiencyTrial) if f.name in numbers}
    plain |= {"status": StoreStatus(plain["status"]), "seconds": seconds, **arrays}
    plain["loss"] = float("nan") if plain["loss"] is None else plain["loss"]
    return EfficiencyTrial(**plain)


def noted(drawn: Any, found: EfficiencyStudy) -> Drawing:
    """A figure with what its networks were trained on."""
    scale, data = found.scale, found.data
    limits = [
        f"at most {scale.epochs:,} epochs" if scale.epochs else "",
        f"{scale.seconds:g} s" if scale.seconds else "",
    ]
    bound = " and ".join(limit for limit in limits if limit)
    caption = (
        f"{scale.n} pictures, {scale.activation}, {len(scale.seeds)} seed(s)"
        + (f"; training: {bound} a network" if bound else "")
        + ". "
        + data_note(data.substitute or data.source, data.source)
    )
    return Drawing(drawn, caption)
