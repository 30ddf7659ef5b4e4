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
    return "–" if value is None or value != value else f"{value:.4g}"


def radius(value: float) -> str:
    """A spectral radius or its bound: six digits after the point, which show on which side of 1 it lies."""
    if value == 0:
        return "0"
    return f"{value:.6f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.1e}"


def percent(value: float | None) -> str:
    """A rate for people; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"
