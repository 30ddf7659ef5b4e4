"""Examples of the training data: what the network holds of each, compared with examples it was not trained on."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record, Rows
from attrax._base.status import Evidence, Reason, Verdict
from attrax._base.types import HostStates, Map, Progress
from attrax.audit._kinds import Ends
from attrax.certificates import certify
from attrax.memory import Memory
from attrax.patterns import Patterns


@dataclass(frozen=True, slots=True, eq=False)
class Example(Record):
    """One example of the training data.

    **Fields:**

    - `verdict`, `reason`, `evidence`, `spectral_radius`: as in `Certificate`. A `displaced` attractor is one near the
      example, farther away than the recovery threshold.
    - `residual`: ‖f(x) − x‖₂.
    - `contraction`: the factor by which one step brings corrupted copies nearer to the example: the geometric mean of
      ‖f(x̃) − x‖/‖x̃ − x‖.
    - `recovered`: for each corruption, whether its corrupted copy ended within the recovery threshold.
    - `restored`: for each corruption that masks, whether its copy came back when the network and the copy corrected
      each other, without being told the mask; see `restore`.
    - `nearest`: the index of the nearest certified attractor in `Audit.ends`, −1 if there is none; `distance` to it,
      and `cosine` of the angle to it.
    - `score`: how near paths from the example and from its corrupted copies come back to it, −log₁₀ of the distance in
      units, averaged.
    - `p_value`: the conformal p-value of the score among those of the held-out examples; NaN without any.
    - `memorized`: whether the p-value says so; `None` without held-out examples.
    - `extracted`: whether an attractor that noise or a walk led to, found without the data, is this example: within
      the recovery threshold or, with held-out examples, nearer than chance; `extraction_p_value` as above.
    """

    verdict: Verdict
    reason: Reason
    evidence: Evidence
    spectral_radius: float
    residual: float
    contraction: float
    recovered: dict[str, bool]
    restored: dict[str, bool]
    nearest: int
    distance: float
    cosine: float
    score: float
    p_value: float
    memorized: bool | None
    extracted: bool
    extraction_p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Examples(Rows):
    """The examples of the training data, one row each.

    **Fields:** `examples`; `recovery_atol`, how far an attractor may lie from its example (Euclidean distance);
    `held_out`, how many examples the p-values rest on; `rate`, the false accusations asked for; `procedure`, `each`
    (the rate holds for each example) or `benjamini_hochberg` (for the accused ones together); `held_out_scores`.
    """

    rows_of: ClassVar[str] = "examples"

    examples: tuple[Example, ...]
    recovery_atol: float
    held_out: int
    rate: float
    procedure: str
    held_out_scores: Float[np.ndarray, " h"]

    def count(self, verdict: Verdict) -> int:
        """How many examples have a verdict."""
        return sum(one.verdict is verdict for one in self.examples)

    @property
    def num_memorized(self) -> int | None:
        """How many are called memorized; `None` without held-out examples."""
        return sum(bool(one.memorized) for one in self.examples) if self.held_out else None

    @property
    def num_extracted(self) -> int:
        """How many were found without the data."""
        return sum(one.extracted for one in self.examples)


def conformal_p_values(scores: np.ndarray, null: np.ndarray) -> np.ndarray:
    """For each score (1 + the number of scores of the null at least as high)/(1 + their number).

    **Arguments:** `scores`, one for each example; `null`, one for each held-out example. **Returns:** one p-value for
    each score.

    Where an example comes from the same distribution as those of the null, its p-value is at most α with a probability
    of at most α, whatever that distribution and the score are (Vovk, Gammerman and Shafer 2005).

        >>> conformal_p_values(np.array([3.0, 0.5]), np.array([0.0, 1.0, 2.0])).tolist()
        [0.25, 0.75]
    """
    ordered = np.sort(np.asarray(null, float))
    above = len(ordered) - np.searchsorted(ordered, np.asarray(scores, float), side="left")
    return (1 + above) / (1 + len(ordered))


def benjamini_hochberg(p_values: np.ndarray, rate: float) -> np.ndarray:
    """Which hypotheses to reject so that the expected part of false ones among them is at most `rate`.

    **Arguments:** `p_values`, one for each hypothesis; `rate`. **Returns:** a bool for each.

    Source: Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995). Conformal p-values that share one null sample satisfy
    its condition (Bates and others, Annals of Statistics 51, 2023).

        >>> benjamini_hochberg(np.array([0.01, 0.04, 0.5]), 0.05).tolist()
        [True, False, False]
    """
    order = np.argsort(p_values, kind="stable")
    allowed = rate * (1 + np.arange(len(p_values))) / max(len(p_values), 1)
    passed = np.flatnonzero(np.asarray(p_values)[order] <= allowed)
    found = np.zeros(len(p_values), bool)
    found[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return found


def fewest_together(examples: int, held_out: int, rate: float) -> int:
    """The least number of `examples` that Benjamini and Hochberg's procedure can call memorized, unless it calls none,
    with so many held-out ones.

        >>> fewest_together(20, 99, 0.01), fewest_together(20, 499, 0.01)
        (20, 4)
    """
    return min(math.ceil(examples / (rate * (held_out + 1)) - 1e-9), examples)


def fewest_held_out(rate: float) -> int:
    """The least number of held-out examples with which a p-value can be at most `rate`.

    ```python
    >>> fewest_held_out(0.01)
    99

    ```
    """
    return math.ceil(1 / rate - 1e-9) - 1


def scores_of(points: HostStates, last: HostStates, floor: float, unit: float) -> np.ndarray:
    """The score of each of n points, from the last states of c paths each: −log₁₀ of their distances in units,
    averaged. Distances below `floor` are as good as 0. `last` is c×n×state shape."""
    vectors = points.reshape(len(points), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        distances = np.linalg.norm(last.reshape(*last.shape[:2], -1) - vectors, axis=2)
    distances = np.clip(np.nan_to_num(distances, nan=np.inf), floor, 1e6 * unit)
    return -np.log10(distances / unit).mean(axis=0)


def nearest_attractors(points: HostStates, ends: Ends, which: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each point the nearest of the ends in `which`, the distance to it, and the cosine of the angle to it."""
    vectors = points.reshape(len(points), -1).astype(np.float64)
    nearest, distance, cosine = np.full(len(vectors), -1), np.full(len(vectors), np.inf), np.full(len(vectors), np.nan)
    for number in which:
        for state in ends.ends[number].states.reshape(ends.ends[number].period, -1):
            apart = np.linalg.norm(vectors - state, axis=1)
            closer = apart < distance
            lengths = np.linalg.norm(vectors, axis=1) * float(np.linalg.norm(state))
            with np.errstate(invalid="ignore", divide="ignore"):
                angle = np.where(lengths > 0, vectors @ state / lengths, np.nan)
            nearest[closer], distance[closer], cosine[closer] = number, apart[closer], angle[closer]
    return nearest, distance, cosine


