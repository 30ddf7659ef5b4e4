"""One full-batch epoch of Adam, float32: attrax's compiled loop beside PyTorch eager, interleaved in one run."""

import os
import time

import jax.random as jr
import numpy as np

import attrax as ax

NETWORKS = (
    (2, 100, 10, 6),
    (2, 1000, 3, 6),
    (784, 512, 11, 100),
    (784, 1024, 1, 100),
    (16384, 1024, 3, 389),
)
"""Entries of a state, width, depth, examples."""

ROUNDS, SECONDS = 5, 1.5


def main() -> None:
    """Prints a Markdown table of medians over the rounds."""
    import torch

    print("## Training: milliseconds per full-batch epoch, Adam, float32\n")
    print(
        f"median of {ROUNDS} interleaved rounds of about {SECONDS:g} s each, after a warm-up of both; PyTorch "
        f"{torch.__version__} with one thread or all {os.cpu_count()}, whichever is faster\n"
    )
    print("| network, examples | attrax | PyTorch eager | ratio |")
    print("|---|---|---|---|")
    for size, width, depth, num in NETWORKS:
        points = np.random.default_rng(0).random((num, size), np.float32)
        network = ax.maps.mlp((size,), width=width, depth=depth, key=jr.key(0))
        contestants = (_attrax(network, points), _torch(network, points))
        epochs = [_enough(run) for run in contestants]
        times = [[run(count) for run, count in zip(contestants, epochs, strict=True)] for _ in range(ROUNDS)]
        ours, theirs = 1e3 * np.median(times, axis=0)
        print(f"| {size}-{depth}×{width}-{size}, {num} | {ours:.3g} | {theirs:.3g} | {theirs / ours:.2f} |", flush=True)
    print()


def _enough(run):
    """Epochs that take about `SECONDS`."""
    epochs = 8
    while run(epochs) * epochs < SECONDS / 4:
        epochs *= 2
    return int(SECONDS / run(epochs)) + 8


def _attrax(network, points):
    """Seconds an epoch as a function of the number of epochs.

    The clock starts when the loop comes back to the host for the first time, which it does after one epoch.
    """
    adam = ax.training.optimizer("adam")

    def run(epochs: int) -> float:
        times: list[tuple[int, float]] = []

        def note(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
            times.append((done, time.perf_counter()))

        ax.training.fit(
            network, points, points, optimizer=adam, tol=0.0, epochs=epochs + 1, progress=note, key=jr.key(0)
        )
        return (times[-1][1] - times[0][1]) / (times[-1][0] - times[0][0])

    run(2)  # compiles
    return run


def _torch(network, points):
    import torch

    weights = [torch.tensor(np.array(weight), requires_grad=True) for weight in network.weights]
    biases = [torch.tensor(np.array(bias), requires_grad=True) for bias in network.biases]
    adam = torch.optim.Adam([*weights, *biases], lr=1e-4)
    inputs = torch.tensor(points)

    def run(epochs: int) -> float:
        begun = time.perf_counter()
        for _ in range(epochs):
            hidden = inputs
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                hidden = torch.relu(torch.nn.functional.linear(hidden, weight, bias))
            loss = ((torch.nn.functional.linear(hidden, weights[-1], biases[-1]) - inputs) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            loss.item()  # the stopping rule needs it, here as there
        return (time.perf_counter() - begun) / epochs

    def with_threads(threads: int) -> float:
        torch.set_num_threads(threads)
        run(2)
        return run(_enough(run) // 4)

    # Small networks run faster on one thread: the peer gets the better number.
    threads = min({1, os.cpu_count() or 1}, key=with_threads)

    def best(epochs: int) -> float:
        torch.set_num_threads(threads)
        return run(epochs)

    return best


if __name__ == "__main__":
    main()
