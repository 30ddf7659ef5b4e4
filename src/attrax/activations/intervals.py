"""Interval arithmetic on NumPy arrays: many boxes at once, every bound rounded outward.

Sums, products and quotients are correctly rounded by IEEE 754, so one unit outward encloses them. Library functions
are not: `_LIBRARY` relative widening covers errors of tens of units in the last place.
"""

from dataclasses import dataclass
from typing import Any, Union

import numpy as np
from jaxtyping import Float
from scipy import special

from attrax._base.shown import Record

_LIBRARY = 1e-14


def _down(x: Any) -> Any:
    return np.nextafter(x, -np.inf)


def _up(x: Any) -> Any:
    return np.nextafter(x, np.inf)


@dataclass(frozen=True, slots=True)
class Boxes(Record):
    """Closed intervals [low, high], one per entry."""

    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]

    def __add__(self, other: Union["Boxes", float]) -> "Boxes":
        other = _boxes(other)
        return Boxes(_down(self.low + other.low), _up(self.high + other.high))

    __radd__ = __add__

    def __neg__(self) -> "Boxes":
        return Boxes(-self.high, -self.low)

    def __sub__(self, other: Union["Boxes", float]) -> "Boxes":
        return self + (-_boxes(other))

    def __rsub__(self, other: float) -> "Boxes":
        return _boxes(other) + (-self)

    def __mul__(self, other: Union["Boxes", float]) -> "Boxes":
        other = _boxes(other)
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        # 0·∞ is 0 here: the bounds are limits of finite numbers.
        ends = [np.where(np.isnan(end), 0.0, end) for end in ends]
        return Boxes(_down(np.minimum.reduce(ends)), _up(np.maximum.reduce(ends)))

    __rmul__ = __mul__

    def least(self) -> Float[np.ndarray, " n"]:
        """The smallest modulus in each interval."""
        return np.maximum(0.0, np.maximum(self.low, -self.high))

    def most(self) -> Float[np.ndarray, " n"]:
        """The largest modulus in each interval."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def _boxes(value: Boxes | float) -> Boxes:
    if isinstance(value, Boxes):
        return value
    # Decimal constants are not numbers of the machine: enclose the one that was meant.
    is_whole = float(value).is_integer()
    number = np.asarray(value, np.float64)
    return Boxes(number, number) if is_whole else Boxes(_down(number), _up(number))


def _increasing(function: Any, z: Boxes, least: float, most: float) -> Boxes:
    low, high = function(z.low), function(z.high)
    low = _down(low - _LIBRARY * np.abs(low))
    high = _up(high + _LIBRARY * np.abs(high))
    return Boxes(np.maximum(low, least), np.minimum(high, most))


def exp(z: Boxes) -> Boxes:
    """eᶻ."""
    return _increasing(np.exp, z, 0.0, np.inf)


def sigmoid(z: Boxes) -> Boxes:
    """1/(1 + e^{−z})."""
    return _increasing(special.expit, z, 0.0, 1.0)


def softplus(z: Boxes) -> Boxes:
    """ln(1 + eᶻ)."""
    return _increasing(lambda x: np.logaddexp(0.0, x), z, 0.0, np.inf)


def normal_distribution(z: Boxes) -> Boxes:
    """Φ(z) of the normal distribution. Its tail is computed with an error that grows with z²."""
    low, high = special.ndtr(z.low), special.ndtr(z.high)
    width = _LIBRARY * (1 + z.most() ** 2)
    return Boxes(np.maximum(low - width * low, 0.0), np.minimum(high + width * high, 1.0))


def square(z: Boxes) -> Boxes:
    """z², which is tighter than z·z."""
    return Boxes(np.maximum(_down(z.least() ** 2), 0.0), _up(z.most() ** 2))


def cos(z: Boxes) -> Boxes:
    """cos z for moduli up to 1e6, where reducing the argument is accurate."""
    a, b = np.cos(z.low), np.cos(z.high)
    slack = 1e-9
    high = np.where(_passes(z, 0.0, slack), 1.0, np.minimum(1.0, np.maximum(a, b) + _LIBRARY))
    low = np.where(_passes(z, np.pi, slack), -1.0, np.maximum(-1.0, np.minimum(a, b) - _LIBRARY))
    return Boxes(low, high)


def sin(z: Boxes) -> Boxes:
    """sin z for moduli up to 1e6."""
    a, b = np.sin(z.low), np.sin(z.high)
    slack = 1e-9
    high = np.where(_passes(z, np.pi / 2, slack), 1.0, np.minimum(1.0, np.maximum(a, b) + _LIBRARY))
    low = np.where(_passes(z, -np.pi / 2, slack), -1.0, np.maximum(-1.0, np.minimum(a, b) - _LIBRARY))
    return Boxes(low, high)


def _passes(z: Boxes, point: float, slack: float) -> Any:
    """Whether each interval, widened by `slack`, holds point + 2πm. A false yes only loosens the enclosure."""
    turn = 2 * np.pi
    return np.floor((z.high + slack - point) / turn) >= np.ceil((z.low - slack - point) / turn)


def sinc(z: Boxes) -> Boxes:
    """sin(z)/z, continuous at 0. Near 0 by 1 − z²/6 ≤ sin(z)/z ≤ 1 − z²/6 + z⁴/120."""
    near = z.most() < 0.1
    squared = square(z)
    low_near = _down(1 - _up(squared.high / 6) - _LIBRARY)
    high_near = _up(1 - _down(squared.low / 6) + _up(squared.high**2 / 120) + _LIBRARY)
    s = sin(z)
    least = z.least()
    safe = np.where(least > 0, least, 1.0)
    sign = np.where(z.high < 0, -1.0, 1.0)
    # sin(z)/z is even: divide by the modulus, with the sine's sign turned where z is negative.
    low, high = np.where(sign > 0, s.low, -s.high), np.where(sign > 0, s.high, -s.low)
    most = z.most()
    low_far = _down(np.where(low < 0, low / safe, low / most))
    high_far = _up(np.where(high > 0, high / safe, high / most))
    straddles = least == 0
    low_far = np.where(straddles, -1.0, low_far)
    high_far = np.where(straddles, 1.0, np.minimum(high_far, 1.0))
    return Boxes(np.where(near, np.maximum(low_near, low_far), low_far), np.where(near, high_near, high_far))
