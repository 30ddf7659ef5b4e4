"""How far the slope of an activation can differ from its value at a point, as proofs over whole balls need."""

import numpy as np
from jaxtyping import Float

from attrax.activations import ActivationLike
from attrax.activations import activation as activation_of


def slope_deviation(
    activation: ActivationLike,
    z: Float[np.ndarray, " k"],
    slope: Float[np.ndarray, " k"],
    curvature: Float[np.ndarray, " k"],
    z_error: Float[np.ndarray, " k"],
    reach: Float[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """Bound on |(φ(y + Δ) − φ(y))/Δ − `slope`| for all |y − z| ≤ `z_error` and |Δ| ≤ `reach`.

    The quotient is the mean of φ' over the segment from y to y + Δ; the bounds in the activation's record limit how far
    it can differ. Without bounds the result is infinite.

    **Arguments:** φ; pre-activations `z` (k); `slope` φ'(z) and, for smooth φ, `curvature` |φ''(z)|; `z_error`, the
    errors of `z`; `reach`, how far pre-activations may move.

        >>> import numpy as np
        >>> none = np.zeros(2)
        >>> slope_deviation("relu", np.array([1.0, -1.0]), np.array([1.0, 0.0]), none, none, np.array([0.5, 4.0]))
        array([0.  , 0.75])
    """
    bounds = activation_of(activation).bounds
    if bounds is None:
        return np.full_like(z, np.inf)
    return bounds.deviation(z, slope, curvature, z_error, reach)
