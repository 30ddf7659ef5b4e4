"""Winner-take-all networks: trained scores, of which the largest selects the output.

The network is a plain fully connected ReLU network with biases,

    f(x) = m + Σᵢ (1 − tᵢ) (yᵢ − m),    tᵢ = relu(1 − g·wᵢ),    w = winner(a),    a = encoder(x),

where yᵢ is the target of example i, and m the mean of the targets. The *encoder* has its own hidden layers and one
linear score aᵢ per example. It is trained as a classifier, so that the right score is the largest, however the cue is
corrupted. The *winner-take-all* layers leave the largest score positive and make all others zero. They use scores
relative to their mean and work at any scale:

    r ← relu(a − mean a),    then for ε₁ < … < 1:    r ← relu(r − ε·(Σⱼ rⱼ − r)),

which is the lateral inhibition of Lippmann's MAXNET, unrolled. A unit that is at zero stays at zero, and the last
round, with ε = 1, leaves at most one active. The gain g makes tᵢ of the winner 0. There tᵢ is constant, and the
units of all others are inactive. So around each example f is constant and its Jacobian is exactly 0, and an example (or
a cycle) is a superstable attractor if its own score wins. If no score wins, as at an exact tie, f gives the mean m.

The constructed margin network (`margin`) is the same idea without hidden layers and with fixed thresholds instead of
the winner-take-all. Thresholds fail if a corruption shifts all scores together, as an occlusion does.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.budget import MOST_LAYERS
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.activations import activation as named_activation
from attrax.maps import MLP, DiagonalPlusRankOne, init_linear
from attrax.training._coordinates import Coordinates
from attrax.training._standing import score_pieces, standing
from attrax.training._templates import leading_directions, nearest_neighbor_scores

_GAIN = 1e4
"""The winner's activity at a clean example times the gain, that is, how far beyond saturation it is."""
_SAFE = 0.6
"""The first inhibition is at most this fraction of the strongest one that every example's own score survives."""
_CLOSE = 1e-3
"""Scores that are lower than the largest by at most this fraction of it are computed in double precision."""
_STEEPEST = 10.0
"""The largest change that makes an example lead, as a multiple of the norm of a typical row."""


class Encoder(Record, eqx.Module):
    """Hidden ReLU layers and one linear score for each example.

    **Fields:** `weights` and `biases`; the last of each belong to the scores.
    """

    weights: tuple[Float[Array, "out in"] | Float[np.ndarray, "out in"], ...]
    biases: tuple[Float[Array, " out"] | Float[np.ndarray, " out"], ...]

    def __call__(self, x: Float[Array, "*state"]) -> Float[Array, " n"]:
        """The scores of a state."""
        return jnp.asarray(self.weights[-1] @ self.features(x) + self.biases[-1])

    def features(self, x: Float[Array, "*state"]) -> Float[Array, " k"]:
        """Activations of the last hidden layer."""
        phi = named_activation("relu")
        x = jnp.ravel(x)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = phi(jnp.asarray(weight @ x + bias))
        return x


