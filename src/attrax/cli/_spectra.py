"""attrax analyze spectrum and attrax analyze radius."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax._base.arguments import printable
from attrax.cli._cycles import name_of
from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import Json, PatternSource, Seed, check_output_folder
from attrax.cli._output import number, print_json, spread
from attrax.cli._progress import progress_bar

Folder = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="DIR", help="A folder for the figure and the numbers.")
]


def _called(patterns: Any, indices: Any) -> list[str]:
    """The first column of a table: its head and the names of these states, in one width."""
    names = ["example", *(printable(patterns.name(int(index))) for index in indices)]
    width = max(map(len, names))
    return [f"{name:<{width}}" for name in names]


@on_devices
def spectrum(
    file: File,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, metavar="M", help="Eigenvalues for each example; default: one percent."),
    ] = None,
    output: Folder = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """The largest eigenvalues of the Jacobian at each example, with their errors and a bound on all of them.

    Example: attrax analyze spectrum faces.attrax --top 20 -o spectrum --json
    """
    import jax.random as jr
    import numpy as np

    from attrax.analysis import eigenvalue_histogram
    from attrax.certificates import spectrum as compute

    if output is not None:
        check_output_folder(output, "--output")
    memory = load_memory(file, patterns, map_name)
    with progress_bar() as progress:
        found = compute(memory, top=top, progress=progress, key=jr.key(seed))
    histogram = eigenvalue_histogram(found)
    record: dict[str, Any] = {
        "file": str(file),
        "top": found.eigenvalues.shape[1],
        "names": [name_of(memory.patterns, cycle[0]) for cycle in found.cycles],
        "spectral_radius": spread(np.abs(found.eigenvalues[:, 0])),
        "histogram": histogram.as_dict(),
        **found.as_dict(),
    }
    if output is not None:
        from attrax.report import eigenvalue_panels, save_figure
        from attrax.sources import save_arrays

        save_arrays(
            output / "spectrum.npz",
            eigenvalues=found.eigenvalues,
            log_modulus=found.log_modulus,
            residual=found.residual,
            backward_error=found.backward_error,
            upper_bound=found.upper_bound,
            condition=found.condition,
        )
        save_figure(eigenvalue_panels({file.stem: found}), output / "spectrum.png", dpi=150)
        record["files"] = [str(output / "spectrum.npz"), str(output / "spectrum.png")]
    if as_json:
        print_json(record)
        return 0
    called = _called(memory.patterns, [cycle[0] for cycle in found.cycles])
    print(f"{called[0]} {'radius':>10} {'backward':>9} {'condition':>10} {'bound':>10} {'sigma_1':>9}  status")
    for row, status in enumerate(found.status):
        print(
            f"{called[row + 1]} {abs(found.eigenvalues[row, 0]):>10.6f} {found.backward_error[row, 0]:>9.1e} "
            f"{found.condition[row]:>10.3g} {found.upper_bound[row]:>10.6f} {found.largest_singular_value[row]:>9.4f}  "
            f"{status}"
        )
    print(
        f"{record['top']} of {found.dimension} eigenvalues each: mean modulus {number(histogram.mean)}, variance "
        f"{number(histogram.variance)}"
    )
    return 0


@on_devices
def radius(
    file: File,
    directions: Annotated[
        int, typer.Option("--directions", min=0, metavar="N", help="Random directions; 0 turns sampling off.")
    ] = 64,
    confidence: Annotated[float, typer.Option(help="Confidence of the sampled radius, below 1.")] = 0.95,
    max_steps: Annotated[int, typer.Option(min=1, help="Steps after which a sampled state counts as lost.")] = 500,
    output: Folder = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """The radius of each example's basin of attraction: a proved one, and a sampled one with its confidence.

    Example: attrax analyze radius faces.attrax --directions 100 -o radius --json
    """
    import jax.random as jr

    from attrax.certificates import basin_radius

    if output is not None:
        check_output_folder(output, "--output")
    if not 0 < confidence < 1:
        raise ValueError(f"--confidence must lie between 0 and 1; got {confidence:g}")
    memory = load_memory(file, patterns, map_name)
    with progress_bar() as progress:
        found = basin_radius(
            memory,
            num_directions=directions,
            confidence=confidence,
            max_steps=max_steps,
            progress=progress,
            key=jr.key(seed),
        )
    record: dict[str, Any] = {
        "file": str(file),
        "proved": int((found.proved_radius > 0).sum()),
        "proved_radius": {"min": float(found.proved_radius.min()), **spread(found.proved_radius)},
        "sampled_radius": {"min": float(found.sampled_radius.min()), **spread(found.sampled_radius)}
        if directions
        else None,
        "confidence": found.confidence,
        "num_directions": found.num_directions,
        "examples": [{"name": name_of(memory.patterns, row["points"]), **row} for row in found.as_rows()],
    }
    if output is not None:
        from attrax.report import radius_plot, save_figure
        from attrax.sources import save_arrays

        save_arrays(
            output / "radius.npz",
            points=found.points,
            proved_radius=found.proved_radius,
            linear_radius=found.linear_radius,
            sampled_radius=found.sampled_radius,
            share=found.share,
        )
        save_figure(radius_plot(found), output / "radius.png", dpi=150)
        record["files"] = [str(output / "radius.npz"), str(output / "radius.png")]
    if as_json:
        print_json(record)
        return 0
    called = _called(memory.patterns, found.points)
    print(f"{called[0]} {'proved':>10} {'linear':>10} {'sampled':>10} {'share':>7} {'nearest':>9}  status")
    for row, name in enumerate(called[1:]):
        sampled = (
            f"{found.sampled_radius[row]:>10.4g} {found.share[row]:>7.3f}" if directions else f"{'–':>10} {'–':>7}"
        )
        print(
            f"{name} {found.proved_radius[row]:>10.4g} {found.linear_radius[row]:>10.4g} {sampled} "
            f"{found.distance[row]:>9.4g}  {found.status[row]}"
        )
    print(
        f"{record['proved']}/{len(found.points)} with a proved radius; median {number(record['proved_radius']['median'])}"
    )
    return 0
