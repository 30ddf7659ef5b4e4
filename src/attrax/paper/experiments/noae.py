"""Rao, Zhao and Liu (2025): autoencoders trained with noise, and how much noise their attractors tolerate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from attrax.analysis import map_bytes, noise_tolerance, wilson_interval
from attrax.certificates import certify
from attrax.maps import describe, mlp
from attrax.memory import Memory
from attrax.paper._experiment import Drawing, Experiment, Records, Summary, extent, judged, numeric, repeated
from attrax.paper._figures import plain_axes
from attrax.paper._pictures import data_note, data_source
from attrax.paper._rival_counts import OURS, drawn_pictures, own_memory
from attrax.paper._rival_tables import COLORS
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, Work
from attrax.patterns import Patterns
from attrax.training import cosine_decay
from attrax.writing import Gradient, store

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 6, "side": 8, "width": 16, "depth": 2, "epochs": 50, "copies": 5, "own_noise": 1.0, "seeds": 1},
    "quick": {
        **{"n": 30, "side": 16, "width": 256, "depth": 4, "epochs": 20_000},
        **{"copies": 100, "own_noise": 1.0, "seeds": 3},
    },
    "full": {
        **{"n": 400, "side": 32, "width": 512, "depth": 6, "epochs": 100_000},
        **{"copies": 2000, "own_noise": 1.5, "seeds": 5},
    },
}
_SIZES["tables"] = {**_SIZES["full"], "n": 100, "epochs": 20_000, "copies": 100}
"""`own_noise`: the strongest noise that the scores of our second winner-take-all network are trained on."""
_NOISE, _SHARE = 0.066, 0.48
"""In the authors' code: the noise, and the fraction of the entries that get it, drawn again for each step."""
CLEAN, NOISY = "their autoencoder, clean", "their autoencoder, noise"
MARGIN, TRAINED = f"{OURS}margin", f"{OURS}winner-take-all"
ON_NOISE = f"{TRAINED}, trained on noise alone"
NEAREST = "nearest neighbor"
_RATES = {CLEAN: 7e-4, NOISY: 5e-4}
_CLOSE, _CLOSE_STEPS = 0.01, 100
"""In the authors' code: the distance to an example that counts as recovered, and after how many applications."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Writes the same pictures in four ways, and measures the tolerance of every example."""
    points = drawn_pictures(settings)
    on_noise = {"corruptions": (f"gaussian:{settings['own_noise']:g}",)}
    makers: dict[str, Any] = {
        CLEAN: lambda: _theirs(settings, points, CLEAN, work),
        NOISY: lambda: _theirs(settings, points, NOISY, work),
        MARGIN: lambda: own_memory("margin", points, settings["seed"], work),
        TRAINED: lambda: own_memory("winner-take-all", points, settings["seed"], work),
        ON_NOISE: lambda: own_memory("winner-take-all", points, settings["seed"], work, on_noise),
        NEAREST: lambda: _nearest(points),
    }
    makers = {name: makers[name] for name in settings["methods"]}
    rows, arrays = [], {}
    for number, (method, make) in enumerate(makers.items()):
        memory, key = make(), jr.fold_in(jr.key(settings["seed"]), number)
        copies, progress = settings["copies"], work.progress
        found = noise_tolerance(memory, copies=copies, max_steps=200, progress=progress, key=key)
        close = noise_tolerance(
            memory, copies=copies, max_steps=_CLOSE_STEPS, within=_CLOSE, progress=progress, key=key
        )
        certificate = memory.certificate
        assert certificate is not None  # `store` and `_nearest` set it
        rows.append(
            _network(memory, method, points)
            | {
                "method": method,
                "loss": memory.written.get("loss"),
                "attractors": certificate.num_attractors,
                "inconclusive": certificate.num_inconclusive,
                "examples": len(points),
                "median": float(np.median(found.sigma)),
                "least": float(found.sigma.min()),
                "largest": float(found.sigma.max()),
                "median_close": float(np.median(close.sigma)),
                "correlation": close.rank_correlation,
                "singular_value": float(np.median(found.largest_singular_value)),
            }
        )
        arrays |= {f"sigma{number}": close.sigma, f"singular{number}": found.largest_singular_value}
    return CellFound({"rows": rows}, arrays)


