"""Figures of the theory: the flow, λ₁ over width and depth, admissible intervals, random starts, wide networks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base import checks
from attrax.activations import ActivationLike
from attrax.activations import activation as activation_of
from attrax.analysis import EigenvalueMap, InitialMeasured, RandomStart, median_interval
from attrax.report._plots import BLUE, GREEN, ORANGE, VERMILION
from attrax.theory import (
    AdmissibleIntervals,
    corollary1,
    gradient_flow,
    initial_jacobian,
    layer_factor,
    single_example,
    velocity,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#cc79a7", "#56b4e9", "black")
_MARKERS = "osD^vPX"
_STARTS = ((1.0, 1.0), (-1.0, 1.5), (-0.5, -1.2), (2.0, -0.6), (0.3, 0.1))


def phase_portrait(
    activations: Sequence[ActivationLike],
    k: int = 2,
    *,
    norm: float = 1.0,
    reach: float = 3.0,
    starts: Sequence[tuple[float, float]] = _STARTS,
) -> "Figure":
    """The gradient flow of (u, v) for k equal units, its curve of zero error, and the end points of some starts.

    The curve u = 1/(kφ(‖x‖²v)) is blue where its networks are attractors, |λ₁| < 1, and vermilion elsewhere. End points
    are those of `theory.single_example`; the paths are those of the flow.

    **Arguments:** `activations`, one panel each; `k`, the width; `norm`, ‖x‖; `reach`, the range of u and v; `starts`,
    pairs (u⁰, v⁰).

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for wrong arguments.
    """
    if not activations:
        raise ValueError("activations must hold at least one; got none")
    reach = checks.real("reach", reach, above=0)
    columns = min(2, len(activations))
    rows = -(-len(activations) // columns)
    figure, grid = _panels(rows, columns, 4.2 * columns, 3.7 * rows + 0.5)
    side = np.linspace(-reach, reach, 161)
    v_grid, u_grid = np.meshgrid(side, side)
    for axes, activation in zip(grid.flat, activations, strict=False):
        du, dv, _ = velocity(activation, k, u_grid, v_grid, norm)
        axes.streamplot(side, side, dv, du, color="#c0c4ca", linewidth=0.7, arrowsize=0.7, density=1.1)
        _zero_error(axes, activation, k, norm, reach)
        for u0, v0 in starts:
            answer = single_example(activation, k, u0, v0, norm=norm)
            path = gradient_flow(activation, k, u0, v0, np.linspace(0, 60, 1500), norm=norm)
            axes.plot(path.v, path.u, color="black", linewidth=1.3, zorder=3)
            axes.plot(v0, u0, "o", color="white", markeredgecolor="black", markersize=5, zorder=4)
            if answer.status.interpolates:
                color = BLUE if answer.attractor else VERMILION
                axes.plot(answer.v, answer.u, "o", color=color, markeredgecolor="black", markersize=7, zorder=5)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="v", ylabel="u", title=_name(activation))
    for axes in grid.flat[len(activations) :]:
        axes.set_visible(False)
    handles = [
        _line(BLUE, 2.4, "zero error, |λ₁| < 1"),
        _line(VERMILION, 2.4, "zero error, |λ₁| > 1"),
        _line("black", 1.3, "training from a white dot"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9, frameon=False)
    return figure


def _zero_error(axes: Any, activation: ActivationLike, k: int, norm: float, reach: float) -> None:
    v = np.linspace(-reach, reach, 4001)
    u = np.array([corollary1(activation, k, float(x), norm).u for x in v[::10]])
    # The networks of Corollary 1 give u; between them it is interpolated where the curve does not jump.
    inside = np.abs(u) < 3 * reach
    u = np.interp(v, v[::10], u)
    u[~(np.interp(v, v[::10], inside.astype(float)) == 1)] = np.nan
    u[np.abs(u) > 1.5 * reach] = np.nan
    with np.errstate(all="ignore"):
        factor = np.abs(layer_factor(activation, v * norm**2))
    for chosen, color in ((factor <= 1, BLUE), (factor > 1, VERMILION)):
        axes.plot(v, np.where(chosen, u, np.nan), color=color, linewidth=2.4, zorder=2)


def eigenvalue_curves(widths: Sequence[EigenvalueMap], depths: Sequence[EigenvalueMap]) -> "Figure":
    """|λ₁| against width, and against depth: lines from the theory, marks from networks trained from random starts.

    A mark is the median of the spectral radii, its bar the 95 % confidence interval of the median.

    **Arguments:** `widths`, maps of one depth each; `depths`, maps of one width each, of the same activations.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` for maps of another shape.
    """
    if not widths or any(len(found.depths) != 1 for found in widths):
        raise ValueError("widths must hold maps of one depth each")
    if not depths or any(len(found.widths) != 1 for found in depths):
        raise ValueError("depths must hold maps of one width each")
    figure, grid = _panels(1, 2, 9.4, 4.4)
    left, right = grid.flat
    for number, found in enumerate(widths):
        _curve(left, number, found.widths, found.log10_theory[0], _name(found.activation))
        _marks(left, number, [(k, found.trained.get((found.depths[0], k))) for k in found.widths])
    for number, found in enumerate(depths):
        _curve(right, number, found.depths, found.log10_theory[:, 0], None)
        _marks(right, number, [(depth, found.trained.get((depth, found.widths[0]))) for depth in found.depths])
    for axes in (left, right):
        axes.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
    depth = widths[0].depths[0]
    left.set(xlabel="width k", ylabel="|λ₁| at the example", title=f"depth {depth}", ylim=(0.04, 4))
    right.set(xlabel="depth L", title=f"width {depths[0].widths[0]}", ylim=(1e-8, 1e4))
    figure.legend(loc="outside upper center", ncols=len(widths), fontsize=9, frameon=False)
    figure.supxlabel(
        "lines: theory;  marks: spectral radius of trained networks, median with its 95 % interval", size=9
    )
    return figure


def _curve(axes: Any, number: int, places: Sequence[int], log10: np.ndarray, label: str | None) -> None:
    axes.plot(places, 10.0**log10, color=_COLORS[number % len(_COLORS)], linewidth=1.6, label=label)


def _marks(axes: Any, number: int, records: Sequence[tuple[int, RandomStart | None]]) -> None:
    for place, record in records:
        if record is None or not record.trained.any():
            continue
        middle, low, high = median_interval(record.spectral_radius)
        spread = [[max(middle - low, 0)], [max(high - middle, 0)]] if np.isfinite(low) else None
        marker, color = _MARKERS[number % len(_MARKERS)], _COLORS[number % len(_COLORS)]
        style = {"fmt": marker, "color": color, "markersize": 4.5, "capsize": 2, "linewidth": 1}
        axes.errorbar(place, middle, yerr=spread, markerfacecolor="white", **style)


def interval_bars(answers: Mapping[str, AdmissibleIntervals]) -> "Figure":
    """The intervals with |zφ'/φ| > 1, one row per activation, where interpolating networks are not attractors
    (Corollary 1).

    **Arguments:** `answers`, from `theory.admissible_intervals`, by name, all for the same range.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` without answers.
    """
    if not answers:
        raise ValueError("answers must hold at least one; got none")
    figure, grid = _panels(1, 1, 7.4, 1.0 + 0.32 * len(answers))
    axes = grid.flat[0]
    for row, answer in enumerate(answers.values()):
        axes.barh(row, answer.high - answer.low, left=answer.low, height=0.62, color="#eef0f3")
        for low, high in answer.intervals:
            axes.barh(row, high - low, left=low, height=0.62, color=VERMILION)
    first = next(iter(answers.values()))
    axes.set_yticks(range(len(answers)), [_text(name, answer) for name, answer in answers.items()])
    axes.set_ylim(len(answers) - 0.4, -0.6)
    axes.set_xlim(first.low, first.high)
    axes.set_xlabel("z = v‖x‖²;  colored: |zφ'(z)/φ(z)| > 1, the network is not an attractor")
    return figure


def _text(name: str, answer: AdmissibleIntervals) -> str:
    return f"{name} ({answer.status}{'' if answer.intervals else ', none'})"


def eigenvalue_heat_map(found: EigenvalueMap) -> "Figure":
    """|λ₁| over width and depth by the theory, next to the median spectral radius of trained networks.

    Gray squares have no answer or no network that reached zero error; the right panel is empty where no training was
    tried.

    **Arguments:** `found`, of `analysis.eigenvalue_map`. **Returns:** a `matplotlib.figure.Figure`.
    """
    from matplotlib.colors import TwoSlopeNorm

    figure, grid = _panels(1, 2, 11.0, 4.9)
    trained = np.full_like(found.log10_theory, np.nan)
    tried = np.zeros(trained.shape, bool)
    for i, depth in enumerate(found.depths):
        for j, k in enumerate(found.widths):
            record = found.trained.get((depth, k))
            tried[i, j] = record is not None
            if record is not None and record.trained.any():
                trained[i, j] = np.log10(median_interval(record.spectral_radius)[0])
    scale = TwoSlopeNorm(0.0, -6.0, 1.0)
    image: Any = None
    panels = (
        (found.log10_theory, np.ones_like(tried), f"theory, {_name(found.activation)}"),
        (trained, tried, "trained from random starts (median)"),
    )
    for axes, (values, shown, title) in zip(grid.flat, panels, strict=True):
        axes.set_facecolor("white")
        image = axes.imshow(values, cmap="RdBu_r", norm=scale, origin="lower", aspect="auto")
        for i, j in np.argwhere(shown):
            known = np.isfinite(values[i, j])
            if not known:
                axes.fill([j - 0.5, j + 0.5, j + 0.5, j - 0.5], [i - 0.5, i - 0.5, i + 0.5, i + 0.5], color="#c8c8c8")
            dark = known and (values[i, j] < -3.5 or values[i, j] > 0.6)
            axes.text(
                j,
                i,
                _plain(float(values[i, j])),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
            )
        axes.set_xticks(range(len(found.widths)), [str(k) for k in found.widths])
        axes.set_yticks(range(len(found.depths)), [str(depth) for depth in found.depths])
        axes.set(xlabel="width k", ylabel="depth L", title=title)
    bar = figure.colorbar(image, ax=list(grid.flat), extend="both", shrink=0.9, ticks=[-6, -4, -2, 0, 0.5, 1])
    bar.set_label("log₁₀|λ₁|;  red: no attractor", size=10)
    return figure


def _plain(log10: float) -> str:
    """10 to this power, short enough for a square of the map."""
    if not np.isfinite(log10):
        return "–" if np.isnan(log10) else "0"
    if -2 <= log10 < 2:
        return f"{10**log10:.2f}".removeprefix("0")
    power = int(np.floor(log10))
    digit = round(10 ** (log10 - power))
    return f"{digit}e{power}" if digit < 10 else f"1e{power + 1}"


def random_start_bands(records: Sequence[RandomStart]) -> "Figure":
    """λ₁ as the start becomes random: medians with their 95 % confidence bands, next to the value of the theorem.

    **Arguments:** `records` of one theorem and several spreads. **Returns:** a `matplotlib.figure.Figure`.

    **Raises** `ValueError` without records.
    """
    if not records:
        raise ValueError("records must hold at least one; got none")
    figure, grid = _panels(1, 1, 6.2, 4.2)
    axes = grid.flat[0]
    spreads = np.array([record.spread for record in records])
    for values, color, label in (
        ([np.abs(record.spectral_radius) for record in records], VERMILION, "spectral radius"),
        ([record.along for record in records], BLUE, "along the example, xᵀJx/‖x‖²"),
    ):
        middle, low, high = np.array([median_interval(value) for value in values]).T
        axes.plot(spreads, middle, "o-", color=color, markersize=4, label=f"{label} (median of trained networks)")
        axes.fill_between(spreads, low, high, color=color, alpha=0.2, linewidth=0)
    theory = records[0].theory
    axes.axhline(
        theory.top_eigenvalue, color="black", linewidth=1.3, linestyle="--", label="theorem, start of rank one"
    )
    axes.set_xlabel("random share of the start: 0 rank one, 1 random")
    axes.set_ylabel("eigenvalue at the example")
    axes.set_title(f"{_name(theory.activation)}, width {theory.k}, depth {theory.depth}")
    figure.legend(loc="outside upper center", ncols=1, fontsize=9, frameon=False)
    return figure


def initial_jacobian_curves(records: Sequence[InitialMeasured]) -> "Figure":
    """The Jacobian of wide two-layer networks against ‖x‖: predicted and measured at initialization, and after
    training.

    **Arguments:** `records` of one activation, width and dimension, with increasing norms.

    **Returns:** a `matplotlib.figure.Figure`. **Raises** `ValueError` without records.
    """
    if not records:
        raise ValueError("records must hold at least one; got none")
    figure, grid = _panels(1, 1, 6.2, 4.4)
    axes = grid.flat[0]
    norms = np.array([record.theory.norm for record in records])
    first = records[0].theory
    groups = (
        ("largest singular value", BLUE, "largest_singular_value", "norm_before", "norm_after"),
        ("spectral radius", VERMILION, "spectral_radius", "radius_before", "radius_after"),
    )
    fine = np.geomspace(norms[0], norms[-1], 25)
    curve = [initial_jacobian(first.activation, first.k, first.dimension, float(norm)) for norm in fine]
    for label, color, predicted, before, after in groups:
        axes.plot(fine, [getattr(point, predicted) for point in curve], color=color, label=f"{label}: predicted")
        for field, shift, marker, face, what in (
            (before, 0.97, "o", "white", "at initialization"),
            (after, 1.03, "s", color, "after training"),
        ):
            middle, low, high = np.array([median_interval(getattr(record, field)) for record in records]).T
            spread = [middle - low, high - middle]
            style = {"fmt": marker, "color": color, "markersize": 4.5, "capsize": 2, "linewidth": 1}
            axes.errorbar(norms * shift, middle, yerr=spread, markerfacecolor=face, label=f"{label}: {what}", **style)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("‖x‖")
    axes.set_ylabel("of the Jacobian at the example")
    axes.set_title(f"{_name(first.activation)}, k = {first.k}, d = {first.dimension}")
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure


def _panels(rows: int, columns: int, width: float, height: float) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(labelsize=9)
        axes.title.set(size=11)
        for axis in (axes.xaxis, axes.yaxis):
            axis.label.set(size=10)
    return figure, grid


def _line(color: str, width: float, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=width, label=label)


def _name(activation: ActivationLike) -> str:
    return activation_of(activation).name
