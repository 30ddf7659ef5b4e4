"""The network of Fig. 2 and everything that the paper measures on it. Five experiments use its cells."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from attrax import RecallStatus, Verdict
from attrax.analysis import Census, CurvePoint, LimitKind, find_spurious, recovery
from attrax.corruptions import corrupt
from attrax.dynamics import Recall, recall
from attrax.extending import HostStates, squared_distances
from attrax.memory import Memory
from attrax.paper._experiment import Records, labeled, repeated
from attrax.paper._networks import iterated_states, network_settings, reached, stored_numbers, write
from attrax.paper._pictures import (
    cut_note,
    data_note,
    data_source,
    limited,
    pictures,
    unseen_pictures,
)
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

KINDS = ("uniform", "blocknoise", "block", "gaussian")
"""Pixels set to U[0,1]; a square set to U[0,1]; a square set to 0; N(0, σ²) added."""

SHOWN = ("uniform:0.3", "blocknoise:0.25", "block:0.25", "gaussian:0.3", "uniform:0.8", "blocknoise:0.75")
"""The corruptions of the six examples of Fig. 2a; the last ones are as severe as in the paper."""

MORE = "uniform:0.3"
"""The corruption of the examples of Fig. 2b."""

ENDS = ("recovered", "spurious", "other_limit", "not_converged", "diverged")
"""The outcomes of a start in the test for spurious attractors: it ends at an example, at a certified attractor that was
never stored, or at another limit, does not converge, or diverges."""

_PAPER_N, _PAPER_SIDE = 500, 64
_FAILED_SHOWN = 10
_AT_EDGE = ("cosid", "selu")
"""Activations at the edge; the paper's, and another one."""
_SHARES = {"test": 4, "uniform": 1, "gaussian": 1}

