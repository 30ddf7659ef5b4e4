"""The networks of the paper's Figures 5, 12 and 13: examples one by one and in sequences, over depth and width."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.random as jr
import numpy as np

from attrax import StoreStatus, Verdict
from attrax.certificates import spectrum
from attrax.extending import HostStates, Record, checks
from attrax.maps import describe
from attrax.memory import Memory
from attrax.paper._experiment import Drawing, Outcome, Records, Summary, cell
from attrax.paper._networks import EDGE, RECIPE, edge_numbers, radii_at, reached, write
from attrax.paper._pictures import data_note, data_source, least_distance, pictures
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, Work
from attrax.patterns import Patterns

_WANTED = "mnist"
_SHARED = {"activation": "relu", "tol": 1e-8, "gray": True}
_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "epochs": 6_000, "seconds": 60, "dtype": "float32"},
    "quick": {"n": 20, "side": None, "epochs": None, "seconds": 8, "dtype": "float32"},
    "tables": {"n": 100, "side": None, "epochs": None, "seconds": 40, "dtype": "float32"},
    "full": {"n": 100, "side": None, "epochs": None, "seconds": None, "dtype": "float64"},
}
_FASTER = {"smoke": 3e-3}
"""Rates of the mode `paper` in place of the paper's."""
_FEWER_AT_EDGE = {"smoke": {"epochs": 1500}}
_GRIDS: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]] = {
    "smoke": ((1, 4), (1, 2), (24,), 1),
    "quick": ((1, 4, 10, 20), (1, 3, 6), (64, 128), 1),
    "tables": ((1, 10, 20, 50, 100), (1, 3, 6, 11), (64, 128, 256, 512), 1),
    "full": ((1, 10, 20, 50, 100), (1, 6, 11, 16, 21, 26, 31), (64, 128, 256, 512), 3),
}
_GRIDS_AT_EDGE = {
    True: {**_GRIDS, "quick": ((1,), (1, 3, 11), (64, 256), 3)},
    False: {**_GRIDS, "quick": ((1, 4, 10, 20), (1, 3, 6), (16, 32, 64, 128), 1)},
}
"""Lengths of the sequences (1 for single examples), depths, widths, and the number of networks of each; at the edge,
for single examples alone and for sequences too. There, networks of 64 units store single examples as well, so smaller
ones have to tell the two apart."""
_WRITERS: dict[str, dict[str, dict[str, Any] | None]] = {
    "paper": {"Adam": None},
    "edge": {"RMSprop at the edge": None},
    "attrax": {
        "K-FAC in whitened coordinates": {"optimizer": "kfac", "coordinates": 1.0},
        "Adam with noise in coordinates": {"noise": 0.3, "coordinates": 0.0},
    },
}
"""The writers that keep a given depth and width, with options of `Gradient` (`None`: those of the recipe). The next one
is tried if the previous one leaves something uncertified."""


def efficiency_cells(scale: str, mode: str, seed: int, *, alone: bool = False) -> Sequence[Cell]:
    """One cell for each network of the study; with `alone`, only those that store the examples one by one."""
    lengths, depths, widths, count = (_GRIDS_AT_EDGE[alone] if mode == "edge" else _GRIDS)[scale]
    shared = {**_SHARED, **_SIZES[scale], "source": data_source(_WANTED)}
    if mode == "paper":  # the writers of attrax have rates of their own
        shared |= {"rate": _FASTER.get(scale, RECIPE["rate"])}
    elif mode == "edge":
        shared |= {**EDGE, "seconds": None, **_FEWER_AT_EDGE.get(scale, {})}
        shared |= {"activation": "sinusoid" if alone else "relu"}
    prefix = "relu-" if mode == "edge" and not alone else ""
    return [
        cell(
            "efficiency",
            f"{prefix}{length}-{depth}x{width}-{mode}-{number}",
            run,
            {**shared, "length": length, "depth": depth, "width": width},
            scale=scale,
            mode=mode,
            seed=seed,
            number=number,
        )
        for length in ((1,) if alone else lengths)
        for depth in depths
        for width in widths
        for number in range(count)
    ]


