"""Fig. 5: the same examples one by one and in sequences, over depth and width."""

from collections.abc import Sequence

from attrax.paper._efficiency import Study, concluded, efficiency_cells, noted, study, trained_of
from attrax.paper._efficiency_figures import arrangement, efficiency_figure, efficiency_table
from attrax.paper._experiment import MODES, Drawing, Experiment, Outcome, Records, Summary
from attrax.paper.pages import PageTable

_FAR = 0.5
"""A network counts as far smaller if it has at most this fraction of the parameters; the paper gives no number."""
_RULE = (
    f"Reproduced where one sequence takes at most {_FAR:g} of the parameters of the examples one by one, or one by one "
    "none stores all though a network as large as the sequence's or larger reached its loss, and one hidden layer is "
    "enough for the sequence; partly where only one of the two holds; inconclusive where no network of one sequence "
    "reached its loss, or none stores all one by one and none as large as the sequence's reached its loss there."
)


def _parameters(found: Study, length: int) -> int | None:
    """Weights and biases of the smallest network that stores all."""
    place = found.smallest(length)
    return None if place is None else found.at(length, *place)[0].parameters


def _said(found: Study, length: int) -> str:
    """The smallest network for one arrangement, and the number of networks behind this statement."""
    trials = [trial for trial in found.trials if trial.length == length]
    place, certified = found.smallest(length), ""
    if place is not None:
        least = min(trial.certified for trial in found.at(length, *place))
        certified = f", {least} of {found.n} certified" if least < found.n else ""
    smallest = "none stores all" if place is None else f"{place[0]}×{place[1]}"
    return f"{arrangement(found.n, length)}: {smallest}{certified} ({trained_of(trials)} networks trained)"


def _judged(found: Study) -> Summary:
    n = found.n
    trained = [trial for trial in found.trials if trial.trained]
    if not trained:
        return Summary(None, None, None, Outcome.NOT_TRAINED, "No network reached the requested loss.")
    alone, whole = _parameters(found, 1), _parameters(found, n)
    said = "; ".join(_said(found, length) for length in found.lengths)
    text = f"Smallest network that stores all (depth×width): {said}. {_RULE}"
    if not any(trial.length == n for trial in trained):
        why = "Inconclusive, because no network of one sequence reached its loss."
        return Summary(None, None, None, Outcome.INCONCLUSIVE, f"{text} {why}")
    large = any(trial.length == 1 and trial.parameters >= (whole or 0) for trial in trained)
    if whole is not None and alone is None and not large:
        why = "Inconclusive, because one by one no network as large as that of one sequence reached its loss."
        return Summary(None, None, None, Outcome.INCONCLUSIVE, f"{text} {why}")
    ratio = None if whole is None or alone is None else whole / alone
    smaller = whole is not None and (ratio is None or ratio <= _FAR)
    shallow = any(found.stores(n, 1, width) for width in found.widths)
    outcome = Outcome.REPRODUCED if smaller and shallow else Outcome.PARTLY if smaller or shallow else Outcome.NOT
    return Summary(ratio, None, None, outcome, text)


def summarize(records: Records) -> Summary:
    """Judges whether sequences take a far smaller network than the same examples one by one."""
    return concluded(records, _judged)


def draw(records: Records) -> Sequence[Drawing]:
    """The heat maps."""
    found = study(records)
    if found is None or not found.trials:
        return ()
    return (noted(efficiency_figure(found), found, "no network of this size did"),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every count."""
    found = study(records)
    caption = (
        "Stored examples by depth×width: on stable cycles in the paper's mode, and where others, the certified ones in "
        "brackets; – where the requested loss was not reached, nothing where the cell failed."
    )
    return () if found is None or not found.trials else (efficiency_table(found, caption),)


EXPERIMENT = Experiment(
    id="fig5",
    title="Fig. 5: one by one or in sequences",
    statement="Sequences take far smaller networks than the same examples one by one: as one sequence of 100, one "
    "hidden layer is enough, where one by one only 99 of 100 are stored by the largest network tried.",
    paper=None,
    unit="parameters of the smallest network that stores all, one sequence : one by one",
    cells=efficiency_cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=MODES,
    notes="Activation, initialization and most sizes are lost; ReLU is chosen.",
)
