"""An open question of the paper: how far is recall by a trained network like power iteration?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from attrax._memory import Memory
from attrax._numerics import cast, float64
from attrax._types import HostStates
from attrax.experiments._common import data_note, data_source
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated, trained
from attrax.experiments._figures import BLUE, GREEN, ORANGE, VERMILION, plain_axes
from attrax.experiments._material import limited, orbit_of, pictures, reached
from attrax.maps import mlp
from attrax.sweeps import Cell, CellFound, Work
from attrax.writing import Gradient, store

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"side": 8, "width": 32, "depth": 2, "epochs": 4000, "rate": 1e-3},
    "quick": {"side": 14, "width": 128, "depth": 3, "epochs": 20_000, "rate": 1e-4},
    "tables": {"side": 28, "width": 256, "depth": 5, "epochs": 50_000, "rate": 1e-4},
    "full": {"side": 28, "width": 512, "depth": 10, "epochs": 1_000_000, "rate": 1e-4},
}
ACTIVATIONS = {"identity": GREEN, "leaky_relu": BLUE, "selu": ORANGE, "sinusoid": VERMILION}
"""All of them 0 at 0, so that a network without biases keeps the origin; with the color of each."""
STEPS = (1, 2, 4, 8)
_STARTS, _RADIUS = 50, 0.3


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains networks without biases on one picture; follows starts through each, and through its Jacobian at 0."""
    example = pictures(settings)
    draw = np.random.default_rng(settings["seed"])
    starts = draw.standard_normal((_STARTS, *example.shape[1:]))
    starts *= _RADIUS * np.linalg.norm(example) / np.linalg.norm(starts.reshape(_STARTS, -1), axis=1)[:, None, None]
    found, complete = [], True
    for number, activation in enumerate(ACTIVATIONS):
        recipe = partial(
            mlp, width=settings["width"], depth=settings["depth"], activation=activation, bias=False, dtype="float64"
        )
        writer = Gradient(learning_rate=settings["rate"], epochs=settings["epochs"])
        key = jr.fold_in(jr.key(settings["seed"]), number)
        memory = store(example, recipe, writer=writer, progress=work.progress, key=key)
        complete &= reached(memory) or memory.written["loss"] <= writer.tol
        found.append({"activation": activation, **_likeness(memory, example[0], starts)})
    return CellFound({"networks": found, "steps": list(STEPS)}, {}, trained=complete)


def _likeness(memory: Memory, example: HostStates, starts: HostStates) -> dict[str, Any]:
    with float64():
        exact = cast(memory.map, np.float64)
        jacobian = np.asarray(jax.jacfwd(lambda x: jnp.ravel(exact(x.reshape(example.shape))))(np.zeros(example.size)))
    values, vectors = np.linalg.eig(jacobian)
    order = np.argsort(-np.abs(values))
    leading = vectors[:, order[0]]
    flat = example.ravel().astype(np.float64)
    followed = orbit_of(memory, starts, STEPS).reshape(len(STEPS), len(starts), -1)
    cosines, rows = [], starts.reshape(len(starts), -1)
    for step, states in zip(STEPS, followed, strict=True):
        powered = rows @ np.linalg.matrix_power(jacobian / max(abs(values[order[0]]), 1e-300), step).T
        cosines.append(float(np.median(np.abs(_cosine(states, powered)))))
    return {
        "cosine": cosines,
        "to_example": [float(np.median(np.abs(_cosine(states, flat[None])))) for states in followed],
        "eigenvector": float(abs(leading @ flat) / (np.linalg.norm(leading) * np.linalg.norm(flat))),
        "eigenvalue": float(abs(values[order[0]])),
        "ratio": float(abs(values[order[1]]) / max(abs(values[order[0]]), 1e-300)),
        "attractors": memory.certificate.num_attractors if memory.certificate is not None else 0,
    }


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.sum(one * other, axis=-1) / np.maximum(lengths, 1e-300)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """Four networks a seed."""
    settings = limited({**_SIZES[scale], "n": 1, "source": data_source("mnist"), "gray": True})
    return repeated("power", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """After four steps a start has the direction that power iteration gives it, for every activation."""
    place = STEPS.index(4)

    def least(record: Any) -> float:
        return min(network["cosine"][place] for network in record.numbers["networks"])

    shares = [network["eigenvector"] for record in trained(records) for network in record.numbers["networks"]]
    text = f"The leading eigenvector of the Jacobian at 0 has a cosine of {min(shares):.2f} to {max(shares):.2f} with "\
        "the example." if shares else ""  # fmt: skip
    return judged(
        records, least, lambda record: least(record) >= 0.9,
        lambda record: max(network["cosine"][place] for network in record.numbers["networks"][1:]) >= 0.9, text,
    )  # fmt: skip


def draw(records: Records) -> Sequence[Drawing]:
    """Cosines between the states of recall and those of power iteration, by step, for the first seed."""
    shown = next(iter(trained(records)), None)
    if shown is None:
        return ()
    figure, grid = plain_axes(3.4, 3.0, 2)
    for axes, name, title in ((grid[0, 0], "cosine", "with power iteration"),
                              (grid[0, 1], "to_example", "with the example")):  # fmt: skip
        for network in shown.numbers["networks"]:
            color = ACTIVATIONS[network["activation"]]
            axes.plot(STEPS, network[name], "o-", color=color, markersize=4, label=network["activation"])
        axes.set(title=title, xlabel="steps", ylabel="cosine, median of the starts", ylim=(0, 1.05), xticks=STEPS)
    grid[0, 0].legend(fontsize=8, frameon=False)
    settings = shown.cell.settings
    caption = (
        f"{shown.cell.name}: networks without biases, {settings['depth']}×{settings['width']}, trained on one picture; "
        f"{_STARTS} starts of {_RADIUS} times its length. Power iteration is that of the Jacobian at 0, of "
        "kinked activations that of their slope to the right. " + data_note("mnist", settings["source"])
    )
    return (Drawing(figure, caption),)


EXPERIMENT = Experiment(
    id="power",
    title="Open question: power iteration",
    statement="Recall by a network trained on one example resembles power iteration: a start turns towards the example "
    "as under powers of a matrix.",
    paper=None,
    unit="least cosine with power iteration after four steps",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="The paper asks this; the measure is ours. A linear network (identity) is power iteration: its cosine is 1. "
    "Leaky ReLU and SELU have a kink at 0, where all units of a network without biases are: the matrix is then the one "
    "with the slopes to the right of it, which is one branch of many, and a low cosine may be due to that choice.",
)
