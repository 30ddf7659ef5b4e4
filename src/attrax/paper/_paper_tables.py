"""The numbers of the paper's Figures 15 and 16, and which of them cannot be assigned to an activation with
certainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from attrax.extending import Record

ACTIVATIONS = ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid")
"""Columns of both tables. The headings of the last two are lost; their order is an assumption."""

Reading = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class PaperRow(Record):
    """One row of a table: how many of 100 examples were stored, for each activation.

    **Fields:** `printed`, the numbers in order, without empty entries (training reached no low loss); `readings`, the
    possible assignments to `ACTIVATIONS`, `None` for an empty entry. The first one is the most likely, or just the
    order of the text.
    """

    printed: tuple[int, ...]
    readings: tuple[Reading, ...]

    def possible(self, activation: str) -> tuple[int | None, ...]:
        """The possible numbers of the paper for this activation, that of the first reading first; empty for a lost
        row."""
        column = ACTIVATIONS.index(activation)
        return tuple(dict.fromkeys(reading[column] for reading in self.readings))


def _gap(*printed: int, at: tuple[int, ...]) -> PaperRow:
    """Five numbers and an empty entry at any of these positions."""
    return PaperRow(printed, tuple((*printed[:place], None, *printed[place:]) for place in at))


def _swapped(*printed: int) -> PaperRow:
    """A row of Fig. 16, whose last two columns may be swapped."""
    *first, cosid, sinusoid = (*printed, *(None,) * (6 - len(printed)))
    return PaperRow(printed, ((*first, cosid, sinusoid), (*first, sinusoid, cosid)))


def _any_two(*printed: int) -> PaperRow:
    readings = []
    for places in combinations(range(6), 2):
        values = dict(zip(places, printed, strict=True))
        readings.append(tuple(values.get(place) for place in range(6)))
    return PaperRow(printed, tuple(readings))


_LOST = PaperRow((), ())

PAPER_FIG15: Mapping[str, PaperRow] = MappingProxyType(
    {
        "gd": _gap(28, 34, 10, 5, 19, at=(5, 3)),
        "momentum": _gap(14, 23, 10, 2, 21, at=(5, 3)),
        "momentum_decay": _any_two(18, 22),
        "rmsprop": PaperRow((97, 98, 100, 49, 100, 100), ((97, 98, 100, 49, 100, 100),)),
        "adam": PaperRow((38, 53, 30, 14, 100, 100), ((38, 53, 30, 14, 100, 100),)),
    }
)
"""Fig. 15, a row per optimizer. In the first two rows the empty entry may be that of the sinusoid or Swish; in the
third, which has only two numbers, these may belong to any two activations."""

PAPER_FIG16: Mapping[str, PaperRow] = MappingProxyType(
    {
        "uniform:0.01": _swapped(62, 78, 78, 16, 26, 93),
        "uniform:0.02": _swapped(43, 65, 71, 20, 31, 70),
        "uniform:0.05": _swapped(55, 55, 29, 32, 100, 89),
        "uniform:0.1": _swapped(36, 43, 13, 30, 100),
        "uniform:0.15": _swapped(34, 38, 13, 6, 100),
        "xavier_uniform": _LOST,
        "kaiming_uniform": _LOST,
        "pytorch": _LOST,
    }
)
"""Fig. 16, a row per initialization, all with Adam. The rows are only labeled U; that they ascend in a is an
assumption, and so is which of the last two columns is cosid. The last three rows are lost."""

PAPER = MappingProxyType({"fig15": PAPER_FIG15, "fig16": PAPER_FIG16})
"""Both tables."""
