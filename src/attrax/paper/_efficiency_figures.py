"""Storage in sequences compared with storage one by one, as tables and figures in the form of the paper."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.paper._efficiency import Study, Trial, concluded, efficiency_cells, noted, study, trained_of
from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary
from attrax.paper.pages import PageTable
from attrax.report import BLUE, GRAY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def arrangement(n: int, length: int) -> str:
    """The arrangement of `n` examples in words: `100 one by one`, `10 sequences of 10`, `1 sequence of 100`."""
    if length == 1:
        return f"{n} one by one"
    count = n // length
    return f"{count} sequence{'' if count == 1 else 's'} of {length}"


def efficiency_table(study: Study, caption: str) -> PageTable:
    """For each arrangement, the smallest network that stores all examples, and the result of every size.

    Entries are stored examples, as the mean over the seeds that were trained; `–` if none reached the requested loss,
    and empty if there is no network. In the paper's mode, examples that are not certified are counted too, as in the
    paper; if there are any, the certified ones follow in brackets.
    """
    places = [(depth, width) for depth in study.depths for width in study.widths]
    rows = []
    for length in study.lengths:
        smallest = study.smallest(length)
        found = "none" if smallest is None else f"{smallest[0]}×{smallest[1]}"
        rows.append((arrangement(study.n, length), found, *(_cell(study, length, *place) for place in places)))
    head = ("examples", "smallest that stores all", *(f"{depth}×{width}" for depth, width in places))
    return PageTable(caption, head, tuple(rows))


def _cell(study: Study, length: int, depth: int, width: int) -> str:
    """Stored examples, and the certified ones if their number differs."""
    every = study.at(length, depth, width)
    trials = [trial for trial in every if trial.trained]
    if not trials:
        return "–" if every else ""
    stored, certified = (np.mean([getattr(trial, name) for trial in trials]) for name in ("stored", "certified"))
    return f"{stored:.3g}" if stored == certified else f"{stored:.3g} ({certified:.3g})"


def efficiency_figure(study: Study) -> "Figure":
    """Stored examples over depth and width, one panel for each arrangement (Fig. 5).

    The smallest network that stores all has a frame. Gray with a dash: the requested loss was not reached; gray without
    one: there is no network. Numbers are those of `efficiency_table`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    panels = len(study.lengths)
    size = (
        max(1.2 + panels * (0.9 + 0.55 * len(study.widths)), 2.4 * panels, 5.0),
        1.4 + 0.45 * len(study.depths),
    )
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    grid = figure.subplots(1, panels, squeeze=False, sharex=True, sharey=True)[0]
    image: Any = None
    for length, axes in zip(study.lengths, grid, strict=True):
        counts = study.counts(length)
        axes.set_facecolor("#d8d8d8")
        image = axes.imshow(
            np.ma.masked_invalid(counts), cmap="viridis", vmin=0, vmax=study.n, origin="lower", aspect="auto"
        )
        for (i, j), count in np.ndenumerate(counts):
            said = _cell(study, length, study.depths[i], study.widths[j]).replace(" ", "\n")
            color = "white" if count < 0.6 * study.n else "black"
            axes.text(j, i, said, ha="center", va="center", fontsize=8 if "(" not in said else 7, color=color)
        smallest = study.smallest(length)
        if smallest is not None:
            place = (study.widths.index(smallest[1]) - 0.5, study.depths.index(smallest[0]) - 0.5)
            axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=VERMILION, linewidth=2.5))
        axes.set_xticks(range(len(study.widths)), [str(width) for width in study.widths], fontsize=8)
        axes.set_yticks(range(len(study.depths)), [str(depth) for depth in study.depths], fontsize=8)
        axes.set_title(arrangement(study.n, length), fontsize=9)
        axes.set_xlabel("width")
    grid[0].set_ylabel("depth")
    figure.colorbar(image, ax=list(grid), label="stored examples (certified)", shrink=0.9)
    figure.suptitle("framed: the smallest network that stores all", fontsize=10)
    return figure


def measured(study: Study, what: str, measure: Callable[[np.ndarray], Any], depth: int, width: int) -> list[float]:
    """A measure of the finite `what` of each trained network of this size that has any.

    `what` is `"radii"` or `"eigenvalues"`, of the paper's mode, examples one by one; `measure` maps values to a number.
    **Returns** at most one number for each seed.
    """
    trials = [trial for trial in study.at(1, depth, width) if trial.trained]
    values = [_finite([getattr(trial, what)]) for trial in trials]
    return [float(measure(part)) for part in values if len(part)]


def typical(study: Study, what: str, measure: Callable[[np.ndarray], Any]) -> np.ndarray:
    """The median over seeds of the `measured` numbers, depths×widths; NaN if no network was trained."""
    found = np.full((len(study.depths), len(study.widths)), np.nan)
    for i, depth in enumerate(study.depths):
        for j, width in enumerate(study.widths):
            values = measured(study, what, measure, depth, width)
            if values:
                found[i, j] = np.median(values)
    return found


def falls_in(steps: np.ndarray) -> str:
    """In how many pairs of neighboring sizes a quantity falls, from its differences; NaN for an unknown size.

    >>> falls_in(np.array([-1.0, 2.0, np.nan]))
    '1 of the 2 pairs of sizes that can be compared (of 3)'
    """
    return (
        f"{(steps < 0).sum()} of the {np.isfinite(steps).sum()} pairs of sizes that can be compared (of {steps.size})"
    )


