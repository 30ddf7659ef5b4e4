"""How spectral radii fall while training goes on at a fixed rate: by rate, epochs, width and depth."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax.extending import HostStates, Map
from attrax.paper._experiment import Experiment, cell
from attrax.paper._law import LOW, draw, summarize, tabulate
from attrax.paper._networks import radii_at, recipe
from attrax.paper._pictures import data_source, limited, pictures
from attrax.paper.sweeps import Cell, CellFound, Work
from attrax.training import Fit, fit, optimizer

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 4, "side": 8, "epochs": [100, 200, 400]},
    "quick": {"n": 20, "side": 16, "epochs": [4000, 8000, 12_000, 16_000, 22_000]},
    "tables": {"n": 25, "side": 16, "epochs": [1000, 2000, 4000, 8000, 16_000, 32_000]},
    "full": {"n": 100, "side": 32, "epochs": [1000, 2000, 4000, 8000, 16_000, 32_000]},
}
_ACTIVATIONS = ("relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid")
_SPEEDS = {"rmsprop": (0.005, 0.01, 0.02), "adam": (0.02, 0.04, 0.08)}
_GRIDS: dict[str, dict[str, Any]] = {
    "smoke": {
        "speed": {("rmsprop", "cosid"): (0.05, 0.1)},
        "size": ((24, 2), (32, 2)),
        "held": ((28, 2),),
        "number": (0,),
    },
    "quick": {
        "speed": {
            ("rmsprop", "cosid"): (0.01, 0.02),
            ("rmsprop", "selu"): (0.025, 0.05),
            ("rmsprop", "sinusoid"): (0.002, 0.004),
            ("adam", "cosid"): (0.04, 0.08),
        },
        "size": ((32, 8), (48, 13), (64, 6), (64, 10), (64, 14), (96, 11), (128, 10)),
        "held": ((56, 9), (80, 12)),
        "pictures": {("rmsprop", "cosid"): {"size": (10, 40, 80), "held": (60,)}},
        "number": (0,),
    },
    "tables": {
        "speed": {kind: _SPEEDS[kind[0]] for kind in product(_SPEEDS, _ACTIVATIONS)},
        "size": tuple(product((64, 128, 256, 512), (3, 10, 20))),
        "held": ((180, 7), (360, 14)),
        "number": (0, 1, 2),
    },
    "full": {
        "speed": {kind: _SPEEDS[kind[0]] for kind in product(_SPEEDS, _ACTIVATIONS)},
        "size": tuple(product((64, 128, 256, 512, 1024), (3, 10, 20))),
        "held": ((180, 7), (360, 14), (720, 10)),
        "number": (0, 1, 2),
    },
}
"""`speed` is the rate times the width, for each optimizer and activation; `size` are widths and depths of the networks
that the formula is fitted to, `held` those of the networks that it has to predict, which have seeds of their own;
`pictures` are further numbers of pictures, for some kinds, at the size below."""
_MIDDLE = (64, 10)
_COOLER, _ANNEAL = 5.0, 400
"""Adam at the rate of the cell divided by the first number, for so many epochs, ends the motion: a radius counts only
where the examples are reproduced."""


def annealed(network: Map, examples: HostStates, rate: float, key: PRNGKeyArray) -> Fit[Map]:
    """The network after a short anneal."""
    cool = optimizer("adam", learning_rate=rate / _COOLER)
    return fit(network, examples, examples, optimizer=cool, epochs=_ANNEAL, tol=None, key=key)


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network at a fixed rate, and measures loss and radii after each number of epochs."""
    examples = pictures(settings)
    key, rate = jr.key(settings["seed"]), settings["speed"] / settings["width"]
    network = recipe(settings)(examples.shape[1:], key=jr.fold_in(key, 1))
    rule, state = optimizer(settings["optimizer"], learning_rate=rate), None
    done, rows = 0, list[list[float]]()
    for total in settings["epochs"]:
        found = fit(
            network,
            examples,
            examples,
            optimizer=rule,
            optimizer_state=state,
            epochs=total - done,
            tol=None,
            progress=work.progress,
            key=key,
        )
        network, state, done = found.map, found.optimizer_state, total
        cool = annealed(network, examples, rate, key)
        radii = radii_at(cool.map, examples)
        moving = [done, found.loss, float(np.median(radii_at(network, examples)))]
        rows.append([*moving, cool.loss, float(np.median(radii)), float(np.max(radii)), int(np.sum(radii < 1))])
        if not np.isfinite(found.loss):
            break
    constant = float(np.var(examples, axis=0, dtype=float).mean())
    low = any(row[3] <= LOW * constant for row in rows)
    return CellFound({"rate": rate, "constant": constant, "rows": rows}, trained=low)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network for each optimizer, activation, rate, size, number of pictures and repetition."""
    grid = _GRIDS[scale]
    shared = {**_SIZES[scale], "source": data_source("cifar10"), "gray": True}
    shared |= {"init": "pytorch", "bias": True, "dtype": "float32"}
    found = list[Cell]()
    for kind, speeds in grid["speed"].items():
        more = grid.get("pictures", {}).get(kind, {})
        for speed, held, number in product(speeds, (False, True), grid["number"]):
            group = "held" if held else "size"
            networks = [(*size, shared["n"]) for size in grid[group]]
            networks += [(*_MIDDLE, n) for n in more.get(group, ())]
            for width, depth, n in networks:
                name = f"{'-'.join(kind)}-{depth}x{width}-{speed:g}-{number}" + f"-{n}" * (n != shared["n"])
                own = {"optimizer": kind[0], "activation": kind[1], "speed": speed, "width": width, "depth": depth}
                settings = limited({**shared, **own, "n": n}) | {"held": held}
                seeds = {"seed": seed, "number": number + 1000 * held}
                found.append(cell("edge", name, run, settings, scale=scale, mode=mode, **seeds))
    return found


EXPERIMENT = Experiment(
    id="edge",
    title="The law: radii against rate and epochs",
    statement="While training goes on at a fixed rate, the spectral radii at the examples are flat first and then "
    "fall as a power of the epochs, after a time that is a product of powers of rate, width and depth.",
    paper=None,
    unit="fraction of the predictions within a factor of two",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    group="own",
    notes="A question of this project, not of the paper. The networks are trained as in the paper, with more "
    "rates; a radius is that after a short anneal.",
)
