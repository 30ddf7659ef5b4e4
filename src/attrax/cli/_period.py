"""attrax analyze period."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._maps import MapName
from attrax.cli._options import (
    By,
    Duration,
    Fps,
    Gray,
    Hop,
    Json,
    Mono,
    PatternSource,
    Rate,
    Seed,
    Size,
    Start,
    check_output_folder,
    parse_size,
)
from attrax.cli._output import number, print_json
from attrax.cli._progress import waiting


def period(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A film, a sound, a text, a folder of images, an array, or a memory (.attrax)."
        ),
    ],
    max_lag: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Longest period to look for. [default: 4/5 of the states]", show_default=False
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="noise|frame:I", help="Initial state of a memory. [default: noise]", show_default=False
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=3,
            metavar="N",
            help="Applications of a memory's map. [default: three times its longest cycle, plus 100]",
            show_default=False,
        ),
    ] = None,
    size: Size = None,
    gray: Gray = False,
    fps: Fps = None,
    start: Start = None,
    duration: Duration = None,
    hop: Hop = None,
    rate: Rate = None,
    mono: Mono = False,
    by: By = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure.")] = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """After how many states a recording repeats, from which state on, and on what evidence.

    The evidence is the mean squared difference of states one period apart, compared with the lags just below and above.
    Sound is compared state by state, so its period is a multiple of --hop. Exits with 0 whatever it finds.

    Example: attrax analyze period back.mp4 -o figures --json
    """
    from attrax.analysis import iterated, measured_period
    from attrax.cli._cues import start_of
    from attrax.cli._memory_files import load_memory
    from attrax.report import period_figure, write_figure
    from attrax.sources import read

    if output is not None:
        check_output_folder(output, "--output")
    media: dict[str, Any] = {
        name: value
        for name, value in (
            ("fps", fps),
            ("start", start),
            ("duration", duration),
            ("hop", hop),
            ("rate", rate),
            ("mono", mono or None),
            ("by", by),
        )
        if value is not None
    }
    step, notes = None, ()
    if Path(source).suffix.lower() == ".attrax":
        given = [*media, *(["size"] if size else []), *(["gray"] if gray else [])]
        if given:
            raise ValueError(f"--{given[0]} is for recordings, and {source} is a memory; leave it out")
        memory = load_memory(Path(source), patterns, map_name)
        cue = start_of(memory, "noise" if begin is None else begin, seed)
        longest = max(len(cycle) for cycle in memory.examples().cycles)
        with waiting("iterating"):
            states = iterated(memory, cue, 3 * longest + 100 if steps is None else steps)
        kind, facts = "memory", memory.written.get("media") or {}
    else:
        if begin is not None or steps is not None or patterns:
            name = "--from" if begin is not None else "--steps" if steps is not None else "--patterns"
            raise ValueError(f"{name} is for memories, and {source} is a recording; leave it out")
        part = read(source, kind="sequence", size=parse_size(size), gray=gray, **media)
        states, facts, notes = part.values, part.facts or {}, (*part.skipped, *part.notes)
        kind = facts.get("kind", "array")
    for note in notes:
        typer.echo(f"attrax: {note}", err=True)
    if facts.get("fps"):
        step = 1 / facts["fps"]
    elif facts.get("hop"):
        step = facts["hop"]
    with waiting("comparing"):
        found = measured_period(states, step=step, max_lag=max_lag)
    files = [] if output is None else [str(path) for path in write_figure(period_figure(found), output, "period")]
    record = {
        "file": source,
        "kind": kind,
        "states": found.num_states,
        "status": str(found.status),
        "period": found.period or None,
        "seconds": found.seconds,
        "start": found.start if found.period else None,
        "start_seconds": None if step is None or not found.period else found.start * step,
        "value": found.value,
        "before": found.before,
        "after": found.after,
        "pairs": found.pairs,
        "typical": found.typical,
        "max_lag": found.max_lag,
        "near_return": found.near_return or None,
        "seed": seed if kind == "memory" else None,
        "files": files,
    }
    if as_json:
        print_json(record)
        return 0
    if not found.period:
        print(f"{found.status}: {found.status.advice}")
        if found.near_return:
            print(
                f"near return: after {found.near_return} states, which have moved on in time: the period is no whole number"
            )
    else:
        seconds = "" if found.seconds is None else f" = {found.seconds:.6g} s"
        print(
            f"{found.status}: period {found.period} states{seconds}, from state {found.start} of {found.num_states} on"
        )
        print(
            f"mean squared difference {number(found.value)} over {found.pairs} pairs; one lag below "
            f"{number(found.before)}, one above {number(found.after)}, of two states at random {number(found.typical)}"
        )
    if files:
        print("written: " + ", ".join(files))
    return 0
