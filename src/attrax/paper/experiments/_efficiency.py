"""The paper's Figures 5, 12 and 13: one by one or in sequences, over depth and width, and the spectra behind it."""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import jax.random as jr
import numpy as np
from jaxtyping import Float

from attrax._base import checks
from attrax._base.status import StoreStatus, Verdict
from attrax._base.types import HostStates, Progress
from attrax.certificates import spectrum
from attrax.maps import describe, mlp
from attrax.memory import Memory
from attrax.paper.experiments._common import StudyData, radii_at, study_data
from attrax.patterns import Patterns
from attrax.writing import Gradient, store

EFFICIENCY_MODES = ("paper", "attrax")
"""How networks are trained: Adam at 1e-4 until the loss is reached, without noise; or attrax's writers in turn."""

_WRITERS = MappingProxyType(
    {
        "K-FAC in whitened coordinates": Gradient(optimizer="kfac", coordinates=1.0),
        "Adam with noise in coordinates": Gradient(noise=0.3, coordinates=0.0),
    }
)
"""Those that obey a given depth and width; the next one is tried where the one before leaves something uncertified."""


@dataclass(frozen=True, slots=True)
class EfficiencyScale:
    """How large a study is.

    **Fields:** `n` examples; `lengths` of the sequences they are cut into, 1 for one by one; `depths` and `widths`;
    `seeds`, a network each; `epochs` and `seconds`, at most, of each writer; `tol`, the loss that counts as trained;
    `activation`; `dtype` of training; `side` of the pictures, `None` for their own.
    """

    n: int = 100
    lengths: tuple[int, ...] = (1, 10, 20, 50, 100)
    depths: tuple[int, ...] = (1, 3, 6, 11)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    seeds: tuple[int, ...] = (0,)
    epochs: int | None = None
    seconds: float | None = None
    tol: float = 1e-8
    activation: str = "relu"
    dtype: str = "float32"
    side: int | None = None

    def __post_init__(self) -> None:
        checks.integer("n", self.n, least=2)
        for name in ("lengths", "depths", "widths"):
            if not getattr(self, name):
                raise ValueError(f"{name} must hold at least one number; got none")
            for value in getattr(self, name):
                checks.integer(f"each of {name}", value, least=1)
        for length in self.lengths:
            if self.n % length:
                raise ValueError(f"each of lengths must divide the number of examples, {self.n}; got {length}")
        if not self.seeds:
            raise ValueError("seeds must hold at least one number; got none")


EFFICIENCY_SCALES = MappingProxyType(
    {
        "smoke": EfficiencyScale(4, (1, 4), (1, 2), (24,), epochs=3_000, seconds=2, side=8),
        "quick": EfficiencyScale(20, (1, 4, 10, 20), (1, 3, 6), (64, 128), seconds=8),
        "tables": EfficiencyScale(seconds=40),
        "full": EfficiencyScale(depths=(1, 6, 11, 16, 21, 26, 31), seeds=(0, 1, 2), dtype="float64"),
    }
)
"""Scales by name. `quick` is meant for ten minutes on two cores, `tables` for two hours; `full` has the paper's
numbers as far as they are known, and no limit of time."""


@dataclass(frozen=True, slots=True, eq=False)
class EfficiencyTrial:
    """One network.

    **Fields:** `mode`, `length` of the sequences, `depth`, `width` and `seed`; `parameters`, weights and biases;
    `writer`, how it was trained in the end; `loss`, `epochs` and `seconds`, of all writers tried; `status`, a
    `StoreStatus`; `certified`, examples on cycles that are certified attractors, and `stable`, those on cycles round
    which the Jacobian product has a spectral radius below 1, near enough to be the example or not: both 0 where the
    loss was not reached;
    for the examples one by one in the paper's mode, else empty: `radii`, the spectral radius at each example as it is,
    and `eigenvalues`, the moduli of the top one percent at the exact fixed points nearest to the examples.
    """

    mode: str
    length: int
    depth: int
    width: int
    seed: int
    parameters: int
    writer: str
    loss: float
    epochs: int
    seconds: float
    status: StoreStatus
    certified: int
    stable: int
    radii: Float[np.ndarray, " n"]
    eigenvalues: Float[np.ndarray, " m"]

    @property
    def trained(self) -> bool:
        """Whether the loss asked for was reached: nothing counts as stored without it."""
        return _reached(self.status)

    @property
    def stored(self) -> int:
        """Examples that count as stored: in the paper's mode by its own criterion, `stable`, else `certified`."""
        return self.stable if self.mode == "paper" else self.certified


