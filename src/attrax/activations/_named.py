"""The activations that have a name, each as the paper names it. A new one is one more record in the table.

Formulas: ReLU, Leaky ReLU (slope 0.01), SELU and Swish as in their own papers; cosid cos(z) − z and
sinusoid z + sin(10z)/5 as in Radhakrishnan, Belkin and Uhler (2020).
"""

from __future__ import annotations

import functools
import importlib
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrax._base import checks
from attrax._base.lazy import lazy
from attrax.activations._bounds import CustomBounds, PiecewiseLinear, Smooth, share_beyond
from attrax.activations._record import Activation, ActivationLike, Case, ClosedForms

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from scipy import special

    from attrax.activations import intervals
    from attrax.activations.intervals import Boxes
else:
    # The names and texts are read by the command line's help, which is not to wait for JAX.
    jax, jnp, np, special = lazy("jax"), lazy("jax.numpy"), lazy("numpy"), lazy("scipy.special")
    intervals = lazy("attrax.activations.intervals")

_INF = float("inf")
_NOWHERE: tuple[Case, ...] = ((-_INF, _INF, False),)

_SELU_RIGHT = 1.0507009873554805
_SELU_LEFT = _SELU_RIGHT * 1.6732632423543772


def _square(a: Any, b: Any) -> Any:
    return (b - a) * (b + a) / 2


def _selu_ratio_integral(a: Any, b: Any) -> Any:
    # The primitive is z²/2 above 0 and z + e^{−z} − 1 below, continuous at 0.
    a_low, b_low, a_high, b_high = min(a, 0.0), min(b, 0.0), max(a, 0.0), max(b, 0.0)
    below = (b_low - a_low) + np.exp(-a_low) * np.expm1(a_low - b_low)
    return (b_high - a_high) * (b_high + a_high) / 2 + below


def _selu_deviation(z: Any, slope: Any, curvature: Any, z_error: Any, reach: Any) -> Any:
    away = reach + z_error
    lowest = _SELU_LEFT * np.exp(np.minimum(z - away, 0.0))
    # On the left φ' = φ'' grows with z, so both are largest at the right end of the interval.
    steepest = _SELU_LEFT * np.exp(np.minimum(z + away, 0.0))
    near = np.maximum(np.abs(lowest - slope), np.abs(steepest - slope))
    left = np.minimum((0.5 * reach + z_error) * steepest, near)
    across = np.maximum.reduce([near, np.abs(_SELU_LEFT - slope), np.abs(_SELU_RIGHT - slope)])
    right = share_beyond(0.0, z, z_error, reach) * across  # only what lies to the left of 0 deviates
    # From the left, the part before 0 strays as if smooth and the part beyond it by the jump.
    strays = np.where(z > 0, np.where(z > z_error, right, across), np.where(z + away < 0, left, across))
    return strays + 3e-15 * (1 + np.abs(slope))


def _exp_deviation(z: Any, slope: Any, curvature: Any, z_error: Any, reach: Any) -> Any:
    with np.errstate(over="ignore", invalid="ignore"):
        strays = (0.5 * reach + z_error) * np.exp(z + reach + z_error)
    return np.where(reach + z_error == 0, 0.0, strays) + 3e-15 * (1 + np.abs(slope))


def _swish_admissible(z: Boxes) -> tuple[Boxes, Boxes]:
    return z, 2 * (1 + intervals.exp(z))


def _gelu_admissible(z: Boxes) -> tuple[Boxes, Boxes]:
    density = intervals.exp(-0.5 * intervals.square(z)) * 0.3989422804014327  # 1/√(2π)
    return z * density, 2 * intervals.normal_distribution(z)


def _sinusoid_admissible(z: Boxes) -> tuple[Boxes, Boxes]:
    return 1 + 2 * intervals.cos(10 * z), 1 + 2 * intervals.sinc(10 * z)


