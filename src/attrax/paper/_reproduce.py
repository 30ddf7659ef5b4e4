"""The whole paper: planning the cells, running them, and writing the page."""

import csv
import io
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrax.extending import Progress, Record, checks, write_atomically
from attrax.paper._experiment import GROUPS, MODES, SCALES, USUAL_MODES, Experiment, Outcome, Records, Summary
from attrax.paper._registry import EVERY
from attrax.paper.pages import PAGE_FORMATS, PageCell, PagePart, PageSection, PageTable, write_reproduction
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, ResultStore, default_threads, sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROOM = 60
"""Maximum length of a text in the list of facts of a cell."""
_ROOM_CSV = 2000
"""Maximum length of a text, or of a list as JSON, in the CSV file; longer ones are only mentioned."""

_SEVERAL_MODES = {"both": USUAL_MODES, "all": MODES}
"""Words for several modes."""

Plan = Sequence[tuple[Experiment, str, tuple[Cell, ...]]]
"""Experiments, each in a mode, with their cells."""


@dataclass(frozen=True, slots=True)
class Row(Record):
    """One experiment in one mode.

    **Fields:** `id`; `mode`; `paper`, its number or `None`; `summary`; `unit`; `seeds`, those of all networks, trained
    or not; `seconds`, the total duration of all cells when they ran; `cells`, how many have run; `failed`, how many of
    these failed; `problem`, the error that prevented figures or tables, if any.
    """

    id: str
    mode: str
    paper: float | None
    summary: Summary
    unit: str
    seeds: tuple[int, ...]
    seconds: float
    cells: int
    failed: int
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reproduction(Record):
    """The results of `reproduce`.

    **Fields:** `rows`, one per experiment and mode; `page`; `files`, the page and its other files; `ran` and `known`,
    how many cells ran now and how many were finished before; `failed`, how many of all failed; `jobs` and `threads`,
    the number of processes and threads per process, `None` for a Dask cluster.
    """

    rows: tuple[Row, ...]
    page: Path
    files: tuple[Path, ...]
    ran: int
    known: int
    failed: int
    jobs: int | None
    threads: int | None


def planned(
    ids: Sequence[str] | None = None,
    *,
    scale: str = "quick",
    mode: str = "both",
    seed: int = 0,
    cells: Sequence[str] = (),
    settings: Mapping[str, Any] = MappingProxyType({}),
    registry: Mapping[str, Experiment] = EVERY,
) -> Plan:
    """The cells of each experiment and mode, in order, without running them; with `cells`, only those with these names.

    `settings` replace those of the same name, in every cell that has them.

    **Raises** `ValueError` for a missing or unknown id, an unknown scale, mode or name, a mode that no experiment has,
    and a setting that no cell has.

        >>> [(one.id, mode, len(cells)) for one, mode, cells in planned(["fig3"], scale="smoke")]
        [('fig3', 'paper', 1), ('fig3', 'attrax', 1)]
    """
    checks.one_of("scale", scale, SCALES)
    checks.one_of("mode", mode, (*MODES, *_SEVERAL_MODES))
    seed = checks.integer("seed", seed, most=2**32 - 1)
    given = ["all"] if ids is None else list(dict.fromkeys(ids))
    words = {"all" if group == GROUPS[0] else group: group for group in GROUPS}
    several = {word: [name for name, one in registry.items() if one.group == group] for word, group in words.items()}
    several = {word: names for word, names in several.items() if names}
    for name in given:
        checks.one_of("each experiment", name, (*registry, *several))
    if not given:
        raise ValueError(f"ids must name some of {', '.join(registry)}, or {' or '.join(several)}; got none")
    given = list(dict.fromkeys(one for name in given for one in several.get(name, [name])))
    modes = _SEVERAL_MODES.get(mode, (mode,))
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
    found = _changed(found, settings)
    return [part for part in _chosen(found, cells) if part[2]] if cells else found


