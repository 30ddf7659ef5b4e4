"""Commands that are imported only when they are called, and help in which every option is named in full."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from attrax._base.checks import LARGEST
from attrax._base.lazy import found

_METAVARS = {"int": "N", "float": "X", "str": "TEXT", "list[str]": "TEXT"}
"""What stands for the value of an option in the help, by its type, where nothing better is said."""
_HYPHEN = re.compile(r"(?<=\w)-(?=\w)")
_KEPT = "\ue000"
"""Stands for a hyphen while lines are broken: a private-use code point, which no help contains."""
_RANGE = re.compile(r"\b(\d+<=?)?x([<>]=?\d+)?(?=\])")


class _Read:
    """What reads the values of a parameter; Typer makes it with Pydantic, which takes a tenth of a second to load."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:  # not given, and nothing to read
            return () if param.multiple or param.nargs == -1 else None
        words = value if isinstance(value, list | tuple) else (value,)
        typed = [one for one in words if isinstance(one, str)]
        about = param.type_descriptor
        if not typed or value in (about.choices or ()):
            return value  # a default, or one of the choices as it stands in the help
        if all(map(str.isascii, typed)) and about.annotation in (str, Path):
            return about.annotation(typed[0])
        if all(map(str.isascii, typed)) and about.annotation == list[str]:
            return [*typed]
        read = self._make().coerce(value, param=param, ctx=ctx)
        for one in read if isinstance(read, list | tuple) else (read,):
            if isinstance(one, int) and abs(one) > LARGEST:
                raise typer.BadParameter(f"at most {LARGEST} is possible.", ctx=ctx, param=param)
        return read


class _Quick(TyperGroup if TYPE_CHECKING else object):
    """Help and wrong usage load only what they need."""

    def get_help_option_names(self, ctx: Any) -> list[str]:
        return list(ctx.help_option_names)  # in this order; Typer's is that of a set

    def get_help(self, ctx: Any) -> str:
        """The help, in which no line ends within a name, such as --no-patterns."""
        formatter = ctx.make_formatter()
        write_text, write_dl = formatter.write_text, formatter.write_dl
        formatter.write_text = lambda text: write_text(_HYPHEN.sub(_KEPT, text))
        formatter.write_dl = lambda rows, *rest, **more: write_dl(
            [(name, _HYPHEN.sub(_KEPT, text)) for name, text in rows], *rest, **more
        )
        self.format_help(ctx, formatter)
        return formatter.getvalue().replace(_KEPT, "-").rstrip("\n")

    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(ctx)
        for parameter in parameters:
            if parameter.param_type_name == "option" and not parameter.is_flag and parameter.metavar is None:
                parameter.metavar = _METAVARS.get((parameter.display_type(ctx) or "").strip("<>").partition(" ")[0])
            if "get_runtime_param" not in vars(parameter):
                reader = _Read(parameter.get_runtime_param)
                parameter.get_runtime_param = lambda reader=reader: reader
        return parameters


class Command(_Quick, TyperCommand):
    """A command whose options stand in the help under the titles of their panels, in the order of declaration."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = [self.options_metavar or ""]
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                name = parameter.display_name_raw.strip("[]").removesuffix("...") + "..." * (parameter.nargs != 1)
                pieces.append(name if parameter.required else f"[{name}]")
            elif parameter.required:
                pieces.append(f"{parameter.opts[0]} {parameter.metavar}")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            entry = parameter.get_help_record(ctx)
            if entry is None:
                continue
            if parameter.metavar:  # of which Typer gives the range as that of x
                entry = entry[0], _RANGE.sub(rf"\g<1>{parameter.metavar}\g<2>", entry[1])
            if parameter.param_type_name == "argument":
                panels.setdefault("Arguments", []).append((parameter.display_name_raw, entry[1]))
            else:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(entry)
        # Options without a panel of their own, such as --help, end the list.
        notes = getattr(self.callback, "panel_notes", {})
        for title in sorted(panels, key=lambda title: (title == "Options", title != "Arguments")):
            with formatter.section(title):
                if title in notes:
                    formatter.write_text(notes[title])
                formatter.write_dl(panels[title])

    def invoke(self, ctx: Any) -> Any:
        # Not before: help and wrong usage neither make a folder nor wait for JAX.
        from attrax.cli._cache import keep_compiled
        from attrax.cli._progress import wait_for_jax

        keep_compiled()
        wait_for_jax()
        return super().invoke(ctx)


class Later(TyperCommand):
    """A command of which only the name and a line of help are known; `load` imports it."""

    def __init__(self, name: str, where: str, line: str) -> None:
        super().__init__(name, short_help=line, rich_markup_mode=None)
        self.where = where

    def load(self) -> Any:
        """The command itself, from `package.module:function`."""
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        alone.command(self.name, cls=Command)(found(self.where))
        return get_command(alone)


class Group(_Quick, TyperGroup):
    """A group of commands; without one it prints its help on stderr, which is wrong usage."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Later) else command, rest


def group(name: str, line: str, table: dict[str, tuple[str, str]]) -> Group:
    """A group from a table of names, each with the place of its function and a line of help."""
    commands = [Later(name, where, help) for name, (where, help) in table.items()]
    return Group(name=name, help=line, short_help=line, commands=commands, rich_markup_mode=None)


def command_of(app: Group, arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The command that these arguments call, and its options by the names of its parameters, as the help has them.

    Of a flag that is on by default it is the name that switches it off.
    """
    found: Any = app
    path = [str(app.name)]
    for word in arguments:
        if not isinstance(found, Group):
            break
        if word in found.commands:
            found = found.commands[word]
            path.append(word)
    name = " ".join(path)
    if not isinstance(found, Later):
        return name, {}
    options = [one for one in found.load().params if one.param_type_name == "option"]
    off = {one.name: one.secondary_opts[0] for one in options if one.secondary_opts and one.default}
    return name, {one.name: max(one.opts, key=len) for one in options} | off
