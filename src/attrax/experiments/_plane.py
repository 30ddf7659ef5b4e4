"""Networks on points in the plane: six examples (Fig. 3), four cycles (Fig. 4c), and spurious attractors (Fig. 9)."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import optax

from attrax import _checks, training
from attrax._certificate import Certificate
from attrax._io import save
from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax._status import StoreStatus, Verdict
from attrax._types import Progress
from attrax.analysis import Basins, basins
from attrax.maps import mlp
from attrax.report import basin_map
from attrax.writing import settle

SIX_POINTS = np.array([[-0.8, -0.6], [0.1, -0.9], [0.9, -0.4], [-0.6, 0.5], [0.2, 0.2], [0.7, 0.9]])
"""Six examples in the plane. The paper's own coordinates are not known."""

FRAME = (-1.5, 1.5, -1.5, 1.5)
"""Left, right, bottom and top of what is looked at."""

SCHEDULES = ("cosine", "constant")
"""How the rate goes on: along a cosine to 0 at the last epoch, or as it is."""

PLANE_RECIPE: dict[str, Any] = {
    "optimizer": "adam", "rate": 1e-3, "schedule": "cosine", "tol": 1e-10, "init": "pytorch", "bias": True,
    "dtype": "float64",
}  # fmt: skip
"""What networks in the plane are trained with; the names are arguments of `train_plane`."""


def four_circles(*, radius: float = 0.3, length: int = 5) -> Patterns:
    """Four cycles of `length` points each, on circles round (±0.6, ±0.6).

    **Arguments:** `radius`; `length`, at least 2. **Returns** `Patterns`. **Raises** `ValueError` for wrong arguments.

        >>> len(four_circles().cycles), len(four_circles())
        (4, 20)
    """
    radius = _checks.real("radius", radius, above=0)
    length = _checks.integer("length", length, least=2)
    angles = 2 * np.pi * np.arange(length) / length
    circle = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return Patterns.from_cycles([circle + np.array([x, y]) for y in (-0.6, 0.6) for x in (-0.6, 0.6)])


@dataclass(frozen=True, slots=True)
class _Setting:
    depth: int
    activation: str
    seeds: int
    width: int = 128
    epochs: int = 20_000
    search: bool = False  # for what was never stored: every seed is looked at


_SETTINGS = {
    "six-points": _Setting(20, "cosid", 10),
    "four-cycles": _Setting(15, "cosid", 10),
    "spurious": _Setting(10, "sinusoid", 6, search=True),
}
PLANE_EXPERIMENTS = tuple(_SETTINGS)
"""The runs that `plane_experiment` knows."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One network, trained from one seed.

    **Fields:** `seed`; `loss` at the end of training; `epochs`; `status` of training; `certified`, how many of `cycles`
    are certified attractors; `largest_radius`, of their spectral radii; where basins were computed, else `None`:
    `labelled`, the fraction of the area that ends in what was stored, and `spurious`, how many certified attractors
    were met that were never stored.
    """

    seed: int
    loss: float
    epochs: int
    status: str
    certified: int
    cycles: int
    largest_radius: float
    labelled: float | None = None
    spurious: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PlaneRun:
    """What `plane_experiment` made.

    **Fields:** `memory` and `basins` of the seed that is shown; `seed`, that one; `trials`, one for every seed that was
    tried, in order; `files`; `seconds`.
    """

    memory: Memory
    basins: Basins
    seed: int
    trials: tuple[Trial, ...]
    files: tuple[Path, ...]
    seconds: float


def train_plane(
    patterns: Patterns,
    *,
    width: int = 128,
    depth: int = 20,
    activation: str = "cosid",
    init: str = PLANE_RECIPE["init"],
    bias: bool = PLANE_RECIPE["bias"],
    dtype: str = PLANE_RECIPE["dtype"],
    optimizer: str = PLANE_RECIPE["optimizer"],
    rate: float = PLANE_RECIPE["rate"],
    schedule: str = PLANE_RECIPE["schedule"],
    tol: float = PLANE_RECIPE["tol"],
    epochs: int = 20_000,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Memory, float, int, StoreStatus]:
    """Trains a network as for Figs. 3 and 4c: PyTorch's initialization, Adam, no noise, no polish, in float64.

    By default the rate falls from 1e-3 along a cosine to 0, and training stops at a mean squared error of 1e-10.

    **Arguments:** `patterns`; `width`, `depth`, `activation`, `init`, `bias`, `dtype`: of the network, see `maps.mlp`;
    `optimizer`: a name of `training.optimizer`; `rate`, and `schedule`, one of `SCHEDULES`; `tol`: mean squared error
    at which to stop; `epochs` at most; `seed`; `checkpoint`: a file that training is saved to, and goes on from where
    it exists; `progress`.

    **Returns** the certified memory, the loss, the epochs, and how training ended. **Raises** `ValueError` for wrong
    arguments, and for a checkpoint of another training.
    """
    seed = _checks.integer("seed", seed)
    _checks.one_of("schedule", schedule, SCHEDULES)
    network = mlp(
        patterns.shape, width=width, depth=depth, activation=activation, init=init, bias=bias, dtype=dtype,
        key=jr.key(seed),
    )  # fmt: skip
    step = optax.cosine_decay_schedule(rate, max(epochs, 1)) if schedule == "cosine" else rate
    fitted = training.fit(
        network, patterns.points, patterns.targets, optimizer=training.optimizer(optimizer, learning_rate=step),
        epochs=epochs, tol=tol, checkpoint=checkpoint, resume=checkpoint is not None,
        fingerprint=f"{optimizer} {rate} {schedule} {epochs}", progress=progress, key=jr.key(seed),
    )  # fmt: skip
    written = {
        "writer": "plane", "optimizer": optimizer, "learning_rate": rate, "schedule": schedule, "tol": tol,
        "epochs_limit": epochs, "width": width, "depth": depth, "activation": activation, "init": init, "bias": bias,
        "dtype": dtype, "seed": seed, "loss": fitted.loss, "epochs": fitted.epochs, "seconds": fitted.seconds,
    }  # fmt: skip
    memory = settle(Memory(fitted.map, patterns))
    certificate = _certificate(memory)
    status = fitted.status
    if status is StoreStatus.STORED and not certificate.all_attractors:
        status = StoreStatus.NOT_ALL_CERTIFIED
    written["status"] = str(status)
    settled = Memory(memory.map, memory.patterns, memory.originals, written, certificate)
    return settled, fitted.loss, fitted.epochs, fitted.status


