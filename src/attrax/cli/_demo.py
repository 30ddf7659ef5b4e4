"""attrax demo."""

from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._certify import totals
from attrax.cli._options import Json, Seed, check_output_folder
from attrax.cli._output import print_json
from attrax.cli._progress import progress_bar

Folder = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the page and the memory.")]


def demo(output: Folder = Path("attrax-demo"), seed: Seed = 0, as_json: Json = False) -> int:
    """Store 100 photographs of faces, certify each, recall them from corrupted cues, and write a page about it.

    Takes about a minute on two cores and needs no internet. Writes index.html, faces.attrax and strip.png to DIR. Exits
    with 0 if all are certified attractors, and with 1 if not.

    Example: attrax demo -o attrax-demo
    """
    from attrax.demos import demo as run
    from attrax.report import table

    check_output_folder(output, "--output")
    with progress_bar() as progress:
        made = run(output, seed=seed, progress=progress)
    certificate = made.memory.certificate
    assert certificate is not None  # `demo` certifies
    total = len(certificate.verdict)
    if as_json:
        rows = [
            {
                "corruption": record.corruption,
                "told": record.told,
                "recovery_rate": record.recovery_rate,
                "one_nn_rate": record.one_nn_rate,
                "best_nn_rate": record.best_nn_rate,
            }
            for record in made.recoveries
        ]
        files = {"page": str(made.page), "file": str(made.file), "strip": str(made.strip)}
        print_json({"examples": total, **totals(certificate), "recoveries": rows, **files, "seconds": made.seconds})
    else:
        print(table(made.recoveries))
        print(f"memory: {made.file} ({made.seconds:.0f} s)")
        print(f"{certificate.num_attractors}/{total} certified")
        print(f"page: {made.page.resolve()}")
    return 0 if certificate.all_attractors else 1
