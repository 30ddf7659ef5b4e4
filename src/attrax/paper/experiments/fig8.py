"""Fig. 8: gray pictures as attractors."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import recovery
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
from attrax.paper._networks import network_settings, reached, stored_numbers, write
from attrax.paper._pictures import cut_note, data_note, data_source, limited, pictures
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "n": 10,
        "side": 8,
        "width": 96,
        "depth": 3,
        "epochs": 4000,
        "rate": 1e-3,
        "auto_epochs": 150,
        "edge": {"epochs": 1500},
    },
    "quick": {"n": 50, "side": 16, "width": 256, "depth": 6, "epochs": 20_000},
    "tables": {"n": 100, "side": 32, "width": 512, "depth": 10, "epochs": 50_000},
    "full": {"n": 100, "side": 32, "width": 1024, "depth": 10, "epochs": 1_000_000},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains an autoencoder, and recalls its examples from noisy cues."""
    examples = pictures(settings)
    memory = write(examples, settings, work)
    record = recovery(
        memory, settings["cue"], max_steps=1000, progress=work.progress, key=jr.fold_in(jr.key(settings["seed"]), 1)
    )
    numbers = stored_numbers(memory) | {
        "recovered": int(record.recall.recovered.sum()),
        "neighbor_rates": record.neighbor_rates,
        "statuses": [str(status) for status in record.recall.status[:10]],
    }
    arrays = {
        "examples": examples[:10].astype(np.float32),
        "cues": record.cues[:10].astype(np.float32),
        "limits": record.recall.value[:10].astype(np.float32),
    }
    return CellFound(numbers, arrays, trained=reached(memory))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed."""
    settings = limited(
        {
            **_SIZES[scale],
            "source": data_source("cifar10"),
            "gray": True,
            "activation": "leaky_relu",
            "cue": "gaussian:0.1",
        }
    )
    return repeated("fig8", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether all examples are attractors."""
    return judged(
        records,
        lambda record: record.numbers["attractors"] / record.numbers["cycles"],
        lambda record: record.numbers["attractors"] == record.numbers["cycles"],
        lambda record: record.numbers["attractors"] >= 1,
        "Reproduced where all examples are attractors, partly where one is.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Examples, cues and limits, for one network."""
    arrays, settings = record.arrays, record.cell.settings
    rows = [("stored", arrays["examples"]), (f"cue: {settings['cue']}", arrays["cues"]), ("limit", arrays["limits"])]
    marks = [status == "recovered" for status in record.numbers["statuses"]]
    caption = (
        f"{labeled(record)}: {settings['n']} gray pictures of {settings['side']}×{settings['side']}."
        f"{cut_note(settings)} {data_note('cifar10', settings['source'])}"
    )
    return (Drawing(picture_rows(rows, marks=marks), caption),)


EXPERIMENT = Experiment(
    id="fig8",
    title="Fig. 8: gray pictures",
    statement="CIFAR-10 pictures in gray are attractors.",
    paper=None,
    unit="attractors, fraction of the examples",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    notes="Network and number of examples are lost; Leaky ReLU is chosen.",
)
