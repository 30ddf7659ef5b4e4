"""Drawings of basins of attraction: by example or cycle, by phase, and by number of steps."""

from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base import checks
from attrax._base.status import RecallStatus, Verdict
from attrax.analysis import OUTCOMES, Basins
from attrax.report._plots import BLUE, GREEN, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", VERMILION, "#f0e442", "#7b5ea7")
"""Okabe and Ito's colors and a violet. Black and grays are for spurious limits."""
_REST = "#b9c4cf"
_ELSEWHERE: dict[RecallStatus, tuple[str, str, str]] = {
    RecallStatus.SPURIOUS: ("#8c8c8c", "////", "a spurious point"),
    RecallStatus.CYCLE: ("#6b6b6b", "xxxx", "a spurious cycle"),
    RecallStatus.DIVERGED: ("#222222", "", "diverges"),
    RecallStatus.NOT_CONVERGED: ("#ffffff", "....", "no end within the step limit"),
}
PANELS = ("basins", "phase", "steps")
"""The panels that `basin_map` can draw."""


def basin_map(
    record: Basins, *, panels: tuple[str, ...] | None = None, voronoi: bool = True, arrows: bool = True
) -> "Figure":
    """Basins of attraction side by side: by cycle, by phase and by number of steps.

    Each color is a stored example or cycle, paler where it takes more steps. Black lines bound the Voronoi cells of the
    stored points; arrows show the direction of f(x) − x. Starts that end in no stored cycle are hatched. A cross is a
    spurious limit, white if it is a certified attractor. Stored points in the plane are dots, or squares
    if they are not certified attractors.

    **Arguments:** `record`; `panels`, some of `PANELS`, by default basins and steps, and phase if a cycle is longer
    than one; `voronoi` and `arrows`, whether to draw these.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for another panel.

        >>> import jax.numpy as jnp, numpy as np
        >>> import attrax as ax
        >>> memory = ax.Memory(jnp.sign, ax.Patterns.from_examples(np.array([[-1.0, 1.0], [1.0, 1.0]])))
        >>> len(basin_map(ax.analysis.basins(memory, resolution=8)).axes) > 1
        True
    """
    from matplotlib.figure import Figure

    longest = max(map(len, record.cycles))
    if panels is None:
        panels = PANELS if longest > 1 else ("basins", "steps")
    if not panels:
        raise ValueError(f"panels must name at least one of {', '.join(PANELS)}; got none")
    for panel in panels:
        checks.one_of("each of panels", panel, PANELS)
    left, right, bottom, top = record.extent
    wide = 3.9
    tall = float(np.clip(wide * (top - bottom) / (right - left), 1.6, 6.0))
    figure = Figure(figsize=(wide * len(panels) + 0.9, tall + 0.9), layout="constrained", facecolor="white")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    handles: list[Any] = []
    for axes, panel in zip(grid, panels, strict=True):
        if panel == "basins":
            handles = _draw_basins(axes, record, longest)
            _hatch(axes, record)
            if voronoi:
                _voronoi_lines(axes, record)
            if arrows:
                _arrows(axes, record)
            axes.set_title(
                f"basins; {100 * record.voronoi_agreement:.1f} % of the area as the nearest example", fontsize=10
            )
        elif panel == "phase":
            _draw_phase(axes, record)
            _hatch(axes, record)
            axes.set_title("phase: the point of its cycle it keeps step with", fontsize=10)
        else:
            _draw_steps(figure, axes, record)
            axes.set_title("steps until within 10⁻⁶ of it", fontsize=10)
        _stored(axes, record, longest)
        axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        axes.tick_params(labelsize=9)
        sliced = bool(record.plane.through) or record.plane.origin.size != 2
        axes.set_xlabel("distance along the first axis" if sliced else "x₁", fontsize=10)
    grid[0].set_ylabel("distance along the second" if record.plane.origin.size != 2 else "x₂", fontsize=10)
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), 2 * len(panels)),
            fontsize=9,
            frameon=False,
        )
    return figure


