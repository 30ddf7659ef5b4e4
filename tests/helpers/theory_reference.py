"""The theory once more in arbitrary precision, from the formulas of the paper and nothing of the library.

A crude Runge–Kutta run in double precision tells the branch; Newton's method with mpmath's quadrature gives the
digits for one layer of equal units, an extrapolated midpoint rule in mpmath those of unequal units and depth.
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mp, mpf

Pair = tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]


def _sigma(z: Any, m: Any) -> Any:
    return 1 / (1 + m.exp(-z))


def _erf_slope(z: Any, m: Any) -> Any:
    return 2 / m.sqrt(m.pi) * m.exp(-z * z)


def _normal(z: Any, m: Any) -> Any:
    return (1 + m.erf(z / m.sqrt(2))) / 2


_SCALE, _ALPHA = "1.0507009873554805", "1.6732632423543772"


def _number(text: str, m: Any) -> Any:
    return mpf(text) if m is mp else float(text)


ACTIVATIONS: dict[str, Pair] = {
    "sigmoid": (_sigma, lambda z, m: _sigma(z, m) * _sigma(-z, m)),
    "softplus": (lambda z, m: m.log(1 + m.exp(z)), _sigma),
    "tanh": (lambda z, m: m.tanh(z), lambda z, m: 1 - m.tanh(z) ** 2),
    "exp": (lambda z, m: m.exp(z), lambda z, m: m.exp(z)),
    "erf": (lambda z, m: m.erf(z), _erf_slope),
    "arctan": (lambda z, m: m.atan(z), lambda z, m: 1 / (1 + z * z)),
    "swish": (lambda z, m: z * _sigma(z, m), lambda z, m: _sigma(z, m) * (1 + z * _sigma(-z, m))),
    "gelu": (
        lambda z, m: z * _normal(z, m),
        lambda z, m: _normal(z, m) + z * m.exp(-z * z / 2) / m.sqrt(2 * m.pi),
    ),
    "cosid": (lambda z, m: m.cos(z) - z, lambda z, m: -m.sin(z) - 1),
    "sinusoid": (lambda z, m: z + m.sin(10 * z) / 5, lambda z, m: 1 + 2 * m.cos(10 * z)),
    "selu": (
        lambda z, m: _number(_SCALE, m) * (z if z > 0 else _number(_ALPHA, m) * (m.exp(z) - 1)),
        lambda z, m: _number(_SCALE, m) * (1 if z > 0 else _number(_ALPHA, m) * m.exp(z)),
    ),
    "z^0.5": (lambda z, m: m.sqrt(z), lambda z, m: 1 / (2 * m.sqrt(z))),
    "z^2": (lambda z, m: z * z, lambda z, m: 2 * z),
}


def branch(name: str, k: int, u: float, h: float, scale: float) -> tuple[float, float]:
    """Roughly where the flow from (u, h) first has kuφ(h) = 1, by classical Runge–Kutta in τ."""
    value, slope = ACTIVATIONS[name]
    sign = 1.0 if k * u * value(h, math) < 1 else -1.0

    def move(u: float, h: float) -> tuple[float, float]:
        return sign * value(h, math), sign * scale * slope(h, math) * u

    for _ in range(200_000):
        a, b = value(h, math), slope(h, math)
        step = 0.01 / (1e-3 + math.sqrt(a * a + scale * (b * u) ** 2 + scale * b * b))
        k1 = move(u, h)
        k2 = move(u + step / 2 * k1[0], h + step / 2 * k1[1])
        k3 = move(u + step / 2 * k2[0], h + step / 2 * k2[1])
        k4 = move(u + step * k3[0], h + step * k3[1])
        du = step / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
        dh = step / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
        before, after = k * u * a, k * (u + du) * value(h + dh, math)
        if sign * (after - 1) >= 0:
            part = (1 - before) / (after - before)
            return u + part * du, h + part * dh
        u, h = u + du, h + dh
    raise ArithmeticError("zero error was not reached")


def _zero_of_slope(name: str, h: float) -> Any:
    """The simple zero of φ' within 0.01 of `h`, or None."""
    if name == "sinusoid":
        zeros = [mp.pi * (2 * m + sign * mpf(2) / 3) / 10 for m in range(-9, 10) for sign in (-1, 1)]
    elif name in ("swish", "gelu"):
        zeros = [mp.findroot(lambda z: ACTIVATIONS[name][1](z, mp), -1.2785 if name == "swish" else -0.7518)]
    else:
        return None
    return next((zero for zero in zeros if abs(zero - h) < 0.01), None)


