"""attrax analyze nearest."""

from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName
from attrax.cli._memory_files import load_memory
from attrax.cli._options import Json, Seed, check_output_folder
from attrax.cli._output import percent, print_json
from attrax.cli._progress import progress_bar


@on_devices
def nearest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Memories written by attrax store.")],
    corrupt: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:LO..HI", help="A corruption over six levels, or KIND:LEVEL; may be repeated."),
    ] = None,
    rule: Annotated[
        str, typer.Option(metavar="NAME", help="Rule of the nearest neighbor: euclidean, cosine or correlation.")
    ] = "euclidean",
    repeats: Annotated[int, typer.Option(min=1, help="Random draws for each example and level.")] = 1,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 1000,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure.")] = None,
    map_name: MapName = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Does a memory answer as the nearest neighbor does? Both get the same corrupted examples.

    For each corruption and level: how often each is right, and how often both give the same answer. For several
    memories (other sizes of the same pictures, or other depths), the mean agreement is drawn against size and depth.
    Exits with 0 whatever it finds.

    Example: attrax analyze nearest faces.attrax --corrupt gaussian:0.1..1.5 --corrupt drop:0.1..0.9 -o nearest
    """
    import jax.random as jr
    import numpy as np

    from attrax.analysis import nearest_agreement
    from attrax.maps import describe
    from attrax.report import agreement_figure, write_figure

    if output is not None:
        check_output_folder(output, "--output")
    names = _names(files)
    if map_name is not None and len(files) > 1:
        raise ValueError(f"--map names the map of one memory; got {len(files)} files: give one FILE with it")
    memories = [load_memory(file, None, map_name) for file in files]
    found, sizes = {}, {}
    with progress_bar() as progress:
        for name, memory in zip(names, memories, strict=True):
            found[name] = nearest_agreement(
                memory,
                corrupt or None,
                rule=rule,
                repeats=repeats,
                max_steps=max_steps,
                progress=progress,
                key=jr.key(seed),
            )
            sizes[name] = (int(np.prod(memory.examples().shape)), describe(memory.map).depth or 0)
    written = []
    if output is not None:
        written = [str(path) for path in write_figure(agreement_figure(found, sizes), output, "nearest")]
    record = {
        "memories": [
            {
                "file": str(file),
                "name": name,
                "entries": sizes[name][0],
                "depth": sizes[name][1] or None,
                "mean_agreement": float(np.mean([point.agreement for point in found[name]])),
                "points": [point.as_dict() for point in found[name]],
            }
            for file, name in zip(files, names, strict=True)
        ],
        "rule": rule,
        "seed": seed,
        "files": written,
    }
    if as_json:
        print_json(record)
        return 0
    for row in record["memories"]:
        print(
            f"{row['name']}: {row['entries']} entries per state, {row['depth'] or '–'} hidden layers, mean agreement "
            f"with {rule} 1-NN {percent(row['mean_agreement'])}"
        )
        points = found[row["name"]]
        width = max(len(point.name) for point in points)
        print(f"{'corruption':<{width}}  {'memory':>7}  {'1-NN':>7}  {'one answer':>10}  {'alike and wrong':>15}")
        for point in points:
            print(
                f"{point.name:<{width}}  {percent(point.rate):>7}  {percent(point.neighbor_rate):>7}  "
                f"{percent(point.agreement):>10}  {percent(point.same_wrong / point.cues):>15}"
            )
    if written:
        print("written: " + ", ".join(written))
    return 0


def _names(files: list[Path]) -> list[str]:
    """Short names that differ: file names without their ending where these do, else paths as given."""
    stems = [file.stem for file in files]
    names = stems if len(set(stems)) == len(stems) else [str(file) for file in files]
    if len(set(names)) < len(names):
        raise ValueError(f"each memory must be named once; got {', '.join(names)}")
    return names
