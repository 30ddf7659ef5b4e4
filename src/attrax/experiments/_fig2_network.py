"""The network of Fig. 2, and all that the paper measures on it; five experiments look at its cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax._corruptions import corrupt
from attrax._recall import recall
from attrax._status import RecallStatus
from attrax.analysis import CurvePoint, find_spurious, recovery_curves
from attrax.experiments._common import data_note, data_source
from attrax.experiments._experiment import repeated
from attrax.experiments._material import limited, orbit_of, pictures, reached, stored_numbers, write
from attrax.sweeps import Cell, CellFound, CellRecord, Work

KINDS = ("uniform", "blocknoise", "block", "gaussian")
"""Pixels set to U[0,1]; a square set to U[0,1]; a square set to 0; N(0, σ²) added."""

SHOWN = ("uniform:0.3", "blocknoise:0.25", "block:0.25", "gaussian:0.3", "uniform:0.8", "blocknoise:0.75")
"""What the six examples of Fig. 2a are corrupted by, as severe towards the end as in the paper."""

MORE = "uniform:0.3"
"""What the examples of Fig. 2b are corrupted by."""

_STEPS = (1, 2, 5)

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "n": 8,
        "side": 8,
        "width": 128,
        "depth": 3,
        "epochs": 6000,
        "rate": 1e-3,
        "auto_epochs": 150,
        "levels": [0.2, 0.5, 0.8],
        "starts": 60,
        "unseen": 40,
    },
    "quick": {
        "n": 50,
        "side": 16,
        "width": 256,
        "depth": 6,
        "epochs": 20_000,
        "levels": [0.1, 0.3, 0.5, 0.7, 0.8, 0.9],
        "starts": 1500,
        "unseen": 100,
    },
    "tables": {
        "n": 100,
        "side": 32,
        "width": 512,
        "depth": 10,
        "epochs": 50_000,
        "levels": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "starts": 20_000,
        "unseen": 100,
    },
    "full": {
        "n": 500,
        "side": 64,
        "width": 1024,
        "depth": 10,
        "epochs": 1_000_000,
        "levels": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "starts": 60_000,
        "unseen": 100,
    },
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the network, certifies it, recalls corrupted examples, and looks for what was never stored."""
    values = pictures(settings, extra=settings["unseen"])
    examples, unseen = values[: settings["n"]], values[settings["n"] :]
    memory = write(examples, settings, work)
    key = jr.key(settings["seed"])
    names = [f"{kind}:{level:g}" for kind in KINDS for level in settings["levels"]]
    points = recovery_curves(
        memory, names, clamp=False, max_steps=settings["max_steps"], progress=work.progress, key=jr.fold_in(key, 1)
    )
    census = find_spurious(
        memory, unseen, num_starts=settings["starts"], shares={"test": 4, "uniform": 1, "gaussian": 1},
        max_steps=settings["max_steps"], progress=work.progress, key=jr.fold_in(key, 2),
    )  # fmt: skip
    shown = np.arange(len(SHOWN)) % len(examples)
    cues = np.concatenate([
        corrupt(name, examples[index : index + 1], key=jr.fold_in(key, 3 + place))
        for place, (name, index) in enumerate(zip(SHOWN, shown, strict=True))
    ])  # fmt: skip
    answer = recall(memory, cues, expected=shown, max_steps=settings["max_steps"])
    more = corrupt(MORE, examples[:10], key=jr.fold_in(key, 20))
    again = recall(memory, more, expected=np.arange(len(more)), max_steps=settings["max_steps"])
    failing = [row for row, status in enumerate(answer.status) if status is RecallStatus.OTHER_ATTRACTOR]
    numbers = stored_numbers(memory) | {
        "curves": [
            {"kind": p.corruption, "level": p.level, "name": p.name, "cues": p.cues, "recovered": p.recovered,
             "neighbor_rates": p.neighbor_rates, "trained": p.trained}
            for p in points
        ],
        "spurious": sum(str(limit.kind) != "stored" for limit in census.limits),
        "spurious_certified": sum(str(limit.verdict) == "attractor" for limit in census.limits
                                  if str(limit.kind) != "stored"),
        "starts": census.starts,
        "elsewhere": census.other,
        "diverged": census.diverged,
        "not_converged": census.not_converged,
        "elsewhere_bound": census.upper_bound,
        "by_start": census.by_kind,
        "shown": shown,
        "statuses": [str(status) for status in answer.status],
        "landed": answer.nearest,
        "more_statuses": [str(status) for status in again.status],
        "ranks": [_rank(examples, int(shown[row]), int(answer.nearest[row])) for row in failing],
    }  # fmt: skip
    arrays = {
        "examples": examples[shown].astype(np.float32),
        "cues": cues.astype(np.float32),
        "steps": orbit_of(memory, cues, _STEPS).astype(np.float32),
        "limits": answer.value.astype(np.float32),
        "more": examples[:10].astype(np.float32),
        "more_cues": more.astype(np.float32),
        "more_limits": again.value.astype(np.float32),
    }
    return CellFound(numbers, arrays, trained=reached(memory))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network a seed; the same cells for all experiments that look at it."""
    settings = limited({
        **_SIZES[scale], "source": data_source("imagenet64"), "activation": "cosid", "max_steps": 1000,
    })  # fmt: skip
    return repeated("fig2", run, settings, scale=scale, mode=mode, seed=seed)


def curve_points(record: CellRecord) -> list[CurvePoint]:
    """The measured recovery rates of a cell."""
    return [
        CurvePoint(
            row["kind"],
            row["level"],
            row["name"],
            row["cues"],
            row["recovered"],
            row["neighbor_rates"],
            None,
            row["trained"],
        )
        for row in record.numbers["curves"]
    ]


def note(record: CellRecord) -> str:
    """What a caption says of the data."""
    settings = record.cell.settings
    least = record.numbers.get("least_distance")
    near = "" if least is None else f" Least distance between two examples: {least:.2f}."
    return (
        f"{settings['n']} pictures of {settings['side']}×{settings['side']}×3. "
        + data_note("imagenet64", settings["source"])
        + near
    )


def _rank(examples: np.ndarray, expected: int, found: int) -> int:
    """The place of the example found among all others by likeness to the expected one, from 1."""
    flat = examples.reshape(len(examples), -1)
    order = np.argsort(np.linalg.norm(flat - flat[expected], axis=1), kind="stable")
    return int(np.flatnonzero(order[order != expected] == found)[0]) + 1
