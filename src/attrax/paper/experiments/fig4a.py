"""Fig. 4a: a film as one cycle."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrax.paper._cycles import sequence_cell, sequence_table, start_note, summarize_cycle
from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, labeled, of_one_network, repeated
from attrax.paper._figures import picture_rows
from attrax.paper._networks import network_settings
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.patterns import Patterns
from attrax.sources import load_sequence

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "frames": 12,
        "side": 12,
        "width": 128,
        "depth": 2,
        "epochs": 4000,
        "rate": 1e-3,
        "auto_epochs": 150,
        "cues": 8,
        "edge": {"epochs": 1500},
    },
    "quick": {
        "frames": 40,
        "side": 24,
        "width": 256,
        "depth": 3,
        "epochs": 20_000,
        "cues": 20,
        "edge": {"epochs": 30_000},
    },
    "tables": {
        "frames": 200,
        "side": 64,
        "width": 1024,
        "depth": 3,
        "epochs": 50_000,
        "cues": 20,
        "edge": {"coordinates": 0, "epochs": 30_000, "seconds": 7_200},
    },
    "full": {
        "frames": 389,
        "side": 128,
        "width": 1024,
        "depth": 3,
        "epochs": 1_000_000,
        "cues": 20,
        "edge": {"coordinates": 0, "epochs": 100_000, "seconds": 150_000},
    },
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores the film as one cycle and recalls it from noise."""
    side, count = settings["side"], settings["frames"]
    # The frames are spread over the whole film, so that the states are as far apart as possible.
    values = load_sequence("pan", size=(side, side), gray=True, fps=count / 32).values[:count]
    return sequence_cell(Patterns.from_cycles([values]), settings, work)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed."""
    settings = {**_SIZES[scale], "activation": "relu", "noise": "uniform", "max_steps": 4096, "shown": 10}
    return repeated("fig4a", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether the whole film is one stable cycle that noise ends in."""
    return summarize_cycle(records, "film")


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """The path of one start, for one network."""
    rows = [
        ("the film, from its first frame", record.arrays["points"]),
        ("from noise, step by step", record.arrays["way"]),
    ]
    settings = record.cell.settings
    return (
        Drawing(
            picture_rows(rows),
            f"{labeled(record)}: {settings['frames']} frames of {settings['side']}×{settings['side']}. "
            f"{start_note(record)} Data: a slow pan over scikit-image's photographs in place of the paper's film.",
        ),
    )


EXPERIMENT = Experiment(
    id="fig4a",
    title="Fig. 4a: a film",
    statement="A film of 389 frames is a stable cycle; iterating from noise plays it.",
    paper=389,
    unit="frames in a stable cycle",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    tabulate=sequence_table,
    notes="The released recording repeats after 382 frames, not 389. The network is lost; depth and width are chosen.",
)
