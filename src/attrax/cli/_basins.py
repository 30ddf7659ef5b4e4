"""attrax analyze basins."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import Json, PatternSource, check_output_folder
from attrax.cli._output import percent, print_json
from attrax.cli._progress import progress_bar


def _numbers(text: str | None, option: str, count: int, kind: type) -> tuple[Any, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    try:
        if len(parts) != count:
            raise ValueError
        return tuple(kind(part) for part in parts)
    except ValueError:
        example = "0,1,2" if kind is int else "-1.5,1.5,-1.5,1.5"
        raise ValueError(
            f"{option} must be {count} numbers with commas between, such as {example}; got {text!r}"
        ) from None


@on_devices
def basins(
    file: File,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for basins.png, basins.svg and basins.npz.")
    ] = Path("attrax-basins"),
    plane: Annotated[
        str | None,
        typer.Option(
            metavar="I,J,K",
            help="Show the plane through these three stored examples. [default: 0,1,2; for points in the "
            "plane, the plane itself]",
            show_default=False,
        ),
    ] = None,
    extent: Annotated[
        str | None,
        typer.Option(
            metavar="L,R,B,T",
            help="Left, right, bottom and top of the frame. [default: around the examples]",
            show_default=False,
        ),
    ] = None,
    resolution: Annotated[int, typer.Option(min=2, max=4096, help="Grid points along the longer side.")] = 128,
    coarse: Annotated[
        int, typer.Option(min=1, help="Spacing of the first points, in pixels; 1 iterates every point.")
    ] = 8,
    arrows: Annotated[int, typer.Option(min=0, max=200, help="Arrows along the longer side; 0 for none.")] = 20,
    voronoi: Annotated[
        bool, typer.Option("--voronoi/--no-voronoi", help="Draw the Voronoi cells of the examples.")
    ] = True,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the map.")] = 1000,
    patterns: PatternSource = None,
    map_name: MapName = None,
    as_json: Json = False,
) -> int:
    """Draw basins of attraction on a plane: which initial state ends at which example. Lines mark the Voronoi cells of
    the examples.

    Only the boundaries are computed in full resolution. Writes a picture as PNG and SVG, and the grids as an .npz file.
    Exits with 0 whatever it finds.

    Example: attrax analyze basins faces.attrax --plane 0,1,2 -o figures
    """
    import numpy as np

    from attrax.analysis import basins as basins_of
    from attrax.report import basin_map, save_figure
    from attrax.sources import save_arrays

    through = _numbers(plane, "--plane", 3, int)
    frame = _numbers(extent, "--extent", 4, float)
    check_output_folder(output, "--output")
    memory = load_memory(file, patterns, map_name)
    begun = time.perf_counter()
    with progress_bar() as progress:
        found = basins_of(
            memory,
            plane=through,
            extent=frame,
            resolution=resolution,
            coarse=coarse,
            arrows=arrows,
            max_steps=max_steps,
            progress=progress,
        )
    seconds = time.perf_counter() - begun
    figure = basin_map(found, voronoi=voronoi)
    files = [output / f"basins.{kind}" for kind in ("png", "svg", "npz")]
    save_arrays(
        files[2],
        label=found.label,
        phase=found.phase,
        other=found.other,
        outcome=found.outcome,
        num_steps=found.num_steps,
        evaluated=found.evaluated,
        nearest=found.nearest,
        points=found.points,
        extent=np.array(found.extent),
    )
    save_figure(figure, files[0], dpi=200)
    save_figure(figure, files[1])
    record = basins_record(found) | {"seconds": seconds, "files": [str(path) for path in files]}
    if as_json:
        print_json(record)
        return 0
    rows, columns = found.label.shape
    print(
        f"{columns}×{rows} points, {found.num_evaluations} iterated from ({percent(found.evaluated_fraction)}), {seconds:.1f} s"
    )
    print(
        f"ends in a stored {'cycle' if max(map(len, found.cycles)) > 1 else 'example'}: {percent(found.labeled_fraction)}"
    )
    print(f"in the one of its nearest example: {percent(found.voronoi_agreement)}")
    for outcome, share in found.fractions().items():
        if outcome != "recovered" and share:
            print(f"{outcome}: {percent(share)}")
    for other in record["others"]:
        print(
            f"spurious: {other['points']}, period {other['period']}, spectral radius {other['spectral_radius']:.4g}, {other['verdict']}"
        )
    print("\n".join(record["files"]))
    return 0


def basins_record(found: Any) -> dict[str, Any]:
    """What `attrax analyze basins --json` says of a record, without time and files."""
    import numpy as np

    areas = [float((found.label == number).mean()) for number in range(len(found.cycles))]
    cells = [float((found.nearest == number).mean()) for number in range(len(found.cycles))]
    shown = [number for number in range(len(found.cycles)) if areas[number] or cells[number]]
    return {
        "resolution": list(found.label.shape),
        "extent": list(found.extent),
        "plane": list(found.plane.through),
        "evaluations": found.num_evaluations,
        "evaluated_fraction": found.evaluated_fraction,
        "outcomes": found.fractions(),
        "labeled_fraction": found.labeled_fraction,
        "voronoi_agreement": found.voronoi_agreement,
        "cycles": [
            {
                "number": number,
                "period": len(found.cycles[number]),
                "area": areas[number],
                "voronoi_area": cells[number],
                "largest_num_steps": float(found.num_steps[found.label == number].max()) if areas[number] else None,
            }
            for number in shown
        ],
        "others": [
            {
                "period": len(other.points),
                "points": np.round(other.coordinates, 9).tolist(),
                "spectral_radius": other.spectral_radius,
                "verdict": str(other.verdict),
                "area": float((found.other == number).mean()),
            }
            for number, other in enumerate(found.others)
        ],
        "others_complete": found.others_complete,
    }
