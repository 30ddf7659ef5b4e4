"""Corruption of many states, each by its own draw."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.numerics import device_array, float64
from attrax._base.states import state_batch
from attrax._base.types import HostStates
from attrax.corruptions._named import as_corruption
from attrax.corruptions._record import Corruption, Distortion


def corrupt(
    corruption: Corruption | str | Callable[..., Any],
    states: HostStates,
    *,
    partners: HostStates | None = None,
    key: PRNGKeyArray,
) -> Float[np.ndarray, "n *state"]:
    """Each state corrupted by its own draw; row i depends on the key, on i and on state i only.

    **Arguments:**

    - `corruption`: a `Corruption`, its text, or a function of a key and a state that returns a state.
    - `states`: n×state shape.
    - `partners`: the stored states, by default `states`. Blends mix one in, drawn for each row from those that differ
      from it; `hide` and `blank` take their mean.
    - `key`: for the draws.

    **Returns:** an array of the shape and dtype of `states`. **Raises** `ValueError` where the corruption needs
    pictures and the states are vectors, or a blend has nobody to blend with.

        >>> import jax.random as jr
        >>> corrupt("occlude:0.5", np.ones((1, 2, 2), "float32"), key=jr.key(0))[0].tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """
    checks.random_key(key)
    corruption = as_corruption(corruption)
    states = np.asarray(states)
    if states.shape[:1] != (0,):
        states = state_batch("states", states)
    if states.dtype.kind in "iub":
        states = states.astype(np.float32)  # levels are fractions
    corruption.check_shape(states.shape[1:])
    if not len(states):
        return states.copy()
    partners = states if partners is None else state_batch("partners", partners, states.shape[1:]).astype(states.dtype)
    mates = states
    if corruption.mean:
        mates = np.broadcast_to(partners.astype(np.float64).mean(axis=0).astype(states.dtype), states.shape)
    elif corruption.partner:
        mates = np.stack([_partner(corruption, index, state, partners, key) for index, state in enumerate(states)])
    with float64():
        level = device_array(corruption.level, states.dtype)
        # A row depends on its index alone. Batches of many lengths share the programs for powers of two.
        last = np.minimum(np.arange(1 << (len(states) - 1).bit_length()), len(states) - 1)
        keys = _row_keys(key, last.shape)
        return np.asarray(_corrupt_rows(corruption.function, keys, states[last], level, mates[last]))[: len(states)]


def _partner(
    corruption: Corruption, index: int, state: np.ndarray, partners: np.ndarray, key: PRNGKeyArray
) -> np.ndarray:
    others = np.flatnonzero((partners != state).reshape(len(partners), -1).any(axis=1))
    if not len(others):
        raise ValueError(f"{corruption.kind} needs another example to mix in, and there is only this one")
    draw = jr.randint(jr.fold_in(jr.fold_in(key, 1), index), (), 0, len(others))
    return partners[others[int(draw)]]


@partial(jax.jit, static_argnames="shape")
def _row_keys(key: PRNGKeyArray, shape: tuple[int]) -> PRNGKeyArray:
    """A key for each row. A program of its own, so that not every corruption compiles it again."""
    return jax.vmap(lambda index: jr.fold_in(jr.fold_in(key, 0), index))(jnp.arange(*shape))


@eqx.filter_jit
def _corrupt_rows(function: Distortion, keys: PRNGKeyArray, states: Any, level: Any, mates: Any) -> Any:
    return jax.vmap(function, in_axes=(0, 0, None, 0))(keys, states, level, mates)
