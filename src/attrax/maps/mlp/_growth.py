"""Proved bounds on how much one application of a fully connected network stretches balls around a state."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.activations import activation as activation_of
from attrax.linalg import (
    SAFETY,
    Factor,
    Norm,
    RankOneBlock,
    contraction_rate,
    frobenius_bound,
    gamma,
    two_norm_bound,
)
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._slope_deviation import slope_deviation
from attrax.maps.mlp._slopes import Evaluation
from attrax.maps.mlp._weights import block, columns_times, rows_times

_FEW = 160
"""Up to this many units a weighted norm is computed; beyond that it is bounded by norms already known."""


@dataclass(frozen=True, slots=True, eq=False)
class RowSpace(Record):
    """A network in the coordinates of the row space of W_1: W_1 = E·Qᵀ.

    **Fields:** `factors`; `entry` = E, k_1×m; `exit` = Qᵀ·W_{L+1}, m×k_L; `error`, bound on the relative error of both;
    `last_norm`, the Frobenius norm of W_{L+1}.
    """

    factors: Factors
    entry: Float[np.ndarray, "k m"]
    exit: Float[np.ndarray, "m k"]
    error: float
    last_norm: float


def row_space(factors: Factors) -> RowSpace:
    """`RowSpace` of a network. If states have no more entries than the first layer has units, they are used as they
    are."""
    first, last = factors.first, factors.last
    if first.shape[1] <= first.shape[0]:
        return RowSpace(factors, first, last, 0.0, float(np.linalg.norm(last)))
    basis, triangle = np.linalg.qr(first.T)
    error = 16 * gamma(sum(first.shape))
    return RowSpace(factors, np.ascontiguousarray(triangle.T), basis.T @ last, error, float(np.linalg.norm(last)))


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """A product of matrices with a bound on the Frobenius norm of its error; its 2-norm is computed when it is first
    needed."""

    matrix: np.ndarray
    error: float

    def after(self, left: np.ndarray | RankOneBlock, left_norm: float) -> "_Chain":
        """left·self."""
        size = frobenius_bound(left)
        rounding = gamma(left.shape[1] + 2) * size * float(np.linalg.norm(self.matrix))
        return _Chain(left @ self.matrix, min(left_norm, size) * self.error + rounding)

    def before(self, right: np.ndarray | RankOneBlock, right_norm: float) -> "_Chain":
        """self·right."""
        size = frobenius_bound(right)
        rounding = gamma(right.shape[0] + 2) * size * float(np.linalg.norm(self.matrix))
        return _Chain(self.matrix @ right, min(right_norm, size) * self.error + rounding)


class StepAt:
    """The part of the bounds for one application of the network that does not depend on the norm: at one state, in
    row-space coordinates."""

    def __init__(self, space: RowSpace, state: np.ndarray) -> None:
        factors = space.factors
        self.space, self.activation, self.depth = space, factors.activation, factors.depth
        evaluation = Evaluation(factors, np.asarray(state, np.float64)[None])
        totals, outputs = evaluation.rounding()
        layers = (evaluation.pre, evaluation.slopes, evaluation.curvatures, totals)
        self.z, self.slopes, self.curvatures, self.z_errors = ([layer[0] for layer in group] for group in layers)
        self.output_error = float(outputs[0])
        # Slopes scale the rows of each weight; inactive units contribute nothing.
        self.on = [np.flatnonzero(slope) for slope in self.slopes]
        self.reach = [_Chain(space.entry, space.error * float(np.linalg.norm(space.entry)))]
        for layer in range(1, self.depth):
            self.reach.append(self._through(layer, self.reach[-1]))
        last = self._through(self.depth, self.reach[-1])
        self.jacobian, self.jacobian_error = last.matrix, last.error
        # cross[k][l]: from the activations of layer k to the pre-activations of layer l.
        self.cross: list[dict[int, _Chain]] = []
        for source in range(self.depth):
            chains: dict[int, _Chain] = {}
            if source + 1 < self.depth:
                chains[source + 1] = _Chain(*Factor(block(factors.weights[source + 1], None, None), 0.0, 0.0).formed())
            for layer in range(source + 2, self.depth):
                chains[layer] = self._through(layer, chains[layer - 1])
            self.cross.append(chains)
        # From the activations of layer l to the next state.
        exits = [_Chain(space.exit, space.error * space.last_norm)]
        for layer in range(self.depth - 1, 0, -1):
            on = self.on[layer]
            weight = rows_times(self.slopes[layer][on], block(factors.weights[layer], on, None))
            bound = float(np.abs(self.slopes[layer]).max(initial=0.0)) * factors.norms[layer]
            exits.append(_Chain(exits[-1].matrix[:, on], exits[-1].error).before(weight, bound))
        self.exits = exits[::-1]

    def thin(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The Jacobian as a product UV through the layer with the fewest active units, if these are fewer than its
        rows."""
        layer = int(np.argmin([len(on) for on in self.on]))
        on = self.on[layer]
        if 4 * len(on) > 3 * len(self.jacobian) or not len(on):
            return None
        return self.exits[layer].matrix[:, on], self.slopes[layer][on, None] * self.reach[layer].matrix[on]

    def ball(self, here: Norm, there: Norm) -> "BallGrowth":
        """Bounds for one norm before the application and another after it."""
        return BallGrowth(self, here, there)

    def _through(self, layer: int, chain: _Chain) -> _Chain:
        """Maps pre-activations of layer − 1 to those of `layer` (or to the next state), with the slopes at the
        point."""
        weights, norms = self.space.factors.weights, self.space.factors.norms
        on, slope = self.on[layer - 1], self.slopes[layer - 1]
        weight = self.space.exit if layer == self.depth else weights[layer]
        part = columns_times(block(weight, None, on), slope[on])
        extra = _Chain(chain.matrix[on], chain.error)
        bound = float(np.abs(slope).max(initial=0.0)) * norms[layer] * (1 + self.space.error)
        result = extra.after(part, bound)
        if layer == self.depth and self.space.error:
            size = self.space.error * self.space.last_norm * float(np.abs(slope).max(initial=0.0))
            result = _Chain(result.matrix, result.error + size * float(np.linalg.norm(extra.matrix)))
        return result


