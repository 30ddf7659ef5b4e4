"""The joint spectral radius: how fast all products of a set of matrices grow or shrink."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg

_PRODUCTS = 50_000


def shrink_together(matrices: Sequence[np.ndarray], rate: float) -> bool | None:
    """Whether the joint spectral radius is below `rate`; `None` where that was not decided.

    It is where every product has a beginning of k factors with a norm below `rate`ᵏ, and it is not where a product of k
    factors has an eigenvalue of at least `rate`ᵏ (Gripenberg 1996). The norm comes from the mean of the matrices.
    """
    mean = np.mean(matrices, axis=0)
    if _radius(mean) >= rate or any(_radius(matrix) >= rate for matrix in matrices):
        return False
    norm = scipy.linalg.solve_discrete_lyapunov(mean.T / (0.5 * (rate + _radius(mean))), np.eye(len(mean)))
    inner = scipy.linalg.cholesky((norm + norm.T) / 2)
    seen = [inner @ matrix @ np.linalg.inv(inner) for matrix in matrices]
    level, power, formed = [np.eye(len(mean))], 1.0, 0
    while level:
        power *= rate
        longer = []
        for product in level:
            for matrix in seen:
                formed += 1
                after = matrix @ product
                if _radius(after) >= power:
                    return False
                if np.linalg.norm(after, 2) >= power:
                    longer.append(after)
                if formed > _PRODUCTS:
                    return None
        level = longer
    return True


def _radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())
