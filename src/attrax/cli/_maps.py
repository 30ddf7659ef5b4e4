"""Maps that a memory file does not hold, named on the command line as MODULE:NAME."""

import importlib
import inspect
import os
import sys
from typing import Annotated, Any

import typer

MapName = Annotated[
    str | None,
    typer.Option(
        "--map",
        metavar="MODULE:NAME",
        help="The map, if the memory file does not hold it: a map, or a function without arguments that returns one.",
        show_default=False,
    ),
]


def named_map(text: str | None) -> Any:
    """The object that `MODULE:NAME` names, or what it makes where it needs no arguments; `None` for `None`.

    The module is imported, from the current folder too; nothing else is. **Raises** `ValueError` where that fails.
    """
    if text is None:
        return None
    module_name, colon, name = text.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module_name.split("."), *name.split("."))):
        raise ValueError(f"--map must be MODULE:NAME, such as networks:trained; got {text!r}")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # whatever foreign code raises, the answer is the same
        raise ValueError(f"--map: {module_name} can't be imported ({_said(error)})") from None
    finally:
        sys.path.remove(os.getcwd())
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"--map: {module_name} has no {name}; check the name")
        found = getattr(found, part)
    if _needs_nothing(found):
        try:
            found = found()
        except Exception as error:  # whatever the user's own code raises, it made no map
            raise ValueError(f"--map: {text} failed ({_said(error)})") from None
    if not callable(found):
        raise ValueError(f"--map: {text} is not a map: a {type(found).__name__} can't be called with a state")
    return found


def _needs_nothing(value: Any) -> bool:
    """Whether it can be called without arguments, so makes a map and is none."""
    try:
        inspect.signature(value).bind()
    except (TypeError, ValueError):
        return False
    return True


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}".rstrip(": ")
