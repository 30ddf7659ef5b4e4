"""The activations that have a name, and how an activation is found.

A new one is a record: in `_standard.py`, or in a file of its own beside it that is named in `_FILES`.
"""

from __future__ import annotations

import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.lazy import found, lazy
from attrax.activations._bounds import Smooth
from attrax.activations._record import Activation, ActivationLike, ClosedForms

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import numpy as np
else:
    # The names and texts are read by the command line's help, which is not to wait for JAX.
    jax, jnp, np = lazy("jax"), lazy("jax.numpy"), lazy("numpy")

_INF = float("inf")

_FILES = ("_standard",)
"""Modules beside this one; `RECORDS` of each holds activations."""

_TABLE: dict[str, Activation] = {
    record.name: record for file in _FILES for record in found(f"attrax.activations.{file}:RECORDS")
}
ACTIVATIONS: MappingProxyType[str, Activation] = MappingProxyType(_TABLE)
"""The activations that have a name; files and the command line know these and the powers `z^p`."""

_POWER = re.compile(r"z\^(-?\d*\.?\d+)")


def register(record: Activation) -> Activation:
    """Makes the name of a record known: to files, the command line, and wherever an activation is asked for.

    A network of the activation can then be saved; whoever loads the file has to register the record first.

    **Returns** the record. **Raises** `ValueError` for a name that is taken by another one, or is no identifier.

        >>> import jax.numpy as jnp
        >>> from attrax.activations import Activation, Smooth, register
        >>> cosine = register(Activation("cosine", jnp.cos, bounds=Smooth(second=1.0, third=1.0, width=2.0)))
        >>> activation("cosine") is cosine
        True
    """
    if not isinstance(record, Activation):
        raise ValueError(f"record must be an activations.Activation; got {record!r}")
    if not record.name.isidentifier():
        raise ValueError(f"name must be letters, digits and underscores, as in 'relu'; got {record.name!r}")
    if _TABLE.get(record.name, record) != record:
        raise ValueError(f"name must be new: there is another activation called {record.name!r}")
    _check_elementwise(record.function)
    return _TABLE.setdefault(record.name, record)


class UnknownActivation(ArgumentError):
    """A text that is the name of no activation."""


def activation(given: ActivationLike) -> Activation:
    """The record of an activation: of a name, of a function that is in the table, or of any other function.

    A function that is not in the table has no bounds, so nothing of its networks is proved: verdicts are
    *inconclusive*. An `Activation` comes back as it is.

    **Raises** `ValueError` for an unknown name and for what is no function.

        >>> import jax, jax.numpy as jnp
        >>> activation(jax.nn.relu).name, activation("z^2").name, activation(jnp.sin).bounds
        ('relu', 'z^2', None)
    """
    if isinstance(given, Activation):
        return given
    if isinstance(given, str) and (match := _POWER.fullmatch(given)):
        return _power(float(match[1]))
    if given == "z^p":
        raise ValueError('activation z^p needs its exponent as a number, as in "z^0.5"')
    if isinstance(given, str) and given in _TABLE:
        return _TABLE[given]
    allowed = f"one of {', '.join(_TABLE)}, or a power such as z^0.5"
    if isinstance(given, str):
        near = checks.did_you_mean(given, _TABLE)
        raise UnknownActivation(f"{mention('activation')} must be {allowed}; got {given!r}{near}")
    if not callable(given):
        raise ValueError(
            f"activation must be {allowed}, an activations.Activation, or a function written with jax.numpy; "
            f"got {given!r}"
        )
    for record in _TABLE.values():
        if given is record.function or any(given is _same(place) for place in record.also):
            return record
    return Activation(getattr(given, "__name__", type(given).__name__), given)


def reference(given: ActivationLike) -> str | Activation:
    """How a network keeps its activation: the name of one that has a name, else its record.

    **Raises** `ValueError` as `activation`, and for a function that JAX can't trace, that does not act entry by
    entry, or that can't be hashed.

        >>> import jax.numpy as jnp
        >>> reference(jnp.tanh), reference(jnp.sin).name
        ('tanh', 'sin')
    """
    record = activation(given)
    if _TABLE.get(record.name) == record or (_POWER.fullmatch(record.name) and record == activation(record.name)):
        return record.name
    _check_elementwise(record.function)
    return record


def name_for_file(given: ActivationLike) -> str:
    """The name under which a file keeps an activation. **Raises** `ValueError` for one without a name.

    ```python
    >>> name_for_file("relu")
    'relu'

    ```
    """
    name = reference(given)
    if not isinstance(name, str):  # its function may have been registered since
        name = reference(name.function)
    if not isinstance(name, str):
        raise ValueError(
            f"only activations that have a name have a file form: give attrax.activations.register a record of "
            f"{name}, here and wherever the file is loaded"
        )
    return name


def _same(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(lazy(module), name, None)


def _check_elementwise(function: Any) -> None:
    try:
        known = _elementwise(function)
    except TypeError:
        raise ValueError(
            f"activation must be a function that can be hashed, as those that are defined by def can; got {function!r}"
        ) from None
    if known is not None:
        raise ValueError(known)


@functools.lru_cache(maxsize=256)
def _elementwise(function: Any) -> str | None:
    """What is wrong with a function as an activation; `None` if nothing is."""
    name = getattr(function, "__name__", type(function).__name__)
    entries = np.array([-1.5, -0.4, 0.0, 0.3, 2.0], np.float32)
    try:
        jax.eval_shape(jax.vmap(jax.grad(function)), jax.ShapeDtypeStruct(entries.shape, np.float32))
        with jax.ensure_compile_time_eval():
            # One program, not one for each operation of the function.
            evaluate = jax.jit(lambda z: (function(z), jax.vmap(function)(z[:, None])))
            together, alone = (np.asarray(values) for values in evaluate(jax.device_put(entries)))
    except Exception as error:  # whatever a foreign function raises, the answer is the same
        return (
            f"activation must be a function written with jax.numpy (not numpy or math) that acts on each entry of an "
            f"array; {name} is not: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        )
    if together.shape != entries.shape or together.dtype.kind != "f":
        return (
            f"activation must map an array of numbers to one of the same shape; {name} makes {together.dtype}"
            f"{together.shape} of float32{entries.shape}"
        )
    if not np.allclose(together, alone.ravel(), rtol=1e-4, atol=1e-6, equal_nan=True):
        return f"activation must act on each entry by itself; {name} mixes them"
    return None


@functools.lru_cache(maxsize=64)
def _power(exponent: float) -> Activation:
    """z^p, for which the deep theorem has a closed form: the top eigenvalue is p^L."""
    p = checks.real("exponent", exponent)
    if p == 0:
        raise ValueError("the exponent of z^p must not be 0: a constant activation stores nothing")
    beyond = abs(p) > 1
    return Activation(
        f"z^{p:g}",
        lambda z: z**p,
        formula=f"z^{p:g}",
        bounds=Smooth(second=2.0, third=0.0, width=_INF) if p == 2 else None,
        theory=ClosedForms(
            value=lambda z: np.power(z, p),
            slope=lambda z: p * np.power(z, p - 1),
            ratio_integral=lambda a, b: (b - a) * (b + a) / (2 * p),
            factor=lambda z: np.full_like(z, p),
            # The ratio is p wherever φ is defined and not 0.
            admissible=((-_INF, 0.0, beyond and p.is_integer()), (0.0, 0.0, False), (0.0, _INF, beyond)),
        ),
    )
