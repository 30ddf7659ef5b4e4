"""Argument checks. Each message names the parameter, what is allowed, and what was given."""

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """`value` if it is one of `allowed`; **Raises** `ValueError` otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}")
    return value


def integer(name: str, value: Any, *, least: int = 0, most: int | None = None) -> int:
    """`value` as an int within `[least, most]`; **Raises** `ValueError` otherwise."""
    limits = f"an integer of at least {least}" + ("" if most is None else f" and at most {most}")
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be {limits}; got {value!r}")
    value = int(value)
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} must be {limits}; got {value}")
    return value


def text(name: str, value: Any) -> str:
    """`value` if it is a text; **Raises** `ValueError` otherwise."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text; got {value!r}")
    return value


def truth(name: str, value: Any) -> bool:
    """`value` if it is `True` or `False`; **Raises** `ValueError` otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False; got {value!r}")
    return value


def real(
    name: str,
    value: Any,
    *,
    least: float = float("-inf"),
    most: float = float("inf"),
    above: float | None = None,
) -> float:
    """`value` as a finite float within `[least, most]`, and greater than `above` where that is given.

    **Raises** `ValueError` otherwise.
    """
    parts = ["a finite number"]
    if above is not None:
        parts.append(f"above {above:g}")
    if least != float("-inf"):
        parts.append(f"of at least {least:g}")
    if most != float("inf"):
        parts.append(f"{'and' if len(parts) > 1 else 'of'} at most {most:g}")
    message = f"{name} must be {' '.join(parts)}; got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(message)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(message) from None
    # NaN fails every comparison, so the conditions are stated as what must hold.
    if not (least <= number <= most and abs(number) != float("inf")) or (above is not None and not number > above):
        raise ValueError(message)
    return number
