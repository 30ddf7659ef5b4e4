"""What a network of fixed size holds: examples recovered and bits per weight, past the capacity."""

import lzma
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record, Rows
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Progress
from attrax.activations import Activation, ActivationLike, reference
from attrax.activations import activation as activation_of
from attrax.analysis._intervals import wilson_interval
from attrax.corruptions import corrupt, parse_corruption
from attrax.dynamics import recall
from attrax.maps import MLP, describe, mlp
from attrax.patterns import Patterns
from attrax.writing import Gradient, store

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
_EPOCHS = 2000
_ROWS = 256
"""Corrupted examples a step, at least: of few examples each is corrupted several times."""


@dataclass(frozen=True, slots=True, eq=False)
class CapacityPoint(Record):
    """What one network stores of so many examples.

    **Fields:**

    - `num_examples`: how many it was trained on.
    - `loss`: mean squared error it was left with.
    - `attractors`: how many are certified attractors.
    - `cues`, `recovered`: corrupted examples, and how many came back.
    - `bits`: the information in the examples that came back: `recovered` of `cues`, times `content_bits` of all.
    - `graded_bits`: n·d·(1 − H₂(ε)), with ε the fraction of the entries that are on the wrong side of the middle of
      their range after recall, at most ½: an entry counts as one bit, and what came back in part counts in part.
    - `num_weights`: weights and biases of the network.
    - `seconds`: that training and certifying took.
    """

    num_examples: int
    loss: float
    attractors: int
    cues: int
    recovered: int
    bits: float
    graded_bits: float
    num_weights: int
    seconds: float

    derived: ClassVar = ("rate", "interval", "bits_per_weight", "graded_bits_per_weight")

    @property
    def rate(self) -> float:
        """Fraction of the cues that came back."""
        return self.recovered / self.cues

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate."""
        return wilson_interval(self.recovered, self.cues)

    @property
    def bits_per_weight(self) -> float:
        """`bits` a weight."""
        return self.bits / self.num_weights

    @property
    def graded_bits_per_weight(self) -> float:
        """`graded_bits` a weight."""
        return self.graded_bits / self.num_weights


@dataclass(frozen=True, slots=True, eq=False)
class CapacitySweep(Rows):
    """Networks of one size on more and more examples.

    **Fields:** `points`, one for each number of examples; `corruption` of the cues; `dimension`, entries per state;
    `width`, `depth`, `activation` of the networks.
    """

    rows_of: ClassVar[str] = "points"

    points: tuple[CapacityPoint, ...]
    corruption: str
    dimension: int
    width: int
    depth: int
    activation: str | Activation

    @property
    def best(self) -> CapacityPoint:
        """The point with the most bits per weight."""
        return max(self.points, key=lambda point: point.bits)

    @property
    def cliff(self) -> int | None:
        """The first number of examples of which less than half the cues came back; `None` where there is none."""
        return next((point.num_examples for point in self.points if point.rate < 0.5), None)


def content_bits(examples: HostStates) -> int:
    """Bits that describe examples without loss: by LZMA, or as they are where that is shorter.

    Pictures of eight bits are taken as bytes, arrays of two values as bits, others as 32-bit floats. It is an upper
    bound on the information in the examples, and close to it for random ones.

    **Raises** `ValueError` without examples.

        >>> content_bits(np.random.default_rng(0).integers(2, size=(8, 100)))
        800
    """
    examples = state_batch("examples", examples)
    values = np.unique(examples)
    if len(values) <= 2:
        plain, raw = np.packbits(examples.ravel() == values[-1]).tobytes(), examples.size
    else:
        level = np.round(np.clip(examples, 0, 1).astype(np.float64) * 255)
        eight = np.array_equal((level / 255).astype(np.float32), examples.astype(np.float32))
        plain = (level.astype(np.uint8) if eight else examples.astype(np.float32)).tobytes()
        raw = 8 * len(plain)
    return min(raw, 8 * len(lzma.compress(plain, format=lzma.FORMAT_RAW, filters=_FILTERS)))


def capacity_sweep(
    examples: HostStates,
    numbers: Sequence[int],
    *,
    width: int = 128,
    depth: int = 3,
    activation: ActivationLike = "relu",
    corruption: str = "gaussian:0.1",
    epochs: int = _EPOCHS,
    repeats: int = 1,
    max_steps: int = 1000,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> CapacitySweep:
    """Trains a network of one size on the first n examples for each n, and measures how much of them comes back.

    Each is trained as `Gradient` does on such corruptions as the cues have, at least 256 of them a step (on the clean
    examples, where the cues are clean), in the coordinates of the data, and polished; the width and depth of the
    network on states, and so its number of weights, stay the same. All start from the same key.

    Two measures of information. `bits` counts whole examples that came back, at what they take compressed, a measure
    that pictures can't inflate. `graded_bits` is that of work on binary patterns, which counts an entry as a bit: exact
    for random binary patterns, too much for pictures, whose entries depend on each other.

    **Arguments:**

    - `examples`: n×state shape.
    - `numbers`: of examples, each at most as many as there are.
    - `width`, `depth`, `activation`: of the network.
    - `corruption`: of the cues, such as `"gaussian:0.1"` or `"none"`.
    - `epochs`: of Adam, for each network.
    - `repeats`: draws for each example.
    - `max_steps`: applications of the map at most.
    - `progress`: called with the number of finished networks.
    - `key`: for networks, training and cues.

    **Returns:** `CapacitySweep`, in the order of the numbers. **Raises** `ValueError` for wrong arguments, before any
    training. **Source:** Sharma, Chandra and Fiete (ICML 2022) and Chandra et al. (Nature 638, 2025), who hold a cliff
    and little information a weight against such memories.

        >>> found = capacity_sweep(np.eye(4), [2], width=16, depth=1, epochs=50, key=jr.key(0))
        >>> found.points[0].num_weights, found.points[0].cues
        (148, 2)
    """
    every = Patterns.from_examples(np.asarray(examples)).points
    if isinstance(numbers, str) or not len(numbers):
        raise ValueError(f"numbers must hold at least one number of examples; got {numbers!r}")
    numbers = [checks.integer("each of numbers", number, least=1, most=len(every)) for number in numbers]
    width = checks.integer("width", width, least=1)
    depth = checks.integer("depth", depth, least=1)
    epochs = checks.integer("epochs", epochs, least=1)
    repeats = checks.integer("repeats", repeats, least=1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    asked = parse_corruption(corruption)
    asked.check_shape(every.shape[1:])
    if asked.partner and min(numbers) < 2:
        raise ValueError(f"{corruption!r} needs another example to mix in; let numbers begin at 2")
    clean = asked.kind == "none" or not np.any(np.asarray(asked.level))
    phi = activation_of(activation)
    writer = Gradient(
        corruptions=() if clean else (corruption,),
        coordinates=0.0,
        epochs=epochs,
        polish=True,
        learning_rate=1e-3 if phi.gain > 1 else 3e-4,
    )
    recipe = partial(
        mlp,
        width=width,
        depth=depth,
        activation=activation,
        init=phi.init,
    )
    points = []
    for number in numbers:
        copies = 1 if clean else -(-_ROWS // number)
        one = replace(writer, copies=copies)
        points.append(_measured(every[:number], recipe, one, corruption, repeats, max_steps, key))
        if progress is not None:
            progress("capacity", len(points), len(numbers), {"examples": number, "rate": points[-1].rate})
    return CapacitySweep(tuple(points), corruption, every[0].size, width, depth, reference(activation))


def _measured(
    examples: HostStates,
    recipe: partial[MLP],
    writer: Gradient,
    corruption: str,
    repeats: int,
    max_steps: int,
    key: PRNGKeyArray,
) -> CapacityPoint:
    begun = time.perf_counter()
    memory = store(examples, recipe, writer=writer, key=jr.fold_in(key, 0))
    seconds = time.perf_counter() - begun
    certificate = memory.certificate
    assert certificate is not None  # `store` sets it
    num, size = len(examples), examples[0].size
    low, high = float(examples.min()), float(examples.max())
    signs = examples.reshape(num, -1) > (low + high) / 2
    recovered, wrong = 0, 0
    for repeat in range(repeats):
        cues = corrupt(corruption, examples, key=jr.fold_in(jr.fold_in(key, 1), repeat))
        answer = recall(memory, cues, expected=np.arange(num), reading="mean_square", max_steps=max_steps)
        recovered += int(answer.recovered.sum())
        wrong += int(((answer.value.reshape(num, -1) > (low + high) / 2) != signs).sum())
    cues_seen = repeats * num
    rate = min(wrong / (cues_seen * size), 0.5)
    entropy = 0.0 if rate == 0 else -(rate * np.log2(rate) + (1 - rate) * np.log2(1 - rate))
    return CapacityPoint(
        num,
        float(memory.written["loss"]),
        certificate.num_attractors,
        cues_seen,
        recovered,
        content_bits(examples) * recovered / cues_seen,
        float(num * size * (1 - entropy)),
        describe(memory.map).parameters,
        seconds,
    )
