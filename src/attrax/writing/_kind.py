"""The description of a writer that has a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from attrax._base.shown import Record
from attrax.training import Augmentation, Training

if TYPE_CHECKING:
    from attrax.writing._protocol import Writer  # the command line reads kinds, and must not wait for JAX

SETTINGS = frozenset(field.name for record in (Training, Augmentation) for field in fields(record))
"""The names of all settings in `Training` and `Augmentation`."""
END_TO_END = frozenset({"adversarial_deviation", "jacobian_penalty", "polish"})
"""Those that only apply to a network that is trained end to end, so that it draws the picture itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterKind(Record):
    """How a writer is made from options on the command line, and from the record of a memory.

    **Fields:**

    - `make`: called with the given settings as keywords; returns the writer.
    - `from_record`: makes the writer from the record of a memory that it wrote (`memory.written`), for `add` and
      `forget`. `None` if the writer has to be given again.
    - `settings`: the names in `SETTINGS` that `make` accepts; all others are refused. A writer without any does not
      train.
    - `network`: `"own"` if the writer makes its own network; `"given"` if it trains the one it is given, an `MLP`
      described by `--width`, `--depth` and so on; `"chosen"` for the same, except that it makes its own if none of
      these is given.
    - `options`: for a writer that makes its own network, those of these options that `make` accepts, such as `"width"`.
    """

    make: Callable[..., Writer]
    from_record: Callable[[Mapping[str, Any]], Writer] | None = None
    settings: frozenset[str] = frozenset()
    network: Literal["own", "given", "chosen"] = "own"
    options: tuple[str, ...] = ()