_STEPS = (1, 2, 5)

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "n": 8,
        "side": 8,
        "width": 128,
        "depth": 3,
        "init": "uniform:0.02",
        "epochs": 6000,
        "rate": 5e-4,
        "auto_epochs": 150,
        "levels": [0.5, 0.8],
        "starts": 60,
        "edge": {"epochs": 1500},
    },
    "quick": {
        "n": 50,
        "side": 16,
        "width": 256,
        "depth": 10,
        "init": "uniform:0.02",
        "epochs": 20_000,
        "levels": [0.1, 0.3, 0.5, 0.7, 0.8, 0.9],
        "starts": 1000,
        "edge": {"width": 128, "init": "pytorch", "epochs": 60_000, "starts": 6000},
    },
    "tables": {
        "n": 100,
        "side": 32,
        "width": 512,
        "depth": 10,
        "epochs": 50_000,
        "levels": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "starts": 20_000,
        "edge": {"coordinates": 0, "epochs": 60_000, "seconds": 7_200},
    },
    "full": {
        "n": 500,
        "side": 64,
        "width": 1024,
        "depth": 10,
        "epochs": 1_000_000,
        "levels": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "starts": 60_000,
        "edge": {"coordinates": 0, "epochs": 100_000, "seconds": 150_000},
    },
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the network, certifies it, recalls corrupted examples, and searches for limits that were never stored."""
    memory = write(pictures(settings), settings, work)
    examples = np.asarray(memory.originals)  # equal pictures are one example
    key = jr.key(settings["seed"])
    numbers, arrays = _all_cues(memory, settings, work, jr.fold_in(key, 1))
    census = find_spurious(
        memory,
        unseen_pictures(settings),
        num_starts=settings["starts"],
        shares=_SHARES,
        max_steps=settings["max_steps"],
        progress=work.progress,
        key=jr.fold_in(key, 2),
    )
    shown = np.arange(len(SHOWN)) % len(examples)
    # All examples each time: this shape is already compiled, and compiling takes longer than running.
    cues = np.stack(
        [
            corrupt(name, examples, key=jr.fold_in(key, 3 + place))[index]
            for place, (name, index) in enumerate(zip(SHOWN, shown, strict=True))
        ]
    )
    answer = recall(memory, cues, expected=shown, max_steps=settings["max_steps"])
    more = corrupt(MORE, examples, key=jr.fold_in(key, 20))[:10]
    again = recall(memory, more, expected=np.arange(len(more)), max_steps=settings["max_steps"])
    numbers |= (
        stored_numbers(memory)
        | _census_numbers(census)
        | {
            "statuses": [str(status) for status in answer.status],
            "more_statuses": [str(status) for status in again.status],
        }
    )
    arrays |= {
        "examples": examples[shown].astype(np.float32),
        "cues": cues.astype(np.float32),
        "steps": iterated_states(memory, cues, _STEPS).astype(np.float32),
        "limits": answer.value.astype(np.float32),
        "more": examples[:10].astype(np.float32),
        "more_cues": more.astype(np.float32),
        "more_limits": again.value.astype(np.float32),
    }
    return CellFound(numbers, arrays, trained=reached(memory))


@dataclass(frozen=True, slots=True, eq=False)
class _Failed:
    """A cue that was not recovered: its corruption, the example it was made from, and the one nearest to its limit."""

    name: str
    right: int
    nearest: int
    cue: HostStates
    limit: HostStates


def _all_cues(
    memory: Memory, settings: Mapping[str, Any], work: Work, key: PRNGKeyArray
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Recalls every example once at each level of each corruption: the rates, where the cues ended, and some that
    failed."""
    examples = np.asarray(memory.originals)
    places = likeness(examples)
    curves: list[dict[str, Any]] = []
    landed: Counter[str] = Counter()
    ranks: dict[int, list[int]] = {}
    failed: dict[RecallStatus, list[_Failed]] = {RecallStatus.OTHER_ATTRACTOR: [], RecallStatus.SPURIOUS: []}
    levels = [(kind, level) for kind in KINDS for level in settings["levels"]]
    for number, (kind, level) in enumerate(levels):
        name = f"{kind}:{level:g}"
        found = recovery(
            memory, name, max_steps=settings["max_steps"], progress=work.progress, key=jr.fold_in(key, number)
        )
        answer = found.recall
        curves.append(
            {
                "kind": kind,
                "level": level,
                "name": name,
                "cues": len(found.cues),
                "recovered": int(answer.recovered.sum()),
                "neighbor_rates": found.neighbor_rates,
                "trained": found.trained,
            }
        )
        landed.update(map(str, answer.status))
        for row in _with_status(answer, RecallStatus.OTHER_ATTRACTOR):
            ranks.setdefault(row, []).append(int(places[row, answer.nearest[row]]))
        for status, kept in failed.items():
            rows = _with_status(answer, status)
            if rows:  # one per level is enough to show, and not always of the same example
                row = rows[number % len(rows)]
                kept.append(_Failed(name, row, int(answer.nearest[row]), found.cues[row], answer.value[row]))
    status = next((status for status, kept in failed.items() if kept), RecallStatus.OTHER_ATTRACTOR)
    kept = failed[status]
    kept = [kept[place] for place in np.linspace(0, len(kept) - 1, min(len(kept), _FAILED_SHOWN)).round().astype(int)]
    numbers = {
        "curves": curves,
        "landed": {str(status): landed[str(status)] for status in RecallStatus},
        "elsewhere_at": _nearness(ranks, len(examples)),
        "failed": {
            "status": str(status),
            "cues": [{"name": one.name, "rank": int(places[one.right, one.nearest])} for one in kept],
        },
    }
    if not kept:
        return numbers, {}
    return numbers, {
        "failed_right": examples[[one.right for one in kept]].astype(np.float32),
        "failed_cues": np.stack([one.cue for one in kept]).astype(np.float32),
        "failed_limits": np.stack([one.limit for one in kept]).astype(np.float32),
    }


def _with_status(answer: Recall, status: RecallStatus) -> list[int]:
    return [row for row, one in enumerate(answer.status) if one is status]


def _nearness(ranks: Mapping[int, Sequence[int]], n: int) -> dict[str, Any]:
    """For cues that ended at another example: the median rank of that one by distance (`rank`), and for how many it is
    near.

    Cues of one example are not independent draws, so each example counts once, by the median over its cues: as `near`
    if it is below n/2, the median rank by chance, and as `far` if it is above.
    """
    medians = np.array([np.median(places) for places in ranks.values()])
    every = [place for places in ranks.values() for place in places]
    return {
        "rank": float(np.median(every)) if every else None,
        "near": int((medians < n / 2).sum()),
        "far": int((medians > n / 2).sum()),
    }


