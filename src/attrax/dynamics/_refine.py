"""Finds the fixed point or cycle near given states, by iteration or Newton's method: what a certificate is about."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Float

from attrax._base import checks
from attrax._base.differentiation import differentiating
from attrax._base.lengths import largest_distance, row_lengths
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Map
from attrax.dynamics._iterate import follow, unit_of_each
from attrax.linalg import FORMED
from attrax.maps import ReducedMap, host_function, reduced_map, shapes_of

_ATOL = 1e-12
"""Residual, in units of a state, below which a state is left unchanged."""
_PIECE = 256
"""States that the map is applied to at once: the layers of a network may be far larger than a state."""
_LAPS = 64
"""Maximum number of times the map is iterated around a cycle that Newton's method did not find, or from a state."""
_FAR = 0.01
"""The root mean square move, in units of the patterns, beyond which a result is rejected."""
_CONTRACTS = 0.5
"""A fixed point is found by iterating alone if each step is at most this long, compared with the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class Refined(Record):
    """A cycle of a map near given states, refined: in float64, and up to a small residual.

    **Fields:**

    - `points`: p×state shape, float64; equal to the given states if their residual was already small enough, or nothing
      better was found.
    - `residual`: the largest ‖f(points[i]) − points[i+1]‖₂ around the cycle, computed at the returned points.
    - `moved`: the largest distance by which a point moved.
    - `converged`: whether the residual is below the tolerance, or as small as rounding allows.
    """

    points: HostStates
    residual: float
    moved: float
    converged: bool


def refine(
    map: Map,
    cycle: HostStates,
    *,
    atol: float | None = None,
    max_steps: int = 20,
    max_move: float | None = None,
    reduced: ReducedMap | Callable[[], ReducedMap] | None = None,
    unit: float | None = None,
) -> Refined:
    """A cycle of `map` near `cycle` (p states in order; one state for a fixed point), refined to a small residual in
    float64. That an exact cycle exists there is for `certify` to prove.

    **Arguments:**

    - `atol`: residual below which a cycle counts as refined; by default 1e-12 times the unit of the given states.
    - `max_steps`: maximum number of Newton steps.
    - `max_move`: a result farther than this from the given states is rejected; by default 0.01·√d units, a hundred
      times the error left by the paper's stopping loss.
    - `reduced`: the `reduced_map` of the map for the shape of a state, or what makes it if it is needed; pass it when
      refining many cycles of one map.
    - `unit`: `Patterns.unit` of all patterns; by default that of the given states alone.

    **Returns:** `Refined`. **Raises** `ValueError` for a wrong argument.

        >>> import numpy as np
        >>> bool(refine(lambda x: x / 2 + 1, np.array([[1.9]]), max_move=1.0).points[0, 0] == 2.0)
        True
    """
    cycle = state_batch("cycle", cycle, *shapes_of(map)).astype(np.float64)
    if not np.isfinite(cycle).all():
        raise ValueError("cycle must hold finite states; got NaN or an infinity")
    # How far a cycle is refined does not depend on the other ones.
    own = float(unit_of_each(cycle).max())
    unit = own if unit is None else unit
    atol = _ATOL * own if atol is None else checks.real("atol", atol, above=0)
    size = int(np.prod(cycle.shape[1:]))
    limit = _FAR * np.sqrt(size) * unit if max_move is None else checks.real("max_move", max_move, above=0)
    with float64():
        # Of a state that is exact, the values alone tell so, and reducing a map may take longer than these.
        host = None if isinstance(reduced, ReducedMap) else host_function(map, np.float64)
        images = None if host is None else host.rows(cycle)
        if images is not None and (residual := largest_distance(images, np.roll(cycle, -1, axis=0))) <= atol:
            return Refined(cycle, residual, 0.0, True)
        if not isinstance(reduced, ReducedMap):
            reduced = _reduced(map, cycle.shape[1:]) if reduced is None else reduced()
        images = _images(reduced, cycle)
        residual = largest_distance(images, np.roll(cycle, -1, axis=0))
        if residual <= atol:
            return Refined(cycle, residual, 0.0, True)
        applied = np.roll(images, 1, axis=0)
        if (moved := largest_distance(applied, cycle)) <= limit:
            # If the map is constant around the cycle, as constructed networks are, one round is enough.
            images = _images(reduced, applied)
            if (once := largest_distance(images, np.roll(applied, -1, axis=0))) <= atol:
                return Refined(applied, once, moved, True)
        with differentiating(map):
            best_z = _solved(reduced, cycle, limit, atol, max_steps)
        points = _rows(reduced, "to_state", best_z)
        residual_after = largest_distance(_images(reduced, points), np.roll(points, -1, axis=0))
    moved = largest_distance(points, cycle)
    if not (residual_after < residual and moved <= limit):
        return Refined(cycle, residual, 0.0, False)
    return Refined(points, residual_after, moved, residual_after <= max(atol, 1e-14 * size * unit))


def refine_each(
    map: Map,
    cycles: Sequence[HostStates],
    *,
    images: Sequence[HostStates] | None = None,
    reduced: Callable[[], ReducedMap] | None = None,
    unit: float | None = None,
) -> list[Refined]:
    """A refined cycle near each of several, p×state shape each, with the tolerances of `refine`.

    Fixed points are iterated first, all at once, which takes little more time than one: Newton's method takes them one
    by one. If each step is at most half as long as the one before, and leads to a fixed point within reach, that is the
    result. All other cycles go through `refine`, which finds the cycles that iteration does not come to, too.

    **Arguments:** as of `refine`, but `reduced` makes the reduced map, in 64 bits; it is called only if one is needed.
    `images` are the map's values at the states of each cycle, in float64, if they are known.

    **Raises** as `refine` does.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> found = ax.dynamics.refine_each(lambda x: x**2, [np.ones((1, 1)), np.array([[0.99]])])
    >>> [round(float(one.points[0, 0]), 9) for one in found]
    [1.0, 1.0]

    ```
    """
    if not len(cycles):
        return []
    reduced = cache(partial(_reduced, map, np.shape(cycles[0])[1:]) if reduced is None else reduced)
    results: list[Refined | None] = [None] * len(cycles)
    alone = [number for number, cycle in enumerate(cycles) if len(cycle) == 1]
    if alone:
        points = np.stack([np.asarray(cycles[number][0], np.float64) for number in alone])
        units, size = unit_of_each(points), points[0].size
        host = host_function(map, np.float64)

        def residuals_of(states: HostStates) -> Float[np.ndarray, " n"]:
            return _residuals((lambda rows: _images(reduced(), rows)) if host is None else host.rows, states)

        if images is None:
            residuals = residuals_of(points)
        else:
            residuals = _gaps(np.stack([np.asarray(images[number][0], np.float64) for number in alone]), points)
        rough = np.flatnonzero(residuals > _ATOL * units)
        ends, moved = points.copy(), np.zeros(len(points))
        for start in range(0, len(rough), _PIECE):
            piece = rough[start : start + _PIECE]
            ends[piece] = _limits(reduced(), points[piece])
        if len(rough):
            residuals[rough], moved[rough] = residuals_of(ends[rough]), _gaps(ends[rough], points[rough])
        refined = (residuals <= _ATOL * units) & (moved <= _FAR * np.sqrt(size) * (units if unit is None else unit))
        for row in np.flatnonzero(refined):
            results[alone[row]] = Refined(ends[row][None], float(residuals[row]), float(moved[row]), True)
    return [
        refine(map, cycle, reduced=reduced(), unit=unit) if one is None else one
        for cycle, one in zip(cycles, results, strict=True)
    ]


def _reduced(map: Map, shape: tuple[int, ...]) -> ReducedMap:
    with float64():
        return reduced_map(map, shape)


def _limits(reduced: ReducedMap, points: HostStates) -> HostStates:
    """The states that iterating each of n states leads to, as long as each step is much shorter than the one before."""
    with float64(), np.errstate(all="ignore"):
        z = _rows(reduced, "first_step", points)
        length, going = np.full(len(z), np.inf), np.ones(len(z), bool)
        for _ in range(_LAPS):
            after = _rows(reduced, "step", z)
            step = np.abs(after - z).max(axis=1)
            going &= step <= _CONTRACTS * length
            z = np.where(going[:, None], after, z)
            length, going = step, going & (step > 0)
            if not going.any():
                break
        return _rows(reduced, "to_state", z)


def _residuals(images: Callable[[HostStates], HostStates], points: HostStates) -> Float[np.ndarray, " n"]:
    """‖f(x) − x‖₂ of each of n states."""
    lengths = []
    with float64():
        for start in range(0, len(points), _PIECE):
            piece = points[start : start + _PIECE]
            lengths.append(_gaps(images(piece), piece))
    return np.concatenate(lengths)


def _gaps(images: HostStates, points: HostStates) -> Float[np.ndarray, " n"]:
    return row_lengths((images - points).reshape(len(points), -1))


def _solved(
    reduced: ReducedMap, cycle: HostStates, limit: float, atol: float, max_steps: int
) -> Float[np.ndarray, "p k"]:
    """The coordinates that Newton's method comes to from a cycle."""
    # Coordinate i represents f(cycle[i-1]), that is, cycle[i] up to the residual.
    z = np.roll(_rows(reduced, "first_step", cycle), 1, axis=0)
    best_z, best = _newton(reduced, z, max_steps)
    if len(cycle) > 1 and best > max(atol, 1e-12 * float(np.abs(z).max())):
        # Newton's method can fail where the slope of a unit jumps nearby. A stable cycle is also found by iterating
        # the map.
        other_z, other = _newton(reduced, _followed(reduced, best_z if np.isfinite(best) else z), max_steps)
        # The iteration may lead to another cycle, far from this one.
        near = other < best and largest_distance(_rows(reduced, "to_state", other_z), cycle) <= limit
        best_z = other_z if near else best_z
    return best_z


def _newton(reduced: ReducedMap, z: Float[np.ndarray, "p k"], max_steps: int) -> tuple[Float[np.ndarray, "p k"], float]:
    """Runs Newton's method as long as it lowers the residual; returns the result and the remaining residual."""
    best_z, best = z, np.inf
    for _ in range(max_steps):
        stepped = _rows(reduced, "step", z)
        residual = stepped - np.roll(z, -1, axis=0)
        size = float(np.abs(residual).max())
        if not np.isfinite(size) or size >= best:
            break
        best_z, best = z, size
        correction = _newton_correction(reduced, z, residual)
        if correction is None:
            break
        z = z + correction
    return best_z, best


def _followed(reduced: ReducedMap, z: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
    """Iterates the map around the cycle from its first state, as long as successive rounds get closer, and returns the
    states of the last round."""
    lap, apart = z, np.inf
    for _ in range(_LAPS):
        after = follow(reduced, lap[:1], len(z))[0]
        change = float(np.abs(after[-1] - lap[0]).max()) if len(after) == len(z) else np.inf
        if not change < apart:
            break
        # The round begins at its first state again, which came last.
        lap, apart = np.concatenate([after[-1:], after[:-1]]), change
        if change == 0:
            break
    return lap


def _newton_correction(
    reduced: ReducedMap, z: Float[np.ndarray, "p k"], residual: Float[np.ndarray, "p k"]
) -> Float[np.ndarray, "p k"] | None:
    """Solves δ_{i+1} − J_i δ_i = residual_i around the cycle.

    One round from δ_1 gives δ_1 = Π δ_1 + c with the product Π of all J_i, so (I − Π) δ_1 = c.
    """
    period, size = z.shape

    def around(start: np.ndarray) -> np.ndarray:
        deviation = start
        for step in range(period):
            deviation = _pushed(reduced, z[step], deviation) + residual[step]
        return deviation

    try:
        if size <= FORMED:
            product, constant = np.eye(size), np.zeros(size)
            for step in range(period):
                jacobian = _jacobian(reduced, z[step])
                product, constant = jacobian @ product, jacobian @ constant + residual[step]
            with warnings.catch_warnings():
                # The residual after the step shows whether an ill-conditioned system still helped.
                warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)
                first = scipy.linalg.solve(np.eye(size) - product, constant, check_finite=True)
        else:
            # GMRES on Jacobian-vector products.
            constant = around(np.zeros(size))
            operator = scipy.sparse.linalg.LinearOperator(
                (size, size), matvec=lambda start: start - (around(start) - constant), dtype=np.float64
            )
            first, failed = scipy.sparse.linalg.gmres(operator, constant, rtol=1e-10, maxiter=20)
            if failed:
                return None
    except (np.linalg.LinAlgError, ValueError):
        return None  # singular or not finite: no isolated cycle here
    corrections = [first]
    for step in range(period - 1):
        corrections.append(_pushed(reduced, z[step], corrections[-1]) + residual[step])
    return np.stack(corrections)


def _rows(reduced: ReducedMap, part: str, rows: np.ndarray) -> np.ndarray:
    """A part of a reduced map, `first_step`, `step` or `to_state`, applied to each row."""
    function = getattr(reduced, part)
    if (host := host_function(function)) is not None:
        return host.rows(rows)
    # Vectors for both steps of a map that has only one, which is then compiled once.
    vectors = rows.reshape(len(rows), -1) if function is reduced.step else rows
    return np.asarray(_each(reduced, function, vectors))


def _images(reduced: ReducedMap, points: np.ndarray) -> np.ndarray:
    return _rows(reduced, "to_state", _rows(reduced, "first_step", points))


def _pushed(reduced: ReducedMap, z: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    host = host_function(reduced.step)
    return np.asarray(_push(reduced, z, tangent)) if host is None else host.push(z, tangent)


def _jacobian(reduced: ReducedMap, z: np.ndarray) -> np.ndarray:
    host = host_function(reduced.step)
    return np.asarray(reduced.jacobian(z)) if host is None else host.push(z, None)


@eqx.filter_jit
def _each(reduced: ReducedMap, function: Callable[[Any], Any], rows: Any) -> Any:
    return reduced.each(function, rows)


@eqx.filter_jit
def _push(reduced: ReducedMap, z: Any, tangent: Any) -> Any:
    return jax.jvp(reduced.step, (z,), (jnp.asarray(tangent),))[1]
