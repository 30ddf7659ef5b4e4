"""What a network of fixed size can store: examples recovered and bits per weight, up to and beyond its capacity."""

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
"""Minimum number of corrupted examples per step; a few examples are each corrupted several times."""


@dataclass(frozen=True, slots=True, eq=False)
class CapacityPoint(Record):
    """What one network stores of a number of examples.

    **Fields:**

    - `num_examples`: number of examples it was trained on.
    - `loss`: mean squared error after training.
    - `attractors`: number of examples that are certified attractors.
    - `cues`, `recovered`: number of corrupted examples, and how many were recovered.
    - `bits`: the information in the recovered examples: `recovered`/`cues` times `content_bits` of all examples.
    - `graded_bits`: n·d·(1 − H₂(ε)), where ε, at most ½, is the fraction of the entries that are on the wrong side of
      the middle of their range after recall. Each entry counts as one bit, so partial recovery counts partially.
    - `num_weights`: weights and biases of the network.
    - `seconds`: duration of training and certifying.
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
        """Fraction of the cues that were recovered."""
        return self.recovered / self.cues

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate."""
        return wilson_interval(self.recovered, self.cues)

    @property
    def bits_per_weight(self) -> float:
        """`bits` per weight."""
        return self.bits / self.num_weights

    @property
    def graded_bits_per_weight(self) -> float:
        """`graded_bits` per weight."""
        return self.graded_bits / self.num_weights


@dataclass(frozen=True, slots=True, eq=False)
class CapacitySweep(Rows):
    """Networks of one size trained on increasing numbers of examples.

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
        """The first number of examples for which less than half of the cues were recovered; `None` if there is none."""
        return next((point.num_examples for point in self.points if point.rate < 0.5), None)


def content_bits(examples: HostStates) -> int:
    """The number of bits that describe examples without loss: compressed by LZMA, or raw if that is shorter.

    Eight-bit pictures are encoded as bytes, arrays of two values as bits, others as 32-bit floats. It is an upper bound
    on the information in the examples, and close to it for random ones.

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
    """For each n in `numbers`, trains a network of one size on the first n examples and measures how much of them it
    recovers.

    Each is trained like `Gradient` on the corruption of the cues, with at least 256 rows per step (on the clean
    examples if the cues are clean), in the coordinates of the data, and polished. The width and depth of the network on
    states, and so its number of weights, stay the same. All start from the same key.

    There are two measures of information. `bits` counts whole recovered examples by their compressed size, so redundant
    pictures can't inflate it. `graded_bits` is the usual measure for binary patterns, which counts each entry as one
    bit: exact for random binary patterns, too high for pictures, whose entries depend on each other.

    **Arguments:**

    - `examples`: n×state shape.
    - `numbers`: the numbers of examples, each at most the number available.
    - `width`, `depth`, `activation`: those of the network.
    - `corruption`: the corruption of the cues, such as `"gaussian:0.1"` or `"none"`.
    - `epochs`: epochs of Adam for each network.
    - `repeats`: draws for each example.
    - `max_steps`: maximum number of applications of the map.
    - `progress`: called with the number of finished networks.
    - `key`: random key for networks, training and cues.

    **Returns:** `CapacitySweep`, in the order of the numbers. **Raises** `ValueError` for wrong arguments, before any
    training. **Source:** Sharma, Chandra and Fiete (ICML 2022) and Chandra et al. (Nature 638, 2025), who criticize
    such memories for a capacity cliff and little information per weight.

        >>> found = capacity_sweep(np.eye(4), [2], width=16, depth=1, epochs=50, key=jr.key(0))
        >>> found.points[0].num_weights, found.points[0].cues
        (148, 2)
    """
    checks.random_key(key)
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
        raise ValueError(f"{corruption!r} needs another example to mix in; start numbers at 2")
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
    num_cues = repeats * num
    rate = min(wrong / (num_cues * size), 0.5)
    entropy = 0.0 if rate == 0 else -(rate * np.log2(rate) + (1 - rate) * np.log2(1 - rate))
    return CapacityPoint(
        num,
        float(memory.written["loss"]),
        certificate.num_attractors,
        num_cues,
        recovered,
        content_bits(examples) * recovered / num_cues,
        float(num * size * (1 - entropy)),
        describe(memory.map).parameters,
        seconds,
    )