def equal_units(name: str, k: int, u0: float, h0: float, scale: float) -> tuple[Any, Any, Any]:
    """(u, h, λ₁) of Theorem 1 with equal units, on the branch of the flow."""
    value, slope = ACTIVATIONS[name]
    u, h = map(mpf, branch(name, k, u0, h0, scale))
    u0, h0, scale = mpf(u0), mpf(h0), mpf(scale)

    def integral(start: Any, stop: Any) -> Any:
        # Panels that shrink towards `stop`, behind which a zero of φ' may lie; and SELU has a kink at 0.
        cuts = [start + (stop - start) * (1 - mpf(1) / 5**j) for j in range(18 if zero is not None else 2)] + [stop]
        if name == "selu" and start * stop < 0:
            cuts = [start, mpf(0), stop]
        return mp.quad(lambda z: value(z, mp) / slope(z, mp), cuts, method="gauss-legendre", maxdegree=4)

    zero = _zero_of_slope(name, float(h))
    if zero is not None:  # solved for the logarithm of the distance, on the side of the start
        side = mp.sign(h0 - zero)

        def mismatch(s: Any) -> Any:
            h = zero + side * mp.exp(s)
            return scale * ((1 / (k * value(h, mp))) ** 2 - u0**2) / 2 - integral(h0, h)

        s = mp.findroot(mismatch, (mpf(-40), mp.log(min(abs(h0 - zero), mpf("0.03")))), solver="anderson", tol=1e-25)
        h = zero + side * mp.exp(s)
        return 1 / (k * value(h, mp)), h, h * slope(h, mp) / value(h, mp)

    moved = integral(h0, h)
    for _ in range(20):
        a, b = value(h, mp), slope(h, mp)
        first = scale * (u * u - u0 * u0) / 2 - moved
        second = k * u * a - 1
        determinant = scale * u * k * u * b + k * a * a / b
        du = (k * u * b * first + a / b * second) / determinant
        dh = (scale * u * second - k * a * first) / determinant
        # The step is short: few nodes do.
        moved += mp.quad(lambda z: value(z, mp) / slope(z, mp), [h, h - dh], method="gauss-legendre", maxdegree=2)
        u, h = u - du, h - dh
        if abs(du) < mpf(10) ** -14 * abs(u) and abs(dh) < mpf(10) ** -14 * (abs(h) + mpf(10) ** -6):
            return u, h, h * slope(h, mp) / value(h, mp)
    raise ArithmeticError("Newton's method did not converge")


def _follow(rate: Callable[[list], list], state: list, start: Any, stop: Any) -> list:
    """The state at `stop` by the modified midpoint rule, extrapolated in the squared step (Gragg, Bulirsch, Stoer)."""
    numbers = [2, 4, 6, 8, 10, 12, 14]
    width = (stop - start) / 4
    for _ in range(400):
        if abs(stop - start) < mpf(10) ** -18:
            return state
        width = min(width, stop - start) if stop > start else max(width, stop - start)
        table: list[list[list]] = []
        first = rate(state)
        for row, n in enumerate(numbers):
            step = width / n
            try:
                before, now = state, [x + step * d for x, d in zip(state, first, strict=True)]
                for _ in range(n - 1):
                    before, now = now, [x + 2 * step * d for x, d in zip(before, rate(now), strict=True)]
                end = [(x + y + step * d) / 2 for x, y, d in zip(now, before, rate(now), strict=True)]
            except OverflowError:  # the step is far too long
                break
            columns = [end]
            for column in range(1, row + 1):
                factor = (mpf(n) / numbers[row - column]) ** 2 - 1
                lower, upper = columns[column - 1], table[row - 1][column - 1]
                columns.append([x + (x - y) / factor for x, y in zip(lower, upper, strict=True)])
            table.append(columns)
            if row and any(not abs(x) < 100 for x in end):
                break
        if len(table) < len(numbers):
            width /= 4
            continue
        error = max(abs(x - y) for x, y in zip(table[-1][-1], table[-1][-2], strict=True))
        if error < mpf(10) ** -13:
            state, start = table[-1][-1], start + width
            width *= 2 if error < mpf(10) ** -16 else 1
        else:
            width /= 2
    raise ArithmeticError("too many steps")


def unequal_units(name: str, u0: list[float], h0: list[float], scale: float) -> tuple[Any, Any, Any]:
    """(u, h, λ₁) for any units of one layer, with the output as the running variable."""
    value, slope = ACTIVATIONS[name]
    k = len(u0)

    def rate(state: list) -> list:
        u, h = state[:k], state[k:]
        a, across = [value(z, mp) for z in h], [slope(z, mp) * x for z, x in zip(h, u, strict=True)]
        gain = sum(x * x for x in a) + scale * sum(x * x for x in across)
        return [x / gain for x in a] + [scale * x / gain for x in across]

    start = [mpf(x) for x in (*u0, *h0)]
    output = sum(x * value(z, mp) for x, z in zip(start[:k], start[k:], strict=True))
    state = _follow(rate, start, output, mpf(1))
    u, h = state[:k], state[k:]
    return u, h, sum(x * slope(z, mp) * z for x, z in zip(u, h, strict=True))


def deep(name: str, k: int, u0: float, w0: list[float], h0: float, square: float) -> tuple:
    """(u, w, h, λ₁) of the deep theorem for ‖x‖² = `square`, from the flow of the L + 1 scalars."""
    value, slope = ACTIVATIONS[name]

    def seen(w: list, h: Any) -> list:
        hidden = [h]
        for weight in w:
            hidden.append(k * weight * value(hidden[-1], mp))
        return hidden

    def rate(state: list) -> list:
        u, w, h = state[0], state[1:-1], state[-1]
        hidden = seen(w, h)
        activity = [value(z, mp) for z in hidden]
        deltas = [square * u * slope(hidden[-1], mp)]
        for i in range(len(w) - 1, -1, -1):
            deltas.insert(0, k * w[i] * deltas[0] * slope(hidden[i], mp))
        change = [activity[-1], *(deltas[i + 1] * activity[i] for i in range(len(w))), square * deltas[0]]
        # d(kua_L)/dτ by the chain rule, forward through the layers.
        slide = change[-1]
        for i, weight in enumerate(w):
            slide = k * (change[1 + i] * activity[i] + weight * slope(hidden[i], mp) * slide)
        gain = k * (change[0] * activity[-1] + u * slope(hidden[-1], mp) * slide)
        return [x / gain for x in change]

    start = [mpf(x) for x in (u0, *w0, h0)]
    output = k * start[0] * value(seen(start[1:-1], start[-1])[-1], mp)
    state = _follow(rate, start, output, mpf(1))
    u, w, h = state[0], state[1:-1], state[-1]
    top = mpmath.mpf(1)
    for z in seen(w, h):
        top *= z * slope(z, mp) / value(z, mp)
    return u, w, h, top
