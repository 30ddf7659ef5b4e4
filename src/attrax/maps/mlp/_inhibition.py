"""Rounds of inhibition at many states: certificates from the few units that are on.

A layer of ReLU units with the weights diag(d) + l·rᵀ and the biases b *inhibits* if l ≤ 0, r ≥ 0 and b ≤ 0. A unit
whose own input is 0 then has the pre-activation l·(rᵀx) + b ≤ 0, whatever the other inputs x ≥ 0 are, and is 0 again.
So a unit that is certainly off in a ball stays off through all such layers, exactly, and need not be computed there.
After the first round of a winner-take-all network few units are left.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from attrax.linalg import UNIT_ROUNDOFF, frobenius_bound, gamma
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._layers import HiddenLayers, inhibits, is_relu
from attrax.maps.mlp._slopes import Evaluation, row_lengths
from attrax.maps.mlp._weights import MORE, ROUNDED, DiagonalPlusRankOne, one_if_equal, tame

_Layer: TypeAlias = tuple[DiagonalPlusRankOne, np.ndarray | None]

_RADIUS = 1e-10
"""Radius of the balls that are looked at, relative to 1 and the size of a state together."""
_LARGE = 1e300
"""Scores and their sums stay below this, or nothing is known about a state."""
_UNITS, _LEAST, _CACHED = 8_000_000, 32, 2**18
"""Units that are computed in full, of all states together, at once; the least number of states; and the scores that
stay in the cache from one operation to the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """The last layers of a network: scores, layers that inhibit, and one of which each unit has one input.

    **Fields:** `factors` of the network; `front`, those of the layers before the scores, `None` if there is none;
    `scores` and `rounds`, weights and biases of these layers; `chosen`, those of the last hidden layer; `resting`, the
    values of that layer for inputs of 0, and `at_rest`, W_{L+1} times them, with a bound on its error in the 2-norm.
    """

    factors: Factors
    front: Factors | None
    scores: "_Scores"
    rounds: tuple[_Layer, ...]
    chosen: _Layer
    resting: Float[np.ndarray, " n"]
    at_rest: Float[np.ndarray, " d"]
    at_rest_error: float

    @property
    def units(self) -> int:
        """Units of the layers that are computed in full."""
        return len(self.resting) + (0 if self.front is None else sum(map(len, self.front.row_norms)))

    @property
    def together(self) -> int:
        """States that are looked at at once. The scores of a few do not stay in the cache, and their weights are read
        for each piece."""
        return max(_LEAST, _UNITS // self.units)

    def constant_at(
        self, states: Float[np.ndarray, "p d"]
    ) -> tuple[Float[np.ndarray, " p"], Int[np.ndarray, " p"], Float[np.ndarray, "p d"]]:
        """For each state how far from it there certainly is a fixed point around which the network is constant, or
        infinity; the least number of units of a round that are on; and the network's value, as in `images`.

        Like `enclose_constant`, but it looks at one ball, whose radius is chosen beforehand.
        """
        radius = _RADIUS * (1 + np.linalg.norm(states, axis=1))
        with np.errstate(over="ignore", invalid="ignore"):
            few, sure, narrow = self._left(states, radius)
            constant, values, errors = few.chosen(*self.chosen)
            outputs, rounding = self._outputs(few, values, errors)
            gaps = outputs - states
            lengths = np.array([frobenius_bound(gap[None]) for gap in gaps])
            residuals = (lengths * (1 + 2 * UNIT_ROUNDOFF) + rounding) * MORE
            found = residuals * (1 + 1e-6)
        return (
            np.where(sure & constant & (found <= radius), found, np.inf),
            narrow,
            np.where(sure[:, None], outputs, np.nan),
        )

    def images(self, states: Float[np.ndarray, "p d"]) -> Float[np.ndarray, "p d"]:
        """The network's values; NaN where the numbers on the way may leave the range of float64."""
        pieces = []
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(states), self.together):
                piece = states[start : start + self.together]
                few, sure, _ = self._left(piece, np.zeros(len(piece)))
                _, values, errors = few.chosen(*self.chosen)
                pieces.append(np.where(sure[:, None], self._outputs(few, values, errors)[0], np.nan))
        return np.concatenate(pieces)

    def _left(
        self, states: Float[np.ndarray, "p d"], radius: Float[np.ndarray, " p"]
    ) -> tuple["_Few", Bool[np.ndarray, " p"], Int[np.ndarray, " p"]]:
        """The units that may be on after all rounds within `radius` of each state; whether the bounds on that are
        numbers; and the least number of units of a round that are on."""
        inputs, away = states, radius[:, None]
        if self.front is not None:
            evaluation = Evaluation(self.front, states, fixed=True)
            inputs, (away, _) = evaluation.hidden[-1], evaluation.carried(radius)
        few, sure = self.scores.inhibited(inputs, away, *self.rounds[0])
        narrow = np.count_nonzero(few.values, axis=1)
        for weight, bias in self.rounds[1:]:
            few = few.inhibited(weight, bias).packed()
            narrow = np.minimum(narrow, np.count_nonzero(few.values, axis=1))
        return few, sure, narrow

    def _outputs(
        self, few: "_Few", values: np.ndarray, errors: np.ndarray
    ) -> tuple[Float[np.ndarray, "p d"], Float[np.ndarray, " p"]]:
        """What the last layer makes of the values of the units that were left, and bounds on its error."""
        last, bias, norms = self.factors.last, self.factors.biases[-1], self.factors.column_norms
        moved = np.where(few.kept, values - self.resting[few.columns], 0.0)
        outputs = np.tile(self.at_rest, (len(moved), 1))
        for row, (units, change) in enumerate(zip(few.columns, moved, strict=True)):
            on = np.flatnonzero(change)
            outputs[row] += last[:, units[on]] @ change[on]
        sizes = frobenius_bound(self.at_rest[None]) + (np.abs(moved) * norms[few.columns]).sum(axis=1)
        rounding = self.at_rest_error + gamma(moved.shape[1] + 8) * sizes * MORE + 1e-290
        rounding = rounding + (errors * norms[few.columns]).sum(axis=1) * MORE
        if bias is not None:
            outputs = outputs + bias
            lengths = frobenius_bound(bias[None]) + np.array([frobenius_bound(output[None]) for output in outputs])
            rounding = rounding + 2 * UNIT_ROUNDOFF * lengths
        return outputs, np.where(np.isnan(rounding), np.inf, rounding * MORE)


