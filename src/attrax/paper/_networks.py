"""The networks of experiments: how one is trained in either mode, and the numbers of a cell about its memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Float, PRNGKeyArray

from attrax import StoreStatus, load, save
from attrax.dynamics import NEVER, run, states_of
from attrax.extending import HostStates, Map, cast, float64, one_blas_thread
from attrax.linalg import leading_eigenvalue
from attrax.maps import describe, linearizer, mlp, reduced_map
from attrax.memory import Memory
from attrax.paper._pictures import least_distance
from attrax.paper.sweeps import Work
from attrax.patterns import Patterns
from attrax.training import Coordinates, fit, fit_at_edge, optimizer
from attrax.writing import Auto, Gradient, refine_and_certify, store

RECIPE: dict[str, Any] = {
    "optimizer": "adam",
    "rate": 1e-4,
    "tol": 1e-8,
    "init": "pytorch",
    "bias": True,
    "dtype": "float64",
}
"""The training settings of the mode `paper`, unless an experiment overrides them."""

EDGE: dict[str, Any] = {"optimizer": "rmsprop", "rate": "edge", "dtype": "float32", "epochs": 10_000}
"""What the mode `edge` has in place of these. `epochs` are those at the largest stable rate, before the anneal."""

_LAST = 0.01
"""The share of the rate that an `anneal` ends at."""
_WAY = 20
"""Rows of loss and radii on the way, at most."""

_OF_THE_WRITER = ("width", "depth", "activation", "epochs")
_NO_CHOICE = (
    "attempts",
    "carriers",
    "chosen_by",
    "closest_pair",
    "cross_entropy",
    "epochs",
    "failed",
    "loss",
    "seconds",
    "status",
    "time_limit",
    "time_limited",
)
"""Entries in the record of writing that are not choices: outcomes, times, and lists as long as the examples."""


def network_settings(settings: Mapping[str, Any], mode: str, recipe: Mapping[str, Any] = RECIPE) -> dict[str, Any]:
    """The settings of a cell with everything that determines its network in this mode, and without unused ones.

    In the mode `paper` that is the recipe, except where the settings override it. In the mode `edge` it is that of
    `RECIPE` and `EDGE`, overridden by what the settings have under `edge`. In the mode `attrax` the writer chooses; its
    choices are among the numbers of the cell.

    >>> settings = {"n": 3, "depth": 2, "edge": {"depth": 4}, "auto_epochs": 9}
    >>> network_settings(settings, "attrax")
    {'n': 3, 'auto_epochs': 9}
    >>> network_settings(settings, "edge")["depth"]
    4
    """
    unused = ("edge", *_OF_THE_WRITER, *recipe) if mode == "attrax" else ("edge", "auto_epochs")
    kept = {name: value for name, value in settings.items() if name not in unused}
    if mode == "edge":
        return {**RECIPE, **kept, **EDGE, **settings.get("edge", {})}
    return {**recipe, **kept} if mode == "paper" else kept


def recipe(settings: Mapping[str, Any]) -> Any:
    """The network described by these settings, as a function of its shape and a key."""
    return partial(mlp, **{name: settings[name] for name in ("width", "depth", "activation", "init", "bias", "dtype")})


def write(
    patterns: Patterns | HostStates,
    settings: Mapping[str, Any],
    work: Work,
    *,
    options: Mapping[str, Any] | None = None,
    key: PRNGKeyArray | None = None,
) -> Memory:
    """Writes a memory as the mode requires.

    In the modes `paper` and `edge` from settings with `width`, `depth`, `activation` and `epochs`, with `seconds` if
    training has a time limit, and with names of `RECIPE` that override it; at the edge, `rate` is `"edge"`. With
    `coordinates`, training is in the span of the examples, and starts from the network of the states, projected. In the
    mode `attrax` by `Auto`, which chooses network and training; `auto_epochs` bounds each of its attempts. With
    `options`, these options of `Gradient` replace the recipe's optimizer in both modes, and the network is the one
    described by the settings. By default, `key` is derived from the seed.

    The memory is kept beside the checkpoint, so that an interrupted cell neither trains nor certifies it again.
    """
    if work.memory is not None and work.memory.exists():
        return load(work.memory)
    key = jr.key(settings["seed"]) if key is None else key
    network, writer = None, Auto(epochs=settings.get("auto_epochs"))
    if settings["mode"] != "attrax" or options is not None:
        settings = {**RECIPE, **settings}
        chosen: Mapping[str, Any] = {
            "optimizer": settings["optimizer"],
            "learning_rate": _annealed(settings),
            "coordinates": settings.get("coordinates"),
        }
        chosen = chosen if options is None else options
        limits = {"tol": settings["tol"], "epochs": settings["epochs"], "time_limit": settings.get("seconds")}
        network, writer = recipe(settings), Gradient(**chosen, **limits)
        if options is None and writer.training.coordinates is not None:
            points = patterns.points if isinstance(patterns, Patterns) else np.asarray(patterns)
            network = _projected(network(points.shape[1:], key=jr.fold_in(key, 1)), points)
    memory = store(
        patterns,
        network,
        writer=writer,
        checkpoint=work.checkpoint,
        resume=work.checkpoint is not None,
        progress=work.progress,
        key=key,
    )
    if work.memory is not None:
        save(work.memory, memory)
    return memory


def _projected(network: Any, points: HostStates) -> Any:
    """The network without what it reads outside the span of the points."""
    with float64():
        span = Coordinates.of(points)
        return jax.tree.map(np.asarray, cast(span.fold(span.unfold(network)), network.weights[0].dtype))


def _annealed(settings: Mapping[str, Any]) -> Any:
    """The rate; if the settings have an `anneal`, it falls over this share of the epochs, at the end."""
    rate, share = settings["rate"], settings.get("anneal")
    if share is None or rate == "edge":
        return rate
    falling = max(int(share * settings["epochs"]), 1)
    return optax.exponential_decay(
        rate, falling, _LAST, transition_begin=settings["epochs"] - falling, end_value=_LAST * rate
    )


def fitted(
    network: Any,
    examples: HostStates,
    settings: Mapping[str, Any],
    work: Work,
    key: PRNGKeyArray,
    *,
    trained: Callable[[Any], Map] = lambda network: network,
) -> Memory:
    """Trains a map of any kind to reproduce the examples, with these settings, and certifies its memory.

    `trained` extracts the map to be certified from the trained one.
    """
    # Not `store`: a rule of learning may train a map around the network, and `Gradient` lets the rate of maps that it
    # does not know fall, where the paper keeps it.
    name, patterns = settings["optimizer"], Patterns.from_examples(examples)
    common: dict[str, Any] = {
        "epochs": settings["epochs"],
        "seconds": settings.get("seconds"),
        "tol": settings["tol"],
        "checkpoint": work.checkpoint,
        "resume": work.checkpoint is not None,
        "progress": work.progress,
        "key": key,
    }
    edge = {}
    if settings["rate"] == "edge":
        common |= {"cycles": patterns.cycles, "examined": trained}
        at_edge = fit_at_edge(network, examples, examples, optimizer=name, **common)
        found, edge = at_edge.fit, {"edge": at_edge.record()}
    else:
        found = fit(network, examples, examples, optimizer=optimizer(name, learning_rate=settings["rate"]), **common)
    memory = refine_and_certify(Memory(trained(found.map), patterns), progress=work.progress)
    assert memory.certificate is not None  # `refine_and_certify` sets it
    status = str(memory.certificate.status_after(found.status))
    written = {"writer": "fit", "loss": found.loss, "epochs": found.epochs, "status": status}
    return replace(memory, written=written | edge)


def reached(memory: Memory) -> bool:
    """Whether training reached its loss; otherwise no example counts as stored."""
    return memory.status in (StoreStatus.STORED, StoreStatus.NOT_ALL_CERTIFIED)


def stored_numbers(memory: Memory) -> dict[str, Any]:
    """The numbers of every cell about its memory."""
    certificate = memory.certificate
    assert certificate is not None  # `store` certifies
    finite = certificate.spectral_radius[np.isfinite(certificate.spectral_radius)]
    patterns = memory.examples()
    originals = np.asarray(memory.originals)
    return {
        "attractors": certificate.num_attractors,
        "inconclusive": certificate.num_inconclusive,
        "cycles": len(certificate.cycles),
        "states": len(patterns),
        "radius_median": float(np.median(finite)) if len(finite) else None,
        "radius_max": float(finite.max()) if len(finite) else None,
        "radius_below_one": int((certificate.spectral_radius < 1).sum()),
        "least_distance": least_distance(originals),
        "loss": memory.written.get("loss"),
        "epochs": memory.written.get("epochs"),
        "writer": memory.written.get("writer"),
        "status": str(memory.status),
        **edge_numbers(memory),
        **_chosen(memory),
    }


def edge_numbers(memory: Memory) -> dict[str, Any]:
    """The rate that was found, the schedule, and loss and radii on the way, if the memory was trained at the edge.

    `on_the_way` has rows of epoch, loss, and median and largest spectral radius, evenly spread.
    """
    edge = memory.written.get("edge")
    if edge is None:
        return {}
    history = edge["history"]
    rows = [history[place] for place in np.unique(np.linspace(0, len(history) - 1, _WAY).round().astype(int))]
    return {
        "edge_rate": edge["rate"],
        "rates_tried": len(edge["tried"]),
        "schedule": [[name, float(f"{rate:.3g}"), epochs] for name, rate, epochs in edge["schedule"]],
        "on_the_way": [
            [row["epoch"], _three(row["loss"]), *(_three(row[name], base=10) for name in ("median", "largest"))]
            for row in rows
        ],
    }


def _three(number: float | None, base: float | None = None) -> float | None:
    """A number, or the base to its power, to three digits; a record has None for what is not finite."""
    return None if number is None else float(f"{number if base is None else base**number:.3g}")


def _chosen(memory: Memory) -> dict[str, Any]:
    """The network in words; if the writer chose it, also the number of attempts and the other choices."""
    found: dict[str, Any] = {"network": f"{describe(memory.map).text}, {_dtype(memory.map)}"}
    attempts = memory.written.get("attempts")
    if attempts is not None:
        found["attempts"] = len(attempts)
        found["chosen"] = {
            name: value for name, value in memory.written.items() if name not in _NO_CHOICE and value is not None
        }
    return found


def _dtype(map: Map) -> str:
    """The precision of the arrays of a map."""
    return "/".join(sorted({str(leaf.dtype) for leaf in jax.tree.leaves(map) if hasattr(leaf, "dtype")}))


def iterated_states(memory: Memory, starts: HostStates, steps: Sequence[int]) -> np.ndarray:
    """The states after each of `steps` applications of the map, steps×n×state shape, in float64.

    Where a start diverges, its last finite state.
    """
    starts = np.asarray(starts, np.float64)
    with float64():
        reduced = reduced_map(memory.map, starts.shape[1:])
    unit = memory.examples().unit
    return np.stack(
        [states_of(reduced, run(reduced, starts, max_steps=step, atol=NEVER, unit=unit).z) for step in steps]
    )


def radii_at(map: Map, points: HostStates) -> Float[np.ndarray, " n"]:
    """The spectral radius of the Jacobian at each point as given, without searching for a fixed point: the paper's
    reading.

    **Arguments:** `map`; `points`, n×state shape. **Returns** n numbers; NaN if the Jacobian is not finite.

        >>> radii_at(lambda x: x / 2, np.zeros((1, 2))).tolist()
        [0.5]
    """
    linearize = linearizer(map)
    radii = np.full(len(points), np.nan)
    with one_blas_thread():  # small products: shared threads would wait
        for row, point in enumerate(np.asarray(points, np.float64)):
            product = linearize(point[None], 0.0).product
            if product is not None and np.isfinite(product.matrix).all():
                radii[row] = abs(leading_eigenvalue(product).value) * np.exp(product.log_scale)
    return radii
