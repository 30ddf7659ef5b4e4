"""The law of the radii: a formula fitted to some networks, and how well it predicts others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from attrax.extending import Record
from attrax.paper._experiment import Drawing, Outcome, Records, Summary, told
from attrax.paper._figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, plain_axes
from attrax.paper._pictures import data_note
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellRecord, CellStatus

LOW = 1e-2
"""Radii count where the loss after the anneal is below this share of that of a constant map, whose radii are small as
well."""
_REFERENCE = {"rate × width": 0.01, "width": 64, "depth": 10, "pictures": 20}
"""The network that the constants of a kind are given for."""
_WITHIN, _MOST, _HALF = 2.0, 0.9, 0.5
_SMALL, _SPAN = 0.3, 100.0
"""The question is open unless half of the medians held back are below the first number, and the largest is at least the
second times the smallest: radii near one are predicted by almost any formula."""
_EPOCHS = (500, 1000, 2000, 4000, 8000, 16_000)
"""When the paper's network is predicted."""
_STEPS = 60.0
"""The largest exponent, so that no trial of the fit overflows."""
_START = np.array([0.0, np.log(2000.0), -1.0, 0.0, -2.0, 0.0, 0.5])
"""Where the fit of the seven constants starts."""
_COLORS = (BLUE, VERMILION, GREEN, ORANGE, GRAY)


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement that counts: which network, at what time, and the natural logarithm of its median radius."""

    network: str
    kind: str
    terms: tuple[float, ...]
    """Natural logarithms of rate × width, width, depth and number of pictures, each over that of the reference."""
    epochs: int
    value: float
    held: bool


def points(records: Records) -> list[Point]:
    """The measurements of all networks after which the loss is low."""
    found = list[Point]()
    for record in records:
        settings, numbers = record.cell.settings, record.numbers
        sizes = (settings["speed"], settings["width"], settings["depth"], settings["n"])
        kind = f"{settings['optimizer']}, {settings['activation']}"
        for epochs, *_, loss, median, _, _ in numbers.get("rows", ()):
            if None not in (loss, median) and loss <= LOW * numbers["constant"] and median > 0:
                value = float(np.log(median))
                found.append(Point(record.cell.name, kind, _terms(*sizes), epochs, value, settings["held"]))
    return found


def _terms(*sizes: float) -> tuple[float, ...]:
    return tuple(float(np.log(size / one)) for size, one in zip(sizes, _REFERENCE.values(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Law(Record):
    """R = R₀ / (1 + (t/T)ᵖ) of the median radius R after t epochs, with T = T₀ (rate·width)ᵃ widthᵇ depthᶜ nᵈ for n
    pictures, and each of the four over that of a reference network. All constants belong to a kind, which is an
    optimizer and an activation.

    **Fields:** `kinds`; `constants`, kinds×7: the logarithms of R₀ and T₀, a, b, c, d and p (a power is 0 if nothing it
    was fitted to tells it); `errors`, their standard errors, where the measurements of a network count as dependent;
    `factor`, the root mean square error of the fit as a factor; `held`, the points held back; `predicted`, the
    logarithms of their medians.
    """

    kinds: tuple[str, ...]
    constants: Float[np.ndarray, "kinds 7"]
    errors: Float[np.ndarray, "kinds 7"]
    factor: float
    held: tuple[Point, ...]
    predicted: Float[np.ndarray, " held"]

    def clock(self, some: Sequence[Point]) -> np.ndarray:
        """(t/T)ᵖ of each point, whose kind must be one of `kinds`."""
        return _clock(self.constants[[self.kinds.index(point.kind) for point in some]].T, some)

    @property
    def measured(self) -> Float[np.ndarray, " held"]:
        """The logarithms of the medians held back."""
        return np.array([point.value for point in self.held])

    @property
    def right(self) -> np.ndarray:
        """Which of the predictions are within a factor of two."""
        return np.abs(self.measured - self.predicted) <= np.log(_WITHIN)


def _clock(constants: np.ndarray, some: Sequence[Point]) -> np.ndarray:
    """(t/T)ᵖ of each point, by seven constants or so many for each."""
    _, time, *powers, steepness = constants
    terms = np.array([point.terms for point in some]).T
    late = np.log([point.epochs for point in some]) - time - sum(map(np.multiply, powers, terms))
    return np.exp(np.minimum(steepness * late, _STEPS))


def law(records: Records) -> Law | None:
    """Fits the formula by least squares; `None` where there is too little to fit it to, or nothing to predict."""
    there = points(records)
    kinds, fits = list[str](), list[tuple[np.ndarray, np.ndarray, np.ndarray]]()
    for kind in dict.fromkeys(point.kind for point in there):
        mine = [point for point in there if point.kind == kind and not point.held]
        if len(mine) > len(_START):
            kinds.append(kind)
            fits.append(_fitted(mine))
    held = tuple(point for point in there if point.held and point.kind in kinds)
    if not held:
        return None
    constants, errors = (np.array(part) for part in list(zip(*fits, strict=True))[:2])
    off = np.concatenate([one for *_, one in fits])
    empty = Law(tuple(kinds), constants, errors, float(np.exp(np.sqrt(np.mean(off**2)))), held, np.zeros(len(held)))
    first = constants[[kinds.index(point.kind) for point in held], 0]
    return replace(empty, predicted=first - np.log1p(empty.clock(held)))


def _fitted(mine: Sequence[Point]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The constants of a kind, their standard errors, and what is left of the values."""
    values, terms = np.array([point.value for point in mine]), np.array([point.terms for point in mine])
    told = np.concatenate([[True, True], np.ptp(terms, axis=0) > 0, [True]])

    def off(some: np.ndarray) -> np.ndarray:
        every = np.zeros(len(_START))
        every[told] = some
        return every[0] - np.log1p(_clock(every, mine)) - values

    found = least_squares(off, _START[told], x_scale="jac")
    # The measurements of a network share its start, so their errors are summed before they are squared.
    networks = np.array([point.network for point in mine])
    scores = np.array([found.jac[networks == one].T @ found.fun[networks == one] for one in np.unique(networks)])
    inverse = np.linalg.pinv(found.jac.T @ found.jac)
    constants, errors = np.zeros((2, len(_START)))
    constants[told], errors[told] = found.x, np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))
    return constants, errors, found.fun


