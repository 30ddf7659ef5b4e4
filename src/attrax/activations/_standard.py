"""The records of the usual activations, each as the paper names it.

Formulas: ReLU, Leaky ReLU (slope 0.01), SELU and Swish as in their own papers; cosid cos(z) − z and
sinusoid z + sin(10z)/5 as in Radhakrishnan, Belkin and Uhler (2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrax._base.lazy import lazy
from attrax.activations._bounds import CustomBounds, PiecewiseLinear, Smooth, share_beyond
from attrax.activations._record import Activation, Case, ClosedForms

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
RECORDS = (
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
        about="never constant",
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
