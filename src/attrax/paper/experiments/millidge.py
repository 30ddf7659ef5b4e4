"""Millidge et al. (2022): universal Hopfield networks, every similarity with every separation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.random as jr
import numpy as np

from attrax.analysis import map_bytes
from attrax.dynamics import recall
from attrax.maps import describe
from attrax.paper._experiment import Drawing, Experiment, Records, Summary, judged, repeated
from attrax.paper._pictures import available, data_note, data_source
from attrax.paper._rival_counts import (
    MAX_STEPS,
    OURS,
    counted,
    counted_memory,
    counted_rival,
    drawn_pictures,
    flat,
    own_memories,
)
from attrax.paper._rival_memories import (
    BETAS,
    POWERS,
    SEPARATIONS,
    SIMILARITIES,
    RivalMemory,
    classical_hopfield,
    separated,
    similarities,
    spread_of,
    universal_hopfield,
)
from attrax.paper._rival_tables import Pooled, curves, pooled, side_by_side
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, Work
from attrax.patterns import Patterns
from attrax.writing import Constructed, store

SQUARES = 50.0
"""A sum of squared differences below this counts as retrieved, for pixels in [0, 1], whatever the number of pixels."""
SOURCES = ("mnist", "cifar10", "imagenet64")
_SIGMA = 0.5
_TUNED = 50
_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"side": 8, "numbers": [6], "levels": 6, "noise": [], "masks": [0.5], "seeds": 1},
    "quick": {
        "numbers": [10, 100, 300],
        "levels": 100,
        "noise": [0.2, 0.8, 1.5],
        "masks": [0.3, 0.5, 0.7, 0.9],
        "seeds": 3,
        "own": {"epochs": 300},
        "most": {"imagenet64": 100},
    },
    "full": {
        "numbers": [2, 5, 10, 20, 50, 100, 200, 300, 500, 700, 1000],
        "levels": 100,
        "noise": [0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5],
        "masks": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        "seeds": 5,
    },
}
_SIZES["tables"] = {**_SIZES["full"], "numbers": [2, 5, 10, 20, 50, 100, 200, 300]}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores pictures in our memories, and gives them and every universal Hopfield network the same cues."""
    points = drawn_pictures(settings)
    threshold = SQUARES / points[0].size
    draw = np.random.default_rng(settings["seed"])
    memories = own_memories(points, settings, work)
    rows: list[dict[str, Any]] = []
    for place, damage in _damages(settings):
        where = (settings["data"], settings["n"], place)
        cues = damage(points, draw)
        for kind, memory in memories.items():
            rows.append(counted_memory(memory, kind, where, cues, points, threshold=threshold, progress=work.progress))
        others = draw.permutation(len(points))[:_TUNED]
        for rival in _universal(flat(points), flat(cues), flat(damage(points[others], draw)), others, threshold):
            rows.append(counted_rival(rival, where, cues, points, threshold=threshold))
        rows.append(counted_rival(classical_hopfield(flat(points)), where, cues, points, threshold=threshold))
    if settings["pairs"]:
        rows += _hetero(settings, points, threshold, work)
    return CellFound({"rows": rows})


