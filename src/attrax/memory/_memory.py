"""A memory: plain data without verbs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from attrax._base.shown import Record, Words
from attrax._base.status import StoreStatus
from attrax._base.types import HostStates, Map
from attrax.maps import describe
from attrax.memory._certificate import Certificate
from attrax.patterns import Patterns

_WRITTEN = ("status", "writer", "loss", "epochs", "seconds")
"""Of how a memory was written, what a glance at it tells."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory(Record):
    """A map, what it stores, and how it was written. May be built by hand around any callable.

    **Fields:**

    - `map`: from a state to a state of the same shape.
    - `patterns`: the stored points, refined to the exact fixed points and cycles of the map where it has them.
      `None` where a file was saved without them.
    - `originals`: n×state shape, the points as they were given, in the same order; `None` as above.
    - `written`: how it was written: names, numbers and texts only, as they stand in a file.
    - `certificate`: what was found when it was written or last certified; `None` where nobody looked yet.
    """

    map: Map
    patterns: Patterns | None
    originals: HostStates | None = None
    written: dict[str, Any] = field(default_factory=dict)
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        if self.patterns is not None:
            originals = self.patterns.points if self.originals is None else self.originals
            if originals.shape != self.patterns.points.shape:
                raise ValueError(
                    f"originals must match the points of the patterns, {self.patterns.points.shape}; "
                    f"got {originals.shape}"
                )
            object.__setattr__(self, "originals", originals)

    def examples(self) -> Patterns:
        """The stored patterns. **Raises** `ValueError` where the memory was saved without them."""
        if self.patterns is None:
            raise ValueError(
                "this memory was saved without its patterns, and only they tell what its attractors are; "
                "supply the same examples again (with_patterns, or --patterns SOURCE on the command line)"
            )
        return self.patterns

    @property
    def status(self) -> StoreStatus | None:
        """How writing ended; `None` for a memory that was built by hand."""
        return StoreStatus(self.written["status"]) if "status" in self.written else None

    def _facts(self) -> dict[str, Any]:
        network = describe(self.map)
        found: dict[str, Any] = {
            "map": Words(f"{network.text}, {network.parameters:,} parameters"),
            "patterns": Words("not in the file") if self.patterns is None else self.patterns,
            "certificate": Words("none yet") if self.certificate is None else self.certificate,
        }
        return found | {name: self.written[name] for name in _WRITTEN if name in self.written}

    def _pictures(self) -> list[tuple[str, np.ndarray]]:
        return [] if self.patterns is None else self.patterns._pictures()