def plane_experiment(
    kind: str,
    folder: str | os.PathLike[str] = "attrax-plane",
    *,
    seeds: Sequence[int] | None = None,
    resolution: int = 192,
    progress: Progress | None = None,
) -> PlaneRun:
    """Trains a network on points in the plane, certifies it, and draws its basins; every seed tried is reported.

    - `six-points` (Fig. 3): cosid, 20 hidden layers of 128 units. Seeds are tried in order until all six examples are
      certified attractors; shown is the one with most.
    - `four-cycles` (Fig. 4c): cosid, 15 hidden layers; the same for four cycles of five points.
    - `spurious` (Fig. 9): sinusoid, 10 hidden layers, the six points. Every seed is trained and its basins are looked
      at on a coarser grid; shown is, of those that store most, the first with most certified attractors that
      were never stored.

    Writes `KIND.png`, `KIND.svg`, the memory as `KIND.attrax` and all trials as `KIND.json` to `folder`.

    **Arguments:** `kind`, one of `PLANE_EXPERIMENTS`; `folder`, created where it is missing; `seeds`, by default 0, 1,
    …;
    `resolution`, of the basins shown; `progress`.

    **Returns** a `PlaneRun`. **Raises** `ValueError` for wrong arguments, before any work.

    Source: Radhakrishnan, Belkin, Uhler (2020), Figs. 3, 4c and 9; their points, depths and widths are not known.
    """
    begun = time.perf_counter()
    setting = _SETTINGS[_checks.one_of("kind", kind, PLANE_EXPERIMENTS)]
    seeds = range(setting.seeds) if seeds is None else seeds
    numbers = [_checks.integer("each of seeds", seed, most=2**32 - 1) for seed in seeds]
    if not numbers:
        raise ValueError("seeds must hold at least one number; got none")
    resolution = _checks.integer("resolution", resolution, least=16, most=4096)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} can't be created: {error.strerror or error}") from None
    patterns = four_circles() if kind == "four-cycles" else Patterns.from_examples(SIX_POINTS)
    trials: list[Trial] = []
    shown: Memory | None = None
    seed, most = numbers[0], (-1, 0)
    for number in numbers:
        memory, loss, epochs, status = train_plane(
            patterns, width=setting.width, depth=setting.depth, activation=setting.activation,
            epochs=setting.epochs, seed=number,
        )  # fmt: skip
        found = _certificate(memory)
        trial = Trial(
            number, loss, epochs, str(status), found.num_attractors, len(found.cycles),
            float(np.max(found.spectral_radius)),
        )  # fmt: skip
        score = (found.num_attractors, 0)
        if setting.search:
            looked = basins(memory, extent=FRAME, resolution=48, coarse=4, arrows=0)
            score = (found.num_attractors, num_spurious(looked))
            trial = replace(trial, labelled=looked.labelled_fraction, spurious=score[1])
        trials.append(trial)
        if progress is not None:
            progress("seeds", len(trials), len(numbers), {"seed": number, "certified": found.num_attractors})
        if score > most:
            shown, seed, most = memory, number, score
        if not setting.search and found.all_attractors:
            break
    assert shown is not None  # there is at least one seed
    looked = basins(shown, extent=FRAME, resolution=resolution, progress=progress)
    figure = basin_map(looked)
    files = [folder / f"{kind}.{ending}" for ending in ("png", "svg", "attrax", "json")]
    figure.savefig(files[0], dpi=150)
    figure.savefig(files[1], metadata={"Date": None})
    save(files[2], shown)
    record = {
        "kind": kind, "shown": seed, "network": asdict(setting), "trials": [asdict(trial) for trial in trials],
        "voronoi_agreement": looked.voronoi_agreement, "outcomes": looked.fractions(),
        "evaluated_fraction": looked.evaluated_fraction, "spurious_shown": num_spurious(looked),
    }  # fmt: skip
    files[3].write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return PlaneRun(shown, looked, seed, tuple(trials), tuple(files), time.perf_counter() - begun)


def num_spurious(record: Basins) -> int:
    """Certified attractors that were met and never stored."""
    return sum(other.verdict is Verdict.ATTRACTOR for other in record.others)


def _certificate(memory: Memory) -> Certificate:
    assert memory.certificate is not None  # `settle` certifies
    return memory.certificate
