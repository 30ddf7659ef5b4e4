"""Fig. 12: the spectral radii at the examples, over depth and width."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from attrax.experiments._efficiency import EfficiencyTrial
from attrax.experiments._efficiency_cells import efficiency_cells, noted, study
from attrax.experiments._efficiency_report import spectra_figure
from attrax.experiments._experiment import Drawing, Experiment, Outcome, Records, Summary


def median_radius(trials: Sequence[EfficiencyTrial]) -> float:
    """Median spectral radius at the examples, over those networks that were trained; NaN for none."""
    found = [trial.radii for trial in trials if trial.trained and len(trial.radii)]
    values = np.concatenate(found) if found else np.zeros(0)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def summarize(records: Records) -> Summary:
    """Whether the radii of the largest network lie below those of the smallest, and below those of the shallowest."""
    found = study(records)
    if found is None:
        return Summary(None, None, None, Outcome.UNFINISHED, "No cell has run.")
    scale = found.scale
    grid = np.array([
        [median_radius(found.at("paper", 1, depth, width)) for width in scale.widths] for depth in scale.depths
    ])  # fmt: skip
    trained = np.argwhere(np.isfinite(grid))
    if len(trained) < 2:
        return Summary(
            None, None, None, Outcome.NOT_TRAINED, "Fewer than two sizes of networks reached the loss asked for."
        )
    first, last = (grid[tuple(place)] for place in (trained[0], trained[-1]))
    deeper = np.diff(grid, axis=0)[np.isfinite(np.diff(grid, axis=0))]
    falls = bool(len(deeper)) and bool((deeper < 0).all())
    outcome = Outcome.REPRODUCED if last < first and falls else Outcome.PARTLY if last < first else Outcome.NOT
    text = (
        f"Median radius {first:.3g} in the shallowest and narrowest trained network, {last:.3g} in the deepest and "
        "widest. Reproduced where the latter is smaller and the median falls with depth at every width, partly where "
        "it is smaller."
    )
    return Summary(float(last), float(np.nanmin(grid)), float(np.nanmax(grid)), outcome, text)


def draw(records: Records) -> Sequence[Drawing]:
    """Histograms over the grid."""
    found = study(records)
    if found is None or not any(np.isfinite(trial.radii).any() for trial in found.trials):
        return ()
    return (noted(spectra_figure(found, "radii"), found),)


EXPERIMENT = Experiment(
    id="fig12",
    title="Fig. 12: spectral radii over depth and width",
    statement="The mode of the histogram of the spectral radii moves to 0 as depth and width grow.",
    paper=None,
    unit="median radius in the largest network trained",
    cells=partial(efficiency_cells, alone=True),
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="The networks are those of Fig. 5 that store the examples one by one.",
)
