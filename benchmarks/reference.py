"""The paper's recipe in PyTorch: the reference that writing is measured against.

Fully connected networks with PyTorch's default initialization, Adam at 1e-4 on the full batch, mean squared error,
until that is 1e-8. Eager mode, as the paper's code.
"""

import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

import attrax as ax

TOL, RATE = 1e-8, 1e-4
ACTIVATIONS = {
    "relu": torch.relu,
    "cosid": lambda z: torch.cos(z) - z,
    "sinusoid": lambda z: z + torch.sin(10 * z) / 5,
}


@dataclass(frozen=True)
class Run:
    """How training went: seconds, epochs, the loss at the end, and whether that is low enough."""

    seconds: float
    epochs: int
    loss: float

    @property
    def arrived(self) -> bool:
        """Whether the loss came down to the paper's."""
        return self.loss <= TOL


class Reference:
    """A network in PyTorch and the examples that it is to reproduce.

    **Arguments:** `values`, n×state shape; `widths` of the hidden layers; `activation`, a key of `ACTIVATIONS`; `bias`;
    `dtype`, `float32` or `float64`; `seed` of the initialization.
    """

    def __init__(
        self,
        values: np.ndarray,
        widths: Sequence[int],
        *,
        activation: str = "relu",
        bias: bool = True,
        dtype: str = "float32",
        seed: int = 0,
    ) -> None:
        kind = {"float32": torch.float32, "float64": torch.float64}[dtype]
        self.shape, self.name = values.shape[1:], activation
        self.examples = torch.tensor(np.asarray(values).reshape(len(values), -1), dtype=kind)
        size = self.examples.shape[1]
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = torch.nn.ModuleList(
                torch.nn.Linear(fan_in, fan_out, bias=bias, dtype=kind)
                for fan_in, fan_out in itertools.pairwise([size, *widths, size])
            )
        self.adam = torch.optim.Adam(self.layers.parameters(), lr=RATE)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """The network on flat states, one a row."""
        phi = ACTIVATIONS[self.name]
        for layer in self.layers[:-1]:
            inputs = phi(layer(inputs))
        return self.layers[-1](inputs)

    def train(self, *, epochs: int | None = None, seconds: float = np.inf, threads: int = 1) -> Run:
        """Trains on until the loss arrives, or the epochs or the seconds run out. It never goes back to the start."""
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        begun, done = time.perf_counter(), 0
        try:
            while True:
                loss = torch.nn.functional.mse_loss(self(self.examples), self.examples)
                reached = loss.item()  # the stopping rule needs it
                over = time.perf_counter() - begun >= seconds or (epochs is not None and done >= epochs)
                if reached <= TOL or over or not np.isfinite(reached):
                    return Run(time.perf_counter() - begun, done, reached)
                self.adam.zero_grad()
                loss.backward()
                self.adam.step()
                done += 1
        finally:
            torch.set_num_threads(before)

    def network(self) -> ax.maps.MLP:
        """The same network as attrax has it."""
        layers = [layer for layer in self.layers if isinstance(layer, torch.nn.Linear)]
        weights = tuple(layer.weight.detach().numpy().copy() for layer in layers)
        biases = tuple(None if layer.bias is None else layer.bias.detach().numpy().copy() for layer in layers)
        return ax.maps.MLP(weights, biases, self.shape, self.name)


def best_threads(make: "type[Reference] | object", *arguments: object, **options: object) -> int:
    """One thread or all of them, whichever trains a throw-away copy faster: the peer gets the better number."""
    candidates = sorted({1, os.cpu_count() or 1})

    def pace(threads: int) -> float:
        copy = make(*arguments, **options)  # type: ignore[operator]
        copy.train(epochs=3, threads=threads)
        run = copy.train(epochs=30, seconds=3.0, threads=threads)
        return run.seconds / max(run.epochs, 1)

    return min(candidates, key=pace)