def reproduce(
    ids: Sequence[str] | None = None,
    folder: str | os.PathLike[str] = "attrax-paper",
    *,
    scale: str = "quick",
    mode: str = "both",
    seed: int = 0,
    cells: Sequence[str] = (),
    settings: Mapping[str, Any] = MappingProxyType({}),
    jobs: int | None = None,
    threads: int | None = None,
    dask: str | None = None,
    format: str = "html",
    registry: Mapping[str, Experiment] = EVERY,
    progress: Progress | None = None,
) -> Reproduction:
    """Runs experiments of the paper and writes a page that compares the results with the paper.

    Results are kept in `results.sqlite` in the folder; a cell that is finished there never runs again, and after an
    interruption the same call continues. Equal results give an equal page; durations are in `timings.csv`.

    **Arguments:**

    - `ids`: names in `EXPERIMENTS` or `COMPARISONS`, `all` for the former (the default), `rivals` for the latter.
    - `folder`: created if it is missing.
    - `scale`: `smoke`, `quick`, `tables` or `full`.
    - `mode`: `paper`, `edge` or `attrax`; `both` for the first and the last, `all` for the three.
    - `seed`: all seeds are derived from it.
    - `cells`: only cells with these names; the others count as not run.
    - `settings`: such as `{"seconds": 600}`; they replace those of the scale in every cell that has one of this name.
    - `jobs`: number of processes, by default the number of cores; `threads`, `dask`: see `sweep`.
    - `format`: `html` or `md`.
    - `progress`: called with the number of finished cells.

    **Returns:** `Reproduction`. **Raises** `ValueError` for wrong arguments, or if another run writes to the folder,
    before any cell runs; if results or page can't be written; and as `sweep` does. If an experiment fails to summarize
    its cells, only its own part of the page is missing.

    Source: Radhakrishnan, Belkin, Uhler (2020): all figures and tables whose statement is known.

    ```python
    >>> from attrax import paper
    >>> sorted(paper.EXPERIMENTS)[:3]
    ['audio', 'control', 'fig1']
    >>> paper.reproduce(["fig1"], "attrax-paper", scale="smoke")  # doctest: +SKIP

    ```
    """
    checks.one_of("format", format, PAGE_FORMATS)
    jobs = default_threads(1) if jobs is None else checks.integer("jobs", jobs, least=1)
    threads = default_threads(jobs) if threads is None else checks.integer("threads", threads, least=1)
    plan = planned(ids, scale=scale, mode=mode, seed=seed, settings=settings, registry=registry)
    wanted = _chosen(plan, cells)
    folder = Path(folder)
    distinct = {cell.fingerprint: cell for _, _, own in wanted for cell in own}
    with ResultStore(folder / "results.sqlite") as store:
        known = len(store.finished(distinct.values()))
        found = sweep(
            list(distinct.values()),
            store,
            jobs=jobs,
            threads=threads,
            dask=dask,
            checkpoints=None if scale == "smoke" else folder / "checkpoints",
            progress=progress,
        )
        records = dict(zip(distinct, found, strict=True))
        # A table of all cells includes all of them, whichever were requested.
        everything = plan
        if any(one.overview is not None for one, _, _ in plan):
            everything = planned(None, scale=scale, mode=mode, seed=seed, settings=settings, registry=registry)
            for cell in (cell for _, _, own in everything for cell in own if cell.fingerprint not in records):
                if (record := store.get(cell)) is not None:
                    records[cell.fingerprint] = record
    names = ["all"] if ids is None or "all" in ids else list(dict.fromkeys(ids))
    again = _Command(scale, mode, seed, settings)
    rows, sections = _parts(plan, wanted, records, again, everything)
    files = write_reproduction(
        folder,
        sections,
        title=_title(plan),
        facts={**_facts_of_run(again, cells), **_made_with(found)},
        note=_note(scale),
        command=again.of(names, cells, "" if format == "html" else format),
        format=format,
    )
    files = (*files, write_atomically(folder / "timings.csv", _timings(found).encode()), folder / "results.sqlite")
    failed = sum(record.status is CellStatus.FAILED for record in found)
    here = (None, None) if dask is not None else (jobs, threads)
    return Reproduction(tuple(rows), files[0], files, len(found) - known, known, failed, *here)


