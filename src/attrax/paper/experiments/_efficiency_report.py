"""Storage in sequences against storage one by one, as text and figures in the form of the paper's."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base import checks
from attrax.paper.experiments._efficiency import EfficiencyStudy, EfficiencyTrial, trained_of
from attrax.report._plots import BLUE, GRAY, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SPECTRA = ("radii", "eigenvalues")


def arrangement(n: int, length: int) -> str:
    """How `n` examples are arranged: `100 one by one`, `10 sequences of 10`, `1 sequence of 100`."""
    if length == 1:
        return f"{n} one by one"
    count = n // length
    return f"{count} sequence{'' if count == 1 else 's'} of {length}"


def efficiency_text(study: EfficiencyStudy) -> str:
    """For each mode and arrangement the smallest network that stores all examples, and every cell, as Markdown tables.

    Cells are stored examples, the mean over the seeds that were trained; `–` where none reached the loss asked for, and
    nothing where there is no network. In the paper's mode those of them that are not certified are counted too, as the
    paper does, and where there are such the certified ones follow in brackets.

    **Arguments:** `study`. **Returns:** lines of text, without a line break at the end.
    """
    scale = study.scale
    cells = [(depth, width) for depth in scale.depths for width in scale.widths]
    head = ["mode", "examples", "smallest that stores all", *(f"{depth}×{width}" for depth, width in cells)]
    lines = ["| " + " | ".join(head) + " |", "|---|---|---:|" + "---:|" * len(cells)]
    for mode in study.modes:
        for length in scale.lengths:
            smallest = study.smallest(mode, length)
            found = "none" if smallest is None else f"{smallest[0]}×{smallest[1]}"
            counts = [_cell(study, mode, length, depth, width) for depth, width in cells]
            lines.append("| " + " | ".join([mode, arrangement(scale.n, length), found, *counts]) + " |")
    return "\n".join(lines)


def _cell(study: EfficiencyStudy, mode: str, length: int, depth: int, width: int) -> str:
    """Stored examples, and the certified ones where these are others."""
    every = study.at(mode, length, depth, width)
    trials = [trial for trial in every if trial.trained]
    if not trials:
        return "–" if every else ""
    stored, certified = (np.mean([getattr(trial, name) for trial in trials]) for name in ("stored", "certified"))
    return f"{stored:.3g}" if stored == certified else f"{stored:.3g} ({certified:.3g})"


def efficiency_figure(study: EfficiencyStudy) -> "Figure":
    """Stored examples over depth and width, a panel for each arrangement, a row for each mode (Fig. 5).

    The smallest network that stores all has a frame. Gray with a dash: the loss asked for was not reached; gray without
    one: there is no network. Numbers are those of `efficiency_text`.

    **Arguments:** `study`. **Returns:** a `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    scale = study.scale
    shape = (len(study.modes), len(scale.lengths))
    size = (
        max(1.2 + shape[1] * (0.9 + 0.55 * len(scale.widths)), 2.4 * shape[1], 5.0),
        shape[0] * (1.0 + 0.45 * len(scale.depths)) + 0.4,
    )
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    grid = figure.subplots(*shape, squeeze=False, sharex=True, sharey=True)
    image: Any = None
    for mode, line in zip(study.modes, grid, strict=True):
        for length, axes in zip(scale.lengths, line, strict=True):
            counts = study.counts(mode, length)
            axes.set_facecolor("#d8d8d8")
            image = axes.imshow(
                np.ma.masked_invalid(counts), cmap="viridis", vmin=0, vmax=scale.n, origin="lower", aspect="auto"
            )
            for (i, j), count in np.ndenumerate(counts):
                said = _cell(study, mode, length, scale.depths[i], scale.widths[j]).replace(" ", "\n")
                axes.text(
                    j,
                    i,
                    said,
                    ha="center",
                    va="center",
                    fontsize=8 if "(" not in said else 7,
                    color="white" if count < 0.6 * scale.n else "black",
                )
            smallest = study.smallest(mode, length)
            if smallest is not None:
                place = (scale.widths.index(smallest[1]) - 0.5, scale.depths.index(smallest[0]) - 0.5)
                axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=VERMILION, linewidth=2.5))
            axes.set_xticks(range(len(scale.widths)), [str(width) for width in scale.widths], fontsize=8)
            axes.set_yticks(range(len(scale.depths)), [str(depth) for depth in scale.depths], fontsize=8)
            axes.set_title(f"{mode}: {arrangement(scale.n, length)}", fontsize=9)
    for axes in grid[:, 0]:
        axes.set_ylabel("depth")
    for axes in grid[-1]:
        axes.set_xlabel("width")
    figure.colorbar(image, ax=list(grid.flat), label="stored examples (certified)", shrink=0.9)
    figure.suptitle(
        f"{scale.n} examples ({study.data.source}), {scale.activation}\nframed: the smallest network that stores all",
        fontsize=10,
    )
    return figure


def measured(
    study: EfficiencyStudy, what: str, measure: Callable[[np.ndarray], Any], depth: int, width: int
) -> list[float]:
    """A measure of the finite `what` of each network of this size that was trained, where it has any.

    **Arguments:** `study`; `what`, `"radii"` or `"eigenvalues"`, of the paper's mode, examples one by one; `measure`,
    from values to a number; `depth` and `width`. **Returns** a number a seed, at most.
    """
    trials = [trial for trial in study.at("paper", 1, depth, width) if trial.trained]
    values = [_finite([getattr(trial, what)]) for trial in trials]
    return [float(measure(part)) for part in values if len(part)]


def typical(study: EfficiencyStudy, what: str, measure: Callable[[np.ndarray], Any]) -> np.ndarray:
    """The median over seeds of what was `measured`, depths×widths; NaN where no network was trained."""
    found = np.full((len(study.scale.depths), len(study.scale.widths)), np.nan)
    for i, depth in enumerate(study.scale.depths):
        for j, width in enumerate(study.scale.widths):
            values = measured(study, what, measure, depth, width)
            if values:
                found[i, j] = np.median(values)
    return found


def falls_in(steps: np.ndarray) -> str:
    """In how many pairs of neighboring sizes something falls, from its differences; NaN where a size is not known.

    >>> falls_in(np.array([-1.0, 2.0, np.nan]))
    '1 of the 2 pairs of sizes that can be compared (of 3)'
    """
    return (
        f"{(steps < 0).sum()} of the {np.isfinite(steps).sum()} pairs of sizes that can be compared (of {steps.size})"
    )


def spectra_text(study: EfficiencyStudy, what: str = "radii") -> str:
    """The numbers behind `spectra_figure`, a row a size, as a Markdown table.

    Median, variance and the fraction below 1 are of each network's own values: the median over the seeds that were
    trained, the least and the largest behind it; `–` where none was.

    **Arguments:** as of `spectra_figure`. **Returns:** lines of text, without a line break at the end. **Raises**
    `ValueError` for an unknown `what`.
    """
    checks.one_of("what", what, _SPECTRA)
    measures: tuple[Callable[[np.ndarray], Any], ...] = (np.median, np.var, _below_one)
    lines = [
        "| depth | width | networks trained | median | variance | fraction below 1 |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for depth in study.scale.depths:
        for width in study.scale.widths:
            trials = study.at("paper", 1, depth, width)
            numbers = [_ranged(measured(study, what, measure, depth, width)) for measure in measures]
            lines.append("| " + " | ".join([str(depth), str(width), trained_of(trials), *numbers]) + " |")
    return "\n".join(lines)


def _below_one(values: np.ndarray) -> float:
    return float((values < 1).mean())


def _ranged(values: list[float]) -> str:
    """The median and, where they differ, the least and the largest."""
    if not values:
        return "–"
    least, most = min(values), max(values)
    return f"{np.median(values):.3g}" + (f" ({least:.3g} to {most:.3g})" if least < most else "")


def _finite(parts: Iterable[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.zeros(0), *parts])
    return values[np.isfinite(values)]


def spectra_figure(study: EfficiencyStudy, what: str = "radii", *, bins: int = 30) -> "Figure":
    """Histograms over the grid of depths and widths, from the networks of the paper's mode, examples one by one.

    **Arguments:** `study`, in which the mode `paper` and the length 1 are; `what`, `"radii"` for the spectral radius at
    each example (Fig. 12) or `"eigenvalues"` for the top one percent of the moduli (Fig. 13); `bins`. In both, seeds
    count together, the line at 1 is what attractors stay below, and networks that did not reach the loss asked for are
    gray; titles count them. A panel without values is blank.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for wrong arguments and where there is nothing to
    draw.
    """
    from matplotlib.figure import Figure

    checks.one_of("what", what, _SPECTRA)
    bins = checks.integer("bins", bins, least=1)

    def value(trial: EfficiencyTrial) -> np.ndarray:
        return getattr(trial, what)

    scale = study.scale
    found = {(depth, width): study.at("paper", 1, depth, width) for depth in scale.depths for width in scale.widths}
    finite = _finite(value(trial) for trials in found.values() for trial in trials)
    if not len(finite):
        raise ValueError(
            "study must hold the mode paper with the length 1, which these figures are of; it has no such "
            "network with finite eigenvalues"
        )
    most = max(1.05, float(np.quantile(finite, 0.99)))
    figure = Figure(
        figsize=(0.6 + 2.0 * len(scale.widths), 0.5 + 1.5 * len(scale.depths)), layout="constrained", facecolor="white"
    )
    grid = figure.subplots(len(scale.depths), len(scale.widths), squeeze=False, sharex=True)
    for axes, ((depth, width), trials) in zip(grid.flat, found.items(), strict=True):
        axes.set_title(f"{depth}×{width}{_untrained(trials)}", fontsize=8)
        parts = [_finite(value(trial) for trial in trials if trial.trained is trained) for trained in (True, False)]
        if any(map(len, parts)):
            # What lies beyond the frame is counted in the last bin.
            axes.hist(
                [np.minimum(part, most) for part in parts], bins, range=(0, most), stacked=True, color=(BLUE, GRAY)
            )
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


def _untrained(trials: tuple[EfficiencyTrial, ...]) -> str:
    """What the title of a panel adds where not all of its networks were trained."""
    if not trials:
        return ", no network"
    if all(trial.trained for trial in trials):
        return ""
    return f", trained {trained_of(trials)}" if any(trial.trained for trial in trials) else ", not trained"
