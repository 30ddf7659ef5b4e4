"""Figures of sweeps: capacity, agreement with the nearest neighbor, and noise tolerance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.analysis import AgreementPoint, CapacitySweep, NoiseTolerance
from attrax.report._plots import BLUE, GRAY, GREEN, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def capacity_figure(sweep: CapacitySweep) -> "Figure":
    """What a network of one size stores as the number of examples grows: fractions on the left, bits per weight on the
    right.

    Left: the fraction of the cues that were recovered, with Wilson's 95 % interval, and the fraction of the examples
    that are certified attractors. Right: the information in the recovered examples, and that in their entries, which
    includes partial recovery. The dotted line is the first number of examples for which less than half were recovered.

    **Returns:** a `matplotlib.figure.Figure`, 8.6×3.5 inches.

    ```python
    >>> from attrax import report
    >>> from attrax.analysis import CapacityPoint, CapacitySweep
    >>> points = [
    ...     CapacityPoint(count, 1e-8, right, count, right, 8.0 * right, 9.0 * right, 700, 1.0)
    ...     for count, right in ((8, 8), (64, 3))
    ... ]
    >>> sweep = CapacitySweep(tuple(points), "gaussian:0.1", 16, 16, 1, "relu")
    >>> report.capacity_figure(sweep).get_size_inches().tolist()
    [8.6, 3.5]

    ```
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 3.5), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    points = sorted(sweep.points, key=lambda point: point.num_examples)
    numbers = [point.num_examples for point in points]
    ends = np.array([point.interval for point in points])
    left.fill_between(numbers, ends[:, 0], ends[:, 1], color=BLUE, alpha=0.2, linewidth=0)
    left.plot(numbers, [point.rate for point in points], "o-", color=BLUE, markersize=4, label="cues recovered")
    left.plot(
        numbers,
        [point.attractors / point.num_examples for point in points],
        "s--",
        color=GREEN,
        markersize=4,
        label="certified attractors",
    )
    left.set_ylim(-0.03, 1.05)
    left.set_ylabel("fraction")
    right.plot(
        numbers,
        [point.bits_per_weight for point in points],
        "o-",
        color=BLUE,
        markersize=4,
        label="whole examples, compressed",
    )
    right.plot(
        numbers,
        [point.graded_bits_per_weight for point in points],
        "^--",
        color=ORANGE,
        markersize=4,
        label="entries, one bit each",
    )
    right.set_ylim(bottom=0)
    right.set_ylabel("bits per weight")
    for axes in (left, right):
        if sweep.cliff is not None:
            axes.axvline(sweep.cliff, color=GRAY, linewidth=1, linestyle=":")
        axes.set_xlabel("examples stored")
        if min(numbers) > 0 and max(numbers) >= 10 * min(numbers):
            axes.set_xscale("log")
        axes.legend(fontsize=8, frameon=False)
        _open(axes)
    weights = points[0].num_weights
    figure.suptitle(
        f"{sweep.depth}×{sweep.width} {sweep.activation}, {weights:,} weights, {sweep.dimension} entries; cues: "
        f"{sweep.corruption}",
        fontsize=10,
    )
    return figure


