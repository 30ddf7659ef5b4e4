"""The writer of a memory, from its record."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attrax.writing._constructed import Constructed
from attrax.writing._gradient import Gradient
from attrax.writing._start import Writer
from attrax.writing._winner_take_all import WinnerTakeAll

WRITERS: Mapping[str, Callable[[Mapping[str, Any]], Writer]] = MappingProxyType(
    {
        "gradient": Gradient.from_record,
        "kfac": Gradient.from_record,
        "winner_take_all": WinnerTakeAll.from_record,
        "margin": Constructed.from_record,
        "pseudoinverse": Constructed.from_record,
        "contest": WinnerTakeAll.from_record,  # its name in files of version 1
    }
)
"""What turns the record of a memory into its writer, by the record's `writer`."""


def writer_of(record: Mapping[str, Any]) -> Writer:
    """The writer that made the memory with this record. **Raises** `ValueError` where the record does not tell."""
    name: Any = record.get("writer")
    try:
        if name not in WRITERS:
            raise ValueError(f"it names {name!r}" if name else "it names none")
        return WRITERS[name](record)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            "a change goes on with the writer of the memory, which its record does not tell "
            f"({error}); give it, such as add(memory, examples, writer=Gradient(...))"
        ) from error
