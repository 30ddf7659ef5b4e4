"""Fig. 5: the same examples one by one and in sequences, over depth and width."""

from collections.abc import Sequence

from attrax.experiments._efficiency import EfficiencyStudy
from attrax.experiments._efficiency_cells import efficiency_cells, noted, study
from attrax.experiments._efficiency_report import arrangement, efficiency_figure, efficiency_text
from attrax.experiments._experiment import Drawing, Experiment, Outcome, Records, Summary
from attrax.experiments._figures import markdown_table
from attrax.report import PageTable


def _parameters(found: EfficiencyStudy, mode: str, length: int) -> int | None:
    """Weights and biases of the smallest network that stores all."""
    place = found.smallest(mode, length)
    return None if place is None else found.at(mode, length, *place)[0].parameters


def summarize(records: Records) -> Summary:
    """Whether sequences take a smaller network than the same examples one by one."""
    found = study(records)
    if found is None:
        return Summary(None, None, None, Outcome.UNFINISHED, "No cell has run.")
    mode, lengths = found.modes[0], found.scale.lengths
    if not any(trial.trained for trial in found.trials):
        return Summary(None, None, None, Outcome.NOT_TRAINED, "No network reached the loss asked for.")
    needed = {length: _parameters(found, mode, length) for length in lengths}
    said = "; ".join(
        f"{arrangement(found.scale.n, length)}: "
        + ("none stores all" if count is None else f"{'×'.join(map(str, found.smallest(mode, length) or ()))}")
        for length, count in needed.items()
    )
    alone, longest = needed[lengths[0]], needed[lengths[-1]]
    whole = [trial for trial in found.trials if trial.length == lengths[-1] and trial.depth == 1]
    shallow = any(trial.stored == found.scale.n for trial in whole)
    ratio = None if longest is None or alone is None else longest / alone
    if longest is not None and (alone is None or longest < alone):
        outcome = Outcome.REPRODUCED if shallow else Outcome.PARTLY
    else:
        outcome = Outcome.PARTLY if shallow else Outcome.NOT
    text = (
        f"Smallest network that stores all (depth×width): {said}. Reproduced where one sequence takes fewer parameters "
        "than the examples one by one, and one hidden layer is enough for it."
    )
    return Summary(ratio, ratio, ratio, outcome, text)


def draw(records: Records) -> Sequence[Drawing]:
    """The heat maps."""
    found = study(records)
    return () if found is None else (noted(efficiency_figure(found), found),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every count."""
    found = study(records)
    caption = (
        "Stored examples by depth×width: on stable cycles in the paper's mode, and where others, the certified ones in "
        "brackets; – where the loss asked for was not reached."
    )
    return () if found is None else (markdown_table(caption, efficiency_text(found)),)


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
    notes="Activation, initialization and most sizes are lost; ReLU is chosen.",
)
