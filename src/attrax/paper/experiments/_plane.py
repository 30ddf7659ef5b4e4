"""Networks on points in the plane: six examples (Fig. 3), four cycles (Fig. 4c), and spurious attractors (Fig. 9)."""

import os
from typing import Any

import jax.random as jr
import numpy as np
import optax

from attrax import training
from attrax._base import checks
from attrax._base.status import StoreStatus, Verdict
from attrax._base.types import Progress
from attrax.analysis import Basins
from attrax.maps import mlp
from attrax.memory import Certificate, Memory
from attrax.patterns import Patterns
from attrax.writing import settle

SIX_POINTS = np.array([[-0.8, -0.6], [0.1, -0.9], [0.9, -0.4], [-0.6, 0.5], [0.2, 0.2], [0.7, 0.9]])
"""Six examples in the plane. The paper's own coordinates are not known."""

FRAME = (-1.5, 1.5, -1.5, 1.5)
"""Left, right, bottom and top of what is looked at."""

SCHEDULES = ("cosine", "constant")
"""How the rate goes on: along a cosine to 0 at the last epoch, or as it is."""

PLANE_RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "rate": 1e-3,
    "schedule": "cosine",
    "tol": 1e-10,
    "init": "pytorch",
    "bias": True,
    "dtype": "float64",
}
"""What networks in the plane are trained with; the names are arguments of `train_plane`."""


def four_circles(*, radius: float = 0.3, length: int = 5) -> Patterns:
    """Four cycles of `length` points each, on circles round (±0.6, ±0.6).

    **Arguments:** `radius`; `length`, at least 2. **Returns** `Patterns`. **Raises** `ValueError` for wrong arguments.

        >>> len(four_circles().cycles), len(four_circles())
        (4, 20)
    """
    radius = checks.real("radius", radius, above=0)
    length = checks.integer("length", length, least=2)
    angles = 2 * np.pi * np.arange(length) / length
    circle = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return Patterns.from_cycles([circle + np.array([x, y]) for y in (-0.6, 0.6) for x in (-0.6, 0.6)])


def train_plane(
    patterns: Patterns,
    *,
    width: int = 128,
    depth: int = 20,
    activation: str = "cosid",
    init: str = PLANE_RECIPE["init"],
    bias: bool = PLANE_RECIPE["bias"],
    dtype: str = PLANE_RECIPE["dtype"],
    optimizer: str = PLANE_RECIPE["optimizer"],
    rate: float = PLANE_RECIPE["rate"],
    schedule: str = PLANE_RECIPE["schedule"],
    tol: float = PLANE_RECIPE["tol"],
    epochs: int = 20_000,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Memory, float, int, StoreStatus]:
    """Trains a network as for Figs. 3 and 4c: PyTorch's initialization, Adam, no noise, no polish, in float64.

    By default the rate falls from 1e-3 along a cosine to 0, and training stops at a mean squared error of 1e-10.

    **Arguments:** `patterns`; `width`, `depth`, `activation`, `init`, `bias`, `dtype`: of the network, see `maps.mlp`;
    `optimizer`: a name of `training.optimizer`; `rate`, and `schedule`, one of `SCHEDULES`; `tol`: mean squared error
    at which to stop; `epochs` at most; `seed`; `checkpoint`: a file that training is saved to, and goes on from where
    it exists; `progress`.

    **Returns** the certified memory, the loss, the epochs, and how training ended. **Raises** `ValueError` for wrong
    arguments, and for a checkpoint of another training.
    """
    seed = checks.integer("seed", seed)
    checks.one_of("schedule", schedule, SCHEDULES)
    network = mlp(
        patterns.shape,
        width=width,
        depth=depth,
        activation=activation,
        init=init,
        bias=bias,
        dtype=dtype,
        key=jr.key(seed),
    )
    step = optax.cosine_decay_schedule(rate, max(epochs, 1)) if schedule == "cosine" else rate
    fitted = training.fit(
        network,
        patterns.points,
        patterns.targets,
        optimizer=training.optimizer(optimizer, learning_rate=step),
        epochs=epochs,
        tol=tol,
        checkpoint=checkpoint,
        resume=checkpoint is not None,
        fingerprint=f"{optimizer} {rate} {schedule} {epochs}",
        progress=progress,
        key=jr.key(seed),
    )
    written = {
        "writer": "plane",
        "optimizer": optimizer,
        "learning_rate": rate,
        "schedule": schedule,
        "tol": tol,
        "epochs_limit": epochs,
        "width": width,
        "depth": depth,
        "activation": activation,
        "init": init,
        "bias": bias,
        "dtype": dtype,
        "seed": seed,
        "loss": fitted.loss,
        "epochs": fitted.epochs,
        "seconds": fitted.seconds,
    }
    memory = settle(Memory(fitted.map, patterns))
    certificate = _certificate(memory)
    status = fitted.status
    if status is StoreStatus.STORED and not certificate.all_attractors:
        status = StoreStatus.NOT_ALL_CERTIFIED
    written["status"] = str(status)
    settled = Memory(memory.map, memory.patterns, memory.originals, written, certificate)
    return settled, fitted.loss, fitted.epochs, fitted.status


def num_spurious(record: Basins) -> int:
    """Certified attractors that were met and never stored."""
    return sum(other.verdict is Verdict.ATTRACTOR for other in record.others)


def _certificate(memory: Memory) -> Certificate:
    assert memory.certificate is not None  # `settle` certifies
    return memory.certificate
