"""Figures of eigenvalues and of the radii of basins."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attrax.analysis import eigenvalue_histogram
from attrax.certificates import BasinRadius, Spectrum
from attrax.report._plots import BLUE, GRAY, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def eigenvalue_panels(spectra: Mapping[str, Spectrum], *, bins: int = 40, columns: int = 3) -> "Figure":
    """Histograms of the moduli of the largest eigenvalues, one panel for each named spectrum, on common axes.

    All eigenvalues of an attractor lie below the line at 1. Mean and variance are given below each name. The paper's
    Figures 12 and 13 show the top one percent, for several depths and widths.

    **Arguments:** `spectra`, at least one; `bins`; `columns`, the maximum number of panels side by side.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` without spectra.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 4, 4))))
    >>> found = ax.spectrum(memory, top=4, key=jr.key(0))
    >>> len(ax.report.eigenvalue_panels({"halving": found}).axes)
    1

    ```
    """
    from matplotlib.figure import Figure

    if not spectra:
        raise ValueError("spectra must hold at least one; got none")
    columns = min(columns, len(spectra))
    rows = -(-len(spectra) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.0 * rows), layout="constrained", facecolor="white")
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False, sharex=True))
    moduli = [np.abs(spectrum.eigenvalues) for spectrum in spectra.values()]
    most = max((float(np.max(part[np.isfinite(part)], initial=0.0)) for part in moduli), default=0.0)
    for axes, (name, spectrum) in zip(panels, spectra.items(), strict=False):
        found = eigenvalue_histogram(spectrum, bins=bins, limits=(0.0, max(1.05, 1.02 * most)))
        axes.bar(found.edges[:-1], found.counts, np.diff(found.edges), align="edge", color=BLUE)
        axes.axvline(1.0, color="black", linewidth=1.2, linestyle="--")
        axes.set_title(f"{name}\nmean {found.mean:.3g}, variance {found.variance:.2g}", fontsize=10)
        axes.set_ylabel("eigenvalues")
        axes.set_xlabel(f"modulus, top {100 * found.share:.3g} %")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    for axes in panels[len(spectra) :]:
        axes.set_visible(False)
    return figure


def radius_plot(radii: BasinRadius) -> "Figure":
    """Proved and sampled radius of each stored point, sorted by the proved radius, on a logarithmic axis.

    The gray line is half of the distance to the nearest other stored point. Points without a radius are not drawn but
    counted in the label.

    **Arguments:** `radii`. **Returns:** a `matplotlib.figure.Figure`, 6×3.4 inches.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 4, 4))))
    >>> figure = ax.report.radius_plot(ax.basin_radius(memory, key=jr.key(0)))
    >>> figure.get_size_inches().tolist()
    [6.0, 3.4]

    ```
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    order = np.argsort(radii.proved_radius, kind="stable")
    places = np.arange(len(order))

    def draw(values: np.ndarray, marker: str, color: str, name: str) -> None:
        shown = np.where(values > 0, values, np.nan)
        axes.plot(places, shown, marker, color=color, markersize=4, label=f"{name} ({int((values > 0).sum())})")

    if np.isfinite(radii.distance).all():
        axes.plot(places, radii.distance[order] / 2, "-", color=GRAY, linewidth=1, label="half the nearest distance")
    draw(radii.sampled_radius[order], "^", ORANGE, f"sampled, {100 * radii.confidence:g} % confidence")
    draw(radii.proved_radius[order], "o", BLUE, "proved")
    if (radii.sampled_radius > 0).any():
        axes.set_yscale("log")
    axes.set_xlabel("stored points, by proved radius")
    axes.set_ylabel("radius of the basin")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure
