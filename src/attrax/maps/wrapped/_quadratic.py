"""Bounds over balls for any callable whose second derivative is bounded: ‖f(x + δ) − f(x) − Jδ‖ ≤ ½·M·‖δ‖²."""

from collections.abc import Callable
from functools import partial

import numpy as np

from attrax._base.numerics import cast, float64
from attrax._base.types import HostStates, Map
from attrax.linalg import FORMED, SAFETY, Norm, contraction_rate, frobenius_bound
from attrax.maps.wrapped._estimates import ROUNDING
from attrax.maps.wrapped._jacobian import state_jacobian


class _QuadraticStep:
    """One application at a state. The Jacobian is assumed to be correct to 64 units in the last place of its norm."""

    def __init__(self, map: Map, second_derivative: Callable[[float], float], state: np.ndarray) -> None:
        self.jacobian = state_jacobian(map, state)
        self.second_derivative = second_derivative
        self.output_error = ROUNDING * float(np.linalg.norm(state))

    def thin(self) -> None:
        return None

    def ball(self, here: Norm, there: Norm) -> "_QuadraticBall":
        return _QuadraticBall(self, here, there)


class _QuadraticBall:
    def __init__(self, step: _QuadraticStep, here: Norm, there: Norm) -> None:
        self.second_derivative, self.here, self.there = step.second_derivative, here, there
        self.contraction = contraction_rate(step.jacobian, here, there, ROUNDING * frobenius_bound(step.jacobian))
        self.first_radius = 1 / here.smallest

    def growth(self, radius: float, away: float = 0.0) -> float:
        bend = self.second_derivative(self.here.smallest * (radius + away))
        bend *= self.there.largest * self.here.smallest**2
        # The Jacobian at the exact point differs by M times the distance.
        total = self.contraction + bend * (0.5 * radius + away) * (1 + SAFETY)
        return total if total >= 0 else np.inf  # NaN is not a bound

    def linear_radius(self) -> float:
        return 0.0


def quadratic_bounds(
    map: Map, second_derivative: Callable[[float], float]
) -> Callable[[HostStates], list[_QuadraticStep] | None]:
    """What turns a cycle of any callable into bounds at each of its states.

    **Arguments:** `second_derivative`: a function M of a Euclidean distance r, a bound on sup ‖D²f(x + δ)‖₂ over ‖δ‖ ≤
    r and all points x of the cycle. It is not checked.

    **Returns** a function of a cycle, p×state shape. It returns `None` if the Jacobians are too large to form.

    ```python
    >>> import jax.numpy as jnp, numpy as np
    >>> from attrax import maps
    >>> bounds = maps.quadratic_bounds(lambda x: 0.5 * jnp.sin(x), lambda distance: 0.5)  # |d²/dx² ½ sin x| ≤ ½
    >>> len(bounds(np.zeros((1, 2))))
    1

    ```
    """
    with float64():
        return partial(_steps, cast(map, np.float64), second_derivative)


def _steps(map: Map, second_derivative: Callable[[float], float], cycle: HostStates) -> list[_QuadraticStep] | None:
    if cycle[0].size > FORMED:
        return None
    return [_QuadraticStep(map, second_derivative, np.asarray(state, np.float64)) for state in cycle]
