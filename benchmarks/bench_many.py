"""Networks trained together (`fit_many`) beside the same ones trained one after another (`fit`), interleaved."""

import time

import jax.random as jr
import numpy as np

import attrax as ax
from benchmarks.measure import Table, machine, title

SETTINGS = (
    (8, 2, 16, 4, 32, 3_000),
    (8, 2, 16, 16, 32, 3_000),
    (64, 10, 32, 8, 20, 500),
    (1024, 10, 128, 2, 25, 200),
    (1024, 10, 128, 5, 25, 200),
    (784, 3, 512, 5, 100, 20),
)
"""Entries of a state, depth, width, networks, examples, epochs."""

ROUNDS = 3


def main() -> None:
    """Prints a Markdown table of medians over the rounds; compilation is left out on both sides."""
    title(
        "Many networks at once: full-batch epochs of Adam, float32",
        machine(),
        f"median of {ROUNDS} interleaved rounds; ratio above 1: together is faster",
    )
    table = Table("network, examples", "networks", "together, s", "one after another, s", "ratio")
    adam = ax.training.optimizer("adam")
    for size, depth, width, count, num, epochs in SETTINGS:
        points = np.random.default_rng(0).random((num, size), np.float32)
        networks = [ax.maps.mlp((size,), width=width, depth=depth, key=jr.key(seed)) for seed in range(count)]

        def together(epochs: int, networks=networks, points=points) -> None:
            ax.training.fit_many(networks, points, points, optimizer=adam, tol=0.0, epochs=epochs)

        def apart(epochs: int, networks=networks, points=points) -> None:
            for number, network in enumerate(networks):
                ax.training.fit(network, points, points, optimizer=adam, tol=0.0, epochs=epochs, key=jr.key(number))

        times = np.array([[_timed(run, epochs) for run in (together, apart)] for _ in range(ROUNDS + 1)])[1:]
        many, single = np.median(times, axis=0)
        table.row(
            f"{size}-{depth}×{width}-{size}, {num}", count, f"{many:.3g}", f"{single:.3g}", f"{single / many:.2f}"
        )


def _timed(run, epochs: int) -> float:
    begun = time.perf_counter()
    run(epochs)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
