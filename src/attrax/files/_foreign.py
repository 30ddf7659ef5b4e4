"""Maps that a file does not hold: what it keeps about them, and how a map that is given again is checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record
from attrax._base.types import HostStates, Map
from attrax.maps import Description

_PROBES = 2
_CLOSE = 1e-6
"""Relative difference up to which two maps count as the same, because machines round differently."""


@dataclass(frozen=True, slots=True, eq=False)
class MissingMap(Record):
    """A placeholder for a map that the file of a memory does not hold. It can be described but not applied.

    **Fields:** `text` and `parameters` of its description; `images`, its outputs at the fixed states (see `probe`),
    m×state shape.
    """

    text: str
    parameters: int
    images: HostStates

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a state."""
        return self.images.shape[1:]

    def __call__(self, x: Any) -> Any:
        raise ValueError(
            f"the map of this memory is not in its file ({self.text}); give it again with load(file, map=...), or on "
            "the command line with --map MODULE:NAME"
        )

    def describe(self) -> Description:
        """The description of the map in the file."""
        return Description(f"{self.text} (not in the file)", self.parameters)


def probe(map: Map, shape: tuple[int, ...]) -> HostStates:
    """The outputs of a map at a few fixed random states, in float64: enough to distinguish it from other maps."""
    states = np.random.default_rng(0).standard_normal((_PROBES, *shape))
    with float64():
        return apply_rows(cast(map, np.float64), states, chunk=_PROBES)


def check_same_map(map: Map, shape: tuple[int, ...], images: HostStates) -> None:
    """**Raises** `ValueError` if the outputs of `map` at the fixed states are not `images`, so it is not the map of the
    file."""
    if not callable(map):
        raise ValueError(f"map must be callable; got {map!r}")
    try:
        found = probe(map, shape)
    except Exception as error:  # whatever the user's code raises, the answer is the same
        raise ValueError(
            f"map does not take states of shape {shape}: {type(error).__name__}: {str(error).splitlines()[0]}"
        ) from None
    scale = _CLOSE * (1 + float(np.max(np.abs(images), initial=0.0, where=np.isfinite(images))))
    if found.shape != images.shape or not np.allclose(found, images, rtol=0, atol=scale, equal_nan=True):
        raise ValueError(
            "map is not the one that this memory was written with: the two differ at states recorded in the file. "
            " Give the trained map, with all of its weights"
        )
