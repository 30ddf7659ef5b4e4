"""Starts on proved spheres, half of them along the worst directions: all have to come back."""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import attrax as ax
from attacks.drawn import SHAPES, Drawn, Shape, chain64, draw
from attacks.harness import Outcome
from attacks.networks import as_arrays, network_files

_LARGER = (
    Shape("mlp", "relu", 16, (24,)),
    Shape("mlp", "tanh", 16, (12, 12)),
    Shape("mlp", "leaky_relu", 24, (8, 30)),
    Shape("mlp", "selu", 12, (20,), period=3),
)
_EACH = 7
"""Networks of each shape at full scale."""
_TURNS = ("plain", "plain", "odd", "critical")
_ROUNDS, _STEPS = 8, 3
_LOOKED = 64
"""Steps between two looks whether all starts are back: most are, long before the proof says so."""
_SLOWEST = 0.9995
"""Contraction of the proof beyond which a start would take too long to come back."""
_SAFE = 1e-9
"""So much inside the sphere, so that the rounding of a start does not carry it out."""


@dataclass(frozen=True, slots=True)
class Starts:
    """A case is one network and `each` starts."""

    shapes: tuple[Shape, ...] = (*[one for one in SHAPES if one.kind == "mlp"], *_LARGER)
    each: int = 5600
    name: str = "starts"
    limit_s: float = 120.0

    def batches(self, scale: float) -> list[list[int]]:
        """Every shape is one batch; a small scale takes fewer of them."""
        each = max(2, round(_EACH * scale**0.5)) if scale < 1 else round(_EACH * scale)
        count = min(len(self.shapes), max(1, round(_EACH * len(self.shapes) * scale / each)))
        chosen = sorted({int(place) for place in np.linspace(0, len(self.shapes) - 1, count)})
        return [[place * 1000 + number for number in range(each)] for place in chosen]

    def case(self, number: int, seed: int) -> Outcome:
        """One network, drawn until something is proved of it."""
        place, turn = divmod(number, 1000)
        rng = np.random.default_rng([seed, 7, place, turn])
        counts: dict[str, int] = {}
        for _ in range(20):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                drawn = draw(self.shapes[place], _TURNS[turn % len(_TURNS)], rng)
            outcome = self.followed(drawn, rng)
            for name, count in outcome.counts.items():
                counts[name] = counts.get(name, 0) + count
            if outcome.failure is not None or outcome.counts.get("starts"):
                return Outcome(counts, outcome.failure, outcome.files)
        return Outcome(counts)

    def followed(self, drawn: Drawn, rng: np.random.Generator, proved: Any = ax.basin_radius) -> Outcome:
        """All starts of one network."""
        map = drawn.design.map()
        patterns = ax.Patterns.from_cycles([drawn.cycle])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = proved(ax.Memory(map, patterns), num_directions=0, key=jr.key(0))
        if not (found.proved_radius > 0).all():
            return Outcome({"networks without a proof": 1})
        rate = float(found.contraction[0])
        if rate > _SLOWEST:
            return Outcome({"networks too slow to follow": 1})
        points = np.asarray(patterns.points, float).reshape(len(patterns.points), -1)
        refined = ax.refine(map, np.asarray(patterns.points, float), unit=patterns.unit).points.reshape(points.shape)
        period = len(points)
        phase = rng.integers(period, size=self.each)
        rounding = 8 * np.finfo(float).eps * np.linalg.norm(points[phase], axis=1)
        radius = np.maximum(found.proved_radius[phase] * (1 - _SAFE) - rounding, 0)
        with jax.enable_x64(True):
            exact = as_arrays(map)
            directions = _directions(drawn, exact, points, refined, phase, radius, rng)
            begin = points[phase] + radius[:, None] * directions
            steps = int(np.ceil(np.log(1e-10) / np.log(max(rate, 1e-9)))) + 4
            late = 0
            x, walked = begin, 0
            floor = 1e-11 * (1 + np.linalg.norm(refined, axis=1).max()) / (1 - rate)
            near = np.maximum(1e-4 * radius, floor)
            for attempt in range(3):
                count = steps * (1, 4, 16)[attempt]
                x, taken = _walk(exact, x, np.asarray(count), refined, phase + walked, near)
                x = np.asarray(x)
                walked += int(taken)
                away = np.linalg.norm(x - refined[(phase + walked) % period], axis=1)
                lost = ~(away <= near)
                if not lost.any():
                    break
                late = int(lost.sum()) if attempt == 0 else late
        counts = {"networks": 1, "starts": self.each, "starts along the worst directions": self.each // 2}
        if late:
            counts["late, but back"] = late - int(lost.sum())
        if not lost.any():
            return Outcome(counts)
        counts["starts that did not come back"] = int(lost.sum())
        first = int(np.flatnonzero(lost)[0])
        told = (
            f"{lost.sum()} of {self.each} starts within the proved radius {found.proved_radius[phase[first]]!r} (κ "
            f"{rate!r}) are not back after {walked} steps: {away[first]:.3g} away"
        )
        return Outcome(counts, told, network_files(drawn, patterns, start=begin[first]))


def _directions(
    drawn: Drawn,
    map: Any,
    points: np.ndarray,
    refined: np.ndarray,
    phase: np.ndarray,
    radius: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Unit vectors: half of them at random, a quarter near leading singular vectors, a quarter uphill from there."""
    count, size = len(phase), points.shape[1]
    found = rng.standard_normal((count, size))
    half = count // 2
    worst = [_singular(drawn, refined, start) for start in range(len(points))]
    for place in range(half, count):
        vectors = worst[phase[place]]
        vector = vectors[int(rng.integers(len(vectors)))]
        found[place] = rng.choice([-1, 1]) * vector + 10 ** rng.uniform(-6, -0.3) * rng.standard_normal(size) / np.sqrt(
            size
        )
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    uphill = slice(half, half + (count - half) // 2)
    target = refined[(phase[uphill] + _STEPS) % len(points)]
    climbed = _climb(map, points[phase[uphill]], target, found[uphill], radius[uphill])
    found[uphill] = np.where(np.isfinite(climbed), climbed, found[uphill])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _singular(drawn: Drawn, refined: np.ndarray, start: int) -> list[np.ndarray]:
    """Right singular vectors of the Jacobian at a state and of its products onward, those that are stretched most."""
    chain, size = chain64(drawn.design), refined.shape[1]
    whole, found = np.eye(size), []
    for step in range(8):
        whole = chain.run(refined[(start + step) % len(refined)], whole)[1]
        if not np.isfinite(whole).all() or not whole.any():
            break
        if step in (0, 1, 3, 7):
            found += list(np.linalg.svd(whole / np.abs(whole).max())[2][:3])
    return found or [np.eye(size)[0]]


@eqx.filter_jit
def _walk(map: Any, starts: Any, count: Any, cycle: Any, phase: Any, near: Any) -> tuple[Any, Any]:
    """The states after `count` steps, or after fewer once all are as near to their cycle as `near`; and how many."""
    step = partial(jax.vmap(lambda flat: jnp.ravel(map(flat.reshape(map.shape)))))
    cycle = jnp.asarray(cycle)

    def going(now: tuple[Any, Any]) -> Any:
        states, walked = now
        away = jnp.linalg.norm(states - cycle[(phase + walked) % len(cycle)], axis=1)
        return (walked < count) & ~(away <= near).all()

    def some(now: tuple[Any, Any]) -> tuple[Any, Any]:
        states, walked = now
        more = jnp.minimum(_LOOKED, count - walked)
        return jax.lax.fori_loop(0, more, lambda _, states: step(states), states), walked + more

    return jax.lax.while_loop(going, some, (jnp.asarray(starts), jnp.asarray(0)))


@eqx.filter_jit
def _climb(map: Any, points: Any, targets: Any, directions: Any, radii: Any) -> Any:
    """Directions on the sphere turned uphill on the distance that is left after a few steps."""

    def left(direction: Any, point: Any, target: Any, radius: Any) -> Any:
        x = point + radius * direction
        for _ in range(_STEPS):
            x = jnp.ravel(map(x.reshape(map.shape)))
        return jnp.log(jnp.sum((x - target) ** 2) + 1e-300)

    def turned(direction: Any, point: Any, target: Any, radius: Any) -> Any:
        def once(_: Any, now: Any) -> Any:
            slope = jax.grad(left)(now, point, target, radius)
            slope = slope - jnp.sum(slope * now) * now
            length = jnp.linalg.norm(slope)
            now = now + 0.3 * slope / jnp.where(length > 0, length, 1.0)
            return now / jnp.linalg.norm(now)

        return jax.lax.fori_loop(0, _ROUNDS, once, direction)

    return jax.vmap(turned)(*(jnp.asarray(part) for part in (directions, points, targets, radii)))
