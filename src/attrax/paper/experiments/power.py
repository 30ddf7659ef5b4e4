"""An open question of the paper: how far is recall by a trained network like power iteration?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from attrax.extending import HostStates
from attrax.memory import Memory
from attrax.paper._experiment import (
    Drawing,
    Experiment,
    Records,
    Summary,
    extent,
    judged,
    labeled,
    numeric,
    of_one_network,
    repeated,
    told,
    trained,
)
from attrax.paper._figures import BLUE, GREEN, ORANGE, VERMILION, plain_axes
from attrax.paper._networks import iterated_states, network_settings, reached, write
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"side": 8, "width": 32, "depth": 2, "epochs": 4000, "rate": 1e-3, "edge": {"epochs": 1500}},
    "quick": {"side": 14, "width": 128, "depth": 3, "epochs": 20_000, "rate": 1e-4},
    "tables": {"side": 28, "width": 256, "depth": 5, "epochs": 50_000, "rate": 1e-4},
    "full": {"side": 28, "width": 512, "depth": 10, "epochs": 1_000_000, "rate": 1e-4},
}
ACTIVATIONS = {"identity": GREEN, "leaky_relu": BLUE, "selu": ORANGE, "sinusoid": VERMILION}
"""Activations with φ(0) = 0, so that a network without biases fixes the origin, and the color of each."""
STEPS = (1, 2, 4, 8)
_LIKE = 0.9
"""A cosine that counts as the same direction. The paper names no measure, so any bound is a choice."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains networks without biases on one picture; iterates starts through each, and through its Jacobian at 0."""
    example = pictures(settings)
    draw = np.random.default_rng(settings["seed"])
    starts = draw.standard_normal((settings["starts"], *example.shape[1:]))
    lengths = np.linalg.norm(starts.reshape(len(starts), -1), axis=1)[:, None, None]
    starts *= settings["radius"] * np.linalg.norm(example) / lengths
    found, complete = [], True
    for number, activation in enumerate(settings["activations"]):
        key = jr.fold_in(jr.key(settings["seed"]), number)
        # One checkpoint would not help with several networks.
        memory = write(example, {**settings, "activation": activation}, replace(work, checkpoint=None), key=key)
        complete &= reached(memory)
        found.append(
            {
                "activation": activation,
                "loss": memory.written["loss"],
                "epochs": memory.written["epochs"],
                "trained": reached(memory),
                **_likeness(memory, example[0], starts),
            }
        )
    return CellFound({"networks": found, "steps": list(STEPS)}, {}, trained=complete)