def agreement_figure(
    agreements: Mapping[str, Sequence[AgreementPoint]], sizes: Mapping[str, tuple[int, int]] | None = None
) -> "Figure":
    """A memory and the nearest neighbor on the same cues, one panel for each corruption of the first memory.

    Two curves per panel show the fraction that each gets right; the dotted one is the fraction of the cues for which
    both give the same answer. With several memories, two more panels show their mean agreement against the entries per
    state and against the depth of the network.

    **Arguments:** `agreements`, from `analysis.nearest_agreement`, by the names of the memories, at least one; `sizes`,
    entries per state and hidden layers of each. **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError`
    without points.

    ```python
    >>> from attrax import report
    >>> from attrax.analysis import AgreementPoint
    >>> points = [
    ...     AgreementPoint("gaussian", level, f"gaussian:{level}", 10, right, 8, right, 0, 9)
    ...     for level, right in ((0.1, 9), (0.5, 6))
    ... ]
    >>> len(report.agreement_figure({"faces": points}).axes)
    1

    ```
    """
    from matplotlib.figure import Figure

    if not agreements or not all(agreements.values()):
        raise ValueError("agreements must hold at least one memory with at least one point; got none")
    name = next(iter(agreements))
    groups: dict[str, list[AgreementPoint]] = {}
    for point in agreements[name]:
        groups.setdefault(point.corruption, []).append(point)
    against = len(agreements) > 1 and sizes is not None
    total = len(groups) + (2 if against else 0)
    columns = min(4, total)
    rows = -(-total // columns)
    figure = Figure(figsize=(2.8 * columns + 0.4, 2.3 * rows + 0.8), layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[total:]:
        axes.set_visible(False)
    panels = list(grid.flat[:total])
    for axes, (kind, members) in zip(panels, groups.items(), strict=False):
        members = sorted(members, key=lambda point: point.level)
        levels = [point.level for point in members]
        axes.plot(levels, [point.rate for point in members], "o-", color=BLUE, markersize=4)
        axes.plot(levels, [point.neighbor_rate for point in members], "s--", color=ORANGE, markersize=4)
        axes.plot(levels, [point.agreement for point in members], ":", color="black", linewidth=1.4)
        axes.set_title(kind, fontsize=9)
        axes.set_xlabel("level", fontsize=9)
    if against and sizes is not None:
        means = {memory: float(np.mean([point.agreement for point in points])) for memory, points in agreements.items()}
        for axes, place, label in ((panels[-2], 0, "entries per state"), (panels[-1], 1, "hidden layers")):
            for memory, mean in means.items():
                axes.plot(sizes[memory][place], mean, "D", color=GREEN, markersize=5)
                axes.annotate(
                    memory, (sizes[memory][place], mean), xytext=(4, 4), textcoords="offset points", fontsize=6
                )
            axes.set_title(f"mean agreement\nagainst {label}", fontsize=9)
            axes.set_xlabel(label, fontsize=9)
    for axes in panels:
        axes.set_ylim(-0.03, 1.05)
        axes.tick_params(labelsize=8)
        _open(axes)
    for axes in grid[:, 0]:
        axes.set_ylabel("fraction of the cues", fontsize=9)
    figure.legend(
        handles=[
            _line(BLUE, "-", "o", f"{name}: right"),
            _line(ORANGE, "--", "s", "nearest neighbor: right"),
            _line("black", ":", None, "one answer from both"),
        ],
        loc="outside upper center",
        ncols=3,
        fontsize=9,
        frameon=False,
    )
    return figure


def tolerance_figure(tolerance: NoiseTolerance) -> "Figure":
    """The noise that each example tolerates: sorted on the left, against the largest singular value on the right.

    Crosses at the right end are examples for which the search found no failure; those that tolerate no noise are on the
    axis. The heading has Spearman's correlation, if it is defined.

    **Returns:** a `matplotlib.figure.Figure`, 8.2×3.4 inches.

    ```python
    >>> import numpy as np
    >>> from attrax import report
    >>> from attrax.analysis import NoiseTolerance
    >>> sigma, singular = np.array([0.1, 0.3, 0.2]), np.array([2.0, 1.1, 1.4])
    >>> found = NoiseTolerance(np.arange(3), sigma, 1.05 * sigma, np.full(3, 0.95), singular, np.full(3, 0.5), 0.9, 100)
    >>> len(report.tolerance_figure(found).axes)
    2

    ```
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 3.4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, sharey=True)
    finite = np.isfinite(tolerance.sigma)
    most = float(tolerance.sigma[finite].max(initial=0.0)) or 1.0
    shown = np.where(finite, tolerance.sigma, 1.1 * most)
    order = np.argsort(shown, kind="stable")
    places = np.arange(len(order))
    held = finite[order]
    left.plot(places[held], shown[order][held], "o", color=BLUE, markersize=4)
    left.plot(places[~held], shown[order][~held], "x", color=VERMILION, markersize=5)
    left.set_xlabel("examples, by tolerance")
    left.set_ylabel("noise tolerance σ")
    left.axhline(
        tolerance.median if np.isfinite(tolerance.median) else most,
        color=GRAY,
        linewidth=1,
        linestyle="--",
        label=f"median {tolerance.median:.3g}",
    )
    left.set_ylim(bottom=0)
    left.legend(fontsize=8, frameon=False)
    right.plot(tolerance.largest_singular_value[finite], shown[finite], "o", color=BLUE, markersize=4)
    right.plot(tolerance.largest_singular_value[~finite], shown[~finite], "x", color=VERMILION, markersize=5)
    right.set_xlabel("largest singular value of the Jacobian")
    correlation = tolerance.rank_correlation
    right.set_title("" if np.isnan(correlation) else f"rank correlation {correlation:.2f}", fontsize=9)
    for axes in (left, right):
        _open(axes)
    figure.suptitle(
        f"largest σ at which more than {100 * tolerance.rate:g} % of {tolerance.copies:,} noisy copies came back",
        fontsize=10,
    )
    return figure


def _open(axes: Any) -> None:
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)


def _line(color: str, style: Any, marker: str | None, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linestyle=style, marker=marker, label=label)
