"""Argument checks. Each message names the parameter, what is allowed, and what was given."""

import difflib
import re
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import Any

from attrax._base.arguments import ArgumentError, mention

LARGEST = 2**63 - 1
"""The largest integer of 64 bits, which is the largest that arrays and compiled code count to."""
_KEYWORD = re.compile("[a-z_]+")


def one_of(name: str, value: Any, allowed: Collection[str]) -> str:
    """`value` if it is one of `allowed`; **Raises** `ValueError` otherwise."""
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(map(str, allowed))
        raise ArgumentError(f"{_named(name)} must be one of {listed}; got {value!r}{did_you_mean(value, allowed)}")
    return value


def did_you_mean(value: Any, allowed: Iterable[Any]) -> str:
    """The end of a message: the allowed name that is most like `value`, if one is.

    ```python
    >>> did_you_mean("rely", ["relu", "tanh"])
    '. Did you mean relu?'

    ```
    """
    near = difflib.get_close_matches(value, [str(name) for name in allowed], n=1) if isinstance(value, str) else []
    return f". Did you mean {near[0]}?" if near else ""


def _named(name: str) -> str:
    """An argument as a message mentions it: the command line has another name for it."""
    return mention(name) if _KEYWORD.fullmatch(name) else name


def integer(name: str, value: Any, *, least: int = 0, most: int = LARGEST) -> int:
    """`value` as an int within `[least, most]`; **Raises** `ValueError` otherwise."""
    limits = f"an integer of at least {least}" + ("" if most == LARGEST else f" and at most {most}")
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentError(f"{_named(name)} must be {limits}; got {value!r}")
    value = int(value)
    if value > LARGEST:
        # In digits it may be longer than Python writes.
        limits = f"an integer of at least {least} and at most {most}"
        raise ArgumentError(f"{_named(name)} must be {limits}; got one of {value.bit_length()} bits")
    if not least <= value <= most:
        raise ArgumentError(f"{_named(name)} must be {limits}; got {value}")
    return value


def text(name: str, value: Any) -> str:
    """`value` if it is a text; **Raises** `ValueError` otherwise."""
    if not isinstance(value, str):
        raise ArgumentError(f"{_named(name)} must be a text; got {value!r}")
    return value


def truth(name: str, value: Any) -> bool:
    """`value` if it is `True` or `False`; **Raises** `ValueError` otherwise."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{_named(name)} must be True or False; got {value!r}")
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
    message = f"{_named(name)} must be {' '.join(parts)}; got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentError(message)
    try:
        number = float(value)
    except OverflowError:
        raise ArgumentError(message) from None
    # NaN fails every comparison, so the conditions are stated as what must hold.
    if not (least <= number <= most and abs(number) != float("inf")) or (above is not None and not number > above):
        raise ArgumentError(message)
    return number


def random_key(key: Any) -> None:
    """**Raises** `ValueError` unless `key` is one of JAX's random keys."""
    import jax  # not before: the command line's help reads this module

    array = isinstance(key, jax.Array)
    typed = array and jax.numpy.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ()
    if not typed and not (array and key.dtype == "uint32" and key.shape == (2,)):
        got = f"an array of {key.dtype} of shape {key.shape}" if array else repr(key)
        raise ValueError(f"key must be a JAX key, such as jax.random.key(0); got {got}")
