"""The slopes of a fully connected network's units at given states, with bounds on their errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from attrax._base.numerics import float64
from attrax._base.types import HostStates
from attrax.activations import activation as activation_of
from attrax.linalg import UNIT_ROUNDOFF, accurate_product, frobenius_bound, frobenius_bounds, gamma
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._layers import HiddenLayers, derivatives_of_units
from attrax.maps.mlp._narrowed import Narrowed, narrowed, nearby
from attrax.maps.mlp._reach import Reach, reach_of
from attrax.maps.mlp._slope_deviation import slope_deviation
from attrax.maps.mlp._weights import (
    MORE,
    DiagonalPlusRankOne,
    Weight,
    block_norms,
    common_and_rest,
    host_weight,
    row_sizes,
    rows_through,
)

_LARGE = 2**18
"""Blocks of so many entries are looked at only if they are a small part of their matrix."""
_WORK = 3e11
"""The most multiplications for errors carried by products of layers. Without structure they grow as n³."""
_BLURRED = 16
"""How far bounds on rounding are above the computed residuals where more bits are worth their time."""


@dataclass(frozen=True, slots=True, eq=False)
class _Spread:
    """Bounds on errors: those of all slopes and of all pre-activations (`totals`), p×k for each layer, and what the
    errors of the hidden layers contribute to the outputs, in the 2-norm."""

    slopes: list[np.ndarray]
    outputs: np.ndarray
    totals: list[np.ndarray]


class Evaluation:
    """A network evaluated at the states of a cycle, with all rounding errors on the way.

    One evaluation answers for any radius: how far the exact pre-activations of states within that radius are from the
    computed ones, and so how far the slopes of the units can be from those at the given states.
    """

    def __init__(self, factors: Factors, cycle: HostStates, *, fixed: bool = False, accurate: bool = False) -> None:
        """At the states of a cycle or, with `fixed`, at as many fixed points, whose bounds then take less time and are
        less sharp: what they would show is shown of each state by itself. With `accurate`, sums are computed with more
        bits, which takes several times as long."""
        self.factors, self.fixed, self.accurate = factors, fixed, accurate
        phi = activation_of(factors.activation)
        self.curved = not phi.piecewise_linear
        needs_curvature = phi.bounds is not None and not phi.bounds.linear
        self.activation_rounding = phi.rounding
        self.states = np.asarray(cycle, np.float64).reshape(len(cycle), -1)
        self.following = self.states if fixed else np.roll(self.states, -1, axis=0)
        # A diverging iteration may overflow here. The certificate then has an infinite error.
        with float64(), np.errstate(over="ignore", invalid="ignore"):
            self.pre, self.hidden, self.slopes, self.curvatures, self._product_errors = _derivatives(
                factors.hidden, self.states, needs_curvature, factors.linear, factors.scores, accurate
            )
            if not needs_curvature:
                self.curvatures = [np.zeros_like(layer) for layer in self.pre]
            self.sum_errors, self.activation_errors = self._layer_errors()

    def _layer_errors(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Bounds on the rounding errors made in each layer at the given states: in the sums, and by φ itself."""
        factors, inputs = self.factors, np.abs(self.states)
        sum_errors, activation_errors = [], []
        for layer, values in enumerate(self.pre):
            total = self._product_errors[layer]
            if total is None:
                # The rounding of a sum of n nonzero products in any order, and more than underflow can add.
                counts = _gammas(np.count_nonzero(inputs, axis=1) + 4)[:, None]
                total = counts * self._reached(layer, inputs) + 1e-300
            bias = factors.biases[layer]
            if bias is not None:
                total = total + 2 * UNIT_ROUNDOFF * (np.abs(bias) + np.abs(values))
            sum_errors.append(total)
            inputs = np.abs(self.hidden[layer])
            rounded = 2 * UNIT_ROUNDOFF * inputs
            if self.curved:
                rounded = rounded + self.activation_rounding * UNIT_ROUNDOFF * (1 + inputs + np.abs(values))
            linear = factors.linear[layer]
            rounded = rounded if linear is None else np.where(linear, 0.0, rounded)
            if layer == factors.depth - 1 and factors.scores:
                rounded[:, -factors.scores :] = 0.0  # 0 and 1 are exact
            activation_errors.append(rounded)
        return sum_errors, activation_errors

    def _reached(self, layer: int, inputs: np.ndarray) -> np.ndarray:
        """Bounds on |W||x| for the inputs |x| of each state.

        Of many fixed points, ‖w‖‖x‖ for each row w of a matrix: hardly more, and a matrix product less.
        """
        if self.fixed and not isinstance(self.factors.weights[layer], DiagonalPlusRankOne):
            return row_lengths(inputs) * self.factors.row_norms[layer]
        return rows_through(self.factors.absolute[layer], inputs, finite=True)  # the sums themselves tell otherwise

    def slope_errors(self, radius: float | np.ndarray, *, sharp: bool | None = None) -> list[np.ndarray]:
        """For each layer, p×k bounds on |slope − computed slope|.

        The slopes are all difference quotients and derivatives within `radius` of the given states: one number, or one
        for each.

        If a unit is closer to a kink of its activation than the error of its pre-activation, both slopes are possible,
        and the error covers both. With `sharp`, errors are carried through the layers by the products of these; without
        it, by the norms of the layers, which overstates the errors in a deep network. The default is `sharp` where φ is
        curved.
        """
        radii = np.broadcast_to(radius, len(self.states))
        return self._spread(radii, self.curved if sharp is None else sharp).slopes

    def totals(self, radius: float) -> list[np.ndarray]:
        """For each layer, p×k bounds on how far the pre-activations of states within `radius` are from the computed
        ones."""
        return self._spread(np.full(len(self.states), radius), sharp=True).totals

    def residuals(self, *, sharp: bool) -> Float[np.ndarray, " p"]:
        """Bounds on ‖f(x_i) − x_{i+1}‖ for the exact f: the computed residual plus all rounding errors."""
        sizes, errors = self._gaps(sharp)
        with np.errstate(over="ignore", invalid="ignore"):
            found = (sizes * (1 + 2 * UNIT_ROUNDOFF) + errors) * MORE
        return np.where(np.isfinite(found), found, np.inf)

    def blurred(self) -> bool:
        """Whether the residuals are bounded by rounding alone, far above those computed. With more bits much less may
        be known to be enough."""
        sizes, errors = self._gaps(sharp=False)
        return not self.accurate and bool((_BLURRED * sizes < errors).all() and np.isfinite(errors).all())

    def _gaps(self, sharp: bool) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
        """The computed ‖f(x_i) − x_{i+1}‖, and bounds on the rounding errors of f."""
        outputs, errors = self._outputs(self._spread(np.zeros(len(self.states)), sharp).outputs)
        with np.errstate(over="ignore", invalid="ignore"):
            return frobenius_bounds((outputs - self.following)[:, None]), errors

    def heavy(self) -> bool:
        """Whether errors of p states carried by products of layers would take too long."""
        live = [float(np.count_nonzero(layer, axis=1).max()) for layer in self.slopes]
        widths = [float(layer.shape[1]) for layer in self.slopes]
        products = (
            widths[source] * live[layer] * widths[layer + 1]
            for source in range(len(widths))
            for layer in range(source, len(widths) - 1)
        )
        return len(self.states) * sum(products) > _WORK

    def rounding(self) -> tuple[list[np.ndarray], Float[np.ndarray, " p"]]:
        """Bounds on the rounding of the pre-activations, p×k for each layer, and of the outputs, in the 2-norm."""
        spread = self._spread(np.zeros(len(self.states)), sharp=True)
        return spread.totals, self._outputs(spread.outputs)[1]

    def _outputs(self, before: np.ndarray) -> tuple[Float[np.ndarray, "p d"], Float[np.ndarray, " p"]]:
        """f(x_i) as computed, and bounds on its error; `before` is the contribution of the hidden layers to it."""
        factors = self.factors
        last, bias, features = factors.last, factors.biases[-1], self.hidden[-1]
        with np.errstate(over="ignore", invalid="ignore"):
            if self.accurate:
                outputs, off = accurate_product(features, last)
                errors = row_lengths(off)[:, 0] + 1e-290
            else:
                # `column_norms` tell otherwise.
                outputs = rows_through(last, features, finite=True, whole=lambda: factors.whole)
                common, rest = common_and_rest(features)  # as there
                sizes = np.abs(rest) @ factors.column_norms
                counts = np.count_nonzero(rest, axis=1) + 4
                if common:
                    sizes, counts = sizes + abs(common) * factors.column_norms.sum(), counts + features.shape[1]
                errors = _gammas(counts) * sizes * MORE + 1e-290
            if bias is not None:
                outputs = outputs + bias
                lengths = frobenius_bound(bias[None]) + frobenius_bounds(outputs[:, None])
                errors = errors + 2 * UNIT_ROUNDOFF * lengths
            return outputs, (errors + before) * MORE

    def _spread(self, radius: np.ndarray, sharp: bool) -> "_Spread":
        """How errors of up to `radius` in the states, and all rounding, spread through the network."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._by_products(radius) if sharp else self._by_norms(radius)

    def carried(self, radius: Float[np.ndarray, " p"]) -> tuple[Float[np.ndarray, "p 1"], Bool[np.ndarray, "p k"]]:
        """Bounds on how far the features are from the computed ones within these radii, in the 2-norm, and which units
        can be on at all or are; all others are 0 there. By norms."""
        with np.errstate(over="ignore", invalid="ignore"):
            away, live = radius[:, None].astype(float), None
            for layer in range(self.factors.depth):
                error, _ = self._errors_by_norms(layer, away, live)
                away, live = self._onward(layer, away, live, error)
        assert live is not None  # there is a layer
        return np.where(np.isnan(away), np.inf, away), live

    def _by_norms(self, radius: np.ndarray) -> "_Spread":
        factors = self.factors
        away = radius[:, None].astype(float)  # bound on the 2-norm of the error of a layer's input
        live: np.ndarray | None = None  # units that can have an error at all
        errors, totals = [], []
        for layer in range(factors.depth):
            error, total = self._errors_by_norms(layer, away, live)
            errors.append(error)
            totals.append(total)
            if self.fixed and layer == factors.depth - 1:
                # Unit by unit, for few of the last layer are on.
                steep = np.abs(self.slopes[layer]) + error
                outputs = (steep * total + self.activation_errors[layer]) @ factors.column_norms * MORE
                return _Spread(errors, np.where(np.isnan(outputs), np.inf, outputs), totals)
            away, live = self._onward(layer, away, live, error)
        assert live is not None  # there is a layer
        norm = self._factors_of((factors.depth - 1, live)).norms[-1]
        return _Spread(errors, np.where(np.isnan(away[:, 0]), np.inf, away[:, 0]) * norm, totals)

    def _errors_by_norms(self, layer: int, away: np.ndarray, live: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Bounds on the errors of a layer's slopes and pre-activations."""
        total = (self.sum_errors[layer] + away * self._row_norms(layer, live)) * MORE
        return self._slope_error(layer, total), total

    def _onward(
        self, layer: int, away: np.ndarray, live: np.ndarray | None, error: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """`away` and `live` of the next layer's input."""
        on = (self.slopes[layer] != 0) | (error != 0)
        norms = self._block_norms(layer, on, live)
        steepest = (np.abs(self.slopes[layer]) + error).max(axis=1, keepdims=True, initial=0.0)
        # A unit that is certainly on a constant piece has the same value whatever the error of its input.
        before = away * norms + row_lengths(np.where(on, self.sum_errors[layer], 0.0))
        away = (steepest * before + row_lengths(self.activation_errors[layer])) * MORE
        # The value of such a unit may still be nonzero, and is rounded then.
        return away, on | (self.hidden[layer] != 0)

    def _row_norms(self, layer: int, live: np.ndarray | None) -> np.ndarray:
        """Bounds on the norms of a layer's rows between live units, for each state."""
        weight, whole = self.factors.weights[layer], self.factors.row_norms[layer]
        if isinstance(weight, DiagonalPlusRankOne) and live is not None:
            return row_sizes(weight, live)
        if live is None or self.fixed:
            return whole[None]
        most = [_most(weight, weight.shape[0], int(columns.sum())) for columns in live]
        return np.stack(
            [whole if much else row_sizes(weight, columns[None])[0] for much, columns in zip(most, live, strict=True)]
        )

    def _block_norms(self, layer: int, on: np.ndarray, live: np.ndarray | None) -> np.ndarray:
        """Bounds on the norms of a layer's blocks from live units to those that are on, for each state."""
        before = () if live is None else ((layer - 1, live),)
        weight, norm = self.factors.weights[layer], self._factors_of((layer, on), *before).norms[layer]
        if isinstance(weight, DiagonalPlusRankOne) and live is not None:
            return np.minimum(norm, block_norms(weight, on, live, sharp=not self.fixed))
        found = np.full((len(on), 1), norm)
        if live is None or self.fixed:
            return found
        for step, (rows, columns) in enumerate(zip(on, live, strict=True)):
            if not _most(weight, int(rows.sum()), int(columns.sum())):
                found[step] = min(norm, block_norms(weight, rows[None], columns[None], sharp=True)[0, 0])
        return found

    @cached_property
    def narrowed(self) -> Narrowed | None:
        """The network of the units that are on at one of these states, or near a kink; `None` if that is most of it."""
        if self.fixed or self.curved or self.factors.scores:
            return None
        on = [(slopes != 0) | (hidden != 0) for slopes, hidden in zip(self.slopes, self.hidden, strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):
            near = [self._slope_error(layer, nearby(pre)) != 0 for layer, pre in enumerate(self.pre)]
        return narrowed(self.factors, [(one | other).any(axis=0) for one, other in zip(on, near, strict=True)])

    def _factors_of(self, *on: tuple[int, np.ndarray]) -> Factors:
        """Of the narrowed network if it has all units that are `on`, pairs of a layer and p×k entries; else of all."""
        part = self.narrowed
        if part is None or any((units & ~part.kept[layer]).any() for layer, units in on):
            return self.factors
        return part.factors

    def met(
        self, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]
    ) -> tuple[Factors, Sequence[np.ndarray], Sequence[np.ndarray]]:
        """The network that Jacobians with these slopes consist of, and its slopes and their errors, step by step: the
        narrowed one where these say that all other units are off."""
        part = self.narrowed
        return (self.factors, slopes, errors) if part is None else part.met(self.factors, slopes, errors)

    def _by_products(self, radius: np.ndarray) -> "_Spread":
        count, depth = len(self.states), self.factors.depth
        lengths = np.zeros((count, depth))
        errors, totals = [], []
        for layer in range(depth):
            total = self.sum_errors[layer].copy()
            for step, reach in enumerate(self._reaches):
                total[step] += radius[step] * reach.state[layer]
                for source in range(layer):
                    total[step] += lengths[step, source] * reach.layers[source][layer - source - 1]
            total *= MORE
            error = self._slope_error(layer, total)
            errors.append(error)
            totals.append(total)
            # Errors made in this layer are carried on with the computed slopes. What a unit's error adds because its
            # slope differs from the computed one counts as made in this layer.
            from_slopes = np.where(error == 0, 0.0, error * total)
            new = np.abs(self.slopes[layer]) * self.sum_errors[layer] + self.activation_errors[layer] + from_slopes
            lengths[:, layer] = row_lengths(new)[:, 0]
        outputs = [
            float(sum(length * gain for length, gain in zip(lengths[step], reach.outputs, strict=True)))
            for step, reach in enumerate(self._reaches)
        ]
        return _Spread(errors, np.where(np.isnan(outputs), np.inf, outputs), totals)

    def _slope_error(self, layer: int, total: np.ndarray) -> np.ndarray:
        values, slopes = self.pre[layer], self.slopes[layer]
        none = np.zeros_like(values)
        error = slope_deviation(self.factors.activation, values, slopes, self.curvatures[layer], total, none)
        # NaN, from inf·0 or from a NaN state, must not pass for a bound.
        error = np.where(np.isnan(error) | np.isnan(total), np.inf, error)
        linear = self.factors.linear[layer]
        error = error if linear is None else np.where(linear & np.isfinite(total), 0.0, error)
        if layer == self.factors.depth - 1 and self.factors.scores:
            error[:, -self.factors.scores :] = _choice_error(
                values[:, -self.factors.scores :], total[:, -self.factors.scores :]
            )
        return error

    @cached_property
    def _reaches(self) -> list[Reach]:
        return [reach_of(self.factors, [layer[step] for layer in self.slopes]) for step in range(len(self.states))]


def _choice_error(scores: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The error of the slope 0 of an argmax: infinite where another score may be the largest."""
    rows = np.arange(len(scores))
    first = scores.argmax(axis=1)
    least = scores[rows, first] - errors[rows, first]
    others = scores + errors
    others[rows, first] = -np.inf
    sure = (least > others.max(axis=1)) & np.isfinite(errors).all(axis=1)
    return np.repeat(np.where(sure, 0.0, np.inf)[:, None], scores.shape[1], axis=1)


def step_by_step(layers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The rows of p×k arrays, one array per layer, in the order in which the signal passes them."""
    return [layer[step] for step in range(len(layers[0])) for layer in layers]


def row_lengths(rows: np.ndarray) -> np.ndarray:
    """Bounds on the 2-norms of nonnegative rows, as a column. Squares that underflow are errors below 1e-150."""
    return np.linalg.norm(rows, axis=1, keepdims=True) * MORE + 1e-150 * (rows != 0).any(axis=1, keepdims=True)


def _gammas(counts: np.ndarray) -> np.ndarray:
    """`gamma` of each."""
    return np.array([gamma(int(count)) for count in counts])


def _most(weight: Weight, rows: int, columns: int) -> bool:
    """Whether the norm of so many rows and columns is hardly less than that of the weight, or not worth the time."""
    return rows * columns > _LARGE and 8 * rows * columns > prod(weight.shape)


def _derivatives(
    layers: HiddenLayers, states: np.ndarray, curved: bool, linear: tuple[Any, ...], scores: int, accurate: bool
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray | None]]:
    """Pre-activations, activations, slopes and (if `curved`) |φ''| of every hidden layer, one row per state; and, with
    `accurate`, bounds on the errors of its matrix products.

    Computed on the host, layer by layer: a single program would have to be compiled for each network.
    """
    pre, hidden, slopes, curvatures = [], [], [], []
    known: list[np.ndarray | None] = []
    values = states
    for given, bias, plain in zip(layers.weights, layers.biases, linear, strict=True):
        weight, off = host_weight(given), None
        if accurate and isinstance(weight, np.ndarray):
            before, off = accurate_product(values, weight)
        else:
            before = rows_through(weight, values)
        known.append(off)
        before = before if bias is None else before + np.asarray(bias)
        values, slope, curvature = derivatives_of_units(layers.activation, before, curved)
        if plain is not None:
            values, slope, curvature = np.where(plain, before, values), np.where(plain, 1.0, slope), curvature * ~plain
        pre.append(before)
        hidden.append(values)
        slopes.append(slope)
        if curved:
            curvatures.append(curvature)
    if scores:
        winners = np.argmax(pre[-1][:, -scores:], axis=1)
        hidden[-1][:, -scores:] = np.eye(scores)[winners]
        slopes[-1][:, -scores:] = 0.0
        if curved:
            curvatures[-1][:, -scores:] = 0.0
    return pre, hidden, slopes, curvatures, known
