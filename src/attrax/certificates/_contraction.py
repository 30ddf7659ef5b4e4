"""Balls that a fully connected network provably draws into its fixed points and cycles.

Let u be the part of x − x* in the row space of W_1; the rest does not matter. In a norm ‖v‖ with u = Rv the exact
difference obeys v' = S(J + Σ_l T_l E_l …)R v, where E_l is diagonal and holds how far the slopes of layer l, averaged
over the way from x* to x, stray from those at x*. Those are bounded by how far each pre-activation can move within the
ball (`slope_deviation`); a unit of a piecewise-linear activation that can't reach its kink contributes nothing. So
‖v'‖ ≤ κ(r)·‖v‖ for all ‖v‖ ≤ r, with a κ that never decreases: where κ(r) < 1 the whole ball goes to x*.
The norm solves a discrete Lyapunov equation P_i = I + J_iᵀ P_{i+1} J_i/q² round the cycle, P_i = S_iᵀS_i.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from attrax._activations import PIECEWISE_LINEAR
from attrax._types import HostStates
from attrax.certificates._network_product import network_product
from attrax.certificates._network_slopes import Factors, network_slopes, slopes_at
from attrax.certificates._norms import Norm, contracting_norms, two_norm
from attrax.certificates._running_product import UNIT_ROUNDOFF, Product, gamma
from attrax.certificates._slopes import slope_deviation

_SAFETY = 1e-6
"""Every computed bound is enlarged by this share, beside the rounding errors that are counted one by one."""
_MOST = 1e15
_FEW = 160
"""Up to so many units a weighted norm is computed; beyond, bounded by norms that are already known."""


@dataclass(frozen=True, slots=True, eq=False)
class Contraction:
    """A ball around each point of a cycle that provably converges to the cycle, in phase.

    **Fields:**

    - `radius`: (p,), Euclidean, in the units of a state; 0 where nothing could be proved. The search ends at
      about 10¹⁵, so a map that contracts everywhere gets a number, too.
    - `linear_radius`: (p,), of the ball in the same norm in which no unit changes its slope; 0 where φ is curved.
    - `factor`: κ, by which the norm of the deviation shrinks at least at each step within the balls; NaN without them.
    """

    radius: Float[np.ndarray, " p"]
    linear_radius: Float[np.ndarray, " p"]
    factor: float


@dataclass(frozen=True, slots=True, eq=False)
class RowSpace:
    """A network in the coordinates of the row space of W_1: W_1 = E·Qᵀ and `leave` = Qᵀ·W_{L+1}.

    **Fields:** `factors`; `enter` = E, k_1×m; `leave`, m×k_L; `error`, bound on the relative error of both;
    `last_norm`, the Frobenius norm of W_{L+1}.
    """

    factors: Factors
    enter: Float[np.ndarray, "k m"]
    leave: Float[np.ndarray, "m k"]
    error: float
    last_norm: float


def row_space(factors: Factors) -> RowSpace:
    """`RowSpace` of a network; the states themselves where they have no more entries than the first layer."""
    first, last = factors.weights[0], factors.weights[-1]
    if first.shape[1] <= first.shape[0]:
        return RowSpace(factors, first, last, 0.0, float(np.linalg.norm(last)))
    basis, triangle = np.linalg.qr(first.T)
    error = 16 * gamma(sum(first.shape))
    return RowSpace(factors, np.ascontiguousarray(triangle.T), basis.T @ last, error, float(np.linalg.norm(last)))


def contraction(space: RowSpace, cycle: HostStates, residual: float) -> Contraction:
    """The largest balls that could be proved, over a few norms.

    All is computed in float64. The rounding of the pre-activations, the distance of the given points from the exact
    cycle (whose existence follows by Brouwer's theorem) and the rounding of each matrix product are bounded and
    counted against the radius, and each bound is enlarged by 1e-6 of itself.

    **Arguments:** `space`; `cycle`, p×state shape, refined; `residual`, the largest ‖f(x_i) − x_{i+1}‖.

        >>> import numpy as np
        >>> from attrax import maps
        >>> from attrax.certificates import contraction, network_factors, row_space
        >>> halves = maps.MLP((np.eye(2), np.eye(2) / 2), (np.ones(2), -np.ones(2) / 2), (2,), "relu")
        >>> found = contraction(row_space(network_factors(halves)), np.zeros((1, 2)), 0.0)
        >>> float(found.radius[0]) > 1, round(float(found.linear_radius[0]), 5)
        (True, 1.0)
    """
    nothing = Contraction(np.zeros(len(cycle)), np.zeros(len(cycle)), float("nan"))
    if not np.isfinite(residual):
        return nothing
    steps = [_Step(space, state) for state in np.asarray(cycle, np.float64)]
    jacobians = [step.jacobian for step in steps]
    if not all(np.isfinite(jacobian).all() for jacobian in jacobians):
        return nothing
    thin = steps[0].thin() if len(steps) == 1 else None
    if thin is not None:
        # Only an estimate of the largest eigenvalue is needed, which the smaller product shares.
        product = Product(thin[1] @ thin[0], 0.0, 0.0)
    else:
        product = network_product(space.factors, *network_slopes(space.factors, np.asarray(cycle, np.float64)))
    return _best(nothing, jacobians, product, lambda norms: _prove(steps, norms, residual), thin)


def quadratic_contraction(
    jacobians: Sequence[Float[np.ndarray, "d d"]],
    product: Product,
    second_derivative: Callable[[float], float],
    residual: float,
) -> Contraction:
    """The same for any map whose second derivative is bounded: ‖f(x + δ) − f(x) − Jδ‖ ≤ ½·M·‖δ‖².

    The Jacobians are taken to be right to 64 units in the last place of their norms; `second_derivative` is believed.

    **Arguments:**

    - `jacobians`: of the map at each point of the cycle, in order; `product`, theirs.
    - `second_derivative`: M of a Euclidean distance r, a bound on sup ‖D²f(x + δ)‖₂ over ‖δ‖ ≤ r and all points x.
    - `residual`: the largest ‖f(x_i) − x_{i+1}‖, with its rounding.

    **Returns:** `Contraction`, with the linear radius 0.

        >>> import numpy as np
        >>> from attrax.certificates import Product, quadratic_contraction
        >>> half = np.array([[0.5]])
        >>> found = quadratic_contraction([half], Product(half, 0.0, 0.0), lambda r: 1.0, 0.0)
        >>> round(float(found.radius[0]), 1)  # x → x/2 + x²/2 has its other fixed point at 1
        1.0
    """
    nothing = Contraction(np.zeros(len(jacobians)), np.zeros(len(jacobians)), float("nan"))
    if not np.isfinite(residual) or not all(np.isfinite(jacobian).all() for jacobian in jacobians):
        return nothing

    def prove(norms: Sequence[Norm]) -> Contraction | None:
        period = len(norms)
        ways = [(jacobian, norms[i], norms[(i + 1) % period]) for i, jacobian in enumerate(jacobians)]
        rates = [_rate(jacobian, here, there, 64 * UNIT_ROUNDOFF) for jacobian, here, there in ways]
        if not max(rates) < 1:
            return None
        miss = max(there.largest for _, _, there in ways) * residual

        def growth(radius: float, away: float) -> float:
            total = 0.0
            for (_, here, there), rate in zip(ways, rates, strict=True):
                far = here.smallest * (radius + away)
                bend = second_derivative(far) * there.largest * here.smallest**2
                # The Jacobian at the exact point differs by M times the distance.
                total = max(total, rate + bend * (0.5 * radius + away) * (1 + _SAFETY))
            return total if total >= 0 else np.inf  # a bound that is not a number is none

        away = 2 * miss / (1 - max(rates))
        if away and not growth(away, 0.0) * away + miss <= away:
            return None
        low = _search(lambda radius: growth(radius, away), 1.0 / max(norm.smallest for norm in norms), away)
        return None if low is None else _found(norms, low, away, 0.0, growth(low, away))

    return _best(nothing, jacobians, product, prove)


def _best(
    nothing: Contraction,
    jacobians: Sequence[np.ndarray],
    product: Product,
    prove: Callable[[Sequence[Norm]], Contraction | None],
    thin: tuple[np.ndarray, np.ndarray] | None = None,
) -> Contraction:
    best = nothing
    for norms, needed in contracting_norms(jacobians, product, thin):
        if not needed and best.radius.min() > 0:
            break
        found = prove(norms)
        if found is not None and found.radius.min() > best.radius.min():
            best = found
    return best


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """A product of matrices, with a bound on the Frobenius norm of its error, and its 2-norm once it is asked for."""

    matrix: np.ndarray
    error: float

    def after(self, left: np.ndarray, left_norm: float) -> "_Chain":
        """left·self."""
        size = float(np.linalg.norm(left))
        rounding = gamma(left.shape[1] + 2) * size * float(np.linalg.norm(self.matrix))
        return _Chain(left @ self.matrix, min(left_norm, size) * self.error + rounding)

    def before(self, right: np.ndarray, right_norm: float) -> "_Chain":
        """self·right."""
        size = float(np.linalg.norm(right))
        rounding = gamma(right.shape[0] + 2) * size * float(np.linalg.norm(self.matrix))
        return _Chain(self.matrix @ right, min(right_norm, size) * self.error + rounding)


class _Step:
    """What does not depend on the norm, of one application of the network: at a state, in row-space coordinates."""

    def __init__(self, space: RowSpace, state: np.ndarray) -> None:
        factors = space.factors
        self.space, self.activation, self.depth = space, factors.network.activation, factors.depth
        self.z, hidden, self.slopes, self.curvatures = slopes_at(factors, state)
        # Slopes scale the rows of each weight that carries on; units that are off carry nothing.
        self.on = [np.flatnonzero(slope) for slope in self.slopes]
        self.reach = [_Chain(space.enter, space.error * float(np.linalg.norm(space.enter)))]
        for layer in range(1, self.depth):
            self.reach.append(self._through(layer, self.reach[-1]))
        last = self._through(self.depth, self.reach[-1])
        self.jacobian, self.jacobian_error = last.matrix, last.error
        # cross[k][l]: from the activations of layer k to the pre-activations of layer l.
        self.cross: list[dict[int, _Chain]] = []
        for source in range(self.depth):
            chains: dict[int, _Chain] = {}
            if source + 1 < self.depth:
                chains[source + 1] = _Chain(factors.weights[source + 1], 0.0)
            for layer in range(source + 2, self.depth):
                chains[layer] = self._through(layer, chains[layer - 1])
            self.cross.append(chains)
        # From the activations of layer l to the next state.
        exits = [_Chain(space.leave, space.error * space.last_norm)]
        for layer in range(self.depth - 1, 0, -1):
            on = self.on[layer]
            weight = self.slopes[layer][on, None] * factors.weights[layer][on]
            bound = float(np.abs(self.slopes[layer]).max(initial=0.0)) * factors.norms[layer]
            exits.append(_Chain(exits[-1].matrix[:, on], exits[-1].error).before(weight, bound))
        self.exits = exits[::-1]
        self.z_errors, self.output_error = self._rounding(state, hidden)

    def thin(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The Jacobian as a product UV through the layer with fewest units on, where these are fewer than its rows."""
        layer = int(np.argmin([len(on) for on in self.on]))
        on = self.on[layer]
        if 4 * len(on) > 3 * len(self.jacobian) or not len(on):
            return None
        return self.exits[layer].matrix[:, on], self.slopes[layer][on, None] * self.reach[layer].matrix[on]

    def _through(self, layer: int, chain: _Chain) -> _Chain:
        """Carries pre-activations of layer − 1 to those of `layer` (or the next state), by the slopes at the point."""
        weights, norms = self.space.factors.weights, self.space.factors.norms
        on, slope = self.on[layer - 1], self.slopes[layer - 1]
        weight = self.space.leave if layer == self.depth else weights[layer]
        part = weight[:, on] * slope[on]
        extra = _Chain(chain.matrix[on], chain.error)
        bound = float(np.abs(slope).max(initial=0.0)) * norms[layer] * (1 + self.space.error)
        result = extra.after(part, bound)
        if layer == self.depth and self.space.error:
            size = self.space.error * self.space.last_norm * float(np.abs(slope).max(initial=0.0))
            result = _Chain(result.matrix, result.error + size * float(np.linalg.norm(extra.matrix)))
        return result

    def _rounding(self, state: np.ndarray, hidden: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
        """Bounds on the errors of the pre-activations as computed, and of the output, from rounding."""
        factors = self.space.factors
        inputs, made, errors = np.abs(state).ravel(), [], []
        for layer, z in enumerate(self.z):
            bias = factors.biases[layer]
            size = factors.sizes[layer] @ inputs + (0.0 if bias is None else np.abs(bias)) + np.abs(z)
            made.append((gamma(len(inputs) + 4) + 8 * UNIT_ROUNDOFF * self._steepest(layer)) * size)
            # The errors of earlier layers reach this one through the slopes; four times as much covers their change.
            total = 4 * made[-1]
            for source in range(layer):
                chain = self.cross[source][layer]
                lengths = np.linalg.norm(chain.matrix, axis=1) + chain.error
                total = total + 4 * lengths * self._steepest(source) * np.linalg.norm(made[source])
            errors.append(total)
            inputs = np.abs(hidden[layer])
        bias = factors.biases[-1]
        size = self.space.last_norm * float(np.linalg.norm(inputs)) + float(np.linalg.norm(state))
        size += 0.0 if bias is None else float(np.linalg.norm(bias))
        reached = sum(
            float(np.linalg.norm(exit.matrix) + exit.error) * self._steepest(layer) * float(np.linalg.norm(made[layer]))
            for layer, exit in enumerate(self.exits)
        )
        return errors, gamma(len(inputs) + 4) * size + 4 * reached

    def _steepest(self, layer: int) -> float:
        return max(1.0, float(np.abs(self.slopes[layer]).max(initial=0.0)))


class _Ball:
    """κ(r) of one step, from a ball in one norm to the next in another."""

    def __init__(self, step: _Step, here: Norm, there: Norm) -> None:
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
        slack = step.jacobian_error / max(float(np.linalg.norm(step.jacobian)), 1e-300)
        self.contraction = (
            _rate(step.jacobian, here, there, slack)
            if step.jacobian.any()
            else (there.largest * here.smallest * step.jacobian_error)
        )
        self.columns = [np.linalg.norm(exit, axis=0) + error for exit, error in zip(self.exits, self.exits_error,
                                                                                    strict=True)]  # fmt: skip
        self.known: dict[tuple[str, int, int], float] = {}

    def linear_radius(self) -> float:
        """The radius up to which no unit can reach its kink, for piecewise-linear activations."""
        radius = np.inf
        for z, error, length in zip(self.step.z, self.step.z_errors, self.lengths, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                room = np.where(length > 0, (np.abs(z) - error) / ((1 + _SAFETY) * length), np.inf)
            radius = min(radius, float(room.min(initial=np.inf)))
        return max(radius, 0.0)

    def growth(self, radius: float, extra: Sequence[np.ndarray] | None = None) -> tuple[float, list[np.ndarray]]:
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
            move = move * (1 + _SAFETY)
            moves.append(move)
            error = step.z_errors[layer] if extra is None else step.z_errors[layer] + extra[layer]
            stray = slope_deviation(
                step.activation, step.z[layer], step.slopes[layer], step.curvatures[layer], error, move
            )
            # What the averaged slopes do beyond those at the point, by unit and as one vector.
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
            sizes.append(min(size, float(np.linalg.norm(root * move[chosen]))) * (1 + _SAFETY))
            together = self._weighted("exit", layer, layer, None, None, chosen, root) * sizes[layer]
            apart = float(self.columns[layer][chosen] @ pushes[layer])
            total += min(together, apart) * (1 + _SAFETY) / radius
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
            return two_norm(part) + most * error
        # The norm of the whole matrix is computed once; it bounds that of any part.
        name = (kind, source, layer)
        if name not in self.known:
            self.known[name] = two_norm(matrix)
        return min(float(np.linalg.norm(part)), most * self.known[name]) + most * error


def _prove(steps: Sequence[_Step], norms: Sequence[Norm], residual: float) -> Contraction | None:
    """The largest common radius, in the given norms, at which every step contracts; `None` where there is none."""
    period = len(steps)
    balls = [_Ball(step, norms[i], norms[(i + 1) % period]) for i, step in enumerate(steps)]
    contracts = max(ball.contraction for ball in balls)
    if not contracts < 1:
        return None
    # Brouwer: a ball that is mapped into itself holds the exact cycle, whose points are so far from the given ones.
    misses = [norms[(i + 1) % period].largest * (residual + step.output_error) for i, step in enumerate(steps)]
    away = 0.0
    miss = max(misses)
    if miss > 0:
        away = 2 * miss / (1 - contracts)
        for _ in range(8):
            if all(ball.growth(away)[0] * away + miss <= away for ball in balls):
                break
            away *= 2
        else:
            return None
    extra = [ball.growth(away)[1] if away else None for ball in balls]

    def growth(radius: float) -> float:
        return max(ball.growth(radius, more)[0] for ball, more in zip(balls, extra, strict=True))

    flat = steps[0].activation in PIECEWISE_LINEAR
    linear = min(min(ball.linear_radius() for ball in balls), _MOST) if flat else 0.0
    # A start for the search: where the pre-activations move by up to a tenth.
    typical = 0.1 / max(max(float(ball.lengths[0].max(initial=0.0)) for ball in balls), 1e-3)
    low = _search(growth, linear or typical, away)
    return None if low is None else _found(norms, low, away, linear, growth(low))


def _rate(jacobian: np.ndarray, here: Norm, there: Norm, error: float) -> float:
    """Bound on ‖SJR‖₂, for a Jacobian that is right to `error` times its Frobenius norm."""
    inner = jacobian if here.plain and there.plain else there.inner @ jacobian @ here.outer
    size = float(np.linalg.norm(jacobian))
    rounding = 2 * gamma(2 * len(inner) + 4) * size
    rounding *= float(np.linalg.norm(there.inner)) * float(np.linalg.norm(here.outer))
    return (there.slack * (two_norm(inner) + rounding) + there.largest * here.smallest * error * size) * (1 + _SAFETY)


def _search(growth: Callable[[float], float], start: float, away: float) -> float | None:
    """The largest radius, within two percent, at which `growth` was found below 1; `None` where there is none."""
    limit = 1 - _SAFETY
    low = max(start, 4 * away)
    while not growth(low) < limit:
        low /= 4
        if low <= 4 * away or low < 1e-200:
            return None
    high = 2 * low
    while growth(high) < limit:
        low, high = high, (2 * high if high < 1e3 else high**2)
        if low >= _MOST:
            return low
    while high > low * 1.02:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if growth(middle) < limit else (low, middle)
    return low


def _found(norms: Sequence[Norm], low: float, away: float, linear: float, factor: float) -> Contraction | None:
    """The result in Euclidean terms. Steps carry each ball into the next, so one radius serves all points."""
    scale = np.array([1 / (norm.largest * (1 + _SAFETY)) for norm in norms])
    # The balls lie around the exact cycle; around the given points they are so much smaller.
    radius = max(low - 2 * away, 0.0) * scale
    linear = min(max(linear - 2 * away, 0.0), low - 2 * away)
    return Contraction(radius, linear * scale, float(factor)) if radius.min() > 0 else None
