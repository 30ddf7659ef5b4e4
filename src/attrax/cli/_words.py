"""Errors in the words of the command line: what is a keyword in Python is an option here."""

from collections.abc import Sequence

from attrax._base.arguments import ArgumentError

_OPTIONS = {"kind": "--as", "value_range": "--range", "recursive": "--no-recursive"}
"""Options that are not called as the keyword is."""
_SET = ("start", "duration", "rate", "mono", "by")
"""What has no option of its own in `attrax store`."""


def told(error: BaseException, arguments: Sequence[str] = ()) -> str:
    """The message of an error of a command with these arguments, with options where the library has keywords."""
    if not isinstance(error, ArgumentError):
        return str(error)
    rare = _SET if arguments[:1] == ["store"] else ()
    return error.spelled(lambda name, value: _option(name, value, name in rare))


def _option(name: str, value: str, rare: bool) -> str:
    if rare:
        return f"--set source.{name}" + (f"={value}" if value else "")
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    return f"{option} {value}" if value else option


def plain(name: str) -> str:
    """A name for a terminal: what could move its cursor or color it is replaced."""
    return "".join(letter if letter.isprintable() else "�" for letter in name)
