"""Memories to be measured: data by name, writing in a process of its own, and recovery rates beside the rivals'."""

import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import RULES
from benchmarks.measure import Bars, end_with_parent, peak_memory

STORE_SEED, RECOVERY_SEED = 0, 1_000
"""Sample s is written with the seed `STORE_SEED + s` and its cues are drawn with `RECOVERY_SEED + s`, those of further
draws with 100 more each."""
CUES = 5
"""Cues an example: rates over a single one differ by points from draw to draw."""


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    **Fields:** `samples` disjoint samples of `mnist` digits each; `imagenet`, `cifar` examples; `numbers` and `pixels`
    of the scaling study, of which the latter has `photographs` examples; `units` × `layers` of the networks for the
    comparison with the reference (`small` those of the smooth activations) and `attempts`, seconds that a writer has
    there; `activation_examples`, `activation_depth`, `activation_width` and `activation_seconds` for the table of
    activations; `epochs`, of the default writer, if not its own; `reference`, seconds at most for a row of the
    reference.
    """

    samples: int = 5
    mnist: int = 100
    imagenet: int = 500
    cifar: int = 2_000
    numbers: tuple[int, ...] = (25, 50, 100, 200, 500, 1_000, 2_000)
    pixels: tuple[tuple[int, ...], ...] = ((16, 16), (16, 16, 3), (32, 32, 3), (64, 64, 3), (128, 128, 3))
    photographs: int = 100
    units: int = 512
    layers: tuple[int, ...] = (5,)
    small: tuple[int, int] = (10, 128)
    attempts: float = 60.0
    activation_examples: int = 20
    activation_depth: int = 10
    activation_width: int = 128
    activation_seconds: float = 15.0
    epochs: int | None = None
    reference: float = 900.0


QUICK = Sizes(
    samples=2,
    mnist=8,
    imagenet=6,
    cifar=20,
    numbers=(8, 16),
    pixels=((16, 16), (16, 16, 3)),
    photographs=6,
    units=32,
    layers=(2, 3),
    small=(3, 16),
    attempts=3.0,
    activation_examples=4,
    activation_depth=2,
    activation_width=16,
    activation_seconds=2.0,
    epochs=10,
    reference=4.0,
)
"""Sizes for a smoke run: every table appears, and no number in it means anything."""


@dataclass(frozen=True)
class Run:
    """One memory as it was written in a process of its own.

    **Fields:** `memory`; `seconds` of the whole `store`, compilation and certificates included; `fitting`, seconds
    until training ended for the last time; `training`, until certifying began, which is after the network was made;
    `cpu`, seconds of all cores; `peak`, MB of the process, Python and JAX included.
    """

    memory: ax.Memory
    seconds: float
    fitting: float
    training: float
    cpu: float
    peak: float

    @property
    def attractors(self) -> int:
        """How many examples are certified."""
        assert self.memory.certificate is not None  # `store` sets it
        return self.memory.certificate.num_attractors

    @property
    def num(self) -> int:
        """How many examples there are."""
        return len(self.memory.examples())

    @property
    def complete(self) -> bool:
        """Whether every example is certified."""
        return self.attractors == self.num

    @property
    def certified(self) -> str:
        """Certified examples of all."""
        return f"{self.attractors}/{self.num}"

    @property
    def loss(self) -> float:
        """Mean squared error on the clean examples."""
        return float(self.memory.written["loss"])


@dataclass
class Bench:
    """What the tables share: sizes, bars, and the memories that were written already."""

    sizes: Sizes
    networks: tuple[str, ...] = ()
    """Which networks the reference is compared on; none stands for all."""
    bars: Bars = field(default_factory=Bars)
    runs: dict[Any, Run] = field(default_factory=dict)

    def write(
        self,
        name: str,
        examples: np.ndarray,
        writer: Any = None,
        *,
        seed: int = 0,
        network: Any = None,
        apart: bool = True,
    ) -> Run:
        """The memory of `examples`, written once for each name, writer, network and seed.

        By default it is the default writer, in a process of its own; `apart=False` saves that where nobody asks for
        the memory it took.
        """
        writer = self.default() if writer is None else writer
        mark = (name, len(examples), examples.shape[1:], repr(writer), repr(network), seed)
        if mark not in self.runs:
            job = (examples, network, writer, STORE_SEED + seed)
            if apart:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent) as pool:
                    self.runs[mark] = pool.submit(_written, *job).result()
            else:
                self.runs[mark] = _written(*job)
        return self.runs[mark]

    def default(self, **options: Any) -> ax.Auto:
        """The default writer, cut short in a smoke run."""
        return ax.Auto(epochs=self.sizes.epochs, **options)

    def mnist(self) -> list[np.ndarray]:
        """Disjoint samples of digits, in the order of the file."""
        number, size = self.sizes.samples, self.sizes.mnist
        values = ax.sources.load("mnist", n=number * size).values
        return [values[start : start + size] for start in range(0, number * size, size)]

    def memories(self, **options: Any) -> list[Run]:
        """One memory of each sample of digits by the default writer."""
        writer = self.default(**options)
        return [self.write("mnist", sample, writer, seed=index) for index, sample in enumerate(self.mnist())]


def _written(examples: np.ndarray, network: Any, writer: Any, seed: int) -> Run:
    """Writes, and measures the process it happens in."""
    begun, used = time.perf_counter(), time.process_time()
    done: list[float] = []

    def note(task: str, finished: int, total: int, numbers: dict[str, float]) -> None:
        # Certifying reports what it has done; its beginning is the end of what came before.
        if task != "certifying":
            done[:] = [time.perf_counter() - begun]

    memory = ax.store(examples, network, writer=writer, progress=note, key=jr.key(seed))
    seconds = time.perf_counter() - begun
    attempts = memory.written.get("attempts")
    training = sum(attempt["seconds"] for attempt in attempts) if attempts else (done or [seconds])[0]
    return Run(memory, seconds, (done or [0.0])[0], training, time.process_time() - used, peak_memory())


@dataclass(frozen=True)
class Rates:
    """How one kind of corruption was recalled from, over several memories.

    **Fields:** `memory`, a rate for each memory; `rivals`, for each nearest-neighbor rule the same on the same cues.
    """

    memory: np.ndarray
    rivals: dict[str, np.ndarray]

    @property
    def mean(self) -> float:
        """Mean rate of the memories."""
        return float(self.memory.mean())

    @property
    def worst(self) -> float:
        """Rate of the worst memory."""
        return float(self.memory.min())

    def rival(self, rule: str) -> float:
        """Mean rate of a rule."""
        return float(self.rivals[rule].mean())

    @property
    def best_rival(self) -> float:
        """Mean rate of the best rule."""
        return max(self.rival(rule) for rule in self.rivals)


def rates(memories: list[ax.Memory], kind: str, *, max_steps: int = 10_000) -> Rates:
    """Recovery of every example of each memory from `CUES` corrupted copies, beside the nearest-neighbor rules."""
    own, rivals = np.zeros(len(memories)), {rule: np.zeros(len(memories)) for rule in RULES}
    for index, memory in enumerate(memories):
        for draw in range(CUES):
            key = jr.key(RECOVERY_SEED + 100 * draw + index)
            found = ax.recovery(memory, kind, max_steps=max_steps, key=key)
            own[index] += found.recovery_rate / CUES
            for rule in RULES:
                rivals[rule][index] += found.neighbor_rates[rule] / CUES
    return Rates(own, rivals)


def saw(memory: ax.Memory, kind: str) -> bool:
    """Whether training saw this kind of corruption, at whatever level."""
    wanted = ax.parse_corruption(kind).kind
    trained = memory.written.get("corruptions") or ()
    if wanted == "gaussian" and memory.written.get("noise"):
        return True
    return any(ax.parse_corruption(name).kind == wanted for name in trained)


def require(names: dict[str, str]) -> None:
    """Ends the program with a message unless the data sets (name → table that asks for it) can be found."""
    root = os.environ.get("ATTRAX_DATA")
    if not root or not os.path.isdir(root):
        said = "is not set" if not root else f"is {root!r}, which is no folder"
        print(
            f"ATTRAX_DATA {said}: set it to a folder that holds the data sets as mnist/, cifar-10-batches-bin/ and "
            "imagenet64/ (export ATTRAX_DATA=/path/to/data)",
            file=sys.stderr,
        )
        raise SystemExit(2)
    for name, table in names.items():
        try:
            ax.sources.load(name, n=1)
        except ValueError as error:
            print(f"the table {table} needs {name}: {error}", file=sys.stderr)
            raise SystemExit(2) from None
