"""The figure of a measured period."""

from typing import TYPE_CHECKING

import numpy as np

from attrax._base.status import PeriodStatus
from attrax.analysis import MeasuredPeriod
from attrax.report._plots import BLUE, GRAY, VERMILION, _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def period_figure(found: MeasuredPeriod) -> "Figure":
    """Mean squared difference of states against their lag, on a logarithmic axis, with the period marked.

    The curve is for the whole recording. The cross is the value over the part that repeats, and the points next to it
    are those at the neighboring lags. The gray line is the mean for two random states.

    **Arguments:** `found`, of `analysis.measured_period`. **Returns:** a `matplotlib.figure.Figure`, 7×3.4 inches.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> film = np.tile(np.eye(3), (6, 1))
    >>> found = ax.analysis.measured_period(film)
    >>> len(ax.report.period_figure(found).axes)
    1

    ```
    """
    figure, axes = _figure(7.0, 3.4, "black", False)
    lags = np.arange(1, len(found.differences))
    shown = np.where(found.differences[1:] > 0, found.differences[1:], np.nan)
    axes.plot(lags, shown, color=BLUE, linewidth=1.2)
    if found.typical > 0:
        axes.axhline(found.typical, color=GRAY, linewidth=1, label="two states at random")
    if np.isfinite(shown).any() or found.typical > 0:
        axes.set_yscale("log")
    if found.period:
        sides = [(found.period - 1, found.before), (found.period, found.value), (found.period + 1, found.after)]
        floor = np.nanmin(shown) if np.isfinite(shown).any() else 1.0
        # A difference of 0 does not exist on a logarithmic axis: it is drawn at the bottom of the figure.
        drawn = [(lag, max(value, floor * 1e-2)) for lag, value in sides if np.isfinite(value)]
        axes.plot(*zip(*drawn, strict=True), "o", color=VERMILION, markersize=3)
        seconds = "" if found.seconds is None else f" = {found.seconds:.4g} s"
        axes.plot(
            [found.period],
            [max(found.value, floor * 1e-2)],
            "x",
            color=VERMILION,
            markersize=9,
            label=f"period {found.period}{seconds}, from state {found.start}",
        )
    title = "" if found.status is PeriodStatus.PERIODIC else str(found.status).replace("_", " ")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("lag, states")
    axes.set_ylabel("mean squared difference")
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure
