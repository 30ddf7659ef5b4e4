"""Errors that name an argument as the caller knows it: a keyword in Python, an option on the command line."""

import re
from collections.abc import Callable

# Private-use code points, which file names and typed text are unlikely to contain.
_OPEN, _BETWEEN, _CLOSE = "\ue000", "\ue001", "\ue002"
_MENTION = re.compile(f"{_OPEN}([a-z_]+){_BETWEEN}([^{_CLOSE}]*){_BETWEEN}([^{_CLOSE}]*){_CLOSE}")


class ArgumentError(ValueError):
    """Wrong input. The message marks arguments with `mention(…)`; `str(error)` shows them as Python keywords."""

    def __init__(self, message: str) -> None:
        super().__init__(_spelled(message, lambda name, value, _: f"{name}={value}" if value else name))
        self.message = message
        """The message with its mentions still marked, so that it can be part of another message."""

    def spelled(self, spell: Callable[[str, str], str]) -> str:
        """The message with each argument replaced by `spell(name, value)`; the value is written as in a shell."""
        return _spelled(self.message, lambda name, _, value: spell(name, value))


def mention(name: str, value: str = "", typed: str = "") -> str:
    """Marks an argument in a message: its name, a value as written in Python, and the same value as typed in a
    shell."""
    return f"{_OPEN}{name}{_BETWEEN}{value}{_BETWEEN}{typed}{_CLOSE}"


def _spelled(message: str, spell: Callable[[str, str, str], str]) -> str:
    return _MENTION.sub(lambda found: spell(found[1], found[2], found[3]), message)


def printable(text: str, most: int | None = None) -> str:
    """A text for one line of a terminal: what could move its cursor or color it is replaced, and the end cut off."""
    if most is not None and len(text) > most:
        text = f"{text[:most]} …"
    return "".join(letter if letter.isprintable() else "�" for letter in text)
