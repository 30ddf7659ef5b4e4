"""A control: networks that interpolate without having been trained store nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.random as jr
import numpy as np

from attrax.maps import MLP
from attrax.memory import Memory
from attrax.paper._experiment import (
    Drawing,
    Experiment,
    Outcome,
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
from attrax.paper._figures import BLUE, VERMILION, plain_axes
from attrax.paper._networks import RECIPE, recipe
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.patterns import Patterns
from attrax.theory import corollary1
from attrax.training import mean_squared_error, polish
from attrax.writing import refine_and_certify

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 10, "side": 8, "width": 128, "depth": 2},
    "quick": {"n": 100, "side": 14, "width": 1024, "depth": 3},
    "tables": {"n": 100, "side": 28, "width": 2048, "depth": 5},
    "full": {"n": 100, "side": 28, "width": 4096, "depth": 10},
}

COROLLARY = (("sigmoid", 2, -2.0), ("softplus", 3, -2.0), ("swish", 4, 1.5), ("cosid", 2, 1.0), ("sinusoid", 3, 0.6))
"""Networks of Corollary 1: activation, width, and the value at the hidden units."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Solves the last layer over random features, constructs the networks of Corollary 1, and certifies them all."""
    examples = pictures(settings)
    key = jr.key(settings["seed"])
    network = polish(recipe(settings)(examples.shape[1:], key=key), examples, examples)
    memory = refine_and_certify(Memory(network, Patterns.from_examples(examples)), progress=work.progress)
    certificate = memory.certificate
    assert certificate is not None  # `refine_and_certify` sets it
    draw = np.random.default_rng(settings["seed"])
    written = []
    for activation, k, v in COROLLARY:
        direction = draw.standard_normal(settings["dimension"])
        direction /= np.linalg.norm(direction)
        record = corollary1(activation, k, v)
        weights = (np.full((k, 1), record.v) * direction, direction[:, None] * np.full((1, k), record.u))
        one = MLP(weights, (None, None), direction.shape, activation)
        found = refine_and_certify(Memory(one, Patterns.from_examples(direction[None])))
        assert found.certificate is not None  # `refine_and_certify` sets it
        written.append(
            {
                "activation": activation,
                "k": k,
                "v": v,
                "eigenvalue": record.top_eigenvalue,
                "radius": float(found.certificate.spectral_radius[0]),
                "verdict": str(found.certificate.verdict[0]),
                "loss": mean_squared_error(one, direction[None], direction[None]),
            }
        )
    loss = mean_squared_error(network, examples, examples)
    numbers = {
        "attractors": certificate.num_attractors,
        "inconclusive": certificate.num_inconclusive,
        "cycles": len(certificate.cycles),
        "radius_min": float(np.min(certificate.spectral_radius)),
        "loss": loss,
        "corollary": written,
        "corollary_attractors": sum(row["verdict"] == "attractor" for row in written),
    }
    interpolates = loss <= settings["tol"] and all(row["loss"] <= settings["tol"] for row in written)
    return CellFound(numbers, {"radii": certificate.spectral_radius}, trained=interpolates)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One draw of the random features per seed."""
    settings = limited(
        {
            **_SIZES[scale],
            "source": data_source("mnist"),
            "activation": "relu",
            "dimension": 5,
            **{name: RECIPE[name] for name in ("init", "bias", "dtype", "tol")},
        }
    )
    return repeated("control", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether these networks interpolate without any attractor."""

    def corollary(record: CellRecord) -> bool:
        return all(row["verdict"] == "not_attractor" for row in record.numbers["corollary"])

    def maybe(record: CellRecord) -> int:
        return record.numbers["attractors"] + record.numbers["inconclusive"]

    def certified(record: CellRecord) -> int:
        return record.numbers["attractors"] + record.numbers["corollary_attractors"]

    summary = judged(
        records,
        certified,
        lambda record: corollary(record) and maybe(record) == 0,
        lambda record: corollary(record) and maybe(record) < record.numbers["cycles"],
        "Reproduced where every example and every network of Corollary 1 is certainly no attractor; partly where that "
        "holds of the latter and of some examples; inconclusive where there is no attractor, but of none of the "
        "examples or not of all of the latter can it be told. Only networks that interpolate count (mean squared error "
        "at most 1e-8).",
    )
    found = any(map(certified, trained(records)))
    return replace(summary, outcome=Outcome.INCONCLUSIVE) if summary.outcome is Outcome.NOT and not found else summary


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Spectral radii at the examples, and of the networks of Corollary 1, for one draw."""
    figure, grid = plain_axes(3.6, 3.0, 2)
    radii = record.arrays["radii"]
    grid[0, 0].hist(radii[np.isfinite(radii)], bins=20, color=BLUE)
    grid[0, 0].axvline(1, color="black", linewidth=1, linestyle="--")
    grid[0, 0].set(title="random features", xlabel="spectral radius", ylabel="examples", xlim=(0, None))
    rows = record.numbers["corollary"]
    grid[0, 1].bar([row["activation"] for row in rows], [numeric(row["radius"]) for row in rows], color=VERMILION)
    grid[0, 1].axhline(1, color="black", linewidth=1, linestyle="--")
    grid[0, 1].set(title="Corollary 1", ylabel="spectral radius")
    grid[0, 1].tick_params(axis="x", labelrotation=30)
    settings = record.cell.settings
    losses = [numeric(record.numbers["loss"]), *(numeric(row["loss"]) for row in rows)]
    fitted = "all of these interpolate" if all(loss <= settings["tol"] for loss in losses) else "not all interpolate"
    caption = (
        f"{labeled(record)}: {fitted} (mean squared error over random features {told(losses[0], '.1e')}, of Corollary "
        f"1 at most {told(float(np.max(losses[1:])), '.1e')}). {data_note('mnist', settings['source'])}"
    )
    return (Drawing(figure, caption),)


EXPERIMENT = Experiment(
    id="control",
    title="Control: interpolation without training",
    statement="Interpolating networks need not store: those of Corollary 1 do not, nor does a last layer that is "
    "solved over random features.",
    paper=None,
    unit="attractors",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="Corollary 1 is the paper's; the random features are a control of our own.",
)
