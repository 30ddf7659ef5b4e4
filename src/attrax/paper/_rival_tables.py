"""Counts of recalled cues, pooled over seeds with Wilson's intervals, beside published numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attrax.analysis import wilson_interval
from attrax.extending import Record
from attrax.paper._experiment import Records
from attrax.paper._figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, plain_axes
from attrax.paper._rival_counts import EXACT
from attrax.paper.pages import PageTable

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#000000", GRAY)
_MARKS = "osD^vPX*"


@dataclass(frozen=True, slots=True)
class Published(Record):
    """A number that others published.

    **Fields:** `place`, the columns it belongs to, such as `("100",)`; `method`; `value`, as text and as exact as it is
    known; `source`, where it is printed and how it was read.
    """

    place: tuple[str, ...]
    method: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Pooled(Record):
    """What one method recalled at one place, over all seeds.

    **Fields:** `place`, `method`, `setting`, as texts; `parameters`, `num_bytes`, and `certified` (attractors and
    examples; empty for rivals), one entry per seed; `good`, `exact` and `total`, summed.
    """

    place: tuple[str, ...]
    method: str
    setting: str
    parameters: tuple[int, ...]
    num_bytes: tuple[int, ...]
    certified: tuple[tuple[int, int], ...]
    good: int
    exact: int
    total: int

    @property
    def rate(self) -> float:
        """The fraction that counts as recalled."""
        return self.good / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate; all cues count as independent."""
        return wilson_interval(self.good, self.total)


def pooled(records: Records) -> list[Pooled]:
    """The entries of all cells, summed over seeds, in the order of their first appearance."""
    groups: dict[tuple[tuple[str, ...], str], list[Mapping[str, Any]]] = {}
    for record in records:
        for row in record.numbers.get("rows", ()):
            groups.setdefault((tuple(row["place"]), row["method"]), []).append(row)
    return [
        Pooled(
            place,
            method,
            "; ".join(dict.fromkeys(row["setting"] for row in rows)),
            tuple(row["parameters"] for row in rows),
            tuple(row["bytes"] for row in rows),
            tuple((row["certified"][0], row["certified"][1]) for row in rows if row["certified"]),
            sum(row["good"] for row in rows),
            sum(row["exact"] for row in rows),
            sum(row["total"] for row in rows),
        )
        for (place, method), rows in groups.items()
    ]


def percent(count: int, total: int) -> str:
    """A rate in percent with Wilson's 95 % interval.

    >>> percent(98, 100)
    '98 (93 to 99.4)'
    """
    low, high = wilson_interval(count, total)
    return f"{100 * count / total:.3g} ({100 * low:.3g} to {100 * high:.3g})"


def side_by_side(
    records: Records,
    caption: str,
    columns: Sequence[str],
    threshold: str,
    published: Sequence[Published] = (),
    *,
    keep: Callable[[Pooled], bool] = lambda one: True,
) -> Sequence[PageTable]:
    """A table of every method at every place, published numbers first, parameters and bytes beside each number."""
    found = [one for one in pooled(records) if keep(one)]
    places = list(dict.fromkeys(one.place for one in found))
    rows: list[tuple[str, ...]] = []
    for place in places:
        rows += [
            (*place, one.method, "published", "–", "–", one.value, "–", "–", "–", one.source)
            for one in published
            if one.place == place
        ]
        rows += [_line(one) for one in found if one.place == place]
    head = (
        *columns,
        "method",
        "setting",
        "parameters",
        "bytes",
        f"MSE < {threshold}, %",
        f"MSE < {EXACT:g}, %",
        "certified",
        "seeds",
        "source",
    )
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


def _line(one: Pooled) -> tuple[str, ...]:
    sure, every = (sum(part) for part in zip(*one.certified, strict=True)) if one.certified else (0, 0)
    return (
        *one.place,
        one.method,
        one.setting,
        _range(one.parameters),
        _range(one.num_bytes),
        percent(one.good, one.total),
        percent(one.exact, one.total),
        f"{sure:,} of {every:,}" if every else "–",
        str(len(one.parameters)),
        "here",
    )


def _range(values: Sequence[int]) -> str:
    return " to ".join(dict.fromkeys((f"{min(values):,}", f"{max(values):,}")))


def curves(
    found: Sequence[Pooled],
    panels: Sequence[tuple[str, Callable[[Pooled], bool]]],
    at: Callable[[Pooled], float],
    label: str,
    published: Sequence[tuple[int, str, Sequence[float], Sequence[float]]] = (),
    *,
    logarithmic: bool = False,
) -> Any:
    """Rates over a number, one line per method with its interval, one panel per choice of `panels`.

    `published` are dashed lines: panel, name, places and rates.
    """
    methods = list(dict.fromkeys(one.method for one in found))
    alone, columns = len(panels) == 1, min(len(panels), 3)
    rows = -(-(len(methods) + len(published)) // columns)
    figure, grid = plain_axes(6.8, 3.4) if alone else plain_axes(4.2, 2.8 + 0.16 * rows, len(panels))
    for number, (axes, (title, chosen)) in enumerate(zip(grid[0], panels, strict=True)):
        for place, method in enumerate(methods):
            mine = sorted((one for one in found if one.method == method and chosen(one)), key=at)
            if not mine:
                continue
            rates = np.array([one.rate for one in mine])
            ends = np.array([one.interval for one in mine])
            errors = np.maximum(np.stack([rates - ends[:, 0], ends[:, 1] - rates]), 0)
            again, place = divmod(place, len(COLORS))  # a color that comes again has another mark
            style = {"color": COLORS[place], "marker": _MARKS[(place + again) % len(_MARKS)]}
            axes.errorbar([at(one) for one in mine], rates, errors, label=method, markersize=4, linewidth=1.2, **style)
        for panel, name, places, rates in published:
            if panel == number:
                axes.plot(places, rates, "--", linewidth=1, color=GRAY, marker="x", label=name)
        axes.set(title=title, xlabel=label, ylim=(-0.03, 1.05))
        if logarithmic:
            axes.set_xscale("log")
    grid[0, 0].set_ylabel("fraction recalled")
    handles = {text: line for axes in grid[0] for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    place = "outside right center" if alone else "outside lower center"
    figure.legend(handles.values(), handles.keys(), fontsize=7, frameon=False, ncols=columns, loc=place)
    return figure
