"""Figures from records. They are plain Matplotlib figures: no window, no pyplot, and no change to your settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base import checks
from attrax._base.pictures import is_picture as is_picture
from attrax._base.pictures import pixels as pixels
from attrax._base.status import RecallStatus, Verdict
from attrax.analysis import Recovery, wilson_interval
from attrax.memory import Certificate, Memory
from attrax.report._text import describe_cues

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which works for people with any kind of color vision.
BLUE = "#0072b2"
"""Attractors and proved values; the memory beside its rivals."""
VERMILION = "#d55e00"
"""Not an attractor, spurious."""
ORANGE = "#e69f00"
"""Inconclusive, sampled."""
GREEN = "#009e73"
"""Displaced; a second line to compare with."""
GRAY = "#808080"
"""What the figure compares with, such as the nearest neighbor."""
_VERDICTS = {
    Verdict.ATTRACTOR: (BLUE, "", "attractor"),
    Verdict.DISPLACED: (GREEN, "\\\\", "displaced"),
    Verdict.INCONCLUSIVE: (ORANGE, "...", "inconclusive"),
    Verdict.NOT_ATTRACTOR: (VERMILION, "///", "not an attractor"),
}
_RULES = (GRAY, GREEN, ORANGE, "#cc79a7")


def spectrum_histogram(certificate: Certificate, *, ink: str = "black", transparent: bool = False) -> "Figure":
    """A histogram of the spectral radii of all stored cycles, with a line at 1, below which attractors lie.

    The dotted line is the largest upper bound, if every cycle has one. Radii that are not finite are counted below the
    figure.

    **Arguments:** `certificate`; `ink`, the color of lines and text; `transparent`, whether to omit the background.
    **Returns:** a `matplotlib.figure.Figure`, 5×3.1 inches.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
    >>> figure = ax.report.spectrum_histogram(ax.certify(memory))
    >>> figure.get_size_inches().tolist()
    [5.0, 3.1]

    ```
    """
    figure, axes = _figure(5.0, 3.1, ink, transparent)
    radii = np.asarray(certificate.spectral_radius, float)
    finite = np.isfinite(radii)
    bound = float(np.max(certificate.upper_bound))
    shown = radii[finite]
    least = float(shown.min()) if len(shown) else 0.0
    most = float(shown.max()) if len(shown) else 1.0
    # One bin edge is at 1, so that no bar is on both sides of it.
    width = max(most - least, abs(1 - least), abs(most - 1), 1e-3) / 20
    edges = 1 + width * np.arange(np.floor((least - 1) / width), np.ceil((most - 1) / width) + 2)
    groups, styles = [], []
    for verdict, style in _VERDICTS.items():
        chosen = np.array([found is verdict for found in certificate.verdict], bool)
        if chosen.any():
            groups.append(radii[chosen & finite])
            styles.append((*style, int(chosen.sum())))
    floor = np.zeros(len(edges) - 1)
    for values, (color, hatch, name, count) in zip(groups, styles, strict=True):
        heights = np.histogram(values, edges)[0]
        axes.bar(
            edges[:-1],
            heights,
            width,
            bottom=floor,
            align="edge",
            color=color,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.6,
            label=f"{name} ({count})",
        )
        floor = floor + heights
    axes.axvline(1.0, color=ink, linewidth=1.4, label="1: attractors lie below")
    if np.isfinite(bound):
        axes.axvline(bound, color=ink, linewidth=1.2, linestyle=":", label=f"largest upper bound ({bound:.4f})")
    left, right = min(least, 1.0), max(most, 1.0, bound if np.isfinite(bound) else 1.0)
    axes.set_xlim(left - 1.5 * width, right + 1.5 * width)
    axes.set_ylim(0, max(float(floor.max(initial=0)), 1) * 1.08)
    axes.set_xlabel("spectral radius of the Jacobian")
    single = all(len(cycle) == 1 for cycle in certificate.cycles)
    axes.set_ylabel("examples" if single else "cycles")
    axes.yaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False, labelcolor=ink)
    if not finite.all():
        figure.supxlabel(f"{int((~finite).sum())} without a finite radius are not shown", fontsize=9, color=ink)
    return figure


def recovery_bars(recoveries: Sequence[Recovery], *, ink: str = "black", transparent: bool = False) -> "Figure":
    """Recovery rate of each corruption with its 95 % interval (Wilson's), compared with nearest-neighbor rules.

    **Arguments:** `recoveries`, at least one; `ink` and `transparent` as in `spectrum_histogram`.

    **Returns:** a `matplotlib.figure.Figure` with a group of horizontal bars for each record. **Raises** `ValueError`
    without records.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
    >>> found = ax.recovery(memory, "gaussian:0.1", key=jr.key(0))
    >>> type(ax.report.recovery_bars([found])).__name__
    'Figure'

    ```
    """
    if not recoveries:
        raise ValueError("recoveries must hold at least one record; got none")
    rules = list(dict.fromkeys(rule for record in recoveries for rule in record.neighbor_rates))
    figure, axes = _figure(5.0, 1.2 + 0.75 * len(recoveries), ink, transparent)
    places = np.arange(len(recoveries), dtype=float)
    height = 0.8 / (len(rules) + 1)
    rates = np.array([record.recovery_rate for record in recoveries])
    ends = np.array([wilson_interval(int(r.recall.recovered.sum()), len(r.cues)) for r in recoveries])
    spread = np.abs(ends.T - rates)
    axes.barh(places, rates, height, color=BLUE, label="memory", xerr=spread, ecolor=ink, capsize=2)
    for number, rule in enumerate(rules, start=1):
        found = [record.neighbor_rates.get(rule, np.nan) for record in recoveries]
        axes.barh(
            places + number * height, found, height, color=_RULES[(number - 1) % len(_RULES)], label=f"1-NN, {rule}"
        )
    axes.set_yticks(places + height * len(rules) / 2, [describe_cues(r) for r in recoveries])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("fraction of the cues recovered")
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False, labelcolor=ink)
    return figure


def recall_strip(memory: Memory, recoveries: Sequence[Recovery], *, columns: int = 10) -> "Figure":
    """The first stored pictures, and below them, for each corruption, the cues and the recalled pictures.

    A recalled picture has a check mark and a green frame if it was recovered, otherwise a cross and a vermilion frame.
    Failures are shown like everything else; nothing is selected.

    **Arguments:** `memory`, of pictures (H×W or H×W×C); `recoveries` of its examples in their order; `columns`, the
    maximum number of examples to show.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for states that are not pictures.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 4, 4))))
    >>> found = ax.recovery(memory, "gaussian:0.1", key=jr.key(0))
    >>> len(ax.report.recall_strip(memory, [found]).axes)  # stored, cue, recalled
    3

    ```
    """
    from matplotlib.figure import Figure

    memory.examples()  # refuses a memory without patterns
    originals = np.asarray(memory.originals)
    columns = min(checks.integer("columns", columns, least=1), len(originals))
    drawn: list[tuple[str, np.ndarray, list[RecallStatus] | None]] = [
        ("stored", pixels(originals[:columns], originals), None)
    ]
    for record in recoveries:
        rows = [int(np.flatnonzero(record.expected == column)[0]) for column in range(columns)]
        drawn.append((f"cue: {describe_cues(record)}", pixels(record.cues[rows], originals), None))
        status = [record.recall.status[row] for row in rows]
        drawn.append(("recalled", pixels(record.recall.value[rows], originals), status))
    tall, wide = drawn[0][1].shape[1:3]
    cell = 0.62
    # Each group has a line of text above its row of pictures.
    heights = [0.34 + cell * tall / wide if status is None else cell * tall / wide for _, _, status in drawn]
    height, width = sum(heights) + 0.1, columns * cell + 0.1
    figure = Figure(figsize=(width, height), facecolor="white")
    top = height - 0.02
    for (name, pictures, status), tall_row in zip(drawn, heights, strict=True):
        side = cell * tall / wide
        if status is None:
            figure.text(0.07 / width, (top - 0.23) / height, name, fontsize=10, color="black")
        bottom = top - tall_row
        for column, picture in enumerate(pictures):
            place = (
                (0.05 + column * cell + 0.03) / width,
                (bottom + 0.03) / height,
                (cell - 0.06) / width,
                (side - 0.06) / height,
            )
            axes = figure.add_axes(place)
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(status is not None)
            if status is not None:
                good = status[column] is RecallStatus.RECOVERED
                color = GREEN if good else VERMILION
                for spine in axes.spines.values():
                    spine.set(color=color, linewidth=2)
                axes.text(
                    0.93,
                    0.06,
                    "✓" if good else "✗",
                    transform=axes.transAxes,
                    ha="right",
                    va="bottom",
                    fontsize=8,
                    color="white",
                    bbox={"boxstyle": "square,pad=0.1", "facecolor": color, "edgecolor": "none"},
                )
        top = bottom
    return figure


def _figure(width: float, height: float, ink: str, transparent: bool) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none" if transparent else "white")
    axes = figure.add_subplot(facecolor="none")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(ink)
    axes.tick_params(colors=ink, labelsize=10)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=ink, size=11)
    return figure, axes
