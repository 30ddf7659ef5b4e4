"""Fig. 6: the settings and seeds of everything, made from the cells themselves."""

from collections.abc import Sequence

from attrax.experiments._experiment import Experiment, Outcome, Records, Summary
from attrax.report import PageTable
from attrax.sweeps import Cell


def overview(cells: Sequence[Cell]) -> Sequence[PageTable]:
    """One row a cell of the run: what it belongs to, its seed, its limits, and all other settings."""
    rows = []
    for cell in cells:
        settings = dict(cell.settings)
        seed = settings.pop("seed", "")
        told = ", ".join(f"{name} {_shown(value)}" for name, value in settings.items() if name != "mode")
        rows.append((cell.experiment, cell.name, str(seed), f"{cell.time_limit:g}", told))
    head = ("experiment", "cell", "seed", "seconds at most", "settings")
    return (PageTable("Settings and seeds of every cell of this run.", head, tuple(rows)),)


def _shown(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def summarize(records: Records) -> Summary:
    """Nothing to compare with."""
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
)