def _chosen(record: Basins) -> list[int]:
    """The cycles that get their own color: those on the plane first, then by the area of their basins."""
    areas = np.bincount(record.label[record.label >= 0], minlength=len(record.cycles))
    through = [n for n, cycle in enumerate(record.cycles) if any(index in cycle for index in record.plane.through)]
    by_area = [int(n) for n in np.argsort(-areas, kind="stable") if areas[n] or len(record.cycles) <= len(_COLORS)]
    return sorted(list(dict.fromkeys(through + by_area))[: len(_COLORS)])


def _colors(record: Basins) -> np.ndarray:
    from matplotlib.colors import to_rgb

    colors = np.tile(to_rgb(_REST), (len(record.cycles), 1))
    for place, number in enumerate(_chosen(record)):
        colors[number] = to_rgb(_COLORS[place])
    return colors


def _base(record: Basins) -> np.ndarray:
    """Colors of the points that end in no stored cycle, white elsewhere."""
    from matplotlib.colors import to_rgb

    picture = np.ones((*record.label.shape, 3))
    for code, outcome in enumerate(OUTCOMES):
        if outcome in _ELSEWHERE:
            color = np.array(to_rgb(_ELSEWHERE[outcome][0]))
            picture[record.outcome == code] = color
    return picture


def _draw_basins(axes: Any, record: Basins, longest: int) -> list[Any]:
    from matplotlib.patches import Patch

    picture = _base(record)
    stored = record.label >= 0
    steps = np.log1p(record.num_steps)
    low, high = (steps[stored].min(), steps[stored].max()) if stored.any() else (0.0, 1.0)
    paler = 0.55 * np.clip((steps - low) / max(high - low, 1e-9), 0, 1)[..., None]
    colors = _colors(record)[np.maximum(record.label, 0)]
    picture[stored] = (colors + (1 - colors) * (0.15 + paler))[stored]
    axes.imshow(picture, origin="lower", extent=record.extent, interpolation="nearest")
    chosen = _chosen(record)
    name = "cycle" if longest > 1 else "example"
    handles = [Patch(facecolor=_COLORS[place], label=f"{name} {number}") for place, number in enumerate(chosen)]
    if set(np.unique(record.label[stored]).tolist()) - set(chosen):
        handles.append(Patch(facecolor=_REST, label=f"another {name}"))
    for code, outcome in enumerate(OUTCOMES):
        share = float((record.outcome == code).mean())
        if outcome in _ELSEWHERE and share:
            color, hatch, text = _ELSEWHERE[outcome]
            handles.append(
                Patch(
                    facecolor=color,
                    hatch=hatch,
                    edgecolor="black",
                    linewidth=0.4,
                    label=f"{text} ({100 * share:.1f} %)",
                )
            )
    return handles


def _draw_phase(axes: Any, record: Basins) -> None:
    picture = _base(record)
    colors = _colors(record)
    for number, cycle in enumerate(record.cycles):
        for phase in range(len(cycle)):
            mine = (record.label == number) & (record.phase == phase)
            picture[mine] = _tint(colors[number], phase, len(cycle))
    axes.imshow(picture, origin="lower", extent=record.extent, interpolation="nearest")


def _tint(color: np.ndarray, phase: int, length: int) -> np.ndarray:
    """Shades of one color from dark to pale, so that the phase can be read from lightness alone."""
    share = (phase + 0.5) / length
    return color * (0.35 + 1.3 * share) if share < 0.5 else color + (1 - color) * (1.5 * (share - 0.5))


def _draw_steps(figure: Any, axes: Any, record: Basins) -> None:
    from matplotlib.colors import LogNorm

    known = np.where(record.label >= 0, np.maximum(record.num_steps, 1), np.nan)
    axes.imshow(_base(record), origin="lower", extent=record.extent, interpolation="nearest")
    if np.isfinite(known).any():
        high = max(float(np.nanmax(known)), float(np.nanmin(known)) + 1)
        drawn = axes.imshow(
            known,
            origin="lower",
            extent=record.extent,
            cmap="cividis",
            interpolation="nearest",
            norm=LogNorm(float(np.nanmin(known)), high),
        )
        ticks = [n * 10**power for power in range(6) for n in (1, 2, 5)]
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02, ticks=ticks, format="%d")
        bar.minorticks_off()
        bar.ax.tick_params(labelsize=9)
        bar.set_label("steps", fontsize=10)
    _hatch(axes, record)


