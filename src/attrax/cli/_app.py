"""The command line: its commands, and what becomes of errors."""

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.main import get_command

from attrax._base.arguments import printable
from attrax.cli._commands import Group, Later, command_of, group
from attrax.cli._error_text import replaced, told

_OPTION = re.compile(r"(?<!\S)--[a-z]")
ABOUT = "Associative memory in over-parameterized neural networks: store, recall, certify.\n\nBegin with: attrax demo"

COMMANDS = {
    "store": ("attrax.cli._store:store", "Store examples as attractors, certify each, write one file."),
    "add": ("attrax.cli._change:add", "Add examples to a memory."),
    "forget": ("attrax.cli._change:forget", "Remove examples from a memory."),
    "recall": ("attrax.cli._recall:recall", "Iterate a memory from cues and say what came back."),
    "certify": ("attrax.cli._certify:certify", "Certify every stored example again."),
    "info": ("attrax.cli._certify:info", "Show what is in a memory file."),
    "compare": ("attrax.cli._compare:compare", "Give the same cues to other associative memories."),
    "export": ("attrax.cli._export:export", "Write the network of a memory for ONNX or PyTorch."),
    "audit": ("attrax.cli._audit:audit", "Ask a network made elsewhere what it remembers."),
    "demo": ("attrax.cli._demo:demo", "Store 100 faces and write a page about it."),
    "demo-film": ("attrax.cli._demo_film:demo_film", "Store a film, recall it from noise, write it."),
    "play": ("attrax.cli._play:play", "Open the playground in the browser."),
    "reproduce": ("attrax.cli._reproduce:reproduce", "Reproduce the paper's figures and tables."),
}
"""Commands by name: the function that runs, and the line that `attrax --help` shows."""

THEORY = {
    "lambda": ("attrax.cli._theory:lambda_", "The top eigenvalue after training on one example."),
    "corollary1": ("attrax.cli._theory:corollary1", "Networks that interpolate an example without attracting."),
    "sequence": ("attrax.cli._theory:sequence", "The top eigenvalue of a cycle through networks."),
    "verify": ("attrax.cli._theory_runs:verify", "Train networks and compare them with the theory."),
    "plot": ("attrax.cli._theory_runs:plot", "Draw a figure of the theory."),
}

ANALYSES = {
    "spectrum": ("attrax.cli._spectra:spectrum", "The largest eigenvalues at each example."),
    "radius": ("attrax.cli._spectra:radius", "The radius of each example's basin of attraction."),
    "recovery": ("attrax.cli._curves:recovery", "How often examples come back, by corruption."),
    "spurious": ("attrax.cli._spurious:spurious", "Count where very many initial states end."),
    "basins": ("attrax.cli._basins:basins", "Draw basins of attraction on a plane."),
    "period": ("attrax.cli._period:period", "After how many states a recording repeats."),
    "capacity": ("attrax.cli._capacity:capacity", "Train on more and more examples, and count what is held."),
    "nearest": ("attrax.cli._nearest:nearest", "Does a memory answer as the nearest neighbor does?"),
    "tolerance": ("attrax.cli._tolerance:tolerance", "The strongest noise from which examples come back."),
}


def _print_version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from attrax import __version__

        print(f"attrax {__version__}")
        raise typer.Exit()


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options that stand before a command."""


def _application() -> Any:
    options = typer.Typer(
        name="attrax",
        cls=Group,
        help=ABOUT,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    options.callback()(_options)
    found: Any = get_command(options)
    for name, (where, line) in COMMANDS.items():
        found.add_command(Later(name, where, line))
    found.add_command(group("theory", "The theory of one example: formulas, checks and figures.", THEORY))
    found.add_command(group("analyze", "Measure a memory: spectra, basins, recovery curves.", ANALYSES))
    return found


app = _application()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits: 0 done, 1 a promised state was not reached, 2 wrong usage or input, 130 interrupted.

    Whatever goes wrong is told in one line on stderr, and with `--json` as an object on stdout as well.

    **Raises** `SystemExit` with that number, always.

    ```python
    >>> from attrax.cli import main
    >>> try:
    ...     main(["--version"])
    ... except SystemExit as ended:
    ...     print(ended.code)
    attrax 0.1.0
    0

    ```
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _print_anything()
    try:
        status = app.main(args=given, prog_name="attrax", standalone_mode=False)
        if status == 130:  # how Typer returns from an interruption
            raise KeyboardInterrupt
        if sys.stdout is not None:  # a closed descriptor
            sys.stdout.flush()
    except typer.Exit as ended:
        status = ended.exit_code
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = "attrax" if context is None else context.command_path
        message = " ".join(error.format_message().replace("Value error, ", "").split())
        status = _complain(f"{message} (try {command} --help)", 2, given)
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted", 130, given)
        # A compiled loop may still be running in a thread of its own, and would crash in an interpreter that is being
        # taken down. Nothing is left to do: files are written beside and renamed.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or nobody reads it
                if stream is not None:
                    stream.flush()
        os._exit(130)
    except ValueError as error:
        name, options = command_of(app, given)
        message = told(error, given, options)
        # Whoever reads of an option wants to know where it is explained.
        status = _complain(f"{message} (try {name} --help)" if _OPTION.search(message) else message, 2, given)
    except SystemExit as ended:
        # Typer ends with 1 when whoever read our output has left, which is nobody's fault.
        status = 0 if isinstance(ended.__context__, BrokenPipeError) else ended.code
    except BrokenPipeError:
        # Whoever read our output has left; stdout must not complain again when Python closes it.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except OSError as error:
        status = _complain(f"{error.filename or 'a file'}: {error.strerror or error}", 2, given)
    except MemoryError:
        message = "not enough memory: take fewer examples (--n), smaller ones (--size) or a narrower network"
        status = _complain(message, 2, given)
    except OverflowError as error:
        status = _complain(f"a number is too large to compute with: {error}", 2, given)
    except RuntimeError as error:
        # JAX raises subclasses of RuntimeError, running out of memory among them.
        first = next(iter(str(error).splitlines()), type(error).__name__)
        status = _complain(f"the computation failed: {first}", 2, given)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str, status: int, given: Sequence[str]) -> int:
    """Says what went wrong, to people and to programs. Returns `status`."""
    options = given[: given.index("--")] if "--" in given else given
    if "--json" in options:
        with suppress(OSError):  # nobody reads it
            print(json.dumps({"error": message, "exit_status": status}), flush=True)
    # Lines of code to copy stay apart on one line, too.
    shown = printable("; ".join(line.strip() for line in message.split("\n"))).replace(":; ", ": ")
    print(f"attrax: {shown}", file=sys.stderr)
    return status


def _print_anything() -> None:
    """Has characters that a terminal or file can't hold, such as × in ASCII, replaced instead of ending the command."""
    codecs.register_error("attrax", replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="attrax")