@dataclass(frozen=True, slots=True, eq=False)
class EfficiencyStudy:
    """The same examples in all arrangements, over a grid of networks.

    **Fields:** `scale`; `modes`; `trials`, one a network; `data`, what the examples were; `seconds`.
    """

    scale: EfficiencyScale
    modes: tuple[str, ...]
    trials: tuple[EfficiencyTrial, ...]
    data: StudyData
    seconds: float

    def at(self, mode: str, length: int, depth: int, width: int) -> tuple[EfficiencyTrial, ...]:
        """The trials of one cell, one a seed."""
        wanted = (mode, length, depth, width)
        return tuple(t for t in self.trials if (t.mode, t.length, t.depth, t.width) == wanted)

    def counts(self, mode: str, length: int) -> np.ndarray:
        """Stored examples, depths×widths, the mean over the seeds that were trained; NaN where none was."""
        found = np.full((len(self.scale.depths), len(self.scale.widths)), np.nan)
        for i, depth in enumerate(self.scale.depths):
            for j, width in enumerate(self.scale.widths):
                counts = [trial.stored for trial in self.at(mode, length, depth, width) if trial.trained]
                if counts:
                    found[i, j] = np.mean(counts)
        return found

    def stores(self, mode: str, length: int, depth: int, width: int) -> bool:
        """Whether the networks of one cell store all examples, from every seed."""
        trials = self.at(mode, length, depth, width)
        return bool(trials) and all(trial.stored == self.scale.n for trial in trials)

    def smallest(self, mode: str, length: int) -> tuple[int, int] | None:
        """Depth and width of the network with fewest parameters that stores all examples from every seed, if any."""
        full = [
            (self.at(mode, length, depth, width)[0].parameters, depth, width)
            for depth in self.scale.depths
            for width in self.scale.widths
            if self.stores(mode, length, depth, width)
        ]
        return min(full)[1:] if full else None


def trained_of(trials: Sequence[EfficiencyTrial]) -> str:
    """How many of these networks reached the loss asked for.

    >>> trained_of([])
    '0 of 0'
    """
    return f"{sum(trial.trained for trial in trials)} of {len(trials)}"


def arranged(values: HostStates, length: int) -> Patterns:
    """The examples in order, cut into cycles of `length`; each by itself for 1.

    **Raises** `ValueError` where `length` does not divide their number, and as `Patterns` does.

        >>> len(arranged(np.eye(6), 3).cycles)
        2
    """
    length = checks.integer("length", length, least=1)
    if len(values) % length:
        raise ValueError(f"length must divide the number of examples, {len(values)}; got {length}")
    if length == 1:
        return Patterns.from_examples(values)
    return Patterns.from_cycles([values[start : start + length] for start in range(0, len(values), length)])


