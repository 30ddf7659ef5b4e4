"""Yoo and Wood (2022): nine corruptions, and pictures added one at a time."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import map_bytes
from attrax.dynamics import recall
from attrax.maps import describe
from attrax.paper._experiment import Drawing, Experiment, Records, Summary, judged, repeated, told
from attrax.paper._figures import plain_axes
from attrax.paper._pictures import available, data_note, data_source
from attrax.paper._predictive import predictive_memories
from attrax.paper._rival_counts import (
    MAX_STEPS,
    OURS,
    counted_memory,
    counted_rival,
    drawn_pictures,
    flat,
    own_memories,
    own_memory,
)
from attrax.paper._rival_memories import best_of, classical_hopfield, modern_hopfield, nearest_neighbor_memory
from attrax.paper._rival_tables import COLORS, percent, pooled, side_by_side
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, Work
from attrax.writing import add

RECALLED = 0.005 / 4
"""Their threshold of 0.005 is for pixels in [−1, 1], so for pixels in [0, 1] it is a quarter of that."""
CORRUPTIONS = tuple(
    (kind, level)
    for kind, levels in (("white", (0.2, 0.4, 0.8)), ("drop", (0.25, 0.5, 0.75)), ("mask", (0.25, 0.5, 0.75)))
    for level in levels
)
_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"side": 8, "numbers": [6], "first": 5, "added": 1, "seeds": 1, "train_to": 0, "own": {}},
    "quick": {
        "numbers": [128, 256],
        "first": 128,
        "added": 6,
        "seeds": 3,
        "train_to": 128,
        "train_seeds": 1,
        "units": 256,
        "epochs": 1000,
        "own": {"epochs": 300},
    },
    "full": {
        "numbers": [128, 256, 512, 1024],
        "first": 1,
        "added": 1023,
        "seeds": 5,
        "train_to": 1024,
        "train_seeds": 5,
        "units": 1024,
        "epochs": 4000,
        "own": {},
    },
}
_SIZES["tables"] = {**_SIZES["full"], "first": 128, "added": 128, "train_to": 256}
_OLDEST = 128


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores pictures at once, and gives all memories the nine kinds of cues; clean pixels are clamped."""
    points = drawn_pictures(settings)
    memories = own_memories(points, settings, work)
    rows: list[dict[str, Any]] = []
    key = jr.key(settings["seed"])
    rivals: list[Any] = []
    if settings["trained"]:
        rivals = predictive_memories(
            flat(points),
            units=settings["units"],
            epochs=settings["epochs"],
            read_steps=[20, 100, 300],
            progress=work.progress,
            key=key,
        )
    for number, (kind, level) in enumerate(settings["corruptions"]):
        draw = np.random.default_rng([settings["seed"], number])
        cues, known = _corrupted(points, kind, level, draw)
        where = (settings["n"], f"{kind} {level:g}")
        options: dict[str, Any] = {"threshold": RECALLED, "known": known, "unknown_only": True}
        # The unknown part begins at the mean of the stored pictures, not at black, which is a statement.
        start = cues if known is None else np.where(known, cues, points.mean(axis=0))
        for name, memory in memories.items():
            rows.append(counted_memory(memory, name, where, start, points, progress=work.progress, **options))
        tuning, shown = _corrupted(points[:100], kind, level, draw)
        told_tuning = None if shown is None else flat(shown).astype(bool)
        tuning = tuning if shown is None else np.where(shown, tuning, points.mean(axis=0))
        choices = [
            [nearest_neighbor_memory(flat(points))],
            [nearest_neighbor_memory(flat(points), masked=True)],
            modern_hopfield(flat(points)),
            [classical_hopfield(flat(points))],
            *([rivals] if rivals else ()),
        ]
        for choice in choices:
            rival = best_of(choice, flat(tuning), flat(points)[:100], RECALLED, told_tuning)
            rows.append(counted_rival(rival, where, start, points, **options))
    return CellFound({"rows": rows})


