"""The parts of an experiment: cells to run, a summary that compares them with the paper, and a figure in the paper's
form."""

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.extending import Record, checks
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellRecord, CellStatus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALES = ("smoke", "quick", "tables", "full")
"""From tiny but real (everything in minutes), over an hour and a night, to the paper's sizes."""

MODES = ("paper", "edge", "attrax")
"""`paper`: the paper's optimizer on clean examples at a fixed rate, until the loss is reached, without noise or polish.
`edge`: the same at the largest stable rate, which is kept up after the loss has come down (`training.fit_at_edge`).
`attrax`: this library's own writers."""

USUAL_MODES = ("paper", "attrax")
"""The modes of an experiment that doesn't name its own."""

GROUPS = ("paper", "rivals", "own")
"""`paper`: figures and statements of the paper. `rivals`: tables that other groups published, beside other memories.
`own`: questions of this project."""

SEEDS = {"smoke": 1, "quick": 3, "tables": 3, "full": 5}
"""The number of networks trained for each result, by scale."""

LIMITS = {"smoke": 600.0, "quick": 900.0, "tables": 3 * 3600.0, "full": 48 * 3600.0}
"""Seconds that a cell may take, by scale."""


class Outcome(StrEnum):
    """How the results compare with the paper's statement."""

    REPRODUCED = "reproduced"
    """The paper's statement was confirmed for every seed."""
    PARTLY = "partly"
    """It was confirmed in part, or for some of the seeds."""
    NOT = "not"
    """It was not confirmed."""
    INCONCLUSIVE = "inconclusive"
    """Too few networks reached the requested loss, or too few numbers can be compared, to decide."""
    NOT_TRAINED = "not trained"
    """No network reached the requested loss, so nothing can be said for or against the statement."""
    LOST = "lost"
    """The paper's statement and number are lost, so there is nothing to compare with."""
    UNFINISHED = "unfinished"
    """Some cells have not run, or failed."""


@dataclass(frozen=True, slots=True)
class Summary(Record):
    """The summary of the cells of one experiment in one mode.

    **Fields:**

    - `here`: the number to compare with the paper's, the median over seeds. `low`, `high`: the least and the largest.
    - `outcome`: the `Outcome`.
    - `text`: one sentence about the results.
    """

    here: float | None
    low: float | None
    high: float | None
    outcome: Outcome
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing(Record):
    """A figure of an experiment with the sentences below it."""

    figure: "Figure"
    caption: str


_NO_RESULT = (
    "attrax.paper._experiment",
    "attrax.paper._figures",
    "attrax.paper._law",
    "attrax.paper._rival_tables",
    "attrax.paper.pages",
    "attrax.paper.sweeps",
)
"""Modules, with their submodules, that do not affect results."""

CellMaker = Callable[[str, str, int], Sequence[Cell]]
"""A function of scale, mode and base seed that returns cells."""

Records = Sequence[CellRecord]


@dataclass(frozen=True, slots=True, eq=False)
class Experiment(Record):
    """A figure or statement of the paper, or a table of another one, and how to reproduce it.

    **Fields:**

    - `id`: its name on the command line; `title`: the heading of its section.
    - `statement`: what the paper says.
    - `paper`: its number, if it is printed in the text; `None` if it is lost or was never printed.
    - `unit`: the unit of that number and of ours.
    - `cells`: a function of scale, mode and base seed that returns cells; the same arguments give the same cells.
    - `summarize`: makes a `Summary` from all finished cells of one mode, trained or not.
    - `draw`: makes figures in the paper's form from the same cells; those with nothing to show are omitted.
    - `tabulate`: makes tables in the paper's form from the same cells.
    - `overview`: for an experiment without its own cells: makes tables from the cells of all experiments of a run, in
      one mode, and the records of those that have run, by fingerprint.
    - `modes`: some of `MODES`.
    - `group`: one of `GROUPS`; its name stands for all of its experiments, and `all` for those of the paper.
    - `notes`: text for the page on what is lost or was chosen here.
    """

    id: str
    title: str
    statement: str
    paper: float | None
    unit: str
    cells: CellMaker
    summarize: Callable[[Records], Summary]
    draw: Callable[[Records], Sequence[Drawing]] = field(default=lambda records: ())
    tabulate: Callable[[Records], Sequence[PageTable]] = field(default=lambda records: ())
    overview: Callable[[Sequence[Cell], Mapping[str, CellRecord]], Sequence[PageTable]] | None = None
    modes: tuple[str, ...] = USUAL_MODES
    group: str = "paper"
    notes: str = ""

    def __post_init__(self) -> None:
        if not self.id.isalnum() or not self.id.islower():
            raise ValueError(f"id must be of small letters and digits; got {self.id!r}")
        for mode in self.modes:
            checks.one_of("each of modes", mode, MODES)
        checks.one_of("group", self.group, GROUPS)


