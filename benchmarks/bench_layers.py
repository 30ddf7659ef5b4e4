"""Layers of equal shape, one after another or as one scanned loop: what compiling and one epoch take.

python -m benchmarks.bench_layers
"""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

import attrax as ax
from attrax.activations import activation
from benchmarks.measure import Table, machine, title

SIZES = ((10, 128, 25), (31, 128, 25), (10, 256, 100))
"""Depth, width and number of examples, which have as many entries as there are units."""
EPOCHS = 50


def one_by_one(network: ax.maps.MLP, x: jax.Array) -> jax.Array:
    """The network as it is computed everywhere in this library."""
    return network(x)


def scanned(network: ax.maps.MLP, x: jax.Array) -> jax.Array:
    """The same with one loop over all layers but the first and the last."""
    phi = activation(network.activation)
    first, *middle = [(weight, bias) for weight, bias in zip(network.weights, network.biases, strict=True)][:-1]

    def layer(hidden: jax.Array, arrays: Any) -> tuple[jax.Array, None]:
        return phi(arrays[0] @ hidden + arrays[1]), None

    hidden, _ = layer(x, first)
    hidden, _ = jax.lax.scan(layer, hidden, jax.tree.map(lambda *rows: jnp.stack(rows), *middle))
    return network.readout(hidden)


def main() -> None:
    """Prints a Markdown table; the seconds are CPU seconds, and of an epoch those of the second run."""
    title("Layers one by one and scanned: gradient descent", machine())
    table = Table("depth", "width", "examples", "layers", "compiling, s", "an epoch, ms")
    for depth, width, examples in SIZES:
        network = ax.maps.mlp((width,), width=width, depth=depth, activation="cosid", key=jr.key(0))
        points = jr.uniform(jr.key(1), (examples, width))
        outputs = []
        for name, apply in {"one by one": one_by_one, "scanned": scanned}.items():
            compiling, epoch, trained = _timed(apply, network, points)
            outputs.append(jax.vmap(trained)(points))
            table.row(depth, width, examples, name, f"{compiling:.2f}", f"{1e3 * epoch:.2f}")
        assert jnp.allclose(*outputs, atol=1e-3), "both must be the same network"


def _timed(
    apply: Callable[[ax.maps.MLP, jax.Array], jax.Array], network: ax.maps.MLP, points: jax.Array
) -> tuple[float, float, ax.maps.MLP]:
    def loss(network: ax.maps.MLP) -> jax.Array:
        return jnp.mean((jax.vmap(lambda x: apply(network, x))(points) - points) ** 2)

    def epoch(network: ax.maps.MLP, _: None) -> tuple[ax.maps.MLP, jax.Array]:
        value, slope = eqx.filter_value_and_grad(loss)(network)
        return jax.tree.map(lambda weight, change: weight - 1e-3 * change, network, slope), value

    begun = time.process_time()
    run = jax.jit(lambda network: jax.lax.scan(epoch, network, None, length=EPOCHS)).lower(network).compile()
    compiling = time.process_time() - begun
    jax.block_until_ready(run(network))
    begun = time.process_time()
    trained, _ = jax.block_until_ready(run(network))
    return compiling, (time.process_time() - begun) / EPOCHS, trained


if __name__ == "__main__":
    main()
