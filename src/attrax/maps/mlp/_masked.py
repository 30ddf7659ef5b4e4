"""The mask channel of a winner-take-all network: scores of its outputs that take in only what is known of a state.

The last three stages of such a network (`attrax.training.winner_take_all_network`) are rounds of inhibition, a switch
for each output, and the outputs themselves, which are the weights of the last layer. With a mask, these weights also
serve as the first layer: read backwards, they say how far each output is from the state where the state is known. So
the channel adds no weights, and nothing changes for states without a mask.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax.maps.mlp._layers import FullyConnected
from attrax.maps.mlp._weights import DiagonalPlusRankOne

_FLOOR = 1e-12
"""Mean squares below this fraction of the average one are rounding."""
_SHARP = 1e4
"""The power to which likelihoods are raised: inhibition leaves no winner of many that are almost equal."""
_STEEP = 1e6
"""The gain of the switches: a winner that is ahead by a millionth closes its own."""


class MaskedScores(eqx.Module):
    """Completes a state by the winner among the outputs of a network, where the state is known.

    The score of an output is its likelihood given the k known entries, for Gaussian noise of unknown strength, made
    sharper: the squared distance there to the power −βk/2, relative to the sum over all outputs. The network's own
    rounds of inhibition leave the largest score, and its last layer gives the output. If no score wins, because nothing
    is known or two outputs agree with it equally well, the result is the mean of the outputs.

    **Fields:** `rounds`, for each round of inhibition the weight of a unit's own activity and of each other one; `last`
    and `bias`, the last layer; `all_on`, its output where every switch is on; output i is `all_on` − `last`ᵢ; `squares`
    of `last`.
    """

    rounds: tuple[tuple[Any, Any], ...]
    last: Any
    bias: Any
    all_on: Any
    squares: Any

    def __call__(self, x: Any, known: Any) -> Any:
        seen = jnp.ravel(known)
        moved = jnp.where(seen, jnp.ravel(x) - self.all_on, 0.0)
        apart = moved @ moved + 2 * (moved @ self.last) + seen.astype(moved.dtype) @ self.squares
        mean = apart.mean()
        apart = jnp.maximum(apart / jnp.where(mean > 0, mean, 1.0), 0.0) + _FLOOR
        active = jax.nn.softmax(-0.5 * _SHARP * seen.sum() * jnp.log(apart))
        for own, other in self.rounds:
            active = jax.nn.relu((own - other) * active + other * active.sum())
        return (self.bias + self.last @ jax.nn.relu(1 - _STEEP * active)).reshape(jnp.shape(x))


def masked_scores(network: FullyConnected) -> MaskedScores | None:
    """The mask channel of a network that ends in a winner-take-all stage; `None` for any other network."""
    weights, biases = network.weights, network.biases
    if network.activation != "relu" or len(weights) < 4 or not _switches(weights[-2], biases[-2]):
        return None
    rounds: list[tuple[Any, Any]] = []
    for weight, bias in zip(weights[-3:0:-1], biases[-3:0:-1], strict=True):
        found = _inhibition(weight, bias)
        if found is None:
            break
        rounds.insert(0, found)
    if not rounds or biases[-1] is None:
        return None
    last, middle = np.asarray(weights[-1], np.float64), np.asarray(biases[-1], np.float64)
    return MaskedScores(tuple(rounds), last, middle, middle + last.sum(axis=1), last**2)


def _switches(weight: Any, bias: Any) -> bool:
    """Whether each unit of a layer is on until the one before it is active: relu(1 − g·w)."""
    found = _alike(weight)
    ones = bias is not None and np.array_equal(bias, np.ones(len(bias)))
    return ones and found is not None and found[0] < 0 and found[1] == 0


def _inhibition(weight: Any, bias: Any) -> tuple[Any, Any] | None:
    """What a unit of a layer receives from itself and from each other unit, if that is the same for all of them."""
    found = None if bias is not None and np.any(bias) else _alike(weight)
    return found if found is not None and found[0] > found[1] else None


def _alike(weight: Any) -> tuple[Any, Any] | None:
    """The entry of a square weight on its diagonal and the one elsewhere, if there are only these two."""
    if isinstance(weight, DiagonalPlusRankOne):
        parts = [np.asarray(part) for part in (weight.diagonal, weight.left, weight.right)]
        if not all(np.array_equal(part, np.full_like(part, part[0])) for part in parts):
            return None
        own, left, right = (part[0] for part in parts)
        return own + left * right, left * right
    weight = np.asarray(weight)
    if weight.shape[0] != weight.shape[1]:
        return None
    own = weight[0, 0]
    other = weight[0, 1] if len(weight) > 1 else 0.0
    return (own, other) if np.array_equal(weight, np.where(np.eye(len(weight), dtype=bool), own, other)) else None
