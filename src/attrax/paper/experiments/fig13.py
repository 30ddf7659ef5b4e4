"""Fig. 13: the top one percent of the eigenvalues, over depth and width."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from attrax.paper._efficiency import Study, concluded, efficiency_cells, noted, study, trained_of
from attrax.paper._efficiency_figures import falls_in, spectra_figure, spectra_table, typical
from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary
from attrax.paper.pages import PageTable

_RULE = (
    "Reproduced where every network is trained and both always fall, partly where one of them falls in more than "
    "half of its pairs; inconclusive where fewer than half of the pairs of either kind can be compared."
)


def _judged(found: Study) -> Summary:
    variance, median = (typical(found, "eigenvalues", measure) for measure in (np.var, np.median))
    if not np.isfinite(median).any():
        return Summary(None, None, None, Outcome.NOT_TRAINED, "No network reached the loss asked for.")
    steps = np.diff(variance, axis=1), np.diff(median, axis=0)
    text = (
        f"{trained_of(found.trials)} networks reached the loss asked for. The variance falls with the next width in "
        f"{falls_in(steps[0])}, the median with the next depth in {falls_in(steps[1])}. {_RULE}"
    )
    compared = [part[np.isfinite(part)] for part in steps]
    if any(len(part) < max(every.size / 2, 1) for part, every in zip(compared, steps, strict=True)):
        return Summary(None, None, None, Outcome.INCONCLUSIVE, text)
    fractions = [float((part < 0).mean()) for part in compared]
    if all((part < 0).all() for part in steps) and all(trial.trained for trial in found.trials):
        outcome = Outcome.REPRODUCED
    else:
        outcome = Outcome.PARTLY if max(fractions) > 0.5 else Outcome.NOT
    return Summary(min(fractions), None, None, outcome, text)


def summarize(records: Records) -> Summary:
    """Whether width lowers the variance of the moduli at every depth, and depth their median at every width."""
    return concluded(records, _judged)


def draw(records: Records) -> Sequence[Drawing]:
    """Histograms over the grid."""
    found = study(records)
    if found is None or not any(np.isfinite(trial.eigenvalues).any() for trial in found.trials):
        return ()
    return (noted(spectra_figure(found, "eigenvalues"), found, "those that did not"),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The moduli by size."""
    found = study(records)
    caption = (
        "The top one percent of the moduli by size, of networks that were trained: the median over seeds, with the "
        "least and the largest."
    )
    return () if found is None or not found.trials else (spectra_table(found, "eigenvalues", caption),)


EXPERIMENT = Experiment(
    id="fig13",
    title="Fig. 13: the largest eigenvalues over depth and width",
    statement="Of the largest eigenvalues width lowers the variance, and depth moves the mode to 0.",
    paper=None,
    unit="fraction of the pairs of neighboring sizes that show it, the smaller of the two",
    cells=partial(efficiency_cells, alone=True),
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    notes="The top one percent of the moduli; the networks are those of Fig. 5 that store the examples one by one.",
)
