"""The whole paper: which cells an answer needs, their run, and the page."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attrax import _checks
from attrax._files import write_atomically
from attrax._types import Progress
from attrax.experiments._experiment import MODES, SCALES, Experiment, Outcome, Summary
from attrax.experiments._registry import EXPERIMENTS
from attrax.report import PAGE_FORMATS, PageCell, PagePart, PageSection, write_reproduction
from attrax.sweeps import Cell, CellRecord, ResultStore, default_threads, sweep

_ROOM = 60
"""Characters of a text beyond which it is no fact for the list of a cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment in one mode.

    **Fields:** `id`; `mode`; `paper`, its number or `None`; `summary`; `unit`; `seeds`, of the networks that were
    trained; `seconds`, of all cells, as they took when they ran; `cells`, how many there are.
    """

    id: str
    mode: str
    paper: float | None
    summary: Summary
    unit: str
    seeds: tuple[int, ...]
    seconds: float
    cells: int


@dataclass(frozen=True, slots=True, eq=False)
class Reproduction:
    """What `reproduce` made.

    **Fields:** `rows`, one an experiment and mode; `page`; `files`, the page and what lies beside it; `ran` and
    `known`, how many cells ran now and were there before; `jobs` and `threads`, processes that ran them and threads of
    each (those of a Dask cluster are its own).
    """

    rows: tuple[Row, ...]
    page: Path
    files: tuple[Path, ...]
    ran: int
    known: int
    jobs: int
    threads: int


def planned(
    ids: Sequence[str] | None = None,
    *,
    scale: str = "quick",
    mode: str = "both",
    seed: int = 0,
    registry: Mapping[str, Experiment] = EXPERIMENTS,
) -> list[tuple[Experiment, str, tuple[Cell, ...]]]:
    """The cells of each experiment and mode, in order, without running any.

    **Raises** `ValueError` for an unknown id, scale or mode, and where no experiment has the mode.

        >>> [(one.id, mode, len(cells)) for one, mode, cells in planned(["fig3"], scale="smoke")]
        [('fig3', 'paper', 1), ('fig3', 'attrax', 1)]
    """
    _checks.one_of("scale", scale, SCALES)
    _checks.one_of("mode", mode, (*MODES, "both"))
    seed = _checks.integer("seed", seed, most=2**32 - 1)
    given = list(registry) if ids is None or list(ids) == ["all"] else list(dict.fromkeys(ids))
    for name in given:
        _checks.one_of("each experiment", name, (*registry, "all"))
    if "all" in given:
        given = list(registry)
    modes = MODES if mode == "both" else (mode,)
    found = [
        (registry[name], one, tuple(registry[name].cells(scale, one, seed)))
        for name in given
        for one in modes
        if one in registry[name].modes
    ]
    if not found:
        raise ValueError(
            f"mode must be one that {' or '.join(given)} has, {', '.join(registry[given[0]].modes)}; got {mode!r}"
        )
    return found


def reproduce(
    ids: Sequence[str] | None = None,
    folder: str | os.PathLike[str] = "attrax-paper",
    *,
    scale: str = "quick",
    mode: str = "both",
    seed: int = 0,
    cells: Sequence[str] = (),
    jobs: int | None = None,
    threads: int | None = None,
    dask: str | None = None,
    format: str = "html",
    registry: Mapping[str, Experiment] = EXPERIMENTS,
    progress: Progress | None = None,
) -> Reproduction:
    """Runs experiments of the paper and writes a page that sets what came out beside what the paper says.

    Results are kept in `results.sqlite` in the folder; a cell that is finished there never runs again, and after a kill
    the same call goes on. Equal results give an equal page; how long things took is in `timings.csv`.

    **Arguments:**

    - `ids`: names in `EXPERIMENTS`; all by default.
    - `folder`: created where it is missing.
    - `scale`: `smoke`, `quick`, `tables` or `full`. `mode`: `paper`, `attrax` or `both`.
    - `seed`: all seeds follow from it.
    - `cells`: only cells of these names; the others count as not run.
    - `jobs`: processes, by default as many as there are cores; `threads`, `dask`: see `sweep`.
    - `format`: `html` or `md`.
    - `progress`: called with the number of finished cells.

    **Returns:** `Reproduction`. **Raises** `ValueError` for wrong arguments, before any cell runs.

    Source: Radhakrishnan, Belkin, Uhler (2020): every figure and table whose statement is known.
    """
    _checks.one_of("format", format, PAGE_FORMATS)
    jobs = default_threads(1) if jobs is None else _checks.integer("jobs", jobs, least=1)
    threads = default_threads(jobs) if threads is None else _checks.integer("threads", threads, least=1)
    plan = planned(ids, scale=scale, mode=mode, seed=seed, registry=registry)
    wanted = [(one, mode, _only(own, cells)) for one, mode, own in plan]
    if cells and not any(own for _, _, own in wanted):
        names = dict.fromkeys(cell.name for _, _, own in plan for cell in own)
        raise ValueError(f"cells must name some of {', '.join(names) or 'none'}; got {', '.join(cells)}")
    folder = Path(folder)
    distinct = {cell.fingerprint: cell for _, _, own in wanted for cell in own}
    with ResultStore(folder / "results.sqlite") as store:
        known = len(store.finished(distinct.values()))
        sweep(
            list(distinct.values()), store, jobs=jobs, threads=threads, dask=dask,
            checkpoints=None if scale == "smoke" else folder / "checkpoints", progress=progress,
        )  # fmt: skip
        records = {mark: record for mark, cell in distinct.items() if (record := store.get(cell)) is not None}
    rows, sections = [], {}
    for one, part_mode, own in wanted:
        there = [
            CellRecord(cell, found.status, found.numbers, found.arrays, found.seconds, found.message)
            for cell in own
            if (found := records.get(cell.fingerprint)) is not None
        ]
        summary = one.summarize(there)
        full = next(found for known_one, known_mode, found in plan if known_one is one and known_mode == part_mode)
        if len(there) < len(full):
            summary = _unfinished(summary, len(full) - len(there))
        rows.append(_row(one, part_mode, summary, there))
        section = sections.setdefault(one.id, (one, []))
        section[1].append(_part(one, part_mode, summary, there, plan, (scale, seed)))
    pages = [
        PageSection(one.id, one.title, one.statement, one.paper, one.unit, one.notes, tuple(parts))
        for one, parts in sections.values()
    ]
    command = _command(list(sections) if ids is not None and "all" not in ids else ["all"], scale, mode, seed)
    facts = {"scale": f"{scale} (of {', '.join(SCALES)}; only full has the paper’s sizes)", "mode": mode, "seed": seed}
    note = (
        "The sizes are the paper's, where they are known."
        if scale == "full"
        else f"Verdicts hold at the sizes of the scale {scale}, which are smaller than the paper's."
    )
    files = write_reproduction(folder, pages, facts=facts, note=note, command=command, format=format)
    timings = _timings(list(records.values()))
    files = (*files, write_atomically(folder / "timings.csv", timings.encode()), folder / "results.sqlite")
    return Reproduction(tuple(rows), files[0], files, len(records) - known, known, jobs, threads)


def _only(cells: Sequence[Cell], names: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(cell for cell in cells if not names or cell.name in names)


def _unfinished(summary: Summary, missing: int) -> Summary:
    text = f"{summary.text} {missing} cell{'s have' if missing > 1 else ' has'} not run."
    return Summary(summary.here, summary.low, summary.high, Outcome.UNFINISHED, text.strip())


def _row(one: Experiment, mode: str, summary: Summary, records: Sequence[CellRecord]) -> Row:
    seeds = tuple(dict.fromkeys(seed for record in records for seed in record.seeds))
    return Row(one.id, mode, one.paper, summary, one.unit, seeds, sum(r.seconds for r in records), len(records))


def _part(
    one: Experiment,
    mode: str,
    summary: Summary,
    records: Sequence[CellRecord],
    plan: Sequence[tuple[Experiment, str, tuple[Cell, ...]]],
    run: tuple[str, int],
) -> PagePart:
    scale, seed = run
    tables = list(one.tabulate(records))
    if one.overview is not None:
        every = {cell.fingerprint: cell for _, other, own in plan for cell in own if other == mode}
        tables += one.overview(list(every.values()))
    return PagePart(
        mode, summary.here, summary.low, summary.high, str(summary.outcome), summary.text,
        [(drawing.figure, drawing.caption) for drawing in one.draw(records)], tables,
        [
            PageCell(record.cell.name, str(record.status), _facts(record), record.message,
                     _command([one.id], scale, mode, seed, record.cell.name))
            for record in records
        ],
    )  # fmt: skip


def _facts(record: CellRecord) -> dict[str, Any]:
    """The seed or seeds and what of a record's numbers fits on a line."""
    plain = {
        name: value
        for name, value in record.numbers.items()
        if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < _ROOM)
    }
    seeds = {"seed": record.seed} if record.seed is not None else {"seeds": " ".join(map(str, record.seeds))}
    return {**seeds, **plain}


def _command(ids: Sequence[str], scale: str, mode: str, seed: int, cell: str = "") -> str:
    chosen = f" --cell {cell}" if cell else ""
    return f"attrax reproduce {' '.join(ids)} --scale {scale} --mode {mode} --seed {seed}{chosen} -o DIR"


def _timings(records: Sequence[CellRecord]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["experiment", "cell", "status", "seconds"])
    for record in records:
        writer.writerow([record.cell.experiment, record.cell.name, str(record.status), f"{record.seconds:.2f}"])
    return stream.getvalue()
