"""Sharma, Chandra and Fiete (2022): memories of fixed size, filled up to their capacity and beyond."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import map_bytes
from attrax.dynamics import recall
from attrax.maps import describe, mlp
from attrax.paper._experiment import Drawing, Experiment, Records, Summary, judged, repeated
from attrax.paper._figures import plain_axes
from attrax.paper._rival_counts import MAX_STEPS, OURS, flat
from attrax.paper._rival_memories import RivalMemory
from attrax.paper._rival_tables import COLORS, percent
from attrax.paper._scaffold import hebbian, hidden_for, mesh, pseudo_inverse
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, Work
from attrax.writing import Gradient, store

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"size": 16, "numbers": [6], "width": 16, "labels": 6, "epochs": 30, "seeds": 1},
    "quick": {
        "size": 256,
        "numbers": [16, 32, 64, 128, 192, 256],
        "width": 48,
        "labels": 13,
        "epochs": 1000,
        "seeds": 3,
    },
    "full": {
        "size": 816,
        "numbers": [16, 32, 64, 128, 256, 384, 512, 640, 816],
        "width": 192,
        "labels": 18,
        "epochs": 10_000,
        "seeds": 5,
    },
}
_SIZES["tables"] = {**_SIZES["full"], "epochs": 3000}
_DEPTH = 3
FLIPPED = 0.05
"""The fraction of the entries of a cue that are flipped."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Fills memories of one size with growing numbers of random ±1 patterns, and gives all of them the same cues."""
    draw = np.random.default_rng(settings["seed"])
    every = np.where(draw.random((max(settings["numbers"]), settings["size"])) < 0.5, -1.0, 1.0)
    rows: list[dict[str, Any]] = []
    for number, count in enumerate(settings["numbers"]):
        signs = every[:count]
        cues = np.where(draw.random(signs.shape) < FLIPPED, -signs, signs)
        mine, weights = _ours(settings, signs, cues, number, work)
        rows.append(mine)
        hidden = hidden_for(settings["size"], settings["labels"], weights)
        rivals = [
            mesh(signs, labels=settings["labels"], hidden=hidden, seed=settings["seed"]),
            pseudo_inverse(signs),
            hebbian(signs),
        ]
        rows += [_row(rival, signs, cues) for rival in rivals]
        if work.progress is not None:
            work.progress("patterns", number + 1, len(settings["numbers"]), {"recovered": mine["good"] / count})
    return CellFound({"rows": rows})


def _ours(
    settings: Mapping[str, Any], signs: np.ndarray, cues: np.ndarray, number: int, work: Work
) -> tuple[dict[str, Any], int]:
    """A network of fixed size, trained on noisy patterns and polished, and the number of its weights."""
    points = ((signs + 1) / 2).astype(np.float32)
    memory = store(
        points,
        partial(mlp, width=settings["width"], depth=_DEPTH, init="kaiming_uniform"),
        writer=Gradient(corruptions=("uniform:0.2",), coordinates=0, epochs=settings["epochs"]),
        progress=work.progress,
        key=jr.fold_in(jr.key(settings["seed"]), number),
    )
    values = recall(memory, ((cues + 1) / 2).astype(np.float32), max_steps=MAX_STEPS, progress=work.progress).value
    certificate, said = memory.certificate, describe(memory.map)
    assert certificate is not None  # `store` sets it
    answers = np.where(flat(values) >= 0.5, 1.0, -1.0)
    found = _counted(f"{OURS}Gradient", said.text, said.parameters, map_bytes(memory.map), signs, answers)
    return found | {"certified": certificate.num_attractors}, said.parameters


def _row(rival: RivalMemory, signs: np.ndarray, cues: np.ndarray) -> dict[str, Any]:
    answers = rival.answer(cues, None)
    return _counted(rival.name, rival.setting, rival.parameters, rival.num_bytes, signs, answers)


def _counted(
    method: str, setting: str, weights: int, num_bytes: int, signs: np.ndarray, answers: np.ndarray
) -> dict[str, Any]:
    wrong = float((answers != signs).mean())
    return {
        "method": method,
        "setting": setting,
        "n": len(signs),
        "parameters": weights,
        "bytes": num_bytes,
        "good": int((answers == signs).all(axis=1).sum()),
        "total": len(signs),
        "wrong": wrong,
        "bits": signs.size * (1 - _entropy(min(wrong, 0.5))) / weights,
    }


