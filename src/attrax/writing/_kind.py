"""What is known of a writer that has a name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from attrax._base.shown import Record
from attrax.training import Augmentation, Training
from attrax.writing._start import Writer

SETTINGS = frozenset(field.name for record in (Training, Augmentation) for field in fields(record))
"""The names of all settings in `Training` and `Augmentation`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterKind(Record):
    """How a writer is made from options on the command line, and from the record of a memory.

    **Fields:**

    - `make`: called with the settings that were given, by name; it returns the writer.
    - `from_record`: from the record of a memory that it wrote (`memory.written`) to the writer, for `add` and `forget`.
      `None` where the writer has to be given again.
    - `settings`: the names in `SETTINGS` that `make` takes. All others are refused. A writer without any does not
      train, so it takes no checkpoint either.
    - `network`: `"own"`, the writer makes its own network; `"given"`, it trains the one that it is given, an `MLP` as
      `--width`, `--depth` and the like say; `"chosen"`, the same, but it makes its own where none of these is given.
    - `options`: of a writer with a network of its own, the options of these that `make` takes, such as `"width"`.
    """

    make: Callable[..., Writer]
    from_record: Callable[[Mapping[str, Any]], Writer] | None = None
    settings: frozenset[str] = frozenset()
    network: Literal["own", "given", "chosen"] = "own"
    options: tuple[str, ...] = ()
