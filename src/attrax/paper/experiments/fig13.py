"""Fig. 13: the top one percent of the eigenvalues, over depth and width."""

import numpy as np

from attrax.paper._efficiency import Study, trained_of
from attrax.paper._efficiency_figures import falls_in, spectra_experiment, typical
from attrax.paper._experiment import Outcome, Summary

_RULE = (
    "Reproduced where every network is trained and both always fall, partly where one of them falls in more than "
    "half of its pairs; inconclusive where fewer than half of the pairs of either kind can be compared."
)


def _judged(found: Study) -> Summary:
    """Judges whether width lowers the variance of the moduli at every depth, and depth their median at every width."""
    variance, median = (typical(found, "eigenvalues", measure) for measure in (np.var, np.median))
    steps = np.diff(variance, axis=1), np.diff(median, axis=0)
    text = (
        f"{trained_of(found.trials)} networks reached the requested loss. The variance falls with the next width in "
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


EXPERIMENT = spectra_experiment(
    _judged,
    what="eigenvalues",
    words="The top one percent of the moduli",
    id="fig13",
    title="Fig. 13: the largest eigenvalues over depth and width",
    statement="Of the largest eigenvalues width lowers the variance, and depth moves the mode to 0.",
    unit="fraction of the pairs of neighboring sizes that show it, the smaller of the two",
    notes="The top one percent of the moduli. ",
)
