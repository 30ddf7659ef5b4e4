"""Recovery: how often a memory recovers a corrupted example, compared with nearest-neighbor rules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.analysis._neighbors import RULES, nearest_neighbor
from attrax.analysis._training_corruptions import used_in_training
from attrax.corruptions import Corruption, as_corruption, corrupt
from attrax.dynamics import Recall, recall
from attrax.memory import Memory, check_memory


@dataclass(frozen=True, slots=True, eq=False)
class Recovery(Record):
    """How a memory responded to one corruption of its own examples.

    **Fields:**

    - `corruption`: its name, such as `gaussian:0.3`.
    - `cues`: the corrupted examples, n×state shape.
    - `expected`: the example each cue was made from.
    - `recall`: the result of recall.
    - `neighbor_rates`: for each rule in `RULES`, the fraction of the same cues whose nearest example is the right one.
    - `trained`: whether such corruptions were used in training; see `used_in_training`.
    """

    corruption: str
    cues: HostStates
    expected: HostIndices
    recall: Recall
    neighbor_rates: dict[str, float]
    trained: str = "unknown"

    @property
    def recovery_rate(self) -> float:
        """Fraction of the cues that the memory recovered."""
        return self.recall.recovery_rate

    @property
    def one_nn_rate(self) -> float:
        """Rate of the Euclidean nearest neighbor."""
        return self.neighbor_rates["euclidean"]

    @property
    def best_nn_rate(self) -> float:
        """Rate of the best of the rules."""
        return max(self.neighbor_rates.values())


def recovery(
    memory: Memory,
    corruption: Corruption | str | Callable[..., Any],
    *,
    max_steps: int = 10_000,
    reading: str = "auto",
    atol: float | None = None,
    recovery_atol: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Recovery:
    """Corrupts every stored example once, recalls it, and applies the nearest-neighbor rules to the same cues.

    **Arguments:** `memory`; `corruption`, such as `"occlude:0.5"`, or a function as in `corrupt`; `key`, random key for
    the draw; the others as in `recall`.

    **Returns:** `Recovery`. **Raises** `ValueError` as `corrupt` and `recall` do.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
    >>> found = ax.recovery(memory, "gaussian:0.1", key=jr.key(1))
    >>> found.recovery_rate
    1.0

    ```
    """
    checks.random_key(key)
    check_memory(memory)
    corruption = as_corruption(corruption)
    originals = np.asarray(memory.originals if memory.patterns is not None else memory.examples().points)
    cues = corrupt(corruption, originals, key=key)
    expected = np.arange(len(originals))
    answer = recall(
        memory,
        cues,
        expected=expected,
        reading=reading,
        atol=atol,
        recovery_atol=recovery_atol,
        max_steps=max_steps,
        progress=progress,
    )
    rates = neighbor_rates(cues, originals, expected)
    return Recovery(corruption.name, cues, expected, answer, rates, used_in_training(memory, corruption.name))


def neighbor_rates(cues: HostStates, references: HostStates, expected: HostIndices) -> dict[str, float]:
    """For each nearest-neighbor rule, the fraction of cues whose nearest reference is the expected one.

    **Arguments:** `cues`, m×state shape; `references`, n×state shape; `expected`, m indices of references.

    ```python
    >>> import numpy as np
    >>> from attrax import analysis
    >>> references = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    >>> rates = analysis.neighbor_rates(references + 0.1, references, np.array([0, 1]))
    >>> sorted(rates) == sorted(analysis.RULES), set(rates.values())
    (True, {1.0})

    ```
    """
    return {rule: float((nearest_neighbor(cues, references, rule=rule) == expected).mean()) for rule in RULES}
