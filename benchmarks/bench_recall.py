"""Recall of many cues: attrax beside the same network iterated by PyTorch eager, and beside a look-up of neighbors."""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from benchmarks.measure import Bars, Table, machine, title

ATOL = 1e-8
"""Both iterate until a step is shorter than this, the paper's literal reading."""
BATCHES = (250, 1000, 10_000)
ROUNDS = 3
ALONE = 15
"""Calls with one cue."""
STEPS = 10_000


def main() -> None:
    """Prints cues a second of a memory by the default writer and of a trained autoencoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=100, metavar="N", help="faces")
    parser.add_argument("--cues", type=int, default=10_000, metavar="N")
    options = parser.parse_args()
    import torch

    faces = ax.sources.load("faces", n=options.number).values
    which = np.arange(options.cues) % len(faces)
    title(
        f"Recall: cues a second, {len(faces)} faces, {options.cues:,} cues with σ = 0.3",
        machine() + f"; PyTorch {torch.__version__} with one thread or all {os.cpu_count()}, whichever is faster",
        f"The best of {ROUNDS} interleaved rounds, in batches of the size that is best for each. Both iterate in "
        f"float64 until a step is shorter than {ATOL:g}; attrax also says where each cue ends. PyTorch: all cues of a "
        "batch until the last has converged, or without those that have.",
    )
    cues = ax.corrupt("gaussian:0.3", faces[which], key=jr.key(1))
    bars = Bars()
    table = Table(
        "network",
        "attrax",
        "PyTorch",
        "the same, cues retired",
        "ratio to the faster",
        "limits that agree",
        "bar",
        "attrax, ms for one cue",
        "PyTorch, ms for one cue",
    )
    for name, memory in _memories(faces):
        own = _Own(memory, cues, which)
        plain, retired = (_Torch(memory, cues, retire) for retire in (False, True))
        rounds = [[run.rate() for run in (own, plain, retired)] for _ in range(ROUNDS)]
        rates = np.max(rounds, axis=0).tolist()
        ratio = rates[0] / max(rates[1:])
        apart = np.abs(own.limits - retired.limits).reshape(len(cues), -1).max(axis=1)
        table.row(
            name,
            *(f"{rate:,.0f}" for rate in rates),
            f"{ratio:.2f}",
            f"{np.mean(apart < 1e-6):.2%}",
            bars.check(name, "≥ 3", ratio >= 3),
            *(f"{run.latency() * 1e3:.1f}" for run in (own, retired)),
        )
    _neighbors(faces, cues, which)
    print("\n" + bars.summary())


def _memories(faces: np.ndarray) -> list[tuple[str, Any]]:
    network = ax.maps.mlp(faces.shape[1:], width=512, depth=3, init="kaiming_uniform", key=jr.key(0))
    # Trained with noise alone, about half of the faces are no attractors, and many cues don't converge for long.
    writer = ax.Gradient(
        coordinates=0.0,
        corruptions=("gaussian:0.3",),
        adversarial_deviation=0.2,
        epochs=4000,
        learning_rate=2e-3,
    )
    return [
        ("winner-take-all, by default", ax.store(faces, key=jr.key(0))),
        ("autoencoder 3×512, adversarial deviations", ax.store(faces, network, writer=writer, key=jr.key(0))),
    ]


def _best(cues: np.ndarray, run: Callable[[np.ndarray], np.ndarray]) -> tuple[int, np.ndarray]:
    """The size of batches that is fastest, after a warm-up with each, and the limits."""
    seconds = []
    limits = np.empty(0)
    for size in BATCHES:
        _through(cues, size, run)
        begun = time.perf_counter()
        limits = _through(cues, size, run)
        seconds.append(time.perf_counter() - begun)
    return BATCHES[int(np.argmin(seconds))], limits


def _through(cues: np.ndarray, size: int, run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.concatenate([run(cues[start : start + size]) for start in range(0, len(cues), size)])


def _latency(cue: np.ndarray, run: Callable[[np.ndarray], np.ndarray]) -> float:
    """Seconds for one cue, from the second call on: the median of several."""
    run(cue)
    seconds = []
    for _ in range(ALONE):
        begun = time.perf_counter()
        run(cue)
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


class _Own:
    """attrax's recall."""

    def __init__(self, memory: Any, cues: np.ndarray, which: np.ndarray) -> None:
        self._cues = cues
        self._run = lambda part: ax.recall(memory, part, atol=ATOL, max_steps=STEPS).value
        self._size, self.limits = _best(cues, self._run)

    def rate(self) -> float:
        """Cues a second."""
        begun = time.perf_counter()
        _through(self._cues, self._size, self._run)
        return len(self._cues) / (time.perf_counter() - begun)

    def latency(self) -> float:
        """Seconds for one cue."""
        return _latency(self._cues[:1], self._run)


