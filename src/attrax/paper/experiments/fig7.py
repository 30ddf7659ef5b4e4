"""Fig. 7: digits as attractors, and recall from digits that were not stored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax import RecallStatus
from attrax.dynamics import recall
from attrax.paper._experiment import (
    MODES,
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    labeled,
    of_one_network,
    repeated,
)
from attrax.paper._figures import picture_rows
from attrax.paper._networks import iterated_states, network_settings, reached, stored_numbers, write
from attrax.paper._pictures import cut_note, data_note, data_source, limited, pictures, unseen_pictures
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

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
        "edge": {"epochs": 1500},
    },
    "quick": {
        "n": 50,
        "side": 14,
        "unseen": 50,
        "width": 256,
        "depth": 6,
        "epochs": 20_000,
        "edge": {"epochs": 40_000},
    },
    "tables": {"n": 100, "side": 28, "unseen": 100, "width": 512, "depth": 10, "epochs": 50_000},
    "full": {"n": 100, "side": 28, "unseen": 1000, "width": 1024, "depth": 10, "epochs": 1_000_000},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains an autoencoder and iterates it from pictures that were not stored."""
    examples, unseen = pictures(settings), unseen_pictures(settings)
    memory = write(examples, settings, work)
    answer = recall(memory, unseen, max_steps=1000, progress=work.progress)
    once = iterated_states(memory, unseen, (1,))[0]

    def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.mean((one - other).reshape(len(one), -1) ** 2, axis=1)

    # If an iteration diverges, the result holds its last finite state, and its length is infinite.
    lost = np.array([status == RecallStatus.DIVERGED for status in answer.status])
    whole = np.where(lost, np.inf, apart(answer.value, unseen))
    numbers = stored_numbers(memory) | {
        "unseen": len(unseen),
        "ended_stored": int(answer.recovered.sum()),
        "first_step": float(np.median(apart(once, unseen))),
        "whole_way": float(np.median(whole)),
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
    """One network per seed."""
    settings = limited({**_SIZES[scale], "source": data_source("mnist"), "activation": "selu"})
    return repeated("fig7", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def _all_there(record: CellRecord) -> bool:
    numbers = record.numbers
    return numbers["attractors"] == numbers["cycles"] and numbers["ended_stored"] >= 0.95 * numbers["unseen"]


def _like_identity(record: CellRecord) -> bool:
    first, whole = record.numbers["first_step"], record.numbers["whole_way"]
    return first is not None and whole is not None and first < 0.5 * whole


def summarize(records: Records) -> Summary:
    """Judges whether the digits are attractors, one step is close to the identity, and the limit is an example."""
    return judged(
        records,
        lambda record: record.numbers["ended_stored"] / record.numbers["unseen"],
        lambda record: _all_there(record) and _like_identity(record),
        lambda record: record.numbers["attractors"] == record.numbers["cycles"] or _like_identity(record),
        "Reproduced where all examples are attractors, 95 % of the unseen pictures end in one, and the first step "
        "(median mean squared error) is less than half of the whole way; partly where all are attractors, or the first "
        "step is that short.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Unseen pictures, one step, and their limits, for one network."""
    arrays, settings = record.arrays, record.cell.settings
    rows = [
        ("not stored", arrays["unseen"]),
        ("after one step", arrays["once"]),
        ("limit", arrays["limits"]),
        ("the example nearest to the limit", arrays["nearest"]),
    ]
    caption = (
        f"{labeled(record)}: {settings['n']} examples of {settings['side']}×{settings['side']}.{cut_note(settings)} "
        f"Median mean squared error of one step {_error(record, 'first_step')}, of the whole way "
        f"{_error(record, 'whole_way')}. {data_note('mnist', settings['source'])}"
    )
    return (Drawing(picture_rows(rows), caption),)


def _error(record: CellRecord, name: str) -> str:
    """A median, which is infinite if more than half diverged, and is then stored as `None`."""
    value = record.numbers[name]
    return "infinite" if value is None else f"{value:.2g}"


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
    modes=MODES,
    notes="Network and number of examples are lost; SELU is chosen.",
)