def _damages(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The kinds of damage by name, each a function of pictures and a generator."""

    def noise(sigma: float) -> Any:
        # The authors' code: the absolute value, cut at 1.
        return lambda points, draw: np.minimum(np.abs(points + sigma * draw.standard_normal(points.shape)), 1.0)

    def mask(fraction: float) -> Any:
        def damage(points: np.ndarray, draw: np.random.Generator) -> np.ndarray:
            kept = int(points.shape[1] * (1 - fraction))
            return np.where(np.arange(points.shape[1]).reshape(-1, *(1,) * (points.ndim - 2)) < kept, points, 0.0)

        return damage

    found = [(f"noise {_SIGMA:g}", noise(_SIGMA))]
    if settings["levels"] == settings["n"]:
        found += [(f"noise {sigma:g}", noise(sigma)) for sigma in settings["noise"]]
        found += [(f"lower {fraction:.0%} black", mask(fraction)) for fraction in settings["masks"]]
    return found


def _universal(
    rows: np.ndarray, cues: np.ndarray, tuning: np.ndarray, others: np.ndarray, threshold: float
) -> list[RivalMemory]:
    """All twelve networks, each at the sharpness that does best on other cues; similarities are computed once each."""
    found: list[RivalMemory] = []
    truth = rows[others]
    for similarity in SIMILARITIES:
        scores, tuned = similarities(rows, cues, similarity), similarities(rows, tuning, similarity)
        for separation in SEPARATIONS:
            spread = spread_of(rows, similarity) if separation == "softmax" else 1.0
            choices = {"softmax": BETAS, "polynomial": POWERS, "max": (1.0,)}[separation]

            def error(
                sharpness: float, separation: str = separation, spread: float = spread, tuned: Any = tuned
            ) -> Any:
                errors = ((separated(tuned / spread, separation, sharpness) @ rows - truth) ** 2).mean(axis=1)
                return -(errors < threshold).mean(), np.median(errors)

            sharpness = min(choices, key=error)
            answers = separated(scores / spread, separation, sharpness) @ rows
            made = universal_hopfield(rows, similarity, separation, sharpness, name=f"{similarity}, {separation}")
            found.append(replace(made, answer=lambda cues, known, answers=answers: answers))
    return found


def _hetero(settings: Mapping[str, Any], points: np.ndarray, threshold: float, work: Work) -> list[dict[str, Any]]:
    """Pairs of pictures: the first half of them calls for the second half, from noise of σ = 0.3."""
    half = len(points) // 2
    calls, ends = points[:half], points[half : 2 * half]
    draw = np.random.default_rng([settings["seed"], 1])
    cues = np.minimum(np.abs(calls + 0.3 * draw.standard_normal(calls.shape)), 1.0)
    where = (settings["data"], half, "pairs, noise 0.3")
    rows = [
        counted_rival(
            universal_hopfield(flat(calls), similarity, "max", targets=flat(ends), name=f"{similarity}, max"),
            where,
            cues,
            ends,
            threshold=threshold,
        )
        for similarity in SIMILARITIES
    ]
    # A pair is a cycle of two states: recall ends in it, and the state after the call is its end.
    patterns = Patterns.from_cycles([np.stack(pair) for pair in zip(calls, ends, strict=True)])
    memory = store(patterns, writer=Constructed(), progress=work.progress, key=jr.key(settings["seed"]))
    found = recall(memory, cues, expected=2 * np.arange(half), max_steps=MAX_STEPS)
    values = np.where(found.recovered.reshape(-1, *(1,) * (points.ndim - 1)), ends, np.nan)
    certificate, said = memory.certificate, describe(memory.map)
    assert certificate is not None  # `store` sets it
    rows.append(
        counted(
            f"{OURS}margin, cycle of two",
            said.text,
            where,
            values,
            ends,
            threshold=threshold,
            parameters=said.parameters,
            num_bytes=map_bytes(memory.map),
            certified=(certificate.num_attractors, len(certificate.cycles)),
        )
    )
    return rows


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One cell for each data set, number of pictures and seed."""
    size = dict(_SIZES[scale])
    numbers, several, most = size.pop("numbers"), size.pop("seeds"), size.pop("most", {})
    own: dict[str, Any] = {"margin": {}} | ({} if scale == "smoke" else {"winner-take-all": size.pop("own", {})})
    found: list[Cell] = []
    for data in ("cifar10",) if scale == "smoke" else SOURCES:
        source = data_source(data)
        limit = min(most.get(data, max(numbers)), available(source))
        for number in (number for number in numbers if number <= limit):
            settings = {
                **size,
                "data": data,
                "source": source,
                "n": number,
                "own": own,
                "pairs": number == size["levels"],
                "gray": data == "mnist",
            }
            made: dict[str, Any] = {"scale": scale, "mode": mode, "seed": seed, "seeds": several}
            found += repeated("millidge", run, settings, name=f"{data}-{number}", **made)
    return found


def _noisy_rates(record: Any) -> tuple[float, float]:
    """At σ = 0.5: the rate of our best memory, and of the best universal Hopfield network."""
    rows = [row for row in record.numbers["rows"] if row["place"][2] == f"noise {_SIGMA:g}"]
    rates = [(row["method"].startswith(OURS), row["good"] / row["total"]) for row in rows]
    return max(rate for ours, rate in rates if ours), max(rate for ours, rate in rates if not ours)


def summarize(records: Records) -> Summary:
    """Judges whether our best memory retrieves at least as many at σ = 0.5 as the best of the twelve, in every cell."""
    return judged(
        records,
        lambda record: _noisy_rates(record)[0],
        lambda record: _noisy_rates(record)[0] >= _noisy_rates(record)[1] - 1e-9,
        lambda record: _noisy_rates(record)[0] >= _noisy_rates(record)[1] - 0.05,
        "Reproduced where our best memory retrieves at least as many pictures at σ = 0.5 as the best of the twelve "
        "universal Hopfield networks, in every cell; partly where it is within five points in some.",
    )


def _selected(found: Sequence[Pooled]) -> list[Pooled]:
    """Our memories, and the networks with the separation `max`, which are the best or as good; the table has all."""
    return [one for one in found if one.method.startswith(OURS) or one.method.endswith(", max")]


def draw(records: Records) -> Sequence[Drawing]:
    """Rates over the number of pictures at σ = 0.5, one panel per data set."""
    found = [one for one in _selected(pooled(records)) if one.place[2] == f"noise {_SIGMA:g}"]
    if not found:
        return ()
    names = list(dict.fromkeys(one.place[0] for one in found))
    panels = [(name, lambda one, name=name: one.place[0] == name) for name in names]
    figure = curves(found, panels, lambda one: float(one.place[1]), "pictures stored", logarithmic=True)
    sources = {record.cell.settings["data"]: record.cell.settings["source"] for record in records}
    caption = (
        f"Fraction retrieved (sum of squares below {SQUARES:g}) from Gaussian noise of σ = {_SIGMA:g}; of the twelve "
        "networks only those with the separation max. "
    )
    return (Drawing(figure, caption + " ".join(data_note(*pair) for pair in sources.items())),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Every memory on every cue."""
    return side_by_side(
        records,
        f"Retrieved means a sum of squared differences below {SQUARES:g}; for d pixels, a mean below {SQUARES:g}/d. "
        "The networks’ sharpness is the best of five (softmax) or three (polynomial) on other cues.",
        ("data", "pictures", "cue"),
        f"{SQUARES:g}/d",
    )


EXPERIMENT = Experiment(
    id="millidge",
    title="Millidge et al. 2022: universal Hopfield networks",
    statement="One-shot retrieval by similarity, separation and projection: Manhattan and Euclidean distances retrieve "
    "more than the dot product. Tested here: a network of this library retrieves as many as the best of them.",
    paper=None,
    unit="fraction retrieved at noise of σ = 0.5, best of our memories",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("attrax",),
    group="rivals",
    notes="Millidge, Salvatori, Song, Lukasiewicz and Bogacz, “Universal Hopfield Networks”, ICML 2022. The protocol "
    "is that of the authors’ code: five draws of pictures; noise of σ = 0.5 for the numbers of pictures, cut to [0, 1] "
    "after taking the absolute value; the lower part black; retrieved below a sum of squares of 50, the line in their "
    "figure of thresholds (their code’s default is 60, scaled down with the number of pixels for larger pictures). "
    "Their rates are printed as curves only, so there are no published numbers here. Deviations: similarities are "
    "negative distances and cosines, where their code takes 1/distance and a product divided by the sums; the "
    "sharpness is tuned; ImageNet 64×64 stands for Tiny ImageNet; their divergences are left out. Our "
    "winner-take-all network is trained on the default writer's corruptions.",
)