def _hatch(axes: Any, record: Basins) -> None:
    x, y = _pixels(record)
    for code, outcome in enumerate(OUTCOMES):
        mine = record.outcome == code
        if outcome in _ELSEWHERE and _ELSEWHERE[outcome][1] and mine.any():
            drawn = axes.contourf(
                x, y, mine.astype(float), levels=[0.5, 1.5], colors="none", hatches=[_ELSEWHERE[outcome][1]]
            )
            drawn.set_edgecolor("black")
            drawn.set_linewidth(0)


def _voronoi_lines(axes: Any, record: Basins) -> None:
    x, y = _pixels(record)
    # The squared distance to the nearest point of each cycle is smooth, unlike the grid of labels.
    squares = np.empty((len(record.cycles), len(y), len(x)))
    for number, cycle in enumerate(record.cycles):
        mine = [
            (x - record.points[i, 0]) ** 2 + ((y - record.points[i, 1]) ** 2)[:, None] + record.distances[i] ** 2
            for i in cycle
        ]
        squares[number] = np.min(mine, axis=0)
    for number in np.unique(record.nearest):
        rest = np.delete(squares, number, axis=0)
        if len(rest) and 0 < (record.nearest == number).mean() < 1:
            axes.contour(x, y, squares[number] - rest.min(axis=0), levels=[0.0], colors="black", linewidths=1.0)


def _arrows(axes: Any, record: Basins) -> None:
    if not len(record.arrows_at):
        return
    lengths = np.linalg.norm(record.arrows, axis=1)
    finite = np.isfinite(lengths) & (lengths > 0)
    if not finite.any():
        return
    # Lengths differ by orders of magnitude, so the square root is drawn, up to a limit; the direction is exact.
    left, right, bottom, top = record.extent
    spacing = float(np.sqrt((right - left) * (top - bottom) / len(record.arrows_at)))
    scale = float(np.quantile(lengths[finite], 0.9))
    shown = 0.85 * spacing * np.sqrt(np.clip(lengths[finite] / scale, 0.02, 1))
    drawn = record.arrows[finite] / lengths[finite][:, None] * shown[:, None]
    axes.quiver(
        *record.arrows_at[finite].T,
        *drawn.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0032,
        headwidth=4.5,
        headlength=5,
        color="#1a1a1a",
        alpha=0.75,
        pivot="mid",
    )


def _stored(axes: Any, record: Basins, longest: int) -> None:
    near = record.distances <= 1e-6 * max(1.0, float(np.abs(record.extent).max()))
    shown = near | np.isin(np.arange(len(near)), record.plane.through)
    colors = _colors(record)
    for number, cycle in enumerate(record.cycles):
        mine = [index for index in cycle if shown[index]]
        at = record.points[mine]
        if len(mine) == len(cycle) > 1:
            for start, end in zip(at, np.roll(at, -1, axis=0), strict=True):
                axes.annotate(
                    "",
                    end,
                    start,
                    zorder=6,
                    arrowprops={
                        "arrowstyle": "-|>",
                        "color": "black",
                        "linewidth": 0.9,
                        "shrinkA": 3,
                        "shrinkB": 3,
                        "mutation_scale": 8,
                    },
                )
        if len(mine):
            good = record.certified is None or record.certified[number]
            axes.plot(
                *at.T,
                "o" if good else "s",
                color=colors[number],
                markeredgecolor="black",
                markeredgewidth=1.2,
                markersize=6 if longest > 1 else 8,
                zorder=7,
            )
    for other in record.others:
        good = other.verdict is Verdict.ATTRACTOR
        axes.plot(
            *other.coordinates.T,
            "X",
            color="white" if good else "#8c8c8c",
            markeredgecolor="black",
            markeredgewidth=1.2,
            markersize=9,
            zorder=8,
        )


def _pixels(record: Basins) -> tuple[np.ndarray, np.ndarray]:
    left, right, bottom, top = record.extent
    rows, columns = record.label.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    return x, bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
