"""Recall from a part: what is not known begins where the memory knows nothing, and what is known is held."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from attrax._base.arguments import ArgumentError, mention
from attrax._base.numerics import float64
from attrax._base.types import HostStates, Map, Progress
from attrax.corruptions import known_mask
from attrax.dynamics._iterate import Iterates, check_starts, last_states
from attrax.dynamics._loop import run
from attrax.maps import Completion, completion, reduced_map
from attrax.memory import Thresholds
from attrax.patterns import Patterns


class _Round(eqx.Module):
    """As many steps of a map as bring a stored state back, whatever is known."""

    map: Map
    steps: int = eqx.field(static=True)

    def __call__(self, x: Any, known: Any) -> Any:
        return self.map(x) if self.steps == 1 else jax.lax.fori_loop(0, self.steps, lambda _, y: self.map(y), x)


class _Held(eqx.Module):
    """A round with the known entries put back at its end, on triples (state, cue, known)."""

    round: Completion

    def __call__(self, triple: Float[Any, "3 *state"]) -> Float[Any, "3 *state"]:
        state, cue, known = triple[0], triple[1], triple[2]
        return jnp.stack([jnp.where(known > 0, cue, self.round(state, known > 0)), cue, known])


def completed(
    patterns: Patterns, cues: HostStates, known: Bool[np.ndarray, "*state"] | str
) -> tuple[Float[np.ndarray, "n *state"], Bool[np.ndarray, "n *state"]]:
    """The states that recall begins from where only a part of each cue is known, and a mask for each.

    Unknown entries are those of the mean of the stored states: the least-squares guess of whoever knows the memory and
    nothing of the cue. What the cues hold there does not matter, and may be NaN.

    **Arguments:** as `recall` takes them. **Raises** `ValueError` as it does.

        >>> patterns = Patterns.from_examples(np.array([[0.0, 0.0], [1.0, 4.0]]))
        >>> completed(patterns, np.array([[1.0, np.nan]]), np.array([True, False]))[0].tolist()
        [[1.0, 2.0]]
    """
    states = patterns.as_states(cues)
    mask = _masks(patterns, known, len(states), np.shape(cues)[1:])
    middle = np.asarray(patterns.points, np.float64).mean(axis=0)
    return check_starts(np.where(mask, states, middle), "cues, where they are known,"), mask


def only_part(patterns: Patterns, cues: HostStates) -> Bool[np.ndarray, "*state"] | None:
    """The mask of cues that are one part of pairs; `None` for whole states."""
    shape = np.shape(cues)[1:]
    return np.ones(shape, bool) if patterns.parts is not None and shape in patterns.parts else None


def _masks(patterns: Patterns, known: Any, count: int, given: tuple[int, ...]) -> np.ndarray:
    """One mask for each of `count` cues, which had the shape `given`."""
    if isinstance(known, str):
        known = known_mask(known, patterns.cue_shape)
    mask = np.asarray(known)
    shapes = (patterns.shape, patterns.cue_shape, given)
    if mask.dtype == bool and mask.shape in shapes:
        mask = np.broadcast_to(mask, (count, *mask.shape))
    if mask.dtype != bool or mask.shape[:1] != (count,) or mask.shape[1:] not in shapes:
        raise ArgumentError(
            f"{mention('known')} must be true where an entry is known, booleans of the shape of a state, "
            f"{patterns.cue_shape}, or one such mask for each of the {count} cues; got {mask.dtype} of shape "
            f"{mask.shape}"
        )
    return patterns.as_states(mask, rest=np.zeros(patterns.shape, bool))


def hold(
    map: Map,
    patterns: Patterns,
    starts: HostStates,
    known: Bool[np.ndarray, "n *state"],
    thresholds: Thresholds,
    *,
    damaged: bool = False,
    max_steps: int,
    progress: Progress | None = None,
) -> Iterates | None:
    """Iterates `map` with the known entries put back after every round, until that converges.

    If the map can complete states (`attrax.maps.completion`), a round is one completion. This goes by the known entries
    as they are, so it is not used if these may be `damaged`. For other maps, a round is a step where examples are
    stored. A state of a cycle comes back after as many steps as the cycle has states; where cycles have different
    lengths, a round is the least common multiple. Where that is more than `max_steps`, or there are open sequences,
    whose states never come back, nothing can be held: `None`.

        >>> patterns = Patterns.from_examples(np.array([[0.0, 0.0], [1.0, 1.0]]))
        >>> to_mean = lambda x: jnp.full_like(x, x.mean())
        >>> ends = hold(to_mean, patterns, np.array([[1.0, 0.0]]), np.array([[True, False]]),
        ...             Thresholds.literal(), max_steps=100)
        >>> ends.value.round(6).tolist(), str(ends.status[0])
        ([[1.0, 1.0]], 'converged')
    """
    complete = None if damaged else completion(map)
    steps = math.lcm(*(len(cycle) for cycle in patterns.cycles)) if complete is None else 1
    if steps > max_steps or patterns.open_sequences:
        return None
    triples = np.stack([starts, starts, known * thresholds.unit], axis=1)
    with float64():
        reduced = reduced_map(_Held(_Round(map, steps) if complete is None else complete), triples.shape[1:])
    rounds, atol = max_steps // steps, thresholds.convergence
    iteration = run(reduced, triples, max_steps=rounds, atol=atol, unit=thresholds.unit, progress=progress)
    value = last_states(reduced, iteration, triples)[:, 0]
    return Iterates(value, iteration.num_steps * steps, iteration.residual, iteration.period, iteration.status)