def _corrupted(
    points: np.ndarray, kind: str, level: float, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Cues and their clean pixels: white noise, or pixels dropped at random, or the right columns masked."""
    if kind == "white":
        return points + level * draw.standard_normal(points.shape), None
    shape = points.shape[:3] + (1,) * (points.ndim - 3)
    if kind == "drop":
        kept = draw.random(shape) >= level
    else:
        columns = points.shape[2]
        visible = np.arange(columns) < columns - int(columns * level)
        kept = np.broadcast_to(visible.reshape(1, 1, -1, *(1,) * (points.ndim - 3)), shape)
    known = np.broadcast_to(kept, points.shape)
    return np.where(known, points, 0.0), known


def run_adding(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Adds pictures one at a time, and asks for the oldest ones again at the end."""
    every = drawn_pictures({**settings, "n": settings["first"] + settings["added"]})
    draw = np.random.default_rng(settings["seed"])
    every = every[draw.permutation(len(every))]
    memory = own_memory(settings["kind"], every[: settings["first"]], settings["seed"], work, settings["own"])
    old = every[: min(_OLDEST, settings["first"])]
    # Before and after the same number of pictures is known: those of the first memory.
    cues = old + 0.2 * draw.standard_normal(old.shape)
    before = _recalled(memory, cues, old)
    seconds, refused = [], 0
    for number, picture in enumerate(every[settings["first"] :]):
        begun = time.perf_counter()
        change = add(memory, picture[None], key=jr.fold_in(jr.key(settings["seed"]), number))
        seconds.append(time.perf_counter() - begun)
        memory, refused = change.memory, refused + (not change.accepted)
        if work.progress is not None:
            work.progress("adding", number + 1, settings["added"], {"refused": refused})
    certificate, said = memory.certificate, describe(memory.map)
    assert certificate is not None  # `store` sets it
    return CellFound(
        {
            "method": f"{OURS}{settings['kind']}",
            "before": before,
            "after": _recalled(memory, cues, old),
            "oldest": len(old),
            "added": settings["added"],
            "refused": refused,
            "attractors": certificate.num_attractors,
            "examples": len(certificate.cycles),
            "seconds": float(np.median(seconds)),
            "slowest": max(seconds),
            "parameters": said.parameters,
            "bytes": map_bytes(memory.map),
        }
    )


def _recalled(memory: Any, cues: np.ndarray, truth: np.ndarray) -> int:
    values = recall(memory, cues, max_steps=MAX_STEPS).value
    return int((((flat(values) - flat(truth)) ** 2).mean(axis=1) < RECALLED).sum())


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One cell for each number of pictures and seed, and one for each kind of memory that is added to."""
    size = dict(_SIZES[scale])
    numbers, several, train_to = size.pop("numbers"), size.pop("seeds"), size.pop("train_to")
    train_seeds = size.pop("train_seeds", 0)
    first, added = size.pop("first"), size.pop("added")
    options, source = size.pop("own"), data_source("cifar10")
    settled = {"source": source} | ({"side": size.pop("side")} if "side" in size else {})
    made: dict[str, Any] = {"scale": scale, "mode": mode, "seed": seed}
    found: list[Cell] = []
    for number in (min(number, available(source) or number) for number in numbers):
        for trained in (True, False):
            own: dict[str, Any] = {"margin": {}}
            if scale != "smoke":
                own["winner-take-all"] = {"epochs": _EPOCHS} | options | {"corruptions": _SEEN}
            settings = {**settled, **(size if trained else {}), "n": number, "own": own, "trained": trained}
            settings["corruptions"] = CORRUPTIONS[::4] if scale == "smoke" else CORRUPTIONS
            some = repeated("bayespcn", run, settings, **made, name=f"{number}", seeds=several)
            with_rivals = train_seeds if number <= train_to else 0
            found += some[:with_rivals] if trained else some[with_rivals:]
    for kind in ("margin",) if scale == "smoke" else ("margin", "winner-take-all"):
        settings = {**settled, "first": first, "added": added, "kind": kind, "own": options if kind != "margin" else {}}
        found += repeated(
            "bayespcn", run_adding, settings, **made, name=f"add-{kind}", seeds=1 if scale == "quick" else several
        )
    return found


_SEEN, _EPOCHS = ["gaussian:1"], 100
"""What the trained scores see, and how often. Noise is enough: where a part is known, the network is told, and its
scores are then those of its mask channel."""


def _worst(record: Any) -> tuple[float, bool]:
    """Our best memory at its worst corruption among those where masked 1-NN has 99.5 %, and whether it has 99 %."""
    rates: dict[str, dict[str, float]] = {}
    for row in record.numbers["rows"]:
        rates.setdefault(row["place"][1], {})[row["method"]] = row["good"] / row["total"]
    fair = [one for one in rates.values() if one["1-NN, known pixels only"] >= 0.995]
    best = [max(rate for method, rate in one.items() if method.startswith(OURS)) for one in fair]
    return min(best, default=0.0), bool(best) and min(best) >= 0.99


def summarize(records: Records) -> Summary:
    """Judges the nine corruptions; what is added is in a table of its own."""
    done = [record for record in records if "add-" not in record.cell.name]
    return judged(
        done,
        lambda record: _worst(record)[0],
        lambda record: _worst(record)[1],
        lambda record: _worst(record)[0] >= 0.9,
        "Reproduced where our best memory brings back at least 99 % from every corruption from which the nearest "
        "neighbor over the known pixels finds at least 99.5 %; partly from 90 % on.",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Rates by corruption, one panel for each number of pictures."""
    found = pooled(records)
    if not found:
        return ()
    numbers = list(dict.fromkeys(one.place[0] for one in found))
    methods = list(dict.fromkeys(one.method for one in found))
    figure, grid = plain_axes(5.2, 3.2, len(numbers))
    names = list(dict.fromkeys(one.place[1] for one in found))
    for axes, number in zip(grid[0], numbers, strict=True):
        for place, (method, color) in enumerate(zip(methods, COLORS, strict=False)):
            mine = {one.place[1]: one.rate for one in found if one.place[0] == number and one.method == method}
            if mine:
                shift = 0.8 * (place + 0.5) / len(methods) - 0.4
                axes.bar(
                    np.arange(len(names)) + shift,
                    [mine.get(name, 0.0) for name in names],
                    width=0.8 / len(methods),
                    color=color,
                    label=method,
                )
        axes.set(title=f"{number} pictures", ylim=(0, 1.05), xticks=range(len(names)))
        axes.set_xticklabels(names, rotation=40, ha="right", fontsize=8)
    grid[0, 0].set_ylabel("fraction recalled")
    handles = {text: bar for axes in grid[0] for bar, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), fontsize=7, frameon=False, ncols=3, loc="outside lower center")
    source = next(record.cell.settings["source"] for record in records)
    return (
        Drawing(
            figure,
            "Fraction recalled (MSE below 0.005 for pixels in [−1, 1], over the pixels that are not known). "
            + data_note("cifar10", source),
        ),
    )


