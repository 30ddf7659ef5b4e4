"""The command line: its commands, and what becomes of errors."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from attrax.cli._analyze import analyze_app
from attrax.cli._basins import basins
from attrax.cli._capacity import capacity
from attrax.cli._certify import certify, info
from attrax.cli._change import add, forget
from attrax.cli._compare import compare
from attrax.cli._curves import recovery
from attrax.cli._demo import demo
from attrax.cli._demo_film import demo_film
from attrax.cli._nearest import nearest
from attrax.cli._period import period
from attrax.cli._recall import recall
from attrax.cli._reproduce import reproduce
from attrax.cli._spectra import radius, spectrum
from attrax.cli._spurious import spurious
from attrax.cli._store import store
from attrax.cli._theory import theory_app
from attrax.cli._theory_runs import plot, verify
from attrax.cli._tolerance import tolerance

app = typer.Typer(
    name="attrax",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Associative memory in over-parameterized neural networks: store, recall, certify.",
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Associative memory in over-parameterized neural networks: store, recall, certify."""
    if version:
        from attrax import __version__

        print(f"attrax {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


COMMANDS = {
    "store": store,
    "add": add,
    "forget": forget,
    "recall": recall,
    "certify": certify,
    "info": info,
    "compare": compare,
    "demo": demo,
    "demo-film": demo_film,
    "reproduce": reproduce,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
for name, command in {"verify": verify, "plot": plot}.items():
    theory_app.command(name)(command)
app.add_typer(theory_app)
ANALYSES = {
    "spectrum": spectrum,
    "radius": radius,
    "recovery": recovery,
    "spurious": spurious,
    "basins": basins,
    "period": period,
    "capacity": capacity,
    "nearest": nearest,
    "tolerance": tolerance,
}
"""Commands of `attrax analyze`."""
for name, command in ANALYSES.items():
    analyze_app.command(name)(command)
app.add_typer(analyze_app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits: 0 done, 1 a promised state was not reached, 2 wrong usage or input, 130 interrupted.

    Whatever goes wrong is told in one line on stderr.
    """
    try:
        status = app(args=None if arguments is None else list(arguments), standalone_mode=False)
        if status == 130:  # how Typer returns from an interruption
            raise KeyboardInterrupt
        if sys.stdout is not None:  # a closed descriptor
            sys.stdout.flush()
    except typer.Exit as ended:
        status = ended.exit_code
    except typer.TyperException as error:
        status = _complain(f"{error.format_message()} (try attrax --help)", 2)
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted", 130)
        # A compiled loop may still be running in a thread of its own, and would crash in an interpreter that is being
        # taken down. Nothing is left to do: files are written beside and renamed.
        sys.stderr.flush()
        os._exit(130)
    except ValueError as error:
        status = _complain(str(error), 2)
    except SystemExit:
        status = 0  # how Click ends when whoever read our output has left
    except BrokenPipeError:
        # Whoever read our output has left; stdout must not complain again when Python closes it.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        status = _complain(f"{error.filename or 'a file'}: {error.strerror or error}", 2)
    except MemoryError:
        status = _complain(
            "not enough memory: take fewer examples (--n), smaller ones (--size) or a narrower network", 2
        )
    except RuntimeError as error:
        # JAX raises subclasses of RuntimeError, running out of memory among them.
        status = _complain(f"the computation failed: {next(iter(str(error).splitlines()), type(error).__name__)}", 2)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str, status: int) -> int:
    print(f"attrax: {message}", file=sys.stderr)
    return status
