"""What experiments share: pictures as their settings say, and how a network is written in either mode."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.random as jr
import numpy as np

from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax._status import StoreStatus
from attrax._types import HostStates
from attrax.dynamics import iterate
from attrax.maps import mlp
from attrax.sources import load
from attrax.sweeps import Work
from attrax.writing import Auto, Gradient, store

_MOST = {"natural": 254, "digits": 1797}


def pictures(settings: Mapping[str, Any], *, extra: int = 0) -> HostStates:
    """The first `n` pictures of `source`, gray where `gray`, of `side` pixels; with `extra` ones after them."""
    side = settings.get("side")
    size = None if side is None else (side, side)
    return load(
        settings["source"], n=settings["n"] + extra, size=size, gray=settings.get("gray", False)
    ).values  # fmt: skip


def write(patterns: Patterns | HostStates, settings: Mapping[str, Any], work: Work) -> Memory:
    """A memory written as the mode says, from settings with `width`, `depth`, `activation` and `epochs`.

    In the mode `paper`: `optimizer` (Adam), `rate` (1e-4), `tol` (1e-8), `init` (PyTorch's) and `dtype` (float64).
    In the mode `attrax`: `Auto`, which chooses network and training; `auto_epochs` bounds each of its attempts.
    """
    if settings["mode"] == "attrax":
        writer: Any = Auto(epochs=settings.get("auto_epochs"))
        return store(
            patterns, writer=writer, checkpoint=work.checkpoint, resume=work.checkpoint is not None,
            progress=work.progress, key=jr.key(settings["seed"]),
        )  # fmt: skip
    recipe = partial(
        mlp, width=settings["width"], depth=settings["depth"], activation=settings["activation"],
        init=settings.get("init", "pytorch"), dtype=settings.get("dtype", "float64"),
    )  # fmt: skip
    writer = Gradient(
        optimizer=settings.get("optimizer", "adam"), learning_rate=settings.get("rate", 1e-4),
        tol=settings.get("tol", 1e-8), epochs=settings["epochs"],
    )  # fmt: skip
    return store(
        patterns, recipe, writer=writer, checkpoint=work.checkpoint, resume=work.checkpoint is not None,
        progress=work.progress, key=jr.key(settings["seed"]),
    )  # fmt: skip


def reached(memory: Memory) -> bool:
    """Whether training reached its loss; where it did not, no example counts as stored."""
    return memory.status in (StoreStatus.STORED, StoreStatus.NOT_ALL_CERTIFIED)


def stored_numbers(memory: Memory) -> dict[str, Any]:
    """What every cell says of its memory."""
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    finite = certificate.spectral_radius[np.isfinite(certificate.spectral_radius)]
    patterns = memory.examples()
    originals = patterns.points if memory.originals is None else memory.originals
    return {
        "attractors": certificate.num_attractors,
        "inconclusive": certificate.num_inconclusive,
        "cycles": len(certificate.cycles),
        "states": len(patterns),
        "radius_median": float(np.median(finite)) if len(finite) else None,
        "radius_max": float(finite.max()) if len(finite) else None,
        "radius_below_one": int((certificate.spectral_radius < 1).sum()),
        "least_distance": least_distance(originals),
        "loss": memory.written.get("loss"),
        "epochs": memory.written.get("epochs"),
        "writer": memory.written.get("writer"),
        "status": str(memory.status),
    }


def least_distance(states: HostStates) -> float | None:
    """The least Euclidean distance between two states; `None` for a single one."""
    flat = np.asarray(states, np.float64).reshape(len(states), -1)
    if len(flat) < 2:
        return None
    squares = (flat**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * flat @ flat.T
    np.fill_diagonal(distances, np.inf)
    one, other = np.unravel_index(int(np.argmin(distances)), distances.shape)
    return float(np.linalg.norm(flat[one] - flat[other]))


def orbit_of(memory: Memory, starts: HostStates, steps: Sequence[int]) -> np.ndarray:
    """The states after so many applications of the map, steps×n×state shape, in float64."""
    return np.stack([iterate(memory.map, starts, max_steps=step, atol=1e-300).value for step in steps])


def limited(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with as many pictures as their source has, those that are not stored (`unseen`) included."""
    most = _MOST.get(settings["source"])
    if most is None:
        return dict(settings)
    unseen = min(settings.get("unseen", 0), most // 3)
    found = {**settings, "n": min(settings["n"], most - unseen)}
    return found | ({"unseen": unseen} if "unseen" in settings else {})
