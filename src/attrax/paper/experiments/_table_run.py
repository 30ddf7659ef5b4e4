"""What a cell of the paper's Figures 15 and 16 does when it runs; whatever else decides no result."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from attrax.paper.experiments._common import study_data
from attrax.paper.experiments._tables import COUNTS, TableCell, run_cell
from attrax.paper.sweeps import CellFound, Work


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the networks of one cell and counts what they store.

    **Raises** `ValueError` where the pictures that the settings name are not there any more: a half-trained network
    must not go on with others.
    """
    wanted = table_cell(settings)
    data = study_data("cifar10", wanted.n, side=wanted.side, source=settings["source"])
    found = run_cell(
        wanted, data.values, checkpoint=work.checkpoint if len(wanted.seeds) == 1 else None, progress=work.progress
    )
    trials = [asdict(trial) for trial in found.trials]
    numbers: dict[str, Any] = {"trained": found.trained, "networks": len(trials)}
    for count in COUNTS:
        numbers[count], numbers[f"{count}_of"] = found.stored(count)
    numbers |= {"data": data.source, "substitute": data.substitute, "nearest": data.nearest, "trials": trials}
    return CellFound(numbers, trained=found.trained > 0)


def table_cell(settings: Mapping[str, Any]) -> TableCell:
    """The cell that these settings are of."""
    given: dict[str, Any] = {field.name: settings[field.name] for field in fields(TableCell)}
    given["seeds"] = tuple(settings["seeds"])  # a list after JSON
    return TableCell(**given)
