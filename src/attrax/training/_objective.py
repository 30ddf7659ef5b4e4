"""What training uses in place of the clean examples: noise, corruptions, and adversarial deviations."""

import math
from collections import Counter
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from attrax._base.devices import map_rows
from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates
from attrax.corruptions import Corruption
from attrax.training._coordinates import Coordinates
from attrax.training._losses import Loss, squared_error

Carry: TypeAlias = Any

_BACKWARDS = 0.1
"""How often training on pairs gives the target and hides the cue."""


class Objective(Record, eqx.Module):
    """The mean squared error at inputs that are disturbed at random in every step.

    Each step splits the examples at random into as many equal shares as there are disturbances: one for the noise, one
    for each corruption, one for the deviations. A corruption named several times gets several shares, which are drawn
    and compiled as one. The target is always the clean successor.

    *Adversarial deviations.* Example i carries a δᵢ of root mean square `deviation`. Training uses xᵢ + δᵢ, and the
    direction of f(xᵢ + δᵢ) − yᵢ becomes the deviation of its successor. This is power iteration on the Jacobian (or its
    product around a cycle), so training uses the direction in which the memory contracts least, which isotropic noise
    rarely hits.

    *Penalty.* Adds λ‖J_f(x)‖²_F, estimated without bias by ‖J v‖² with v ~ N(0, I).

    Create one with `objective`.
    """

    noise: Any
    pictures: Any
    middle: Any
    encode: Any
    levels: tuple[Any, ...]
    deviation: Any
    penalty: Any
    successor: Any
    spread: Any
    divisor: Any
    functions: tuple[Any, ...] = eqx.field(static=True)
    isotropic: tuple[bool, ...] = eqx.field(static=True)
    averaged: tuple[bool, ...] = eqx.field(static=True)
    mixed: tuple[bool, ...] = eqx.field(static=True)
    parts: tuple[tuple[int, ...], tuple[int, ...]] | None = eqx.field(static=True)
    shares: tuple[int, ...] = eqx.field(static=True)
    noisy: bool = eqx.field(static=True)
    deviating: bool = eqx.field(static=True)
    penalized: bool = eqx.field(static=True)

    @property
    def kinds(self) -> int:
        """The number of shares into which each step splits the examples."""
        return self.noisy + sum(self.shares) + self.deviating

    def start(self, inputs: Float[Array, "n *state"]) -> Carry:
        """The deviations before the first step: zero."""
        return jnp.zeros_like(inputs) if self.deviating else None

    def disturb(
        self, carry: Carry, inputs: Float[Array, "b *state"], rows: Int[Array, " b"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "b *state"], Any]:
        """The disturbed inputs that replace `inputs`, the examples numbered `rows`, and which of them carry
        deviations."""
        if not self.kinds:
            return inputs, None
        order_key, noise_key, mate_key, key = jr.split(key, 4)
        count, kinds = len(rows), self.kinds
        order = jnp.argsort(jr.bits(order_key, (count,))) if kinds > 1 else jnp.arange(count)
        sizes = (*((1,) if self.noisy else ()), *self.shares, *((1,) if self.deviating else ()))
        edges = [count * share // kinds for share in accumulate(sizes, initial=0)]
        groups = list(pairwise(edges))
        disturbed = inputs
        if self.noisy:
            (low, high), *groups = groups
            draw = jr.normal(noise_key, (high - low, *inputs.shape[1:]), inputs.dtype)
            disturbed = disturbed.at[order[low:high]].add(self.noise * draw)
        # Each draw is compiled by itself, so that few of them are made, and of all rows at once.
        keys = jr.split(key, count)
        steps: Any = jr.randint(mate_key, (count,), 1, max(len(self.pictures), 2)) if any(self.mixed) else None
        parts = zip(self.functions, self.levels, self.isotropic, self.averaged, self.mixed, strict=True)
        for function, level, isotropic, averaged, mixed in parts:
            (low, high), *groups = groups
            mine = order[low:high]
            if isotropic:
                noise = self._isotropic(level, (high - low, *inputs.shape[1:]), keys[low])
                disturbed = disturbed.at[mine].add(noise)
                continue
            states = mates = self.pictures[rows[mine]]
            if averaged:
                mates = jnp.broadcast_to(self.middle, states.shape)
            elif mixed:
                # Some other example: 1 … n − 1 positions further, cyclically.
                mates = self.pictures[(rows[mine] + steps[low:high]) % len(self.pictures)]
            disturbed = disturbed.at[mine].set(self._corrupted(function, level, states, mates, keys[low:high]))
        if not self.deviating:
            return disturbed, None
        deviated = order[slice(*groups[0])]
        disturbed = disturbed.at[deviated].add(carry[rows[deviated]])
        return disturbed, jnp.zeros(count, bool).at[deviated].set(True)

    def _isotropic(self, level: Any, shape: tuple[int, ...], key: PRNGKeyArray) -> Array:
        """Noise on states, drawn in coordinates: it is isotropic there too before the whitening, so no state is
        needed."""
        level_key, key = jr.split(key)
        levels = level * jr.uniform(level_key, (shape[0], 1), self.levels[0].dtype)
        return levels * jr.normal(key, shape, self.levels[0].dtype) * (self.spread / self.divisor)

    def _corrupted(self, function: Any, level: Any, states: Array, mates: Array, keys: PRNGKeyArray) -> Array:
        if self.parts is None:
            corrupted = jax.vmap(function, in_axes=(0, 0, None, 0))(keys, states, level, mates)
        else:
            corrupted = jax.vmap(self._pair, in_axes=(None, 0, 0, None, 0))(function, keys, states, level, mates)
        corrupted = corrupted / self.divisor
        if self.encode is None:
            return corrupted
        center, basis = self.encode
        return (corrupted.reshape(len(corrupted), -1) - center) @ basis

    def _pair(self, function: Any, key: PRNGKeyArray, state: Array, level: Any, mate: Array) -> Array:
        """The cue of a pair corrupted and its target unknown or, once in a while, its target alone."""
        assert self.parts is not None
        size = math.prod(self.parts[0])
        side_key, key = jr.split(key)
        cue, other = (one[:size].reshape(self.parts[0]) for one in (state, mate))
        recalled = jnp.concatenate([jnp.ravel(function(key, cue, level, other)), self.middle[size:]])
        backwards = jnp.concatenate([self.middle[:size], state[size:]])
        return jnp.where(jr.bernoulli(side_key, _BACKWARDS), backwards, recalled)

    def __call__(
        self,
        map: Any,
        carry: Carry,
        inputs: Float[Array, "b *state"],
        targets: Float[Array, "b *state"],
        weights: Float[Array, " b"],
        rows: Int[Array, " b"],
        key: PRNGKeyArray,
        row_loss: Loss = squared_error,
    ) -> tuple[Float[Array, ""], tuple[Carry, Float[Array, "b *state"]]]:
        """The loss of one step on the examples numbered `rows`, the carry for the next step, and the inputs used."""
        disturb_key, penalty_key = jr.split(key) if self.penalized else (key, key)
        disturbed, deviated = self.disturb(carry, inputs, rows, disturb_key)
        outputs = map_rows(map, disturbed)
        loss = weighted_mean(row_loss(outputs, targets), weights)
        if self.penalized:
            directions = jr.normal(penalty_key, inputs.shape, inputs.dtype)
            slopes = map_rows(lambda x, v: jax.jvp(map, (x,), (v,))[1], inputs, directions)
            loss = loss + self.penalty * weighted_mean(slopes**2, weights)
        if self.deviating:
            moved = jax.lax.stop_gradient(outputs - targets)
            size = jnp.sqrt(jnp.mean(moved.reshape(len(moved), -1) ** 2, axis=1))
            size = size.reshape((-1,) + (1,) * (moved.ndim - 1))
            after = rows if self.successor is None else self.successor[rows]
            wanted = self.deviation[after].reshape(size.shape) if self.deviation.ndim else self.deviation
            fresh = moved * (wanted / jnp.maximum(size, jnp.finfo(moved.dtype).tiny))
            kept = (deviated & (weights > 0)).reshape(size.shape)
            carry = carry.at[after].set(jnp.where(kept, fresh, carry[after]))
        return loss, (carry, disturbed)


def weighted_mean(values: Float[Array, "b *state"], weights: Float[Array, " b"] | None) -> Float[Array, ""]:
    """Mean over all entries, each row with its weight."""
    if weights is None:
        return jnp.mean(values)
    per_row = jnp.mean(values.reshape(len(values), -1), axis=1)
    return jnp.sum(weights * per_row) / jnp.sum(weights)


def objective(
    *,
    noise: float | np.ndarray = 0.0,
    corruptions: tuple[Corruption, ...] = (),
    pictures: HostStates | None = None,
    coordinates: Coordinates | None = None,
    adversarial_deviation: float | np.ndarray = 0.0,
    jacobian_penalty: float = 0.0,
    successor: HostIndices | None = None,
    parts: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    divisor: float = 1.0,
    dtype: np.dtype,
) -> Objective:
    """The objective of training, as `fit` takes it.

    **Arguments:**

    - `noise`: standard deviation of Gaussian noise on the inputs as the network takes them: one number, or one for
      each entry.
    - `corruptions`: each with a level drawn up to its own; they act on `pictures`, the examples as states, and the
      result is encoded in `coordinates` if they are given.
    - `adversarial_deviation`: root mean square of the deviations, one number or one for each example, 0 for none;
      `successor` gives the example that receives the deviation next.
    - `parts`: of pairs, the shapes of cue and target. Corruptions then act on the cue, and the target is unknown: it is
      at its mean. Now and then it is the other way round.
    - `jacobian_penalty`: λ.
    - `divisor`: the network takes states divided by it; corruptions act on the states themselves.
    - `dtype`: the dtype of training.

    **Returns:** an `Objective`.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> training.objective(noise=0.1, dtype=np.dtype(np.float32)).noisy
    True

    ```
    """
    shares = Counter(corruptions)
    corruptions = tuple(shares)
    encode = None
    if corruptions and coordinates is not None:
        encode = (coordinates.center.astype(dtype), (coordinates.basis / coordinates.scale).astype(dtype))
    averaged = tuple(corruption.mean for corruption in corruptions)
    middle = None
    if any(averaged) or parts is not None:
        middle = np.mean(np.asarray(pictures, np.float64), axis=0).astype(dtype)
    return Objective(
        noise=np.asarray(noise, dtype),
        middle=middle,
        averaged=averaged,
        mixed=tuple(corruption.partner and not corruption.mean for corruption in corruptions),
        pictures=np.asarray(pictures, dtype) if corruptions else None,
        encode=encode,
        divisor=np.asarray(divisor, dtype),
        spread=None if encode is None or coordinates is None else (1 / coordinates.scale).astype(dtype),
        levels=tuple(np.asarray(corruption.level, dtype) for corruption in corruptions),
        deviation=np.asarray(adversarial_deviation, dtype),
        penalty=np.asarray(jacobian_penalty, dtype),
        successor=None if successor is None else np.asarray(successor),
        functions=tuple(corruption.trained for corruption in corruptions),
        isotropic=tuple(encode is not None and parts is None and corruption.isotropic for corruption in corruptions),
        parts=parts,
        shares=tuple(shares.values()),
        noisy=bool(np.any(noise)),
        deviating=bool(np.any(adversarial_deviation)),
        penalized=jacobian_penalty > 0,
    )
