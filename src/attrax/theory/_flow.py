"""Gradient flow in the scalars of Invariants 1, 2 and 4, followed to the zero-error network.

With dτ = |r|dt the flow moves along the gradient of the output p = Σuφ (p = kua_L in depth), up or down depending on
the sign of 1 − p at the start, so p is monotone and dp/dτ = g > 0 away from equilibria. Taking p itself as the
independent variable turns "integrate until p = 1" into an integral over [p₀, 1]: the event is the end point, the same
code handles p₀ < 1 and p₀ > 1, and the branch is the one that training takes.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy import integrate

from attrax.theory._scalar import Scalar
from attrax.theory._status import TheoryStatus

Vector: TypeAlias = Float[np.ndarray, " s"]

Velocity: TypeAlias = Callable[[Vector], tuple[Vector, float, float]]
"""State to (d state/dτ, p, g = dp/dτ)."""

# The gain g falls by this factor only if the flow comes so close to a saddle that double precision cannot determine on
# which side of it the flow leaves.
_SADDLE = 1e-14
_MAX_EVALUATIONS = 60_000


class _OutOfEvaluations(Exception):
    pass


def unit_velocity(phi: Scalar, scale: float) -> Velocity:
    """Invariant 1: state (u_1 … u_k, h_1 … h_k), with h = ‖x‖²v; `scale` is (‖x‖‖y‖)²."""

    def velocity(state: Vector) -> tuple[Vector, float, float]:
        u, h = np.split(state, 2)
        value, slope = phi.value(h), phi.slope(h)
        across = slope * u
        gain = float(np.sum(value * value) + scale * np.sum(across * across))
        return np.concatenate([value, scale * across]), float(np.sum(u * value)), gain

    return velocity


def layers(phi: Scalar, k: int, w: Vector, h: float) -> tuple[Vector, Vector]:
    """The pre-activations of each layer, h_1 = h and h_i = k w_i a_{i−1}, and the activations a_i = φ(h_i)."""
    preactivity, activity = np.empty(len(w) + 1), np.empty(len(w) + 1)
    for i in range(len(w) + 1):
        preactivity[i] = h if i == 0 else k * w[i - 1] * activity[i - 1]
        activity[i] = phi.value(preactivity[i])
    return preactivity, activity


def depth_velocity(phi: Scalar, k: int, scale: float, target_square: float) -> Velocity:
    """Invariants 2 and 4: state (u, w_2 … w_L, h_1). `scale` is (‖x‖‖y‖)², `target_square` ‖y‖² of the target y.

    δ_L = ‖y‖²uφ'(h_L), ẇ_i = δ_i a_{i−1}, δ_{i−1} = k w_i δ_i φ'(h_{i−1}), ḣ_1 = ‖x‖²δ_1.
    """

    def velocity(state: Vector) -> tuple[Vector, float, float]:
        u, w = state[0], state[1:-1]
        preactivity, activity = layers(phi, k, w, state[-1])
        slope = np.asarray(phi.slope(preactivity))
        change = np.empty_like(state)
        change[0] = activity[-1]
        delta = u * slope[-1]  # δ/‖y‖², so that the gain needs no division
        gain = activity[-1] ** 2
        for i in range(len(w), 0, -1):
            step = delta * activity[i - 1]
            change[i] = target_square * step
            gain += k * target_square * step * step
            delta = k * w[i - 1] * delta * slope[i - 1]
        change[-1] = scale * delta
        gain += scale * delta * delta
        return change, float(k * u * activity[-1]), float(k * gain)

    return velocity


def checked_zero_error(velocity: Velocity, start: Vector) -> tuple[Vector, TheoryStatus]:
    """`to_zero_error` to about 1e-12, for cases without equations for polishing: computed twice and compared."""
    state, status = to_zero_error(velocity, start, 1e-13, 1e-17)
    if status is not TheoryStatus.SOLVED:
        return state, status
    # The error of the coarser run is about ten times as large, so the result is one digit better than the comparison
    # shows.
    coarse, other = to_zero_error(velocity, start, 1e-12, 1e-16)
    agree = other is status and (np.abs(coarse - state) <= 1e-9 * np.abs(state) + 1e-12).all()
    return state, status if agree else TheoryStatus.ILL_CONDITIONED


def to_zero_error(velocity: Velocity, start: Vector, rtol: float, atol: float) -> tuple[Vector, TheoryStatus]:
    """The state at which the flow from `start` first reaches p = 1, and its status."""
    with np.errstate(all="ignore"):
        change, output, gain = velocity(start)
        if not (np.isfinite(change).all() and np.isfinite(output) and np.isfinite(gain)):
            return start, TheoryStatus.NONFINITE
        if output == 1.0:
            return start, TheoryStatus.SOLVED
        if gain == 0.0:
            return start, TheoryStatus.IMPOSSIBLE
        state, status = _integrate(velocity, start, output, gain, "DOP853", rtol, atol)
        if status is TheoryStatus.MAX_STEPS_REACHED:
            # Near a zero of φ' the flow can be stiff.
            state, status = _integrate(velocity, start, output, gain, "Radau", max(rtol, 1e-12), atol)
        if status is not TheoryStatus.SOLVED:
            return state, status
        for _ in range(6):  # the parametrization drifts by the integrator's error, so correct to p = 1 exactly
            change, output, gain = velocity(state)
            if not abs(1 - output) < 0.1 or not gain > 0:
                return state, TheoryStatus.MAX_STEPS_REACHED
            if abs(1 - output) < 1e-15:
                break
            state = state + change * ((1 - output) / gain)
        return state, TheoryStatus.SOLVED


def _integrate(
    velocity: Velocity,
    start: Vector,
    output: float,
    gain: float,
    method: str,
    rtol: float,
    atol: float,
    watch: bool = True,
) -> tuple[Vector, TheoryStatus]:
    evaluations = 0
    # From above, ln p is the better variable: p may start at many powers of ten.
    above = output > 1
    span = (float(np.log(output)), 0.0) if above else (output, 1.0)

    def along(place: float, state: Vector) -> Vector:
        nonlocal evaluations
        evaluations += 1
        if evaluations > _MAX_EVALUATIONS:
            raise _OutOfEvaluations
        change, _, speed = velocity(state)
        return change * (np.exp(place) / speed) if above else change / speed

    def saddle(p: float, state: Vector) -> float:
        return velocity(state)[2] / gain - _SADDLE

    vars(saddle)["terminal"] = True
    # p cannot stop above 0: an equilibrium has φ = 0 or a zero gradient, so p ≤ 0.
    events = saddle if output <= 0 and watch else None
    try:
        path = integrate.solve_ivp(along, span, start, method=method, rtol=rtol, atol=atol, events=events)
    except _OutOfEvaluations:
        return start, TheoryStatus.MAX_STEPS_REACHED
    except ValueError:  # Radau meets an undefined Jacobian
        return start, TheoryStatus.NONFINITE
    state = path.y[:, -1]
    if path.status == 0 and np.isfinite(state).all():
        return state, TheoryStatus.SOLVED
    if path.status == 1:
        # An equilibrium is near if g changes much within a short distance. Otherwise φ is merely small there, as eᶻ is.
        change, _, speed = velocity(state)
        ahead = velocity(state + 1e-5 * change / np.linalg.norm(change))[2]
        if 0.5 < ahead / speed < 2:
            return _integrate(velocity, start, output, gain, method, rtol, atol, watch=False)
        return state, TheoryStatus.IMPOSSIBLE
    # The step size collapsed: the flow ends there if it is at an equilibrium, or if φ is constant or undefined just
    # ahead.
    change, reached, speed = velocity(state)
    ahead = velocity(state + 1e-8 * change / np.sqrt(speed))[2] if speed > 0 else 0.0
    ends = not min(speed, ahead) > 1e-6 * gain or not ahead > 1e-6 * speed
    return state, TheoryStatus.IMPOSSIBLE if ends and reached < 1 else TheoryStatus.MAX_STEPS_REACHED