def cell(
    experiment: str,
    name: str,
    function: Callable[..., Any],
    settings: Mapping[str, Any],
    *,
    scale: str,
    mode: str,
    seed: int,
    number: int = 0,
) -> Cell:
    """A cell whose seed and code version are derived from its other fields.

    **Arguments:** `experiment`; `name`; `function`, defined at the top level of a module; `settings`, without a seed;
    `scale`, for the time limit; `mode`; `seed`, the base seed; `number`, of the repetition.

    **Returns:** a `Cell`. Its seed depends only on base seed, experiment, mode and number.
    """
    full = {**settings, "mode": mode, "seed": cell_seed(seed, experiment, mode, number)}
    module = function.__module__
    return Cell(experiment, name, f"{module}:{function.__qualname__}", full, code_version(module), LIMITS[scale])


def repeated(
    experiment: str,
    function: Callable[..., Any],
    settings: Mapping[str, Any],
    *,
    scale: str,
    mode: str,
    seed: int,
    name: str = "",
    seeds: int | None = None,
) -> list[Cell]:
    """One cell for each seed of the scale, or for a given number of seeds, named after mode and repetition.

    ```python
    >>> from attrax.paper import repeated
    >>> from attrax.paper.sweeps import echo
    >>> cells = repeated("mine", echo, {"width": 3}, scale="quick", mode="paper", seed=0, seeds=2)
    >>> [cell.name for cell in cells]
    ['paper-0', 'paper-1']

    ```
    """
    count = SEEDS[scale] if seeds is None else seeds
    label = f"{name}-" if name else ""
    return [
        cell(
            experiment, f"{label}{mode}-{number}", function, settings, scale=scale, mode=mode, seed=seed, number=number
        )
        for number in range(count)
    ]


def seeds_at_edge(scale: str, mode: str) -> int | None:
    """The number of networks for `repeated` where one at the edge takes less than a minute: at least five above
    `smoke`."""
    return max(5, SEEDS[scale]) if mode == "edge" and scale != "smoke" else None


def cell_seed(seed: int, *parts: str | int) -> int:
    """A seed below 2³¹, derived from the base seed and the parts of a name.

    >>> cell_seed(0, "fig3", "paper", 0) == cell_seed(0, "fig3", "paper", 0) != cell_seed(1, "fig3", "paper", 0)
    True
    """
    text = "|".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


@cache
def code_version(module: str) -> str:
    """A digest of a module's source and of the files of this package that it imports, directly or not.

    The code of an experiment is in its own files; the library has its own version. The common framework and the figures
    do not affect results and are left out.
    """
    from attrax import __version__

    digest = hashlib.sha256(__version__.encode())
    todo, visited = [module], set()
    while todo:
        name = todo.pop()
        if name in visited:
            continue
        visited.add(name)
        text = _source(name).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            used = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if used.startswith("attrax.paper.") and not used.startswith(_NO_RESULT):
                todo.append(used)
    for name in sorted(visited):
        digest.update(_source(name).read_bytes())
    return digest.hexdigest()[:16]


def _source(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"the function of a cell must lie in a file that can be imported; {module} has none")
    return Path(spec.origin)


def trained(records: Records) -> list[CellRecord]:
    """The records of the cells that reached their target."""
    return [record for record in records if record.status is CellStatus.DONE]


def shown(records: Records) -> CellRecord | None:
    """The record shown in a figure of a single network: the first one trained, else the first with numbers."""
    there = [record for record in records if record.numbers]
    return next(iter([*trained(there), *there]), None)


