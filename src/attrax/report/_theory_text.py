"""The table that compares training with the theory."""

from collections.abc import Sequence

import numpy as np

from attrax.activations import activation as activation_of
from attrax.analysis import TheoryCheck
from attrax.theory import InterpolatingNetwork

_HEAD = (
    "theorem",
    "activation",
    "k",
    "L",
    "λ₁ theory",
    "λ₁ training",
    "difference",
    "error",
    "share",
    "order",
    "others",
    "",
)


def theory_table(checks: Sequence[TheoryCheck]) -> str:
    """One row per check: λ₁ by the theory and by extrapolated training, their difference, and the allowed error.

    u, v and w are compared as well: `share` is the largest |difference|/error of all these numbers, at most 1 where
    they agree. `order` is the order of convergence in the learning rate, `others` the largest of all other eigenvalues
    of the trained Jacobian, which the theory says are 0.

    **Arguments:** `checks`, of `analysis.check_training`. **Returns:** lines of text.

    ```python
    >>> import jax.random as jr
    >>> from attrax import analysis, report, theory
    >>> check = analysis.check_training(theory.corollary1("cosid", 2, 0.7), key=jr.key(0))
    >>> report.theory_table([check]).splitlines()[-1].split()[:3]
    ['Corollary', '1', 'cosid']

    ```
    """
    rows = [_row(check) for check in checks]
    widths = [max(len(row[i]) for row in [_HEAD, *rows]) for i in range(len(_HEAD))]
    left = {0, 1, len(_HEAD) - 1}

    def line(row: Sequence[str]) -> str:
        cells = [
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([line(_HEAD), "  ".join("-" * width for width in widths).rstrip(), *map(line, rows)])


def _row(check: TheoryCheck) -> tuple[str, ...]:
    share = float(np.max(np.abs(check.difference) / check.error))
    names = [activation_of(net.activation).name for net in check.records]
    depths = [1 if isinstance(net, InterpolatingNetwork) else net.depth for net in check.records]
    return (
        check.theorem,
        _joined(names),
        _joined([str(net.k) for net in check.records]),
        _joined([str(depth) for depth in depths]),
        _number(check.theory[-1], ".10f"),
        _number(check.training[-1], ".10f"),
        _number(check.difference[-1], ".1e"),
        _number(check.error[-1], ".1e"),
        _number(share, ".2f"),
        _number(check.order, ".3f"),
        _number(check.other_eigenvalues, ".0e"),
        str(check.status),
    )


def _joined(texts: Sequence[str]) -> str:
    """One text if all are equal, else all of them."""
    return texts[0] if len(set(texts)) == 1 else ",".join(texts)


def _number(value: float, form: str) -> str:
    if not np.isfinite(value):
        return "–"
    if form == ".10f" and value and abs(value) < 1e-4:
        return f"{value:.5e}"
    return f"{value:{form}}"
