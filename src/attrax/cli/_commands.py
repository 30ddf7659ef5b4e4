"""Commands that are imported only when they are called, and help in which every option is named in full."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


def quick_flag(flag: Any) -> Any:
    """The same flag, false where it is not given: Typer has it as `None`, and loads Pydantic to read that."""
    if flag is not None and flag.type_descriptor.annotation is bool and flag.default is None:
        flag.default = False
    return flag


class _Helpful:
    """Help that costs nothing until it is asked for."""

    def get_help_option_names(self: Any, ctx: Any) -> list[str]:
        return list(ctx.help_option_names)

    def get_help_option(self, ctx: Any) -> Any:
        return quick_flag(super().get_help_option(ctx))  # pyright: ignore[reportAttributeAccessIssue]


class Command(_Helpful, TyperCommand):
    """A command whose options stand in the help under the titles of their panels, in the order of declaration."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = [self.options_metavar or ""]
        parameters: list[Any] = self.get_params(ctx)
        for parameter in parameters:
            if parameter.param_type_name == "argument":
                name = parameter.display_name_raw.strip("[]").removesuffix("...") + "..." * (parameter.nargs != 1)
                pieces.append(name if parameter.required else f"[{name}]")
            elif parameter.required:
                pieces.append(f"{parameter.opts[0]} {parameter.metavar}")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        parameters: list[Any] = self.get_params(ctx)
        for parameter in parameters:
            entry = parameter.get_help_record(ctx)
            if entry is None:
                continue
            if parameter.param_type_name == "argument":
                panels.setdefault("Arguments", []).append((parameter.display_name_raw, entry[1]))
            else:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(entry)
        # Options without a panel of their own, such as --help, end the list.
        for title in sorted(panels, key=lambda title: (title == "Options", title != "Arguments")):
            with formatter.section(title):
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
        module, _, function = self.where.partition(":")
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        alone.command(self.name, cls=Command)(getattr(import_module(module), function))
        return get_command(alone)


class Group(_Helpful, TyperGroup):
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
