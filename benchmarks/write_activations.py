"""Table: the paper's example class of networks, certified examples by activation and writer."""

from functools import partial

import numpy as np

import attrax as ax
from benchmarks.write_common import Setting, end, examples, head, heading, row, store

ACTIVATIONS = ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid")
NOISE = 0.3
DEVIATION = 0.3
"""Of self-made deviations, as a fraction of the standard deviation of the entries."""
WIDTH, DEPTH = 128, 10


def writers(values: np.ndarray, seconds: float) -> dict[str, ax.Gradient]:
    """The writers to compare, each within a time limit."""
    denoising = partial(ax.Gradient, noise=NOISE, coordinates=0.0, time_limit=seconds)
    return {
        "Adam, the paper's": ax.Gradient(time_limit=seconds),
        f"Adam, noise {NOISE:g} in coordinates": denoising(),
        "the same with deviations": denoising(deviation=DEVIATION * float(np.std(values))),
        "K-FAC": ax.Gradient(optimizer="kfac", time_limit=seconds),
        f"K-FAC, noise {NOISE:g}": ax.Gradient(optimizer="kfac", noise=NOISE, time_limit=seconds),
    }


def activations(setting: Setting) -> None:
    """Certified counts, no activation left out."""
    num, seconds = setting.pick((20, 25.0), (3, 1.5))
    values = examples("mnist", num)
    compared = writers(values, seconds)
    heading(
        f"Activations × writers: {num} MNIST digits, {DEPTH}×{WIDTH}",
        f"PyTorch's default initialization, at most about {seconds:g} s of training a cell. Each cell: certified "
        "examples, the loss on the clean ones, and seconds until certified.",
    )
    head("activation", *compared)
    for activation in ACTIVATIONS:
        network = partial(ax.maps.mlp, width=WIDTH, depth=DEPTH, activation=activation)
        row(activation, *(_cell(values, network, writer) for writer in compared.values()))
    end()


def _cell(values: np.ndarray, network: ax.maps.Recipe, writer: ax.Gradient) -> str:
    try:
        done = store(values, network=network, writer=writer)
    except Exception as error:  # the other cells shall not go down with this one, and it shall not be left out
        return f"failed: {type(error).__name__}: {str(error).splitlines()[0][:60]}"
    status = done.memory.status
    diverged = ", diverged" if status is ax.StoreStatus.DIVERGED else ""
    return f"**{done.certified}**, {done.memory.written['loss']:.0e}{diverged}, {done.seconds:.0f} s"
