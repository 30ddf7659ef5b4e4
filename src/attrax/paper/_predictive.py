"""A generative predictive-coding network as an associative memory: a small one of this project's own.

The value nodes x₀ (the pixels) to x_L are predicted from above, μ_l = W_{l+1} φ(x_{l+1}) + b_{l+1}, and the top layer
by a memory vector, μ_L = m. The energy is F = ½ Σ_l |x_l − μ_l|². Writing moves the value nodes of every example and
the weights downhill together (incremental predictive coding); reading fixes the weights and moves the nodes.

**Source:** Salvatori et al., NeurIPS 2021 (the network, and how it reads); Salvatori et al., ICLR 2024 (incremental
writing). Adam moves the nodes here, as in Yoo and Wood's code, because plain gradients need a rate per network.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from attrax.extending import Progress
from attrax.paper._rival_memories import RivalMemory

NAME = "predictive coding (own)"
_BLOCK = 100
"""Training steps in one compiled loop, between two calls of `progress`."""

Weights = Mapping[str, Any]


def size_of(dimension: int, units: int, layers: int = 2) -> int:
    """The number of parameters of a network with these hidden units: weights, biases and the memory vector.

    >>> size_of(3072, 512)
    1839104
    """
    return dimension * units + dimension + (layers - 1) * (units * units + units) + units


def units_for(dimension: int, parameters: int, layers: int = 2) -> int:
    """The largest number of hidden units with at most this many parameters, at least 1.

    >>> size_of(3072, units_for(3072, 2_000_000)) <= 2_000_000
    True
    """
    units = 1
    while size_of(dimension, 2 * units, layers) <= parameters:
        units *= 2
    step = units
    while step := step // 2:
        units += step * (size_of(dimension, units + step, layers) <= parameters)
    return units


def predictive_memories(
    rows: np.ndarray,
    *,
    units: int,
    layers: int = 2,
    epochs: int,
    read_steps: Sequence[int],
    rate: float = 2e-3,
    node_rate: float = 2e-2,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> list[RivalMemory]:
    """Writes rows, n×d, into a network with `layers` hidden layers of tanh units. One memory for each way to read it.

    **Arguments:** `units` of each layer; `epochs`, full-batch steps of Adam on the weights and the nodes; `read_steps`,
    numbers of steps of Adam on the nodes for a cue. The last one's prediction of the pixels is the answer, and few
    steps stay near what the memory vector predicts. `rate` and `node_rate`, falling to zero along a cosine; `progress`;
    `key`.

    Known entries are fixed while reading and the others free, so they have no error. An answer to a masked cue has the
    known entries of the cue.
    """
    weights = _written(
        jnp.asarray(rows, jnp.float32), units, layers, epochs, rate, node_rate, progress=progress, key=key
    )

    def answer(cues: np.ndarray, known: np.ndarray | None, *, steps: int) -> np.ndarray:
        told = jnp.ones(cues.shape, bool) if known is None else jnp.asarray(known)
        values = np.asarray(_read(weights, jnp.asarray(cues, jnp.float32), told, steps, node_rate), np.float64)
        return values if known is None else np.where(known, cues, values)

    parameters = size_of(rows.shape[1], units, layers)
    setting = f"{layers}x{units} tanh, {epochs:,} epochs"
    return [
        RivalMemory(NAME, f"{setting}, {steps} steps", parameters, 4 * parameters, partial(answer, steps=steps))
        for steps in read_steps
    ]


def _start(dimension: int, units: int, layers: int, key: PRNGKeyArray) -> dict[str, Any]:
    sizes = (dimension, *(units,) * layers)
    weights = [
        jr.normal(jr.fold_in(key, layer), (sizes[layer], sizes[layer + 1])) / np.sqrt(sizes[layer + 1])
        for layer in range(layers)
    ]
    return {"weights": weights, "biases": [jnp.zeros(size) for size in sizes[:-1]], "memory": jnp.zeros(units)}


def _predicted(weights: Weights, nodes: list[Any]) -> list[Any]:
    """The predictions of all layers, pixels first."""
    below = [
        jnp.tanh(node) @ weight.T + bias
        for node, weight, bias in zip(nodes, weights["weights"], weights["biases"], strict=True)
    ]
    return [*below, jnp.broadcast_to(weights["memory"], nodes[-1].shape)]


def _energy(weights: Weights, nodes: list[Any], pixels: Any, told: Any) -> Any:
    means = _predicted(weights, nodes)
    errors = [jnp.where(told, pixels - means[0], 0.0), *(x - mean for x, mean in zip(nodes, means[1:], strict=True))]
    return 0.5 * sum(jnp.sum(error**2) for error in errors)


def _first_nodes(weights: Weights, num: int) -> list[Any]:
    """Every layer at its prediction from above."""
    nodes = [jnp.broadcast_to(weights["memory"], (num, len(weights["memory"])))]
    for weight, bias in zip(weights["weights"][:0:-1], weights["biases"][:0:-1], strict=True):
        nodes.insert(0, jnp.tanh(nodes[0]) @ weight.T + bias)
    return nodes


def _written(
    rows: Any,
    units: int,
    layers: int,
    epochs: int,
    rate: float,
    node_rate: float,
    *,
    progress: Progress | None,
    key: PRNGKeyArray,
) -> Weights:
    state, told = _begun(rows, units, layers, key), np.ones(rows.shape, bool)
    total = -(-epochs // _BLOCK) * _BLOCK
    for begun in range(0, epochs, _BLOCK):
        state, energy = _write_block(state, rows, told, begun, total, rate, node_rate)
        if progress is not None:
            progress("predictive coding", begun, total, {"energy": float(energy)})
    return state[0]


@partial(jax.jit, static_argnames=("units", "layers"))
def _begun(rows: Any, units: int, layers: int, key: PRNGKeyArray) -> tuple[Any, Any, Any]:
    """The weights, the nodes, and what Adam keeps of them, before the first epoch."""
    weights: Any = _start(rows.shape[1], units, layers, key)
    weights["biases"][0] = rows.mean(axis=0)
    # Unequal beginnings, without which all examples would begin at the same nodes.
    nodes = [
        node + 0.1 * jr.normal(jr.fold_in(key, 100 + row), node.shape)
        for row, node in enumerate(_first_nodes(weights, len(rows)))
    ]
    return weights, nodes, _adam().init((weights, nodes))


def _adam() -> Any:
    return optax.scale_by_adam()


@jax.jit
def _write_block(
    state: Any, rows: Any, told: Any, begun: Any, total: Any, rate: Any, node_rate: Any
) -> tuple[Any, Any]:
    adam = _adam()

    def step(carried: Any, number: Any) -> tuple[Any, Any]:
        weights, nodes, moments = carried
        energy, slopes = jax.value_and_grad(lambda both: _energy(both[0], both[1], rows, told))((weights, nodes))
        moves, moments = adam.update(slopes, moments)
        fall = 0.5 * (1 + jnp.cos(jnp.pi * (begun + number) / total))
        weights = jax.tree.map(lambda one, move: one - rate * fall * move, weights, moves[0])
        nodes = jax.tree.map(lambda one, move: one - node_rate * fall * move, nodes, moves[1])
        return (weights, nodes, moments), energy

    state, energies = jax.lax.scan(step, state, jnp.arange(_BLOCK))
    return state, energies[-1]


@partial(jax.jit, static_argnames="steps")
def _read(weights: Any, pixels: Any, told: Any, steps: int, node_rate: Any) -> Any:
    adam = _adam()
    nodes = _first_nodes(weights, len(pixels))

    def step(carried: Any, number: Any) -> tuple[Any, None]:
        nodes, moments = carried
        slopes = jax.grad(lambda some: _energy(weights, some, pixels, told))(nodes)
        moves, moments = adam.update(slopes, moments)
        fall = 0.5 * (1 + jnp.cos(jnp.pi * number / steps))
        return (jax.tree.map(lambda one, move: one - node_rate * fall * move, nodes, moves), moments), None

    (nodes, _), _ = jax.lax.scan(step, (nodes, adam.init(nodes)), jnp.arange(steps))
    return _predicted(weights, nodes)[0]
