"""Fig. 12: the spectral radii at the examples, over depth and width."""

import numpy as np

from attrax.paper._efficiency import Study, trained_of
from attrax.paper._efficiency_figures import falls_in, measured, spectra_experiment, typical
from attrax.paper._experiment import Outcome, Summary, spread

_FAR = 0.5
"""The median of the largest network counts as approaching 0 if it is below this fraction of the smallest network's; the
paper gives no number."""
_RULE = (
    "Reproduced where every network is trained, the median falls with each next depth and each next width, and that of "
    f"the largest network is below 1 and below {_FAR:g} of the smallest's; partly where it is smaller than the "
    "smallest's; inconclusive where one of these two is not trained."
)


def _judged(found: Study) -> Summary:
    """Judges whether the radii fall with depth and width, down to far lower ones than those of the smallest network."""
    grid = typical(found, "radii", np.median)
    there = np.isfinite(grid)
    first, last = grid[0, 0], grid[-1, -1]
    here, low, high = spread(measured(found, "radii", np.median, found.depths[-1], found.widths[-1]))
    deeper, wider = (np.diff(grid, axis=axis) for axis in (0, 1))
    text = (
        f"{trained_of(found.trials)} networks, of {there.sum()} of {grid.size} sizes, reached the requested loss. "
        f"Median radius {_number(first)} in the smallest, {_number(last)} in the largest; it falls with the "
        f"next depth in {falls_in(deeper)}, with the next width in {falls_in(wider)}. {_RULE}"
    )
    if grid.size < 2 or not (np.isfinite(first) and np.isfinite(last)):
        outcome = Outcome.INCONCLUSIVE
    elif last >= first:
        outcome = Outcome.NOT
    elif _falls(deeper, wider) and last < 1 and last < _FAR * first and all(trial.trained for trial in found.trials):
        outcome = Outcome.REPRODUCED
    else:
        outcome = Outcome.PARTLY
    return Summary(here, low, high, outcome, text)


def _falls(*steps: np.ndarray) -> bool:
    return all(part.size and (part < 0).all() for part in steps)  # NaN fails


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "not known"


EXPERIMENT = spectra_experiment(
    _judged,
    what="radii",
    words="Spectral radii at the examples",
    id="fig12",
    title="Fig. 12: spectral radii over depth and width",
    statement="The mode of the histogram of the spectral radii moves to 0 as depth and width grow.",
    unit="median radius in the largest network",
)
