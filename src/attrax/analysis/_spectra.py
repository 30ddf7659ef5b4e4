"""The distribution of the largest eigenvalues of all examples: the paper's Figures 12 and 13 as numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.shown import Record
from attrax.certificates import Spectrum

PARTS = ("modulus", "real")


@dataclass(frozen=True, slots=True, eq=False)
class EigenvalueHistogram(Record):
    """Counts of the largest eigenvalues of all examples together.

    **Fields:** `part`, `"modulus"` or `"real"`; `edges`, the b + 1 edges of the bins; `counts`, (b,); `mean` and
    `variance` of the values; `mode`, the middle of the fullest bin; `number` of finite values; `left_out`, the number
    of other values; `share`, the fraction of all eigenvalues that were used (0.01 is the top one percent).
    """

    part: str
    edges: Float[np.ndarray, " e"]
    counts: Int[np.ndarray, " b"]
    mean: float
    variance: float
    mode: float
    number: int
    left_out: int
    share: float


def eigenvalue_histogram(
    spectrum: Spectrum, *, bins: int = 40, part: str = "modulus", limits: tuple[float, float] | None = None
) -> EigenvalueHistogram:
    """A histogram of the eigenvalues in a `Spectrum`, all cycles together.

    **Arguments:** `spectrum`; `bins`, how many; `part`, of a complex eigenvalue, `"modulus"` or `"real"`; `limits`, the
    ends of the outer bins, by default the least and the largest value (values beyond the limits are not counted).

    **Returns:** `EigenvalueHistogram`. **Raises** `ValueError` for a wrong argument.

        >>> import jax.random as jr, numpy as np
        >>> from attrax import Memory, Patterns
        >>> from attrax.certificates import spectrum
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.zeros((1, 4))))
        >>> eigenvalue_histogram(spectrum(memory, top=4, key=jr.key(0)), bins=2, limits=(0, 1)).counts.tolist()
        [0, 4]
    """
    bins = checks.integer("bins", bins, least=1)
    checks.one_of("part", part, PARTS)
    values = np.abs(spectrum.eigenvalues) if part == "modulus" else np.real(spectrum.eigenvalues)
    finite = values[np.isfinite(values)]
    if limits is None:
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        limits = (low, high if high > low else low + 1.0)
    low, high = (checks.real("each of limits", limit) for limit in limits)
    if not low < high:
        raise ValueError(f"limits must be the lower and the upper end; got {limits!r}")
    counts, edges = np.histogram(finite, bins, (low, high))
    fullest = int(np.argmax(counts))
    return EigenvalueHistogram(
        part=part,
        edges=edges,
        counts=counts,
        mean=float(finite.mean()) if len(finite) else float("nan"),
        variance=float(finite.var()) if len(finite) else float("nan"),
        mode=float((edges[fullest] + edges[fullest + 1]) / 2) if counts.any() else float("nan"),
        number=len(finite),
        left_out=int(values.size - len(finite)),
        share=spectrum.eigenvalues.shape[1] / spectrum.dimension,
    )