def judged(
    map: Map,
    train: HostStates,
    held_out: HostStates | None,
    copies: dict[str, HostStates],
    train_last: HostStates,
    held_out_last: HostStates | None,
    ends: Ends,
    without_data: list[int],
    restored: dict[str, HostStates],
    recovery_atol: float,
    rate: float,
    together: bool,
    progress: Progress | None,
) -> Examples:
    """The table of the examples.

    `copies` holds corrupted copies by the name of the corruption; `train_last` the last states of the paths from the
    examples and from these copies, (1 + c)×n×state shape, and `held_out_last` those of the held-out examples;
    `without_data` the ends that starts without data came to; `restored` what masked copies were restored to.
    """
    patterns = Patterns.from_examples(train)
    kept = dict(patterns.merged)
    row_of = np.cumsum([number not in kept for number in range(len(train))]) - 1
    for number, other in kept.items():
        row_of[number] = row_of[other]
    certificate = certify(Memory(map, patterns), recovery_atol=recovery_atol, progress=progress)
    attractors = [number for number, end in enumerate(ends.ends) if end.attracts]
    hidden = [number for number in without_data if ends.ends[number].attracts]
    nearest, distance, cosine = nearest_attractors(train, ends, attractors)
    _, reach, _ = nearest_attractors(train, ends, hidden)
    scores = scores_of(train, train_last, recovery_atol, ends.unit)
    unknown = np.full(len(train), np.nan)
    p_values, reached, null = unknown, unknown, np.zeros(0)
    memorized: list[bool | None] = [None] * len(train)
    extracted = reach <= recovery_atol
    if held_out is not None and held_out_last is not None:
        null = scores_of(held_out, held_out_last, recovery_atol, ends.unit)
        p_values = conformal_p_values(scores, null)
        chosen = benjamini_hochberg(p_values, rate) if together else p_values <= rate
        memorized = [bool(one) for one in chosen]
        reached = conformal_p_values(-reach, -nearest_attractors(held_out, ends, hidden)[1])
        # Without an attractor, all distances are infinite, and all p-values are 1.
        extracted = benjamini_hochberg(reached, rate) if together else reached <= rate
    residual, contraction = _steps(map, train, copies)
    vectors = train.reshape(len(train), -1)
    back, filled = (
        {
            name: np.linalg.norm(one.reshape(len(train), -1) - vectors, axis=1) <= recovery_atol
            for name, one in found.items()
        }
        for found in (dict(zip(copies, train_last[1:], strict=True)), restored)
    )
    table: list[Example] = []
    for number in range(len(train)):
        row = int(row_of[number])
        table.append(
            Example(
                certificate.verdict[row],
                certificate.reason[row],
                certificate.evidence[row],
                float(certificate.spectral_radius[row]),
                float(residual[number]),
                float(contraction[number]),
                {name: bool(found[number]) for name, found in back.items()},
                {name: bool(found[number]) for name, found in filled.items()},
                int(nearest[number]),
                float(distance[number]),
                float(cosine[number]),
                float(scores[number]),
                float(p_values[number]),
                memorized[number],
                bool(extracted[number]),
                float(reached[number]),
            )
        )
    procedure = "benjamini_hochberg" if together else "each"
    return Examples(tuple(table), recovery_atol, len(null), rate, procedure, null)


def _steps(map: Map, train: HostStates, copies: dict[str, HostStates]) -> tuple[np.ndarray, np.ndarray]:
    """‖f(x) − x‖ of each example, and the mean factor by which a step brings its copies nearer."""
    vectors = train.reshape(len(train), -1).astype(np.float64)
    with float64():
        map64 = cast(map, np.float64)

        def apart(states: HostStates, stepped: bool) -> np.ndarray:
            found = apply_rows(map64, states.astype(np.float64), chunk=16) if stepped else states
            return np.linalg.norm(found.reshape(len(vectors), -1) - vectors, axis=1)

        residual = apart(train, True)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [np.log(apart(states, True) / apart(states, False)) for states in copies.values()]
    if not logs:
        return residual, np.full(len(vectors), np.nan)
    return residual, np.exp(np.mean(logs, axis=0))
