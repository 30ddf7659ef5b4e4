"""The slopes on both sides of the kinks on which units of a network may stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax.activations import Activation
from attrax.activations import activation as activation_of
from attrax.maps.mlp._layers import derivatives_of_units
from attrax.maps.mlp._slope_deviation import slope_deviation

_FAR, _SLIVER, _MARGIN = 1e-9, 1e-6, 1 + 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Sides(Record):
    """Units on a kink: all slopes that such a unit may have lie between those of its two sides.

    **Fields:** for each of n units, `layer`, its place among the layers of all steps, and `index`, its place in that
    layer; `slopes`, n×2, left and right of the kink; `errors`, n×2, of these.
    """

    layer: np.ndarray
    index: np.ndarray
    slopes: np.ndarray
    errors: np.ndarray


def sides_at_kinks(
    activation: str | Activation,
    values: Sequence[np.ndarray],
    totals: Sequence[np.ndarray],
    curved: Sequence[np.ndarray],
) -> Sides:
    """`Sides` of all units whose pre-activation `values`, known to within `totals`, may lie on either side of a kink.

    `curved` says which units have the activation at all.
    """
    bounds = activation_of(activation).bounds
    layer, index, kink, reach = [], [], [], []
    for number, (value, total, active) in enumerate(zip(values, totals, curved, strict=True)):
        for place in () if bounds is None else bounds.kinks:
            found = np.flatnonzero(active & (np.abs(value - place) <= total + 2.0**-51 * abs(place)))
            layer += [number] * len(found)
            index += found.tolist()
            kink += [place] * len(found)
            reach += (np.abs(value[found] - place) + total[found]).tolist()
    count = len(layer)
    if bounds is None or not count:
        return Sides(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)))
    # Each side is seen from the far end of an interval round the kink. What is proved from there ends just before the
    # kink; the slope is continuous up to it, and the margin covers that last piece.
    away = np.maximum(_MARGIN * np.array(reach) + 1e-290, _FAR * np.abs(kink))
    ends = np.array(kink)[:, None] + away[:, None] * np.array([-1.0, 1.0])
    with float64():
        _, slopes, curvatures = derivatives_of_units(activation, ends, not bounds.linear)
    within = np.repeat(away[:, None] * (1 - _SLIVER), 2, axis=1)
    errors = slope_deviation(activation, ends, slopes, curvatures, within, np.zeros_like(ends)) * _MARGIN
    return Sides(np.array(layer), np.array(index), slopes, np.where(np.isnan(errors), np.inf, errors))
