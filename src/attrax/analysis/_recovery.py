"""Recovery: how often a memory recovers a corrupted example, compared with nearest-neighbor rules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.analysis._neighbors import RULES, nearest_neighbor
from attrax.analysis._training_corruptions import used_in_training
from attrax.corruptions import Corruption, as_corruption, corrupt, known_entries
from attrax.dynamics import Recall, completed, recall
from attrax.memory import Memory, check_memory


@dataclass(frozen=True, slots=True, eq=False)
class Recovery(Record):
    """How a memory responded to one corruption of its own examples.

    **Fields:**

    - `corruption`: its name, such as `gaussian:0.3`.
    - `cues`: the corrupted examples, n×state shape; of pairs the cues, n×cue shape.
    - `expected`: the example each cue was made from.
    - `recall`: the result of recall.
    - `neighbor_rates`: for each rule in `RULES`, the fraction of the same cues whose nearest example is the right one;
      where a known part was given, nearest in that part.
    - `trained`: whether such corruptions were used in training; see `used_in_training`.
    - `told`: whether recall was told which part of each cue is known.
    """

    corruption: str
    cues: HostStates
    expected: HostIndices
    recall: Recall
    neighbor_rates: dict[str, float]
    trained: str = "unknown"
    told: bool = False

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
    known: Bool[np.ndarray, "*state"] | str | None = None,
    max_steps: int = 10_000,
    reading: str = "auto",
    atol: float | None = None,
    recovery_atol: float | None = None,
    dask: str | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Recovery:
    """Corrupts every stored example once, recalls it, and applies the nearest-neighbor rules to the same cues.

    Of pairs (`Patterns.from_pairs`) the cue alone is corrupted and given, and the whole pair has to come back.

    **Arguments:** `memory`; `corruption`, such as `"occlude:0.5"`, or a function as in `corrupt`; `known`, as in
    `recall`, or `"auto"`: the entries that the corruption does not touch (`attrax.corruptions.known_entries`); `key`,
    random key for the draw; the others as in `recall`.

    **Returns:** `Recovery`. **Raises** `ValueError` as `corrupt` and `recall` do, and for `"auto"` with a corruption
    that changes every entry.

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
    shown = memory.examples().cues_of(np.asarray(memory.originals))
    cues = corrupt(corruption, shown, key=key)
    expected = np.arange(len(shown))
    part = _known_part(known, corruption, shown, key=key)
    answer = recall(
        memory,
        cues,
        known=part,
        expected=expected,
        reading=reading,
        atol=atol,
        recovery_atol=recovery_atol,
        max_steps=max_steps,
        dask=dask,
        progress=progress,
    )
    mask = None if part is None else memory.examples().cues_of(completed(memory.examples(), cues, part)[1])
    rates = neighbor_rates(cues, shown, expected, known=mask)
    trained = used_in_training(memory, corruption.name)
    return Recovery(corruption.name, cues, expected, answer, rates, trained, part is not None)


def neighbor_rates(
    cues: HostStates,
    references: HostStates,
    expected: HostIndices,
    *,
    known: Bool[np.ndarray, " m *state"] | None = None,
) -> dict[str, float]:
    """For each nearest-neighbor rule, the fraction of cues whose nearest reference is the expected one.

    **Arguments:** `cues`, m×state shape; `references`, n×state shape; `expected`, m indices of references; `known`,
    m×state shape, the entries of each cue that are compared, by default all.

    ```python
    >>> import numpy as np
    >>> from attrax import analysis
    >>> references = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    >>> rates = analysis.neighbor_rates(references + 0.1, references, np.array([0, 1]))
    >>> sorted(rates) == sorted(analysis.RULES), set(rates.values())
    (True, {1.0})

    ```
    """
    return {
        rule: float((nearest_neighbor(cues, references, rule=rule, known=known) == expected).mean()) for rule in RULES
    }


def _known_part(
    known: Any, corruption: Corruption | str, states: HostStates, *, key: PRNGKeyArray
) -> Bool[np.ndarray, "*state"] | str | None:
    """The mask that `known` stands for, where `corrupt` makes the cues from `states` with this key: `"auto"` becomes
    one mask a cue, all else is left to `recall`."""
    if not isinstance(known, str) or known != "auto":
        return known
    found = known_entries(corruption, states, key=key)
    if found is None:
        raise ArgumentError(
            f"{mention('known')} can be auto only where the corruption leaves some pixels as they are; "
            f"{as_corruption(corruption).name} changes all of them. Give a mask, or leave it out"
        )
    return found
