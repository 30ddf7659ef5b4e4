"""How far the slope of an activation can stray from its value at a point: what a proof over a whole ball needs.

All bounds are believed. A test compares those of the table with dense samples; do the same for your own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from attrax._base.lazy import lazy
from attrax._base.shown import Record

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazy("numpy")

_ROUNDING = 3e-15
_ARGUMENT = 2.0**-52
"""By how much of itself an argument is rounded on the way into φ', as 10z is in cos 10z."""


class SlopeBounds(Protocol):
    """Bounds on the slope φ' of an activation. `Smooth`, `PiecewiseLinear` and `CustomBounds` are such."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where φ' jumps, in ascending order."""
        ...

    @property
    def linear(self) -> bool:
        """Whether φ' is constant between the kinks."""
        ...

    def deviation(
        self, z: np.ndarray, slope: np.ndarray, curvature: np.ndarray, z_error: np.ndarray, reach: np.ndarray
    ) -> np.ndarray:
        """A bound on |(φ(y + Δ) − φ(y))/Δ − `slope`| for all |y − z| ≤ `z_error` and |Δ| ≤ `reach`.

        `slope` and `curvature` are φ'(z) and |φ''(z)| as JAX computes them in 64 bits; the bound includes their
        rounding, and never decreases with `reach`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Smooth(Record):
    """Bounds of an activation without kinks, over the whole line.

    **Fields:** `second` ≥ sup|φ''|; `third` ≥ sup|φ'''|, infinite where φ'' jumps; `width`, at least the width of the
    range of φ', which may be infinite; `rounding`, by how much φ' may be off as JAX computes it in 64 bits, times
    1 + |φ'|, beside what an argument that is off by one unit in the last place does.

        >>> import numpy as np
        >>> sine = Smooth(second=1.0, third=1.0, width=2.0)
        >>> one = np.ones(1)
        >>> sine.deviation(0 * one, one, 0 * one, 0 * one, 0.2 * one).round(4)
        array([0.02])
    """

    second: float
    third: float
    width: float
    rounding: float = _ROUNDING

    def __post_init__(self) -> None:
        for name in ("second", "third", "width", "rounding"):
            _at_least_zero(name, getattr(self, name))

    @property
    def kinks(self) -> tuple[float, ...]:
        """None."""
        return ()

    @property
    def linear(self) -> bool:
        """False: the slope changes."""
        return False

    def deviation(
        self, z: np.ndarray, slope: np.ndarray, curvature: np.ndarray, z_error: np.ndarray, reach: np.ndarray
    ) -> np.ndarray:
        """(½|Δ| + |y − z|)·sup|φ''| over the interval, where |φ''| ≤ |φ''(z)| + (reach + z_error)·sup|φ'''|."""
        z_error = z_error + _ARGUMENT * np.abs(z)
        away = reach + z_error
        with np.errstate(invalid="ignore"):  # 0·∞, where nothing is known of φ''' or nothing moves
            near = curvature + away * self.third
            second = np.where(near < self.second, near, self.second)
            strays = np.where(away == 0, 0.0, (0.5 * reach + z_error) * second)
        return np.minimum(strays, self.width) + self.rounding * (1 + np.abs(slope))


@dataclass(frozen=True, slots=True)
class PiecewiseLinear(Record):
    """Bounds of a continuous activation whose slope is constant between kinks.

    **Fields:** `kinks`, in ascending order; `slopes` of the pieces from left to right, one more than there are kinks.

        >>> import numpy as np
        >>> relu = PiecewiseLinear(kinks=(0.0,), slopes=(0.0, 1.0))
        >>> none = np.zeros(2)
        >>> relu.deviation(np.array([1.0, -1.0]), np.array([1.0, 0.0]), none, none, np.array([0.5, 4.0]))
        array([0.  , 0.75])
    """

    kinks: tuple[float, ...]
    slopes: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("kinks", "slopes"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or not all(abs(value) < float("inf") for value in values):
                raise ValueError(f"{name} must be a tuple of finite numbers; got {values!r}")
        if list(self.kinks) != sorted(set(self.kinks)):
            raise ValueError(f"kinks must be in ascending order, each once; got {self.kinks!r}")
        if len(self.slopes) != len(self.kinks) + 1:
            raise ValueError(
                f"slopes must hold one number for each of the {len(self.kinks) + 1} pieces between the kinks; got "
                f"{self.slopes!r}"
            )

    @property
    def linear(self) -> bool:
        """True: the slope is constant between the kinks."""
        return True

    def deviation(
        self, z: np.ndarray, slope: np.ndarray, curvature: np.ndarray, z_error: np.ndarray, reach: np.ndarray
    ) -> np.ndarray:
        """Only the part of the segment beyond a kink counts, by as much as the slope jumps there."""
        near = np.zeros(z.shape, bool)
        for kink in self.kinks:
            away = np.abs(z - kink)
            with np.errstate(invalid="ignore"):
                # Not the opposite: what is no number, as the difference of two infinities, counts as near.
                near |= ~(away - z_error - reach >= 0) | _is_within(kink, away, z_error)
        found = np.zeros_like(z)
        # Of a large network hardly any unit is near a kink, and the rest takes most of the time of a certificate.
        if near.any():
            found[near] = self._deviation_near(
                *(np.broadcast_to(one, z.shape)[near] for one in (z, slope, z_error, reach))
            )
        return found

    def _deviation_near(self, z: np.ndarray, slope: np.ndarray, z_error: np.ndarray, reach: np.ndarray) -> np.ndarray:
        right, left = np.zeros_like(z), np.zeros_like(z)
        for kink, before, after in zip(self.kinks, self.slopes[:-1], self.slopes[1:], strict=True):
            share = share_beyond(kink, z, z_error, reach) * abs(after - before)
            # z may stand on either side of a kink that is within its error.
            within = _is_within(kink, np.abs(z - kink), z_error)
            right = right + np.where((kink > z) | within, share, 0.0)
            left = left + np.where((kink < z) | within, share, 0.0)
        most = np.maximum(max(self.slopes) - slope, slope - min(self.slopes))
        found = np.minimum(np.maximum(right, left), np.maximum(most, 0.0))
        return found if self._exact else found * (1 + 2.0**-50)

    @property
    def _exact(self) -> bool:
        """Whether the differences of the slopes are, as those of ReLU; else they may be rounded down."""
        pairs = itertools.combinations(self.slopes, 2)
        return all(Fraction(one) - Fraction(other) == Fraction(one - other) for one, other in pairs)


@dataclass(frozen=True, slots=True)
class CustomBounds(Record):
    """Bounds by a function of one's own, for activations that are neither smooth nor piecewise linear.

    **Fields:** `function`, with the arguments and the meaning of `SlopeBounds.deviation`; `kinks`, where φ' jumps.
    """

    function: Callable[[Any, Any, Any, Any, Any], Any]
    kinks: tuple[float, ...] = ()

    @property
    def linear(self) -> bool:
        """False: the slope changes."""
        return False

    def deviation(
        self, z: np.ndarray, slope: np.ndarray, curvature: np.ndarray, z_error: np.ndarray, reach: np.ndarray
    ) -> np.ndarray:
        """What `function` says."""
        return self.function(z, slope, curvature, z_error, reach)


def share_beyond(kink: float, z: np.ndarray, z_error: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """The greatest share of a segment from y to y + Δ that lies on the other side of `kink` than z."""
    away = np.abs(z - kink)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(1 - (away - z_error) / reach, 0.0, 1.0)
        share = np.where(share > 0, np.minimum(share + 2.0**-51, 1.0), share)  # with room for its rounding
    return np.where(_is_within(kink, away, z_error), 1.0, np.where(reach > 0, share, 0.0))


def _is_within(kink: float, away: np.ndarray, z_error: np.ndarray) -> np.ndarray:
    """Whether a kink at this distance from z is no farther than the error of z, with room for its rounding."""
    return away <= z_error + 2.0**-51 * abs(kink)


def _at_least_zero(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(f"{name} must be a number of at least 0, or infinite; got {value!r}")
