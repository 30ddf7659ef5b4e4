"""What the experiments on sequences share: storing one or more cycles, recall from noise, and the summary of both."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax.analysis import wilson_interval
from attrax.dynamics import recall
from attrax.paper._experiment import Records, Summary, judged, labeled, told, trained
from attrax.paper._networks import reached, stored_numbers, write
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import CellFound, CellRecord, Work
from attrax.patterns import Patterns

MOST = "most starts of noise (the lower end of Wilson's 95 % interval lies above one half)"
"""The condition of `from_noise`, in words."""


def noise_like(points: np.ndarray, count: int, kind: str, seed: int) -> np.ndarray:
    """Starts independent of the examples: uniform over their range, or Gaussian with their mean and standard
    deviation."""
    draw = np.random.default_rng(seed)
    shape = (count, *points.shape[1:])
    if kind == "uniform":
        low, high = float(points.min()), float(points.max())
        return low + (high - low) * draw.random(shape)
    return float(points.mean()) + float(points.std()) * draw.standard_normal(shape)


def sequence_cell(patterns: Patterns, settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores cycles, and recalls them from noise; the settings `noise` and `cues` are the kind of noise and the number
    of starts."""
    memory = write(patterns, settings, work)
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    points = np.asarray(memory.originals, np.float64)
    cues = noise_like(points, settings["cues"], settings["noise"], settings["seed"])
    answer = recall(memory, cues, path=True, max_steps=settings["max_steps"], progress=work.progress)
    assert answer.path is not None
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
    frames = answer.path[int(np.argmax(answer.recovered))]
    most = settings["shown"]
    arrays = {
        "points": points[:most].astype(np.float32),
        "way": np.asarray(frames[:most], np.float32),
    }
    return CellFound(numbers, arrays, trained=reached(memory))


def from_noise(record: CellRecord) -> bool:
    """Whether most noise starts end in a stored cycle, beyond what chance in the draw of the starts explains."""
    return wilson_interval(record.numbers["recovered"], record.numbers["cues"])[0] > 0.5


def summarize_cycle(records: Records, what: str) -> Summary:
    """Judges whether all states form one stable cycle that noise ends in; `what` is the cycle in words."""
    found = "; ".join(
        f"log of the spectral radius {_log(record, 0)}, {_from(record)} noise starts fall into the {what}"
        for record in trained(records)
    )
    return judged(
        records,
        lambda record: record.numbers["states"] if all(record.numbers["stable"]) else 0,
        lambda record: all(record.numbers["stable"]) and from_noise(record),
        lambda record: all(record.numbers["stable"]) or record.numbers["recovered"] >= 1,
        (f"Network by network: {found}. " if found else "")
        + f"Reproduced where the {what} is a certified attractor and {MOST} fall into it; partly where it is one, or "
        "any start falls into it.",
    )


def sequence_table(records: Records) -> Sequence[PageTable]:
    """The measurements of every network: its cycles one by one, and where noise ended."""
    rows = []
    for record in records:
        numbers = record.numbers
        if not numbers:
            continue
        low, high = wilson_interval(numbers["recovered"], numbers["cues"])
        ends = f"{_from(record)} ({low:.2f} to {high:.2f})"
        for place, length in enumerate(numbers["lengths"]):
            rows.append(
                (
                    labeled(record),
                    str(length),
                    str(numbers["certified_periods"][place]),
                    told(numbers["radii"][place]),
                    _log(record, place),
                    "yes" if numbers["stable"][place] else "no",
                    str(numbers["cycles_met"].count(place)),
                    ends,
                )
            )
    head = (
        "network",
        "states",
        "period",
        "spectral radius",
        "its logarithm",
        "certified attractor",
        "starts in it",
        "noise starts that come back (95 % interval)",
    )
    caption = (
        "Every cycle stored. The period is the least number of steps after which the certified states repeat, 0 where "
        "they do not form a cycle of the network."
    )
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


def start_note(record: CellRecord) -> str:
    """Says which noise start a figure shows."""
    if record.numbers["recovered"]:
        return f"The start shown is the first that comes back; {_from(record)} do."
    return f"None of the {record.numbers['cues']} starts comes back; the first is shown."


def _from(record: CellRecord) -> str:
    return f"{record.numbers['recovered']} of {record.numbers['cues']}"


def _log(record: CellRecord, place: int) -> str:
    """The logarithm of a radius. It is stored as null for a radius of 0, and if it is unknown."""
    value = record.numbers["log_radii"][place]
    return "−∞" if value is None and record.numbers["radii"][place] == 0 else told(value, ".1f")