def _changed(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """The plan with changed settings in the cells that have them. **Raises** `ValueError` for one that no cell has."""
    if not settings:
        return plan
    known = {name for _, _, own in plan for cell in own for name in cell.settings} - {"mode", "seed", "seeds"}
    for name in settings:
        checks.one_of("each of settings", name, sorted(known))
    return [
        (
            one,
            mode,
            tuple(
                replace(cell, settings={name: settings.get(name, value) for name, value in cell.settings.items()})
                for cell in own
            ),
        )
        for one, mode, own in plan
    ]


def _chosen(plan: Plan, names: Sequence[str]) -> Plan:
    """The plan with only the cells of these names, if any are given. **Raises** `ValueError` for an unknown name."""
    if not names:
        return plan
    known = dict.fromkeys(cell.name for _, _, own in plan for cell in own)
    if unknown := [name for name in dict.fromkeys(names) if name not in known]:
        raise ValueError(f"cells must name some of {', '.join(known) or 'none'}; got {', '.join(unknown)}")
    return [(one, mode, tuple(cell for cell in own if cell.name in names)) for one, mode, own in plan]


@dataclass(frozen=True, slots=True)
class _Command:
    """The parts shared by all commands of a page."""

    scale: str
    mode: str
    seed: int
    settings: Mapping[str, Any]

    @property
    def changes(self) -> list[str]:
        """The given settings, as written on the command line."""
        return [f"{name}={json.dumps(value)}" for name, value in self.settings.items()]

    def of(self, ids: Sequence[str], cells: Sequence[str] = (), format: str = "", folder: str = "DIR") -> str:
        words = ["attrax", "reproduce", *ids, "--scale", self.scale, "--mode", self.mode, "--seed", str(self.seed)]
        words += [word for cell in cells for word in ("--cell", cell)]
        words += [word for change in self.changes for word in ("--set", change)]
        words += ["--format", format] if format else []
        return shlex.join([*words, "-o", folder])


def _parts(
    plan: Plan, wanted: Plan, records: Mapping[str, CellRecord], again: _Command, everything: Plan
) -> tuple[list[Row], list[PageSection]]:
    """One row for each experiment and mode, one section for each experiment. An error stays in its own part."""
    rows: list[Row] = []
    sections: dict[str, PageSection] = {}
    for (one, mode, every), (_, _, own) in zip(plan, wanted, strict=True):
        there = [replace(records[cell.fingerprint], cell=cell) for cell in own]
        others = [cell for _, other, cells in everything for cell in cells if other == mode]
        summary, figures, tables, problem = _told(one, there, len(every), others, records)
        failed = sum(record.status is CellStatus.FAILED for record in there)
        seeds = tuple(dict.fromkeys(seed for record in there for seed in record.seeds))
        seconds = sum(record.seconds for record in there)
        rows.append(Row(one.id, mode, one.paper, summary, one.unit, seeds, seconds, len(there), failed, problem))
        command = replace(again, mode=mode)
        cells = [_cell(record, command.of([one.id], [record.cell.name], folder="NEWDIR")) for record in there]
        part = PagePart(
            mode, summary.here, summary.low, summary.high, str(summary.outcome), summary.text, figures, tables, cells
        )
        section = sections.get(one.id) or PageSection(one.id, one.title, one.statement, one.paper, one.unit, one.notes)
        sections[one.id] = replace(section, parts=(*section.parts, part))
    return rows, list(sections.values())


def _told(
    one: Experiment, records: Records, planned: int, others: Sequence[Cell], known: Mapping[str, CellRecord]
) -> tuple[Summary, list[tuple[bytes, str]], list[PageTable], str]:
    """The results of an experiment: summary, figures as PNG with captions, tables, and the error, if any.

    `planned` is the number of cells that it should have; `others` and `known` are for its overview.
    """
    summary = Summary(None, None, None, Outcome.UNFINISHED)
    figures: list[tuple[bytes, str]] = []
    tables: list[PageTable] = []
    problem = ""
    try:
        if records or not planned:
            summary = one.summarize(records)
            tables = list(one.tabulate(records))
            tables += one.overview(others, known) if one.overview is not None else ()
            figures += [(_png(drawing.figure), drawing.caption) for drawing in one.draw(records)]
    except Exception as error:  # one part's error must not cost the page
        lines = str(error).splitlines() or [""]
        problem = f"This part could not be drawn: {type(error).__name__}: {lines[0]}"
    return _checked(summary, records, planned, problem), figures, tables, problem


def _checked(summary: Summary, records: Records, planned: int, problem: str) -> Summary:
    """The summary, marked unfinished if a cell failed or has not run, or a figure could not be drawn."""
    failed, missing = sum(record.status is CellStatus.FAILED for record in records), planned - len(records)
    said = []
    if failed:
        said.append(f"{failed} of {len(records)} cells failed.")
    if missing and not records:
        said.append("No cell has run.")
    elif missing:
        said.append(f"{missing} cell{'s have' if missing > 1 else ' has'} not run.")
    said += [problem] if problem else []
    if not said:
        return summary
    # Some experiments count the failed cells themselves.
    text = " ".join(filter(None, [summary.text, *(sentence for sentence in said if sentence not in summary.text)]))
    return replace(summary, outcome=Outcome.UNFINISHED, text=text)


def _cell(record: CellRecord, command: str) -> PageCell:
    """A cell on the page: its seeds and those of its numbers that fit on a line; the others go to the CSV file."""
    seeds = {"seed": record.seed} if record.seed is not None else {"seeds": " ".join(map(str, record.seeds))}
    facts, more = dict[str, Any](seeds), dict[str, str]()
    for name, value in record.numbers.items():
        if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < _ROOM):
            facts[name] = value
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        more[name] = text if len(text) <= _ROOM_CSV else f"{len(text)} characters, in results.sqlite"
    return PageCell(record.cell.name, str(record.status), facts, record.message, command, more)


