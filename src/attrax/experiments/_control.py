"""A control: networks that interpolate without having been trained store nothing."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.random as jr
import numpy as np

from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax.experiments._common import data_note, data_source
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated
from attrax.experiments._figures import BLUE, VERMILION, plain_axes
from attrax.experiments._material import limited, pictures
from attrax.maps import MLP, mlp
from attrax.sweeps import Cell, CellFound, Work
from attrax.theory import corollary1
from attrax.training import mean_squared_error, polish
from attrax.writing import settle

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 10, "side": 8, "width": 128, "depth": 2},
    "quick": {"n": 100, "side": 14, "width": 1024, "depth": 3},
    "tables": {"n": 100, "side": 28, "width": 2048, "depth": 5},
    "full": {"n": 100, "side": 28, "width": 4096, "depth": 10},
}

COROLLARY = (("sigmoid", 2, -2.0), ("softplus", 3, -2.0), ("swish", 4, 1.5), ("cosid", 2, 1.0), ("sinusoid", 3, 0.6))
"""Networks of Corollary 1: activation, width, and the value at the hidden units."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Solves the last layer over random features, writes the networks of Corollary 1 down, and certifies them all."""
    examples = pictures(settings)
    key = jr.key(settings["seed"])
    recipe = partial(mlp, width=settings["width"], depth=settings["depth"], activation=settings["activation"])
    network = polish(recipe(examples.shape[1:], key=key), examples, examples)
    memory = settle(Memory(network, Patterns.from_examples(examples)), progress=work.progress)
    certificate = memory.certificate
    assert certificate is not None  # `settle` sets it
    draw = np.random.default_rng(settings["seed"])
    written = []
    for activation, k, v in COROLLARY:
        direction = draw.standard_normal(settings["dimension"])
        direction /= np.linalg.norm(direction)
        record = corollary1(activation, k, v)
        weights = (np.full((k, 1), record.v) * direction, direction[:, None] * np.full((1, k), record.u))
        one = MLP(weights, (None, None), direction.shape, activation)
        found = settle(Memory(one, Patterns.from_examples(direction[None])))
        assert found.certificate is not None  # `settle` sets it
        written.append({
            "activation": activation, "k": k, "v": v, "eigenvalue": record.top_eigenvalue,
            "radius": float(found.certificate.spectral_radius[0]), "verdict": str(found.certificate.verdict[0]),
            "loss": mean_squared_error(one, direction[None], direction[None]),
        })  # fmt: skip
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
    interpolates = loss <= 1e-8 and all(row["loss"] <= 1e-8 for row in written)
    return CellFound(numbers, {"radii": certificate.spectral_radius}, trained=interpolates)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One draw of the random features a seed."""
    settings = limited({
        **_SIZES[scale], "source": data_source("mnist"), "activation": "relu", "dimension": 5,
    })  # fmt: skip
    return repeated("control", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Interpolation at a loss below 1e-8, and not one attractor."""
    return judged(
        records,
        lambda record: record.numbers["attractors"] + record.numbers["corollary_attractors"],
        lambda record: record.numbers["attractors"] == 0 and record.numbers["corollary_attractors"] == 0,
        lambda record: (
            record.numbers["attractors"] < record.numbers["cycles"] and record.numbers["corollary_attractors"] == 0
        ),
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Spectral radii at the examples, and of the networks of Corollary 1, for the first draw."""
    shown = next((record for record in records if record.arrays), None)
    if shown is None:
        return ()
    figure, grid = plain_axes(3.6, 3.0, 2)
    radii = shown.arrays["radii"]
    grid[0, 0].hist(radii[np.isfinite(radii)], bins=20, color=BLUE)
    grid[0, 0].axvline(1, color="black", linewidth=1, linestyle="--")
    grid[0, 0].set(title="random features", xlabel="spectral radius", ylabel="examples", xlim=(0, None))
    rows = shown.numbers["corollary"]
    grid[0, 1].bar([row["activation"] for row in rows], [row["radius"] for row in rows], color=VERMILION)
    grid[0, 1].axhline(1, color="black", linewidth=1, linestyle="--")
    grid[0, 1].set(title="Corollary 1", ylabel="spectral radius")
    grid[0, 1].tick_params(axis="x", labelrotation=30)
    source = shown.cell.settings["source"]
    return (Drawing(figure, f"{shown.cell.name}: all of these interpolate (mean squared error "
                            f"{shown.numbers['loss']:.1e}). {data_note('mnist', source)}"),)  # fmt: skip


EXPERIMENT = Experiment(
    id="control",
    title="Control: interpolation without training",
    statement="Interpolating networks need not store: those of Corollary 1 do not, nor does a last layer that is "
    "solved over random features.",
    paper=0,
    unit="attractors",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="Corollary 1 is the paper's; the random features are a control of our own.",
)
