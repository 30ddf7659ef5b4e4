"""How far the slope of an activation can stray from its value at a point: what a proof over a whole ball needs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_SELU_RIGHT = 1.0507009873554805
_SELU_LEFT = _SELU_RIGHT * 1.6732632423543772


@dataclass(frozen=True, slots=True)
class _Smooth:
    """Bounds over the whole line: sup|φ''|, sup|φ'''|, and the width of the range of φ'."""

    second: float
    third: float
    width: float


# Each is rounded up. swish: φ''' = 3σ'' + zσ''', with |σ''| ≤ √3/18, |σ'''| ≤ σ' ≤ exp(−|z|) and |z|exp(−|z|) ≤ 1/e.
_SMOOTH = {
    "tanh": _Smooth(0.7699, 2.0, 1.0),
    "sigmoid": _Smooth(0.09623, 0.125, 0.25),
    "softplus": _Smooth(0.25, 0.09623, 1.0),
    "swish": _Smooth(0.5, 0.66, 1.2),
    "gelu": _Smooth(0.79789, 0.85, 1.26),
    "cosid": _Smooth(1.0, 1.0, 2.0),
    "sinusoid": _Smooth(20.0, 200.0, 4.0),
}


def slope_deviation(
    activation: str,
    z: Float[np.ndarray, " k"],
    slope: Float[np.ndarray, " k"],
    curvature: Float[np.ndarray, " k"],
    z_error: Float[np.ndarray, " k"],
    reach: Float[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """Bound on |(φ(y + Δ) − φ(y))/Δ − `slope`| for all |y − z| ≤ `z_error` and |Δ| ≤ `reach`.

    The quotient is the mean of φ' over the segment from y to y + Δ. Where φ is piecewise linear, only the part of the
    segment beyond the kink counts; where it is smooth the mean strays by no more than (½|Δ| + |y − z|)·sup|φ''|, with
    the supremum over the interval, |φ''(z)| + (reach + z_error)·sup|φ'''|. It never decreases with `reach`.

    **Arguments:** the name of φ; pre-activations `z`, with φ'(z) and |φ''(z)| (of smooth ones only), their errors and
    how far they may move.

        >>> import numpy as np
        >>> none = np.zeros(2)
        >>> slope_deviation("relu", np.array([1.0, -1.0]), np.array([1.0, 0.0]), none, none, np.array([0.5, 4.0]))
        array([0.  , 0.75])
    """
    if activation == "identity":
        return np.zeros_like(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The greatest share of a segment of length `reach` that lies on the other side of 0.
        share = np.clip(1 - (np.abs(z) - z_error) / reach, 0.0, 1.0)
        share = np.where(np.abs(z) <= z_error, 1.0, np.where(reach > 0, share, 0.0))
    if activation in ("relu", "leaky_relu"):
        return share * (1.0 if activation == "relu" else 0.99)
    # Of the evaluation of φ': the largest that was met is 4e-15, Swish's near 37.
    rounding = 3e-15 * (1 + np.abs(slope))
    if activation == "selu":
        return _selu_deviation(z, slope, z_error, reach, share) + rounding
    bounds = _SMOOTH[activation]
    second = np.minimum(bounds.second, curvature + (reach + z_error) * bounds.third)
    return np.minimum((0.5 * reach + z_error) * second, bounds.width) + rounding


def _selu_deviation(
    z: np.ndarray, slope: np.ndarray, z_error: np.ndarray, reach: np.ndarray, share: np.ndarray
) -> np.ndarray:
    away = reach + z_error
    lowest = _SELU_LEFT * np.exp(np.minimum(z - away, 0.0))
    # On the left φ' = φ'' grows with z, so both are largest at the right end of the interval.
    steepest = _SELU_LEFT * np.exp(np.minimum(z + away, 0.0))
    left = np.minimum((0.5 * reach + z_error) * steepest, _SELU_LEFT)
    across = np.maximum.reduce(
        [np.abs(_SELU_LEFT - slope), np.abs(_SELU_RIGHT - slope), np.abs(lowest - slope), np.abs(steepest - slope)]
    )
    right = share * across  # only what lies to the left of 0 deviates
    # From the left, the part before 0 strays as if smooth and the part beyond it by the jump.
    return np.where(z > 0, np.where(z > z_error, right, across), np.where(z + away < 0, left, across))
