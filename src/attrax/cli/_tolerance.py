"""attrax analyze tolerance."""

from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import Json, PatternSource, Seed, check_output_folder
from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar


@on_devices
def tolerance(
    file: File,
    copies: Annotated[int, typer.Option(min=1, help="Noisy copies of each example at each strength.")] = 100,
    rate: Annotated[float, typer.Option(help="Fraction of copies that must come back (more than this).")] = 0.9,
    precision: Annotated[float, typer.Option(help="Relative width of the bracket around each strength.")] = 0.05,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 1000,
    within: Annotated[
        float | None,
        typer.Option(help="Count a copy as recovered this close to the example (Euclidean), attractor or not."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure.")] = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Noise tolerance: the strongest Gaussian noise from which each stored example nearly always comes back.

    For each example: the largest standard deviation at which more than --rate of its noisy copies come back, and the
    largest singular value of the Jacobian. Exits with 0 whatever it finds.

    Example: attrax analyze tolerance faces.attrax --copies 2000 -o tolerance
    """
    import jax.random as jr
    import numpy as np

    from attrax.analysis import noise_tolerance
    from attrax.report import tolerance_figure, write_figure

    if output is not None:
        check_output_folder(output, "--output")
    memory = load_memory(file, patterns, map_name)
    with progress_bar() as progress:
        found = noise_tolerance(
            memory,
            copies=copies,
            rate=rate,
            precision=precision,
            max_steps=max_steps,
            within=within,
            progress=progress,
            key=jr.key(seed),
        )
    files = [] if output is None else [str(path) for path in write_figure(tolerance_figure(found), output, "tolerance")]
    quartiles = np.quantile(np.where(np.isinf(found.sigma), np.finfo(float).max, found.sigma), (0.25, 0.75))
    record = {
        "examples": [
            row | {"unbounded": bool(np.isinf(sigma))} for row, sigma in zip(found.as_rows(), found.sigma, strict=True)
        ],
        "median": found.median,
        "least": float(found.sigma.min()),
        "rank_correlation": found.rank_correlation,
        "rate": found.rate,
        "copies": found.copies,
        "within": found.within,
        "file": str(file),
        "seed": seed,
        "files": files,
    }
    if as_json:
        print_json(record)
        return 0
    lower, upper = (float("inf") if end == np.finfo(float).max else float(end) for end in quartiles)
    print(f"noise that more than {100 * rate:g} % of {copies} copies come back from, over {len(found.sigma)} examples:")
    print(
        f"median {number(found.median)}, quartiles {number(lower)} and {number(upper)}, least {number(record['least'])}"
    )
    print(
        f"largest singular value: median {number(float(np.median(found.largest_singular_value)))}; rank correlation "
        f"with the tolerance: {number(None if np.isnan(found.rank_correlation) else found.rank_correlation)}"
    )
    if files:
        print("written: " + ", ".join(files))
    return 0
