"""Cells for tests of sweeps and of the frame of experiments. Workers import this file, so it imports little."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax.paper.sweeps import Cell, CellFound, ResultStore, Work

if TYPE_CHECKING:
    from attrax.paper import Experiment


def square(settings: dict[str, Any], work: Work) -> CellFound:
    """The square of a number, and a trace of the call in a folder."""
    if "trace" in settings:
        (Path(settings["trace"]) / f"{settings['number']}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(settings.get("sleep", 0.0))
    number = settings["number"]
    return CellFound(
        {"square": number**2, "odd": np.float64("nan"), "list": np.arange(2)}, {"row": np.arange(number)}, number != 3
    )


def faulty(settings: dict[str, Any], work: Work) -> CellFound:
    """Raises."""
    raise RuntimeError("no such thing\nand more")


def endless(settings: dict[str, Any], work: Work) -> CellFound:
    """Reports its progress for ever, and its process in a folder."""
    if "trace" in settings:
        (Path(settings["trace"]) / f"{os.getpid()}").touch()
    while True:
        time.sleep(0.005)
        work.progress("waiting", 0, 1, {})


def deaf(settings: dict[str, Any], work: Work) -> CellFound:
    """As `endless`, but nobody hears of it, as of a long computation in one piece."""
    return endless(settings, replace(work, progress=lambda *_: None))


def kill_once(settings: dict[str, Any], work: Work) -> CellFound:
    """Kills its own process the first time."""
    mark = Path(settings["mark"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return CellFound({"back": True})


def kill_always(settings: dict[str, Any], work: Work) -> CellFound:
    """Kills its own process once the others are under way."""
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def refused(settings: dict[str, Any], work: Work) -> CellFound:
    """An array that no file of results holds."""
    return CellFound({}, {"words": np.array(["a", "b"])})


def told(settings: dict[str, Any], work: Work) -> CellFound:
    """How many cores this process may use, where its checkpoint is, and which large modules it has imported."""
    return CellFound(
        {
            "cores": len(os.sched_getaffinity(0)),
            "checkpoint": work.checkpoint and str(work.checkpoint),
            "modules": sorted({"jax", "matplotlib", "scipy"} & set(sys.modules)),
        }
    )


def measure(settings: dict[str, Any], work: Work) -> CellFound:
    """A number that follows from the seed."""
    time.sleep(settings["sleep"])
    return CellFound({"value": settings["seed"] % 7}, {"row": np.arange(3.0)})


def fail_some(settings: dict[str, Any], work: Work) -> CellFound:
    """Numbers of every kind, or an error."""
    if settings["seed"] % 2:
        raise RuntimeError("no | <such> thing")
    return CellFound({"value": 1.0, "status": "stored", "mode": "x", "ranks": [1, 2], "long": [0.5] * 1000})


def toy(sleep: float = 0.0, name: str = "toy") -> "Experiment":
    from attrax.paper import Drawing, Experiment, judged, repeated

    def draw(records: Any) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2, 1))
        figure.subplots().plot(records[0].arrays["row"])
        return [Drawing(figure, "A line.")]

    return Experiment(
        name,
        "A toy",
        "Values are below 7.",
        3,
        "units",
        lambda scale, mode, seed: repeated(
            "toy", measure, {"sleep": sleep}, scale=scale, mode=mode, seed=seed, seeds=6
        ),
        lambda records: judged(
            records, lambda r: r.numbers["value"], lambda r: r.numbers["value"] < 7, lambda r: False
        ),
        draw,
    )


def finished_in(file: Path, cells: list[Cell]) -> set[str]:
    """Fingerprints of the cells that a file of results has, while another process may be making it."""
    if not file.exists():
        return set()
    with ResultStore(file) as store:
        return store.finished(cells)


def cell(number: int, function: str = "square", **more: Any) -> Cell:
    limit = more.pop("time_limit", 60.0)
    return Cell(
        "tests",
        f"{function}-{number}",
        function if ":" in function else f"sweep_cells:{function}",
        {"number": number, **more},
        "1",
        limit,
    )
