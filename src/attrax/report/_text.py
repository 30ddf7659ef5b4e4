"""Plain tables and sentences from records."""

import math
from collections.abc import Sequence

from attrax._base import checks
from attrax.analysis import Recovery, wilson_interval
from attrax.corruptions import parse_corruption
from attrax.memory import Certificate

STYLES = ("aligned", "markdown")


def table(records: Certificate | Recovery | Sequence[Recovery], *, style: str = "aligned") -> str:
    """A plain table of a record.

    A `Certificate` gives one row for each cycle: its points, spectral radius, error, upper bound, distance from the
    given states, verdict, reason and evidence. `Recovery` records give one row each: the cues recovered, the rate, its
    95 % interval (Wilson's), the rates of the nearest-neighbor rules on the same cues, and whether such cues were used
    in training (`used_in_training`).

    **Arguments:** `records`; `style`, `aligned` for people and terminals or `markdown`.

    **Returns:** lines of text, without a line break at the end. **Raises** `ValueError` for another style.

        >>> import jax.random as jr, numpy as np
        >>> import attrax as ax
        >>> from attrax.report import table
        >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 3))))
        >>> print(table(ax.recovery(memory, "gaussian:0.1", key=jr.key(0)), style="markdown").splitlines()[0])
        | corruption | cues | recovered | rate | 95 % interval | euclidean | cosine | correlation | used in training |
    """
    checks.one_of("style", style, STYLES)
    if isinstance(records, Certificate):
        head, rows = _certificate_rows(records)
        right = range(1, len(head) - 1)
    else:
        head, rows = recovery_rows([records] if isinstance(records, Recovery) else records)
        right = range(1, len(head))
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        if style == "markdown":
            return "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"
        return "  ".join(cells).rstrip()

    rules = ["---:" if column in right else "---" for column in range(len(head))]
    rule = "| " + " | ".join(rules) + " |" if style == "markdown" else "  ".join("-" * width for width in widths)
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def recovery_rows(recoveries: Sequence[Recovery]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of recoveries, as texts."""
    rules = list(dict.fromkeys(rule for record in recoveries for rule in record.neighbor_rates))
    head = ["corruption", "cues", "recovered", "rate", "95 % interval", *rules, "used in training"]
    rows = []
    for record in recoveries:
        total, count = len(record.cues), int(record.recall.recovered.sum())
        low, high = wilson_interval(count, total)
        rates = [number(record.neighbor_rates.get(rule, math.nan), 3) for rule in rules]
        rows.append(
            [
                record.corruption + (", told" if record.told else ""),
                str(total),
                str(count),
                f"{count / total:.3f}",
                f"{low:.3f} to {high:.3f}",
                *rates,
                record.trained,
            ]
        )
    return head, rows


def _certificate_rows(certificate: Certificate) -> tuple[list[str], list[list[str]]]:
    head = ["points", "spectral radius", "error", "upper bound", "distance", "verdict", "reason", "evidence"]
    rows = []
    for row, cycle in enumerate(certificate.cycles):
        points = str(cycle[0]) if len(cycle) == 1 else f"{cycle[0]} to {cycle[-1]} ({len(cycle)})"
        rows.append(
            [
                points,
                number(certificate.spectral_radius[row], 4),
                f"{certificate.error[row]:.1e}",
                number(certificate.upper_bound[row], 4),
                f"{certificate.distance[row]:.1e}" if len(certificate.distance) else "-",
                str(certificate.verdict[row]).replace("_", " "),
                str(certificate.reason[row]).replace("_", " ") if certificate.reason else "-",
                str(certificate.evidence[row]) if certificate.evidence else "-",
            ]
        )
    return head, rows


def describe_corruption(name: str) -> str:
    """What a corruption such as `gaussian:0.3` does, in words for a heading; an unknown name is returned unchanged.

    ```python
    >>> describe_corruption("occlude:0.5")
    'lower 50 % of the rows black'

    ```
    """
    try:
        return parse_corruption(name).describe()
    except ValueError:
        return name


def describe_cues(record: Recovery) -> str:
    """How the cues of a record were corrupted, and whether recall was told what is left, in words for a heading."""
    told = ", the known part told" if record.told else ""
    return describe_corruption(record.corruption) + told


def number(value: float, digits: int) -> str:
    """A number with `digits` decimals; in scientific notation if these would all be 0; "–" if not finite."""
    value = float(value)
    if not math.isfinite(value):
        return "–"
    if value and not 10.0 ** (-digits) <= abs(value) < 1e6:
        return f"{value:.1e}"
    return f"{value:.{digits}f}"