def _png(figure: "Figure") -> bytes:
    stream = io.BytesIO()
    # Without the name of the software, the same figure gives the same bytes across versions.
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()


def _facts_of_run(run: _Command, cells: Sequence[str]) -> dict[str, Any]:
    size = f"{run.scale} (of {', '.join(SCALES)}; only full has the paper’s sizes)"
    facts: dict[str, Any] = {"scale": size, "mode": run.mode, "seed": run.seed}
    facts |= {"cells": ", ".join(cells)} if cells else {}
    return facts | ({"settings in place of the scale’s": ", ".join(run.changes)} if run.settings else {})


def _title(plan: Plan) -> str:
    of_rivals = sum(one.group == "rivals" for one, _, _ in plan)
    if not of_rivals:
        return "The paper, made again"
    return "Other memories, side by side" if of_rivals == len(plan) else "The paper, made again, and other memories"


def _note(scale: str) -> str:
    if scale == "full":
        return "The sizes are the paper's, where they are known."
    return f"Verdicts hold at the sizes of the scale {scale}, which are smaller than the paper's."


def _made_with(records: Records) -> dict[str, str]:
    """The machines that ran the cells, each kind once, and whether a folder of data sets was set."""
    makers = [record.made_by for record in records if record.made_by]
    if not makers:
        return {}
    machines = sorted(
        {
            f"attrax {made['attrax']}, JAX {made['jax']}, Python {made['python']}, {made['platform']}, "
            f"{made['cores']} cores, device {made['device']}"
            for made in makers
        }
    )
    named = {made["data_folder"] for made in makers}
    data = "a folder was named by ATTRAX_DATA; what it does not hold was replaced, and captions say so"
    if named == {False}:
        data = "ATTRAX_DATA was not set; pictures that come with packages stand in"
    elif len(named) > 1:
        data = f"for some cells {data}; for others ATTRAX_DATA was not set"
    return {"made with": "; ".join(machines), "data": data}


def _timings(records: Records) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["experiment", "cell", "status", "seconds"])
    for record in records:
        writer.writerow([record.cell.experiment, record.cell.name, str(record.status), f"{record.seconds:.2f}"])
    return stream.getvalue()
