"""The exact answer when v is pinned next to a zero of φ'.

There the distance d = |h − z*| is exponentially small, so h itself, and with it φ'(h) and the top eigenvalue, is lost
in rounding. In s = ln d everything is smooth again: Theorem 1 is solved for s, and φ'(z* ± d) is computed as
±d∫₀¹φ''(z* ± td)dt.
"""

import numpy as np
from scipy import integrate

from attrax.theory._scalar import Scalar, bracketed_root

_NEAR = 1e-5
_SPLIT = 1e-3
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def _near_slope(phi: Scalar, zero: float, offset: float) -> float:
    """φ'(zero + offset), where φ'(zero) = 0."""
    return float(offset * np.sum(_WEIGHTS * phi.curvature(zero + offset * (_NODES + 1) / 2)) / 2)


def nearby_zero(phi: Scalar, h: float) -> float | None:
    """The simple zero of φ' that lies within 1e-5 of `h` (relative above 1), if there is one."""
    reach = _NEAR * max(1.0, abs(h))
    if float(phi.slope(np.float64(h))) == 0.0:
        return h
    low, high = h - 4 * reach, h + 4 * reach
    ends = [float(phi.slope(np.float64(z))) for z in (low, high)]
    if not ends[0] * ends[1] < 0:
        return None
    zero = bracketed_root(lambda z: float(phi.slope(np.float64(z))), low, high)
    return zero if abs(h - zero) <= reach else None


def trapped_solution(
    phi: Scalar, k: int, scale: float, u0: float, h0: float, zero: float
) -> tuple[float, float, float] | None:
    """(u, h, λ₁) of Theorem 1 with h between `h0` and the `zero` of φ' that it approaches; None if it is not near."""
    gap = abs(h0 - zero)
    if gap <= 1e-15 * max(1.0, abs(zero)):  # v never moves
        u = 1 / (k * float(phi.value(np.float64(zero))))
        return u, zero, 0.0
    side = np.sign(h0 - zero)
    top = np.log(min(gap, _SPLIT))
    far = phi.ratio_integral(h0, zero + side * _SPLIT) if gap > _SPLIT else 0.0

    def integrand(s: float) -> float:
        offset = side * np.exp(s)
        return float(phi.value(np.float64(zero + offset))) / _near_slope(phi, zero, offset) * offset

    def final_u(s: float) -> float:
        return 1 / (k * float(phi.value(np.float64(zero + side * np.exp(s)))))

    def mismatch(s: float) -> float:
        near = integrate.quad(integrand, top, s, epsabs=0, epsrel=1e-12, limit=200, full_output=1)[0]
        u = final_u(s)
        return (u - u0) * (u + u0) / 2 - (far + near) / scale

    bottom = -690.0  # e^−690 is still a normal number
    if not np.isfinite(mismatch(top)) or not np.isfinite(mismatch(bottom)):
        return None
    if mismatch(bottom) * mismatch(top) > 0:
        # Either not near at all, or nearer than the smallest number.
        return (final_u(bottom), zero, 0.0) if abs(mismatch(bottom)) < abs(mismatch(top)) else None
    s = bracketed_root(mismatch, bottom, top)
    offset = side * np.exp(s)
    h = float(zero + offset)
    return final_u(s), h, h * _near_slope(phi, zero, offset) / float(phi.value(np.float64(h)))
