"""Fig. 6: the settings and seeds of all networks, taken from the cells themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrax.paper._experiment import MODES, Experiment, Outcome, Records, Summary
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellRecord


def overview(cells: Sequence[Cell], records: Mapping[str, CellRecord]) -> Sequence[PageTable]:
    """One row for each distinct cell: its experiment, its seed, its limits, all other settings, and its network.

    The network and the choices of a writer are among the numbers of a cell, so they are given only for cells that ran:
    `records`, by fingerprint.
    """
    rows = []
    for cell in {cell.fingerprint: cell for cell in cells}.values():
        settings = dict(cell.settings)
        seed = settings.pop("seed", "")
        settings.pop("mode", None)
        rows.append(
            (
                cell.experiment,
                cell.name,
                str(seed),
                f"{cell.time_limit:g}",
                _listed(settings),
                _network(records.get(cell.fingerprint)),
            )
        )
    head = ("experiment", "cell", "seed", "seconds at most", "settings", "network, and what its writer chose")
    caption = (
        "Settings and seeds of every cell of this scale and mode; one that several experiments look at stands once. "
        "What a network came to is told of those in this folder."
    )
    return (PageTable(caption, head, tuple(rows)),)


def _network(record: CellRecord | None) -> str:
    numbers = {} if record is None else record.numbers
    parts = [numbers["network"]] if "network" in numbers else []
    if "chosen" in numbers:
        parts += [f"attempts {numbers['attempts']}", _listed(numbers["chosen"])]
    return ", ".join(parts)


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in settings.items())


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "/".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def summarize(records: Records) -> Summary:
    """There is nothing to compare with."""
    return Summary(None, None, None, Outcome.LOST, "The paper's table is lost; this is ours.")


EXPERIMENT = Experiment(
    id="fig6",
    title="Fig. 6: all settings and seeds",
    statement="A table of the settings and seeds of every network.",
    paper=None,
    unit="",
    cells=lambda scale, mode, seed: (),
    summarize=summarize,
    overview=overview,
    modes=MODES,
)
