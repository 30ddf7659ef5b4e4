"""Noise tolerance: the strongest Gaussian noise from which each example is still nearly always recovered."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax.random as jr
import numpy as np
import scipy.stats
from jaxtyping import Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.shown import Rows
from attrax._base.status import Verdict
from attrax._base.types import HostIndices, HostStates, Progress
from attrax.analysis._labels import label_ends, stored_ends
from attrax.analysis._limits import run_to_ends, runner
from attrax.certificates import certify
from attrax.memory import Memory, check_memory
from attrax.patterns import Patterns

_ROWS, _STAGES = 2048, 5
"""Noisy copies computed at a time, and the number of parts in which the copies for one σ are drawn."""
_LEAST, _MOST = 1e-4, 100.0
"""Limits of the search for σ, relative to the spread of the entries of the examples."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseTolerance(Rows):
    """The noise that each stored example or cycle tolerates, one entry per cycle.

    **Fields:**

    - `index`: the stored point that was disturbed, the first of each cycle.
    - `sigma`: the largest standard deviation found at which more than `rate` of the noisy copies were recovered; 0 if
      none was found, infinite if the search found no failure.
    - `failed`: the smallest larger σ at which fewer were recovered; 0 for a cycle that is certainly not an attractor.
    - `recovered`: the fraction recovered at `sigma`.
    - `largest_singular_value`: that of the Jacobian there (of the Jacobian product around a cycle).
    - `spectral_radius`: that of the same matrix.
    - `rate`, `copies`: the requested fraction, and the number of copies at each σ.
    - `within`: the distance that counted as recovered; none if a copy had to end at the example.
    """

    rows_of: ClassVar[str] = "sigma"

    index: HostIndices
    sigma: Float[np.ndarray, " c"]
    failed: Float[np.ndarray, " c"]
    recovered: Float[np.ndarray, " c"]
    largest_singular_value: Float[np.ndarray, " c"]
    spectral_radius: Float[np.ndarray, " c"]
    rate: float
    copies: int
    within: float | None = None

    @property
    def median(self) -> float:
        """Median of `sigma`."""
        return float(np.median(self.sigma))

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation between `sigma` and the largest singular value; NaN if one of them is constant."""
        both = self.sigma, self.largest_singular_value
        if len(self.sigma) < 3 or any(np.ptp(values) == 0 or not np.isfinite(values).all() for values in both):
            return float("nan")
        ranks = [scipy.stats.rankdata(values) for values in both]
        return float(np.corrcoef(*ranks)[0, 1])


def noise_tolerance(
    memory: Memory,
    *,
    copies: int = 100,
    rate: float = 0.9,
    precision: float = 0.05,
    max_steps: int = 1000,
    within: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> NoiseTolerance:
    """For each example, the largest σ at which more than `rate` of its copies with N(0, σ²) noise are recovered.

    σ starts at a hundredth of the spread of the examples' entries and is doubled until too few copies are recovered (or
    halved, if too few are at the start), and then bisected. New noise is drawn each time, the same for all examples. A
    copy is recovered if the iteration ends within a mean square of 1e-7 of the example, or in its cycle. The recovery
    rate need not fall with σ; the result is a σ at which the rate is high enough, and a larger one, at most `precision`
    above, at which it is not. Copies are run in five parts, which stop once too many have failed. An example that is
    certainly not an attractor, by the verdict of the certificate, tolerates no noise and is not searched.

    With `within`, nothing has to be an attractor: a copy is recovered if it is that close to the example, or to a state
    of its cycle, when the iteration ends, be it because of `max_steps`.

    **Arguments:**

    - `copies`: noisy copies of each example at each σ.
    - `rate`: the fraction of them that has to be exceeded.
    - `precision`: relative width of the bracket at the end.
    - `max_steps`: maximum number of applications of the map.
    - `within`: the Euclidean distance of whole states that counts as recovered, in the units of their entries.
    - `progress`: called with the number of examples whose bracket is narrow enough.
    - `key`: random key for the noise.

    **Returns:** `NoiseTolerance`. **Raises** `ValueError` for wrong arguments and a memory without patterns.
    **Source:** Rao, Zhao and Liu, Neural Networks 188 (2025): the noise tolerance, with 2,000 copies and 90 %, compared
    with the largest singular value; their code has `within=0.01` and `max_steps=100`.

        >>> from attrax import Patterns
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.zeros((1, 3))))
        >>> noise_tolerance(memory, copies=10, key=jr.key(0)).sigma.tolist()
        [inf]
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    copies = checks.integer("copies", copies, least=1)
    what = f"{mention('copies')}: {copies:,} noisy states"
    refuse_beyond_memory(what, 2 * 4 * copies * math.prod(memory.examples().shape), "take fewer")
    rate = checks.real("rate", rate, least=0, most=1)
    if rate == 1:
        raise ValueError("rate must be below 1, because more than this fraction has to be recovered; got 1")
    precision = checks.real("precision", precision, above=0)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    within = None if within is None else checks.real("within", within, above=0)
    points = np.asarray(patterns.points, np.float64)
    run = runner(memory)
    stored = stored_ends(run, memory)
    first = stored.cycles.first
    seed = [int(word) for word in np.asarray(jr.key_data(key)).ravel()]
    spread = float(points.std()) or 1.0
    num = len(first)
    low, high, passed = np.zeros(num), np.full(num, np.inf), np.zeros(num)
    sigma = np.full(num, 0.01 * spread)
    known = memory.certificate if memory.certificate is not None else certify(memory, progress=progress)
    hopeless = np.array([within is None and verdict is Verdict.NOT_ATTRACTOR for verdict in known.verdict], bool)
    open_rows = np.flatnonzero(~hopeless)
    high[hopeless] = 0.0
    for attempt in range(200):
        if not len(open_rows):
            break
        noise = np.random.default_rng([*seed, attempt])  # the same, whatever the other examples are
        draws = noise.standard_normal((copies, *patterns.shape), np.float32)
        back, run_so_far = np.zeros(len(open_rows), int), 0
        undecided = np.arange(len(open_rows))
        for part in np.array_split(np.arange(copies), min(_STAGES, copies)):
            run_so_far += len(part)
            for begin in range(0, len(undecided), max(_ROWS // len(part), 1)):
                some = undecided[begin : begin + max(_ROWS // len(part), 1)]
                cycles = open_rows[some]
                scale = sigma[cycles].reshape(-1, *(1,) * draws.ndim)
                starts = points[first[cycles]][:, None] + scale * draws[part]
                starts = starts.reshape(-1, *patterns.shape).astype(np.float32)
                ends = run_to_ends(run, starts, max_steps=max_steps, atol=stored.thresholds.convergence)
                reached = (
                    label_ends(run, stored, ends).label.reshape(len(some), len(part)) == cycles[:, None]
                    if within is None
                    else _distances(run.states(ends.z), patterns, cycles) < within
                )
                back[some] += reached.sum(axis=1)
            # If all remaining copies could not make up for those that failed, the answer is known.
            undecided = undecided[back[undecided] + copies - run_so_far > rate * copies]
        rates = back / copies
        good = rates > rate
        low[open_rows[good]], passed[open_rows[good]] = sigma[open_rows[good]], rates[good]
        high[open_rows[~good]] = sigma[open_rows[~good]]
        # Bisection between the two ends; doubling or halving if there is only one.
        with np.errstate(invalid="ignore"):
            between = np.where(low == 0, high / 2, np.where(np.isinf(high), 2 * low, np.sqrt(low * high)))
        sigma = between
        narrow = (low > 0) & (high <= (1 + precision) * low)
        done = narrow | (low > _MOST * spread) | (high < _LEAST * spread)
        open_rows = np.flatnonzero(~done)
        if progress is not None:
            progress("tolerances", num - len(open_rows), num, {"median": float(np.median(low))})
    low = np.where(np.isinf(high), np.inf, low)
    return NoiseTolerance(
        first, low, high, passed, known.largest_singular_value, known.spectral_radius, rate, copies, within
    )


def _distances(states: HostStates, patterns: Patterns, cycles: HostIndices) -> Float[np.ndarray, "c m"]:
    """The distance of each of m states per cycle to the nearest state of that cycle; infinite if it diverged."""
    flat = states.reshape(len(cycles), -1, math.prod(patterns.shape))
    found = np.full(flat.shape[:2], np.inf)
    points = np.asarray(patterns.points, np.float64).reshape(len(patterns), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, cycle in enumerate(cycles):
            for point in points[list(patterns.cycles[cycle])]:
                found[row] = np.fmin(found[row], np.linalg.norm(flat[row] - point, axis=1))
    return found