def of_one_network(
    draw: Callable[[CellRecord], Sequence[Drawing]],
) -> Callable[[Records], Sequence[Drawing]]:
    """Turns figures of a single network into figures of an experiment: for the network that is `shown`, if any."""

    def drawn(records: Records) -> Sequence[Drawing]:
        record = shown(records)
        return () if record is None else draw(record)

    return drawn


def labeled(record: CellRecord) -> str:
    """The name of a cell for captions, with a note if it was not trained.

    The figure of an untrained network shows how far training got, but it always carries this note.
    """
    if record.status is CellStatus.DONE:
        return record.cell.name
    loss = record.numbers.get("loss")
    return f"{record.cell.name} (not trained{'' if loss is None else f', loss {loss:.2g}'})"


def spread(values: Iterable[float | None]) -> tuple[float | None, float | None, float | None]:
    """Median, least and largest of the available values; `None` if there are none.

    >>> spread([3.0, None, 1.0])
    (2.0, 1.0, 3.0)
    """
    there = [float(value) for value in values if value is not None and np.isfinite(value)]
    if not there:
        return None, None, None
    return float(np.median(there)), min(there), max(there)


def judged(
    records: Records,
    value: Callable[[CellRecord], float | None],
    good: Callable[[CellRecord], bool],
    partly: Callable[[CellRecord], bool],
    text: str = "",
    *,
    share: float = 1.0,
) -> Summary:
    """The usual summary: a number and a judgement per seed.

    Reproduced if `good` holds for at least this `share` of the cells, and for one, not reproduced if neither `good` nor
    `partly` holds for any, partly otherwise. A network that was not trained counts against the statement and gives no
    number. If none was trained, nothing can be said.

    ```python
    >>> from attrax import paper
    >>> from attrax.paper.sweeps import Cell, CellRecord, CellStatus
    >>> cells = [Cell("mine", f"seed {seed}", "module:function", {"seed": seed}) for seed in (0, 1)]
    >>> found = [CellRecord(cell, CellStatus.DONE, {"radius": 0.5 + cell.seeds[0]}, {}, 1.0) for cell in cells]
    >>> def radius(record):
    ...     return record.numbers["radius"]
    >>> summary = paper.judged(found, radius, good=lambda one: radius(one) < 1, partly=lambda one: False)
    >>> summary.here, str(summary.outcome)
    (1.0, 'partly')

    ```
    """
    if not records:
        return Summary(None, None, None, Outcome.UNFINISHED, "No cell has run.")
    done = trained(records)
    here, low, high = spread(value(record) for record in done)
    failed = sum(record.status is CellStatus.FAILED for record in records)
    missed = len(records) - len(done) - failed
    right = [good(record) for record in done]
    if failed:
        outcome = Outcome.UNFINISHED
    elif not done:
        outcome = Outcome.NOT_TRAINED
    elif any(right) and sum(right) >= share * len(records):
        outcome = Outcome.REPRODUCED
    elif any(right) or any(partly(record) for record in done):
        outcome = Outcome.PARTLY
    else:
        outcome = Outcome.NOT
    parts = [text] if text else []
    if missed:
        parts.append(f"{missed} of {len(records)} networks were not trained.")
    if failed:
        parts.append(f"{failed} of {len(records)} cells failed.")
    return Summary(here, low, high, outcome, " ".join(parts))


# Numbers of finished cells as texts: a value that was not finite is stored as null and shown as a dash.


def told(value: float | None, form: str = ".2g") -> str:
    """The number in this format, or a dash if there is none.

    >>> told(0.125, ".2f"), told(None), told(float("nan"))
    ('0.12', '–', '–')
    """
    number = numeric(value)
    return "–" if number != number else format(number, form)


def numeric(value: float | None) -> float:
    """The number, or NaN for null, which fails every comparison, as a missing number should.

    >>> numeric(None) < 1
    False
    """
    return float("nan") if value is None else float(value)


def extent(values: list[float | None], form: str = ".2g") -> str:
    """The least and the largest of the available numbers as text.

    >>> extent([0.5, None, 0.25]), extent([1.0, 1.0]), extent([None])
    ('0.25 to 0.5', '1', '–')
    """
    there = sorted(value for value in map(numeric, values) if value == value)
    ends = list(dict.fromkeys(told(value, form) for value in there[:1] + there[-1:]))
    return " to ".join(ends) or "–"
