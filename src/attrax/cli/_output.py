"""What commands print: one JSON object, or lines for people."""

import json
import math
from typing import Any


def print_json(record: dict[str, Any]) -> None:
    """Prints one strict JSON object on stdout; a number that is not finite is null."""
    print(json.dumps(strict(record), allow_nan=False))


def strict(value: Any) -> Any:
    """The same value as JSON has it: plain numbers, lists and texts, null for what is not finite."""
    if isinstance(value, dict):
        return {str(name): strict(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "tolist"):  # arrays, and numbers of NumPy
        return strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


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
