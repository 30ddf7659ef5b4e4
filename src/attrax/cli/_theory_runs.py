"""attrax theory verify and attrax theory plot: training beside the theory, and the figures."""

import time
from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._options import Json, Seed, check_output_folder
from attrax.cli._output import print_json
from attrax.cli._progress import progress_bar, waiting


def verify(
    activation: Annotated[
        list[str] | None,
        typer.Option("--activation", metavar="NAME", help="Only networks of this activation; may be repeated."),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Train networks for every theorem, activation and several depths, and compare them with the theory.

    Whole matrices are trained by gradient descent at six rates and extrapolated to gradient flow. Takes about a minute
    on two cores. Exits with 0 if every row is within the error of its extrapolation, and with 1 if not.

    Example: attrax theory verify
    """
    import jax.random as jr

    from attrax.analysis import verify_theory
    from attrax.report import theory_table

    begun = time.perf_counter()
    with progress_bar() as progress:
        checks = verify_theory(activation or None, progress=progress, key=jr.key(seed))
    agreeing = sum(str(check.status) == "agrees" for check in checks)
    seconds = time.perf_counter() - begun
    if as_json:
        print_json(
            {
                "rows": [check.as_dict() for check in checks],
                "agreeing": agreeing,
                "total": len(checks),
                "seconds": seconds,
            }
        )
    else:
        print(theory_table(checks))
        print(f"{agreeing}/{len(checks)} within the error of the extrapolation ({seconds:.0f} s)")
    return 0 if agreeing == len(checks) else 1


def plot(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="portrait, curves, intervals, map, random, initial, or all.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the PNG and SVG files.")
    ] = Path("attrax-theory"),
    activation: Annotated[
        str | None, typer.Option(metavar="NAME", help="Activation to use instead of the figure's own.")
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="Width (portrait, random, initial).")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Networks per point, at least 6 (curves, map, random, initial).")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Draw a figure of the theory, as PNG and SVG.

    portrait: the flow of (u, v) with the curve of zero error. curves: λ₁ against width and depth, beside trained
    networks. intervals: where Corollary 1 applies. map: λ₁ over width and depth, beside trained networks. random: λ₁ as
    the initial weights become random. initial: the Jacobian of wide networks before and after training.

    Example: attrax theory plot portrait --activation swish -o figures
    """
    import jax.random as jr

    from attrax.report import THEORY_FIGURES, theory_figure

    if kind == "all" and (activation is not None or k is not None or trials is not None):
        raise ValueError("all takes no --activation, --k or --trials; draw the figures one by one for that")
    check_output_folder(output, "--output")
    begun = time.perf_counter()
    files: list[str] = []
    for name in THEORY_FIGURES if kind == "all" else (kind,):
        # Those that draw nothing at random train nothing either, and can't tell how far they are.
        with waiting(name) if name in ("portrait", "intervals") else progress_bar() as progress:
            made = theory_figure(
                name, output, activation=activation, k=k, trials=trials, progress=progress, key=jr.key(seed)
            )
        files += map(str, made)
    if as_json:
        print_json({"kind": kind, "files": files, "seed": seed, "seconds": time.perf_counter() - begun})
    else:
        print("\n".join(files))
    return 0