class BallGrowth:
    """κ(r) of one step, from a ball in one norm to a ball in another."""

    def __init__(self, step: StepAt, here: Norm, there: Norm) -> None:
        self.step = step
        self.rows, self.rows_error = [], []
        self.lengths: list[np.ndarray] = []
        for chain in step.reach:
            moved = chain if here.plain else chain.before(here.outer, here.smallest)
            self.rows.append(moved.matrix)
            self.rows_error.append(moved.error)
            self.lengths.append(np.linalg.norm(moved.matrix, axis=1) + moved.error)
        self.exits, self.exits_error = [], []
        for chain in step.exits:
            moved = chain if there.plain else chain.after(there.inner, there.largest)
            self.exits.append(there.slack * moved.matrix)
            self.exits_error.append(there.slack * moved.error)
        self.contraction = contraction_rate(step.jacobian, here, there, step.jacobian_error)
        self.columns = [
            np.linalg.norm(exit, axis=0) + error for exit, error in zip(self.exits, self.exits_error, strict=True)
        ]
        self.known: dict[tuple[str, int, int], float] = {}
        # The radius at which pre-activations move by up to a tenth.
        longest = float(self.lengths[0].max(initial=0.0))
        self.first_radius = 0.1 / longest if longest > 0 else np.inf
        self._moves: dict[float, list[np.ndarray]] = {}

    def linear_radius(self) -> float:
        """The radius up to which no unit can reach a kink; 0 if the activation is curved."""
        bounds = activation_of(self.step.activation).bounds
        if bounds is None or not bounds.linear:
            return 0.0
        radius = np.inf
        for z, error, length in zip(self.step.z, self.step.z_errors, self.lengths, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                for kink in bounds.kinks:
                    room = np.where(length > 0, (np.abs(z - kink) - error) / ((1 + SAFETY) * length), np.inf)
                    radius = min(radius, float(room.min(initial=np.inf)))
        return max(radius, 0.0)

    def growth(self, radius: float, away: float = 0.0) -> float:
        """κ(r) around the exact state, whose pre-activations may differ by as much as `away` allows."""
        if away and away not in self._moves:
            self._moves[away] = self._growth(away, None)[1]
        return self._growth(radius, self._moves.get(away))[0]

    def _growth(self, radius: float, extra: Sequence[np.ndarray] | None) -> tuple[float, list[np.ndarray]]:
        """κ at `radius`, and how far each pre-activation may move; `extra` adds to the errors of pre-activations."""
        step = self.step
        total, moves = self.contraction, []
        units: list[np.ndarray] = []
        roots: list[np.ndarray] = []
        pushes: list[np.ndarray] = []
        sizes: list[float] = []
        for layer in range(step.depth):
            move = radius * self.lengths[layer]
            for source in range(layer):
                if len(units[source]):
                    chain = step.cross[source][layer]
                    part = chain.matrix[:, units[source]]
                    by_units = np.abs(part) @ pushes[source] + chain.error * np.linalg.norm(pushes[source])
                    weighted = np.linalg.norm(part * roots[source], axis=1) + chain.error * roots[source].max()
                    move = move + np.minimum(by_units, weighted * sizes[source])
            move = move * (1 + SAFETY)
            moves.append(move)
            error = step.z_errors[layer] if extra is None else step.z_errors[layer] + extra[layer]
            stray = slope_deviation(
                step.activation, step.z[layer], step.slopes[layer], step.curvatures[layer], error, move
            )
            # The deviation of the averaged slopes from those at the point, per unit and as one vector.
            chosen = np.flatnonzero(stray > 0)
            root = np.sqrt(stray[chosen])
            units.append(chosen)
            roots.append(root)
            pushes.append(stray[chosen] * move[chosen])
            if not len(chosen):
                sizes.append(0.0)
                continue
            size = self._weighted("rows", layer, layer, chosen, root, None, None) * radius
            for source in range(layer):
                if len(units[source]):
                    size += (
                        self._weighted("cross", source, layer, chosen, root, units[source], roots[source])
                        * (sizes[source])
                    )
            sizes.append(min(size, float(np.linalg.norm(root * move[chosen]))) * (1 + SAFETY))
            together = self._weighted("exit", layer, layer, None, None, chosen, root) * sizes[layer]
            apart = float(self.columns[layer][chosen] @ pushes[layer])
            total += min(together, apart) * (1 + SAFETY) / radius
        return (total if np.isfinite(total) else np.inf), moves

    def _weighted(
        self,
        kind: str,
        source: int,
        layer: int,
        rows: np.ndarray | None,
        row_weights: np.ndarray | None,
        columns: np.ndarray | None,
        column_weights: np.ndarray | None,
    ) -> float:
        """Bound on the 2-norm of diag(w)·M·diag(v) on some rows and columns of a known matrix."""
        if kind == "rows":
            matrix, error = self.rows[layer], self.rows_error[layer]
        elif kind == "exit":
            matrix, error = self.exits[layer], self.exits_error[layer]
        else:
            chain = self.step.cross[source][layer]
            matrix, error = chain.matrix, chain.error
        part, most = matrix, 1.0
        if rows is not None and row_weights is not None:
            part, most = part[rows] * row_weights[:, None], most * float(row_weights.max())
        if columns is not None and column_weights is not None:
            part, most = part[:, columns] * column_weights, most * float(column_weights.max())
        if min(part.shape) <= _FEW:
            return two_norm_bound(part) + most * error
        # The norm of the whole matrix is computed once; it bounds the norm of any submatrix.
        name = (kind, source, layer)
        if name not in self.known:
            self.known[name] = two_norm_bound(matrix)
        return min(float(np.linalg.norm(part)), most * self.known[name]) + most * error


def steps_at(space: RowSpace, cycle: HostStates) -> list[StepAt]:
    """`StepAt` of each state of a cycle."""
    return [StepAt(space, state) for state in np.asarray(cycle, np.float64)]