def encoder(
    points: HostStates,
    coordinates: Coordinates | None = None,
    *,
    widths: Sequence[int],
    dtype: np.dtype | type = np.float32,
    key: PRNGKeyArray,
) -> Encoder:
    """An encoder whose scores start as those of a nearest-neighbor rule, with additional free units.

    The rule is Pearson correlation of the cue with the examples, the best fixed metric under noise and occlusion. For
    nonnegative values such as pixels, the example enters as its logarithm, t ↦ log(t + 0.3) with t ∈ [0, 1]: a dark
    pixel of an example then counts more against it when the cue is bright there. If two examples are alike up to
    brightness and contrast, or have few entries, the rule is Euclidean distance, which is linear in the cue too: x·xᵢ −
    ½‖xᵢ‖². A pair of units per score carries it through each hidden layer (z = relu(z) − relu(−z)). If a layer has
    fewer than two units per example, the rule is Euclidean distance in as many of the leading principal directions as
    there are pairs of units, and each pair carries one. Training may change all of them freely.

    **Arguments:**

    - `points`: n×state shape.
    - `coordinates`: the encoder takes coordinates instead of states.
    - `widths`: units of each hidden layer.
    - `dtype`: of the weights.
    - `key`: random key for the other weights.

    **Returns:** `Encoder`. **Raises** `ValueError` for an empty sequence of widths or a width below 1.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> encoder = training.encoder(np.eye(3), widths=(16,), key=jr.key(0))
    >>> training.leading(encoder, np.eye(3)).tolist()
    [True, True, True]

    ```
    """
    checks.random_key(key)
    widths = [checks.integer("each entry of widths", width, least=1) for width in widths]
    if not widths:
        raise ValueError("widths must name at least one hidden layer; got an empty sequence")
    vectors = np.asarray(points, np.float64).reshape(len(points), -1)
    inputs = vectors if coordinates is None else coordinates.encode(points)
    num, size = len(vectors), inputs.shape[1]
    if min(widths) >= 2 * num:
        templates, offsets = nearest_neighbor_scores(vectors, coordinates)
        outer, level = np.eye(num), np.zeros(num)
    else:
        templates, offsets, outer, level = leading_directions(inputs, min(widths) // 2)
    carried = len(templates)
    sizes = [size, *widths, num]
    layers = []
    for number, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        drawn, _ = init_linear(
            "kaiming_normal", fan_in, fan_out, bias=True, dtype=np.float32, key=jr.fold_in(key, number)
        )
        layers.append((np.array(drawn, np.float64), np.zeros(fan_out)))
    # Free units get inputs of unit root mean square, and contribute little at the start.
    typical = math.sqrt(float(np.mean((inputs - inputs.mean(axis=0)) ** 2))) or 1.0
    weight, bias = layers[0]
    weight[2 * carried :] /= typical
    bias[2 * carried :] = -weight[2 * carried :] @ inputs.mean(axis=0)
    pairs = np.concatenate([np.eye(carried), -np.eye(carried)])
    weight[: 2 * carried], bias[: 2 * carried] = pairs @ templates, pairs @ offsets
    for weight, _ in layers[1:-1]:
        weight[: 2 * carried] = 0.0
        weight[: 2 * carried, : 2 * carried] = np.eye(2 * carried)
        weight[2 * carried :, : 2 * carried] *= 0.1
    weight, bias = layers[-1]
    weight *= 0.1
    weight[:, : 2 * carried], bias[:] = outer @ pairs.T, level
    return Encoder(tuple(weight.astype(dtype) for weight, _ in layers), tuple(bias.astype(dtype) for _, bias in layers))


def carriers(num: int, narrowest: int) -> list[list[int]]:
    """For each example, the units of each hidden layer of a new `encoder` that carry its score at the start.

    ```python
    >>> from attrax import training
    >>> training.carriers(3, 8)
    [[0, 3], [1, 4], [2, 5]]

    ```
    """
    return [[index, num + index] if narrowest >= 2 * num else [] for index in range(num)]


def ensure_lead(encoder: Encoder, inputs: Float[np.ndarray, "n *state"], *, lead: float = 0.02) -> Encoder:
    """The encoder whose score of each example is the largest at that example, changed as little as possible.

    Training on corruptions may sacrifice an example to a near duplicate. If score i does not lead at example i by the
    fraction `lead` of the typical lead, its last row gets the least change that makes it lead there and leaves it
    unchanged at all other examples: with features Φ (n×k), δ·Φᵀ(ΦΦᵀ)⁻¹eᵢ. This needs features of full row rank, so k ≥
    n in general; otherwise the least-squares solution is used, and the certificates show the result. The requested lead
    shrinks with the distance to the closest competitor. A change many times as large as a typical row is not made: the
    score would also win near all other examples, and the certificate of one duplicate is not worth their basins.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> encoder = training.encoder(np.eye(3), widths=(16,), key=jr.key(0))
    >>> mended = training.ensure_lead(encoder, np.eye(3), lead=0.1)
    >>> bool(training.leading(mended, np.eye(3)).all())
    True

    ```
    """
    if len(inputs) == 1:
        return encoder
    features = _features(encoder, inputs)
    weights, biases = ([np.asarray(one, np.float64) for one in group] for group in (encoder.weights, encoder.biases))
    own, others, rival = standing(features, weights[-1], biases[-1])
    ahead = own - others
    # Two near duplicates can't lead by as much as others do without a slope that would take over everything around
    # them.
    apart = np.linalg.norm(features - features[rival], axis=1)
    usual = max(float(np.median(ahead)), np.finfo(np.float32).eps * float(np.abs(own).max()))
    wanted = lead * usual * np.minimum(1.0, apart / max(float(np.median(apart)), np.finfo(np.float64).tiny))
    shortfall = wanted - ahead
    short = np.flatnonzero(shortfall > 0)
    if len(short):
        asked = np.zeros((len(inputs), len(short)))
        asked[short, np.arange(len(short))] = shortfall[short]
        changes = np.linalg.lstsq(features, asked, rcond=None)[0].T
        bearable = np.linalg.norm(changes, axis=1) <= _STEEPEST * np.median(np.linalg.norm(weights[-1], axis=1))
        last = weights[-1].copy()
        last[short[bearable]] += changes[bearable]
        weights[-1] = last
    return Encoder(tuple(weights), tuple(biases))


def leading(encoder: Encoder, inputs: Float[np.ndarray, "n *state"]) -> np.ndarray:
    """For each of n examples, n×state shape, whether its own score is the largest there; otherwise it can't win.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> encoder = training.encoder(np.eye(3), widths=(16,), key=jr.key(0))
    >>> training.leading(encoder, np.eye(3)[::-1]).tolist()  # the first and the third are exchanged
    [False, True, False]

    ```
    """
    own, others, _ = standing(
        _features(encoder, inputs),
        np.asarray(encoder.weights[-1], np.float64),
        np.asarray(encoder.biases[-1], np.float64),
    )
    return own > others


def _features(encoder: Encoder, inputs: Float[np.ndarray, "n *state"]) -> Float[np.ndarray, "n k"]:
    """Activations of the last hidden layer of an encoder at each state, in float64."""
    values = np.asarray(inputs, np.float64).reshape(len(inputs), -1)
    for weight, bias in zip(encoder.weights[:-1], encoder.biases[:-1], strict=True):
        values = np.maximum(values @ np.asarray(weight, np.float64).T + np.asarray(bias, np.float64), 0.0)
    return values


def rounds_for(num: int) -> int:
    """The number of rounds of inhibition before the last one: three, and more beyond 64 examples, growing as log₂ n.

    ```python
    >>> from attrax import training
    >>> training.rounds_for(20), training.rounds_for(1000)
    (3, 7)

    ```
    """
    return max(3, math.ceil(math.log2(max(num, 2))) - 3)


def winner_take_all_network(
    encoder: Encoder,
    points: HostStates,
    targets: HostStates | None = None,
    *,
    coordinates: Coordinates | None = None,
    rounds: int | None = None,
    onset: float = 5.0,
) -> MLP:
    """The network on states that maps a state to the target of the example with the largest score.

    **Arguments:**

    - `encoder`: gives the scores. If `coordinates` are given, it acts on them, and they are folded into its
      first layer.
    - `points`: n×state shape, one example per score; `targets`: the target of each, by default itself.
    - `rounds`: rounds of inhibition before the last one; more rounds separate closer scores. By default
      `rounds_for(n)`.
    - `onset`: the first round inhibits by `onset`/n, but at most by ¼, and at most by 0.6 of what every example
      survives whose own score is the largest. Closer scores need a smaller `onset`. It has no effect without rounds or
      with fewer than four examples.

    **Returns:** an `MLP` in float64 with the encoder's hidden layers and `rounds` + 3 more, of n units each, whose
    weights are `DiagonalPlusRankOne` from the first inhibition on.

    **Raises** `ValueError` if there is not one score per example, and for a wrong argument.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> encoder = training.encoder(np.eye(3), widths=(16,), key=jr.key(0))
    >>> network = training.winner_take_all_network(encoder, np.eye(3))
    >>> np.allclose(network(np.eye(3)[0]), np.eye(3)[0], atol=1e-6)
    True

    ```
    """
    onset = checks.real("onset", onset, above=0)
    points = np.asarray(points)
    goals = np.asarray(points if targets is None else targets, np.float64).reshape(len(points), -1)
    num = len(points)
    weights: list[Any] = [np.asarray(weight, np.float64) for weight in encoder.weights]
    biases = [np.asarray(bias, np.float64) for bias in encoder.biases]
    if weights[-1].shape[0] != num:
        raise ValueError(f"the encoder needs one score for each of the {num} examples; it has {weights[-1].shape[0]}")
    rounds = rounds_for(num) if rounds is None else checks.integer("rounds", rounds, least=0, most=MOST_LAYERS // 2)
    if coordinates is not None:
        # The weights have only the precision of training, and rounded to it the layer takes half the space in a file.
        weights[0] = ((weights[0] / coordinates.scale) @ coordinates.basis.T).astype(np.float32).astype(np.float64)
        biases[0] = biases[0] - weights[0] @ coordinates.center
    weights[-1], biases[-1] = weights[-1] - weights[-1].mean(axis=0), biases[-1] - biases[-1].mean()
    shape = points.shape[1:]
    vectors = points.reshape(num, -1).astype(np.float64)
    features = _features(Encoder((*weights,), (*biases,)), vectors)
    scored = (weights[-1], biases[-1])
    strengths = inhibition(num, rounds, onset)
    own, total, won = _own_scores(features, *scored, strengths)
    leads = (own > 0) & (own < total)
    if leads.any():
        survived = _SAFE * num * float((own / (total - own + (~leads)))[leads].min())
        if survived < onset:
            strengths = inhibition(num, rounds, survived)
            _, _, won = _own_scores(features, *scored, strengths)
    for strength in strengths:
        weights.append(DiagonalPlusRankOne(np.full(num, 1 + strength), np.full(num, -strength), np.ones(num)))
        biases.append(np.zeros(num))
    # An example whose own score does not win is left to its certificate and does not affect the gain of the others.
    least = float(won[won > 0].min()) if (won > 0).any() else 1.0
    middle = goals.mean(axis=0)
    pictures = np.ascontiguousarray((middle - goals).T)
    # The last layer is m + Σᵢ (1 − tᵢ) (yᵢ − m). Σᵢ (yᵢ − m) is 0 up to rounding, which the bias makes up for.
    weights += [DiagonalPlusRankOne(np.full(num, -_GAIN / least), np.zeros(num), np.zeros(num)), pictures]
    total = np.array([math.fsum(row.tolist()) for row in pictures])
    return MLP((*weights,), (*biases, np.ones(num), middle - total), shape, "relu")


def _own_scores(
    features: np.ndarray, weight: np.ndarray, bias: np.ndarray, strengths: np.ndarray
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """For each example its own score, 0 if it is not the largest; the sum of the scores above 0; and what its unit has
    after all rounds, 0 if it does not win.

    In single precision, which suffices for the onset and the gain, but for scores that are close to the largest:
    between near duplicates single precision would take one for the other, and the gain would be that of a tie.
    """
    own, total, won = (np.zeros(len(features)) for _ in range(3))
    for piece, first in score_pieces(features, weight, bias):
        np.maximum(first, 0.0, out=first)
        total[piece], largest = first.sum(axis=1), first.max(axis=1)
        # After the first round few are on, and a unit that is off stays off.
        sums, strength = total[piece], strengths[0]
        least = np.minimum(strength / (1 + strength) * sums, (1 - _CLOSE) * largest).astype(first.dtype)
        least = np.maximum(least, np.finfo(first.dtype).tiny)
        flat = np.flatnonzero(first >= least[:, None])
        rows, columns = np.divmod(flat, first.shape[1])
        scores = first.ravel()[flat].astype(np.float64)
        close = np.flatnonzero(scores >= (1 - _CLOSE) * largest[rows])
        those = columns[close]
        exact = np.einsum("ij,ij->i", features[piece.start + rows[close]], weight[those]) + bias[those]
        scores[close] = np.maximum(exact, 0.0)
        highest = np.zeros(len(first))
        np.maximum.at(highest, rows, scores)
        mine = np.flatnonzero(columns == piece.start + rows)
        ahead = mine[scores[mine] >= highest[rows[mine]]]
        own[piece.start + rows[ahead]] = scores[ahead]
        active = (1 + strength) * scores - strength * sums[rows]
        on = active > 0
        rows, columns, active = rows[on], columns[on], active[on]
        for strength in strengths[1:]:
            sums = np.bincount(rows, active, minlength=len(first))
            active = (1 + strength) * active - strength * sums[rows]
            on = active > 0
            rows, columns, active = rows[on], columns[on], active[on]
        kept = columns == piece.start + rows
        won[piece.start + rows[kept]] = active[kept]
    return own, total, won


def inhibition(num: int, rounds: int, onset: float = 5.0) -> np.ndarray:
    """ε of each round: from `onset`/n, at most 1/4, to 1 in equal ratios.

    About half of the scores are above their mean at the start, and the largest is a few times as far above it as they
    are on average; it survives if ε·n/2 is less than that ratio. The largest such ε leaves the least work for the few
    rounds that follow. In experiments, 5/n separated digits best, and 3/n digits that were shifted and half occluded.
    """
    if num < 4:
        return np.ones(1)
    return np.geomspace(min(onset / num, 0.25), 1.0, rounds + 1) if rounds else np.ones(1)
