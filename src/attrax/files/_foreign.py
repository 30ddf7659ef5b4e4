"""Maps that a file does not hold: what it keeps of them, and what is asked of the one that is given again."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record
from attrax._base.types import HostStates, Map
from attrax.maps import Description

_PROBES = 2
_CLOSE = 1e-6
"""Relative difference up to which two maps count as one: machines round differently."""


@dataclass(frozen=True, slots=True, eq=False)
class MissingMap(Record):
    """Stands in a memory for a map that its file does not hold; it can be described, not applied.

    **Fields:** `text` and `parameters` of its description; `images`, what it makes of the fixed states (see `probe`).
    """

    text: str
    parameters: int
    images: HostStates

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a state."""
        return self.images.shape[1:]

    def __call__(self, x: Any) -> Any:
        raise ValueError(
            f"the map of this memory is not in its file ({self.text}); give it again with load(file, map=...), or on "
            "the command line with --map MODULE:NAME"
        )

    def describe(self) -> Description:
        """What the file says of the map."""
        return Description(f"{self.text} (not in the file)", self.parameters)


def probe(map: Map, shape: tuple[int, ...]) -> HostStates:
    """What a map makes of a few fixed random states, in float64: enough to tell it from another one."""
    states = np.random.default_rng(0).standard_normal((_PROBES, *shape))
    with float64():
        return apply_rows(cast(map, np.float64), states, chunk=_PROBES)


def check_same_map(map: Map, shape: tuple[int, ...], images: HostStates) -> None:
    """**Raises** `ValueError` where `map` does not make `images` of the fixed states, so is not the one of the file."""
    if not callable(map):
        raise ValueError(f"map must be callable; got {map!r}")
    try:
        found = probe(map, shape)
    except Exception as error:  # whatever foreign code raises, the answer is the same
        raise ValueError(
            f"map does not take states of shape {shape}: {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from None
    scale = _CLOSE * (1 + float(np.max(np.abs(images), initial=0.0, where=np.isfinite(images))))
    if found.shape != images.shape or not np.allclose(found, images, rtol=0, atol=scale, equal_nan=True):
        raise ValueError(
            "map is not the one that this memory was written with: the two differ at states that the file has on "
            "record. Give the trained map, with all of its weights"
        )
