"""The paper's own recipe by activation and optimizer: does a network store what it interpolates?"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrax.paper._experiment import Experiment, Records, Summary, judged, labeled, repeated, told, trained
from attrax.paper._networks import network_settings, reached, stored_numbers, write
from attrax.paper._pictures import data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "width": 32, "depth": 2, "epochs": 4000, "rate": 1e-3, "edge": {"epochs": 1500}},
    "quick": {"n": 20, "side": 28, "width": 128, "depth": 10, "epochs": 30_000},
    "tables": {"n": 100, "side": 28, "width": 256, "depth": 10, "epochs": 100_000},
    "full": {"n": 100, "side": 28, "width": 1024, "depth": 10, "epochs": 1_000_000},
}
_ACTIVATIONS = {
    "paper": ("selu", "leaky_relu", "cosid", "sinusoid"),
    "edge": ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid"),
}
_OPTIMIZERS = {"paper": ("adam", "rmsprop"), "edge": ("rmsprop", "adam", "momentum", "gd")}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network and certifies what it stores."""
    memory = write(pictures(settings), settings, work)
    return CellFound(stored_numbers(memory), trained=reached(memory))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network for each activation, optimizer and seed; the same seeds for all."""
    settings = network_settings(limited({**_SIZES[scale], "source": data_source("mnist")}), mode)
    return [
        cell
        for activation in _ACTIVATIONS[mode]
        for optimizer in _OPTIMIZERS[mode]
        for cell in repeated(
            "recipe",
            run,
            {**settings, "activation": activation, "optimizer": optimizer},
            scale=scale,
            mode=mode,
            seed=seed,
            name=f"{activation}-{optimizer}",
        )
    ]


def summarize(records: Records) -> Summary:
    """Judges whether every network that interpolates stores all examples."""
    whole = sum(record.numbers["attractors"] == record.numbers["cycles"] for record in trained(records))
    return judged(
        records,
        lambda record: record.numbers["attractors"] / record.numbers["cycles"],
        lambda record: record.numbers["attractors"] == record.numbers["cycles"],
        lambda record: record.numbers["attractors"] >= 1,
        f"{whole} of the {len(trained(records))} networks that reached their loss store all examples. Reproduced where "
        "every network reaches its loss and stores all, partly where one of them stores some.",
    )


def tabulate(records: Records) -> Sequence[PageTable]:
    """One row per network."""
    rows = [
        (
            labeled(record),
            told(numbers["loss"], ".1e"),
            told(numbers["epochs"], "g"),
            *(str(count) for count in _counts(numbers)),
            str(numbers["radius_below_one"]),
            told(numbers["radius_median"], ".3f"),
            told(numbers["radius_max"], ".3f"),
            numbers["status"].replace("_", " "),
        )
        for record in records
        if (numbers := record.numbers)
    ]
    head = (
        "network",
        "loss",
        "epochs",
        "attractors",
        "not",
        "inconclusive",
        "radius < 1",
        "median radius",
        "largest",
        "status",
    )
    caption = (
        "Certificates at the refined fixed point near each example. “Radius < 1” counts spectral radii alone, whether "
        "or not there is a fixed point that belongs to the example."
    )
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


def _counts(numbers: Mapping[str, Any]) -> tuple[int, int, int]:
    """The number of examples by verdict: attractors, certainly not attractors, inconclusive."""
    stored, open_ones = numbers["attractors"], numbers["inconclusive"]
    return stored, numbers["cycles"] - stored - open_ones, open_ones


EXPERIMENT = Experiment(
    id="recipe",
    title="The recipe: activations and optimizers",
    statement="A network that was trained to give back its examples, without noise, has them as attractors.",
    paper=None,
    unit="attractors, fraction of the examples",
    cells=cells,
    summarize=summarize,
    tabulate=tabulate,
    modes=("paper", "edge"),
    notes="Figs. 15 and 16 ask the same of other pictures and of the spectral radius alone; here every verdict counts.",
)