def summarize(records: Records) -> Summary:
    """Judges whether the formula predicts the radii of networks that it was not fitted to."""
    rule = (
        f"Reproduced where it predicts the median radius within a factor of {_WITHIN:g} in {_MOST:.0%} of the "
        f"measurements held back, and in {_MOST:.0%} of those with a median below {_SMALL:g}; partly where in "
        f"{_HALF:.0%} of both. Inconclusive where fewer than half of the medians held back are below {_SMALL:g}, or "
        f"the largest is less than {_SPAN:g} times the smallest."
    )
    if any(record.status is CellStatus.FAILED for record in records) or not records:
        return Summary(None, None, None, Outcome.UNFINISHED, rule)
    found = law(records)
    if found is None:
        return Summary(None, None, None, Outcome.INCONCLUSIVE, f"There is too little to fit it to. {rule}")
    small = found.measured < np.log(_SMALL)
    low, high = np.exp(found.measured.min()), np.exp(found.measured.max())
    whole, part = float(np.mean(found.right)), float(np.mean(found.right[small])) if small.any() else 0.0
    text = (
        f"The fit is off by a factor of {found.factor:.2f} (root mean square). The {len(found.held)} measurements held "
        f"back have medians from {low:.2g} to {high:.2g}; {np.mean(small):.0%} of them are below {_SMALL:g}, and of "
        f"these {part:.0%} are predicted. {rule}"
    )
    if np.mean(small) < 0.5 or high < _SPAN * low:
        outcome = Outcome.INCONCLUSIVE
    elif min(whole, part) >= _MOST:
        outcome = Outcome.REPRODUCED
    else:
        outcome = Outcome.PARTLY if min(whole, part) >= _HALF else Outcome.NOT
    return Summary(whole, None, None, outcome, text)


