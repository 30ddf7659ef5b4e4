"""Certifying a map of 12,288 entries: the cyclic product beside the dense Jacobian, which is extrapolated."""

import time

import jax
import jax.random as jr
import numpy as np

import attrax as ax
from attrax._base.numerics import float64

SIZES, TARGET = (768, 1536, 3072), 12_288
WIDTH, DEPTH = 1024, 3


def main() -> None:
    """Prints a Markdown table."""
    print(f"## Certifying one fixed point of a network with {DEPTH}×{WIDTH} ReLU units, float64\n")
    print("The dense route builds the full Jacobian and takes all of its eigenvalues (`numpy.linalg.eigvals`).")
    print(f"At {TARGET:,} entries its time is extrapolated, by the power of the size that fits the measured ones.\n")
    print("| entries | attrax, s | dense, s | ratio | largest difference of the radii |")
    print("|---|---|---|---|---|")
    dense = []
    for size in SIZES:
        memory = _memory(size)
        ours, radius = _attrax(memory)
        theirs, expected = _dense(memory)
        dense.append(theirs)
        print(
            f"| {size:,} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} | {abs(radius - expected):.1e} |", flush=True
        )
    power, offset = np.polyfit(np.log(SIZES), np.log(dense), 1)
    theirs = float(np.exp(offset) * TARGET**power)
    ours, _ = _attrax(_memory(TARGET))
    print(f"| {TARGET:,} | {ours:.2f} | {theirs:,.0f} (extrapolated, size^{power:.2f}) | {theirs / ours:,.0f} | |")
    print()


def _memory(size: int) -> ax.Memory:
    """A random network with one fixed point that is known exactly, with a spectral radius around 1."""
    network = ax.maps.mlp((size,), width=WIDTH, depth=DEPTH, init="kaiming_uniform", dtype=np.float64, key=jr.key(1))
    point = np.random.default_rng(0).random(size)
    with float64():
        shift = point - np.asarray(network(point))
    biases = (*network.biases[:-1], np.asarray(network.biases[-1]) + shift)
    patterns = ax.Patterns.from_examples(point[None])
    return ax.Memory(ax.maps.MLP(network.weights, biases, network.shape, network.activation), patterns, patterns.points)


def _attrax(memory: ax.Memory) -> tuple[float, float]:
    ax.certify(memory)
    begun = time.perf_counter()
    found = ax.certify(memory)
    return time.perf_counter() - begun, float(found.spectral_radius[0])


def _dense(memory: ax.Memory) -> tuple[float, float]:
    with float64():
        jacobian = jax.jit(jax.jacobian(memory.map))
        point = memory.examples().points[0]
        jax.block_until_ready(jacobian(point))
        begun = time.perf_counter()
        eigenvalues = np.linalg.eigvals(np.asarray(jacobian(point)))
        return time.perf_counter() - begun, float(np.abs(eigenvalues).max())


if __name__ == "__main__":
    main()