def efficiency_trial(
    values: HostStates,
    scale: EfficiencyScale,
    *,
    mode: str = "paper",
    length: int = 1,
    depth: int = 1,
    width: int = 64,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> EfficiencyTrial:
    """Trains one network of a study and certifies what it stores.

    In the mode `attrax` these are tried in turn until all is certified, and the one that certifies most is kept: K-FAC
    in whitened coordinates of the span of the data, then Adam with noise in orthonormal ones, both with a polish where
    there is noise. The network that comes out is a plain one of the given depth and width in both modes.

    **Arguments:** `values`, n×state shape; `scale`, of which n, lengths, depths and widths are not looked at; the
    setting; `checkpoint`, a file from which the first writer goes on where it exists, later ones start from their
    beginning; `progress`. **Returns** `EfficiencyTrial`. **Raises** `ValueError` for wrong arguments, before any work.
    """
    begun = time.perf_counter()
    checks.one_of("mode", mode, EFFICIENCY_MODES)
    depth, width = checks.integer("depth", depth, least=1), checks.integer("width", width, least=1)
    seed = checks.integer("seed", seed, most=2**32 - 1)
    values = np.asarray(values)
    patterns = arranged(values, length)
    recipe = partial(mlp, width=width, depth=depth, activation=scale.activation, dtype=scale.dtype)
    writers = {"Adam": Gradient()} if mode == "paper" else _WRITERS
    best: tuple[tuple[bool, int], str, Memory] | None = None
    epochs = 0
    for number, (name, writer) in enumerate(writers.items()):
        limits = {"tol": scale.tol, "epochs": scale.epochs, "time_limit": scale.seconds}
        memory = store(
            patterns,
            recipe,
            writer=replace(writer, **limits),
            checkpoint=checkpoint if number == 0 else None,
            resume=checkpoint is not None,
            progress=progress,
            key=jr.key(seed),
        )
        epochs += memory.written["epochs"]
        assert memory.status is not None  # `store` sets it
        score = (_reached(memory.status), _certified(memory))
        if best is None or score > best[0]:
            best = (score, name, memory)
        if score == (True, len(values)):
            break
    assert best is not None  # there is at least one writer
    (trained, certified), name, memory = best
    network, status = memory.map, memory.status
    assert status is not None  # `store` sets it
    radii = eigenvalues = np.zeros(0)
    if mode == "paper" and length == 1 and status is not StoreStatus.DIVERGED:
        radii = radii_at(network, values)
        top = math.ceil(values[0].size / 100)
        found = spectrum(Memory(network, patterns), top=top, key=jr.key(seed))
        eigenvalues = np.abs(found.eigenvalues).ravel()
    return EfficiencyTrial(
        mode,
        length,
        depth,
        width,
        seed,
        describe(network).parameters,
        name,
        float(memory.written["loss"]),
        epochs,
        time.perf_counter() - begun,
        status,
        certified if trained else 0,
        _stable(memory) if trained else 0,
        radii,
        eigenvalues,
    )


def _reached(status: StoreStatus) -> bool:
    return status not in (StoreStatus.LOSS_NOT_REACHED, StoreStatus.DIVERGED)


def _certified(memory: Memory) -> int:
    """Examples on certified cycles; a cycle counts with all of its states."""
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    pairs = zip(certificate.cycles, certificate.verdict, strict=True)
    return sum(len(cycle) for cycle, verdict in pairs if verdict is Verdict.ATTRACTOR)


def _stable(memory: Memory) -> int:
    """Examples on cycles that are stable, certified as the examples' own or not."""
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    pairs = zip(certificate.cycles, certificate.spectral_radius, strict=True)
    return sum(len(cycle) for cycle, radius in pairs if radius < 1)


def efficiency_study(
    scale: str | EfficiencyScale = "quick",
    *,
    modes: Sequence[str] = EFFICIENCY_MODES,
    data: StudyData | None = None,
    each: Callable[[EfficiencyTrial], None] | None = None,
    progress: Progress | None = None,
) -> EfficiencyStudy:
    """Stores the same examples one by one, in several short sequences and in one long one, in ever larger networks.

    **Arguments:**

    - `scale`: a name in `EFFICIENCY_SCALES`, or a scale.
    - `modes`: of `EFFICIENCY_MODES`.
    - `data`: the examples; by default the first ones of MNIST, or its substitute.
    - `each`: called with each trial as soon as it is there.
    - `progress`: called with the trials done.

    **Returns** `EfficiencyStudy`. **Raises** `ValueError` for wrong arguments, before any training.

    Source: Radhakrishnan, Belkin, Uhler (2020), Figs. 5, 12 and 13; activation, initialization and most of the sizes of
    their networks are not known.
    """
    begun = time.perf_counter()
    if not isinstance(scale, EfficiencyScale):
        scale = EFFICIENCY_SCALES[checks.one_of("scale", scale, EFFICIENCY_SCALES)]
    modes = tuple(checks.one_of("each of modes", mode, EFFICIENCY_MODES) for mode in modes)
    if data is None:
        data = study_data("mnist", scale.n, side=scale.side)
    if len(data.values) != scale.n:
        raise ValueError(f"data must hold the n = {scale.n} examples of the scale; got {len(data.values)}")
    settings = [
        {"mode": mode, "length": length, "depth": depth, "width": width, "seed": seed}
        for mode in modes
        for length in scale.lengths
        for depth in scale.depths
        for width in scale.widths
        for seed in scale.seeds
    ]
    trials: list[EfficiencyTrial] = []
    for setting in settings:
        trials.append(efficiency_trial(data.values, scale, **setting))
        if each is not None:
            each(trials[-1])
        if progress is not None:
            progress("networks", len(trials), len(settings), {"stored": trials[-1].stored})
    return EfficiencyStudy(scale, modes, tuple(trials), data, time.perf_counter() - begun)