def rounds_of(factors: Factors) -> Rounds | None:
    """The `Rounds` of a network; `None` if it does not end in three layers that inhibit and one of which each unit has
    one input, or if it has infinite weights."""
    weights, biases = factors.weights[:-1], factors.biases[:-1]
    if not is_relu(factors.activation) or factors.scores or any(plain is not None for plain in factors.linear):
        return None
    chosen = weights[-1]
    if not isinstance(chosen, DiagonalPlusRankOne) or np.asarray(chosen.left).any():
        return None
    bias = biases[-1]
    resting = np.zeros(chosen.shape[0]) if bias is None else np.maximum(bias, 0.0)
    finite = np.isfinite(chosen.diagonal).all() and np.isfinite(chosen.right).all()
    # Numbers that sums of them do not overflow with.
    if not (finite and (resting < 1e50).all() and factors.column_norms.sum() < 1e200):
        return None
    rounds: list[_Layer] = []
    for weight, threshold in zip(reversed(weights[1:-1]), reversed(biases[1:-1]), strict=True):
        if not isinstance(weight, DiagonalPlusRankOne) or not inhibits(weight, threshold) or not tame(weight):
            break
        rounds.insert(0, (weight, threshold))
    scored = len(weights) - 2 - len(rounds)
    matrix = weights[scored]
    if len(rounds) < 3 or not isinstance(matrix, np.ndarray):
        return None
    # What the layers after the first ones have does not matter to these.
    front = None
    if scored:
        nothing = np.zeros((1, matrix.shape[1]))
        front = replace(
            factors,
            hidden=HiddenLayers(weights[:scored], biases[:scored], factors.activation),
            weights=(*weights[:scored], nothing),
            biases=(*biases[:scored], None),
            row_norms=factors.row_norms[:scored],
            column_norms=np.zeros(nothing.shape[1]),
            linear=factors.linear[:scored],
        )
    scores = _Scores(matrix, biases[scored], factors.row_norms[scored])
    with np.errstate(over="ignore", invalid="ignore"):
        # Sums of many terms of which each state takes away one: they are rounded once, not n times.
        at_rest = np.array([math.fsum((row * resting).tolist()) for row in factors.last])
        error = UNIT_ROUNDOFF * frobenius_bound(at_rest[None])
        if not np.isin(resting, (0.0, 1.0)).all():
            error += UNIT_ROUNDOFF * float(resting @ factors.column_norms)
    return Rounds(factors, front, scores, (*rounds,), (chosen, bias), resting, at_rest, error * MORE)


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """The layer of the scores: weights n×k, biases, and bounds on the 2-norms of the rows."""

    weight: Float[np.ndarray, "n k"]
    bias: Float[np.ndarray, " n"] | None
    sizes: Float[np.ndarray, " n"]

    def inhibited(
        self,
        inputs: Float[np.ndarray, "p k"],
        away: Float[np.ndarray, "p 1"],
        weight: DiagonalPlusRankOne,
        bias: np.ndarray | None,
    ) -> tuple["_Few", Bool[np.ndarray, " p"]]:
        """The units of the first round, diag(d) + l·rᵀ, for inputs of this layer that are within `away` of the given
        ones, in the 2-norm; and for which inputs these bounds are numbers. What is said of the others means nothing.

        All units of an input have one bound on their errors: as they are many, it costs nothing to compute.
        """
        diagonal, left, right = (np.asarray(part) for part in (weight.diagonal, weight.left, weight.right))
        levels = np.zeros_like(self.sizes) if self.bias is None else np.abs(self.bias)
        count, length = self.weight.shape[1], row_lengths(inputs)
        # A score is off by at most reach·‖w‖ + 5u|b| + tiny: by the rounding of the product and underflow, and by the
        # inputs.
        reach = (gamma(count + 8) * length + away) * MORE
        values, total = inputs @ self.weight.T, np.empty(len(inputs))
        step = max(1, _CACHED // len(right))
        pieces = [slice(start, start + step) for start in range(0, len(values), step)]
        for piece in pieces:
            table = values[piece]
            if self.bias is not None:
                table += self.bias
            np.maximum(table, 0.0, out=table)
            total[piece] = table @ right
        unit, tiny = UNIT_ROUNDOFF, 1e-300
        total_error = reach[:, 0] * (right @ self.sizes) + 5 * unit * (right @ levels) + tiny * right.sum()
        total_error = (total_error + gamma(len(right) + 8) * total) * MORE + 1e-290
        least = 0.0 if bias is None else float(np.abs(bias).max())
        steep, most = np.abs(diagonal), float(np.abs(left).max())
        error = (reach + 8 * unit * length)[:, 0] * (steep * self.sizes).max() + 16 * unit * (steep * levels).max()
        error += tiny * steep.max()
        error = (error + most * (total_error + 8 * unit * total) + 8 * unit * least) * MORE + 1e-290
        # Sums of products that overflow, or underflow and are multiplied by large numbers, are beyond these bounds.
        usual = (((self.sizes > 1e-150) & (self.sizes < 1e150)) | (self.sizes == 0)).all()
        scale = length[:, 0] * self.sizes.max() + levels.max()
        sure = usual & np.isfinite(error) & (scale * (1 + right.sum()) * (1 + steep.max() + most) + least < _LARGE)
        # Most units are off by far, which their scores alone show.
        bar = np.where(sure, _bar(diagonal.max(), left.max(), total, -error), np.inf)
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for piece in pieces:
            rows, columns = np.divmod(np.flatnonzero(values[piece] >= bar[piece, None]), len(right))
            rows += piece.start
            before = values[rows, columns] * diagonal[columns] + total[rows] * left[columns]
            if bias is not None and least:
                before += bias[columns]
            on = before >= -error[rows]
            found.append((rows[on], columns[on], before[on]))
        rows, columns, before = (np.concatenate(part) for part in zip(*found, strict=True))
        counts = np.bincount(rows, minlength=len(values))
        numbers, kept = _in_rows(rows, counts, columns), np.arange(max(int(counts.max(initial=0)), 1)) < counts[:, None]
        on = np.maximum(_in_rows(rows, counts, before), 0.0)
        return _Few(numbers, kept, on, (np.where(sure, error, 0.0) * np.sqrt(counts) * MORE)[:, None]), sure


@dataclass(frozen=True, slots=True, eq=False)
class _Few:
    """The units of a layer that are on, or may be, in balls around p states.

    **Fields:** `columns`, their numbers, p×m, of which those that are not `kept` fill the rows up; `values` at the
    states; `away`, bounds on the 2-norms of the errors of the values in the balls, p×1; all other units are at 0.
    """

    columns: Int[np.ndarray, "p m"]
    kept: Bool[np.ndarray, "p m"]
    values: Float[np.ndarray, "p m"]
    away: Float[np.ndarray, "p 1"]

    def packed(self) -> "_Few":
        """The same in fewer columns, if half of them suffice."""
        counts = self.kept.sum(axis=1)
        if 2 * counts.max(initial=0) > self.kept.shape[1]:
            return self
        rows, _ = places = np.nonzero(self.kept)
        columns, values = (_in_rows(rows, counts, table[places]) for table in (self.columns, self.values))
        return _Few(columns, np.arange(columns.shape[1]) < counts[:, None], values, self.away)

    def _part(self, part: Any) -> np.ndarray:
        """The entries of a vector for these units: p×m, or 1×1 if all of the vector are equal."""
        part = one_if_equal(np.asarray(part))
        return part[None] if part.size == 1 else part[self.columns]

    def _sums(
        self, diagonal: np.ndarray, left: np.ndarray, right: np.ndarray, bias: np.ndarray | None
    ) -> tuple[Float[np.ndarray, "p m"], Float[np.ndarray, "p 1"]]:
        """The pre-activations, and for each state a bound on the rounding of all of them and of their ReLU."""
        total = (right * self.values).sum(axis=1, keepdims=True)
        before = diagonal * self.values + left * total
        size = _largest(diagonal) * self.values.max(axis=1, keepdims=True) + _largest(left) * total
        if bias is not None and bias.any():
            offsets = self._part(bias)
            before = before + offsets
            size = size + _largest(offsets)
        counts = np.count_nonzero(self.kept, axis=1) + 8
        return before, np.array([gamma(int(count)) for count in counts])[:, None] * size * MORE + 1e-300 * (
            1 + _largest(left)
        )

    def inhibited(self, weight: DiagonalPlusRankOne, bias: np.ndarray | None) -> "_Few":
        """The next layer, which inhibits. The bounds are those of `Evaluation` by norms, of these units alone."""
        diagonal, left, right = map(self._part, (weight.diagonal, weight.left, weight.right))
        before, rounding = self._sums(diagonal, left, right, bias)
        length = _length(self.kept, right)
        whole, alone = (left * right + diagonal) ** 2, (left * right) ** 2
        # The squared norm of a row is that of l_i·r but for one entry; see `row_sizes` and `block_norms`.
        more = whole - alone + ROUNDED * (whole + alone)
        rows = np.sqrt(np.maximum((1 + ROUNDED) * (left * length) ** 2 + more, 0.0)) * MORE
        reached = (rounding + self.away * np.fmin(rows, np.abs(diagonal) + np.abs(left) * length * MORE)) * MORE
        on = self.kept & ~(before < -reached)
        outer = _length(on, left) * length
        among = np.sqrt((1 + ROUNDED) * outer**2 + _total(on, more))
        norm = np.fmin(_largest(diagonal) + outer, among) * MORE
        values = np.where(on, np.maximum(before, 0.0), 0.0)
        # Slopes are from 0 to 1.
        away = self.away * norm + rounding * np.sqrt(np.count_nonzero(on, axis=1))[:, None]
        return _Few(self.columns, on, values, np.where(np.isnan(away), np.inf, away * MORE))

    def chosen(self, weight: DiagonalPlusRankOne, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The layer of which each unit has one input: whether it is certainly constant in each ball, its values and
        bounds on their errors.

        Units that were not kept in the layer before have an input of 0 in the whole ball.
        """
        diagonal, none = self._part(weight.diagonal), np.zeros((1, 1))
        before, rounding = self._sums(diagonal, none, none, bias)
        reached = (rounding + self.away * np.abs(diagonal)) * MORE
        off = before < -reached
        values = np.where(off, 0.0, np.maximum(before, 0.0))
        return np.asarray((off | ~self.kept).all(axis=1)), values, np.where(self.kept & ~off, reached, 0.0)


def _bar(
    diagonal: float, left: float, total: Float[np.ndarray, " p"], wanted: Float[np.ndarray, " p"]
) -> Float[np.ndarray, " p"]:
    """For each state a score below which d·score + l·total, as computed, is less than what is wanted, for all d ≤
    `diagonal` and l ≤ `left`; 0 if none is known. Scores and totals are at least 0.

    Products and sums are rounded monotonically, so that it is enough to look at the score itself.
    """
    slope, level = max(diagonal, 0.0), left * total
    bar = (wanted - level) / (slope or 1.0) * (1 - 1e-9)
    return np.where((bar > 0) & (bar * slope + level < wanted), bar, 0.0)


def _largest(part: np.ndarray) -> float:
    return float(np.abs(part).max(initial=0.0))


def _total(kept: Bool[np.ndarray, "p m"], part: np.ndarray) -> Float[np.ndarray, "p 1"]:
    """The sum of the kept entries of a `_part`."""
    if part.size == 1:
        return np.count_nonzero(kept, axis=1)[:, None] * part
    return np.where(kept, part, 0.0).sum(axis=1, keepdims=True)


def _length(kept: Bool[np.ndarray, "p m"], part: np.ndarray) -> Float[np.ndarray, "p 1"]:
    """Bounds on the 2-norms of the kept entries of a `_part`."""
    if part.size == 1:
        return np.sqrt(np.count_nonzero(kept, axis=1))[:, None] * np.abs(part) * MORE
    return row_lengths(np.where(kept, part, 0.0))


def _in_rows(rows: Int[np.ndarray, " e"], counts: Int[np.ndarray, " p"], entries: np.ndarray) -> np.ndarray:
    """A table, p×m, of entries that are given row by row, so many for each; 0 fills the rows up."""
    front = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.zeros((len(counts), max(int(counts.max(initial=0)), 1)), entries.dtype)
    table[rows, front] = entries
    return table