# Where the admissible cases compare moduli, these are those of zφ' and φ without the factors the two share. For Swish
# and GELU at z < 0 the ratio is 1 − (something positive), so only the side below −1 is left to compare.
_RECORDS = (
    Activation(
        "relu",
        lambda z: jax.nn.relu(z),
        formula="max(z, 0)",
        about="slope 0 at 0",
        also=("jax.nn.relu",),
        bounds=PiecewiseLinear(kinks=(0.0,), slopes=(0.0, 1.0)),
        theory=ClosedForms(
            value=lambda z: np.maximum(z, 0.0),
            slope=lambda z: np.where(z > 0, 1.0, 0.0),
            ratio_integral=_square,
            factor=lambda z: np.ones_like(z),
            admissible=_NOWHERE,  # exactly 1 where φ ≠ 0
        ),
        init="kaiming_uniform",
    ),
    Activation(
        "leaky_relu",
        lambda z: jax.nn.leaky_relu(z, 0.01),
        formula="z; 0.01z below 0",
        about="never flat",
        also=("jax.nn.leaky_relu",),
        bounds=PiecewiseLinear(kinks=(0.0,), slopes=(0.01, 1.0)),
        theory=ClosedForms(
            value=lambda z: np.where(z >= 0, z, 0.01 * z),
            slope=lambda z: np.where(z >= 0, 1.0, 0.01),
            ratio_integral=_square,
            factor=lambda z: np.ones_like(z),
            admissible=_NOWHERE,
        ),
        init="kaiming_uniform",
    ),
    Activation(
        "selu",
        lambda z: jax.nn.selu(z),
        formula="λz; λα(eᶻ − 1) below 0",
        about="λ = 1.0507…, α = 1.6733…; its slope jumps at 0",
        also=("jax.nn.selu",),
        bounds=CustomBounds(_selu_deviation, kinks=(0.0,)),
        theory=ClosedForms(
            value=lambda z: np.where(z > 0, _SELU_RIGHT * z, _SELU_LEFT * np.expm1(np.minimum(z, 0))),
            slope=lambda z: np.where(z > 0, _SELU_RIGHT, _SELU_LEFT * np.exp(np.minimum(z, 0))),
            ratio_integral=_selu_ratio_integral,
            factor=lambda z: np.where(z > 0, 1.0, z / -np.expm1(-np.minimum(z, 0))),
            admissible=_NOWHERE,  # 1 above 0, and |z| ≤ e^|z| − 1 below
        ),
    ),
    Activation(
        "swish",
        lambda z: z * jax.nn.sigmoid(z),
        formula="z·σ(z)",
        about="also called SiLU",
        also=("jax.nn.swish", "jax.nn.silu"),
        # φ''' = 3σ'' + zσ''', with |σ''| ≤ √3/18, |σ'''| ≤ σ' ≤ exp(−|z|) and |z|exp(−|z|) ≤ 1/e.
        bounds=Smooth(second=0.5, third=0.66, width=1.2),
        theory=ClosedForms(
            value=lambda z: z * special.expit(z),
            slope=lambda z: special.expit(z) * (1 + z * special.expit(-z)),
            factor=lambda z: 1 + z * special.expit(-z),
            # The ratio is 1 + z/(1 + eᶻ). z ≤ −3: −z > 2(1 + eᶻ).
            admissible=((-_INF, -3.0, True), (-3.0, 0.0, _swish_admissible), (0.0, _INF, True)),
        ),
    ),
    Activation(
        "cosid",
        lambda z: jnp.cos(z) - z,
        formula="cos z − z",
        about="value 1 and slope −1 at 0: Kaiming's gain makes deep networks explode",
        bounds=Smooth(second=1.0, third=1.0, width=2.0),
        theory=ClosedForms(
            value=lambda z: np.cos(z) - z,
            slope=lambda z: -np.sin(z) - 1,
            admissible=((-_INF, _INF, lambda z: (z * (1 + intervals.sin(z)), intervals.cos(z) - z)),),
        ),
    ),
    Activation(
        "sinusoid",
        lambda z: z + jnp.sin(10 * z) / 5,
        formula="z + sin(10z)/5",
        about="slope between −1 and 3",
        bounds=Smooth(second=20.0, third=200.0, width=4.0),
        theory=ClosedForms(
            value=lambda z: z + np.sin(10 * z) / 5,
            slope=lambda z: 1 + 2 * np.cos(10 * z),
            # 0 < y ≤ 1, y = 10z: 0 < cos y < sin(y)/y because tan y > y; even in z.
            admissible=((-_INF, -0.1, _sinusoid_admissible), (-0.1, 0.1, False), (0.1, _INF, _sinusoid_admissible)),
        ),
    ),
    Activation(
        "tanh",
        lambda z: jnp.tanh(z),
        formula="tanh z",
        about="bounded",
        also=("jax.numpy.tanh", "jax.nn.tanh", "jax.lax.tanh"),
        bounds=Smooth(second=0.7699, third=2.0, width=1.0),
        theory=ClosedForms(
            value=lambda z: np.tanh(z),
            slope=lambda z: 1 / np.cosh(z) ** 2,
            ratio_integral=lambda a, b: np.sinh(b - a) * np.sinh(b + a) / 2,
            admissible=_NOWHERE,  # |2z| ≤ |sinh 2z|
        ),
    ),
    Activation(
        "sigmoid",
        lambda z: jax.nn.sigmoid(z),
        formula="σ(z) = 1/(1 + e^{−z})",
        about="bounded, slope at most 1/4",
        also=("jax.nn.sigmoid", "jax.scipy.special.expit", "jax.lax.logistic"),
        bounds=Smooth(second=0.09623, third=0.125, width=0.25),
        theory=ClosedForms(
            value=lambda z: special.expit(z),
            slope=lambda z: special.expit(z) * special.expit(-z),
            ratio_integral=lambda a, b: (b - a) + np.exp(a) * np.expm1(b - a),
            factor=lambda z: z * special.expit(-z),
            # z ≤ −2: −z > 1 + eᶻ. z ≥ 0: z < eᶻ.
            admissible=((-_INF, -2.0, True), (-2.0, 0.0, lambda z: (z, 1 + intervals.exp(z))), (0.0, _INF, False)),
        ),
    ),
    Activation(
        "softplus",
        lambda z: jax.nn.softplus(z),
        formula="ln(1 + eᶻ)",
        about="a smooth ReLU",
        also=("jax.nn.softplus",),
        bounds=Smooth(second=0.25, third=0.09623, width=1.0),
        theory=ClosedForms(
            value=lambda z: np.logaddexp(0.0, z),
            slope=lambda z: special.expit(z),
            # z ≤ −2: ln(1 + eᶻ) < eᶻ, so the ratio exceeds the sigmoid's in modulus. z ≥ 0: zσ(z) ≤ z < ln(1 + eᶻ).
            admissible=(
                (-_INF, -2.0, True),
                (-2.0, 0.0, lambda z: (z * intervals.sigmoid(z), intervals.softplus(z))),
                (0.0, _INF, False),
            ),
        ),
    ),
    Activation(
        "gelu",
        lambda z: jax.nn.gelu(z, approximate=False),
        formula="z·Φ(z)",
        about="by the Gaussian distribution function, not its approximation by tanh",
        bounds=Smooth(second=0.79789, third=0.85, width=1.26),
        theory=ClosedForms(
            value=lambda z: z * special.ndtr(z),
            slope=lambda z: special.ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
            # The ratio is 1 + zΦ'/Φ. z ≤ −2: Φ(z) < Φ'(z)/|z|, so −zΦ' > 2Φ.
            admissible=((-_INF, -2.0, True), (-2.0, 0.0, _gelu_admissible), (0.0, _INF, True)),
        ),
    ),
    Activation(
        "identity",
        lambda z: z,
        formula="z",
        about="a linear network",
        also=("jax.nn.identity",),
        bounds=PiecewiseLinear(kinks=(), slopes=(1.0,)),
        theory=ClosedForms(
            value=lambda z: z,
            slope=lambda z: np.ones_like(z),
            ratio_integral=_square,
            factor=lambda z: np.ones_like(z),
            admissible=_NOWHERE,
        ),
    ),
    Activation(
        "exp",
        lambda z: jnp.exp(z),
        formula="eᶻ",
        about="for the theory; deep networks overflow",
        also=("jax.numpy.exp", "jax.lax.exp"),
        bounds=CustomBounds(_exp_deviation),
        theory=ClosedForms(
            value=lambda z: np.exp(z),
            slope=lambda z: np.exp(z),
            ratio_integral=lambda a, b: b - a,
            factor=lambda z: z,
            admissible=((-_INF, -1.0, True), (-1.0, 1.0, False), (1.0, _INF, True)),  # the ratio is z
        ),
    ),
    Activation(
        "erf",
        lambda z: jax.scipy.special.erf(z),
        formula="erf z",
        about="bounded",
        also=("jax.scipy.special.erf", "jax.lax.erf"),
        bounds=Smooth(second=0.9679, third=2.2568, width=1.1284),
        theory=ClosedForms(
            value=lambda z: special.erf(z),
            slope=lambda z: 2 / np.sqrt(np.pi) * np.exp(-z * z),
            # φ(0) = 0 and φ' falls with |z|, so |φ(z)| ≥ |zφ'(z)| by the mean value theorem.
            admissible=_NOWHERE,
        ),
    ),
    Activation(
        "arctan",
        lambda z: jnp.arctan(z),
        formula="arctan z",
        about="bounded, with heavy tails",
        also=("jax.numpy.arctan", "jax.numpy.atan"),
        bounds=Smooth(second=0.6496, third=2.0, width=1.0),
        theory=ClosedForms(
            value=lambda z: np.arctan(z),
            slope=lambda z: 1 / (1 + z * z),
            admissible=_NOWHERE,  # as for erf
        ),
    ),
)

_TABLE = {record.name: record for record in _RECORDS}
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


class UnknownActivation(ValueError):
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
    if isinstance(given, str) or not callable(given):
        refusal = UnknownActivation if isinstance(given, str) else ValueError
        raise refusal(
            f"activation must be one of {', '.join(_TABLE)}, a power such as z^0.5, an activations.Activation, or a "
            f"function written with jax.numpy; got {given!r}"
        )
    for record in _TABLE.values():
        if given is record.function or any(given is _found(place) for place in record.also):
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

    >>> name_for_file("relu")
    'relu'
    """
    name = reference(given)
    if not isinstance(name, str):
        raise ValueError(
            f"only activations that have a name have a file form: give attrax.activations.register the record of "
            f"{name}, here and wherever the file is loaded"
        )
    return name


def _found(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(importlib.import_module(module), name, None)


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
            together = np.asarray(function(jnp.asarray(entries)))
            alone = [np.asarray(function(jnp.asarray(entries[i : i + 1]))) for i in range(len(entries))]
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
    if not np.allclose(together, np.concatenate(alone), rtol=1e-4, atol=1e-6, equal_nan=True):
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
