"""Fig. 1: a function that interpolates need not store, shown in one dimension."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from attrax.certificates import certify
from attrax.dynamics import iterate
from attrax.memory import Memory
from attrax.paper._experiment import (
    MODES,
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    labeled,
    of_one_network,
    repeated,
    trained,
)
from attrax.paper._figures import BLUE, GRAY, VERMILION, plain_axes
from attrax.paper._networks import network_settings, reached, stored_numbers, write
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.patterns import Patterns

POINTS = np.array([-0.9, -0.35, 0.2, 0.8])
"""The examples on the line."""

_RANGE = (-1.3, 1.3)
_COBWEB = 0.55

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"width": 32, "depth": 4, "epochs": 3000, "rate": 1e-3, "auto_epochs": 150, "edge": {"epochs": 1500}},
    "quick": {"width": 128, "depth": 10, "epochs": 20_000, "rate": 1e-3},
    "tables": {"width": 128, "depth": 10, "epochs": 50_000},
    "full": {"width": 128, "depth": 10, "epochs": 1_000_000},
}


class Piecewise(eqx.Module):
    """A piecewise-linear function of one variable through the points (x_i, y_i), constant outside."""

    x: Any
    y: Any

    def __call__(self, state: Any) -> Any:
        """f(x), of shape (1,) like the state."""
        return jnp.interp(state, jnp.asarray(self.x), jnp.asarray(self.y))


def steep(points: np.ndarray, slope: float = 3.0) -> Piecewise:
    """A function that crosses the diagonal at each point with this slope."""
    gap = float(np.diff(points).min()) / 4
    x = np.concatenate([[point - gap, point + gap] for point in points])
    y = np.concatenate([[point - slope * gap, point + slope * gap] for point in points])
    return Piecewise(x, y)


def staircase(points: np.ndarray) -> Piecewise:
    """A function whose values are the points, except for steep parts halfway between them."""
    middles = (points[:-1] + points[1:]) / 2
    width = float(np.diff(points).min()) / 20
    x, y = [points[0]], [points[0]]
    for below, above, middle in zip(points[:-1], points[1:], middles, strict=True):
        x += [middle - width, middle + width]
        y += [below, above]
    return Piecewise(np.array([*x, points[-1]]), np.array([*y, points[-1]]))


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Certifies the two drawn functions and a trained network on the same points."""
    examples = POINTS[:, None]
    drawn = {
        name: certify(Memory(function, Patterns.from_examples(examples))).num_attractors
        for name, function in (("steep", steep(POINTS)), ("staircase", staircase(POINTS)))
    }
    memory = write(examples, settings, work)
    x = np.linspace(*_RANGE, 400)
    start = np.array([[_COBWEB]])
    path = [_COBWEB] + [
        float(iterate(memory.map, start, max_steps=step, atol=1e-300).value[0, 0]) for step in range(1, 9)
    ]
    curves = {
        "x": x,
        "steep": _values(steep(POINTS), x),
        "staircase": _values(staircase(POINTS), x),
        "trained": _values(memory.map, x),
        "path": np.array(path),
    }
    return CellFound(stored_numbers(memory) | {"drawn": drawn}, curves, trained=reached(memory))


def _values(function: Any, x: np.ndarray) -> np.ndarray:
    return iterate(function, x[:, None], max_steps=1).value[:, 0]


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed."""
    settings = network_settings({**_SIZES[scale], "activation": "cosid"}, mode)
    return repeated("fig1", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether the steep function stores nothing, and the staircase and training store everything."""

    every = {"steep": 0, "staircase": len(POINTS)}
    # The two drawn functions are the same for every seed.
    certified = [record.numbers["drawn"] for record in trained(records)][:1]
    found = "".join(
        f"Of {len(POINTS)} points the steep interpolant stores {one['steep']} and the staircase {one['staircase']}. "
        for one in certified
    )
    return judged(
        records,
        lambda record: record.numbers["attractors"],
        lambda record: record.numbers["drawn"] == every and record.numbers["attractors"] == len(POINTS),
        lambda record: record.numbers["attractors"] >= 1,
        f"{found}Reproduced where the first stores none, the second all, and training all; partly where training "
        "stores some.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """The three functions with the diagonal, and the path of one start, for one network."""
    arrays = record.arrays
    figure, grid = plain_axes(2.9, 3.0, 3)
    for axes, name in zip(grid[0], ("steep", "staircase", "trained"), strict=True):
        axes.plot(_RANGE, _RANGE, color=GRAY, linewidth=0.8)
        axes.plot(arrays["x"], arrays[name], color=BLUE, linewidth=1.5)
        axes.plot(POINTS, POINTS, "o", color="black", markersize=5)
        axes.set(title=name, xlim=_RANGE, ylim=(-1.6, 1.6), xlabel="x")
    path = arrays["path"]
    corners = np.repeat(path, 2)
    grid[0, 2].plot(corners[:-1], np.concatenate([[corners[0]], corners[2:]]), color=VERMILION, linewidth=1)
    grid[0, 0].set_ylabel("f(x)")
    return (
        Drawing(
            figure,
            "Left: through the points, but steeper than the diagonal (Fig. 1a). Middle: the values are the points "
            f"(Fig. 1b). Right: by training, {labeled(record)}, with the way of one start (Fig. 1c, d).",
        ),
    )


EXPERIMENT = Experiment(
    id="fig1",
    title="Fig. 1: interpolating is not storing",
    statement="A function may go through all examples without being attracted to any; training finds one that is.",
    paper=None,
    unit=f"attractors of {len(POINTS)}, trained",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    notes="The paper's illustrations have no numbers; points and networks are chosen here.",
)