def _network(memory: Memory, method: str, points: np.ndarray) -> dict[str, Any]:
    """What a memory is and how large, and how many examples it moves by less than `_CLOSE`."""
    images = np.stack([np.asarray(memory.map(point), np.float64) for point in points.astype(np.float32)])
    moved = np.linalg.norm((images - points).reshape(len(points), -1), axis=1)
    kept = {"fixed": int((moved < _CLOSE).sum())}
    if method == NEAREST:
        return kept | {"setting": "Euclidean", "parameters": points.size, "bytes": points.size}
    said = describe(memory.map)
    return kept | {"setting": said.text, "parameters": said.parameters, "bytes": map_bytes(memory.map)}


def _nearest(points: np.ndarray) -> Memory:
    """The map to the nearest example: under Gaussian noise nothing guesses the example better on average."""
    rows = jnp.asarray(points)

    def map(x: Any) -> Any:
        distances = jnp.sum((rows - x) ** 2, axis=tuple(range(1, rows.ndim)))
        return rows[jnp.argmin(distances)].astype(x.dtype)

    memory = Memory(map, Patterns.from_examples(points))
    return replace(memory, certificate=certify(memory))


def _theirs(settings: Mapping[str, Any], points: np.ndarray, method: str, work: Work) -> Memory:
    """Their network and optimizer: tanh units, Xavier's start, Adam with a rate that falls along a cosine."""
    noise = _NOISE * np.sqrt(_SHARE) if method == NOISY else None
    return store(
        points,
        partial(mlp, width=settings["width"], depth=settings["depth"], activation="tanh", init="xavier_uniform"),
        writer=Gradient(
            optimizer="adam",
            learning_rate=cosine_decay(_RATES[method], settings["epochs"]),
            epochs=settings["epochs"],
            noise=noise,
            polish=False,
            tol=0.0,
        ),
        progress=work.progress,
        key=jr.key(settings["seed"]),
    )


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One cell per seed."""
    size = dict(_SIZES[scale])
    several = size.pop("seeds")
    # At `tables`, where their network takes minutes, it is trained with noise only.
    methods = [NOISY] if scale == "smoke" else [NOISY, MARGIN, TRAINED, ON_NOISE, NEAREST]
    methods = [CLEAN, *methods] if scale in ("quick", "full") else methods
    settings = {**size, "gray": scale != "smoke", "source": data_source("cifar10"), "methods": methods}
    return repeated("noae", run, settings, scale=scale, mode=mode, seed=seed, seeds=several)


def _of(record: Any, method: str) -> Mapping[str, Any]:
    return next(row for row in record.numbers["rows"] if row["method"] == method)


def _best(record: Any, ours: bool) -> float | None:
    """The largest median tolerance by their rule: of our memories that store every example, or of their networks."""
    some = [
        row["median_close"]
        for row in record.numbers["rows"]
        if row["method"] != NEAREST
        and row["method"].startswith(OURS) is ours
        and (not ours or row["attractors"] == row["examples"])
    ]
    return max(some, default=None)


def _ratio(record: Any) -> float:
    """The median tolerance of our best memory that stores all, over that of their better network, by their rule."""
    ours, theirs = numeric(_best(record, True) or 0.0), numeric(_best(record, False) or 0.0)
    return ours / theirs if theirs > 0 else float("inf") if ours > 0 else 0.0


def summarize(records: Records) -> Summary:
    """Judges whether ours store every example and tolerate at least twice the noise of their network, run here."""
    return judged(
        records,
        lambda record: _best(record, True),
        lambda record: _ratio(record) >= 2,
        lambda record: _ratio(record) >= 1,
        "By their rule: a copy has come back if it is within a distance of 0.01 of the example after 100 applications. "
        "Reproduced where one of our memories has every example as a certified attractor and a median tolerance of at "
        "least twice that of their network, trained here; partly where it is at least as large.",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Tolerances and largest singular values of all examples, and the tolerances as distributions."""
    done = [record for record in records if record.arrays]
    if not done:
        return ()
    names = [row["method"] for row in done[0].numbers["rows"]]
    figure, grid = plain_axes(4.2, 3.2, 2)
    for number, (name, color) in enumerate(zip(names, COLORS, strict=False)):
        sigma = np.concatenate([record.arrays[f"sigma{number}"] for record in done])
        singular = np.concatenate([record.arrays[f"singular{number}"] for record in done])
        finite = np.isfinite(sigma) & np.isfinite(singular)
        grid[0, 0].plot(singular[finite], sigma[finite], ".", color=color, markersize=3, label=name)
        ordered = np.sort(sigma[np.isfinite(sigma)])
        grid[0, 1].plot(ordered, np.linspace(0, 1, len(ordered)), color=color, label=name)
    grid[0, 0].set(xlabel="largest singular value of the Jacobian", ylabel="noise tolerated, σ")
    grid[0, 1].set(xlabel="noise tolerated, σ", ylabel="fraction of the examples")
    figure.legend(
        *grid[0, 1].get_legend_handles_labels(), fontsize=7, frameon=False, ncols=3, loc="outside lower center"
    )
    settings = done[0].cell.settings
    caption = (
        f"{settings['n']} gray pictures of {settings['side']}×{settings['side']}, {len(done)} seeds: the largest σ "
        f"from which more than 90 % of {settings['copies']} noisy copies of an example come back, by their rule. "
        + data_note("cifar10", settings["source"])
    )
    return (Drawing(figure, caption),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """One row per method, over all seeds."""
    done = [record for record in records if record.numbers]
    if not done:
        return ()
    rows = []
    for method in (row["method"] for row in done[0].numbers["rows"]):
        some = [_of(record, method) for record in done]
        stored, total = sum(row["attractors"] for row in some), sum(row["examples"] for row in some)
        low, high = wilson_interval(stored, total)
        rows.append(
            (
                method,
                some[0]["setting"],
                f"{some[0]['parameters']:,}",
                f"{some[0]['bytes']:,}",
                f"{100 * stored / total:.3g} ({100 * low:.3g} to {100 * high:.3g})",
                f"{100 * sum(row['fixed'] for row in some) / total:.3g}",
                _middle(some, "median_close"),
                _middle(some, "median"),
                extent([row["correlation"] for row in some], ".2f"),
                extent([row["singular_value"] for row in some], ".2g"),
                extent([row["loss"] for row in some], ".1e"),
                str(len(some)),
            )
        )
    head = (
        "method",
        "network",
        "parameters",
        "bytes",
        "certified attractors, %",
        "moved by less than 0.01, %",
        "median tolerance σ, their rule",
        "median tolerance σ, ours",
        "rank correlation with the largest singular value",
        "largest singular value, medians",
        "loss",
        "seeds",
    )
    caption = (
        "The tolerance of an example is the largest σ at which more than 90 % of its noisy copies come back. By their "
        "rule, a copy has come back if it is within a distance of 0.01 of the example after 100 applications; by ours, "
        "if the iteration ends within a mean square of 1e-7 of it, and an example that is not an attractor tolerates "
        "nothing. Tolerances are medians over the seeds, with the least and the largest; other brackets are Wilson’s "
        "95 % intervals. A dash stands where all values are equal. The nearest neighbor is the best guess there is "
        "under Gaussian noise."
    )
    return (PageTable(caption, head, tuple(rows)),)


def _middle(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """The median over the seeds, with the least and the largest."""
    values = [numeric(row[name]) for row in rows]
    return f"{np.median(values):.3f}" + (f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else "")


EXPERIMENT = Experiment(
    id="noae",
    title="Rao et al. 2025: training with noise",
    statement="Training with noise makes more examples attractors, lowers the largest singular value of the Jacobian, "
    "and raises the noise they tolerate. Tested here: memories of this library tolerate at least twice as much.",
    paper=None,
    unit="median noise tolerated, best of our memories",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("attrax",),
    group="rivals",
    notes="Rao, Zhao and Liu, “On robust learning of memory attractors with noisy deep associative memory networks”, "
    "Neural Networks 188 (2025). From the authors’ code: gray pictures, tanh networks with Xavier’s start, Adam with a "
    "cosine, noise of 0.066 on 48 % of the entries, 2,000 noisy copies, more than 90 % of which have to come back; the "
    "abstract names a strong negative correlation of robustness and the largest singular value. Their tolerances are "
    "in figures that are not read here, so there are no published numbers. Deviations: smaller pictures, networks and "
    "numbers of copies below the scale full; the noise is on all entries with the same mean square.",
)
