"""Counts of recalled cues, the same for memories of this library and for rivals."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import map_bytes
from attrax.dynamics import recall
from attrax.extending import HostStates
from attrax.maps import describe
from attrax.memory import Memory, Thresholds
from attrax.paper._pictures import available, pictures
from attrax.paper._rival_memories import RivalMemory
from attrax.paper.sweeps import Work
from attrax.writing import Constructed, WinnerTakeAll, store

EXACT = round(Thresholds.mean_square(1).recovery ** 2, 12)
"""The mean square within which this library calls a picture recovered."""
MAX_STEPS = 300
"""Applications of a map to a cue, at most."""
OURS = "attrax, "
"""What the names of this library's memories begin with."""


def drawn_pictures(settings: Mapping[str, Any]) -> HostStates:
    """`n` of the first 5,000 pictures of `source`, drawn by the seed, in the order of the source."""
    every = pictures({**settings, "n": min(available(settings["source"]), 5000)})
    chosen = np.random.default_rng(settings["seed"]).permutation(len(every))[: settings["n"]]
    return every[np.sort(chosen)]


def flat(states: HostStates) -> np.ndarray:
    """States as float64 rows."""
    return np.asarray(states, np.float64).reshape(len(states), -1)


def own_memory(
    kind: str, points: HostStates, seed: int, work: Work, options: Mapping[str, Any] = MappingProxyType({})
) -> Memory:
    """A memory of this library by the name of its writer, `margin` or `winner-take-all`, with options of the writer."""
    writer = Constructed(**options) if kind == "margin" else WinnerTakeAll(**options)
    return store(points, writer=writer, progress=work.progress, key=jr.key(seed))


def own_memories(points: HostStates, settings: Mapping[str, Any], work: Work) -> dict[str, Memory]:
    """A memory for each kind in the setting `own`, by kind."""
    return {kind: own_memory(kind, points, settings["seed"], work, some) for kind, some in settings["own"].items()}


def counted(
    method: str,
    setting: str,
    place: Sequence[Any],
    answers: HostStates,
    truth: HostStates,
    *,
    threshold: float,
    parameters: int,
    num_bytes: int,
    certified: tuple[int, int] | None = None,
    known: np.ndarray | None = None,
) -> dict[str, Any]:
    """One entry of a cell: how many answers lie within a mean square of `threshold`, and of `EXACT`, of the truth.

    With `known`, only the other entries are compared.
    """
    squares = (flat(answers) - flat(truth)) ** 2
    if known is not None:
        unknown = ~known.reshape(len(squares), -1)
        errors = (squares * unknown).sum(axis=1) / np.maximum(unknown.sum(axis=1), 1)
    else:
        errors = squares.mean(axis=1)
    return {
        "method": method,
        "setting": setting,
        "place": [str(part) for part in place],
        "parameters": parameters,
        "bytes": num_bytes,
        "good": int((errors < threshold).sum()),
        "exact": int((errors < EXACT).sum()),
        "total": len(errors),
        "median_error": float(np.median(errors)),
        "certified": list(certified) if certified else None,
    }


def counted_memory(
    memory: Memory,
    method: str,
    place: Sequence[Any],
    cues: HostStates,
    truth: HostStates,
    *,
    threshold: float,
    known: np.ndarray | None = None,
    unknown_only: bool = False,
    progress: Any = None,
) -> dict[str, Any]:
    """The entry of one of this library's memories; with `known`, these entries of the cues are clamped, then released.

    `unknown_only` compares only the entries that are not known.
    """
    values = recall(memory, cues, known=known, max_steps=MAX_STEPS, progress=progress).value
    certificate = memory.certificate
    assert certificate is not None  # `store` sets it
    said = describe(memory.map)
    return counted(
        f"{OURS}{method}",
        said.text,
        place,
        values,
        truth,
        threshold=threshold,
        parameters=said.parameters,
        num_bytes=map_bytes(memory.map),
        certified=(certificate.num_attractors, len(certificate.cycles)),
        known=known if unknown_only else None,
    )


def counted_rival(
    rival: RivalMemory,
    place: Sequence[Any],
    cues: HostStates,
    truth: HostStates,
    *,
    threshold: float,
    known: np.ndarray | None = None,
    unknown_only: bool = False,
) -> dict[str, Any]:
    """The entry of a rival on the same cues."""
    told = None if known is None else known.reshape(len(known), -1)
    answers = rival.answer(flat(cues), told)
    return counted(
        rival.name,
        rival.setting,
        place,
        answers,
        truth if rival.references is None else rival.references,
        threshold=threshold,
        parameters=rival.parameters,
        num_bytes=rival.num_bytes,
        known=known if unknown_only else None,
    )
