"""What the experiments on sequences share: storing one or more cycles, and recall from noise."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax._sequence_recall import recall_sequence
from attrax.experiments._material import reached, stored_numbers, write
from attrax.sweeps import CellFound, Work


def noise_like(points: np.ndarray, count: int, kind: str, seed: int) -> np.ndarray:
    """Starts that know nothing of the examples: uniform over their range, or Gaussian with their mean and deviation."""
    draw = np.random.default_rng(seed)
    shape = (count, *points.shape[1:])
    if kind == "uniform":
        low, high = float(points.min()), float(points.max())
        return low + (high - low) * draw.random(shape)
    return float(points.mean()) + float(points.std()) * draw.standard_normal(shape)


def sequence_cell(
    patterns: Patterns, settings: Mapping[str, Any], work: Work
) -> tuple[Memory, dict[str, Any], dict[str, np.ndarray], bool]:
    """Stores cycles, and recalls them from noise; `noise` and `cues` of the settings say from which and how often."""
    memory = write(patterns, settings, work)
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    points = np.asarray(memory.originals, np.float64)
    cues = noise_like(points, settings["cues"], settings["noise"], settings["seed"])
    answer = recall_sequence(memory, cues, max_steps=settings["max_steps"], progress=work.progress)
    numbers = stored_numbers(memory) | {
        "lengths": [len(cycle) for cycle in certificate.cycles],
        "radii": certificate.spectral_radius,
        "log_radii": certificate.log_spectral_radius,
        "stable": [str(verdict) == "attractor" for verdict in certificate.verdict],
        "certified_periods": certificate.period,
        "cues": len(cues),
        "recovered": int(answer.recovered.sum()),
        "cycles_met": answer.cycle,
        "transients": answer.transient,
        "periods": answer.period,
        "statuses": [str(status) for status in answer.status],
    }
    frames = answer.frames[int(np.argmax(answer.recovered))]
    most = settings["shown"]
    arrays = {
        "points": points[:most].astype(np.float32),
        "way": np.asarray(frames[:most], np.float32),
        "cue": cues[:1].astype(np.float32),
    }
    return memory, numbers, arrays, reached(memory)


def found(parts: tuple[Memory, dict[str, Any], dict[str, np.ndarray], bool]) -> CellFound:
    """The same as a cell returns it."""
    _, numbers, arrays, good = parts
    return CellFound(numbers, arrays, trained=good)
