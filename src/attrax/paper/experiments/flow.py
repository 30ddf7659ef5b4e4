"""Whether a flow predicts how the radii fall: RMSprop beside its central flow and its stable flow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from attrax.extending import Map
from attrax.paper._central_flow import Point, central_flow, sharpness, stable_flow
from attrax.paper._experiment import Drawing, Experiment, Outcome, Records, Summary, cell, extent, judged, numeric, told
from attrax.paper._figures import BLUE, GRAY, VERMILION, plain_axes
from attrax.paper._networks import radii_at, recipe
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.training import fit, optimizer

_SCALES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 3, "side": 4, "width": 8, "depth": 2, "start": 200, "steps": 40, "window": 10},
    "quick": {"n": 5, "side": 8, "width": 32, "depth": 6, "start": 600, "steps": 2000, "window": 50},
    "tables": {"n": 10, "side": 8, "width": 32, "depth": 10, "start": 600, "steps": 3000, "window": 50},
    "full": {"n": 20, "side": 16, "width": 64, "depth": 10, "start": 1000, "steps": 6000, "window": 50},
}
"""`start`: steps of RMSprop before the flows begin; `steps` with them; `window`: steps that are averaged."""
_NETWORKS = {
    "smoke": (("cosid", 0.02, 1),),
    "quick": (("cosid", 0.02, 3),),
    "tables": (("cosid", 0.02, 3), ("selu", 0.05, 3)),
    "full": (("cosid", 0.02, 3), ("selu", 0.05, 3)),
}
"""Activation, rate × width, and the number of seeds."""
_CHECKPOINTS = 4
"""Radii are compared after equal parts of the steps, so many, the last one at the end."""
_FACTOR = 1.25
"""How far a predicted median radius may be from that of RMSprop, either way."""
_WAYS = (("RMSprop", BLUE), ("central flow", VERMILION), ("stable flow", GRAY))
_KINDS = ("median radius", "loss", "sharpness")


class _Loss(eqx.Module):
    """The mean squared error of a network over the examples, n×state shape, by its weights in one array."""

    unravel: Any
    rest: Any
    examples: Any

    def network(self, weights: Any) -> Map:
        """The network with these weights."""
        return eqx.combine(self.unravel(jnp.asarray(weights)), self.rest)

    def __call__(self, weights: Any) -> Any:
        return jnp.mean((jax.vmap(self.network(weights))(self.examples) - self.examples) ** 2)


@eqx.filter_jit
def _window(
    loss: _Loss, weights: Any, state: Any, rule: optax.GradientTransformation, count: int
) -> tuple[Any, Any, Any, Any]:
    """So many steps: weights and state after them; the weights before each, and the losses there."""

    def step(carry: Any, _: None) -> tuple[Any, Any]:
        weights, state = carry
        value, gradient = jax.value_and_grad(loss)(weights)
        updates, state = rule.update(gradient, state, weights)
        return (optax.apply_updates(weights, updates), state), (weights, value)

    (after, state), (path, values) = jax.lax.scan(step, (weights, state), None, length=count)
    return after, state, path, values


def _measured(loss: _Loss, weights: Any, value: float, sharp: float) -> list[float]:
    """Median radius, loss, and sharpness as a share of its limit."""
    return [float(np.median(radii_at(loss.network(weights), np.asarray(loss.examples)))), value, sharp / 2]


def _along(
    name: str, flow: Iterator[Point], loss: _Loss, settings: Mapping[str, Any], work: Work
) -> tuple[list[list[float]], list[int]]:
    """What is measured in the middle of each window, and the number of directions; of a flow that ends, its end."""
    steps, window = settings["steps"], settings["window"]
    rows, counts, point = list[list[float]](), list[int](), next(flow)
    for number in range(1, steps + 1):  # it begins in the middle of the first three iterates, so after one step
        if number % window == window // 2:
            rows.append(_measured(loss, point.weights, point.loss + point.swing, point.sharpness))
            counts.append(point.count)
            work.progress(name, number, steps, {"loss": point.loss})
        point = next(flow, point)
    return rows, counts


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network by RMSprop, and goes on from there by RMSprop and by each flow."""
    examples = pictures(settings)
    key, rate, window = jr.key(settings["seed"]), settings["speed"] / settings["width"], settings["window"]
    network = recipe(settings)(examples.shape[1:], key=jr.fold_in(key, 1))
    rule, epochs, progress = optimizer("rmsprop", learning_rate=rate), settings["start"], work.progress
    start = fit(network, examples, examples, optimizer=rule, epochs=epochs, tol=None, progress=progress, key=key)
    parameters, rest = eqx.partition(start.map, eqx.is_inexact_array)
    weights, unravel = ravel_pytree(parameters)
    squares = ravel_pytree(optax.tree.get(start.optimizer_state, "nu"))[0]
    loss = _Loss(unravel, rest, jnp.asarray(examples, weights.dtype))

    rows, state, begin = list[list[float]](), optax.tree.set(rule.init(weights), nu=squares), weights
    for number in range(settings["steps"] // window):
        weights, state, path, values = _window(loss, weights, state, rule, window)
        if not number:
            begin = (path[0] + 2 * path[1] + path[2]) / 4
        middle = path.mean(axis=0)
        sharp = sharpness(loss, middle, optax.tree.get(state, "nu"), rate=rate)
        rows.append(_measured(loss, middle, float(values.mean()), sharp))
    names = [name for name, _ in _WAYS]
    central, counts = _along(names[1], central_flow(loss, begin, squares, rate=rate), loss, settings, work)
    stable, _ = _along(names[2], stable_flow(loss, begin, squares, rate=rate), loss, settings, work)
    steps = [window * number + window // 2 for number in range(len(rows))]
    ways = dict(zip(names, (rows, central, stable), strict=True))
    numbers = {"rate": rate, "steps": steps, "directions": counts, "ways": ways}
    return CellFound(numbers, trained=bool(np.isfinite(list(ways.values())).all()))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network for each activation and seed."""
    shared = limited({**_SCALES[scale], "source": data_source("cifar10"), "gray": True})
    shared |= {"init": "pytorch", "bias": True, "dtype": "float32"}
    return [
        cell(
            "flow",
            f"{activation}-{number}",
            run,
            {**shared, "activation": activation, "speed": speed},
            scale=scale,
            mode=mode,
            seed=seed,
            number=number,
        )
        for activation, speed, count in _NETWORKS[scale]
        for number in range(count)
    ]


def _path(record: CellRecord, name: str) -> np.ndarray:
    """Rows of median radius, loss and sharpness, NaN for null."""
    return np.array([[numeric(value) for value in row] for row in record.numbers["ways"][name]])


def _compared(record: CellRecord) -> list[int]:
    """The rows at the checkpoints."""
    count = len(record.numbers["steps"])
    return [count * part // _CHECKPOINTS - 1 for part in range(1, _CHECKPOINTS + 1)]


def _off(record: CellRecord, name: str) -> np.ndarray:
    """The factor between the median radii of a flow and of RMSprop at each checkpoint, one or more."""
    flow, moving = (np.log(_path(record, way)[_compared(record), 0]) for way in (name, _WAYS[0][0]))
    return np.exp(np.abs(flow - moving))


def _central(record: CellRecord) -> np.ndarray:
    return _off(record, "central flow")


def _apart(record: CellRecord) -> bool:
    """Whether the stable flow ends elsewhere."""
    return bool(_off(record, "stable flow")[-1] > _FACTOR)


def summarize(records: Records) -> Summary:
    """Judges whether the central flow predicts the radii, and the stable flow doesn't."""
    done = [record for record in records if record.numbers]
    ends = "; ".join(f"{name} {extent([_path(one, name)[-1, 0] for one in done])}" for name, _ in _WAYS)
    factors = [factor for one in done for factor in _central(one)]
    stable = [_off(one, "stable flow")[-1] for one in done]
    summary = judged(
        records,
        lambda record: float(_central(record).max()),
        lambda record: bool((_central(record) <= _FACTOR).all()) and _apart(record),
        lambda record: bool(_central(record)[-1] <= _FACTOR) and _apart(record),
        f"Median radii at the end: {ends}. At {_CHECKPOINTS} checkpoints of each network the central flow is off by a "
        f"factor of {extent(factors, '.3g')}, the stable flow at the end by {extent(stable, '.3g')}. Reproduced where "
        f"in every network the central flow is within a factor of {_FACTOR:g} of RMSprop at every checkpoint, and the "
        "stable flow is not at the end; partly where that holds in some networks, or at the end alone. "
        "Inconclusive where no stable flow is apart from RMSprop, because any prediction is right there.",
    )
    if summary.outcome is Outcome.NOT and not any(_apart(record) for record in done):
        return replace(summary, outcome=Outcome.INCONCLUSIVE)
    return summary


def draw(records: Records) -> Sequence[Drawing]:
    """Median radius, loss and sharpness over the steps, one network in each column."""
    done = [record for record in records if record.numbers]
    if not done:
        return ()
    figure, grid = plain_axes(3.2, 2.3, len(done), len(_KINDS))
    for column, record in zip(grid.T, done, strict=True):
        for row, (axes, kind) in enumerate(zip(column, _KINDS, strict=True)):
            for name, color in _WAYS:
                axes.plot(record.numbers["steps"], _path(record, name)[:, row], color=color, linewidth=1.2, label=name)
            axes.set(ylabel=kind, yscale="log" if kind == "loss" else "linear")
        column[0].set_title(record.cell.name, fontsize=9)
        column[0].set_ylim(0, None)
        column[-1].set(ylim=(0, 2), xlabel="steps")
    grid[0, 0].legend(fontsize=8, frameon=False)
    settings = done[0].cell.settings
    text = (
        f"{settings['depth']}×{settings['width']}, {settings['n']} gray pictures of {settings['side']}×"
        f"{settings['side']}, {settings['start']} steps of RMSprop before. Of RMSprop: radius and sharpness at the "
        f"mean of the weights over {settings['window']} steps, and the mean loss. The central flow's loss includes "
        "what its oscillations add. The stable flow is followed until its sharpness is ten times the limit, which is "
        "1. "
        f"{data_note('cifar10', settings['source'])}"
    )
    return (Drawing(figure, text),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The three ways at each checkpoint."""
    forms = (".3g", ".1e", ".2f")
    rows = [
        (
            record.cell.name,
            str(record.numbers["steps"][place]),
            *(told(_path(record, name)[place, kind], form) for kind, form in enumerate(forms) for name, _ in _WAYS),
            str(record.numbers["directions"][place]),
        )
        for record in records
        if record.numbers
        for place in _compared(record)
    ]
    head = [f"{kind}, {name}" for kind in _KINDS for name, _ in _WAYS]
    caption = (
        "Sharpness: the largest eigenvalue of the loss's Hessian as RMSprop scales it, times the rate, over 2, the "
        "limit of a stable step. Directions: those in which the central flow has oscillations. The stable flow repeats "
        "its last point from where its sharpness is ten times the limit."
    )
    return [PageTable(caption, ("network", "steps", *head, "directions"), tuple(rows))] if rows else []


EXPERIMENT = Experiment(
    id="flow",
    title="Does a flow predict how radii fall? RMSprop and its central flow",
    statement="The central flow of Cohen and others (2025), in which RMSprop's oscillations lower the curvature, "
    "predicts how the spectral radii fall; the flow without oscillations does not.",
    paper=None,
    unit="factor between the median radii of central flow and RMSprop, the largest of four",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper",),
    group="own",
    notes="A question of this project, not of the paper. The flows begin at the weights and mean squares of RMSprop, "
    "and nothing in them is fitted. Radii are those at the pictures, without an anneal.",
)
