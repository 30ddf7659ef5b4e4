"""Scores of many examples: linear in the state, and corrected by a few hidden units that all examples share.

In an `Encoder` whose hidden layer carries a pair of units for each score, a step on one example costs as many
multiplications as the number of examples squared. Here it costs their number times the entries of a state.
"""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.activations import activation as named_activation
from attrax.maps import init_linear
from attrax.training._coordinates import Coordinates
from attrax.training._templates import nearest_neighbor_scores
from attrax.training._winner_take_all import Encoder

_ROOM = 8.0
"""How far below the least entry of the examples an entry may lie before its unit is off, in units of their range."""
_SURENESS, _SHARED = 0.5, 0.01
"""Factors on the templates and on the weights of the hidden units. Scores of many examples that start as large as those
of an `Encoder` are sure of too many wrong answers; if they start much smaller, the steps of training are noise to them,
and recall from noise suffers. The hidden units start far below them."""
_NEVER = -1e30
"""A score below all others."""


class LinearScores(Record, eqx.Module):
    """x ↦ T·x + U·relu(V·x + c) + b: n scores of a state with d entries, with k hidden units (or none).

    **Fields:** `linear` = T (n×d), `inner` = V (k×d), `offset` = c (k), `outer` = U (n×k) and `bias` = b (n).
    """

    linear: Float[Array, "n d"] | Float[np.ndarray, "n d"]
    inner: Float[Array, "k d"] | Float[np.ndarray, "k d"]
    offset: Float[Array, " k"] | Float[np.ndarray, " k"]
    outer: Float[Array, "n k"] | Float[np.ndarray, "n k"]
    bias: Float[Array, " n"] | Float[np.ndarray, " n"]

    def __call__(self, x: Float[Array, "*state"]) -> Float[Array, " n"]:
        """The scores of a state."""
        x = jnp.ravel(x)
        hidden = named_activation("relu")(jnp.asarray(self.inner @ x + self.offset))
        return jnp.asarray(self.linear @ x + self.outer @ hidden + self.bias)

    def among(self, rows: Int[Array, " b"], weights: Float[Array, " b"]) -> "LinearScores":
        """The scores of these examples alone; one whose weight is 0 never wins."""
        bias = jnp.where(weights > 0, jnp.asarray(self.bias)[rows], _NEVER)
        linear, outer = jnp.asarray(self.linear)[rows], jnp.asarray(self.outer)[rows]
        return LinearScores(linear, self.inner, self.offset, outer, bias)

    def as_encoder(self, inputs: Float[np.ndarray, "n *state"]) -> Encoder:
        """The same scores by one hidden layer of d + k units: relu(x + s) − s is x where no entry is below −s.

        The shift s leaves eight times the range of the `inputs` below the least of them; scores of states beyond that
        differ.
        """
        linear, inner, outer = (np.asarray(part, np.float64) for part in (self.linear, self.inner, self.outer))
        size, dtype = linear.shape[1], np.asarray(self.linear).dtype
        shift = _ROOM * (float(np.ptp(inputs)) or 1.0) - float(np.min(inputs))
        weights = (np.concatenate([np.eye(size), inner]), np.concatenate([linear, outer], axis=1))
        bias = np.asarray(self.bias, np.float64) - shift * linear.sum(axis=1)
        biases = (np.concatenate([np.full(size, shift), np.asarray(self.offset, np.float64)]), bias)
        return Encoder(tuple(one.astype(dtype) for one in weights), tuple(one.astype(dtype) for one in biases))

    @classmethod
    def of_encoder(cls, encoder: Encoder) -> "LinearScores | None":
        """The scores of an encoder that `as_encoder` made, whatever its precision; `None` for another one."""
        (first, *_), (offsets, *_) = encoder.weights, encoder.biases
        size = first.shape[1]
        if len(encoder.weights) != 2 or len(first) < size or not np.allclose(first[:size], np.eye(size), atol=1e-4):
            return None
        shift = np.asarray(offsets[:size], np.float64)
        linear, outer = np.split(np.asarray(encoder.weights[1], np.float64), [size], axis=1)
        parts = (linear, first[size:], offsets[size:], outer, encoder.biases[1] + linear @ shift)
        return cls(*(np.asarray(part, np.float32) for part in parts))


def linear_scores(
    points: HostStates,
    coordinates: Coordinates | None = None,
    *,
    units: int,
    key: PRNGKeyArray,
) -> LinearScores:
    """Scores that start as those of a nearest-neighbor rule, as those of `encoder` do, with `units` hidden units.

    **Arguments:** `points`, n×state shape; `coordinates`, if the scores take coordinates instead of states; `units`, 0
    for the rule alone; `key`, for the weights of the hidden units.

    **Returns:** `LinearScores` in float32. **Raises** `ValueError` if `units` is below 0.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> scores = training.linear_scores(np.eye(3), units=4, key=jr.key(0))
    >>> training.leading(scores.as_encoder(np.eye(3)), np.eye(3)).tolist()
    [True, True, True]

    ```
    """
    checks.random_key(key)
    units = checks.integer("units", units, least=0)
    vectors = np.asarray(points, np.float64).reshape(len(points), -1)
    templates, bias = nearest_neighbor_scores(vectors, coordinates)
    inputs = vectors if coordinates is None else coordinates.encode(points)
    size = inputs.shape[1]
    if units:
        inner, outer = (
            np.asarray(_drawn(into, out, jr.fold_in(key, number)), np.float64)
            for number, (into, out) in enumerate([(size, units), (units, len(vectors))])
        )
    else:
        inner, outer = np.zeros((0, size)), np.zeros((len(vectors), 0))
    # Hidden units get inputs of unit root mean square, and contribute little at the start.
    middle = inputs.mean(axis=0)
    inner = inner / (float(np.sqrt(np.mean((inputs - middle) ** 2))) or 1.0)
    offset = -inner @ middle
    return LinearScores(
        (_SURENESS * templates).astype(np.float32),
        inner.astype(np.float32),
        offset.astype(np.float32),
        (_SHARED * outer).astype(np.float32),
        (_SURENESS * bias).astype(np.float32),
    )


def _drawn(into: int, out: int, key: PRNGKeyArray) -> Array:
    weight, _ = init_linear("kaiming_normal", into, out, bias=False, dtype=np.float32, key=key)
    return weight
