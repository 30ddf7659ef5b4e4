"""Bounds on norms of powers from Gaussian vectors, for matrices that are too large to form.

10·√(2/π)·maxᵢ‖Mωᵢ‖ over k Gaussian vectors ω is at least ‖M‖ but with a probability of 10⁻ᵏ (Halko, Martinsson and
Tropp 2011, Lemma 4.1).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attrax._base.shown import Record

GAUSS = 10 * math.sqrt(2 / math.pi)
"""Factor between a norm and the largest image of k Gaussian vectors, which fails with a probability of 10⁻ᵏ."""
FAILURE = 1e-10
"""Probability that any of the bounds on the norms of powers of one cycle's product fails."""
POWERS = 128
"""The highest power of the product whose norm is bounded."""


@dataclass(frozen=True, slots=True, eq=False)
class PowerNorms(Record):
    """Bounds on the norms of the products of m successive Jacobians around a cycle, wherever the product starts.

    The probability that any of them fails is at most 10⁻¹⁰.

    **Fields:** `norms[m]`, for m = 0, 1, …; `inverse`, a bound on ‖(I − 𝒥)⁻¹‖ for the operator 𝒥 that applies each
    Jacobian to the deviation at its state (infinite where no norm is below 1/2).
    """

    norms: np.ndarray
    inverse: float

    def log_radius_bound(self, period: int, change: float) -> float:
        """Logarithm of a bound on the spectral radius around the cycle, for Jacobians that are off by `change`."""
        best = float("inf")
        for power in range(1, len(self.norms)):
            before = self.norms[:power]
            share = change * float(before.sum())
            if not share < 1:
                break
            bound = float(self.norms[power]) + share * float(before.max()) / (1 - share)
            if bound == 0:
                return -float("inf")
            best = min(best, period / power * math.log(bound))
        return best


def power_norms(steps: Sequence[Any], size: int, seed: int = 0) -> PowerNorms:
    """Bounds from Gaussian vectors that are pushed forward repeatedly, from every state of the cycle; `steps[i]`
    applies J_i to vectors, one per row. It stops once a norm is below 1/4, or after 128 steps and at least two rounds
    of the cycle.

    ```python
    >>> from attrax import linalg
    >>> found = linalg.power_norms([lambda v: 0.5 * v], 4)
    >>> bool(found.norms[-1] < 1 / 4)
    True

    ```
    """
    period = len(steps)
    most = max(POWERS, 2 * period)
    probes = math.ceil(math.log10(most * period / FAILURE))
    vectors = np.random.default_rng(seed).standard_normal((period, probes, size))
    norms = [1.0]
    for power in range(1, most + 1):
        # Row i started at state i and has reached state i + power − 1.
        vectors = np.stack([steps[(start + power - 1) % period](rows) for start, rows in enumerate(vectors)])
        norm = GAUSS * float(np.linalg.norm(vectors, axis=2).max())
        if not np.isfinite(norm) or norm > 1e150:
            break
        norms.append(norm)
        if norm < 0.25 and power >= period:
            break
    found = np.array(norms)
    below = np.flatnonzero(found < 0.5)
    inverse = float(found[: below[0]].sum() / (1 - found[below[0]])) if len(below) else float("inf")
    return PowerNorms(found, inverse)


def probable_bound(
    forward: Callable[[np.ndarray], np.ndarray], size: int, power: int, rng: np.random.Generator
) -> float:
    """Logarithm of a bound on the spectral radius of M, ‖M^power‖^(1/power), that fails with probability `FAILURE`.

    `forward` applies M to vectors, one per row. The power is fixed beforehand, so that the probability is that of one
    event. It neither over- nor underflows.

    ```python
    >>> import numpy as np
    >>> from attrax import linalg
    >>> log_bound = linalg.probable_bound(lambda v: 0.5 * v, 4, 64, np.random.default_rng(0))
    >>> bool(0.5 <= np.exp(log_bound) < 0.8)
    True

    ```
    """
    probes = round(-math.log10(FAILURE))
    vectors = rng.standard_normal((probes, size))
    logs = np.zeros(probes)
    for _ in range(power):
        vectors = forward(vectors)
        sizes = np.linalg.norm(vectors, axis=1)
        if not np.isfinite(sizes).all():
            return np.inf
        if not sizes.any():
            return -np.inf
        with np.errstate(divide="ignore"):
            logs = logs + np.log(sizes)
        vectors = vectors / np.where(sizes > 0, sizes, 1.0)[:, None]
    return (math.log(GAUSS) + float(logs.max())) / power
