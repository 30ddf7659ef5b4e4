"""Errors that name an argument in the words of whoever called: a keyword in Python, an option on the command line."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Code points for private use, which no name of a file and no text that people type is likely to hold.
_OPEN, _BETWEEN, _CLOSE = "\ue000", "\ue001", "\ue002"
_MENTION = re.compile(f"{_OPEN}([a-z_]+){_BETWEEN}([^{_CLOSE}]*){_BETWEEN}([^{_CLOSE}]*){_CLOSE}")


class ArgumentError(ValueError):
    """Wrong input. Arguments in the message stand in `mention(…)`; `str(error)` spells them as Python's keywords."""

    def __init__(self, message: str) -> None:
        super().__init__(_spelled(message, lambda name, value, _: f"{name}={value}" if value else name))
        self.message = message
        """With its mentions, to be part of another message."""

    def spelled(self, spell: Callable[[str, str], str]) -> str:
        """The message with each argument as `spell(name, value)` has it; the value as one types it in a shell."""
        return _spelled(self.message, lambda name, _, value: spell(name, value))


def mention(name: str, value: str = "", typed: str = "") -> str:
    """An argument in a message: its name, a value as in Python, and the same value as one types it in a shell."""
    return f"{_OPEN}{name}{_BETWEEN}{value}{_BETWEEN}{typed}{_CLOSE}"


def checked(check: Callable[..., T], name: str, *values: Any, **limits: Any) -> T:
    """`check(name, …)` of `attrax._base.checks`, whose message then mentions the argument."""
    try:
        return check(name, *values, **limits)
    except ValueError as error:
        raise ArgumentError(mention(name) + str(error).removeprefix(name)) from None


def _spelled(message: str, spell: Callable[[str, str, str], str]) -> str:
    return _MENTION.sub(lambda found: spell(found[1], found[2], found[3]), message)
