"""Fig. 4b: two sequences of ten digits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax._patterns import Patterns
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated, trained
from attrax.experiments._figures import picture_rows
from attrax.experiments._films import found, sequence_cell
from attrax.sources import load
from attrax.sweeps import Cell, CellFound, CellRecord, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "side": 8,
        "length": 10,
        "width": 96,
        "depth": 2,
        "epochs": 5000,
        "rate": 1e-3,
        "auto_epochs": 150,
        "cues": 8,
    },
    "quick": {"side": 28, "length": 10, "width": 256, "depth": 3, "epochs": 20_000, "cues": 20},
    "tables": {"side": 28, "length": 10, "width": 512, "depth": 3, "epochs": 100_000, "cues": 100},
    "full": {"side": 28, "length": 10, "width": 1024, "depth": 10, "epochs": 1_000_000, "cues": 100},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores the digits upwards and, in other hands, downwards, and recalls both from Gaussian noise."""
    side, length = settings["side"], settings["length"]
    # The first of scikit-learn's digits are 0 to 9 in order, three times over.
    values = load("digits", n=2 * length, size=(side, side)).values
    return found(sequence_cell(Patterns.from_cycles([values[:length], values[length:][::-1]]), settings, work))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network a seed."""
    settings = {**_SIZES[scale], "activation": "relu", "noise": "gaussian", "max_steps": 2000, "shown": 20}
    return repeated("fig4b", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Both cycles are stable, with small radii, and noise falls into both."""
    told = "; ".join(
        " and ".join("–" if radius is None else f"{radius:.2g}" for radius in record.numbers["radii"])
        + f", {record.numbers['recovered']} of {record.numbers['cues']} noise starts fall into one of them"
        for record in trained(records)
    )
    return judged(
        records,
        _largest,
        lambda record: (
            all(record.numbers["stable"])
            and (_largest(record) or 0.0) < 0.1
            and len({met for met in record.numbers["cycles_met"] if met >= 0}) == 2
        ),
        lambda record: any(record.numbers["stable"]),
        (f"Spectral radii network by network: {told}. " if told else "")
        + "Reproduced where both cycles are stable with radii below 0.1 and starts of noise fall into both.",
    )


def _largest(record: CellRecord) -> float | None:
    return max((radius for radius in record.numbers["radii"] if radius is not None), default=None)


def draw(records: Records) -> Sequence[Drawing]:
    """The two sequences and the way of one start, for the first network."""
    shown = next((record for record in records if record.arrays), None)
    if shown is None:
        return ()
    points, way = shown.arrays["points"], shown.arrays["way"]
    length = shown.cell.settings["length"]
    rows = [("first sequence", points[:length]), ("second", points[length:]), ("from Gaussian noise", way)]
    if len(way) > length + 1:
        rows.append((f"from step {length} on", np.asarray(way[length:])))
    rows = [(name, states) for name, states in rows if len(states)]
    return (
        Drawing(
            picture_rows(rows, columns=length),
            f"{shown.cell.name}. Data: scikit-learn's digits, 8×8, brought to the paper's size where that is larger; "
            "of MNIST no order by digit is at hand.",
        ),
    )


EXPERIMENT = Experiment(
    id="fig4b",
    title="Fig. 4b: two sequences of digits",
    statement="Two sequences of ten digits, upwards and downwards, are stable cycles: spectral radii of the tenfold "
    "Jacobian 0.0034 and 0.0033. Both come back from Gaussian noise.",
    paper=0.0034,
    unit="larger spectral radius of the two",
    cells=cells,
    summarize=summarize,
    draw=draw,
    notes="Depth and width are lost and chosen here. In the mode attrax a radius of 0 is exact.",
)
