"""What experiments share: pictures as their settings say, and how a network is written in either mode."""

import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.random as jr
import numpy as np

from attrax._base.status import StoreStatus
from attrax._base.types import HostStates, Map
from attrax.dynamics import iterate
from attrax.maps import describe, mlp
from attrax.memory import Memory
from attrax.paper.experiments._common import least_distance
from attrax.paper.sweeps import Work
from attrax.patterns import Patterns
from attrax.sources import SourceError, load
from attrax.sources._specs import open_source
from attrax.writing import Auto, Gradient, store

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "rate": 1e-4,
    "tol": 1e-8,
    "init": "pytorch",
    "bias": True,
    "dtype": "float64",
}
"""What the mode `paper` trains with where an experiment says nothing else."""

_OF_THE_WRITER = ("width", "depth", "activation", "epochs")
_NO_CHOICE = (
    "attempts",
    "carriers",
    "chosen_by",
    "closest_pair",
    "cross_entropy",
    "epochs",
    "failed",
    "loss",
    "seconds",
    "status",
    "time_limit",
)
"""What the record of writing holds beside choices: outcomes, times, and lists as long as the examples."""


def network_settings(settings: Mapping[str, Any], mode: str, recipe: Mapping[str, Any] = RECIPE) -> dict[str, Any]:
    """The settings of a cell with all that decides its network in this mode, and without what it does not use.

    In the mode `paper` that is the recipe, save for what the settings say themselves. In the mode `attrax` the writer
    chooses; what it chose is among the numbers of the cell.

    >>> network_settings({"n": 3, "depth": 2, "auto_epochs": 9}, "attrax")
    {'n': 3, 'auto_epochs': 9}
    """
    unused = ("auto_epochs",) if mode == "paper" else (*_OF_THE_WRITER, *recipe)
    kept = {name: value for name, value in settings.items() if name not in unused}
    return {**recipe, **kept} if mode == "paper" else kept


def pictures(settings: Mapping[str, Any]) -> HostStates:
    """The first `n` pictures of `source`, gray where `gray`, of `side` pixels."""
    return _loaded(settings["source"], settings["n"], settings)


def unseen_pictures(settings: Mapping[str, Any]) -> HostStates:
    """`unseen` pictures that are not stored: those of the test part of `source`, then those that follow the first `n`.

    They are as many as `limited` leaves.
    """
    source, n, wanted = settings["source"], settings["n"], settings["unseen"]
    test = min(_count(f"{source}@test"), wanted)
    parts = [_loaded(f"{source}@test", test, settings)] if test else []
    if wanted > test:
        parts.append(_loaded(source, n + wanted - test, settings)[n:])
    return np.concatenate(parts)


def _loaded(source: str, n: int, settings: Mapping[str, Any]) -> HostStates:
    side = settings.get("side")
    size = None if side is None else (side, side)
    return load(source, n=n, size=size, gray=settings.get("gray", False)).values


def write(patterns: Patterns | HostStates, settings: Mapping[str, Any], work: Work) -> Memory:
    """A memory written as the mode says.

    In the mode `paper` from settings with `width`, `depth`, `activation` and `epochs`, and with the names of `RECIPE`
    where they differ from it. In the mode `attrax` by `Auto`, which chooses network and training; `auto_epochs` bounds
    each of its attempts.
    """
    if settings["mode"] == "attrax":
        writer: Any = Auto(epochs=settings.get("auto_epochs"))
        return store(
            patterns,
            writer=writer,
            checkpoint=work.checkpoint,
            resume=work.checkpoint is not None,
            progress=work.progress,
            key=jr.key(settings["seed"]),
        )
    settings = {**RECIPE, **settings}
    recipe = partial(
        mlp, **{name: settings[name] for name in ("width", "depth", "activation", "init", "bias", "dtype")}
    )
    writer = Gradient(
        optimizer=settings["optimizer"],
        learning_rate=settings["rate"],
        tol=settings["tol"],
        epochs=settings["epochs"],
    )
    return store(
        patterns,
        recipe,
        writer=writer,
        checkpoint=work.checkpoint,
        resume=work.checkpoint is not None,
        progress=work.progress,
        key=jr.key(settings["seed"]),
    )


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
        **_chosen(memory),
    }


def _chosen(memory: Memory) -> dict[str, Any]:
    """The network in words, and where the writer chose it: of how many attempts, and all else that it chose."""
    found: dict[str, Any] = {"network": f"{describe(memory.map).text}, {_dtype(memory.map)}"}
    attempts = memory.written.get("attempts")
    if attempts is not None:
        found["attempts"] = len(attempts)
        found["chosen"] = {
            name: value for name, value in memory.written.items() if name not in _NO_CHOICE and value is not None
        }
    return found


def _dtype(map: Map) -> str:
    """The arithmetic of a map: the precision of its arrays."""
    return "/".join(sorted({str(leaf.dtype) for leaf in jax.tree.leaves(map) if hasattr(leaf, "dtype")}))


def orbit_of(memory: Memory, starts: HostStates, steps: Sequence[int]) -> np.ndarray:
    """The states after so many applications of the map, steps×n×state shape, in float64."""
    return np.stack([iterate(memory.map, starts, max_steps=step, atol=1e-300).value for step in steps])


def limited(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with as many pictures as their source has, those that are not stored (`unseen`) included.

    Where that is fewer to store than asked for, `asked` keeps that number. Unseen ones come from the source's test part
    first; where it has none, up to a third of the pictures are kept for them.
    """
    most, test = _count(settings["source"]), _count(f"{settings['source']}@test")
    if not most:
        return dict(settings)  # loading says what is missing
    wanted = settings.get("unseen", 0)
    n = min(settings["n"], most if test else most - min(wanted, most // 3))
    found = {**settings, "n": n}
    if n < settings["n"]:
        found["asked"] = settings["n"]
    return found | ({"unseen": min(wanted, test + most - n)} if "unseen" in settings else {})


def cut_note(settings: Mapping[str, Any]) -> str:
    """What a caption says where `limited` found fewer pictures than asked for; otherwise nothing."""
    if "asked" not in settings:
        return ""
    return f" Asked for were {settings['asked']} pictures; there are no more than {settings['n']} here."


def _count(source: str) -> int:
    return _counted(source, os.environ.get("ATTRAX_DATA"))


@cache
def _counted(source: str, root: str | None) -> int:
    """How many pictures a source has, under this root of published data; 0 where it is not there."""
    try:
        return len(open_source(source).names)
    except SourceError:
        return 0