def draw(records: Records) -> Sequence[Drawing]:
    """The median radii that the formula was fitted to, and those held back beside its predictions."""
    found = law(records)
    if found is None:
        return ()
    figure, (axes,) = plain_axes(4.6, 3.6, 2)
    there = [point for point in points(records) if point.kind in found.kinds and not point.held]
    clock = found.clock(there)
    for number, kind in enumerate(found.kinds):
        mine = np.array([point.kind == kind for point in there])
        radii = np.exp([point.value - found.constants[number, 0] for point in there if point.kind == kind])
        axes[0].loglog(clock[mine], radii, ".", color=_COLORS[number % len(_COLORS)], markersize=4, label=kind)
    ends = np.geomspace(clock.min(), clock.max())
    axes[0].loglog(ends, 1 / (1 + ends), "-", color=GRAY, linewidth=0.8)
    axes[0].legend(fontsize=8, frameon=False)
    axes[0].set(xlabel="(t/T)ᵖ", ylabel="median radius R/R₀, networks fitted to")
    both = np.concatenate([found.measured, found.predicted])
    ends = np.exp([both.min(), both.max()])
    for factor, style in ((1, "-"), (_WITHIN, ":"), (1 / _WITHIN, ":")):
        axes[1].loglog(ends, factor * ends, style, color=GRAY, linewidth=0.8)
    for number, kind in enumerate(found.kinds):
        mine = np.array([point.kind == kind for point in found.held])
        color = _COLORS[number % len(_COLORS)]
        axes[1].loglog(np.exp(found.predicted[mine]), np.exp(found.measured[mine]), ".", color=color, markersize=6)
    axes[1].set(xlabel="predicted", ylabel="measured, networks held back")
    settings = records[0].cell.settings
    note = data_note("cifar10", settings["source"])
    return (Drawing(figure, f"{settings['n']} gray pictures of {settings['side']}×{settings['side']}. {note}"),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The constants with their errors, what the formula says of the paper's network, and every measurement."""
    found, tables = law(records), list[PageTable]()
    if found is not None:
        tables += [_constants(found), _powers(found), _of_the_paper(found)]
    rows = [
        (record.cell.name, "yes" if record.cell.settings["held"] else "", *_texts(record, row))
        for record in records
        for row in record.numbers.get("rows", ())
    ]
    head = ("network", "held back", "rate", "epochs", "loss", "median radius")
    head += ("loss after the anneal", "median radius", "largest", "below 1")
    caption = "Radii at the examples as given, after each number of epochs at the rate, and after an anneal from there."
    return [*tables, PageTable(caption, head, tuple(rows))] if rows else tables


def _constants(found: Law) -> PageTable:
    rows = []
    for number, (kind, (first, time, *_)) in enumerate(zip(found.kinds, found.constants, strict=True)):
        error, late = found.errors[number, :2]
        mine = np.array([point.kind == kind for point in found.held])
        right = f"{found.right[mine].sum()} of {mine.sum()}"
        rows.append(
            (kind, told(np.exp(first), ".2f"), f"{error:.0%}", told(np.exp(time), ",.0f"), f"{late:.0%}", right)
        )
    reference = ", ".join(f"{name} {value:g}" for name, value in _REFERENCE.items())
    caption = (
        f"R = R₀ / (1 + (t/T)ᵖ) of the median radius R after t epochs. T₀ is T at {reference}. Errors are standard "
        "errors in percent; the measurements of a network count as dependent. Predicted: within a factor of "
        f"{_WITHIN:g}, of the measurements held back."
    )
    head = ("optimizer, activation", "R₀", "error", "T₀, epochs", "error", "predicted")
    return PageTable(caption, head, tuple(rows))


def _powers(found: Law) -> PageTable:
    rows = [
        (
            kind,
            *(f"{power:+.2f} ± {error:.2f}" if error else "–" for power, error in zip(own[2:], off[2:], strict=True)),
        )
        for kind, own, off in zip(found.kinds, found.constants, found.errors, strict=True)
    ]
    head = ("optimizer, activation", *(f"T by {name}" for name in _REFERENCE), "p")
    caption = "Powers in T, and p, with standard errors; a dash where the networks do not differ in it."
    return PageTable(caption, head, tuple(rows))


def _of_the_paper(found: Law) -> PageTable:
    """The medians that the formula gives for the paper's network at the paper's rate."""
    width, depth, rate, count = 1024, 10, 1e-4, 500
    terms = _terms(rate * width, width, depth, count)
    rows = []
    for kind, (first, *_) in zip(found.kinds, found.constants, strict=True):
        some = [Point("", kind, terms, epochs, 0.0, True) for epochs in _EPOCHS]
        rows.append((kind, *(told(value, ".2g") for value in np.exp(first) / (1 + found.clock(some)))))
    caption = (
        f"What the formula gives for {count} pictures in the paper's {depth}×{width} at its rate of {rate:g}: the "
        "median radius, by epochs. It was fitted to narrower networks and fewer pictures; where the power of the "
        "number of pictures is a dash, that number is left out."
    )
    return PageTable(caption, ("optimizer, activation", *(f"{epochs:,}" for epochs in _EPOCHS)), tuple(rows))


def _texts(record: CellRecord, row: Sequence[Any]) -> tuple[str, ...]:
    epochs, loss, median, after, annealed, largest, below = row
    moving = told(record.numbers["rate"]), str(epochs), told(loss, ".1e"), told(median, ".3g")
    return *moving, told(after, ".1e"), told(annealed, ".3g"), told(largest, ".3g"), str(below)
