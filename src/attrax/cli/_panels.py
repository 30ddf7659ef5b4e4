"""Options in groups: a record of a command's parameters is a panel of its help."""

import functools
import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints


def with_panels(function: Callable[..., int]) -> Callable[..., int]:
    """The same command as Typer takes it.

    A parameter that is annotated as `Annotated[Record, "Title"]`, where `Record` is a dataclass, stands for one option a
    field, each with its own `typer.Option`; the help shows them under that title, and below it a second text, if any.
    """
    records: dict[str, Any] = {}
    below: dict[str, str] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        record, *notes = get_args(parameter.annotation) if get_origin(parameter.annotation) is Annotated else (None,)
        if not is_dataclass(record):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        records[parameter.name] = record
        below |= dict([notes[:2]]) if len(notes) > 1 else {}
        hints = get_type_hints(record, include_extras=True)
        parameters += [_option(field, hints[field.name], notes[0]) for field in fields(record)]

    @functools.wraps(function)
    def command(**given: Any) -> int:
        made = {
            name: record(**{field.name: given.pop(field.name) for field in fields(record)})
            for name, record in records.items()
        }
        return function(**given, **made)

    command.__dict__["panel_notes"] = below
    command.__dict__["__signature__"] = inspect.Signature(parameters)
    return command


def _option(field: Field[Any], hint: Any, title: str) -> inspect.Parameter:
    kind, option = get_args(hint)
    option = copy(option)  # other commands have it in other panels
    option.rich_help_panel = title
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )
