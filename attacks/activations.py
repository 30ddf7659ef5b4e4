"""Activations and their slopes as JAX computes them, against 50 digits: what all bounds take for granted."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from mpmath import mp, mpf

import attrax as ax
from attacks.exact import DIGITS, PHI
from attacks.harness import Outcome

_ROUNDOFF = 2.0**-53
_VALUE, _SLOPE = 8 * _ROUNDOFF, 3e-15
"""Errors that are allowed, relative to 1 + |z| + |φ| and 1 + |φ'|; of the slope also what rounding z does to it."""
_LARGEST_EXPONENT = 300.0
NAMES = tuple(name for name in PHI if name != "abs")


@dataclass(frozen=True, slots=True)
class Activations:
    """A case is one activation at `each` places of all sizes."""

    names: tuple[str, ...] = NAMES
    each: int = 20_000
    name: str = "activations"
    limit_s: float = 120.0

    def batches(self, scale: float) -> Sequence[Sequence[int]]:
        """All activations, each at fewer places where the scale is small: so many cases of `each` / 20."""
        count = max(1, round(20 * scale))
        return [range(first, len(self.names) * count, 2) for first in range(2)]

    def case(self, number: int, seed: int) -> Outcome:
        """One activation, at a twentieth of the places."""
        name = self.names[number % len(self.names)]
        rng = np.random.default_rng([seed, 13, number])
        count = self.each // 20
        sizes = 10.0 ** np.where(rng.random(count) < 0.8, rng.uniform(-3, 3, count), rng.uniform(-300, 9, count))
        places = sizes * rng.choice([-1, 1], count)
        if name == "exp":
            places = np.clip(places, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        told = checked(name, ax.activations.activation(name).function, places)
        return Outcome({"values and slopes": count}, told)


def checked(name: str, function: ax.activations.Elementwise, places: np.ndarray) -> str | None:
    """Where the value or the slope is farther off than is taken for granted, if anywhere."""
    with jax.enable_x64(True):
        z = jnp.asarray(places)
        values = np.asarray(jax.jit(function)(z))
        slopes = np.asarray(jax.jit(jax.vmap(jax.grad(function)))(z))
        curvatures = np.abs(np.asarray(jax.jit(jax.vmap(jax.grad(jax.grad(function))))(z)))
    value_of, slope_of = PHI[name]
    with mp.workdps(DIGITS):
        for place, value, slope, curvature in zip(places, values, slopes, curvatures, strict=True):
            exact = mpf(float(place))
            right, right_slope = value_of(exact), slope_of(exact)
            off = abs(mpf(float(value)) - right)
            if not off <= _VALUE * (1 + abs(exact) + abs(right)):
                return f"{name}({float(place)!r}) is {float(value)!r}, off by {mp.nstr(off, 5)}"
            off = abs(mpf(float(slope)) - right_slope)
            moved = 2 * _ROUNDOFF * abs(exact) * mpf(float(curvature))
            if not off <= _SLOPE * (1 + abs(right_slope)) + moved:
                return f"the slope of {name} at {float(place)!r} is {float(slope)!r}, off by {mp.nstr(off, 5)}"
    return None
