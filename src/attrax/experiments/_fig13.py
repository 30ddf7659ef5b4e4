"""Fig. 13: the top one percent of the eigenvalues, over depth and width."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from attrax.experiments._efficiency import EfficiencyTrial
from attrax.experiments._efficiency_cells import efficiency_cells, noted, study
from attrax.experiments._efficiency_report import spectra_figure
from attrax.experiments._experiment import Drawing, Experiment, Outcome, Records, Summary


def _values(trials: Sequence[EfficiencyTrial]) -> np.ndarray:
    found = [trial.eigenvalues for trial in trials if trial.trained]
    values = np.concatenate(found) if found else np.zeros(0)
    return values[np.isfinite(values)]


def summarize(records: Records) -> Summary:
    """Whether width lowers the spread of the moduli at every depth, and depth their median at every width."""
    found = study(records)
    if found is None:
        return Summary(None, None, None, Outcome.UNFINISHED, "No cell has run.")
    scale = found.scale
    cells = [[_values(found.at("paper", 1, depth, width)) for width in scale.widths] for depth in scale.depths]
    variance, median = (
        np.array([[take(values) if len(values) else np.nan for values in line] for line in cells])
        for take in (np.var, np.median)
    )
    wider, deeper = np.diff(variance, axis=1), np.diff(median, axis=0)
    wider, deeper = wider[np.isfinite(wider)], deeper[np.isfinite(deeper)]
    if not len(wider) or not len(deeper):
        return Summary(
            None,
            None,
            None,
            Outcome.NOT_TRAINED,
            "Too few sizes of networks were there and reached the loss asked for.",
        )
    narrows, falls = float((wider < 0).mean()), float((deeper < 0).mean())
    both = min(narrows, falls)
    outcome = Outcome.REPRODUCED if both == 1 else Outcome.PARTLY if max(narrows, falls) > 0.5 else Outcome.NOT
    text = (
        f"Variance falls with the next width in {narrows:.0%} of the pairs, the median with the next depth in "
        f"{falls:.0%}. Reproduced where both always do, partly where one of them mostly does."
    )
    return Summary(both, both, both, outcome, text)


def draw(records: Records) -> Sequence[Drawing]:
    """Histograms over the grid."""
    found = study(records)
    if found is None or not any(np.isfinite(trial.eigenvalues).any() for trial in found.trials):
        return ()
    return (noted(spectra_figure(found, "eigenvalues"), found),)


EXPERIMENT = Experiment(
    id="fig13",
    title="Fig. 13: the largest eigenvalues over depth and width",
    statement="Of the largest eigenvalues width lowers the variance, and depth moves the mode to 0.",
    paper=None,
    unit="fraction of the neighboring sizes that show it",
    cells=partial(efficiency_cells, alone=True),
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="The top one percent of the moduli; the networks are those of Fig. 5 that store the examples one by one.",
)
