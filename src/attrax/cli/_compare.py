"""attrax compare."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import (
    Gray,
    Json,
    Number,
    PatternSource,
    Seed,
    Shuffle,
    Size,
    SkipUnreadable,
    check_output_folder,
    load_sources,
)
from attrax.cli._output import number, percent, print_json
from attrax.cli._progress import progress_bar


def compare(
    file: File,
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...", help="More examples, for the question how many fit into a rival's bytes: any source."
        ),
    ] = None,
    corrupt: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:LEVEL", help="A corruption of the cues, or KIND:LO..HI; may be repeated."),
    ] = None,
    rival: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this rival; may be repeated. By default all.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Bytes each rival may use; by default the size of the memory's network.")
    ] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 1000,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure.")] = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    n: Number = None,
    shuffle: Shuffle = False,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Give the same cues to other associative memories: nearest neighbors, Hopfield networks, a denoising autoencoder.

    Each rival stores the same examples, with the best settings that a search on other cues finds. identified: the right
    example is nearest to the answer; recovered: the answer is that example, to a mean square of 1e-7. The second table
    says how many examples each rival stores within the allowed bytes before less than 90 % of the cues come back. Exits
    with 0 whatever it finds.

    Example: attrax compare faces.attrax --corrupt gaussian:0.5 --corrupt occlude:0.5 -o rivals
    """
    import jax.random as jr

    from attrax.analysis import compare as compare_rivals
    from attrax.report import comparison_figure, write_figure

    if output is not None:
        check_output_folder(output, "--output")
    memory = load_memory(file, patterns, map_name)
    options: dict[str, Any] = {"n": n, "shuffle": shuffle, "seed": seed, "size": size, "gray": gray}
    if not more and (n or shuffle or size or gray or skip_unreadable):
        raise ValueError("--n, --shuffle, --size, --gray and --skip-unreadable are for SOURCE, and none is given")
    further = None if not more else load_sources(more, like=memory, skip_unreadable=skip_unreadable, **options).values
    with progress_bar() as progress:
        found = compare_rivals(
            memory,
            corrupt or None,
            rivals=rival or None,
            budget=budget,
            more=further,
            max_steps=max_steps,
            progress=progress,
            key=jr.key(seed),
        )
    files = [] if output is None else [str(path) for path in write_figure(comparison_figure(found), output, "rivals")]
    if as_json:
        print_json(
            {
                "rivals": found.as_rows(),
                "capacities": [one.as_dict() for one in found.capacities],
                "corruptions": list(found.corruptions),
                "examples": found.num_examples,
                "dimension": found.dimension,
                "budget": found.budget,
                "file": str(file),
                "seed": seed,
                "files": files,
            }
        )
        return 0
    print(f"{found.num_examples} examples of {found.dimension} entries; cues: {', '.join(found.corruptions)}")
    print(f"{'':<17} {'identified':>10} {'recovered':>9} {'off by':>9} {'bytes':>13} {'s/recall':>9}  setting")
    for one in found.rivals:
        print(
            f"{one.name:<17} {percent(one.mean_identified):>10} {percent(one.mean_recovered):>9} "
            f"{number(one.distance):>9} {one.num_bytes:>13,} {one.seconds:>9.1e}  {one.setting}"
        )
    print(f"examples within {found.budget:,} bytes at 90 % and more recovered:")
    for one in found.capacities:
        print(
            f"{one.name:<17} {one.num_examples:>10} {percent(one.rate):>9} {one.num_bytes:>23,}  ends at: {one.limit}"
        )
    if files:
        print("written: " + ", ".join(files))
    return 0
