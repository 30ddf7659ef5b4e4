"""An open question of the paper: is memorization a kind of generalization, from examples to states near them?"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import recovery_curves
from attrax.paper._experiment import (
    MODES,
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    labeled,
    numeric,
    repeated,
    told,
    trained,
)
from attrax.paper._figures import BLUE, GRAY, VERMILION, plain_axes
from attrax.paper._networks import network_settings, reached, stored_numbers, write
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 10, "side": 8, "width": 96, "depth": 3, "epochs": 4000, "rate": 1e-3, "auto_epochs": 150},
    "quick": {"n": 50, "side": 28, "width": 256, "depth": 6, "epochs": 20_000},
    "tables": {"n": 100, "side": 28, "width": 512, "depth": 8, "epochs": 50_000},
    "full": {"n": 500, "side": 28, "width": 1024, "depth": 10, "epochs": 1_000_000},
}
CUES = ("gaussian:0.1", "gaussian:0.3", "gaussian:1", "occlude:0.5", "drop:0.5", "block:0.25", "half:right,0.5")
_RATES = ("rate", "euclidean", "best")


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores pictures, and recalls each from cues that are not used in training but in the mode `attrax`."""
    memory = write(pictures(settings), settings, work)
    key = jr.fold_in(jr.key(settings["seed"]), 1)
    points = recovery_curves(memory, CUES, clamp=False, progress=work.progress, key=key)
    found = [
        {
            "cue": name,
            "rate": point.rate,
            "seen": point.trained,
            "euclidean": point.neighbor_rates["euclidean"],
            "best": max(point.neighbor_rates.values()),
        }
        for name, point in zip(CUES, points, strict=True)
    ]
    return CellFound(stored_numbers(memory) | {"cues": found}, {}, trained=reached(memory))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One memory per seed."""
    settings = limited({**_SIZES[scale], "source": data_source("mnist"), "gray": True, "activation": "leaky_relu"})
    settings |= {"edge": {"activation": "cosid", "epochs": 1500 if scale == "smoke" else 20_000}}
    return repeated("general", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def _mean(record: Any, name: str) -> float:
    return float(np.mean([numeric(cue[name]) for cue in record.numbers["cues"]]))


def summarize(records: Records) -> Summary:
    """Judges whether recovery over all cues is at least that of the nearest neighbor."""
    return judged(
        records,
        lambda record: _mean(record, "rate"),
        lambda record: _mean(record, "rate") >= _mean(record, "euclidean"),
        lambda record: any(numeric(cue["rate"]) > numeric(cue["euclidean"]) for cue in record.numbers["cues"]),
        "Reproduced where, as a mean over the cues, at least as many examples come back as the Euclidean nearest "
        "neighbor names; partly where more come back of any one kind of cue.",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Recovery by kind of cue compared with the nearest neighbor, as means over the seeds."""
    done = trained(records) or [record for record in records if record.numbers]
    if not done:
        return ()
    figure, grid = plain_axes(6.0, 3.2)
    places = np.arange(len(CUES))
    labels = ("this memory", "Euclidean nearest neighbor", "best of the fixed metrics")
    for number, (name, label, color) in enumerate(zip(_RATES, labels, (BLUE, VERMILION, GRAY), strict=True)):
        means = [np.mean([numeric(record.numbers["cues"][place][name]) for record in done]) for place in places]
        grid[0, 0].bar(places + 0.27 * (number - 1), means, width=0.25, color=color, label=label)
    grid[0, 0].set(ylabel="recovered", ylim=(0, 1.3), xticks=places, yticks=np.linspace(0, 1, 6))
    grid[0, 0].set_xticklabels(CUES, rotation=25, ha="right")
    grid[0, 0].legend(fontsize=8, frameon=False, ncols=3, loc="upper center")
    settings = done[0].cell.settings
    used = [
        cue["cue"] + ("" if str(cue["seen"]) == "yes" else f" ({cue['seen']})")
        for cue in done[0].numbers["cues"]
        if str(cue["seen"]) != "no"
    ]
    caption = (
        f"{', '.join(map(labeled, done))}: {settings['n']} pictures; kinds used in training: "
        f"{', '.join(used) or 'none'}. " + data_note("mnist", settings["source"])
    )
    return (Drawing(figure, caption),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every rate of every network."""
    rows = [
        (labeled(record), cue["cue"], str(cue["seen"]), *(told(cue[name], ".2f") for name in _RATES))
        for record in records
        for cue in record.numbers.get("cues", ())
    ]
    rows += [
        (labeled(record), "mean of all", "", *(told(_mean(record, name), ".2f") for name in _RATES))
        for record in records
        if record.numbers
    ]
    head = ("network", "cue", "used in training", "recovered", "Euclidean nearest neighbor", "best of the metrics")
    caption = "Fractions of the examples. The best of the fixed metrics is chosen for each cue by its outcome."
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="general",
    title="Open question: generalization as recovery",
    statement="A memory generalizes from its examples to corrupted ones: at least as many of them come back as "
    "the nearest neighbor names.",
    paper=None,
    unit="recovered, mean over seven cues",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    tabulate=tabulate,
    notes="The paper asks how memorization and generalization are related; kinds and levels are chosen here.",
)
