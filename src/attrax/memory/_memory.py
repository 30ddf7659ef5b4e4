"""A memory: a map, what it stores, and how it was written. Recall and other work on it are functions elsewhere."""

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base.shown import Record, Words
from attrax._base.status import StoreStatus
from attrax._base.types import HostStates, Map
from attrax.maps import dense_map, describe
from attrax.memory._certificate import Certificate
from attrax.memory._thresholds import default_recovery_atol
from attrax.patterns import Patterns

if TYPE_CHECKING:
    from attrax.foreign import Export

_WRITTEN = ("status", "writer", "loss", "epochs", "seconds")
"""Entries of `written` that are shown in the `repr`."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Memory(Record):
    """A map, what it stores, and how it was written. May be built by hand around any callable. **Raises** `ValueError`
    if `originals` has another shape than the points of `patterns`.

    **Fields:**

    - `map`: from a state to a state of the same shape.
    - `patterns`: the stored points. `store` refines them: the map sends each to the next of its cycle up to a small
      residual in float64, if it has a fixed point or cycle nearby. `None` if the file was saved without them.
    - `originals`: n×state shape, the examples from which the stored points were refined, in the same order; `None`
      as above.
    - `written`: how it was written, as names, numbers and texts that a file can hold.
    - `certificate`: the result of the last certification, made when it was written or later; `None` if there was none
      yet.
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
        """The stored patterns. **Raises** `ValueError` if the memory was saved without them."""
        if self.patterns is None:
            raise ValueError(
                "this memory was saved without its patterns, which are needed to tell its attractors apart; "
                "supply the same examples again (with_patterns, or --patterns SOURCE on the command line)"
            )
        return self.patterns

    def dense(self) -> "Memory":
        """The memory with a matrix in every layer of its network, where some are kept as a diagonal plus a matrix of
        rank one; its outputs are equal up to rounding. Without a certificate, because the certificate is about the
        weights as they were.

        ```python
        >>> import jax.random as jr, numpy as np
        >>> import attrax as ax
        >>> encoder = ax.training.encoder(np.eye(3), widths=(8,), key=jr.key(0))
        >>> network = ax.training.winner_take_all_network(encoder, np.eye(3))
        >>> memory = ax.Memory(network, ax.Patterns.from_examples(np.eye(3)))
        >>> memory.map.weights[2].left.shape, memory.dense().map.weights[2].shape
        ((3,), (3, 3))

        ```
        """
        map = dense_map(self.map)
        return self if map is self.map else replace(self, map=map, certificate=None)

    def to_onnx(self, path: str | os.PathLike[str], *, dtype: str = "float32") -> "Export":
        """Writes the map as an ONNX file, from batches of states to those of next states.

        The same as `attrax.foreign.export(memory, path, dtype=dtype)`; **raises** as it does.
        """
        from attrax.foreign import export

        return export(self.map, path, dtype=dtype)

    @property
    def status(self) -> StoreStatus | None:
        """How writing ended; `None` for a memory that was built by hand."""
        return StoreStatus(self.written["status"]) if "status" in self.written else None

    @property
    def recovery_atol(self) -> float | None:
        """The recovery threshold that somebody chose for the certificate.

        `None` for the default threshold, which follows the unit of the patterns, and where there is no certificate.
        """
        chosen = float("nan") if self.certificate is None else self.certificate.recovery_atol
        if np.isnan(chosen):
            return None
        return None if self.patterns is not None and chosen == default_recovery_atol(self.patterns) else chosen

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


def check_memory(memory: Any) -> None:
    """**Raises** `ValueError`, with what to write in its place, unless `memory` is a `Memory`.

    ```python
    >>> from attrax.memory import check_memory
    >>> try:
    ...     check_memory([1, 2])
    ... except ValueError as error:
    ...     print(error)
    memory must be a Memory; got list

    ```
    """
    if isinstance(memory, Memory):
        return
    if isinstance(memory, str | os.PathLike):
        path = os.fspath(memory)
        raise ValueError(f"memory must be a Memory; got the path {path!r}. Load it first: attrax.load({path!r})")
    remedy = ""
    if isinstance(getattr(memory, "memory", None), Memory):
        remedy = ". Pass its .memory"
    elif callable(memory) and not isinstance(memory, type):
        remedy = ". For a map of your own, write attrax.Memory(map, attrax.Patterns.from_examples(points))"
    raise ValueError(f"memory must be a Memory; got {type(memory).__name__}{remedy}")
