"""λ₁ over width and depth: the theory from 1 to 1,024, and trained networks where training is feasible."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import jax.random as jr
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import Progress
from attrax.activations import ActivationLike
from attrax.analysis._random_start import LEAST_TRIALS, RandomStart, scaled_start, simulate_random_start
from attrax.theory import SingleExample

_POWERS = tuple(2**i for i in range(11))
_SHALLOW, _NARROW, _DEEP = 8, 64, 32
_MAX_STEPS = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class EigenvalueMap(Record):
    """λ₁ over (k, depth).

    **Fields:**

    - `activation`, `widths`, `depths`, `dimension`, `spread`: as given.
    - `theory`: one record for each depth and width, `theory[i][j]` for `depths[i]` and `widths[j]`.
    - `log10_theory`: (depths, widths), log₁₀|λ₁|, which does not underflow; NaN if the theory has no answer.
    - `trained`: the trained networks, by (depth, width).
    """

    activation: ActivationLike
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    dimension: int
    spread: float
    theory: tuple[tuple[SingleExample, ...], ...]
    log10_theory: Float[np.ndarray, "l k"]
    trained: dict[tuple[int, int], RandomStart]


def log10_top_eigenvalue(record: SingleExample) -> float:
    """log₁₀|λ₁| as the sum over the layers; NaN if there is no answer.

    ```python
    >>> from attrax import theory
    >>> round(log10_top_eigenvalue(theory.single_example("z^0.5", 2, 0.5, 0.5, 3, [0.5, 0.5])), 5)
    -0.90309

    ```
    """
    if not record.status.interpolates:
        return np.nan
    with np.errstate(divide="ignore"):
        return float(np.sum(np.log10(np.abs(record.factors))))


def eigenvalue_map(
    activation: ActivationLike,
    *,
    widths: Sequence[int] = _POWERS,
    depths: Sequence[int] = _POWERS,
    train: bool = True,
    trials: int = 6,
    dimension: int = 10,
    gain: float | None = None,
    spread: float = 1.0,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> EigenvalueMap:
    """λ₁ over width and depth by the theory, and the spectral radius of networks trained from random starts.

    The start is that of `scaled_start`, which corresponds to weights of variance g²/fan-in. Networks are trained where
    the depth is at most 8, and up to depth 32 where the width is at most 64, for at most 4,000 steps.

    **Arguments:** `activation` by name or as a callable; `widths` and `depths`, increasing, from 1 to 1,024; `train`,
    whether to train networks; `trials`, `dimension`, `spread`, as in `simulate_random_start`; `gain`, as in
    `scaled_start`; `progress`; `key`.

    **Returns** an `EigenvalueMap`. **Raises** `ValueError` for wrong arguments.

    ```python
    >>> import jax.random as jr
    >>> from attrax import analysis
    >>> found = analysis.eigenvalue_map("tanh", widths=(1, 8), depths=(1, 4), train=False, key=jr.key(0))
    >>> found.log10_theory.shape
    (2, 2)

    ```

    Beyond the paper: Radhakrishnan, Belkin, Uhler (2020), Theorem 2 and Corollary 2, on a grid.
    """
    checks.random_key(key)
    widths = _increasing("widths", widths)
    depths = _increasing("depths", depths)
    trials = checks.integer("trials", trials, least=LEAST_TRIALS)
    spread = checks.real("spread", spread, least=0, most=1)
    rows: list[tuple[SingleExample, ...]] = []
    for i, depth in enumerate(depths):
        row = []
        for j, k in enumerate(widths):
            row.append(scaled_start(activation, k, depth, dimension, gain))
            if progress is not None:
                progress("theory", i * len(widths) + j + 1, len(depths) * len(widths), {"width": k, "depth": depth})
        rows.append(tuple(row))
    log10 = np.array([[log10_top_eigenvalue(record) for record in row] for row in rows])
    places = [
        (i, j)
        for i, L in enumerate(depths)
        for j, k in enumerate(widths)
        if L <= _SHALLOW or (L <= _DEEP and k <= _NARROW)
    ]
    trained: dict[tuple[int, int], RandomStart] = {}
    for number, (i, j) in enumerate(places if train else []):
        depth, k = depths[i], widths[j]
        trained[depth, k] = simulate_random_start(
            rows[i][j],
            spread=spread,
            trials=trials,
            dimension=dimension,
            max_steps=_MAX_STEPS,
            key=jr.fold_in(jr.fold_in(key, depth), k),
        )
        if progress is not None:
            progress("training", number + 1, len(places), {"width": k, "depth": depth})
    return EigenvalueMap(activation, widths, depths, dimension, spread, tuple(rows), log10, trained)


def _increasing(name: str, values: Sequence[int]) -> tuple[int, ...]:
    numbers = tuple(checks.integer(name, value, least=1, most=1024) for value in values)
    if not numbers or any(b <= a for a, b in pairwise(numbers)):
        raise ValueError(f"{name} must be increasing numbers from 1 to 1024; got {numbers}")
    return numbers
