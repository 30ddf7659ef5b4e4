"""Which combinations of activation and optimizer store: the ranking of our cells compared with the paper's."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.stats

from attrax.extending import Record, checks
from attrax.paper._paper_tables import ACTIVATIONS
from attrax.paper._tables import Table

# SciPy's type stubs are incomplete for its results.
stats: Any = scipy.stats
_PERMUTATIONS, _RESAMPLES = 9_999, 1_000
MOST_READINGS = 2  # maximum for a row to be compared; with more, anything agrees with one of them


@dataclass(frozen=True, slots=True)
class RankAgreement(Record):
    """How far two rankings of the same cells agree; 1 fully, 0 not at all, −1 reversed.

    **Fields:** `cells`, the number compared; `reading`, which of the paper's readings, `None` for the cells on which
    all readings agree; `spearman` and `kendall` (τ-b for ties), NaN where one side does not vary or there are fewer
    than three cells; `spearman_interval`, the middle 95 % over resampled cells; `p_value`, the fraction of random
    orders whose Spearman coefficient is at least as far from 0 (two-sided, by permutation); `said`, the number of cells
    with a number in the paper, compared or not. Neighboring cells share rows and columns, so intervals and p-value are
    optimistic.
    """

    cells: int
    reading: int | None
    spearman: float
    spearman_interval: tuple[float, float]
    kendall: float
    p_value: float
    said: int = 0


def rank_agreement(table: Table, *, count: str = "below_one", reading: int | None = 0, seed: int = 0) -> RankAgreement:
    """Compares the ranking of our cells with the paper's.

    It uses the cells for which the paper, in this reading, has a number and at least one of our seeds counts, without
    rows that have more than two readings. With `reading=None`, it uses only cells whose number is the same in all
    readings.

    **Arguments:** `table`; `count`, as in `Entry.rate`; `reading` of the paper's uncertain cells, 0 for the first (rows
    with fewer readings use their last), or `None`; `seed`, for the permutations. **Returns** `RankAgreement`.

    **Raises** `ValueError` for wrong arguments.
    """
    reading = None if reading is None else checks.integer("reading", reading)
    pairs = []
    for row, values in zip(table.rows, table.grid(count), strict=True):
        paper = table.paper(row)
        if not 0 < len(paper.readings) <= MOST_READINGS:
            continue
        if reading is None:
            possible = map(paper.possible, table.columns)
            numbers = [said[0] if len(said) == 1 else None for said in possible]
        else:
            said = paper.readings[min(reading, len(paper.readings) - 1)]
            numbers = [said[ACTIVATIONS.index(activation)] for activation in table.columns]
        pairs += [(rate, number) for rate, number in zip(values, numbers, strict=True) if number is not None]
    ours, paper = np.array(pairs, float).reshape(-1, 2).T
    known = np.isfinite(ours)
    found = compare_ranks(ours[known], paper[known], reading=reading, seed=seed)
    return replace(found, said=len(pairs))


def compare_ranks(ours: np.ndarray, paper: np.ndarray, *, reading: int | None = 0, seed: int = 0) -> RankAgreement:
    """The agreement of two lists of numbers, one entry for each cell. See `rank_agreement`.

    >>> found = compare_ranks(np.arange(6.0), np.array([0.0, 1, 2, 3, 5, 4]))
    >>> round(found.spearman, 3), round(found.kendall, 3)
    (0.943, 0.867)
    """
    seed = checks.integer("seed", seed)
    count = len(ours)
    if count != len(paper):
        raise ValueError(f"ours and paper must have a number for each cell; got {count} and {len(paper)}")
    nan = float("nan")
    if count < 3 or np.ptp(ours) == 0 or np.ptp(paper) == 0:
        return RankAgreement(count, reading, nan, (nan, nan), nan, nan, count)
    draw = np.random.default_rng(seed)
    spearman, kendall = (float(measure(ours, paper).statistic) for measure in (stats.spearmanr, stats.kendalltau))
    ranks = stats.rankdata(ours), stats.rankdata(paper)
    orders = _correlations(draw.permuted(np.tile(ranks[0], (_PERMUTATIONS, 1)), axis=1), ranks[1][None])
    # Orders that differ only by rounding count as equal; the observed order is one of all.
    p_value = (1 + int((np.abs(orders) >= abs(spearman) - 1e-12).sum())) / (1 + _PERMUTATIONS)
    rows = draw.integers(0, count, (_RESAMPLES, count))
    # If all values are equal, there is no order.
    rows = rows[(np.ptp(ours[rows], axis=1) > 0) & (np.ptp(paper[rows], axis=1) > 0)]
    spearmans = _correlations(stats.rankdata(ours[rows], axis=1), stats.rankdata(paper[rows], axis=1))
    low, high = np.quantile(spearmans, [0.025, 0.975]) if len(rows) else (nan, nan)
    return RankAgreement(count, reading, spearman, (float(low), float(high)), kendall, p_value, count)


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's coefficient of each row with the row beside it; of ranks it is Spearman's."""
    one, other = (part - part.mean(axis=1, keepdims=True) for part in (one, other))
    return (one * other).sum(axis=1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))
