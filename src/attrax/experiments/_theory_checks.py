"""The theorems beside training."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import verify_theory
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated
from attrax.experiments._figures import BLUE, GRAY, plain_axes
from attrax.sweeps import Cell, CellFound, Work

_ACTIVATIONS = {"smoke": ["sigmoid"], "quick": None, "tables": None, "full": None}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains whole matrices for every theorem and compares with the closed forms."""
    checks = verify_theory(settings["activations"], progress=work.progress, key=jr.key(settings["seed"]))
    numbers = {
        "checks": [
            {"theorem": check.theorem, "activation": [str(net.activation) for net in check.records],
             "k": [net.k for net in check.records], "names": list(check.names), "theory": check.theory,
             "training": check.training, "difference": float(np.max(np.abs(check.difference))),
             "status": str(check.status)}
            for check in checks
        ],
        "agreeing": sum(str(check.status) == "agrees" for check in checks),
        "total": len(checks),
        "largest_difference": float(max(np.max(np.abs(check.difference)) for check in checks)),
    }  # fmt: skip
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
    """Theory and training agree to three decimals everywhere."""
    return judged(
        records,
        lambda record: record.numbers["agreeing"] / record.numbers["total"],
        lambda record: (
            record.numbers["agreeing"] == record.numbers["total"] and record.numbers["largest_difference"] < 5e-4
        ),
        lambda record: record.numbers["agreeing"] >= 1,
        "; ".join(
            f"{record.numbers['agreeing']} of {record.numbers['total']} networks agree within the error of the "
            f"extrapolation, largest difference {record.numbers['largest_difference']:.1e}"
            for record in records
            if record.numbers
        ),
    )


def draw(records: Records) -> Sequence[Drawing]:
    """The largest eigenvalue by the theory and by training."""
    shown = next((record for record in records if record.arrays), None)
    if shown is None:
        return ()
    theory, training = shown.arrays["theory"], shown.arrays["training"]
    figure, grid = plain_axes(4.2, 3.6)
    ends = [float(min(theory.min(), training.min())), float(max(theory.max(), training.max()))]
    grid[0, 0].plot(ends, ends, color=GRAY, linewidth=0.8)
    grid[0, 0].plot(theory, training, "o", color=BLUE, markersize=4, markerfacecolor="none")
    grid[0, 0].set(xlabel="λ₁ by the theory", ylabel="λ₁ of trained matrices")
    return (Drawing(figure, f"{shown.cell.name}: one circle a network, extrapolated to gradient flow."),)


EXPERIMENT = Experiment(
    id="theory",
    title="Theorems 1 to 4, Corollaries 1 and 2",
    statement="Gradient descent agrees with the closed forms to three decimals.",
    paper=None,
    unit="fraction of networks that agree",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="The paper's own inputs are lost; activations, depths and starts are those of attrax theory verify.",
)
