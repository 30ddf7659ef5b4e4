"""Networks on points in the plane: how they are trained, and their basins as cells and figures (Figs. 3, 4c and 9)."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np
import optax

from attrax import TrainingStatus, Verdict
from attrax.analysis import Basins, Other, Plane, basins
from attrax.extending import Progress, checks
from attrax.maps import mlp
from attrax.memory import Memory
from attrax.paper._experiment import Drawing, Records, labeled, trained
from attrax.paper._networks import reached, stored_numbers, write
from attrax.paper.sweeps import CellFound, Work
from attrax.patterns import Patterns
from attrax.report import basin_map
from attrax.training import fit
from attrax.training import optimizer as training_optimizer
from attrax.writing import refine_and_certify

SIX_POINTS = np.array([[-0.8, -0.6], [0.1, -0.9], [0.9, -0.4], [-0.6, 0.5], [0.2, 0.2], [0.7, 0.9]])
"""Six examples in the plane. The paper's own coordinates are not known."""

FRAME = (-1.5, 1.5, -1.5, 1.5)
"""Left, right, bottom and top of the region shown."""

SCHEDULES = ("cosine", "constant")
"""The schedule of the rate: along a cosine to 0 at the last epoch, or constant."""

PLANE_RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "rate": 1e-3,
    "schedule": "cosine",
    "tol": 1e-10,
    "init": "pytorch",
    "bias": True,
    "dtype": "float64",
}
"""The training settings of networks in the plane; the names are arguments of `train_plane`."""


def four_circles(*, radius: float = 0.3, length: int = 5) -> Patterns:
    """Four cycles of `length` points each, on circles around (±0.6, ±0.6).

    **Arguments:** `radius`; `length`, at least 2. **Returns** `Patterns`. **Raises** `ValueError` for wrong arguments.

        >>> len(four_circles().cycles), len(four_circles())
        (4, 20)
    """
    radius = checks.real("radius", radius, above=0)
    length = checks.integer("length", length, least=2)
    angles = 2 * np.pi * np.arange(length) / length
    circle = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return Patterns.from_cycles([circle + np.array([x, y]) for y in (-0.6, 0.6) for x in (-0.6, 0.6)])


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
) -> tuple[Memory, float, int, TrainingStatus]:
    """Trains a network as for Figs. 3 and 4c: PyTorch's initialization, Adam, no noise, no polish, in float64.

    By default the rate falls from 1e-3 along a cosine to 0, and training stops at a mean squared error of 1e-10.

    **Arguments:** `patterns`; `width`, `depth`, `activation`, `init`, `bias`, `dtype`: of the network, see `maps.mlp`;
    `optimizer`: a name of `training.optimizer`; `rate`, and `schedule`, one of `SCHEDULES`; `tol`: mean squared error
    at which to stop; `epochs`, the maximum number; `seed`; `checkpoint`: a file to save training to, and to continue
    from if it exists; `progress`.

    **Returns** the memory with its certificate, the loss, the epochs, and the status of training. **Raises**
    `ValueError` for wrong arguments, and for a checkpoint of another training.

    ```python
    >>> import numpy as np
    >>> from attrax import Patterns, paper
    >>> points = Patterns.from_examples(np.array([[-0.5, 0.5], [0.5, 0.2]]))
    >>> memory, loss, epochs, status = paper.train_plane(points, width=64, depth=5)  # doctest: +SKIP

    ```
    """
    seed = checks.integer("seed", seed)
    checks.one_of("schedule", schedule, SCHEDULES)
    network = mlp(
        patterns.shape,
        width=width,
        depth=depth,
        activation=activation,
        init=init,
        bias=bias,
        dtype=dtype,
        key=jr.key(seed),
    )
    # Not `store` with `Gradient`: its checkpoints know a schedule by its name only, and would go on at another rate.
    step = optax.cosine_decay_schedule(rate, max(epochs, 1)) if schedule == "cosine" else rate
    fitted = fit(
        network,
        patterns.points,
        patterns.targets,
        optimizer=training_optimizer(optimizer, learning_rate=step),
        epochs=epochs,
        tol=tol,
        checkpoint=checkpoint,
        resume=checkpoint is not None,
        fingerprint=f"{optimizer} {rate} {schedule} {epochs}",
        progress=progress,
        key=jr.key(seed),
    )
    written = {
        "writer": "plane",
        "optimizer": optimizer,
        "learning_rate": rate,
        "schedule": schedule,
        "tol": tol,
        "epochs_limit": epochs,
        "width": width,
        "depth": depth,
        "activation": activation,
        "init": init,
        "bias": bias,
        "dtype": dtype,
        "seed": seed,
        "loss": fitted.loss,
        "epochs": fitted.epochs,
        "seconds": fitted.seconds,
    }
    memory = refine_and_certify(Memory(fitted.map, patterns))
    certificate = memory.certificate
    assert certificate is not None  # `refine_and_certify` certifies
    written["status"] = str(certificate.status_after(fitted.status))
    certified = Memory(memory.map, memory.patterns, memory.originals, written, certificate)
    return certified, fitted.loss, fitted.epochs, fitted.status


