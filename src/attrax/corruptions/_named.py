"""The kinds of corruption that have a name, and how a corruption is written.

A new one is a record: in `_standard.py`, or in a file of its own beside it that is named in `_FILES`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrax._base import checks
from attrax._base.lazy import found, lazy
from attrax.corruptions._record import Corruption, CorruptionKind, Distortion, with_usual_key

if TYPE_CHECKING:
    import jax.numpy as jnp
    import jax.random as jr
else:
    jnp, jr = lazy("jax.numpy"), lazy("jax.random")

_FILES = ("_standard",)
"""Modules beside this one; `RECORDS` of each holds kinds of corruption, which draw with keys of any generator."""

_TABLE: dict[str, CorruptionKind] = {
    record.name: replace(record, any_key=True)
    for file in _FILES
    for record in found(f"attrax.corruptions.{file}:RECORDS")
}
CORRUPTIONS: MappingProxyType[str, CorruptionKind] = MappingProxyType(_TABLE)
"""The kinds of corruption that have a name."""


def register(kind: CorruptionKind) -> CorruptionKind:
    """Makes the name of a kind known: to `parse_corruption`, the command line, and the curves drawn by default.

    **Returns** the record. **Raises** `ValueError` for a name that is taken by another one, or is no identifier.

        >>> from attrax.corruptions import CorruptionKind, corrupt, register
        >>> def darken(key, x, level, partner):
        ...     return (1 - level) * x
        >>> kind = register(CorruptionKind("darken", darken, about="darkens by the fraction F"))
        >>> parse_corruption("darken:0.5").level
        0.5
    """
    if not isinstance(kind, CorruptionKind):
        raise ValueError(f"kind must be a corruptions.CorruptionKind; got {kind!r}")
    if not kind.name.isidentifier():
        raise ValueError(f"name must be letters, digits and underscores, as in 'drop'; got {kind.name!r}")
    if _TABLE.get(kind.name, kind) != kind:
        raise ValueError(f"name must be new: there is another corruption called {kind.name!r}")
    return _TABLE.setdefault(kind.name, kind)


def parse_corruption(text: str) -> Corruption:
    """The corruption written as KIND:LEVEL, such as `gaussian:0.3`, `half:right,0.5` or `none`.

    Several are joined by `+` and happen from left to right: `shift:2+occlude:0.5`.

    **Raises** `ValueError` for an unknown kind or a level out of range.

        >>> parse_corruption("occlude:0.5").level
        0.5
    """
    if not isinstance(text, str):
        raise ValueError(f"a corruption must be a text such as 'gaussian:0.3', or a function; got {text!r}")
    # A plus sign may also stand in the exponent of a level, as in gaussian:5e+05.
    parts = [_parse_one(part) for part in re.split(r"\+(?!\d)", text)]
    if len(parts) == 1:
        return parts[0]
    if any(part.partner for part in parts) and any(part.mean for part in parts):
        raise ValueError(
            f"{text!r} mixes in another example and hides a part at the mean; only one of these is possible"
        )
    return Corruption(
        text,
        tuple(level for part in parts for level in part.levels),
        _chain(tuple(part.function for part in parts)),
        _chain(tuple(part.trained for part in parts)),
        tuple(part.kinds[0] for part in parts),
        tuple(part.choices[0] for part in parts),
    )


def _parse_one(text: str) -> Corruption:
    name, colon, written = text.partition(":")
    if name not in _TABLE or (colon and not _TABLE[name].unit):
        near = checks.did_you_mean(name, _TABLE) if name not in _TABLE else ""
        raise ValueError(f"a corruption must be one of {', '.join(_TABLE)}, written KIND:LEVEL; got {text!r}{near}")
    kind, choice = _TABLE[name], ""
    if kind.choices:
        choice, _, written = written.partition(",")
        if choice not in kind.choices:
            return kind.named(text, 0.0, choice)  # which says what is allowed
    try:
        level = float(written) if kind.unit else 0.0
    except ValueError:
        raise ValueError(f"{text!r} needs a number as its level: {kind.meaning}") from None
    return kind.named(text, level, choice)


def as_corruption(given: Corruption | str | Callable[..., Any]) -> Corruption:
    """A corruption from its text, or from a function of a key and a state that returns a corrupted state.

    **Raises** `ValueError` for a text that `parse_corruption` does not know, and for anything else.

    ```python
    >>> from attrax.corruptions import as_corruption
    >>> as_corruption("gaussian:0.3").levels
    (0.3,)
    >>> as_corruption(lambda key, state: state / 2).kind
    'function'

    ```
    """
    if isinstance(given, Corruption):
        return given
    if isinstance(given, CorruptionKind):
        raise ValueError(f"a kind of corruption needs a level: give {given.usage} by its method at")
    if not callable(given):
        return parse_corruption(given)
    name = getattr(given, "__name__", type(given).__name__)
    function = _called(given)
    kind = CorruptionKind("function", function, words=name)
    return Corruption(name, 1.0, function, with_usual_key(function), (kind,), ("",))


# Kept, so that equal texts give the same functions and compiled programs are found again.
@functools.cache
def _chain(functions: tuple[Distortion, ...]) -> Distortion:
    def chained(key: Any, x: Any, level: Any, partner: Any) -> Any:
        for function, part_key, part in zip(functions, jr.split(key, len(functions)), level, strict=True):
            x = function(part_key, x, part, partner)
        return x

    return chained


@functools.cache
def _called(function: Callable[..., Any]) -> Distortion:
    def call(key: Any, x: Any, level: Any, partner: Any) -> Any:
        found = jnp.asarray(function(key, x))
        if found.shape != x.shape:
            raise ValueError(f"a corruption must keep the shape of a state, {x.shape}; {function} gives {found.shape}")
        return found.astype(x.dtype)

    return call