def spectra_table(study: Study, what: str, caption: str) -> PageTable:
    """The numbers behind `spectra_figure`, one row for each size.

    Median, variance and the fraction below 1 are computed for each network. The table shows their median over the
    trained seeds, followed by the least and the largest; `–` if no seed was trained.
    """
    measures: tuple[Callable[[np.ndarray], Any], ...] = (np.median, np.var, _below_one)
    rows = []
    for depth in study.depths:
        for width in study.widths:
            numbers = [_ranged(measured(study, what, measure, depth, width)) for measure in measures]
            rows.append((str(depth), str(width), trained_of(study.at(1, depth, width)), *numbers))
    return PageTable(
        caption, ("depth", "width", "networks trained", "median", "variance", "fraction below 1"), tuple(rows)
    )


def _below_one(values: np.ndarray) -> float:
    return float((values < 1).mean())


def _ranged(values: list[float]) -> str:
    """The median and, if they differ, the least and the largest."""
    if not values:
        return "–"
    least, most = min(values), max(values)
    return f"{np.median(values):.3g}" + (f" ({least:.3g} to {most:.3g})" if least < most else "")


def _finite(parts: Iterable[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.zeros(0), *parts])
    return values[np.isfinite(values)]


def spectra_figure(study: Study, what: str) -> "Figure":
    """Histograms over the grid of depths and widths, for single examples in the paper's mode.

    **Arguments:** `study`, with at least one finite value; `what`, `"radii"` for the spectral radius at each example
    (Fig. 12) or `"eigenvalues"` for the top one percent of the moduli (Fig. 13). In both, all seeds are counted
    together, attractors lie below the line at 1, and networks that did not reach the requested loss are gray; titles
    count them. A panel without values is blank.
    """
    from matplotlib.figure import Figure

    found = {(depth, width): study.at(1, depth, width) for depth in study.depths for width in study.widths}
    finite = _finite(getattr(trial, what) for trials in found.values() for trial in trials)
    most = max(1.05, float(np.quantile(finite, 0.99)))
    figure = Figure(
        figsize=(0.6 + 2.0 * len(study.widths), 0.5 + 1.5 * len(study.depths)), layout="constrained", facecolor="white"
    )
    grid = figure.subplots(len(study.depths), len(study.widths), squeeze=False, sharex=True)
    for axes, ((depth, width), trials) in zip(grid.flat, found.items(), strict=True):
        axes.set_title(f"{depth}×{width}{_untrained(trials)}", fontsize=8)
        parts = [
            _finite(getattr(trial, what) for trial in trials if trial.trained is trained) for trained in (True, False)
        ]
        if any(map(len, parts)):
            # Values beyond the frame are counted in the last bin.
            within = [np.minimum(part, most) for part in parts]
            axes.hist(within, 30, range=(0, most), stacked=True, color=(BLUE, GRAY))
            axes.axvline(1.0, color="black", linewidth=1, linestyle="--")
        else:
            axes.set_yticks([])
        axes.tick_params(labelsize=7)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.supxlabel(
        "spectral radius at the example" if what == "radii" else "modulus, top 1 % of the eigenvalues", fontsize=9
    )
    return figure


def _untrained(trials: tuple[Trial, ...]) -> str:
    """The addition to the title of a panel if not all of its networks were trained."""
    if not trials:
        return ", no network"
    if all(trial.trained for trial in trials):
        return ""
    return f", trained {trained_of(trials)}" if any(trial.trained for trial in trials) else ", not trained"


def spectra_drawings(records: Records, what: str) -> Sequence[Drawing]:
    """The figure of the results of these cells, if there are any."""
    found = study(records)
    if found is None or not any(np.isfinite(getattr(trial, what)).any() for trial in found.trials):
        return ()
    return (noted(spectra_figure(found, what), found, "those that did not"),)


def spectra_experiment(
    judge: Callable[[Study], Summary], *, what: str, words: str, notes: str = "", **said: Any
) -> Experiment:
    """An experiment on the `what` of `measured`, over the networks of Fig. 5 that store the examples one by one.

    `judge` gets a study in which some network was trained; `words`, for what the table is of; `said` are further fields
    of `Experiment`.
    """

    def judged(found: Study) -> Summary:
        if not any(trial.trained and np.isfinite(getattr(trial, what)).any() for trial in found.trials):
            return Summary(None, None, None, Outcome.NOT_TRAINED, "No network reached the requested loss.")
        return judge(found)

    return Experiment(
        paper=None,
        cells=partial(efficiency_cells, alone=True),
        summarize=partial(concluded, judge=judged),
        draw=partial(spectra_drawings, what=what),
        tabulate=partial(spectra_tables, what=what, words=words),
        modes=("paper", "edge"),
        notes=f"{notes}The networks are those of Fig. 5 that store the examples one by one.",
        **said,
    )


def spectra_tables(records: Records, what: str, words: str) -> Sequence[PageTable]:
    """The numbers of these cells, if there are any; `words` describes what they measure."""
    found = study(records)
    caption = f"{words} by size, of networks that were trained: the median over seeds, with the least and the largest."
    return () if found is None or not found.trials else (spectra_table(found, what, caption),)
