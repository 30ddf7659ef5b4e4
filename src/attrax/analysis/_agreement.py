"""How often a memory gives the same answer as the nearest-neighbor rule: the paper's Figure 14."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import HostIndices, Progress
from attrax.analysis._curves import curve_levels
from attrax.analysis._intervals import wilson_interval
from attrax.analysis._neighbors import RULES, nearest_neighbor
from attrax.corruptions import corrupt, parse_corruption
from attrax.dynamics import recall
from attrax.memory import Memory, check_memory
from attrax.patterns import Patterns

AGREEMENT_CURVES = (
    "gaussian:0.1..1.5",
    "uniform:0.1..0.9",
    "drop:0.1..0.9",
    "block:0.1..0.8",
    "occlude:0.1..0.9",
    "blend:0.1..0.45",
)
"""The corruptions that are compared by default."""


@dataclass(frozen=True, slots=True, eq=False)
class AgreementPoint(Record):
    """The answers of a memory and of the nearest neighbor to the same cues of one corruption at one level.

    **Fields:**

    - `corruption`, `level`, `name`: as in `CurvePoint`.
    - `cues`: number of cues.
    - `right`: for how many cues the memory reached the example they were made from.
    - `neighbor_right`: for how many cues the nearest example is the one they were made from.
    - `same`: for how many cues the memory reached the nearest example, right or wrong.
    - `same_wrong`: how many of these were made from another example, so both are wrong in the same way.
    - `reached`: how many cues ended at a stored example at all; the others never agree.
    """

    corruption: str
    level: float
    name: str
    cues: int
    right: int
    neighbor_right: int
    same: int
    same_wrong: int
    reached: int

    derived: ClassVar = ("rate", "neighbor_rate", "agreement", "interval")

    @property
    def rate(self) -> float:
        """Fraction of the cues from which the memory recovered the right example."""
        return self.right / self.cues

    @property
    def neighbor_rate(self) -> float:
        """Fraction of the cues whose nearest example is the right one."""
        return self.neighbor_right / self.cues

    @property
    def agreement(self) -> float:
        """Fraction of the cues for which both give the same answer."""
        return self.same / self.cues

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of `agreement`."""
        return wilson_interval(self.same, self.cues)


def nearest_agreement(
    memory: Memory,
    corruptions: Sequence[str] | None = None,
    *,
    rule: str = "euclidean",
    repeats: int = 1,
    max_steps: int = 1000,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> tuple[AgreementPoint, ...]:
    """Gives the same corrupted examples to a memory and to a nearest-neighbor rule, and compares the two answers.

    The memory's answer is the stored example that its iteration ends at (a cycle counts as whichever of its states the
    nearest neighbor names); if it ends elsewhere, there is no answer. Equal rates do not imply equal answers, so both
    are reported.

    **Arguments:**

    - `corruptions`: as in `recovery_curves`; by default six kinds, from easy to unrecognizable.
    - `rule`: one of `RULES`; the paper's is `euclidean`.
    - `repeats`: draws for each example and level.
    - `max_steps`: maximum number of applications of the map.
    - `progress`: called with the number of finished levels.
    - `key`: random key for the draws.

    **Returns:** one `AgreementPoint` per level. **Raises** `ValueError` for wrong arguments and a memory without
    patterns. **Source:** Radhakrishnan, Belkin and Uhler (2020), Fig. 14.

        >>> import jax.numpy as jnp
        >>> memory = Memory(lambda x: jnp.where(x > 0.5, 1.0, 0.0), Patterns.from_examples(np.eye(3)))
        >>> point, = nearest_agreement(memory, ["gaussian:0.05"], key=jr.key(0))
        >>> point.rate, point.neighbor_rate, point.agreement
        (1.0, 1.0, 1.0)
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    checks.one_of("rule", rule, RULES)
    repeats = checks.integer("repeats", repeats, least=1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    originals = np.asarray(memory.originals)
    wanted = _levels(corruptions, patterns)
    cycle_of = np.arange(len(patterns))
    for cycle in patterns.cycles:
        cycle_of[list(cycle)] = cycle[0]
    expected = np.arange(len(patterns))
    points = []
    for number, (corruption, level, name) in enumerate(wanted):
        right, neighbor_right, same, same_wrong, reached = 0, 0, 0, 0, 0
        for repeat in range(repeats):
            cues = corrupt(name, originals, key=jr.fold_in(jr.fold_in(key, number), repeat))
            # Without an expected example, any stored one counts as recovered, and its index is given.
            answer = recall(memory, cues, max_steps=max_steps).index
            near = nearest_neighbor(cues, originals, rule=rule)
            alike = _one_answer(answer, near, cycle_of)
            recovered = _one_answer(answer, expected, cycle_of)
            right, neighbor_right = right + int(recovered.sum()), neighbor_right + int((near == expected).sum())
            same, same_wrong = same + int(alike.sum()), same_wrong + int((alike & ~recovered).sum())
            reached += int((answer >= 0).sum())
        points.append(
            AgreementPoint(
                corruption, level, name, repeats * len(patterns), right, neighbor_right, same, same_wrong, reached
            )
        )
        if progress is not None:
            progress("nearest", number + 1, len(wanted), {"agreement": points[-1].agreement})
    return tuple(points)


def _levels(corruptions: Sequence[str] | None, patterns: Patterns) -> list[tuple[str, float, str]]:
    if corruptions is not None:
        return curve_levels(corruptions, patterns.shape, len(patterns))
    found: list[tuple[str, float, str]] = []
    for text in AGREEMENT_CURVES:
        if parse_corruption(text.partition("..")[0]).fits(patterns.shape, len(patterns)):
            found += curve_levels([text], patterns.shape, len(patterns))
    return found


def _one_answer(answer: HostIndices, other: HostIndices, cycle_of: HostIndices) -> np.ndarray:
    """Where both name an example, and these lie on the same cycle."""
    there = (answer >= 0) & (other >= 0)
    return there & (cycle_of[np.maximum(answer, 0)] == cycle_of[np.maximum(other, 0)])