def arranged(values: HostStates, length: int) -> Patterns:
    """The examples in order, cut into cycles of `length`; for 1, each is its own cycle.

    **Raises** `ValueError` if `length` does not divide their number, and as `Patterns` does.

        >>> len(arranged(np.eye(6), 3).cycles)
        2
    """
    length = checks.integer("length", length, least=1)
    if len(values) % length:
        raise ValueError(f"length must divide the number of examples, {len(values)}; got {length}")
    if length == 1:
        return Patterns.from_examples(values)
    return Patterns.from_cycles([values[start : start + length] for start in range(0, len(values), length)])


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network and certifies what it stores.

    In the mode `attrax`, several writers are tried in turn until everything is certified, and the network with most
    certified examples is kept. In all modes it is a plain network of the given depth and width. Nothing counts as
    stored above the requested loss.
    """
    examples = pictures(settings)
    patterns = arranged(examples, settings["length"])
    best: tuple[tuple[bool, int], str, Memory] | None = None
    epochs = 0
    for number, (name, options) in enumerate(_WRITERS[settings["mode"]].items()):
        # Resuming would give a network more seconds than the others; without a limit it reaches the same weights.
        keeps = number == 0 and settings["seconds"] is None
        memory = write(patterns, settings, work if keeps else replace(work, checkpoint=None), options=options)
        epochs += memory.written["epochs"]
        score = (reached(memory), _examples_where(memory, _certified))
        if best is None or score > best[0]:
            best = (score, name, memory)
        if score == (True, len(examples)):
            break
    assert best is not None  # there is at least one writer
    (trained, certified), name, memory = best
    arrays: dict[str, np.ndarray] = {"radii": np.zeros(0), "eigenvalues": np.zeros(0)}
    if settings["mode"] != "attrax" and settings["length"] == 1 and memory.status is not StoreStatus.DIVERGED:
        top = math.ceil(examples[0].size / 100)
        found = spectrum(Memory(memory.map, patterns), top=top, key=jr.key(settings["seed"]))
        arrays = {"radii": radii_at(memory.map, examples), "eigenvalues": np.abs(found.eigenvalues).ravel()}
    numbers = {
        "parameters": describe(memory.map).parameters,
        "writer": name,
        "loss": memory.written["loss"],
        "epochs": epochs,
        "status": str(memory.status),
        "certified": certified if trained else 0,
        "stable": _examples_where(memory, _stable) if trained else 0,
        "nearest": least_distance(examples),
        **edge_numbers(memory),
    }
    return CellFound(numbers, arrays, trained=trained)


def _examples_where(memory: Memory, good: Callable[[Verdict, float], bool]) -> int:
    """The number of examples on cycles for which `good` holds; a cycle counts with all of its states."""
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    rows = zip(certificate.cycles, certificate.verdict, certificate.spectral_radius, strict=True)
    return sum(len(cycle) for cycle, verdict, radius in rows if good(verdict, radius))


def _certified(verdict: Verdict, radius: float) -> bool:
    return verdict is Verdict.ATTRACTOR


def _stable(verdict: Verdict, radius: float) -> bool:
    """Whether the cycle is stable, whether or not it is certified as that of the examples."""
    return bool(radius < 1)


@dataclass(frozen=True, slots=True, eq=False)
class Trial(Record):
    """One network, as described by its record.

    **Fields:** `length` of the sequences, `depth`, `width` and `seed`; `trained`, whether it reached its loss;
    `parameters`, weights and biases; `certified`, examples on cycles that are certified attractors; `stored`, the
    examples that count as stored: in the paper's mode by its own criterion, a spectral radius below 1 around the cycle,
    otherwise the certified ones; `radii`, the spectral radius at each example as given, and `eigenvalues`, the moduli
    of the top one percent at the refined fixed points nearest to the examples. The last two are only for single
    examples outside the mode `attrax`, otherwise empty.
    """

    length: int
    depth: int
    width: int
    seed: int
    trained: bool
    parameters: int
    certified: int
    stored: int
    radii: np.ndarray
    eigenvalues: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Study(Record):
    """The same examples in all arrangements, over a grid of networks in one mode.

    **Fields:** `settings`, of one of its cells; `lengths`, `depths` and `widths`; `trials`, one per network.
    """

    settings: Mapping[str, Any]
    lengths: tuple[int, ...]
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    trials: tuple[Trial, ...]

    @property
    def n(self) -> int:
        """Number of examples."""
        return self.settings["n"]

    def at(self, length: int, depth: int, width: int) -> tuple[Trial, ...]:
        """The trials at one size, one per seed."""
        wanted = (length, depth, width)
        return tuple(trial for trial in self.trials if (trial.length, trial.depth, trial.width) == wanted)

    def counts(self, length: int) -> np.ndarray:
        """The number of stored examples, depths×widths, as the mean over the seeds that were trained; NaN if none
        was."""
        found = np.full((len(self.depths), len(self.widths)), np.nan)
        for i, depth in enumerate(self.depths):
            for j, width in enumerate(self.widths):
                counts = [trial.stored for trial in self.at(length, depth, width) if trial.trained]
                if counts:
                    found[i, j] = np.mean(counts)
        return found

    def stores(self, length: int, depth: int, width: int) -> bool:
        """Whether the networks of one size store all examples, for every seed."""
        trials = self.at(length, depth, width)
        return bool(trials) and all(trial.stored == self.n for trial in trials)

    def smallest(self, length: int) -> tuple[int, int] | None:
        """Depth and width of the network with fewest parameters that stores all examples for every seed, if any."""
        full = [
            (self.at(length, depth, width)[0].parameters, depth, width)
            for depth in self.depths
            for width in self.widths
            if self.stores(length, depth, width)
        ]
        return min(full)[1:] if full else None


def study(records: Records) -> Study | None:
    """The study made of these cells; `None` if there are none.

    A cell that ran out of time without results counts as a network that was not trained. One that failed keeps its
    place in the grid, but nothing is known about its network.
    """
    if not records:
        return None
    settings = [record.cell.settings for record in records]
    lengths, depths, widths = (tuple(sorted({one[name] for one in settings})) for name in ("length", "depth", "width"))
    trials = tuple(_trial(record) for record in records if record.status is not CellStatus.FAILED)
    return Study(settings[0], lengths, depths, widths, trials)


def _trial(record: CellRecord) -> Trial:
    settings, numbers = record.cell.settings, record.numbers
    place = {name: settings[name] for name in ("length", "depth", "width", "seed")}
    certified = numbers.get("certified", 0)
    return Trial(
        **place,
        trained=record.status is CellStatus.DONE,
        parameters=numbers.get("parameters", 0),
        certified=certified,
        stored=numbers.get("stable", 0) if settings["mode"] == "paper" else certified,
        radii=record.arrays.get("radii", np.zeros(0)),
        eigenvalues=record.arrays.get("eigenvalues", np.zeros(0)),
    )


def trained_of(trials: Sequence[Trial]) -> str:
    """How many of these networks reached the requested loss.

    >>> trained_of([])
    '0 of 0'
    """
    return f"{sum(trial.trained for trial in trials)} of {len(trials)}"


def concluded(records: Records, judge: Callable[[Study], Summary]) -> Summary:
    """The result of `judge` for the study of these cells; unfinished if there are none or some failed."""
    found = study(records)
    if found is None:
        return Summary(None, None, None, Outcome.UNFINISHED, "No cell has run.")
    summary = judge(found)
    failed = sum(record.status is CellStatus.FAILED for record in records)
    if not failed:
        return summary
    text = f"{summary.text} {failed} of {len(records)} cells failed."
    return replace(summary, outcome=Outcome.UNFINISHED, text=text)


def noted(drawn: Any, found: Study, gray: str) -> Drawing:
    """A figure with a caption: the training data, how many networks were trained and, if some were not, what is
    `gray`."""
    settings = found.settings
    limits = [
        f"at most {settings['epochs']:,} epochs" if settings["epochs"] else "",
        f"{settings['seconds']:g} s" if settings["seconds"] else "",
    ]
    bound = " and ".join(limit for limit in limits if limit)
    count = len({trial.seed for trial in found.trials})
    caption = (
        f"{found.n} pictures, {settings['activation']}, {count} seed{'s' * (count > 1)}"
        + (f"; training: {bound} a network" if bound else "")
        + f". {trained_of(found.trials)} networks reached the requested loss"
        + ("" if all(trial.trained for trial in found.trials) else f"; gray: {gray}")
        + ". "
        + data_note(_WANTED, settings["source"])
    )
    return Drawing(drawn, caption)
