"""The paper's recipe in PyTorch: Adam at 1e-4, full batch, mean squared error, PyTorch's own initialization.

`python -m benchmarks.reference FOLDER` trains in a process of its own, which neither JAX nor attrax is loaded into, so
that its memory is PyTorch's. FOLDER holds `points.npy`, `job.json` and, where points are to become other ones,
`targets.npy`. A line of JSON is printed when the loss is
reached, and again each time the training time has grown by half since; the program then waits, its clock stopped, for
a line that says `go` or `stop`. The last line, at the time limit, is one with the event `end`.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import peak_memory

RATE = 1e-4
_TRIAL_SECONDS = 0.3


@dataclass(frozen=True)
class Job:
    """What to train: a network of these `widths` on the points, in `dtype`, to the loss `tol`, `limit` seconds long."""

    widths: Sequence[int]
    activation: str = "relu"
    bias: bool = True
    dtype: str = "float32"
    tol: float = 1e-8
    limit: float = 900.0
    seed: int = 0

    def save(self, folder: Path) -> None:
        """Writes the job where the program looks for it."""
        (folder / "job.json").write_text(json.dumps(asdict(self)))


def main(folder: Path) -> None:
    """Trains the job in `folder`."""
    job = Job(**json.loads((folder / "job.json").read_text()))
    targets = folder / "targets.npy"
    training = Training(job, np.load(folder / "points.npy"), np.load(targets) if targets.exists() else None)
    how = training.choose()
    seconds, due = 0.0, 0.0
    for number in itertools.count():
        loss, seconds = _train(training, job, seconds, due)
        found = {"seconds": seconds, "epochs": training.epochs, "loss": loss, "peak": peak_memory(), **how}
        if not loss <= job.tol or seconds < due:
            print(json.dumps({"event": "end", **found}), flush=True)
            return
        path = folder / f"snapshot{number}.npz"
        np.savez(path, **training.arrays())
        print(json.dumps({"event": "reached", "file": str(path), **found}), flush=True)
        if sys.stdin.readline().strip() != "go":
            return
        due = max(1.5 * seconds, seconds + 1.0)


def _train(training: "Training", job: Job, seconds: float, due: float) -> tuple[float, float]:
    """Trains to the loss, but not before `due`, or to the limit; the loss of the network as it then is, the seconds."""
    begun = time.perf_counter()
    while True:
        loss = training.loss()
        value = loss.item()
        now = seconds + time.perf_counter() - begun
        if not np.isfinite(value) or now > job.limit or (value <= job.tol and now >= due):
            return value, now
        training.update(loss)


class Training:
    """A network with its optimizer, and the number of epochs it has been trained for."""

    def __init__(self, job: Job, points: np.ndarray, targets: np.ndarray | None = None) -> None:
        import torch

        self._torch, self._job = torch, job
        self._inputs = torch.tensor(points.reshape(len(points), -1), dtype=getattr(torch, job.dtype))
        self._targets = (
            self._inputs
            if targets is None
            else torch.tensor(targets.reshape(len(targets), -1), dtype=self._inputs.dtype)
        )
        self._activation = activation(job.activation)
        self._begin(fused=False)

    def _begin(self, *, fused: bool) -> None:
        """A fresh network, the same one each time, and a fresh optimizer."""
        torch = self._torch
        torch.manual_seed(self._job.seed)
        size = self._inputs.shape[1]
        sizes = itertools.pairwise([size, *self._job.widths, size])
        self._layers = [
            torch.nn.Linear(into, out, bias=self._job.bias, dtype=self._inputs.dtype) for into, out in sizes
        ]
        parameters = [parameter for layer in self._layers for parameter in layer.parameters()]
        self._adam = torch.optim.Adam(parameters, lr=RATE, fused=fused)
        self.epochs = 0

    def choose(self) -> dict[str, Any]:
        """Takes the number of threads and the implementation of Adam that are fastest here; says which."""
        torch = self._torch
        choices = list(itertools.product(sorted({1, os.cpu_count() or 1}), (False, True)))
        threads, fused = min(choices, key=lambda choice: self._trial(*choice))
        torch.set_num_threads(threads)
        self._begin(fused=fused)
        return {"threads": threads, "fused": fused}

    def _trial(self, threads: int, fused: bool) -> float:
        """Seconds an epoch with these settings."""
        self._torch.set_num_threads(threads)
        self._begin(fused=fused)
        self.step()
        begun = time.perf_counter()
        for count in itertools.count(1):
            self.step()
            spent = time.perf_counter() - begun
            if spent > _TRIAL_SECONDS and count >= 3:
                break
        return spent / count

    def step(self) -> None:
        """One epoch, the loss read on the host as the stopping rule needs it."""
        loss = self.loss()
        loss.item()
        self.update(loss)

    def loss(self) -> Any:
        """The mean squared error on all points."""
        hidden = self._inputs
        for layer in self._layers[:-1]:
            hidden = self._activation(layer(hidden))
        return self._torch.nn.functional.mse_loss(self._layers[-1](hidden), self._targets)

    def update(self, loss: Any) -> None:
        """One step of Adam."""
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        self.epochs += 1

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights and biases of each layer."""
        found = {}
        for number, layer in enumerate(self._layers):
            found[f"weight{number}"] = layer.weight.detach().numpy()
            if self._job.bias:
                found[f"bias{number}"] = layer.bias.detach().numpy()
        return found


def activation(name: str) -> Callable[[Any], Any]:
    """The paper's activations in PyTorch."""
    import torch

    functional = torch.nn.functional
    found: dict[str, Callable[[Any], Any]] = {
        "relu": torch.relu,
        "leaky_relu": functional.leaky_relu,
        "selu": torch.selu,
        "swish": functional.silu,
        "cosid": lambda z: torch.cos(z) - z,
        "sinusoid": lambda z: z + torch.sin(10 * z) / 5,
    }
    return found[name]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
