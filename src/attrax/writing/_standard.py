"""The writers that attrax has, as the command line knows them. What makes one is imported when it is made, so that an
option that does not apply is told at once."""

from collections.abc import Callable
from typing import Any

from attrax._base.lazy import found
from attrax.writing._kind import END_TO_END, SETTINGS, WriterKind


def _made(place: str, *first: Any) -> Callable[..., Any]:
    """Makes a writer of the class at `package.module:name`, with these arguments before others."""
    return lambda **settings: found(place)(*first, **settings)


def _read(place: str) -> Callable[..., Any]:
    """Makes a writer of the class at `package.module:name` from a record."""
    return lambda record: found(place).from_record(record)


_GRADIENT = "attrax.writing._gradient:Gradient"
_WINNER = "attrax.writing._winner_take_all:WinnerTakeAll"
_CONSTRUCTED = "attrax.writing._constructed:Constructed"

# The record of a memory names the writer that was chosen.
AUTO = WriterKind(make=_made("attrax.writing._auto:Auto"), settings=SETTINGS, network="chosen")
WINNER = WriterKind(make=_made(_WINNER), from_record=_read(_WINNER), settings=SETTINGS - END_TO_END, options=("width",))
GRADIENT = WriterKind(make=_made(_GRADIENT), from_record=_read(_GRADIENT), settings=SETTINGS, network="given")
MARGIN = WriterKind(make=_made(_CONSTRUCTED, "margin"), from_record=_read(_CONSTRUCTED))
PSEUDOINVERSE = WriterKind(make=_made(_CONSTRUCTED, "pseudoinverse"), from_record=_read(_CONSTRUCTED))
