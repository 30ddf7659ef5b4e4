"""Fig. 4b: two sequences of ten digits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax.paper._cycles import MOST, from_noise, sequence_cell, sequence_table, start_note
from attrax.paper._experiment import (
    MODES,
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    labeled,
    numeric,
    of_one_network,
    repeated,
    seeds_at_edge,
    told,
    trained,
)
from attrax.paper._figures import picture_rows
from attrax.paper._networks import network_settings
from attrax.paper._pictures import data_note, data_source
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.patterns import Patterns
from attrax.sources import SourceError, count, load

_AT_EDGE: dict[str, Any] = {"optimizer": "adam", "rate": 1e-4, "epochs": 10_000, "anneal": 0.25, "tol": 1e-10}
"""The paper's rate, kept up and then annealed; the notes of the experiment say why."""
_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "side": 8,
        "width": 96,
        "depth": 2,
        "activation": "relu",
        "epochs": 5000,
        "rate": 1e-3,
        "auto_epochs": 150,
        "cues": 8,
        "edge": {"epochs": 1500},
    },
    "quick": {
        "side": 28,
        "width": 256,
        "depth": 10,
        "activation": "cosid",
        "epochs": 5_000,
        "cues": 20,
        "edge": _AT_EDGE,
    },
    "tables": {
        "side": 28,
        "width": 512,
        "depth": 10,
        "activation": "cosid",
        "epochs": 100_000,
        "cues": 100,
        "edge": _AT_EDGE,
    },
    "full": {
        "side": 28,
        "width": 1024,
        "depth": 10,
        "activation": "cosid",
        "epochs": 1_000_000,
        "cues": 100,
        "edge": _AT_EDGE,
    },
}
_DIGITS = 10
_ENOUGH = 200
"""This many pictures contain each digit at least twice."""
_SMALL = 0.034
"""A spectral radius below it counts as small: ten times the larger one of the paper."""


def two_runs(source: str, side: int) -> Patterns:
    """The digits in ascending and, with other pictures, in descending order, as two cycles of ten: the first two
    pictures of each digit.

    **Raises** `SourceError` if `source` has no labels.
    """
    found = load(source, n=min(count(source), _ENOUGH), size=(side, side))
    if not found.labels:
        raise SourceError(f"the pictures of {source} have no labels; put the labels next to the pictures")
    labels = np.array(found.labels)
    first, second = np.stack([np.flatnonzero(labels == str(digit))[:2] for digit in range(_DIGITS)], axis=1)
    return Patterns.from_cycles([found.values[first], found.values[second[::-1]]])


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores the two sequences as cycles, and recalls them from Gaussian noise."""
    return sequence_cell(two_runs(settings["source"], settings["side"]), settings, work)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed; at the edge at least five."""
    source = data_source("mnist")
    source = source if load(source, n=1).labels else "digits"
    settings = {
        **_SIZES[scale],
        "source": source,
        "noise": "gaussian",
        "max_steps": 2000,
        "shown": 2 * _DIGITS,
    }
    seeds = seeds_at_edge(scale, mode)
    return repeated("fig4b", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed, seeds=seeds)


def summarize(records: Records) -> Summary:
    """Judges whether both cycles are stable with small radii, and noise ends in both."""
    found = "; ".join(
        " and ".join(told(radius) for radius in record.numbers["radii"])
        + f", {record.numbers['recovered']} of {record.numbers['cues']} noise starts fall into one of them"
        for record in trained(records)
    )
    return judged(
        records,
        _largest,
        lambda record: (
            all(record.numbers["stable"])
            and numeric(_largest(record)) < _SMALL
            and from_noise(record)
            and set(record.numbers["cycles_met"]) >= {0, 1}
        ),
        lambda record: any(record.numbers["stable"]) or record.numbers["recovered"] >= 1,
        (f"Spectral radii network by network: {found}. " if found else "")
        + f"Reproduced where both cycles are certified attractors with radii below {_SMALL}, {MOST} fall into one of "
        "them, and into each some do; partly where one is certified, or any start comes back.",
    )


def _largest(record: CellRecord) -> float | None:
    """The larger radius; unknown if one of the two is."""
    radii = record.numbers["radii"]
    return None if None in radii else max(radii)


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """The two sequences and the path of one start, for one network."""
    points, path = record.arrays["points"], record.arrays["way"]
    rows = [("first sequence", points[:_DIGITS]), ("second", points[_DIGITS:]), ("from Gaussian noise", path)]
    if len(path) > _DIGITS + 1:
        rows.append((f"from step {_DIGITS} on", np.asarray(path[_DIGITS:])))
    rows = [(name, states) for name, states in rows if len(states)]
    caption = f"{labeled(record)}. {start_note(record)} {data_note('mnist', record.cell.settings['source'])}"
    return (Drawing(picture_rows(rows, columns=_DIGITS), caption),)


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
    modes=MODES,
    tabulate=sequence_table,
    notes="Depth, width and activation are lost; those of Fig. 2 are chosen, as wide as the scale allows. The pictures "
    "are chosen, too: the first two of each digit. Above smoke, the mode edge keeps the paper's rate of 1e-4 up and "
    "then lets it fall to a hundredth, as at the largest stable rate radii are far below the paper's. In the mode "
    "attrax a radius of 0 is exact, or smaller than rounding lets it be seen.",
)