def tabulate(records: Records) -> Sequence[PageTable]:
    """The nine corruptions, and pictures added one at a time."""
    added: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if "added" in record.numbers:
            added.setdefault(record.numbers["method"], []).append(record.numbers)
    rows = [
        (
            method,
            f"{some[0]['examples'] - some[0]['added'] + some[0]['refused']:,}",
            f"{some[0]['added']:,}",
            f"{sum(one['refused'] for one in some)}",
            percent(sum(one["before"] for one in some), sum(one["oldest"] for one in some)),
            percent(sum(one["after"] for one in some), sum(one["oldest"] for one in some)),
            f"{sum(one['attractors'] for one in some):,} of {sum(one['examples'] for one in some):,}",
            told(float(np.median([one["seconds"] for one in some])), ".2g"),
            told(max(one["slowest"] for one in some), ".2g"),
            f"{some[0]['parameters']:,}",
            f"{some[0]['bytes']:,}",
            str(len(some)),
        )
        for method, some in added.items()
    ]
    head = (
        "method",
        "stored at once",
        "added one by one",
        "refused",
        "oldest recalled before, %",
        "oldest recalled after, %",
        "certified",
        "s an add",
        "slowest, s",
        "parameters",
        "bytes",
        "seeds",
    )
    caption = (
        f"Pictures added one at a time, each change certified as a whole; at most {_OLDEST} of the oldest are recalled "
        "from white noise of σ = 0.2 before and after. BayesPCN’s published rates are in figures and not repeated here."
    )
    return (
        *side_by_side(
            records,
            "Nine corruptions. White noise is on all pixels; dropped and masked pixels are marked as unknown, the "
            "others are clamped and not judged.",
            ("pictures", "cue"),
            "0.00125 (0.005 for pixels in [−1, 1])",
        ),
        *((PageTable(caption, head, tuple(rows)),) if rows else ()),
    )


EXPERIMENT = Experiment(
    id="bayespcn",
    title="Yoo and Wood 2022: nine corruptions, one picture at a time",
    statement="A predictive-coding memory recalls up to 1,024 pictures from nine corruptions and takes them one at a "
    "time without much forgetting. Tested here: ours recall at least 99 % wherever a nearest neighbor could.",
    paper=None,
    unit="fraction recalled at the worst corruption where 1-NN over the known pixels has 99.5 %, best of ours",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("attrax",),
    group="rivals",
    notes="Yoo and Wood, “BayesPCN: A Continually Learnable Predictive Coding Associative Memory”, NeurIPS 2022. From "
    "the authors’ code: color CIFAR-10; white noise of σ = 0.2, 0.4, 0.8; ¼, ½, ¾ of the pixels black at random, or "
    "the right columns; clean pixels fixed; a mean square below 0.005 on pixels scaled to [−1, 1], over the pixels "
    "that are not fixed. No published number is repeated here. Deviations: fewer pictures and adds below the scale "
    "full; the predictive-coding network is a small one of this project, not BayesPCN; the unknown part begins at the "
    "mean of the stored pictures for all memories; the pictures are drawn by our seeds, where they take the first "
    "ones. Our winner-take-all network is trained on noise alone, in other draws.",
)