_GRIDS = ("label", "phase", "other", "outcome", "nearest")


def basin_numbers(found: Basins) -> dict[str, Any]:
    """The numbers of a cell about basins, and what `unpacked` needs in addition to the arrays."""
    return {
        "labeled": found.labeled_fraction,
        "voronoi_agreement": found.voronoi_agreement,
        "spurious": sum(other.verdict is Verdict.ATTRACTOR for other in found.others),
        "basins": {
            "extent": found.extent,
            "cycles": found.cycles,
            "certified": None if found.certified is None else found.certified.tolist(),
            "others": [[str(o.verdict), o.spectral_radius, len(o.points)] for o in found.others],
            "others_complete": found.others_complete,
            "num_evaluations": found.num_evaluations,
        },
    }


def basin_arrays(found: Basins) -> dict[str, np.ndarray]:
    """The grids and points of basins in the plane."""
    arrays = {name: getattr(found, name).astype(np.int16) for name in _GRIDS}
    arrays["num_steps"] = found.num_steps.astype(np.float32)
    arrays["evaluated"] = found.evaluated.astype(np.uint8)
    for name in ("points", "distances", "arrows_at", "arrows"):
        arrays[name] = getattr(found, name)
    at = [other.coordinates for other in found.others]
    arrays["others_at"] = np.concatenate(at) if at else np.zeros((0, 2))
    return arrays


def unpacked(numbers: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Basins:
    """The basins, rebuilt from `basin_numbers` and `basin_arrays`."""
    facts = numbers["basins"]
    others, begin = [], 0
    for verdict, radius, count in facts["others"]:
        at = arrays["others_at"][begin : begin + count]
        others.append(Other(at, at, Verdict(verdict), float("nan") if radius is None else radius))
        begin += count
    certified = facts["certified"]
    return Basins(
        plane=Plane(np.zeros(2), np.eye(2)),
        extent=tuple(facts["extent"]),
        **{name: arrays[name].astype(int) for name in _GRIDS},
        num_steps=arrays["num_steps"].astype(float),
        evaluated=arrays["evaluated"].astype(bool),
        cycles=tuple(tuple(cycle) for cycle in facts["cycles"]),
        points=arrays["points"],
        distances=arrays["distances"],
        certified=None if certified is None else np.array(certified, bool),
        others=tuple(others),
        others_complete=facts["others_complete"],
        arrows_at=arrays["arrows_at"],
        arrows=arrays["arrows"],
        num_evaluations=facts["num_evaluations"],
    )


def plane_cell(patterns: Patterns, settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains a network on patterns in the plane as the mode requires, certifies it, and finds where a grid of starts
    ends.

    Settings are those of `write`, in the mode `paper` with the names of `PLANE_RECIPE`, and `resolution`.
    """
    if settings["mode"] == "paper":
        names = ("width", "depth", "activation", "epochs", "seed", *PLANE_RECIPE)
        memory, *_ = train_plane(
            patterns, **{name: settings[name] for name in names}, checkpoint=work.checkpoint, progress=work.progress
        )
    else:
        memory = write(patterns, settings, work)
    found = basins(memory, extent=FRAME, resolution=settings["resolution"], coarse=4, progress=work.progress)
    assert memory.certificate is not None  # both ways certify
    numbers = stored_numbers(memory) | basin_numbers(found) | {"radii": memory.certificate.spectral_radius}
    return CellFound(numbers, basin_arrays(found), trained=reached(memory))


def basin_drawing(
    records: Records, caption: str, *, most: str = "attractors", told: str = "stores most"
) -> Sequence[Drawing]:
    """The basins of the network with the `most` of something, among the trained ones if there are any.

    Below them are its name, how it was chosen (`told`, in words), and the caption.
    """
    there = [record for record in records if record.arrays]
    if not there:
        return ()
    good = trained(there)
    best = max(good or there, key=lambda record: record.numbers[most])
    count, kind = len(good or there), "trained" if good else "untrained"
    chosen = "" if count == 1 else f", of {count} {kind} networks the one that {told}"
    figure = basin_map(unpacked(best.numbers, best.arrays))
    return (Drawing(figure, f"Basins of {labeled(best)}{chosen}. {caption}"),)
