"""What commands print: one JSON object, or lines for people."""

import json
from typing import Any


def print_json(record: dict[str, Any]) -> None:
    """Prints one strict JSON object on stdout; a number that is not finite is null."""
    from attrax._base.shown import plain

    print(json.dumps(plain(record), allow_nan=False))


def spread(values: Any) -> dict[str, float | None]:
    """Median and maximum of the finite values; null where there are none."""
    import numpy as np

    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return {"median": None, "max": None}
    return {"median": float(np.median(finite)), "max": float(finite.max())}


def number(value: Any) -> str:
    """A number for people; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"


def percent(value: float | None) -> str:
    """A rate for people; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"
