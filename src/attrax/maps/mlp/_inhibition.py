"""Rounds of inhibition at many states: certificates from the few units that are on.

A layer of ReLU units with the weights diag(d) + l·rᵀ and the biases b *inhibits* if l ≤ 0, r ≥ 0 and b ≤ 0. A unit
whose own input is 0 then has the pre-activation l·(rᵀx) + b ≤ 0, whatever the other inputs x ≥ 0 are, and is 0 again.
So a unit that is certainly off in a ball stays off through all such layers, exactly, and need not be computed there.
After the first round of a winner-take-all network few units are left.
"""

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from attrax.linalg import UNIT_ROUNDOFF, frobenius_bound, gamma
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._layers import HiddenLayers, inhibits, is_relu
from attrax.maps.mlp._slopes import Evaluation, row_lengths
from attrax.maps.mlp._weights import MORE, ROUNDED, DiagonalPlusRankOne, tame

_Layer: TypeAlias = tuple[DiagonalPlusRankOne, np.ndarray | None]

_RADIUS = 1e-10
"""Radius of the balls that are looked at, relative to 1 and the size of a state together."""


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """The last layers of a network: several that inhibit, and one of which each unit has one input.

    **Fields:** `factors` of the network; `head`, those of its first layers, up to the first that inhibits; `rounds`,
    weights and biases of the others that do; `chosen`, those of the last hidden layer; `resting`, the values of that
    layer for inputs of 0, and `at_rest`, W_{L+1} times them, with a bound on its error in the 2-norm.
    """

    factors: Factors
    head: Factors
    rounds: tuple[_Layer, ...]
    chosen: _Layer
    resting: Float[np.ndarray, " n"]
    at_rest: Float[np.ndarray, " d"]
    at_rest_error: float

    @property
    def units(self) -> int:
        """Units of the layers that are computed in full, and of the last one."""
        return sum(len(row) for row in self.head.row_norms) + len(self.resting)

    def constant_at(self, states: Float[np.ndarray, "p d"]) -> tuple[Float[np.ndarray, " p"], Int[np.ndarray, " p"]]:
        """For each state how far from it there certainly is a fixed point around which the network is constant, or
        infinity, and the least number of units of a layer that are on.

        Like `enclose_constant`, but it looks at one ball, whose radius is chosen beforehand.
        """
        evaluation = Evaluation(self.head, states, fixed=True)
        radius = _RADIUS * (1 + np.linalg.norm(states, axis=1))
        with np.errstate(over="ignore", invalid="ignore"):
            away, live = evaluation.carried(radius)
            few = _Few.of(live, evaluation.hidden[-1], away)
            narrow = np.min([np.count_nonzero(slopes, axis=1) for slopes in evaluation.slopes], axis=0)
            for weight, bias in self.rounds:
                few = few.inhibited(weight, bias).packed()
                narrow = np.minimum(narrow, np.count_nonzero(few.values, axis=1))
            constant, values, errors = few.chosen(*self.chosen)
            outputs, rounding = self._outputs(few, values, errors)
            gaps = outputs - states
            lengths = np.array([frobenius_bound(gap[None]) for gap in gaps])
            residuals = (lengths * (1 + 2 * UNIT_ROUNDOFF) + rounding) * MORE
            found = residuals * (1 + 1e-6)
        return np.where(constant & (found <= radius), found, np.inf), narrow

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
    if len(rounds) < 3:
        return None
    start = len(weights) - len(rounds)
    # What the layers after the first ones have does not matter to these.
    nothing = np.zeros((1, chosen.shape[0]))
    head = replace(
        factors,
        hidden=HiddenLayers(weights[:start], biases[:start], factors.activation),
        weights=(*weights[:start], nothing),
        biases=(*biases[:start], None),
        row_norms=factors.row_norms[:start],
        column_norms=np.zeros(chosen.shape[0]),
        linear=factors.linear[:start],
    )
    with np.errstate(over="ignore", invalid="ignore"):
        # Sums of many terms of which each state takes away one: they are rounded once, not n times.
        at_rest = np.array([math.fsum((row * resting).tolist()) for row in factors.last])
        error = UNIT_ROUNDOFF * frobenius_bound(at_rest[None])
        if not np.isin(resting, (0.0, 1.0)).all():
            error += UNIT_ROUNDOFF * float(resting @ factors.column_norms)
    return Rounds(factors, head, (*rounds[1:],), (chosen, bias), resting, at_rest, error * MORE)


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

    @classmethod
    def of(cls, live: Bool[np.ndarray, "p n"], values: Float[np.ndarray, "p n"], away: np.ndarray) -> "_Few":
        columns, found = _packed(live, np.broadcast_to(np.arange(live.shape[1]), live.shape), values)
        kept = np.arange(columns.shape[1]) < live.sum(axis=1)[:, None]
        return cls(columns, kept, found, away)

    def packed(self) -> "_Few":
        """The same in fewer columns, if half of them suffice."""
        counts = self.kept.sum(axis=1)
        if 2 * counts.max(initial=0) > self.kept.shape[1]:
            return self
        columns, values = _packed(self.kept, self.columns, self.values)
        return _Few(columns, np.arange(columns.shape[1]) < counts[:, None], values, self.away)

    def _sums(
        self, diagonal: np.ndarray, left: np.ndarray, right: np.ndarray, bias: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pre-activations, and bounds on their rounding at the states; see `Evaluation`."""
        offsets = np.zeros_like(diagonal) if bias is None else bias[self.columns]
        total = (right * self.values).sum(axis=1, keepdims=True)
        before = diagonal * self.values + left * total + offsets
        sizes = np.abs(diagonal) * self.values + np.abs(left) * total
        counts = np.count_nonzero(self.values, axis=1) + 4
        rounding = np.array([gamma(int(count)) for count in counts])[:, None] * sizes + 1e-300
        return before, rounding + 2 * UNIT_ROUNDOFF * (np.abs(offsets) + np.abs(before))

    def inhibited(self, weight: DiagonalPlusRankOne, bias: np.ndarray | None) -> "_Few":
        """The next layer, which inhibits. The bounds are those of `Evaluation` by norms, of these units alone."""
        parts = (weight.diagonal, weight.left, weight.right)
        diagonal, left, right = (np.asarray(part)[self.columns] for part in parts)
        right = np.where(self.kept, right, 0.0)
        before, rounding = self._sums(diagonal, left, right, bias)
        length = row_lengths(right)
        whole, alone = (left * right + diagonal) ** 2, (left * right) ** 2
        # The squared norm of a row is that of l_i·r but for one entry; see `row_sizes` and `block_norms`.
        more = whole - alone + ROUNDED * (whole + alone)
        rows = np.sqrt((1 + ROUNDED) * (left * length) ** 2 + more) * MORE
        reached = (rounding + self.away * np.fmin(rows, np.abs(diagonal) + np.abs(left) * length * MORE)) * MORE
        sure = np.abs(before) > reached
        on = self.kept & ((before > 0) | ~sure)
        outer = row_lengths(np.where(on, left, 0.0)) * length
        largest = np.where(on, np.abs(diagonal), 0.0).max(axis=1, keepdims=True)
        among = np.sqrt((1 + ROUNDED) * outer**2 + np.where(on, more, 0.0).sum(axis=1, keepdims=True))
        norm = np.fmin(largest + outer, among) * MORE
        values = np.where(on, np.maximum(before, 0.0), 0.0)
        # Slopes are from 0 to 1.
        away = self.away * norm + row_lengths(np.where(on, rounding, 0.0)) + row_lengths(2 * UNIT_ROUNDOFF * values)
        return _Few(self.columns, on, values, np.where(np.isnan(away), np.inf, away * MORE))

    def chosen(self, weight: DiagonalPlusRankOne, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The layer of which each unit has one input: whether it is certainly constant in each ball, its values and
        bounds on their errors.

        Units that were not kept in the layer before have an input of 0 in the whole ball.
        """
        diagonal = np.asarray(weight.diagonal)[self.columns]
        none = np.zeros_like(diagonal)
        before, rounding = self._sums(diagonal, none, none, bias)
        reached = (rounding + np.where(self.kept, self.away * np.abs(diagonal), 0.0)) * MORE
        off = (before < 0) & (np.abs(before) > reached)
        values = np.where(off, 0.0, np.maximum(before, 0.0))
        errors = np.where(off, 0.0, reached + 2 * UNIT_ROUNDOFF * values)
        return np.asarray((off | ~self.kept).all(axis=1)), values, np.where(self.kept, errors, 0.0)


def _packed(chosen: Bool[np.ndarray, "p n"], *tables: np.ndarray) -> list[np.ndarray]:
    """The chosen entries of each row of some tables, p×n, at the front of shorter rows that 0 fills up."""
    rows, places = np.nonzero(chosen)
    counts = chosen.sum(axis=1)
    front = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = []
    for table in tables:
        shorter = np.zeros((len(chosen), max(int(counts.max(initial=0)), 1)), table.dtype)
        shorter[rows, front] = table[rows, places]
        found.append(shorter)
    return found
