"""attrax analyze recovery."""

from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import Json, PatternSource, Seed, check_output_folder
from attrax.cli._output import percent, print_json
from attrax.cli._progress import progress_bar


@on_devices
def recovery(
    file: File,
    corrupt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:LO..HI",
            help="A corruption over six levels, or KIND:LEVEL for one; may be repeated. Join several with "
            "+, as in shift:1..4+occlude:0.5. By default the usual levels of every kind.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Random draws for each example and level.")] = 1,
    clamp: Annotated[
        bool, typer.Option("--clamp/--no-clamp", help="Also recall from the known pixels, restored at each step.")
    ] = True,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 1000,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure.")] = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Recovery curves: how often the stored examples come back, against the strength of the corruption.

    Rates have Wilson's 95 % intervals, and are shown beside nearest-neighbor rules on the same cues. If a corruption
    keeps some pixels, the rate of recall from these alone (recall --known auto) is given too. Every point says whether
    such corruptions were used in training. Exits with 0 whatever it finds.

    Example: attrax analyze recovery faces.attrax --corrupt gaussian:0.1..1.5 --corrupt occlude:0.1..0.9 -o curves
    """
    import jax.random as jr

    from attrax.analysis import recovery_curves
    from attrax.report import curve_figure, write_figure

    if output is not None:
        check_output_folder(output, "--output")
    memory = load_memory(file, patterns, map_name)
    with progress_bar() as progress:
        points = recovery_curves(
            memory,
            corrupt or None,
            repeats=repeats,
            clamp=clamp,
            max_steps=max_steps,
            progress=progress,
            key=jr.key(seed),
        )
    files = [] if output is None else [str(path) for path in write_figure(curve_figure(points), output, "recovery")]
    if as_json:
        print_json({"curves": [point.as_dict() for point in points], "file": str(file), "seed": seed, "files": files})
        return 0
    width = max(len(point.name) for point in points)
    print(
        f"{'corruption':<{width}}  {'rate':>7}  {'95 % interval':>18}  {'clamped':>7}  {'1-NN':>7}  {'best NN':>7}  used in training"
    )
    for point in points:
        low, high = point.interval
        print(
            f"{point.name:<{width}}  {percent(point.rate):>7}  {percent(low) + ' to ' + percent(high):>18}  "
            f"{percent(point.clamped_rate):>7}  {percent(point.one_nn_rate):>7}  {percent(point.best_nn_rate):>7}  "
            f"{point.trained}"
        )
    if files:
        print("written: " + ", ".join(files))
    return 0
