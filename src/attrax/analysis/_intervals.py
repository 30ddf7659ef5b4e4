"""Intervals for rates, and estimates of the number of kinds not yet seen in a sample."""

from typing import Any

import numpy as np
import scipy.special

from attrax._base import checks


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a rate of `count` in `total`, by `scipy.stats.binomtest`.

    **Raises** `ValueError` unless 0 ≤ `count` ≤ `total` and `total` ≥ 1.

        >>> [round(end, 3) for end in wilson_interval(98, 100)]
        [0.93, 0.994]
    """
    low, high = _binomial(count, total).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def upper_confidence_bound(count: int, total: int, *, confidence: float = 0.95) -> float:
    """Clopper and Pearson's exact one-sided upper bound on a probability, given `count` events in `total` trials.

    It is the largest p for which `count` or fewer events have a probability of at least 1 − `confidence`; with no
    events, 1 − (1 − confidence)^{1/total}, about 3/total at 95 %. Computed by `scipy.stats.binomtest`.

    **Raises** `ValueError` unless 0 ≤ `count` ≤ `total`, `total` ≥ 1 and 0 < `confidence` < 1.

        >>> round(upper_confidence_bound(0, 60_000), 7)
        4.99e-05
    """
    confidence = check_confidence(confidence)
    return float(_binomial(count, total, alternative="less").proportion_ci(confidence, method="exact").high)


def _binomial(count: int, total: int, **options: Any) -> Any:
    """SciPy's binomial test of `count` in `total`."""
    import scipy.stats  # imported here because it takes half a second

    total = checks.integer("total", total, least=1)
    count = checks.integer("count", count, least=0, most=total)
    return scipy.stats.binomtest(count, total, **options)


def check_confidence(confidence: float) -> float:
    """`confidence` if it lies strictly between 0 and 1; **Raises** `ValueError` otherwise."""
    confidence = checks.real("confidence", confidence, above=0, most=1)
    if confidence == 1:
        raise ValueError("confidence must be below 1, such as 0.95; got 1")
    return confidence


def chao1(counts: np.ndarray) -> float:
    """Chao's estimate of the number of kinds. `counts` says how often each was observed, one entry per kind.

    S + f₁(f₁ − 1)/(2(f₂ + 1)), the bias-corrected form, with f₁ kinds observed once and f₂ observed twice: a lower
    bound on the expected number, however uneven the kinds are.

    **Raises** `ValueError` for counts that are not whole numbers of at least 0. **Source:** Chao, Scandinavian Journal
    of Statistics 11 (1984).

        >>> chao1(np.array([1, 1, 1, 2, 9]))
        6.5
    """
    counts = _counts(counts)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return float((counts > 0).sum() + once * (once - 1) / (2 * (twice + 1)))


def discovery_curve(counts: np.ndarray, sizes: np.ndarray, *, total: int | None = None) -> np.ndarray:
    """The mean number of kinds in a random part of the sample, one per entry of `sizes`, the sizes of the parts.

    E[S_m] = Σᵢ (1 − C(N − Nᵢ, m) / C(N, m)): the mean over all orders of the sample. `total` is N, if part of the
    sample belongs to no kind.

    **Raises** `ValueError` for counts as in `chao1`, or sizes beyond the sample. **Source:** Hurlbert, Ecology 52
    (1971).

        >>> discovery_curve(np.array([2, 2]), np.array([0, 1, 4])).tolist()
        [0.0, 1.0, 2.0]
    """
    counts, sizes = _counts(counts), np.asarray(sizes)
    total = int(counts.sum()) if total is None else checks.integer("total", total, least=int(counts.sum()))
    if sizes.dtype.kind not in "iu" or (len(sizes) and (sizes.min() < 0 or sizes.max() > total)):
        raise ValueError(f"sizes must be whole numbers from 0 to {total}, the size of the sample; got {sizes}")
    log = scipy.special.gammaln
    found = np.zeros(len(sizes))
    values, repeats = np.unique(counts[counts > 0], return_counts=True)
    for count, repeat in zip(values, repeats, strict=True):
        rest = total - count
        possible = sizes <= rest
        m = np.minimum(sizes, rest)
        missed = np.exp(log(rest + 1) - log(rest - m + 1) - log(total + 1) + log(total - m + 1))
        found += repeat * (1 - np.where(possible, missed, 0.0))
    return found


def _counts(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.ndim != 1 or (len(counts) and (counts.dtype.kind not in "iu" or counts.min() < 0)):
        raise ValueError(f"counts must be whole numbers of at least 0, one per kind; got {counts!r}")
    return counts.astype(np.int64)
