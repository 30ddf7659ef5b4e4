"""Figures of measurements: the census of limits, recovery curves, and rivals."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base import checks
from attrax._base.pictures import is_picture, pixels
from attrax._base.status import Verdict
from attrax._base.types import HostStates
from attrax.analysis import Census, Comparison, CurvePoint, LimitKind
from attrax.report._plots import BLUE, GRAY, GREEN, ORANGE, VERMILION, _figure
from attrax.report._save import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: "Figure", folder: str | os.PathLike[str], name: str) -> tuple[Path, Path]:
    """Saves a figure as `name`.png and `name`.svg in `folder`, which is created if it is missing.

    **Returns:** the two paths. **Raises** `ValueError` if they can't be written.

    ```python
    >>> from matplotlib.figure import Figure
    >>> from attrax import report
    >>> [path.name for path in report.write_figure(Figure(), "figures", "empty")]
    ['empty.png', 'empty.svg']

    ```
    """
    folder = Path(folder)
    png, svg = folder / f"{name}.png", folder / f"{name}.svg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder}: the figure {name} can't be written: {error.strerror or error}") from None
    return save_figure(figure, png), save_figure(figure, svg)


def census_figure(census: Census) -> "Figure":
    """The number of limits found against the number of starts, and where each kind of start ended.

    Left: the mean number of limits found by a part of the starts, for all limits and for spurious ones, with
    Chao's estimates as dotted lines and the number of stored examples as a gray one. Right: for each kind of start, the
    fractions that ended at a stored example, ended elsewhere, diverged, or did not converge.

    **Returns:** a `matplotlib.figure.Figure`, 9×3.6 inches.

    ```python
    >>> import numpy as np
    >>> from attrax import report
    >>> from attrax.analysis import Census, Limit, LimitKind
    >>> limits = (
    ...     Limit(LimitKind.STORED, 3, 1, 0, np.zeros((2, 2)), 0, 0.0),
    ...     Limit(LimitKind.SPURIOUS, 1, 1, -1, np.ones((2, 2)), 0, 2.0),
    ... )
    >>> census = Census(limits, np.array([0, 0, 1, 0]), np.array(["uniform"] * 4), np.full(4, 9), 1, 0.95)
    >>> len(report.census_figure(census).axes)
    2

    ```
    """
    figure, left = _figure(9.0, 3.6, "black", False)
    left.set_subplotspec(left.get_gridspec().figure.add_gridspec(1, 2)[0, 0])
    right = figure.add_subplot(left.get_gridspec()[0, 1])
    for side in ("right", "top"):
        right.spines[side].set_visible(False)
    sizes, every, foreign = census.discovery()
    left.plot(sizes, every, color=BLUE, linewidth=1.8, label="all limits")
    left.plot(sizes, foreign, color=VERMILION, linewidth=1.8, linestyle="--", label="spurious")
    left.axhline(
        census.richness(), color=BLUE, linewidth=1, linestyle=":", label=f"Chao1, all: {census.richness():.0f}"
    )
    left.axhline(
        census.richness(stored=False),
        color=VERMILION,
        linewidth=1,
        linestyle=":",
        label=f"Chao1, spurious: {census.richness(stored=False):.0f}",
    )
    left.axhline(census.num_stored, color=GRAY, linewidth=1, label=f"stored: {census.num_stored}")
    left.set_xlabel("starts")
    left.set_ylabel("limits found")
    left.set_ylim(bottom=0)
    left.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    groups = [
        ("stored", BLUE),
        ("spurious", VERMILION),
        ("cycle", ORANGE),
        ("saddle", GREEN),
        ("diverged", "black"),
        ("not converged", GRAY),
    ]
    kinds = list(census.by_kind)
    table = outcome_rates(census)
    floor = np.zeros(len(kinds))
    for name, color in groups:
        heights = np.array([table[kind].get(name, 0.0) for kind in kinds])
        if heights.any():
            right.barh(kinds, heights, left=floor, color=color, edgecolor="white", linewidth=0.5, label=name)
        floor += heights
    right.invert_yaxis()
    right.set_xlim(0, 1)
    right.set_xlabel("fraction of the starts")
    right.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    figure.suptitle(
        f"{census.other} of {census.starts:,} starts end elsewhere: at most {100 * census.upper_bound:.3g} % "
        f"with {100 * census.confidence:g} % confidence",
        fontsize=10,
    )
    return figure


def limits_figure(census: Census, originals: HostStates, *, columns: int = 8) -> "Figure":
    """The spurious limits, most frequent first, each above its nearest stored example: Figure 9.

    Above each are its kind and the number of starts that ended there; below is its root mean square distance to the
    example. A blue frame marks a certified attractor, a gray one anything else.

    **Arguments:** `census`, of pictures; `originals`, the stored examples, n×state shape; `columns`, the maximum number
    to show.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for states that are not pictures, and if every
    limit is a stored one.

    ```python
    >>> import numpy as np
    >>> from attrax import report
    >>> from attrax.analysis import Census, Limit, LimitKind
    >>> limits = (
    ...     Limit(LimitKind.STORED, 3, 1, 0, np.zeros((2, 2)), 0, 0.0),
    ...     Limit(LimitKind.SPURIOUS, 1, 1, -1, np.ones((2, 2)), 0, 2.0),
    ... )
    >>> census = Census(limits, np.array([0, 0, 1, 0]), np.array(["uniform"] * 4), np.full(4, 9), 1, 0.95)
    >>> len(report.limits_figure(census, np.zeros((1, 2, 2))).axes)
    2

    ```
    """
    from matplotlib.figure import Figure

    columns = checks.integer("columns", columns, least=1)
    foreign = [limit for limit in census.limits if limit.kind is not LimitKind.STORED][:columns]
    originals = np.asarray(originals)
    if not is_picture(originals.shape[1:]):
        raise ValueError(f"originals must be pictures (H×W or H×W×C); got states of shape {originals.shape[1:]}")
    if not foreign:
        raise ValueError("every limit of this census is a stored one; there is nothing to show")
    rows = (
        pixels(np.stack([limit.state for limit in foreign]), originals),
        pixels(np.stack([originals[limit.nearest] for limit in foreign]), originals),
    )
    figure = Figure(figsize=(1.25 * len(foreign) + 0.5, 3.5), layout="constrained", facecolor="white")
    grid = figure.subplots(2, len(foreign), squeeze=False)
    for column, limit in enumerate(foreign):
        for row, pictures in enumerate(rows):
            axes = grid[row, column]
            axes.imshow(pictures[column], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        certified = limit.verdict is Verdict.ATTRACTOR
        for spine in grid[0, column].spines.values():
            spine.set(color=BLUE if certified else GRAY, linewidth=2.5)
        name = str(limit.kind) if limit.period == 1 else f"{limit.kind} of {limit.period}"
        grid[0, column].set_title(f"{name}\n{limit.count:,} starts", fontsize=8)
        grid[1, column].set_xlabel(f"{limit.distance / np.sqrt(originals[0].size):.2g} away", fontsize=8)
    grid[0, 0].set_ylabel("spurious", fontsize=9)
    grid[1, 0].set_ylabel("nearest stored", fontsize=9)
    return figure


def outcome_rates(census: Census) -> dict[str, dict[str, float]]:
    """For each kind of start, the fraction of each outcome: the kinds of limits, `diverged` and `not converged`.

    ```python
    >>> import numpy as np
    >>> from attrax import report
    >>> from attrax.analysis import Census, Limit, LimitKind
    >>> limits = (
    ...     Limit(LimitKind.STORED, 3, 1, 0, np.zeros((2, 2)), 0, 0.0),
    ...     Limit(LimitKind.SPURIOUS, 1, 1, -1, np.ones((2, 2)), 0, 2.0),
    ... )
    >>> census = Census(limits, np.array([0, 0, 1, 0]), np.array(["uniform"] * 4), np.full(4, 9), 1, 0.95)
    >>> report.outcome_rates(census)
    {'uniform': {'stored': 0.75, 'spurious': 0.25}}

    ```
    """
    names = [str(limit.kind) for limit in census.limits] + ["not converged", "diverged"]
    found: dict[str, dict[str, float]] = {}
    for kind in census.by_kind:
        labels = census.label[census.start_kind == kind]
        rates: dict[str, float] = {}
        for number, count in zip(*np.unique(labels, return_counts=True), strict=True):
            rates[names[number]] = rates.get(names[number], 0.0) + float(count) / len(labels)
        found[kind] = rates
    assert all(
        name in {*map(str, LimitKind), "diverged", "not converged"} for rates in found.values() for name in rates
    )
    return found


def curve_figure(points: Sequence[CurvePoint]) -> "Figure":
    """Recovery against the level of each corruption, one panel each, compared with nearest-neighbor rules.

    The band is Wilson's 95 % interval of the memory's rate. The heading says whether such cues were used in training;
    if that differs between levels, those used have filled marks and the others open ones.

    **Arguments:** `points`, from `analysis.recovery_curves`, at least one.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` without points.

    ```python
    >>> from attrax import report
    >>> from attrax.analysis import CurvePoint
    >>> points = [
    ...     CurvePoint("gaussian", level, f"gaussian:{level}", 10, right, {"euclidean": 0.8}, None, "no")
    ...     for level, right in ((0.1, 9), (0.5, 6))
    ... ]
    >>> len(report.curve_figure(points).axes)
    1

    ```
    """
    from matplotlib.figure import Figure

    if not points:
        raise ValueError("points must hold at least one level of one corruption; got none")
    groups: dict[str, list[CurvePoint]] = {}
    for point in points:
        groups.setdefault(point.corruption, []).append(point)
    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(2.9 * columns + 0.4, 2.3 * rows + 0.7), layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(groups) :]:
        axes.set_visible(False)
    for axes, (name, members) in zip(grid.flat, groups.items(), strict=False):
        members = sorted(members, key=lambda point: point.level)
        levels = [point.level for point in members]
        rates = np.array([point.rate for point in members])
        ends = np.array([point.interval for point in members])
        axes.fill_between(levels, ends[:, 0], ends[:, 1], color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(levels, rates, color=BLUE, linewidth=1.8)
        used = np.array([point.trained == "yes" for point in members])
        for chosen, face in ((used, BLUE), (~used, "white")):
            axes.plot(np.array(levels)[chosen], rates[chosen], "o", color=BLUE, markerfacecolor=face, markersize=5)
        clamped = [(point.level, point.clamped_rate) for point in members if point.clamped_rate is not None]
        if clamped:
            axes.plot(*zip(*clamped, strict=True), color=VERMILION, linewidth=1.4, linestyle="--", marker="x")
        axes.plot(levels, [point.one_nn_rate for point in members], color=GRAY, linewidth=1.2, marker=".")
        axes.plot(levels, [point.best_nn_rate for point in members], color=GREEN, linewidth=1.2, linestyle=":")
        told = {point.trained.partition(",")[0] for point in members}
        axes.set_title(f"{name}\nused in training: {' / '.join(sorted(told, reverse=True))}", fontsize=9)
        axes.set_ylim(-0.03, 1.05)
        axes.set_xlabel("level", fontsize=9)
        axes.tick_params(labelsize=8)
        for side in ("right", "top"):
            axes.spines[side].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("fraction recovered", fontsize=9)
    handles = [
        _line(BLUE, "-", "o", "memory (filled: used in training)"),
        _line(GRAY, "-", ".", "1-NN, Euclidean"),
        _line(GREEN, ":", None, "1-NN, best of the rules"),
    ]
    if any(point.clamped_rate is not None for point in points):
        handles.insert(1, _line(VERMILION, "--", "x", "memory, known pixels restored at each step"))
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=2 if columns < 4 else 4,
        fontsize=9,
        frameon=False,
    )
    return figure


def comparison_figure(comparison: Comparison) -> "Figure":
    """Rivals: the fractions that each identifies and recovers for every corruption, its bytes and its time.

    Left: one row per rival and one column per corruption, with the fraction identified as color and text; a dot means
    that a smaller fraction was recovered exactly. Right: mean fraction recovered (filled) and identified (open) against
    bytes.

    **Returns:** a `matplotlib.figure.Figure`.

    ```python
    >>> import jax.numpy as jnp, jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(lambda x: jnp.where(x > 0.5, 1.0, 0.0), ax.Patterns.from_examples(np.eye(3)))
    >>> found = ax.analysis.compare(memory, ["gaussian:0.05"], rivals=["1-NN cosine"], key=jr.key(0))
    >>> len(ax.report.comparison_figure(found).axes)
    2

    ```
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    rivals, names = comparison.rivals, comparison.corruptions
    figure = Figure(
        figsize=(5.2 + 0.55 * len(names), 2.4 + 0.36 * len(rivals)), layout="constrained", facecolor="white"
    )
    left, right = figure.subplots(1, 2, width_ratios=(0.55 * len(names) + 1.2, 3.2))
    rates = np.array([[rival.identified[name] for name in names] for rival in rivals])
    recovered = np.array([[rival.recovered[name] for name in names] for rival in rivals])
    left.imshow(rates, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(rates.shape):
        mark = "" if recovered[row, column] >= rates[row, column] - 1e-9 else "·"
        left.text(
            column,
            row,
            f"{100 * rates[row, column]:.0f}{mark}",
            ha="center",
            va="center",
            fontsize=8,
            color="black" if rates[row, column] > 0.6 else "white",
        )
    left.set_xticks(range(len(names)), names, rotation=50, ha="right", fontsize=8)
    left.set_yticks(range(len(rivals)), [rival.name for rival in rivals], fontsize=9)
    left.set_title("% identified (· fewer recovered exactly)", fontsize=9)
    line = 0.14 / (figure.get_figheight() - 1.2)  # of a label, as a fraction; the titles and ticks take the rest
    heights = _apart([rival.mean_identified for rival in rivals], line)
    for rival, height in zip(rivals, heights, strict=True):
        color = BLUE if rival.name == "memory" else GRAY
        size = max(rival.num_bytes, 1)  # a function without arrays keeps 0 bytes
        right.plot(size, rival.mean_identified, "o", color=color, markerfacecolor="none", markersize=7)
        right.plot(size, rival.mean_recovered, "o", color=color, markersize=4)
        right.annotate(
            rival.name,
            (size, height),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            annotation_clip=False,
        )
    right.set_xscale("log")
    right.set_ylim(-0.03, 1.05)
    right.set_xlabel("bytes kept", fontsize=9)
    right.set_ylabel("mean fraction:\nopen identified, filled recovered", fontsize=8)
    right.xaxis.set_minor_formatter(NullFormatter())  # within one decade they would overlap
    right.tick_params(labelsize=8)
    for side in ("right", "top"):
        right.spines[side].set_visible(False)
    figure.suptitle(f"{comparison.num_examples} examples of {comparison.dimension} entries", fontsize=10)
    return figure


def _apart(heights: Sequence[float], gap: float) -> np.ndarray:
    """Heights for labels: unchanged, except that they are pushed up, from the lowest on, to be at least `gap` apart."""
    found = np.asarray(heights, float).copy()
    order = np.argsort(found, kind="stable")
    for below, above in pairwise(order):
        found[above] = max(found[above], found[below] + gap)
    return found


def _line(color: str, style: Any, marker: str | None, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linestyle=style, marker=marker, label=label)
