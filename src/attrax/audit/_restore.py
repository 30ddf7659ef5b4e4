"""Examples from pictures of which an unknown part is lost: the network fills in, the picture corrects."""

from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from attrax._base import checks
from attrax._base.numerics import cast, device_array, float64
from attrax._base.shown import Rows
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Map
from attrax.dynamics import iterate

_TRUST, _DECAY, _LEAST = 0.5, 0.9, 1e-3
"""The first distance at which an entry is trusted by half, as a part of the range of the entries; what it is multiplied
by from step to step; and the last one."""
_CHUNK = 16


@dataclass(frozen=True, slots=True, eq=False)
class Restored(Rows):
    """What degraded states were restored to, one row each.

    **Fields:**

    - `value`: n×state shape, float64: the state that the network came to.
    - `known`: n×state shape: the entries that were taken for undamaged.
    - `status`: for each row an `IterationStatus`: whether the network, left alone at the end, came to rest.
    """

    rows_of: ClassVar[str] = "status"

    value: HostStates
    known: Bool[np.ndarray, "n *state"]
    status: np.ndarray


def restore(
    map: Map, degraded: HostStates, *, fill: float | None = None, steps: int = 100, max_steps: int = 10_000
) -> Restored:
    """Restores states of which an unknown part is lost, with the network as what is known of the data.

    Two steps alternate: the network is applied, and what it says is replaced by the given entry wherever that entry is
    believed. An entry is believed the more, the nearer it is to what the network says; the distance that counts as near
    shrinks from step to step. In the end the network is iterated without the given entries, so the answer does not rest
    on them.

    **Arguments:**

    - `map`: as in `audit`.
    - `degraded`: n×state shape.
    - `fill`: the value that lost entries have, such as 0 for black. All other entries are then known to be undamaged,
      and those with this value may or may not be. Without it every entry may be damaged.
    - `steps`: how often the two steps alternate.
    - `max_steps`: applications of the network after that, at most.

    **Returns:** `Restored`. **Raises** `ValueError` for a wrong argument.

        >>> import attrax as ax, jax.random as jr
        >>> points = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0]])
        >>> memory = ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
        >>> restore(memory.map, np.array([[0.0, 1.0, 0.0, 1.0]]), fill=0.0).value.round(6).tolist()
        [[1.0, 1.0, 0.0, 1.0]]

    Source: alternating projections for an unknown mask, after Abitbul and Dar, "How much training data is memorized in
    overparameterized autoencoders? An inverse problem perspective on memorization evaluation" (2023).
    """
    states = state_batch("degraded", degraded).astype(np.float64)
    checks.integer("steps", steps, least=1)
    if fill is not None:
        fill = checks.real("fill", fill)
    sure = np.zeros(states.shape, bool) if fill is None else states != fill
    span = float(np.ptp(states)) or 1.0
    ends, trust = [], []
    with float64():
        map64 = cast(map, np.float64)
        for start in range(0, len(states), _CHUNK):
            # The last chunk is filled up, so that there is one program.
            rows = np.minimum(np.arange(start, start + _CHUNK), len(states) - 1)
            end, known = _alternated(map64, *(device_array(one) for one in (states[rows], sure[rows], span, steps)))
            count = min(_CHUNK, len(states) - start)
            ends.append(np.asarray(end)[:count])
            trust.append(np.asarray(known)[:count])
    last, known = np.concatenate(ends), np.concatenate(trust) > 0.5
    lost = ~np.isfinite(last.reshape(len(last), -1)).all(axis=1)
    last[lost] = states[lost]
    found = iterate(map, last, max_steps=max_steps)
    return Restored(found.value, known, found.status)


@eqx.filter_jit
def _alternated(
    map: Map,
    given: Float[Array, "n *state"],
    sure: Bool[Array, "n *state"],
    span: jax.Array,
    steps: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    def step(_: jax.Array, now: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        states, _, near = now
        said = jax.vmap(map)(states).astype(states.dtype)
        belief = jnp.where(sure, 1.0, 1 / (1 + ((given - said) / near) ** 2))
        return belief * given + (1 - belief) * said, belief, jnp.maximum(_DECAY * near, _LEAST * span)

    begin = (given, jnp.ones_like(given), _TRUST * span)
    states, belief, _ = jax.lax.fori_loop(0, steps, step, begin)
    return states, belief