def likeness(examples: HostStates) -> Int[np.ndarray, "n n"]:
    """In row i, the rank of each example by its distance to example i, from 1; 0 for itself.

    >>> likeness(np.array([[0.0], [5.0], [1.0]])).tolist()
    [[0, 2, 1], [2, 0, 1], [1, 2, 0]]
    """
    vectors = np.asarray(examples, np.float64).reshape(len(examples), -1)
    squares = squared_distances(vectors, vectors)
    np.fill_diagonal(squares, -np.inf)
    order = np.argsort(squares, axis=1, kind="stable")
    return np.argsort(order, axis=1)


def _census_numbers(census: Census) -> dict[str, Any]:
    """The numbers of a cell about the starts of the census."""
    new = [limit for limit in census.limits if limit.kind is not LimitKind.STORED]
    ends = [
        "recovered"
        if limit.kind is LimitKind.STORED
        else "spurious"
        if limit.verdict is Verdict.ATTRACTOR
        else "other_limit"
        for limit in census.limits
    ]
    # The labels −2 and −1 index the last two entries.
    ended = np.array([*ends, "not_converged", "diverged"], object)[census.label]
    return {
        "spurious": len(new),
        "spurious_certified": sum(limit.verdict is Verdict.ATTRACTOR for limit in new),
        "starts": census.starts,
        "elsewhere": census.other,
        "elsewhere_bound": census.upper_bound,
        **{f"starts_{end}": int((ended == end).sum()) for end in ENDS[1:]},
        "by_start": {
            kind: {"starts": int(row["starts"]), "upper_bound": row["upper_bound"]}
            | {end: int((ended[census.start_kind == kind] == end).sum()) for end in ENDS}
            for kind, row in census.by_kind.items()
        },
    }


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed, at the edge one for each activation as well; the same cells for all experiments that use
    it."""
    size = _SIZES[scale]
    pictures_among_starts = size["starts"] * _SHARES["test"] // sum(_SHARES.values())
    settings = limited(
        {
            **size,
            "unseen": pictures_among_starts,
            "source": data_source("imagenet64"),
            "activation": "cosid",
            "max_steps": 1000,
        }
    )
    own = network_settings(settings, mode)
    if mode != "edge":
        return repeated("fig2a", run, own, scale=scale, mode=mode, seed=seed)
    return [
        cell
        for activation in _AT_EDGE
        for cell in repeated(
            "fig2a", run, {**own, "activation": activation}, scale=scale, mode=mode, seed=seed, name=activation
        )
    ]


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


def rate_table(
    records: Records, caption: str, columns: Sequence[tuple[str, Callable[[CurvePoint], str]]]
) -> Sequence[PageTable]:
    """One row for each level, and for each network one column per pair in `columns`: the end of its heading, and a
    function from a point to its text."""
    there = [record for record in records if record.numbers]
    if not there:
        return ()
    curves = [curve_points(record) for record in there]
    head = [f"{labeled(record)}{name}" for record in there for name, _ in columns]
    rows = [
        (points[0].corruption, f"{points[0].level:g}", *(told(point) for point in points for _, told in columns))
        for points in zip(*curves, strict=True)
    ]
    return (PageTable(caption, ("corruption", "level", *head), tuple(rows)),)


_SPAN = (
    " Trained in orthonormal coordinates of the span of the examples, from the network of the pixels, projected. Only "
    "the steps of the first and the last layer differ from those on pixels: RMSprop scales each entry by itself."
)


def note(record: CellRecord) -> str:
    """The part of a caption about the data."""
    settings = record.cell.settings
    n, side = settings["n"], settings["side"]
    least = record.numbers.get("least_distance")
    near = "" if least is None else f" Least distance between two examples: {least:.2f}."
    paper = "" if (n, side) == (_PAPER_N, _PAPER_SIDE) else f" (the paper: {_PAPER_N} of {_PAPER_SIDE}×{_PAPER_SIDE}×3)"
    return (
        f"{n} pictures of {side}×{side}×3{paper}."
        + cut_note(settings)
        + " "
        + data_note("imagenet64", settings["source"])
        + near
        + ("" if "coordinates" not in settings else _SPAN)
    )