def _likeness(memory: Memory, example: HostStates, starts: HostStates) -> dict[str, Any]:
    with jax.enable_x64(True):  # the networks are trained in float64
        derivative = jax.jit(jax.jacfwd(lambda x: jnp.ravel(memory.map(x.reshape(example.shape)))))
        jacobian = np.asarray(derivative(np.zeros(example.size)))
    followed = iterated_states(memory, starts, STEPS).reshape(len(STEPS), len(starts), -1)
    attractors = memory.certificate.num_attractors if memory.certificate is not None else 0
    if not np.isfinite(jacobian).all():  # nothing else can be computed for a network whose training diverged
        nothing = dict.fromkeys(("eigenvector", "eigenvalue", "ratio"), float("nan"))
        lost = [float("nan")] * len(STEPS)
        return {"cosine": lost, "to_example": lost, **nothing, "attractors": attractors}
    values, vectors = np.linalg.eig(jacobian)
    order = np.argsort(-np.abs(values))
    leading = vectors[:, order[0]]
    vector = example.ravel().astype(np.float64)
    cosines, rows = [], starts.reshape(len(starts), -1)
    for step, states in zip(STEPS, followed, strict=True):
        powered = rows @ np.linalg.matrix_power(jacobian / max(abs(values[order[0]]), 1e-300), step).T
        cosines.append(float(np.median(np.abs(_cosine(states, powered)))))
    return {
        "cosine": cosines,
        "to_example": [float(np.median(np.abs(_cosine(states, vector[None])))) for states in followed],
        "eigenvector": float(abs(leading @ vector) / (np.linalg.norm(leading) * np.linalg.norm(vector))),
        "eigenvalue": float(abs(values[order[0]])),
        "ratio": float(abs(values[order[1]]) / max(abs(values[order[0]]), 1e-300)),
        "attractors": attractors,
    }


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.sum(one * other, axis=-1) / np.maximum(lengths, 1e-300)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """Four networks per seed."""
    settings = limited(
        {
            **_SIZES[scale],
            "bias": False,
            "activations": list(ACTIVATIONS),
            "n": 1,
            "gray": True,
            "source": data_source("mnist"),
            "starts": 50,
            "radius": 0.3,
        }
    )
    return repeated("power", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether, after four steps, a start has the direction given by power iteration, for every activation."""
    place = STEPS.index(4)

    def cosines(record: CellRecord) -> list[float]:
        """The cosines for the activations for which they do not follow from the definition."""
        return [
            numeric(network["cosine"][place])
            for network in record.numbers["networks"]
            if network["activation"] != "identity"
        ]

    shares = [network["eigenvector"] for record in trained(records) for network in record.numbers["networks"]]
    found = (
        f"The leading eigenvector of the Jacobian at 0 has a cosine of {extent(shares, '.2f')} with the example. "
        if shares
        else ""
    )
    return judged(
        records,
        lambda record: float(np.min(cosines(record))),
        lambda record: all(cosine >= _LIKE for cosine in cosines(record)),
        lambda record: any(cosine >= _LIKE for cosine in cosines(record)),
        f"{found}Reproduced where the cosine is at least {_LIKE} for every activation but the identity, partly where "
        "it is for one of them; the paper gives no bound, this one is chosen.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Cosines between the states of recall and those of power iteration, by step, for one seed."""
    figure, grid = plain_axes(3.4, 3.0, 2)
    for axes, name, title in (
        (grid[0, 0], "cosine", "with power iteration"),
        (grid[0, 1], "to_example", "with the example"),
    ):
        for network in record.numbers["networks"]:
            color = ACTIVATIONS[network["activation"]]
            axes.plot(
                STEPS, list(map(numeric, network[name])), "o-", color=color, markersize=4, label=network["activation"]
            )
        axes.set(title=title, xlabel="steps", ylabel="cosine, median of the starts", ylim=(0, 1.05), xticks=STEPS)
    grid[0, 0].legend(fontsize=8, frameon=False)
    settings = record.cell.settings
    missed = ", ".join(network["activation"] for network in record.numbers["networks"] if not network["trained"])
    caption = (
        f"{labeled(record)}: networks without biases, {settings['depth']}×{settings['width']}, trained on one "
        f"picture{f' (loss not reached: {missed})' if missed else ''}; {settings['starts']} starts of "
        f"{settings['radius']} times its length. Power iteration is that of the Jacobian at 0. "
        + data_note("mnist", settings["source"])
    )
    return (Drawing(figure, caption),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The cosines of every network, after every number of steps."""
    rows = [
        (
            labeled(record),
            network["activation"],
            told(network["loss"], ".1e"),
            told(network["epochs"], "g"),
            *(told(value, ".2f") for value in (*network["cosine"], *network["to_example"])),
            told(network["eigenvector"], ".2f"),
            told(network["ratio"], ".2f"),
            "yes" if network["attractors"] else "no",
        )
        for record in records
        for network in record.numbers.get("networks", ())
    ]
    head = (
        "cell",
        "activation",
        "loss",
        "epochs",
        *(f"power iteration, {step}" for step in STEPS),
        *(f"example, {step}" for step in STEPS),
        "eigenvector with example",
        "|λ₂/λ₁|",
        "example is an attractor",
    )
    caption = (
        "Cosines of the states of recall with those of power iteration and with the example after so many steps, "
        "medians of the starts; cosine of the leading eigenvector of the Jacobian at 0 with the example; ratio of the "
        "moduli of its two leading eigenvalues."
    )
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="power",
    title="Open question: power iteration",
    statement="Recall by a network trained on one example resembles power iteration: a start turns towards the example "
    "as under powers of a matrix.",
    paper=None,
    unit="least cosine with power iteration after four steps, of the activations but the identity",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper", "edge"),
    notes="The paper asks this; the measure is ours. A linear network (identity) is power iteration: its cosine is 1. "
    "Leaky ReLU and SELU have a kink at 0, where all units of a network without biases are: the matrix is then the one "
    "with the same slope in all units (which of the two changes it by a factor only), one branch of many, and a low "
    "cosine may be due to that choice.",
)
