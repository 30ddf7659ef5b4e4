"""Networks of which the first and the last layer are affine, in other units of their states."""

from typing import Any


def ends_in_units(weights: tuple[Any, ...], biases: tuple[Any, ...], unit: float) -> tuple[tuple[Any, ...], ...]:
    """The weights and biases of x ↦ f(unit·x)/unit, for a network f that begins and ends with an affine layer.

    >>> ends_in_units((2.0, 3.0, 5.0), (1.0, 2.0, None), 4.0)
    ((8.0, 3.0, 1.25), (1.0, 2.0, None))
    """
    first, *between, last = weights
    *inner, end = biases
    return (first * unit, *between, last / unit), (*inner, None if end is None else end / unit)
