"""Fig. 7: digits as attractors, and what becomes of digits that were not stored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax._recall import recall
from attrax.experiments._common import data_note, data_source
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated
from attrax.experiments._figures import picture_rows
from attrax.experiments._material import limited, orbit_of, pictures, reached, stored_numbers, write
from attrax.sweeps import Cell, CellFound, CellRecord, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "n": 10,
        "side": 8,
        "unseen": 10,
        "width": 96,
        "depth": 3,
        "epochs": 4000,
        "rate": 1e-3,
        "auto_epochs": 150,
    },
    "quick": {"n": 50, "side": 14, "unseen": 50, "width": 256, "depth": 6, "epochs": 20_000},
    "tables": {"n": 100, "side": 28, "unseen": 100, "width": 512, "depth": 10, "epochs": 50_000},
    "full": {"n": 100, "side": 28, "unseen": 1000, "width": 1024, "depth": 10, "epochs": 1_000_000},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains an autoencoder and iterates it from pictures that were not stored."""
    values = pictures(settings, extra=settings["unseen"])
    examples, unseen = values[: settings["n"]], values[settings["n"] :]
    memory = write(examples, settings, work)
    answer = recall(memory, unseen, max_steps=1000, progress=work.progress)
    once = orbit_of(memory, unseen, (1,))[0]

    def apart(one: np.ndarray, other: np.ndarray) -> list[float]:
        return np.mean((one - other).reshape(len(one), -1) ** 2, axis=1).tolist()

    numbers = stored_numbers(memory) | {
        "unseen": len(unseen),
        "ended_stored": int(answer.recovered.sum()),
        "first_step": float(np.median(apart(once, unseen))),
        "whole_way": float(np.median(apart(answer.value, unseen))),
        "statuses": [str(status) for status in answer.status[:10]],
    }
    arrays = {
        "unseen": unseen[:10].astype(np.float32),
        "once": once[:10].astype(np.float32),
        "limits": answer.value[:10].astype(np.float32),
        "nearest": examples[answer.nearest[:10]].astype(np.float32),
    }
    return CellFound(numbers, arrays, trained=reached(memory))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network a seed."""
    settings = limited({**_SIZES[scale], "source": data_source("mnist"), "activation": "selu"})
    return repeated("fig7", run, settings, scale=scale, mode=mode, seed=seed)


def _all_there(record: CellRecord) -> bool:
    numbers = record.numbers
    return numbers["attractors"] == numbers["cycles"] and numbers["ended_stored"] >= 0.95 * numbers["unseen"]


def _like_identity(record: CellRecord) -> bool:
    return record.numbers["first_step"] < 0.5 * record.numbers["whole_way"]


def summarize(records: Records) -> Summary:
    """Attractors; one step is like the identity, the limit is an example."""
    return judged(
        records,
        lambda record: record.numbers["ended_stored"] / record.numbers["unseen"],
        lambda record: _all_there(record) and _like_identity(record),
        lambda record: (
            _all_there(record) or _like_identity(record) or record.numbers["attractors"] == record.numbers["cycles"]
        ),
        "Reproduced where all examples are attractors, 95 % of the unseen pictures end in one, and the first step "
        "(median mean squared error) is less than half of the whole way.",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Unseen pictures, one step, and their limits, for the first network."""
    shown = next((record for record in records if record.arrays), None)
    if shown is None:
        return ()
    arrays, settings = shown.arrays, shown.cell.settings
    rows = [("not stored", arrays["unseen"]), ("after one step", arrays["once"]), ("limit", arrays["limits"]),
            ("the example nearest to the limit", arrays["nearest"])]  # fmt: skip
    caption = (
        f"{shown.cell.name}: {settings['n']} examples of {settings['side']}×{settings['side']}. "
        f"Median mean squared error of one step {shown.numbers['first_step']:.2g}, of the whole way "
        f"{shown.numbers['whole_way']:.2g}. " + data_note("mnist", settings["source"])
    )
    return (Drawing(picture_rows(rows), caption),)


EXPERIMENT = Experiment(
    id="fig7",
    title="Fig. 7: digits",
    statement="Digits are attractors; of a digit that was not stored one step looks like the identity, while iterating "
    "ends in a stored one.",
    paper=None,
    unit="fraction of unseen pictures that end in an example",
    cells=cells,
    summarize=summarize,
    draw=draw,
    notes="Network and number of examples are lost; SELU is chosen.",
)
