"""attrax analyze: what was stored, measured."""

import sys
from contextlib import redirect_stdout

import typer

analyze_app = typer.Typer(name="analyze", help="What a memory stores, measured: spectra, basins, spurious attractors.")


@analyze_app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """What a memory stores, measured: spectra, basins, spurious attractors."""
    if context.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):  # Typer prints this help instead of returning it
            typer.echo(context.get_help())
        raise typer.Exit(2)
