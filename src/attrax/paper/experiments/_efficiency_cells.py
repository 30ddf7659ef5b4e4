"""The paper's Figures 5, 12 and 13 as cells: one network each, shared by the three."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from attrax._base.status import StoreStatus
from attrax.paper.experiments._common import StudyData, data_note, data_source, study_data
from attrax.paper.experiments._efficiency import (
    EFFICIENCY_SCALES,
    EfficiencyScale,
    EfficiencyStudy,
    EfficiencyTrial,
    efficiency_trial,
    trained_of,
)
from attrax.paper.experiments._experiment import (
    LIMITS,
    Drawing,
    Outcome,
    Records,
    Summary,
    cell_seed,
    code_version,
)
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, Work

_WANTED = "mnist"
_ARRAYS = ("radii", "eigenvalues")
_PLACE = ("length", "depth", "width", "seed")
"""Where a network stands in the grid of its study."""
_TRAINING = ("n", "epochs", "seconds", "tol", "activation", "dtype", "side")
"""What a network looks at of its scale; the grid around it decides nothing."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network and certifies what it stores.

    **Raises** `ValueError` where the pictures that the settings name are not there any more: the networks of a study
    must be trained on the same ones.
    """
    scale = _scale(settings)
    data = study_data(_WANTED, scale.n, side=scale.side, source=settings["source"])
    # Going on would give a network more seconds than the others have; without a limit it comes to the same weights.
    checkpoint = work.checkpoint if scale.seconds is None else None
    trial = efficiency_trial(
        data.values,
        scale,
        mode=settings["mode"],
        length=settings["length"],
        depth=settings["depth"],
        width=settings["width"],
        seed=settings["seed"],
        checkpoint=checkpoint,
        progress=work.progress,
    )
    numbers = {
        field.name: getattr(trial, field.name) for field in fields(trial) if field.name not in (*_ARRAYS, "seconds")
    }
    numbers |= {"data": data.source, "substitute": data.substitute, "nearest": data.nearest}
    return CellFound(numbers, {name: getattr(trial, name) for name in _ARRAYS}, trained=trial.trained)


def _scale(settings: Mapping[str, Any]) -> EfficiencyScale:
    """The scale of a study of this one network."""
    place: dict[str, Any] = {f"{name}s": (settings[name],) for name in _PLACE}
    return EfficiencyScale(**place, **{name: settings[name] for name in _TRAINING})


def efficiency_cells(scale: str, mode: str, seed: int, *, alone: bool = False) -> Sequence[Cell]:
    """A cell for each network of the study; with `alone` only those that store the examples one by one."""
    size, version = EFFICIENCY_SCALES[scale], code_version(__name__)
    shared = {name: getattr(size, name) for name in _TRAINING} | {"mode": mode, "source": data_source(_WANTED)}
    found = []
    for length in (1,) if alone else size.lengths:
        for depth in size.depths:
            for width in size.widths:
                for number in range(len(size.seeds)):
                    settings = {
                        **shared,
                        "length": length,
                        "depth": depth,
                        "width": width,
                        "seed": cell_seed(seed, "efficiency", mode, number),
                    }
                    name = f"{length}-{depth}x{width}-{mode}-{number}"
                    found.append(Cell("efficiency", name, f"{__name__}:run", settings, version, LIMITS[scale]))
    return found


def study(records: Records) -> EfficiencyStudy | None:
    """The study that these cells are of; `None` where there are none.

    A cell that ran out of time before it could tell anything is a network that was not trained. One that failed keeps
    its place in the grid, but nothing is known of its network.
    """
    if not records:
        return None
    settings = [record.cell.settings for record in records]
    place = {f"{name}s": tuple(sorted({setting[name] for setting in settings})) for name in _PLACE}
    source = settings[0]["source"]
    nearest = next((record.numbers["nearest"] for record in records if record.numbers), float("nan"))
    data = StudyData(np.zeros(0), source, None if source == _WANTED else _WANTED, nearest)
    trials = tuple(_trial(record) for record in records if record.status is not CellStatus.FAILED)
    modes = tuple(sorted({setting["mode"] for setting in settings}))
    return EfficiencyStudy(replace(_scale(settings[0]), **place), modes, trials, data, sum(t.seconds for t in trials))


def _trial(record: CellRecord) -> EfficiencyTrial:
    told: dict[str, Any] = {
        **{name: record.cell.settings[name] for name in ("mode", *_PLACE)},
        "parameters": 0,
        "writer": "",
        "loss": None,
        "epochs": 0,
        "status": StoreStatus.LOSS_NOT_REACHED,
        "certified": 0,
        "stable": 0,
        **dict.fromkeys(_ARRAYS, np.zeros(0)),
        **record.numbers,
        **record.arrays,
        "seconds": record.seconds,
    }
    plain = {field.name: told[field.name] for field in fields(EfficiencyTrial)}
    plain["status"] = StoreStatus(plain["status"])
    plain["loss"] = float("nan") if plain["loss"] is None else plain["loss"]  # JSON has no NaN
    return EfficiencyTrial(**plain)


def concluded(records: Records, judge: Callable[[EfficiencyStudy], Summary]) -> Summary:
    """What `judge` says of the study of these cells; unfinished where there are none, or some failed."""
    found = study(records)
    if found is None:
        return Summary(None, None, None, Outcome.UNFINISHED, "No cell has run.")
    summary = judge(found)
    failed = sum(record.status is CellStatus.FAILED for record in records)
    if not failed:
        return summary
    text = f"{summary.text} {failed} of {len(records)} cells failed."
    return replace(summary, outcome=Outcome.UNFINISHED, text=text)


def noted(drawn: Any, found: EfficiencyStudy, gray: str) -> Drawing:
    """A figure with what its networks were trained on, how many were, and where some were not what is `gray`."""
    scale, data = found.scale, found.data
    limits = [
        f"at most {scale.epochs:,} epochs" if scale.epochs else "",
        f"{scale.seconds:g} s" if scale.seconds else "",
    ]
    bound = " and ".join(limit for limit in limits if limit)
    count = len(scale.seeds)
    caption = (
        f"{scale.n} pictures, {scale.activation}, {count} seed{'s' * (count > 1)}"
        + (f"; training: {bound} a network" if bound else "")
        + f". {trained_of(found.trials)} networks reached the loss asked for"
        + ("" if all(trial.trained for trial in found.trials) else f"; gray: {gray}")
        + ". "
        + data_note(_WANTED, data.source)
    )
    return Drawing(drawn, caption)
