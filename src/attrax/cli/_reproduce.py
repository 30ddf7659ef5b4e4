"""attrax reproduce."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._options import Json, Seed, check_output_folder
from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar

_WORTH_SAYING = 60.0
"""Seconds of training from which on it is said beforehand how long it takes."""


def reproduce(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID...]",
            help="Experiments, as shown by --list; all (those of the paper) by default; rivals: other groups' tables.",
        ),
    ] = None,
    scale: Annotated[str, typer.Option(metavar="SCALE", help="smoke, quick, tables or full.")] = "quick",
    mode: Annotated[
        str, typer.Option(metavar="MODE", help="paper, edge, attrax, both (paper and attrax) or all.")
    ] = "both",
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the page and the results.")
    ] = Path("attrax-paper"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Number of processes; by default one per core.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each process; by default the cores divided by --jobs.")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address of a Dask scheduler whose workers run the cells instead."),
    ] = None,
    cell: Annotated[
        list[str] | None, typer.Option("--cell", metavar="NAME", help="Only cells of this name; may be repeated.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Replace a setting of the scale, such as seconds=600."),
    ] = None,
    page: Annotated[str, typer.Option("--format", metavar="FORMAT", help="Format of the page: html or md.")] = "html",
    listing: Annotated[
        bool, typer.Option("--list", help="List the experiments and their cells without running any.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Reproduce the paper's figures and tables, on a page that compares the results with the paper.

    Scales: smoke is tiny but real and takes a few minutes; quick takes up to an hour; tables takes a night; full has
    the paper's sizes. Modes: paper trains as in the paper; edge does so at the largest stable rate; attrax uses attrax's writers. Each cell (a network and
    everything measured on it) is saved in DIR/results.sqlite when it is done and never runs again, so an interrupted
    run resumes where it stopped. Exits with 0 whatever it finds. Failed cells are counted on stderr, and run again next
    time.

    Example: attrax reproduce all --scale smoke -o paper
    """
    from attrax.extending import checks
    from attrax.paper import expected, pages, planned
    from attrax.paper import reproduce as run

    chosen = ids or None
    settings = dict(map(_setting, change or ()))
    plan = planned(chosen, scale=scale, mode=mode, seed=seed, cells=cell or (), settings=settings)
    if listing:
        return _list(plan, as_json)
    check_output_folder(output, "--output")
    checks.one_of("--format", page, pages.PAGE_FORMATS)
    beforehand = expected(plan, output / "results.sqlite")
    if beforehand.core_seconds > _WORTH_SAYING:
        print(f"attrax: {beforehand.text}", file=sys.stderr)
    with progress_bar() as progress:
        made = run(
            chosen,
            output,
            scale=scale,
            mode=mode,
            seed=seed,
            cells=cell or (),
            settings=settings,
            jobs=jobs,
            threads=threads,
            dask=dask,
            format=page,
            progress=progress,
        )
    _complain(made)
    if as_json:
        print_json(
            {
                "experiments": [_row(row) for row in made.rows],
                "scale": scale,
                "mode": mode,
                "seed": seed,
                "jobs": made.jobs,
                "threads": made.threads,
                "cells_run": made.ran,
                "cells_known": made.known,
                "cells_failed": made.failed,
                "page": str(made.page),
                "files": [str(path) for path in made.files],
            }
        )
        return 0
    width = max(len(row.id) for row in made.rows)
    verdict = max(len("verdict"), *(len(row.summary.outcome) for row in made.rows))
    print(f"{'':<{width}}  {'mode':<6}  {'verdict':<{verdict}}  {'paper':>7}  {'here':>7}  {'failed':>6}  unit")
    for row in made.rows:
        summary = row.summary
        print(
            f"{row.id:<{width}}  {row.mode:<6}  {summary.outcome:<{verdict}}  {number(row.paper):>7}  "
            f"{number(summary.here):>7}  {row.failed:>6}  {row.unit}"
        )
    where = "on Dask" if made.jobs is None else f"{made.jobs} processes of {made.threads} threads"
    print(f"{made.ran} cells ran ({where}), {made.known} were there, {made.failed} failed")
    print(f"page: {made.page.resolve()}")
    return 0


def _setting(text: str) -> tuple[str, Any]:
    """Name and value of `NAME=VALUE`; the value as JSON, or a text where it is none."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"--set must be written NAME=VALUE, such as seconds=600; got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _complain(made: Any) -> None:
    """What went wrong, on stderr: that is no wrong usage, and the page is written all the same."""
    for row in made.rows:
        if row.problem:
            print(f"attrax: {row.id} ({row.mode}): {row.problem}", file=sys.stderr)
    if made.failed:
        print(f"attrax: {made.failed} cell{'s' * (made.failed != 1)} failed; see the page", file=sys.stderr)


def _row(row: Any) -> dict[str, Any]:
    summary = row.summary
    return {
        "id": row.id,
        "mode": row.mode,
        "paper": row.paper,
        "here": summary.here,
        "low": summary.low,
        "high": summary.high,
        "unit": row.unit,
        "verdict": str(summary.outcome),
        "text": summary.text,
        "seeds": row.seeds,
        "seconds": row.seconds,
        "failed": row.failed,
    }


def _list(plan: Any, as_json: bool) -> int:
    if as_json:
        print_json(
            {
                "experiments": [
                    {
                        "id": one.id,
                        "mode": mode,
                        "title": one.title,
                        "paper": one.paper,
                        "unit": one.unit,
                        "statement": one.statement,
                        "cells": [cell.name for cell in cells],
                        "seeds": [seed for cell in cells for seed in cell.seeds],
                    }
                    for one, mode, cells in plan
                ]
            }
        )
        return 0
    width = max(len(one.id) for one, _, _ in plan)
    for one, mode, cells in plan:
        named = ", ".join(cell.name for cell in cells) or "made from the cells of the others"
        print(f"{one.id:<{width}}  {mode:<6}  {one.title} ({named})")
    return 0
