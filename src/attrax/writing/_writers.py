"""The writers that have a name. The command line's help reads names and lines, and must not wait for JAX."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrax._base import checks
from attrax._base.arguments import printable
from attrax._base.lazy import found

if TYPE_CHECKING:
    from attrax.writing._kind import WriterKind
    from attrax.writing._protocol import Writer

WRITERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "auto": ("attrax.writing._standard:AUTO", "tries writers until everything is certified"),
        "winner-take-all": ("attrax.writing._standard:WINNER", "trains scores; the largest selects the output"),
        "gradient": ("attrax.writing._standard:GRADIENT", "trains as in the paper"),
        "margin": ("attrax.writing._standard:MARGIN", "computes one hidden layer by widest margins, no training"),
        "pseudoinverse": ("attrax.writing._standard:PSEUDOINVERSE", "the same by a pseudoinverse; smaller basins"),
    }
)
"""By name: where the `WriterKind` is defined, and a line of help. In the record of a memory, `-` becomes `_`."""

_FORMER = {"contest": "winner-take-all", "kfac": "gradient"}
"""Names in records of earlier versions. K-FAC is an optimizer of `gradient`, and the record names it as such too."""


def writer_kind(name: str) -> WriterKind:
    """The description of the writer with this name. **Raises** `ValueError` for a name that is not in `WRITERS`.

    ```python
    >>> writer_kind("margin").network
    'own'

    ```
    """
    return found(WRITERS[checks.one_of("writer", name, tuple(WRITERS))][0])


def writer_of(record: Mapping[str, Any]) -> Writer:
    """The writer that made the memory with this record. **Raises** `ValueError` if the record does not name it.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> ax.writing.writer_of(memory.written)
    Constructed()

    ```
    """
    name: Any = record.get("writer")
    known = _FORMER.get(name, name.replace("_", "-")) if isinstance(name, str) else None
    said, lacking = (f"it names {name!r}" if name else "it names none"), "which its record does not name"
    if known is not None and known in WRITERS:
        make = writer_kind(known).from_record
        said, lacking = f"{name} can't be made from it", "which can't be made from its record"
        if make is not None:
            try:
                return make(record)
            except (ValueError, TypeError, KeyError) as error:
                said = str(error)
    raise ValueError(
        f"a change uses the writer of the memory, {lacking} ({printable(said, 300)}); give it, such as "
        "add(memory, examples, writer=Gradient(...))"
    )
