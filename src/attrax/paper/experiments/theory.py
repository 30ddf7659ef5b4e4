"""The theorems compared with training."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.activations import ACTIVATIONS
from attrax.analysis import verify_theory
from attrax.paper._experiment import (
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    labeled,
    numeric,
    of_one_network,
    repeated,
    told,
    trained,
)
from attrax.paper._figures import BLUE, GRAY, plain_axes
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

_ALL = [*ACTIVATIONS, "z^0.5", "z^2"]
_ACTIVATIONS = {"smoke": ["sigmoid"], "quick": _ALL, "tables": _ALL, "full": _ALL}
_DECIMALS = 5e-4
"""Two numbers that differ by less agree to three decimals."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains whole matrices for every theorem and compares with the closed forms."""
    checks = verify_theory(settings["activations"], progress=work.progress, key=jr.key(settings["seed"]))
    numbers = {
        "checks": [
            {
                "theorem": check.theorem,
                "activation": [str(net.activation) for net in check.records],
                "k": [net.k for net in check.records],
                "names": list(check.names),
                "theory": check.theory,
                "training": check.training,
                "difference": float(np.max(np.abs(check.difference))),
                "status": str(check.status),
            }
            for check in checks
        ],
        "agreeing": sum(str(check.status) == "agrees" for check in checks),
        "total": len(checks),
        "largest_difference": float(np.max([np.max(np.abs(check.difference)) for check in checks])),
    }
    arrays = {
        "theory": np.array([float(check.theory[-1]) for check in checks]),
        "training": np.array([float(check.training[-1]) for check in checks]),
    }
    return CellFound(numbers, arrays)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One draw of the directions of the examples."""
    settings = {"activations": _ACTIVATIONS[scale]}
    return repeated("theory", run, settings, scale=scale, mode=mode, seed=seed, seeds=1)


def summarize(records: Records) -> Summary:
    """Judges whether theory and training agree to three decimals everywhere."""

    def share(record: CellRecord) -> float:
        return record.numbers["agreeing"] / record.numbers["total"]

    found = "; ".join(
        f"{record.numbers['agreeing']} of {record.numbers['total']} networks agree within the error of the "
        f"extrapolation, largest difference {told(record.numbers['largest_difference'], '.1e')}"
        for record in trained(records)
    )
    return judged(
        records,
        share,
        lambda record: share(record) == 1 and numeric(record.numbers["largest_difference"]) < _DECIMALS,
        lambda record: share(record) >= 0.5,
        (f"{found}. " if found else "")
        + f"Reproduced where all agree and no number differs by {_DECIMALS:g} or more; partly where half of them "
        "agree.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """The largest eigenvalue by the theory and by training."""
    theory, training = record.arrays["theory"], record.arrays["training"]
    figure, grid = plain_axes(4.2, 3.6)
    both = np.concatenate([theory, training])
    both = both[np.isfinite(both)]
    if len(both):
        ends = [float(both.min()), float(both.max())]
        grid[0, 0].plot(ends, ends, color=GRAY, linewidth=0.8)
    grid[0, 0].plot(theory, training, "o", color=BLUE, markersize=4, markerfacecolor="none")
    grid[0, 0].set(xlabel="λ₁ by the theory", ylabel="λ₁ of trained matrices")
    return (Drawing(figure, f"{labeled(record)}: one circle a network, extrapolated to gradient flow."),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every network with its numbers by the theory and by training."""
    rows = [
        (
            check["theorem"],
            ", ".join(check["activation"]),
            ", ".join(map(str, check["k"])),
            check["names"][-1],
            told(check["theory"][-1], ".6g"),
            told(check["training"][-1], ".6g"),
            told(check["difference"], ".1e"),
            check["status"].replace("_", " "),
        )
        for record in records
        for check in record.numbers.get("checks", ())
    ]
    head = ("theorem", "activation", "units", "number", "theory", "training", "largest difference", "outcome")
    caption = "The last number of every network; the largest difference is that of all of its numbers."
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="theory",
    title="Theorems 1 to 4, Corollaries 1 and 2",
    statement="Gradient descent agrees with the closed forms to three decimals.",
    paper=None,
    unit="fraction of networks that agree",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    notes="The paper's own inputs are lost; activations, depths and starts are those of attrax theory verify.",
)
