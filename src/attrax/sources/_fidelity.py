"""How exactly states came back, in decibels, on the numbers themselves: before any file format loses something."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import HostStates


@dataclass(frozen=True, slots=True, eq=False)
class Fidelity(Record):
    """How exactly each state came back.

    **Fields:**

    - `measure`: `"psnr"` or `"snr"`.
    - `decibels`: n, float64: infinite where a state came back exactly, minus infinity where it is not finite or where
      there is noise without signal.

    ```python
    >>> import numpy as np
    >>> from attrax.sources import psnr
    >>> fidelity = psnr(np.zeros((2, 4)), np.array([[0.0] * 4, [0.1] * 4]))
    >>> fidelity.decibels.tolist(), fidelity.worst, fidelity.exact
    ([inf, 20.0], 20.0, 1)

    ```
    """

    measure: str
    decibels: Float[np.ndarray, " n"]

    @property
    def worst(self) -> float:
        """The least of the decibels."""
        return float(self.decibels.min())

    @property
    def median(self) -> float:
        """The middle one in size; the lower one of two."""
        # No mean of two, one of which may be infinite.
        return float(np.sort(self.decibels)[(len(self.decibels) - 1) // 2])

    @property
    def exact(self) -> int:
        """How many states came back to the last bit."""
        return int(np.count_nonzero(self.decibels == np.inf))


def psnr(stored: HostStates, returned: HostStates, *, peak: float = 1.0) -> Fidelity:
    """The peak signal-to-noise ratio of each state: `10 log₁₀(peak² / mean (stored − returned)²)`.

    Taken in float64, on the values as they are: nothing is clipped or rounded.

    **Arguments:**

    - `stored`: n×state shape, real numbers.
    - `returned`: the same shape.
    - `peak`: the largest value a number can take.

    **Returns** `Fidelity`.

    **Raises** `ValueError` for unlike shapes, no states, anything but real numbers, stored values that are not finite,
    and a peak that is not above 0.

        >>> import numpy as np
        >>> from attrax.sources import psnr
        >>> round(psnr(np.ones((1, 8, 8)), np.full((1, 8, 8), 0.99)).worst, 6)
        40.0
    """
    one, other = _checked(stored, returned)
    peak = checks.real("peak", peak, above=0)
    noise = _squares(one, other) / one.shape[1]
    return _fidelity("psnr", np.full(len(one), peak**2), noise)


def snr(stored: HostStates, returned: HostStates) -> Fidelity:
    """The signal-to-noise ratio of each state, as is usual for sound: `10 log₁₀(Σ stored² / Σ (stored − returned)²)`.

    **Arguments**, **Returns** and **Raises** as of `psnr`.

        >>> import numpy as np
        >>> from attrax.sources import snr
        >>> sound = np.sin(np.arange(100.0))[None]
        >>> round(snr(sound, 0.9 * sound).worst, 6)
        20.0
    """
    one, other = _checked(stored, returned)
    return _fidelity("snr", np.array([float(row @ row) for row in one.astype(np.float64)]), _squares(one, other))


def _checked(stored: HostStates, returned: HostStates) -> tuple[np.ndarray, np.ndarray]:
    one, other = np.asarray(stored), np.asarray(returned)
    for name, array in (("stored", one), ("returned", other)):
        if array.dtype.kind not in "buif":
            raise ValueError(f"{name} must be real numbers; got an array of dtype {array.dtype}")
    if one.shape != other.shape:
        raise ValueError(f"returned must have the shape of stored, {one.shape}; got {other.shape}")
    if one.ndim < 2 or 0 in one.shape:
        raise ValueError(f"stored must be n×state with at least one state of at least one number; got {one.shape}")
    if not np.isfinite(one).all():
        raise ValueError("stored must be finite")
    return one.reshape(len(one), -1), other.reshape(len(other), -1)


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The squared distance of each pair of rows, one pair at a time, for a film in float64 is large."""
    found = np.empty(len(one))
    with np.errstate(over="ignore", invalid="ignore"):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            difference = first.astype(np.float64) - second
            found[index] = difference @ difference
    return found


def _fidelity(measure: str, signal: np.ndarray, noise: np.ndarray) -> Fidelity:
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * (np.log10(signal) - np.log10(noise))
    decibels = np.where(noise == 0, np.inf, decibels)
    return Fidelity(measure, np.where(np.isfinite(noise), decibels, -np.inf))