class _Torch:
    """The same layers in PyTorch, with the number of threads that is faster."""

    def __init__(self, memory: Any, cues: np.ndarray, retire: bool) -> None:
        import torch

        self._cues, self._torch = cues, torch
        dense = memory.dense().map
        assert dense.activation == "relu"
        biases = [np.zeros(len(w)) if b is None else b for w, b in zip(dense.weights, dense.biases, strict=True)]
        layers = list(zip(dense.weights, biases, strict=True))
        layers = [tuple(torch.tensor(np.asarray(part), dtype=torch.float64) for part in layer) for layer in layers]

        def step(x: Any) -> Any:
            for weight, bias in layers[:-1]:
                x = torch.relu(torch.nn.functional.linear(x, weight, bias))
            return torch.nn.functional.linear(x, *layers[-1])

        @torch.no_grad()
        def run(part: np.ndarray) -> np.ndarray:
            x = torch.tensor(part.reshape(len(part), -1), dtype=torch.float64)
            limits, rows = x.clone(), torch.arange(len(x))
            for _ in range(STEPS):
                new = step(x)
                going = (new - x).norm(dim=1) >= ATOL
                x = new
                if retire:
                    limits[rows[~going]] = x[~going]
                    x, rows = x[going], rows[going]
                if not going.any():
                    break
            limits[rows] = x
            return limits.numpy().reshape(part.shape)

        self._run, found = run, []
        for threads in (1, os.cpu_count() or 1):
            torch.set_num_threads(threads)
            size, self.limits = _best(cues, run)
            found.append((self._timed(size), threads, size))
        _, self._threads, self._size = min(found)

    def _timed(self, size: int) -> float:
        begun = time.perf_counter()
        _through(self._cues, size, self._run)
        return time.perf_counter() - begun

    def rate(self) -> float:
        """Cues a second."""
        self._torch.set_num_threads(self._threads)
        return len(self._cues) / self._timed(self._size)

    def latency(self) -> float:
        """Seconds for one cue."""
        self._torch.set_num_threads(self._threads)
        return _latency(self._cues[:1], self._run)


def _neighbors(faces: np.ndarray, cues: np.ndarray, which: np.ndarray) -> None:
    """The look-up that the memories are compared with elsewhere; faiss where it is installed."""
    flat, asked = faces.reshape(len(faces), -1), cues.reshape(len(cues), -1)
    title("Looking the nearest neighbor up", "Euclidean; it names an example and makes no state.")
    table = Table("library", "cues a second", "right")

    def timed(name: str, look: Callable[[], np.ndarray]) -> None:
        look()
        seconds = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            found = look()
            seconds.append(time.perf_counter() - begun)
        table.row(name, f"{len(cues) / min(seconds):,.0f}", f"{np.mean(found.ravel() == which):.2%}")

    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(flat)
    timed("scikit-learn, brute force", lambda: index.kneighbors(asked, return_distance=False))
    try:
        import faiss
    except ImportError:
        table.row("faiss-cpu", "not installed")
        return
    flat32, asked32 = flat.astype(np.float32), asked.astype(np.float32)
    quick = faiss.IndexFlatL2(flat32.shape[1])
    quick.add(flat32)
    timed("faiss-cpu, IndexFlatL2, float32", lambda: quick.search(asked32, 1)[1])


if __name__ == "__main__":
    main()
