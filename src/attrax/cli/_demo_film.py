"""attrax demo-film."""

from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._cycles import cycle_rows
from attrax.cli._options import Json, Seed, check_output_folder
from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar

Folder = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the memory and the films.")]


def demo_film(output: Folder = Path("attrax-demo"), seed: Seed = 0, as_json: Json = False) -> int:
    """Store a film of 60 frames in one hidden layer, certify the cycle, recall it from pure noise, write it as a film.

    Takes a few seconds on two cores. Writes film.attrax, film.mp4, film.gif and film-strip.png to DIR. Exits with 0 if
    the film is a certified limit cycle, and with 1 if not.

    Example: attrax demo-film -o attrax-demo
    """
    from attrax.demos import demo_film as run

    check_output_folder(output, "--output")
    with progress_bar() as progress:
        made = run(output, seed=seed, progress=progress)
    certificate = made.memory.certificate
    assert certificate is not None  # `store` certifies
    recovered = int(made.recalled.recovered.sum())
    row = cycle_rows(certificate, made.memory.examples())[0]
    if as_json:
        print_json(
            {
                "cycle": row,
                "width": made.width,
                "cues": len(made.recalled.cycle),
                "recovered": recovered,
                "transient": made.recalled.transient[0],
                "psnr_min": made.recalled.psnr_min.min(),
                "file": str(made.file),
                "films": [str(film) for film in made.films],
                "strip": str(made.strip),
                "seconds": made.seconds,
            }
        )
    else:
        print(
            f"cycle of {row['length']}: {row['verdict']}, period {row['period']}, in one hidden layer of "
            f"{made.width} units"
        )
        print(
            f"{recovered}/{len(made.recalled.cycle)} cues of pure noise end in the film; least PSNR "
            f"{number(made.recalled.psnr_min.min())} dB"
        )
        print(f"memory: {made.file} ({made.seconds:.0f} s)")
        print(f"film: {made.films[0]}, {made.films[1]}; strip: {made.strip}")
    return 0 if certificate.all_attractors else 1