def _entropy(rate: float) -> float:
    """Shannon's entropy of a bit that is wrong at this rate.

    >>> _entropy(0.5), _entropy(0.0)
    (1.0, 0.0)
    """
    if rate in (0.0, 1.0):
        return 0.0
    return float(-rate * np.log2(rate) - (1 - rate) * np.log2(1 - rate))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One series of numbers per seed."""
    size = dict(_SIZES[scale])
    several = size.pop("seeds")
    return repeated("mesh", run, size, scale=scale, mode=mode, seed=seed, seeds=several)


def _fall(rows: Sequence[Mapping[str, Any]], method: str) -> float:
    """The information of the fullest memory, as a fraction of the most that the method holds at any number."""
    bits = [row["bits"] for row in rows if row["method"] == method]
    return bits[-1] / max(bits) if max(bits) > 0 else 0.0


def summarize(records: Records) -> Summary:
    """Judges whether our network keeps at least half of its information when it is overfilled: no cliff."""
    ours = f"{OURS}Gradient"
    return judged(
        records,
        lambda record: _fall(record.numbers["rows"], ours),
        lambda record: _fall(record.numbers["rows"], ours) >= 0.5,
        lambda record: _fall(record.numbers["rows"], ours) >= 0.25,
        "Reproduced where the fullest of our networks holds at least half of the most information that any of them "
        "holds, partly from a quarter on. The bounds are chosen here.",
    )


def _series(records: Records) -> dict[str, dict[int, list[Mapping[str, Any]]]]:
    found: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for record in records:
        for row in record.numbers.get("rows", ()):
            found.setdefault(row["method"], {}).setdefault(row["n"], []).append(row)
    return found


def draw(records: Records) -> Sequence[Drawing]:
    """The fraction of patterns recovered, and bits per weight, over the number of patterns."""
    found = _series(records)
    if not found:
        return ()
    figure, grid = plain_axes(4.2, 3.2, 2)
    for color, (method, places) in zip(COLORS, found.items(), strict=False):
        numbers = sorted(places)
        rates = [sum(row["good"] for row in places[n]) / sum(row["total"] for row in places[n]) for n in numbers]
        bits = [[row["bits"] for row in places[n]] for n in numbers]
        grid[0, 0].plot(numbers, rates, "o-", color=color, markersize=3, label=method)
        grid[0, 1].plot(numbers, [np.median(some) for some in bits], "o-", color=color, markersize=3, label=method)
        grid[0, 1].fill_between(numbers, list(map(min, bits)), list(map(max, bits)), color=color, alpha=0.2)
    grid[0, 0].set(xlabel="patterns", ylabel="fraction recovered", ylim=(-0.03, 1.05))
    grid[0, 1].set(xlabel="patterns", ylabel="bits per weight", ylim=(0, None))
    grid[0, 0].legend(fontsize=7, frameon=False)
    settings = records[0].cell.settings
    caption = (
        f"Random patterns of {settings['size']} entries, {FLIPPED:.0%} of them flipped in the cues, {len(records)} "
        "seeds. Left: all entries right. Right: n·d·(1 − H₂(ε)) over the number of weights, ε the fraction of wrong "
        "entries; the median of the seeds and their range."
    )
    return (Drawing(figure, caption),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every memory at every number of patterns."""
    rows = [
        (
            f"{number:,}",
            method,
            some[0]["setting"],
            f"{some[0]['parameters']:,}",
            f"{some[0]['bytes']:,}",
            percent(sum(row["good"] for row in some), sum(row["total"] for row in some)),
            f"{100 * np.median([row['wrong'] for row in some]):.2g}",
            f"{np.median([row['bits'] for row in some]):.3f}",
            f"{sum(row['certified'] for row in some):,}" if "certified" in some[0] else "–",
            str(len(some)),
        )
        for method, places in _series(records).items()
        for number, some in sorted(places.items())
    ]
    head = (
        "patterns",
        "method",
        "setting",
        "parameters",
        "bytes",
        "all entries right, %",
        "entries wrong, %",
        "bits per weight",
        "certified",
        "seeds",
    )
    caption = (
        "Memories of fixed size, filled beyond their capacity. MESH has as many weights as our network; the recurrent "
        "networks have the square of the number of entries. Rates with Wilson’s 95 % intervals, the rest as medians."
    )
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="mesh",
    title="Sharma et al. 2022: through and past capacity",
    statement="Associative memories lose everything beyond their capacity, where a memory scaffold keeps a constant "
    "amount of information per weight. Tested here: a trained network of fixed size has no such cliff.",
    paper=None,
    unit="information of the fullest of our networks, as a fraction of the most",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("attrax",),
    group="rivals",
    notes="Sharma, Chandra and Fiete, “Content Addressable Memory Without Catastrophic Forgetting by Heteroassociation "
    "with a Fixed Scaffold”, ICML 2022; the scaffold is also that of Chandra, Sharma, Chaudhuri and Fiete, Nature 638 "
    "(2025). Random binary patterns, information per weight over their number. The scaffold is written down from the "
    "paper; its published curves are not repeated here, and no published number is. Deviations: the sizes are ours, "
    "and cues have 5 % of their entries flipped. Our network is trained on patterns in which entries are replaced by "
    "noise, polished, iterated, and thresholded at the end. With as many patterns as entries the projection is the "
    "identity, which returns the cue, and the scaffold’s inward weights amplify what is flipped.",
)
