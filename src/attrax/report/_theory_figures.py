"""The figures of the theory: each is computed, drawn, and written as PNG and SVG."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import jax.random as jr
from jaxtyping import PRNGKeyArray
from PIL import Image

from attrax._base import checks
from attrax._base.files import write_atomically
from attrax._base.types import Progress
from attrax.activations import ACTIVATIONS
from attrax.activations import activation as activation_of
from attrax.analysis import eigenvalue_map, measure_initial_jacobian, simulate_random_start
from attrax.report._save import save_figure
from attrax.report._theory_plots import (
    eigenvalue_curves,
    eigenvalue_heat_map,
    initial_jacobian_curves,
    interval_bars,
    phase_portrait,
    random_start_bands,
)
from attrax.theory import admissible_intervals, single_example

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POWERS = tuple(2**i for i in range(11))
_SPREADS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_LARGE = 150_000
_NORMS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def _portrait(activation: str | None, k: int | None, trials: int, progress: Progress | None, key: PRNGKeyArray):
    names = ("sigmoid", "tanh", "swish", "cosid") if activation is None else (activation,)
    return phase_portrait(names, 2 if k is None else k)


def _curves(activation: str | None, k: int | None, trials: int, progress: Progress | None, key: PRNGKeyArray):
    names = ("sigmoid", "softplus", "tanh", "relu", "swish") if activation is None else (activation,)
    widths, depths = [], []
    for number, name in enumerate(names):
        options = {"trials": trials, "progress": _named(progress, name), "key": jr.fold_in(key, number)}
        widths.append(eigenvalue_map(name, widths=_POWERS, depths=(1,), **options))
        depths.append(eigenvalue_map(name, widths=(64,), depths=_POWERS, **options))
    return eigenvalue_curves(widths, depths)


def _intervals(activation: str | None, k: int | None, trials: int, progress: Progress | None, key: PRNGKeyArray):
    names = list(ACTIVATIONS) if activation is None else [activation]
    return interval_bars({name: admissible_intervals(name, -10, 10) for name in names})


def _map(activation: str | None, k: int | None, trials: int, progress: Progress | None, key: PRNGKeyArray):
    return eigenvalue_heat_map(eigenvalue_map(activation or "tanh", trials=trials, progress=progress, key=key))


def _random(activation: str | None, k: int | None, trials: int, progress: Progress | None, key: PRNGKeyArray):
    theory = single_example(activation or "sigmoid", k or 16, 0.2, 1.0)
    records = []
    for number, spread in enumerate(_SPREADS):
        records.append(
            simulate_random_start(theory, spread=spread, trials=trials, rate=0.02, key=jr.fold_in(key, number))
        )
        if progress is not None:
            progress("training", number + 1, len(_SPREADS), {"spread": spread})
    return random_start_bands(records)


def _initial(activation: str | None, k: int | None, trials: int, progress: Progress | None, key: PRNGKeyArray):
    records = []
    for number, norm in enumerate(_NORMS):
        records.append(
            measure_initial_jacobian(
                activation or "sigmoid", k or 1000, 100, norm, trials=trials, key=jr.fold_in(key, number)
            )
        )
        if progress is not None:
            progress("training", number + 1, len(_NORMS), {"norm": norm})
    return initial_jacobian_curves(records)


def _named(progress: Progress | None, name: str) -> Progress | None:
    if progress is None:
        return None
    return lambda task, done, total, numbers: progress(f"{name}: {task}", done, total, numbers)


_DRAW: dict[str, Callable[..., "Figure"]] = {
    "portrait": _portrait,
    "curves": _curves,
    "intervals": _intervals,
    "map": _map,
    "random": _random,
    "initial": _initial,
}
_WITH_WIDTH = ("portrait", "random", "initial")
_WITH_TRIALS = ("curves", "map", "random", "initial")

THEORY_FIGURES = tuple(_DRAW)
"""The figures that `theory_figure` knows."""


def theory_figure(
    kind: str,
    folder: str | os.PathLike[str] = "attrax-theory",
    *,
    activation: str | None = None,
    k: int | None = None,
    trials: int | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> tuple[Path, Path]:
    """Computes and draws one figure of the theory, and writes it as PNG and SVG.

    - `portrait`: the flow of (u, v) with the curve of zero error.
    - `curves`: λ₁ against width and depth, theory and networks trained from random starts.
    - `intervals`: where Corollary 1 applies.
    - `map`: λ₁ over width and depth, theory beside trained networks.
    - `random`: λ₁ as the initial weights become random.
    - `initial`: the Jacobian of wide two-layer networks, predicted, measured and trained.

    **Arguments:** `kind`; `folder`, created if it is missing; `activation`, a name instead of the default of the
    figure; `k`, the width (`portrait`, `random`, `initial`); `trials`, networks per point (all but `portrait` and
    `intervals`), at least 6, by default 8; `progress`; `key`.

    **Returns** the two files. **Raises** `ValueError` for wrong arguments, before any work.

    ```python
    >>> import jax.random as jr
    >>> from attrax import report
    >>> report.THEORY_FIGURES
    ('portrait', 'curves', 'intervals', 'map', 'random', 'initial')
    >>> report.theory_figure("portrait", "figures", activation="sigmoid", key=jr.key(0))  # doctest: +SKIP

    ```
    """
    checks.random_key(key)
    kind = checks.one_of("kind", kind, THEORY_FIGURES)
    if activation is not None:
        activation_of(activation)
    if k is not None:
        k = checks.integer("k", k, least=1, most=100_000)
        if kind not in _WITH_WIDTH:
            raise ValueError(f"k can be given for {', '.join(_WITH_WIDTH)}; {kind} has widths of its own")
    if trials is not None:
        trials = checks.integer("trials", trials, least=6)
        if kind not in _WITH_TRIALS:
            raise ValueError(f"trials can be given for {', '.join(_WITH_TRIALS)}; {kind} draws nothing at random")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} can't be created: {error.strerror or error}") from None
    figure = _DRAW[kind](activation, k, 8 if trials is None else trials, progress, key)
    png, svg = folder / f"theory-{kind}.png", folder / f"theory-{kind}.svg"
    save_figure(figure, png, dpi=110)
    if png.stat().st_size > _LARGE:
        with Image.open(png) as picture:  # many thin lines in few colors: a palette reduces the size to a third
            small = picture.convert("RGB").quantize(256)
        write_atomically(png, lambda stream: small.save(stream, "png", optimize=True), sync=False)
    return png, save_figure(figure, svg)
